// State dicts of PyTorch: which tensors are a network, and what network they are. A torch.nn.RNN, GRU or
// LSTM, or one of their cells, and around it, where they are there, a torch.nn.Embedding and a
// torch.nn.Linear, each under the name of any module. Where the file has an order, several modules of layers
// read each other in it, and several Linears, too, if an option says which activations are behind them.
#pragma once

#include <string_view>

#include "lib/formats/contents.h"
#include "lib/formats/network_tensors.h"
#include "lib/formats/probe.h"
#include "rnn/rnn.h"

namespace rnn::formats {

struct StateDict {
  rnn_config_t config{};            // from the shapes; unchecked
  std::vector<rnn_layer_t> layers;  // where config.layers points, if the network is a list
  Selection selection;
};

// The contents with what AWD-LSTM's wrappers hold under the names of what they wrap. The parameters of a weight-drop
// wrapper: gru.weight_hh_l0_raw is gru.weight_hh_l0, or gru.module.weight_hh_l0 where the wrapped module is there; a
// tensor that has that name already is what the wrapper computed last, and left out. So is encoder_dp.emb.weight, an
// embedding with dropout, where it is encoder.weight.
Contents without_wrappers(const Contents& contents);

// Whether a tensor's name is that of a module of layers: "weight_ih_l0", "gru.bias_hh", ...
bool is_layers(std::string_view name);
// "weight", "fc.weight", ...
bool is_weight(std::string_view name);

// options: complete; its names and flags. Throws Error(RNN_BAD_FORMAT), where the network is none of librnn's
// Error(RNN_UNSUPPORTED), and where the options leave a choice or contradict the file,
// Error(RNN_INVALID_ARGUMENT).
StateDict read_state_dict(const Contents& contents, const rnn_load_options_t& options);

// Tensors that a file may hold to test the network with: a sequence of steps, and what the network gives for
// it from the initial state.
constexpr char kProbeInputs[] = "probe.inputs";    // [T, I], or indices [T], I64 or whole numbers
constexpr char kProbeOutputs[] = "probe.outputs";  // [T, O]
Probe read_probe(const Tensor& inputs, const Tensor& outputs, const Weights& weights);

}  // namespace rnn::formats

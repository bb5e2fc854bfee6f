// State dicts of PyTorch: which tensors are a network, and what network they are. A torch.nn.RNN, GRU or
// LSTM, and around it, where they are there, a torch.nn.Embedding and a torch.nn.Linear, each under the name
// of any module.
#pragma once

#include "lib/formats/contents.h"
#include "lib/formats/network_tensors.h"
#include "lib/formats/probe.h"
#include "rnn/rnn.h"

namespace rnn::formats {

struct StateDict {
  rnn_config_t config{};  // from the shapes; unchecked
  Selection selection;
};

// options: complete; its names and flags. Throws Error(RNN_BAD_FORMAT), and where the options leave a choice
// or contradict the file, Error(RNN_INVALID_ARGUMENT).
StateDict read_state_dict(const Contents& contents, const rnn_load_options_t& options);

// Tensors that a file may hold to test the network with: a sequence of steps, and what the network gives for
// it from the initial state.
constexpr char kProbeInputs[] = "probe.inputs";    // [T, I], or indices [T], I64
constexpr char kProbeOutputs[] = "probe.outputs";  // [T, O]
Probe read_probe(const Tensor& inputs, const Tensor& outputs, const Weights& weights);

}  // namespace rnn::formats

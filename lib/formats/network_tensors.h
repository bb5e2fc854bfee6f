// A network's parameters as the tensors of a file: PyTorch's names, shapes and two biases.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/formats/contents.h"
#include "lib/network/weights.h"

namespace rnn::formats {

// A module of layers in a state dict; its first layer is one of the network's.
struct Module {
  std::string prefix;
  std::size_t first = 0;
  bool is_cell = false;   // an RNNCell, GRUCell or LSTMCell: one layer, whose names have no "_l0"
  bool is_bare = false;   // no biases, though the network has some; they are 0
  bool is_dense = false;  // a Linear: one layer of a list, or the head
};

// What stands before PyTorch's names: the paths of the modules.
struct Names {
  std::string layers;
  std::string head = "head.";
  std::string embedding = "embedding.";
  std::vector<Module> modules;  // of a state dict, by their first layers; empty: `layers` has them all
  bool is_list = false;         // a network whose parameters are named layers.0.weight_ih, ...

  bool is_dict() const noexcept { return !modules.empty(); }
  std::string of(const Parameter& parameter) const;
  std::string strand(const char* base, std::size_t layer, bool backward) const;  // "weight_ih", ...
  Module module(std::size_t layer) const;

  // Name the parameters of such a network; config: resolved.
  void name_list(const rnn_config_t& config);
};

// Whether a prefix may stand in messages: printable and short.
bool is_prefix(std::string_view text);

// What a file holds of a network, beside what its configuration says.
struct Selection {
  Names names;
  bool bare_head = false;  // no bias, though the network has one; it is 0
  bool partial = false;  // the names were chosen: other tensors than those behind them may stand in the file
};

// weights outlive the writer.
void add_tensors(const Weights& weights, const Names& names, Writer& writer);

// Make sure that the file holds the matrices that the configuration asks for, so that the network takes no
// more memory than a small multiple of the file. Throws Error(RNN_BAD_FORMAT).
void check_matrices(const rnn_config_t& config, const Names& names, const Contents& contents);

// Set all parameters, without packing them. Throws Error(RNN_BAD_FORMAT) where a tensor is missing, of
// another shape, not finite or left over, and Error(RNN_UNSUPPORTED) where one of a state dict is left over
// or has no floating-point numbers. What `spared` says of a tensor's name is whether it may be left over.
void read_tensors(Weights& weights, const Selection& selection, const Contents& contents,
                  const std::function<bool(const std::string&)>& spared);

// A matrix of the file, or null; throws Error if the tensor is none.
const Tensor* find_matrix(const Contents& contents, const std::string& name);

}  // namespace rnn::formats

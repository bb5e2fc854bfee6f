// The recurrent modules of a state dict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/formats/contents.h"
#include "lib/formats/network_tensors.h"
#include "lib/network/config.h"
#include "rnn/rnn.h"

namespace rnn::formats {

using Prefixes = std::vector<std::string>;

std::string list(const Prefixes& prefixes);  // for messages

std::vector<std::string> split(std::string_view text);  // "a, b" is "a" and "b"

// The one that was found; `what` says what it is, and `option` chooses among them.
const std::string& only(const Prefixes& found, const char* what, const char* option);

std::int32_t narrow(const char* name, std::uint64_t size, std::int32_t most = kMaxSize);

// The name of a tensor of layers: "gru.weight_ih_l1_reverse" is "gru.", "weight_ih", 1 and reverse.
struct LayerTensor {
  std::string_view prefix, base;
  std::optional<std::size_t> layer;  // none in a cell
  bool reverse = false;
};

std::optional<LayerTensor> layer_tensor(std::string_view name);

// What the names of a module's tensors say: each that one of them implies must be there.
struct Layout {
  std::string prefix;
  std::size_t layers = 0;
  bool is_cell = false, is_stack = false, reverse = false, biases = false, projection = false;

  void add(const LayerTensor& tensor);
  void check() const;
};

// In the order in which they read each other: what options.layers says, or that of the file.
std::vector<Layout> find_layers(const Contents& contents, const rnn_load_options_t& options);

const Tensor& need_matrix(const Contents& contents, const std::string& name);

// What each layer of a module is: cell, size, projection and direction. names has its tensors, first is its first layer.
rnn_layer_t infer_layer(const Contents& contents, const Names& names, const Layout& layout,
                        std::size_t first);

}  // namespace rnn::formats

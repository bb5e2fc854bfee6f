// A network's layers as a list of rnn_layer_t: that of rnn_config_t.layers, or what its other fields stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "lib/cells/cell.h"
#include "rnn/rnn.h"

namespace rnn {

constexpr std::size_t kMaxListed = 256;                   // layers of rnn_config_t.layers
constexpr std::size_t kMaxWindow = std::size_t{1} << 24;  // columns of a convolution's W, and its past

struct FlagName {
  std::uint32_t value;
  const char* name;
};

// All flags, in the order of their values.
constexpr FlagName kFlags[] = {{RNN_FLAG_NO_BIAS, "RNN_FLAG_NO_BIAS"},
                               {RNN_FLAG_RELU, "RNN_FLAG_RELU"},
                               {RNN_FLAG_RESET_BEFORE, "RNN_FLAG_RESET_BEFORE"},
                               {RNN_FLAG_BIDIRECTIONAL, "RNN_FLAG_BIDIRECTIONAL"},
                               {RNN_FLAG_RESIDUAL, "RNN_FLAG_RESIDUAL"},
                               {RNN_FLAG_LAYER_NORM, "RNN_FLAG_LAYER_NORM"},
                               {RNN_FLAG_TIED_HEAD, "RNN_FLAG_TIED_HEAD"},
                               {RNN_FLAG_PEEPHOLES, "RNN_FLAG_PEEPHOLES"},
                               {RNN_FLAG_COUPLED_GATES, "RNN_FLAG_COUPLED_GATES"}};

// What messages call the fields of a layer.
struct LayerFields {
  std::string kind, size, flags, projection_size;
};

// "1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU) or 3 (RNN_CELL_LSTM)": the kinds of layers of which one variant fits.
std::string name_cells(const std::function<bool(const cells::Cell&)>& fits);

// The flags are some of `allowed`, and its cell has those that are a cell's; kind: known. Throws
// Error(RNN_INVALID_ARGUMENT), as do all checks.
void check_flags(const rnn_layer_t& layer, std::uint32_t allowed, const LayerFields& fields);
void check_projection(const rnn_layer_t& layer, const LayerFields& fields);

// 1..kMaxListed of a list.
void check_layer_count(const rnn_config_t& config);

// config.layers and the fields that must be 0 beside it; input_size and embedding_size are checked.
void check_layers(const rnn_config_t& config);

// Turn a list that the other fields can stand for into them: equal cells, and at most one dense layer without
// activation behind them.
void fold_layers(rnn_config_t& config) noexcept;

// Of a resolved configuration: the layers, each with its defaults resolved, the head among them.
std::size_t layer_count(const rnn_config_t& config) noexcept;
rnn_layer_t layer_at(const rnn_config_t& config, std::size_t index) noexcept;

// Whether the last layer is the head: a dense layer without activation and residual connection behind others.
bool ends_in_head(const rnn_config_t& config) noexcept;

// How many layers are before a pooling: all up to the last cell or convolution; of dense layers alone, all but the
// head.
std::size_t layers_before_pooling(const rnn_config_t& config) noexcept;

// What a layer reads and what it gives, both at least 1.
std::size_t layer_inputs(const rnn_config_t& config, std::size_t index) noexcept;
std::size_t layer_outputs(const rnn_layer_t& layer) noexcept;

}  // namespace rnn

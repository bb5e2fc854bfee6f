// Lists of layers for tests.
#pragma once

#include <utility>
#include <vector>

#include "common.h"
#include "tests/reference/lists.h"

using rnn::reference::cell_layer;
using rnn::reference::dense_layer;
using rnn::reference::with_layers;
using Layers = std::vector<rnn_layer_t>;

inline rnn_config_t list(int32_t inputs, Layers layers) {
  auto c = sized<rnn_config_t>();
  c.input_size = inputs;
  c.seed = 7;
  return with_layers(c, std::move(layers));
}

// 3 inputs, 5 outputs, 8 states.
inline rnn_config_t small_list() {
  return list(3, {dense_layer(4, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL),
                  cell_layer(RNN_CELL_VANILLA, 4, RNN_FLAG_RELU), dense_layer(5)});
}

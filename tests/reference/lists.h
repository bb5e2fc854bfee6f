// Networks that are lists of layers: random ones, and what they are good for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rnn/rnn.h"

namespace rnn::reference {

// The same configuration with these layers, which live as long as the program.
rnn_config_t with_layers(rnn_config_t config, std::vector<rnn_layer_t> layers);

rnn_layer_t cell_layer(std::int32_t kind, std::int32_t size, std::uint32_t flags = 0,
                       std::int32_t direction = RNN_DIRECTION_FORWARD, std::int32_t projection = 0);
rnn_layer_t dense_layer(std::int32_t size, std::int32_t activation = RNN_ACTIVATION_NONE,
                        std::uint32_t flags = 0, float alpha = 0, float beta = 0);

struct ListKind {
  bool whole = false;       // for whole sequences alone: layers of every direction
  std::int32_t widest = 9;  // about: layer normalisation has three more
  bool embedding = true;    // one in four has one
  bool zoneout = true;      // of some cells
};

// Of 1 to 4 layers, valid; the same for the same seed on every machine.
rnn_config_t random_list(std::uint32_t seed, const ListKind& kind = {});

// Every layer reads from the first step to the last.
bool can_step(const rnn_config_t& config);

// Steps alone have inputs added to their outputs, and what is pooled is not the sum of two different steps.
bool can_pool(const rnn_config_t& config, std::int32_t pooling);

// "I 3, E 0, skip 1, initial state 2, [LSTM 5 to 2, both, residual] [dense 4, elu 0.5]"
std::string text_of(const rnn_config_t& config);

}  // namespace rnn::reference

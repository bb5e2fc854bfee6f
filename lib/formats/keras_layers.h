// A network as a list of Keras' layers, from whatever file, and what it is here. Matrices are Keras' kernels, [inputs,
// outputs], the transposed of ours:
//
//   SimpleRNN  [X, H],  [H, H],  [H]
//   LSTM       [X, 4H], [H, 4H], [4H]      gates i, f, c, o: ours
//   GRU        [X, 3H], [H, 3H], [2, 3H]   gates z, r, h; biases of W x and of U h: reset_after, Keras' default
//                                [3H]      one bias: reset_after=False
//   Dense      [H, O], [O]                 the head, if there is one
//   Embedding  [V, E]                      as ours
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/formats/model.h"

namespace rnn::keras {

struct Weights {
  std::vector<float> kernel;     // also an Embedding's
  std::vector<float> recurrent;  // of a recurrent layer
  std::vector<float> bias;       // empty: none
};

enum class Kind { other, embedding, recurrent, dense };

struct Layer {
  std::string place;  // in messages: layers[1], layer "gru"
  std::string type;   // as the file calls it
  Kind kind = Kind::other;
  std::int32_t cell = 0;    // RNN_CELL_... of a recurrent layer
  std::int32_t inputs = 0;  // that it reads: features, or of an Embedding the number of indices
  std::int32_t units = 0;   // that it gives, in each direction
  std::string activation, recurrent_activation;  // empty: the layer's default
  bool reset_after = true;                       // of a GRU
  bool last_step = false;                        // what it gives for a sequence is that of its last step
  bool bidirectional = false;                    // both directions side by side
  Weights weights[2];                            // of each direction
};

// How many gates' columns a recurrent layer's matrices have, for a unit.
std::size_t gate_count(std::int32_t cell) noexcept;

// What a reader's network is made of, for messages.
constexpr char kLayers[] =
    "librnn reads at most one Embedding, then SimpleRNN, GRU or LSTM layers, then at most one Dense";

// `known` says in messages which layers there may be. The weights' sizes must be those that the layers say, each
// layer's inputs what the one before it gives. metadata keras.pooling is "last" where the last recurrent layer gives
// its last step alone. Throws Error(RNN_UNSUPPORTED) for what no network here is.
Model make_model(std::vector<Layer> layers, const char* known);

// What make_model says of a layer that is not known.
[[noreturn]] void refuse(const Layer& layer, const char* known);

}  // namespace rnn::keras

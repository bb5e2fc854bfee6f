// A network as a list of Keras' layers, from whatever file, and what it is here. Matrices are Keras' kernels, [inputs,
// outputs], the transposed of ours:
//
//   SimpleRNN  [X, H],  [H, H],  [H]
//   LSTM       [X, 4H], [H, 4H], [4H]      gates i, f, c, o: ours
//   GRU        [X, 3H], [H, 3H], [2, 3H]   gates z, r, h; biases of W x and of U h: reset_after, Keras' default
//                                [3H]      one bias: reset_after=False
//   Dense      [X, O], [O]
//   Conv1D     [K, X / groups, O], [O]     the oldest step first; padding="causal"
//   Embedding  [V, E]                      as ours
//
// What a layer gives goes through its activation, which may also be a layer of its own. A normalisation by constants
// (BatchNormalization) becomes part of the matrix before or behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/formats/functions.h"
#include "lib/formats/model.h"

namespace rnn::keras {

using formats::Function;

struct Weights {
  std::vector<float> kernel;     // also an Embedding's
  std::vector<float> recurrent;  // of a recurrent layer
  std::vector<float> bias;       // empty: none
};

// y = gamma (x - mean) / sqrt(variance + epsilon) + beta
struct Normalization {
  std::vector<float> gamma, beta;  // empty: 1 and 0
  std::vector<float> mean, variance;
  double epsilon = 0;
  std::int32_t axis = -1;  // of [batch, steps, X], or [batch, X] of the last step alone; -1: the last
};

enum class Kind { other, embedding, recurrent, dense, convolution, activation, normalization, pooling };

// How what both directions give becomes one.
enum class Merge { none, concatenation, sum, mean };

struct Layer {
  std::string place;  // in messages: layers[1], layer "gru"
  std::string type;   // as the file calls it
  Kind kind = Kind::other;
  std::int32_t cell = 0;         // RNN_CELL_... of a recurrent layer
  std::int32_t inputs = 0;       // that it reads: features, or of an Embedding the number of indices
  std::int32_t units = 0;        // that it gives, in each direction
  Function function;             // of a dense layer or a convolution, and all of an activation
  Function gate_function;        // of a recurrent layer's gates; function: of n, or of g and c
  std::int32_t kernel_size = 1;  // K of a convolution
  std::int32_t dilation = 1;     // and how many steps are from one of what it multiplies to the next
  std::int32_t groups = 1;       // of a convolution's inputs and outputs, of which each reads its own
  bool reset_after = true;       // of a GRU
  bool last_step = false;        // what it gives for a sequence is that of its last step
  std::int32_t pooling = 0;      // RNN_POOLING_MEAN or RNN_POOLING_MAX of a layer that is nothing else
  bool backwards = false;        // it reads the sequence from its end, and gives its outputs in that order
  Merge merge = Merge::none;     // of a layer of both directions
  Weights weights[2];            // of each direction
  Normalization normalization;

  bool is_bidirectional() const noexcept { return merge != Merge::none; }
  // That the next one reads.
  std::int32_t outputs() const noexcept { return merge == Merge::concatenation ? 2 * units : units; }
};

// How many gates' columns a recurrent layer's matrices have, for a unit.
std::size_t gate_count(std::int32_t cell) noexcept;

// What a reader's network is made of, for messages.
constexpr char kLayers[] =
    "librnn reads at most one Embedding, then SimpleRNN, GRU, LSTM, Dense, Conv1D, BatchNormalization, "
    "GlobalAveragePooling1D, GlobalMaxPooling1D and activation layers";

// `known` says in messages which layers there may be. The weights' sizes must be those that the layers say, each
// layer's inputs what the one before it gives. metadata keras.pooling is "last" where a recurrent layer gives its last
// step alone, "mean" or "max" where a layer pools the steps. Throws Error(RNN_UNSUPPORTED) for what no network here is.
Model make_model(std::vector<Layer> layers, const char* known);

// How many of its inputs each output of a convolution reads. Throws Error(RNN_BAD_FORMAT) where there are no such groups.
std::int32_t group_inputs(const Layer& layer);

// What make_model says of a layer that is not known.
[[noreturn]] void refuse(const Layer& layer, const char* known);

// Of a function's name that is not known; `wanted` says in the message what it must be; null: one of find_function's.
[[noreturn]] void refuse_function(const Layer& layer, const std::string& name, const char* wanted = nullptr);

// What a recurrent layer says of its activations; empty: its default. Throws Error(RNN_UNSUPPORTED).
void set_functions(Layer& layer, const std::string& activation, const std::string& recurrent_activation,
                   const formats::Conventions& conventions);

}  // namespace rnn::keras

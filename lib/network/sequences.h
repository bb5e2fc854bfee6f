// Checks of the caller's sequences before anything is computed or changed.
#pragma once

#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

// count, frames, lengths, inputs or indices and their range, resets. `name` is the argument's name in
// messages. Throws Error(RNN_INVALID_ARGUMENT).
void check_inputs(const Weights& weights, const rnn_sequences_t& sequences, const char* name);

// A network with skip adds inputs to the outputs of steps, so these are not pooled; nor are the last steps of
// two directions that are added. `name` is the argument's name in messages. Throws Error(RNN_INVALID_ARGUMENT).
void check_pooling(const Weights& weights, std::int32_t pooling, const char* name);

// Inputs that are vectors are finite. The rest is checked before.
void check_finite_inputs(const Weights& weights, const rnn_sequences_t& sequences, const char* name);

// One state for each sequence; may be null. Finite.
void check_initial_states(const Weights& weights, const rnn_sequences_t& sequences, const float* states,
                          const char* name);

// Tested on their bits, many at a time.
bool all_finite(const float* values, std::size_t count) noexcept;

// Number of target rows M.
std::size_t target_count(const rnn_sequences_t& sequences) noexcept;

// The loss to use (`loss`, or the default where it is 0), after checking that its targets are there, in
// range and finite, and the weights finite and not negative. Throws Error(RNN_INVALID_ARGUMENT).
int32_t check_targets(const Weights& weights, const rnn_sequences_t& sequences, int32_t loss,
                      const char* name);

}  // namespace rnn

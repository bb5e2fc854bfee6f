#include "lib/network/sequences.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "lib/network/error.h"

namespace rnn {
namespace {

void check_lengths(const rnn_sequences_t& sequences, const char* name) {
  if (sequences.count == 0) throw Error(RNN_INVALID_ARGUMENT, "%s.count is 0; it must be at least 1", name);
  if (sequences.lengths == nullptr) throw Error(RNN_INVALID_ARGUMENT, "%s.lengths is NULL", name);
  std::size_t left = sequences.frames;
  for (std::size_t n = 0; n < sequences.count; ++n) {
    const std::size_t length = sequences.lengths[n];
    if (length == 0)
      throw Error(RNN_INVALID_ARGUMENT, "%s.lengths[%zu] is 0; it must be at least 1", name, n);
    if (length > left)
      throw Error(RNN_INVALID_ARGUMENT, "%s.lengths up to [%zu] add up to more than frames, which is %zu",
                  name, n, sequences.frames);
    left -= length;
  }
  if (left != 0)
    throw Error(RNN_INVALID_ARGUMENT, "%s.frames is %zu; it must be the sum of lengths, which is %zu", name,
                sequences.frames, sequences.frames - left);
}

// Indices or classes: each 0..size-1.
void check_indices(const std::int32_t* indices, std::size_t count, std::size_t size, const char* name,
                   const char* field) {
  for (std::size_t i = 0; i < count; ++i)
    if (indices[i] < 0 || static_cast<std::size_t>(indices[i]) >= size)
      throw Error(RNN_INVALID_ARGUMENT, "%s.%s[%zu] is %d; it must be 0..%zu", name, field, i, indices[i],
                  size - 1);
}

std::int32_t default_loss(const rnn_sequences_t& sequences, const char* name) {
  const bool targets = sequences.targets != nullptr;
  const bool classes = sequences.classes != nullptr;
  if (targets && classes)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s.targets and classes are both given; options.loss must then say which to use", name);
  if (!targets && !classes)
    throw Error(RNN_INVALID_ARGUMENT, "%s.targets and classes are both NULL; one of them must be given",
                name);
  return classes ? RNN_LOSS_CROSS_ENTROPY : RNN_LOSS_SQUARED_ERROR;
}

void check_target_values(const float* targets, std::size_t rows, std::size_t columns, bool probabilities,
                         const char* name) {
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const float value = targets[i * columns + j];
      if (probabilities ? value >= 0.0f && value <= 1.0f : std::isfinite(value)) continue;
      throw Error(RNN_INVALID_ARGUMENT, "%s.targets[%zu, %zu] is %g; it must be %s", name, i, j,
                  static_cast<double>(value), probabilities ? "0..1 for binary cross-entropy" : "finite");
    }
  }
}

}  // namespace

void check_inputs(const Weights& weights, const rnn_sequences_t& sequences, const char* name) {
  check_lengths(sequences, name);
  if (sequences.pooling < RNN_POOLING_NONE || sequences.pooling > RNN_POOLING_MAX)
    throw Error(RNN_INVALID_ARGUMENT, "%s.pooling is %d; it must be %d..%d", name, sequences.pooling,
                RNN_POOLING_NONE, RNN_POOLING_MAX);
  check_pooling(weights, sequences.pooling, name);
  if (sequences.reserved != 0)
    throw Error(RNN_INVALID_ARGUMENT, "%s.reserved is %d; it must be 0", name, sequences.reserved);
  if ((sequences.inputs == nullptr) == (sequences.indices == nullptr))
    throw Error(RNN_INVALID_ARGUMENT, "%s.inputs and indices are both %s; exactly one must be given", name,
                sequences.inputs == nullptr ? "NULL" : "given");
  if (weights.has_embedding() && sequences.indices == nullptr)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s.inputs is given; it must be NULL and indices given, because the network has an embedding",
                name);
  if (sequences.indices != nullptr)
    check_indices(sequences.indices, sequences.frames, weights.input_size(), name, "indices");
  if (sequences.resets == nullptr) return;
  for (std::size_t i = 0; i < sequences.frames; ++i)
    if (sequences.resets[i] > 1)
      throw Error(RNN_INVALID_ARGUMENT, "%s.resets[%zu] is %d; it must be 0 or 1", name, i,
                  sequences.resets[i]);
}

void check_pooling(const Weights& weights, std::int32_t pooling, const char* name) {
  if (weights.pooled_layer().sums && pooling == RNN_POOLING_LAST)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s.pooling is %d (RNN_POOLING_LAST) and layer %zu, which is pooled, adds its directions; "
                "the pooling "
                "must be another one, since the last steps of both are apart",
                name, pooling, weights.pooled_layer().index);
  if (weights.skip() != 0 && pooling != RNN_POOLING_NONE)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "%s.pooling is %d and the network's skip is %zu; the pooling must be 0, since inputs are added to "
        "the outputs of steps",
        name, pooling, weights.skip());
}

void check_finite_inputs(const Weights& weights, const rnn_sequences_t& sequences, const char* name) {
  const std::size_t size = weights.input_size();
  const float* inputs = sequences.inputs;
  if (inputs == nullptr) return;
  for (std::size_t n = 0, frame = 0; n < sequences.count; ++n) {
    for (std::size_t t = 0; t < sequences.lengths[n]; ++t, ++frame, inputs += size) {
      if (all_finite(inputs, size)) continue;
      std::size_t i = 0;
      while (all_finite(inputs + i, 1)) ++i;
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s.inputs[%zu, %zu] (sequence %zu, step %zu) is %g; it must be finite", name, frame, i, n,
                  t, static_cast<double>(inputs[i]));
    }
  }
}

void check_initial_states(const Weights& weights, const rnn_sequences_t& sequences, const float* states,
                          const char* name) {
  const std::size_t size = weights.state_size();
  for (std::size_t n = 0; states != nullptr && n < sequences.count; ++n, states += size) {
    if (all_finite(states, size)) continue;
    std::size_t i = 0;
    while (all_finite(states + i, 1)) ++i;
    throw Error(RNN_INVALID_ARGUMENT, "%s[%zu, %zu] is %g; it must be finite", name, n, i,
                static_cast<double>(states[i]));
  }
}

bool all_finite(const float* values, std::size_t count) noexcept {
  constexpr std::uint32_t exponent = 0x7f800000u;
  std::uint32_t infinite = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    infinite |= (bits & exponent) == exponent ? 1u : 0u;
  }
  return infinite == 0;
}

std::size_t target_count(const rnn_sequences_t& sequences) noexcept {
  return sequences.pooling != RNN_POOLING_NONE ? sequences.count : sequences.frames;
}

std::int32_t check_targets(const Weights& weights, const rnn_sequences_t& sequences, std::int32_t loss,
                           const char* name) {
  if (loss < 0 || loss > RNN_LOSS_BINARY_CROSS_ENTROPY)
    throw Error(RNN_INVALID_ARGUMENT, "options.loss is %d; it must be 0..%d", loss,
                RNN_LOSS_BINARY_CROSS_ENTROPY);
  if (loss == 0) loss = default_loss(sequences, name);

  const std::size_t count = target_count(sequences);
  if (loss == RNN_LOSS_CROSS_ENTROPY) {
    if (sequences.classes == nullptr)
      throw Error(RNN_INVALID_ARGUMENT, "%s.classes is NULL; cross-entropy needs them", name);
    check_indices(sequences.classes, count, weights.output_size(), name, "classes");
  } else {
    if (sequences.targets == nullptr)
      throw Error(RNN_INVALID_ARGUMENT, "%s.targets is NULL; %s needs them", name,
                  loss == RNN_LOSS_SQUARED_ERROR ? "squared error" : "binary cross-entropy");
    check_target_values(sequences.targets, count, weights.output_size(),
                        loss == RNN_LOSS_BINARY_CROSS_ENTROPY, name);
  }
  if (sequences.weights == nullptr) return loss;
  for (std::size_t i = 0; i < count; ++i)
    if (!(std::isfinite(sequences.weights[i]) && sequences.weights[i] >= 0.0f))
      throw Error(RNN_INVALID_ARGUMENT, "%s.weights[%zu] is %g; it must be finite and >= 0", name, i,
                  static_cast<double>(sequences.weights[i]));
  return loss;
}

}  // namespace rnn

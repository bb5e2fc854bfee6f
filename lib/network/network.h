// One stream: weights that may be shared, a state of its own, and the room that a step needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

class Network {
 public:
  explicit Network(WeightsRef weights);  // in the initial state
  Network(const Network& other);         // the same weights, shared, and a copy of the state

  const Weights& weights() const noexcept { return *weights_; }
  const WeightsRef& weights_ref() const noexcept { return weights_; }
  const Allocator& allocator() const noexcept { return allocator_; }

  void use(WeightsRef weights) noexcept { weights_ = std::move(weights); }  // of the same architecture
  Weights& own_weights();                                                   // copied first if they are shared

  // One input, by value (x[I]) or by index. y may be null. Real-time safe.
  void step(const float* x, float* y) noexcept;
  void step(std::int32_t index, float* y) noexcept;
  // Networks over the same weights; rows of x[count, I] (or indices) and y[count, O]. Real-time safe.
  static void step_many(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept;

  // in, options: checked. See rnn_forward.
  void forward(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs);

  void reset() noexcept;
  void get_state(float* state) const noexcept;
  void set_state(const float* state) noexcept;

 private:
  void finish_step(float* y) noexcept;  // from the first layer's input projection, in scratch_
  static void step_block(Network* const* networks, std::size_t count, const float* x,
                         const std::int32_t* indices, float* y) noexcept;
  float* state(std::size_t half, std::size_t part, std::size_t layer) noexcept;

  // State part p (h, c) of layer l is a vector [padded H] in one of the two halves of states_, so that a step
  // reads one and writes the other.
  Allocator allocator_;
  WeightsRef weights_;
  Buffer<float> states_;   // [2, parts * L, padded H]
  Buffer<float> scratch_;  // [padded G*H]
  std::size_t half_ = 0;   // which half is current
};

}  // namespace rnn

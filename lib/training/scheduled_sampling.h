// Scheduled sampling: a pass whose inputs are, here and there, the network's own last outputs instead of the
// data's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/random.h"
#include "lib/training/bptt.h"
#include "lib/training/workspace.h"

namespace rnn {

class ScheduledSampling {
 public:
  // `bptt`, for networks of the same architecture, is used as long as this object.
  ScheduledSampling(const Weights& weights, Bptt& bptt);

  // The pass over changed inputs: each step but a slice's first, and the first after a reset, reads with this
  // probability what the network made of the step before, from the changed inputs until then. Which steps
  // these are depends on the key alone. The new pass points into this object and to what `pass` points to.
  Pass change(const Pass& pass, double probability, std::uint64_t key);

 private:
  void copy_data(const Pass& pass);
  void step(const Pass& pass, std::size_t t);
  void feed(std::size_t frame);
  bool draws(std::size_t frame) const noexcept {
    return Random(key_ + numbers_[frame]).uniform() < probability_;
  }

  Allocator allocator_;
  Bptt& bptt_;
  std::size_t input_size_;   // I
  std::size_t output_size_;  // O
  std::size_t state_size_;   // S
  double probability_ = 0.0;
  std::uint64_t key_ = 0;

  // The pass's part of the data, slice after slice.
  rnn_sequences_t data_{};
  Buffer<Slice> slices_;
  Buffer<float> inputs_;
  Buffer<std::int32_t> indices_;
  Buffer<float> targets_;
  Buffer<std::int32_t> classes_;
  Buffer<float> weights_;
  Buffer<std::uint8_t> resets_;
  Buffer<std::uint64_t> numbers_;  // [frames]  that its draw follows from

  Buffer<float> outputs_;      // [frames, O]  of vectors
  Buffer<std::int32_t> best_;  // [frames]  of indices, the most probable
  Buffer<Slice> step_slices_;  // of the sequences that go on after a step
  Buffer<Item> step_items_;
  Buffer<float> states_;  // [.., S] after a step
  Buffer<float> next_states_;
};

}  // namespace rnn

// From gradients to new weights: clipping, the rule, the learning rate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "lib/training/threads.h"
#include "rnn/rnn.h"

namespace rnn {

class Optimizer {
 public:
  // options: resolved.
  Optimizer(const Weights& weights, const rnn_train_options_t& options, Threads& threads);

  // Which of its two values per weight the rule keeps.
  bool keeps_first() const noexcept;
  bool keeps_second() const noexcept;

  // The Euclidean norm of the gradients, without those of weights that are not trained.
  double norm(const Weights& weights, const float* gradients);

  // Change the weights' values by update number `update`, 0, 1, ... first and second are the rule's state,
  // laid out as the values; null where it keeps none.
  void apply(Weights& weights, const float* gradients, double norm, std::uint64_t update, float* first,
             float* second);

 private:
  // A range of values, of which a task does one: its size is fixed, since it decides how the norm is added.
  struct Chunk {
    std::size_t offset;
    std::size_t size;
  };

  kernels::Update rule(double norm, std::uint64_t update) const noexcept;

  rnn_train_options_t options_;
  Threads& threads_;
  Buffer<Chunk> chunks_;
  Buffer<float> sums_;  // of squares, by chunk
};

}  // namespace rnn

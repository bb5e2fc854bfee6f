// The loss over sequences of any length, in bounded memory.
#pragma once

#include <cstdint>

#include "lib/training/bptt.h"

namespace rnn {

struct Evaluation {
  RowLoss sums{0.0, 0.0};
  double weight = 0.0;

  double loss() const noexcept { return sums.loss / weight; }  // NaN without a target
};

class Evaluator {
 public:
  // For networks of the architecture of `weights`. `threads` is used as long as this object.
  Evaluator(const Weights& weights, Threads& threads);

  // data: checked. loss: resolved. The result does not depend on the threads.
  Evaluation evaluate(const Weights& weights, const rnn_sequences_t& data, std::int32_t loss,
                      const Labels& labels);

 private:
  // Sequences [first, first + count), which start at this frame.
  struct Group {
    std::size_t first;
    std::size_t frame;
    std::size_t count;
  };

  std::size_t group_size(const rnn_sequences_t& data, std::size_t first, std::size_t most) const noexcept;
  Evaluation evaluate_group(Pass& pass, const Group& group);

  Allocator allocator_;
  Bptt bptt_;
  std::size_t rows_;  // about so many at a time
  bool bidirectional_;
  bool whole_ = false;  // no windows
  Buffer<Slice> slices_;
  Buffer<Item> items_;
  Buffer<float> states_;  // [count, S]
  Buffer<float> next_states_;
};

}  // namespace rnn

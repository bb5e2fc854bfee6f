// The loss over sequences of any length, in bounded memory.
#pragma once

#include <cstdint>

#include "lib/training/bptt.h"
#include "lib/training/collective.h"
#include "lib/training/data.h"

namespace rnn {

struct Evaluation {
  RowLoss sums{0.0, 0.0};
  double weight = 0.0;

  Evaluation& operator+=(const Evaluation& right) noexcept {
    sums.loss += right.sums.loss;
    sums.correct += right.sums.correct;
    weight += right.weight;
    return *this;
  }
  double loss() const noexcept { return sums.loss / weight; }  // NaN without a target
};

class Evaluator {
 public:
  // For networks of the architecture of `weights`. `threads` is used as long as this object.
  Evaluator(const Weights& weights, Threads& threads);

  // loss: resolved. The lanes' sums are added as those of an update are. The result depends neither on the threads
  // nor on the ranks, which do this together.
  Evaluation evaluate(const Weights& weights, const JobData& data, std::int32_t loss, const Labels& labels,
                      Collective& collective);

 private:
  // `count` sequences of a lane from `first` on, which are `lanes` apart.
  struct Group {
    std::size_t first;
    std::size_t count;
  };

  Evaluation evaluate_lane(Pass& pass, const JobData& data, std::size_t lane);
  std::size_t group_size(const JobData& data, std::size_t first) const noexcept;
  Evaluation evaluate_group(Pass& pass, const JobData& data, const Group& group);

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

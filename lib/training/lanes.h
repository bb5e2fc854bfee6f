// The sums over the lanes of an update: gradients, and what else passes find, added in a binary tree.
//
//   lanes    0     1     2     3     4     5     6     7
//             \   /       \   /       \   /       \   /
//               +           +           +           +
//                 \       /               \       /
//                     +                       +
//                         \               /
//                                 +
//
// Which sums there are depends on the number of lanes alone, not on who computes them. A rank has consecutive
// lanes, and adds up the largest subtrees that these fill; add_subtrees adds up the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/network/memory.h"
#include "lib/training/bptt.h"
#include "lib/training/collective.h"
#include "lib/training/scheduled_sampling.h"

namespace rnn {

// What the passes of an update have found.
struct Found {
  double loss = 0.0;                    // the sum over target steps
  double weight = 0.0;                  // of these
  std::uint64_t steps = 0;              // all
  std::uint32_t passes = 0;             // with a target
  std::uint32_t states_not_finite = 0;  // 1: some are, after a pass

  Found& operator+=(const Found& right) noexcept;
};

// Lanes of the tree: a power of two, which divides `first`.
struct Subtree {
  std::size_t first;
  std::size_t size;
};

// The largest subtrees that fill a range, in order.
std::vector<Subtree> subtrees(const LaneRange& range);

// Adds the sums of subtrees, which fill the tree, up to that of the tree: add(i, j) adds number j to number i. In the
// end it is number 0.
template <class Add>
void add_subtrees(const std::vector<Subtree>& subtrees, const Add& add) {
  struct Sum {
    std::size_t index, first, size;
  };
  std::vector<Sum> open;
  for (std::size_t i = 0; i < subtrees.size(); ++i) {
    Sum sum{i, subtrees[i].first, subtrees[i].size};
    while (!open.empty() && open.back().size == sum.size && open.back().first % (2 * sum.size) == 0) {
      add(open.back().index, sum.index);
      sum = {open.back().index, open.back().first, 2 * sum.size};
      open.pop_back();
    }
    open.push_back(sum);
  }
}

// What computes passes.
struct LaneWorker {
  LaneWorker(const Weights& weights, Threads& threads, const TransposedWeights* transposed)
      : bptt(weights, threads, transposed), scheduled_sampling(weights, bptt) {}

  Bptt bptt;
  ScheduledSampling scheduled_sampling;
};

class Lanes {
 public:
  // Writes a lane's gradients and returns what else it found.
  using Compute = std::function<Found(LaneWorker& worker, std::size_t lane, float* gradients)>;

  // For networks of the architecture of `weights`. `threads` and `transposed` are used as long as this object.
  Lanes(const Weights& weights, const LaneRange& own, Threads& threads, const TransposedWeights& transposed);

  // Compute all lanes, each once, and their sums; together the lanes take about so many operations. Of many lanes of
  // a small network each thread computes some; of others all threads compute one after the other.
  // Throws what `compute` throws.
  void run(const Weights& weights, double operations, const Compute& compute);

  // The sums of the last run.
  const std::vector<Subtree>& subtrees() const noexcept { return subtrees_; }
  const Found& found(std::size_t subtree) const noexcept { return sums_[first_task_[subtree]].found; }
  const float* gradients(std::size_t subtree) const noexcept {
    return sums_[first_task_[subtree]].gradients.data();
  }

 private:
  struct Sum {
    Buffer<float> gradients;
    Found found;
  };
  // Lanes that one worker computes: a subtree, or a part of it that is one, too.
  struct Task {
    std::size_t first;
    std::size_t size;
  };
  // A worker with the sums of the subtrees that wait for their right neighbours, by height.
  struct Counter {
    Counter(const Weights& weights, Threads& n, const TransposedWeights* transposed)
        : threads(n), worker(weights, n, transposed) {}

    Threads& threads;
    LaneWorker worker;
    std::vector<Sum> waiting;
  };

  void cut(const Weights& weights);
  std::size_t task_size(std::size_t values) const noexcept;
  void reserve(Sum& sum, const Weights& weights);
  void run_task(const Weights& weights, Counter& counter, std::size_t task, const Compute& compute);
  void run_side_by_side(const Weights& weights, double operations, const Compute& compute);
  void add_tasks(const Weights& weights);

  Allocator allocator_;
  LaneRange own_;
  Threads& threads_;
  const TransposedWeights& transposed_;
  std::vector<Subtree> subtrees_;
  std::size_t cut_for_ = 0;    // so many threads
  bool side_by_side_ = false;  // each task is one thread's
  std::vector<Task> tasks_;
  std::vector<std::size_t> first_task_;  // of each subtree
  std::vector<Sum> sums_;                // of each task; a subtree's is that of its first task in the end
  Threads one_thread_{1};
  Counter counter_;                                 // of all threads
  std::vector<std::unique_ptr<Counter>> counters_;  // of one thread each
};

}  // namespace rnn

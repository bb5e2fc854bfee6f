#include "lib/training/lanes.h"

#include <algorithm>
#include <utility>

namespace rnn {
namespace {

// Tasks for each thread, so that one which is held up holds up less.
constexpr std::size_t kTasksPerThread = 4;
// Floats that the gradients of tasks may take side by side.
constexpr std::size_t kMostFloats = std::size_t{1} << 24;

std::size_t height(std::size_t size) noexcept {
  std::size_t h = 0;
  while (std::size_t{1} << h < size) ++h;
  return h;
}

void add(const Weights& weights, Threads& threads, std::size_t count, float* left,
         const float* right) noexcept {
  constexpr std::size_t kUnit = 4096;
  threads.run_ranges(
      Threads::kReading * static_cast<double>(count), count, kUnit, [&](std::size_t first, std::size_t size) {
        float* const to = left + first;
        weights.table().add(1, size, {to, 0, nullptr}, {right + first, 0, nullptr}, {to, 0, nullptr});
      });
}

}  // namespace

Found& Found::operator+=(const Found& right) noexcept {
  loss += right.loss;
  weight += right.weight;
  steps += right.steps;
  passes += right.passes;
  states_not_finite |= right.states_not_finite;
  return *this;
}

std::vector<Subtree> subtrees(const LaneRange& range) {
  std::vector<Subtree> result;
  for (std::size_t first = range.first; first < range.last;) {
    std::size_t size = 1;
    while (first % (2 * size) == 0 && first + 2 * size <= range.last) size *= 2;
    result.push_back({first, size});
    first += size;
  }
  return result;
}

Lanes::Lanes(const Weights& weights, const LaneRange& own, Threads& threads,
             const TransposedWeights& transposed)
    : allocator_(weights.allocator()),
      own_(own),
      threads_(threads),
      transposed_(transposed),
      subtrees_(rnn::subtrees(own)),
      counter_(weights, threads, &transposed) {
  cut(weights);
}

// How many lanes a task has at most so that each thread has some; 0 if threads should rather share each lane.
std::size_t Lanes::task_size(std::size_t values) const noexcept {
  const std::size_t threads = threads_.count();
  if (threads == 1 || own_.count() < threads) return 0;
  std::size_t size = 1;
  while (own_.count() / (2 * size) >= kTasksPerThread * threads) size *= 2;
  const std::size_t floats = (own_.count() / size + threads * height(size)) * values;
  return floats <= kMostFloats ? size : 0;
}

void Lanes::cut(const Weights& weights) {
  if (cut_for_ == threads_.count()) return;
  const std::size_t size_of_task = task_size(weights.value_count());
  side_by_side_ = size_of_task != 0;
  const std::size_t most = side_by_side_ ? size_of_task : std::size_t{1} << height(own_.count());
  tasks_.clear();
  first_task_.clear();
  for (const Subtree& subtree : subtrees_) {
    first_task_.push_back(tasks_.size());
    const std::size_t size = std::min(most, subtree.size);
    for (std::size_t lane = subtree.first; lane < subtree.first + subtree.size; lane += size)
      tasks_.push_back({lane, size});
  }
  sums_.resize(tasks_.size());
  for (Sum& sum : sums_) reserve(sum, weights);
  const std::size_t counters = side_by_side_ ? threads_.count() : 0;
  while (counters_.size() < counters)
    counters_.push_back(std::make_unique<Counter>(weights, one_thread_, &transposed_));
  const auto prepare = [&](Counter& counter) {
    counter.waiting.resize(height(most));
    for (Sum& sum : counter.waiting) reserve(sum, weights);
  };
  if (!side_by_side_) prepare(counter_);
  for (const std::unique_ptr<Counter>& counter : counters_) prepare(*counter);
  cut_for_ = threads_.count();
}

void Lanes::reserve(Sum& sum, const Weights& weights) {
  sum.gradients.reserve(allocator_, weights.value_count());
}

void Lanes::run(const Weights& weights, double operations, const Compute& compute) {
  cut(weights);
  if (side_by_side_) return run_side_by_side(weights, operations, compute);
  for (std::size_t i = 0; i < tasks_.size(); ++i) run_task(weights, counter_, i, compute);
}

// A binary counter: number i of the lanes is added to as many waiting sums as i ends with ones.
void Lanes::run_task(const Weights& weights, Counter& counter, std::size_t task, const Compute& compute) {
  const Task& t = tasks_[task];
  Sum& sum = sums_[task];
  for (std::size_t i = 0; i < t.size; ++i) {
    sum.found = compute(counter.worker, t.first + i, sum.gradients.data());
    std::size_t level = 0;
    for (; (i >> level & 1) != 0; ++level) {
      Sum& left = counter.waiting[level];
      add(weights, counter.threads, weights.value_count(), left.gradients.data(), sum.gradients.data());
      left.found += sum.found;
      std::swap(left, sum);
    }
    if (i + 1 < t.size) std::swap(counter.waiting[level], sum);
  }
}

void Lanes::run_side_by_side(const Weights& weights, double operations, const Compute& compute) {
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<Counter*> free;
  free.reserve(counters_.size());
  for (const std::unique_ptr<Counter>& counter : counters_) free.push_back(counter.get());
  threads_.run(operations, tasks_.size(), [&](std::size_t i) {
    Counter* counter;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      counter = free.back();
      free.pop_back();
    }
    try {
      run_task(weights, *counter, i, compute);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(mutex);
    free.push_back(counter);
  });
  if (failure) std::rethrow_exception(failure);
  add_tasks(weights);
}

// The tasks of each subtree, by ranges of values.
void Lanes::add_tasks(const Weights& weights) {
  constexpr std::size_t kUnit = 4096;
  const std::size_t values = weights.value_count();
  const double operations = Threads::kReading * static_cast<double>(values * tasks_.size());
  const auto for_pairs = [&](const auto& visit) {
    for (std::size_t s = 0; s < subtrees_.size(); ++s) {
      const std::size_t first = first_task_[s];
      const std::size_t end = s + 1 < subtrees_.size() ? first_task_[s + 1] : tasks_.size();
      for (std::size_t step = 1; step < end - first; step *= 2)
        for (std::size_t i = first; i < end; i += 2 * step) visit(sums_[i], sums_[i + step]);
    }
  };
  threads_.run_ranges(operations, values, kUnit, [&](std::size_t first, std::size_t count) {
    for_pairs([&](Sum& left, Sum& right) {
      float* const to = &left.gradients[first];
      weights.table().add(1, count, {to, 0, nullptr}, {&right.gradients[first], 0, nullptr},
                          {to, 0, nullptr});
    });
  });
  for_pairs([](Sum& left, Sum& right) { left.found += right.found; });
}

}  // namespace rnn

#include "lib/training/threads.h"

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>

#include "lib/kernels/float_mode.h"
#include "lib/training/process.h"

namespace rnn {
namespace {

// Waking a thread takes some ten microseconds, in which another does about so many operations.
constexpr double kOperationsPerThread = 1e6;

// True in a child of a process whose workers stayed behind. What they held then, such as a lock of oneTBB's,
// is held for ever.
std::atomic<bool> workers_are_gone{false};

void lose_workers() { workers_are_gone.store(true, std::memory_order_relaxed); }

// Once, before there can be workers.
void expect_workers() {
  static const bool expected = [] {
    pin_module();
    if (!call_in_child(&lose_workers)) throw std::bad_alloc();
    return true;
  }();
  static_cast<void>(expected);
}

}  // namespace

class Threads::Arena : public tbb::task_arena {
  using task_arena::task_arena;
};

// More threads than the process allows oneTBB would make it print a warning.
Threads::Threads(std::int32_t n) : n_(n) {
  if (n == 1) return;
  expect_workers();
  if (n == 0 || workers_are_gone.load(std::memory_order_relaxed)) return;
  const auto allowed = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  n_ = static_cast<std::int32_t>(std::clamp<std::size_t>(allowed, 1, static_cast<std::size_t>(n)));
  if (n_ > 1) arena_ = std::make_unique<Arena>(n_);
}

// An arena of the parent's is left alone.
Threads::~Threads() {
  if (workers_are_gone.load(std::memory_order_relaxed)) static_cast<void>(arena_.release());
}

std::size_t Threads::count() const noexcept {
  if (workers_are_gone.load(std::memory_order_relaxed)) return 1;
  if (n_ != 0) return static_cast<std::size_t>(n_);
  return static_cast<std::size_t>(std::max(1, tbb::this_task_arena::max_concurrency()));
}

std::size_t Threads::count(double operations) const noexcept {
  if (n_ == 1) return 1;
  const double worth = std::min(operations / kOperationsPerThread, 65536.0);
  return std::clamp<std::size_t>(static_cast<std::size_t>(worth), 1, count());
}

// Each worker takes tasks until none is left. If oneTBB has no memory for one of them, or for all, which it
// can find out after others have begun, this thread does what they leave.
void Threads::run(double operations, std::size_t tasks, void (*call)(const void*, std::size_t),
                  const void* task) noexcept {
  const std::size_t workers = std::min(tasks, count(operations));
  if (workers <= 1) {  // without what only several threads need, which small networks would feel
    for (std::size_t i = 0; i < tasks; ++i) call(task, i);
    return;
  }
  std::atomic<std::size_t> next{0};
  // oneTBB orders what is before, in and after the tasks. These say so to ThreadSanitizer, which does not see
  // it.
  std::atomic<bool> begun{false}, ended{false};
  const auto work = [&] {
    begun.load(std::memory_order_acquire);
    const kernels::FloatMode mode;
    for (;;) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= tasks) break;
      call(task, i);
    }
    ended.exchange(true, std::memory_order_release);
  };

  begun.store(true, std::memory_order_release);
  const auto parallel = [&] {
    // Not bound to the caller's context: if that is cancelled, these tasks still have to run.
    tbb::task_group_context context(tbb::task_group_context::isolated);
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, workers, 1),
        [&](const tbb::blocked_range<std::size_t>&) { work(); }, tbb::simple_partitioner(), context);
  };
  try {
    // Isolated: while it waits, this thread takes up none of the caller's other work.
    if (arena_)
      arena_->execute(parallel);
    else
      tbb::this_task_arena::isolate(parallel);
  } catch (...) {
    work();
  }
  ended.load(std::memory_order_acquire);
}

}  // namespace rnn

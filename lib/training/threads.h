// Runs tasks on the threads that the caller allows: the library's only use of oneTBB (threads.cpp), which a build
// can do without (one_thread.cpp).
//
// oneTBB's workers outlive the tasks, and may still be on their way out of the last one when it is done. So
// what has used them can no longer be unloaded: the module with this code, and with it oneTBB, stay until the
// process ends. Workers do not outlive a fork: in a child of a process that has used them, the calling thread
// does everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rnn {

class Threads {
 public:
  // n as in rnn_train_options_t: 1 is the calling thread alone, 0 the arena from which it calls, and any
  // other number an arena of this object's own.
  explicit Threads(std::int32_t n);
  ~Threads();

  // What a task that is bound by memory does to a value takes as long as so many operations.
  static constexpr double kReading = 20.0;
  static constexpr double kPacking = 50.0;
  static constexpr double kUpdating = 100.0;

  // Threads that may work at once.
  std::size_t count() const noexcept;

  // How many of them are worth waking for so many floating-point operations.
  std::size_t count(double operations) const noexcept;

  // Call task(i) once for each i below `tasks`, in any order, in the kernels' floating-point mode, which the
  // caller has to be in: to set it for each run would take longer than what a small network has to do in one.
  // Together they take so many operations; if these are few, they run here. Tasks may not throw.
  template <class Task>
  void run(double operations, std::size_t tasks, const Task& task) noexcept {
    const auto call = [](const void* object, std::size_t i) { (*static_cast<const Task*>(object))(i); };
    run(operations, tasks, call, &task);
  }

  // Call task(first, count) for ranges of 0..total-1 that are multiples of `unit`: a few for each thread, so
  // that one which is held up holds up less.
  template <class Task>
  void run_ranges(double operations, std::size_t total, std::size_t unit, const Task& task) noexcept {
    const std::size_t most = count() > 1 ? kRanges * count() : 1;
    const std::size_t size = ((total + most - 1) / most + unit - 1) / unit * unit;
    run(operations, size == 0 ? 0 : (total + size - 1) / size, [&](std::size_t i) {
      const std::size_t first = i * size;
      task(first, size < total - first ? size : total - first);
    });
  }
  static constexpr std::size_t kRanges = 4;  // for each thread

 private:
  void run(double operations, std::size_t tasks, void (*call)(const void*, std::size_t),
           const void* task) noexcept;

  class Arena;

  std::int32_t n_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace rnn

// The states of a stream's last steps, where a step reads that of `delay` steps ago, and to which rnn_rewind returns.
#pragma once

#include <algorithm>
#include <cstddef>

#include "lib/kernels/table.h"
#include "lib/network/memory.h"

namespace rnn {

// What is `distance` steps back, between that of `whole` steps back and the one before it: the latter counts `part`.
struct Distance {
  explicit Distance(double distance) noexcept
      : whole(static_cast<std::size_t>(distance)),
        part(static_cast<float>(distance - static_cast<double>(whole))) {}

  std::size_t reach() const noexcept {
    return part != 0.0f ? whole + 1 : whole;
  }  // the most steps back that it reads

  std::size_t whole;
  float part;
};

class PastStates {
 public:
  PastStates() = default;  // of a delay of 1 and no history: none
  // Of states of `size` floats, a multiple of kernels::kPad or 0. delay >= 1; so many steps can be taken back.
  PastStates(const Allocator& allocator, double delay, std::size_t history, std::size_t size);
  PastStates(const Allocator& allocator, const PastStates& other);
  PastStates(PastStates&&) = default;
  PastStates& operator=(PastStates&&) = default;

  std::size_t history() const noexcept { return history_; }
  std::size_t recorded() const noexcept { return recorded_; }  // how many steps can be taken back now
  // All states before this one are the same, and no step can be taken back.
  void fill(const float* state) noexcept;
  // Before a step: keeps `state`, which the last step wrote, and puts in its place the one to read.
  void exchange(const kernels::Table& table, float* state) noexcept;
  // Takes `steps` steps back, 1..recorded(), to the state that it writes.
  void rewind(std::size_t steps, float* state) noexcept;
  // Before a block of steps without a delay: keeps `state`. A state after t of them goes to after(t), t > 0, the
  // earlier ones first; that after the last of them stays outside.
  void begin_block(const float* state) noexcept { std::copy_n(state, size_, row(next_)); }
  float* after(std::size_t t) noexcept { return row((next_ + t) % count_); }
  void end_block(std::size_t steps) noexcept { advance((next_ + steps) % count_, steps); }
  // Of the same delay and size: as many states as there is room for.
  void copy(const PastStates& other) noexcept;

 private:
  void advance(std::size_t next, std::size_t steps) noexcept {
    next_ = next;
    recorded_ = std::min(recorded_ + steps, history_);
  }
  std::size_t back(std::size_t steps) const noexcept {
    return next_ >= steps ? next_ - steps : next_ + count_ - steps;
  }
  float* row(std::size_t i) noexcept { return rows_.data() + i * size_; }
  const float* row(std::size_t i) const noexcept { return rows_.data() + i * size_; }

  std::size_t size_ = 0, count_ = 0, history_ = 0;
  Distance delay_{1};
  Buffer<float> rows_;        // [count, size]  a ring,
  std::size_t next_ = 0;      // whose row this is the next state's
  std::size_t recorded_ = 0;  // <= history
};

}  // namespace rnn

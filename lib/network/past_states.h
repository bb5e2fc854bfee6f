// The states of a stream's last steps, where a step reads that of `delay` steps ago.
#pragma once

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
  PastStates() = default;  // of a delay of 1: none
  // Of states of `size` floats, a multiple of kernels::kPad; delay > 1.
  PastStates(const Allocator& allocator, double delay, std::size_t size);
  PastStates(const Allocator& allocator, const PastStates& other);
  PastStates(PastStates&&) = default;
  PastStates& operator=(PastStates&&) = default;

  bool empty() const noexcept { return rows_.size() == 0; }
  // All states before this one are the same.
  void fill(const float* state) noexcept;
  // Before a step: keeps `state`, which the last step wrote, and puts in its place the one to read.
  void exchange(const kernels::Table& table, float* state) noexcept;
  void copy(const PastStates& other) noexcept;  // of the same delay and size

 private:
  std::size_t next(std::size_t row) const noexcept { return row + 1 < count_ ? row + 1 : 0; }
  float* row(std::size_t i) noexcept { return rows_.data() + i * size_; }

  std::size_t size_ = 0, count_ = 0;
  float part_ = 0;
  Buffer<float> rows_;      // [count, size]  a ring,
  std::size_t oldest_ = 0;  // whose oldest row this is
};

}  // namespace rnn

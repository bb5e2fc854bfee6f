#include "lib/network/past_states.h"

#include <algorithm>
#include <cstring>

namespace rnn {

PastStates::PastStates(const Allocator& allocator, double delay, std::size_t size)
    : size_(size),
      count_(Distance(delay).reach()),
      part_(Distance(delay).part),
      rows_(allocator, checked_product(count_, size)) {}

PastStates::PastStates(const Allocator& allocator, const PastStates& other)
    : size_(other.size_), count_(other.count_), part_(other.part_), rows_(allocator, other.rows_.size()) {
  copy(other);
}

void PastStates::copy(const PastStates& other) noexcept {
  std::copy(other.rows_.begin(), other.rows_.end(), rows_.begin());
  oldest_ = other.oldest_;
}

void PastStates::fill(const float* state) noexcept {
  if (empty()) return;
  for (std::size_t i = 0; i < count_; ++i) std::copy_n(state, size_, row(i));
}

void PastStates::exchange(const kernels::Table& table, float* state) noexcept {
  const std::size_t bytes = size_ * sizeof(float);
  std::memcpy(row(oldest_), state, bytes);
  oldest_ = next(oldest_);
  const float* const old = row(oldest_);
  if (part_ == 0.0f) {
    std::memcpy(state, old, bytes);
  } else {
    if (count_ > 2) std::memcpy(state, row(next(oldest_)), bytes);
    table.average(size_, part_, old, state);
  }
}

}  // namespace rnn

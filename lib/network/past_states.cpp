#include "lib/network/past_states.h"

namespace rnn {
namespace {

// Before each state to return to, those that steps read beside it.
std::size_t count_of(const Distance& delay, std::size_t history) {
  const std::size_t before = delay.reach() - 1;
  return before != 0 || history != 0 ? checked_sum(before, std::max(history, std::size_t{1})) : 0;
}

}  // namespace

PastStates::PastStates(const Allocator& allocator, double delay, std::size_t history, std::size_t size)
    : size_(size),
      count_(count_of(Distance(delay), history)),
      history_(history),
      delay_(delay),
      rows_(allocator, checked_product(count_, size)) {}

PastStates::PastStates(const Allocator& allocator, const PastStates& other)
    : size_(other.size_),
      count_(other.count_),
      history_(other.history_),
      delay_(other.delay_),
      rows_(allocator, other.rows_.size()) {
  copy(other);
}

void PastStates::copy(const PastStates& other) noexcept {
  const std::size_t count = std::min(count_, other.count_);
  for (std::size_t i = 0; i < count; ++i) std::copy_n(other.row(other.back(count - i)), size_, row(i));
  next_ = count < count_ ? count : 0;
  recorded_ = std::min(other.recorded_, history_);
}

void PastStates::fill(const float* state) noexcept {
  recorded_ = 0;
  for (std::size_t i = 1; i < delay_.reach(); ++i) std::copy_n(state, size_, row(back(i)));
}

void PastStates::exchange(const kernels::Table& table, float* state) noexcept {
  std::copy_n(state, size_, row(next_));
  advance(next_ + 1 < count_ ? next_ + 1 : 0, 1);
  if (delay_.whole > 1) std::copy_n(row(back(delay_.whole)), size_, state);
  if (delay_.part != 0.0f) table.average(size_, delay_.part, row(back(delay_.whole + 1)), state);
}

void PastStates::rewind(std::size_t steps, float* state) noexcept {
  next_ = back(steps);
  recorded_ -= steps;
  std::copy_n(row(next_), size_, state);
}

}  // namespace rnn

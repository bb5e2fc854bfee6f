// What the bits in a context have been, in a number of 10 bits.
//
// A history has the counts of zeros and ones and the last bits. A bit adds one to its count; of the other count, what is
// above 2 is halved, since a context that changes is best told by its latest bits. Large counts are limited, the lower
// the more of both there are. Nonstationary bit histories: Mahoney 2005, "Adaptive weighing of context models for
// lossless data compression".
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pack {

class BitHistories {
 public:
  static constexpr std::size_t kMost = 1024;

  BitHistories();

  // History 0 is the empty one.
  std::uint16_t next(std::uint16_t history, int bit) const {
    return next_[2 * history + static_cast<std::size_t>(bit)];
  }
  std::size_t size() const { return next_.size() / 2; }

  // A first guess at the probability of a one after each history, in 16 bits.
  int probability(std::size_t history) const { return probability_[history]; }

 private:
  std::vector<std::uint16_t> next_;
  std::vector<int> probability_;
};

}  // namespace pack

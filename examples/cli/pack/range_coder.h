// A range coder of bits (Martin 1979): a probability of 16 bits in, at most 2^-16 of the range lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "logistic.h"

namespace pack {

constexpr std::uint32_t kLeastRange = 1 << 24;

class RangeEncoder {
 public:
  // p is the probability of a one.
  void encode(int bit, int p) {
    const auto ones =
        static_cast<std::uint32_t>(std::uint64_t{range_} * static_cast<std::uint32_t>(p) >> kProbabilityBits);
    if (bit != 0) {
      range_ = ones;
    } else {
      add(ones);
      range_ -= ones;
    }
    for (; range_ < kLeastRange; range_ <<= 8) shift();
  }

  // The bytes of all bits since the last call. Ends as soon as no bytes behind them can change the bits.
  std::vector<std::uint8_t> finish() {
    constexpr std::uint32_t kRest = 0xFFFF;  // less than the range
    add(kRest);
    shift();
    shift();
    while (!bytes_.empty() && bytes_.back() == 0)
      bytes_.pop_back();  // the decoder reads zeros behind the end
    low_ = 0;
    range_ = ~std::uint32_t{0};
    return std::move(bytes_);
  }

 private:
  void add(std::uint32_t value) {
    low_ += value;
    if (low_ >= value) return;
    for (std::size_t i = bytes_.size(); ++bytes_[--i] == 0;) {
    }  // the carry
  }
  void shift() {
    bytes_.push_back(static_cast<std::uint8_t>(low_ >> 24));
    low_ <<= 8;
  }

  std::uint32_t low_ = 0;
  std::uint32_t range_ = ~std::uint32_t{0};
  std::vector<std::uint8_t> bytes_;
};

class RangeDecoder {
 public:
  RangeDecoder(const std::uint8_t* bytes, std::size_t size) : next_(bytes), end_(bytes + size) {
    for (int i = 0; i < 4; ++i) shift();
  }

  int decode(int p) {
    const auto ones =
        static_cast<std::uint32_t>(std::uint64_t{range_} * static_cast<std::uint32_t>(p) >> kProbabilityBits);
    const int bit = code_ < ones ? 1 : 0;
    if (bit != 0) {
      range_ = ones;
    } else {
      code_ -= ones;
      range_ -= ones;
    }
    for (; range_ < kLeastRange; range_ <<= 8) shift();
    return bit;
  }

 private:
  void shift() { code_ = code_ << 8 | (next_ == end_ ? 0u : *next_++); }

  std::uint32_t code_ = 0;
  std::uint32_t range_ = ~std::uint32_t{0};
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

}  // namespace pack

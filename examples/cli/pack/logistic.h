// Probabilities of a bit in integers, so that every CPU computes the same: as 16-bit fractions, and stretched,
// ln(p / (1 - p)) in units of 1/256.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace pack {

constexpr int kProbabilityBits = 16;
constexpr int kOne = 1 << kProbabilityBits;  // probabilities are 1..kOne - 1
constexpr int kStretchUnit = 256;
constexpr int kMostStretch = 11 * kStretchUnit + kStretchUnit / 2;

class Logistic {
 public:
  static const Logistic& get();

  // e^(-i / kStretchUnit) 2^30, for i from 0 to kExponentials - 1.
  static constexpr int kExponentials = 18 * kStretchUnit;
  std::uint32_t exponential(int i) const { return exponentials_[static_cast<std::size_t>(i)]; }

  // The probability of a stretched one, which is limited to +-kMostStretch first.
  int squash(int stretched) const {
    return squashed_[static_cast<std::size_t>(std::clamp(stretched, -kMostStretch, kMostStretch) +
                                              kMostStretch)];
  }

  // The inverse.
  int stretch(int probability) const { return stretched_[static_cast<std::size_t>(probability)]; }

 private:
  Logistic();

  std::array<std::uint32_t, kExponentials> exponentials_;
  std::array<std::uint16_t, 2 * kMostStretch + 1> squashed_;
  std::array<std::int16_t, kOne> stretched_;
};

}  // namespace pack

#include "logistic.h"

namespace pack {
namespace {

constexpr std::uint64_t kDecay = 0xFF007FD55FFDDE38;  // e^(-1 / kStretchUnit) 2^64

// The upper half of the product, or one or two less.
std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a1 = a >> 32, a0 = a & 0xFFFFFFFF, b1 = b >> 32, b0 = b & 0xFFFFFFFF;
  return a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32);
}

}  // namespace

const Logistic& Logistic::get() {
  static const Logistic tables;
  return tables;
}

Logistic::Logistic() {
  std::uint64_t power = ~std::uint64_t{0};
  for (std::uint32_t& e : exponentials_) {
    e = static_cast<std::uint32_t>(((power >> 33) + 1) >> 1);
    power = multiply(power, kDecay);
  }
  for (int s = -kMostStretch; s <= kMostStretch; ++s) {
    const std::uint64_t e = exponential(s < 0 ? -s : s), one = std::uint64_t{1} << 30;
    const std::uint64_t p = ((s < 0 ? e : one) << kProbabilityBits) / (one + e);
    squashed_[static_cast<std::size_t>(s + kMostStretch)] =
        static_cast<std::uint16_t>(std::clamp<std::uint64_t>(p, 1, kOne - 1));
  }
  int s = -kMostStretch;
  for (int p = 0; p < kOne; ++p) {
    while (s < kMostStretch && squash(s) < p) ++s;
    stretched_[static_cast<std::size_t>(p)] = static_cast<std::int16_t>(s);
  }
}

}  // namespace pack

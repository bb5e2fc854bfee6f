#include "lib/network/random.h"

#include <cmath>
#include <cstring>

namespace rnn {
namespace {

std::uint64_t rotate_left(std::uint64_t x, int count) noexcept { return (x << count) | (x >> (64 - count)); }

// log(x) for a normal x > 0, within 1e-15: by the same additions, products and divisions everywhere.
//   x = 2^e m, sqrt(1/2) <= m < sqrt(2)
//   log m = 2 atanh z = 2 z (1 + z^2/3 + z^4/5 + ...), z = (m - 1) / (m + 1)
double logarithm(double x) noexcept {
  constexpr double kLogOf2 = 0.693147180559945309417;
  constexpr double kRootOf2 = 1.41421356237309504880;
  constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52) - 1;
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & kMantissa) | (std::uint64_t{1023} << 52);
  double m;
  std::memcpy(&m, &bits, sizeof m);
  if (m >= kRootOf2) {
    m *= 0.5;
    ++exponent;
  }
  const double z = (m - 1.0) / (m + 1.0);
  const double z2 = z * z;  // at most 0.0295: twelve terms reach the precision of double
  double series = 0.0;
  for (int k = 11; k >= 0; --k) series = series * z2 + 1.0 / (2 * k + 1);
  return exponent * kLogOf2 + 2.0 * z * series;
}

}  // namespace

Random::Random(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state) {  // splitmix64
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Random::bits() noexcept {
  const std::uint64_t result = rotate_left(state[1] * 5, 7) * 9;
  const std::uint64_t shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotate_left(state[3], 45);
  return result;
}

double Random::uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }

// The polar method (Marsaglia & Bray 1964). It makes two; the second is dropped, so that the state stays four
// words.
double Random::normal() noexcept {
  for (;;) {
    const double u = 2.0 * uniform() - 1.0;
    const double v = 2.0 * uniform() - 1.0;
    const double s = u * u + v * v;
    if (s > 0.0 && s < 1.0) return u * std::sqrt(-2.0 * logarithm(s) / s);
  }
}

// Values below 2^64 mod n are drawn again, so that each remainder has as many values as any other.
std::uint64_t Random::below(std::uint64_t n) noexcept {
  const std::uint64_t rest = (0 - n) % n;
  for (;;) {
    const std::uint64_t value = bits();
    if (value >= rest) return value % n;
  }
}

}  // namespace rnn

// A random stream that gives the same numbers on every machine (xoshiro256**, Blackman & Vigna 2018,
// seeded by splitmix64). Its state is a plain value that can be saved.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rnn {

struct Random {
  std::uint64_t state[4];

  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t bits() noexcept;
  double uniform() noexcept;                      // [0, 1), 53 bits
  double normal() noexcept;                       // N(0, 1); no libm, so the same bits everywhere
  std::uint64_t below(std::uint64_t n) noexcept;  // 0..n-1, unbiased
};

}  // namespace rnn

#include "lib/network/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/unit/hash.h"

namespace rnn {
namespace {

// Computed from the published definitions of splitmix64 and xoshiro256**.
TEST(Random, KnownAnswers) {
  const struct {
    std::uint64_t seed;
    std::uint64_t bits[4];
  } known[] = {
      {0, {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c}},
      {1, {0xb3f2af6d0fc710c5, 0x853b559647364cea, 0x92f89756082a4514, 0x642e1c7bc266a3a7}},
      {12345678901234567890u,
       {0x1aa60a5817c7040d, 0xe5fa38b920b86e74, 0xb9215ddeb166c20f, 0x834846fc347fd3f2}},
  };
  for (const auto& k : known) {
    Random random(k.seed);
    for (const std::uint64_t bits : k.bits) EXPECT_EQ(random.bits(), bits) << "seed " << k.seed;
  }
}

// The numbers that networks are initialised with: a change here changes every seed's network.
TEST(Random, SameNumbersOnEveryMachine) {
  Random random(42);
  std::vector<double> numbers;
  for (int i = 0; i < 10000; ++i) numbers.push_back(i % 2 == 0 ? random.uniform() : random.normal());
  EXPECT_EQ(hash(numbers), 0x221951393b9c6fa9u);
  std::vector<std::uint64_t> below;
  for (std::uint64_t n = 1; n <= 1000; ++n) below.push_back(random.below(n * n * n));
  EXPECT_EQ(hash(below), 0xcbd7f1e174f747bau);
}

TEST(Random, TheStateIsAValue) {
  Random random(7);
  random.normal();
  Random copy = random;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(copy.normal(), random.normal());
}

// A mean of n draws is within five standard errors of what it should be.
void expect_mean(double sum, double n, double mean, double deviation) {
  EXPECT_NEAR(sum / n, mean, 5 * deviation / std::sqrt(n));
}

TEST(Random, UniformMoments) {
  Random random(1);
  constexpr int n = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
    squares += x * x;
  }
  expect_mean(sum, n, 0.5, std::sqrt(1.0 / 12));
  expect_mean(squares, n, 1.0 / 3, std::sqrt(4.0 / 45));
}

TEST(Random, NormalMomentsAndTails) {
  Random random(2);
  constexpr int n = 200000;
  double moments[5] = {};
  int beyond[4] = {};
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    for (int k = 1; k <= 4; ++k) moments[k] += std::pow(x, k);
    for (int k = 1; k <= 3; ++k) beyond[k] += std::fabs(x) > k;
  }
  expect_mean(moments[1], n, 0, 1);
  expect_mean(moments[2], n, 1, std::sqrt(2.0));
  expect_mean(moments[3], n, 0, std::sqrt(15.0));
  expect_mean(moments[4], n, 3, std::sqrt(96.0));
  for (int k = 1; k <= 3; ++k) {
    const double p = std::erfc(k / std::sqrt(2.0));
    expect_mean(beyond[k], n, p, std::sqrt(p * (1 - p)));
  }
}

TEST(Random, BelowIsUniform) {
  for (const std::uint64_t n : {1u, 2u, 3u, 10u, 97u}) {
    Random random(n);
    constexpr int draws = 100000;
    std::vector<int> count(n);
    for (int i = 0; i < draws; ++i) {
      const std::uint64_t x = random.below(n);
      ASSERT_LT(x, n);
      ++count[x];
    }
    const double p = 1.0 / static_cast<double>(n);
    for (const int c : count) expect_mean(c, draws, p, std::sqrt(p * (1 - p)));
  }
}

// With n just above half of 2^64, every second draw is rejected; a plain remainder would favour small
// numbers.
TEST(Random, BelowIsUnbiasedForLargeRanges) {
  Random random(3);
  const std::uint64_t n = (std::uint64_t{1} << 63) + 1;
  int small = 0;
  constexpr int draws = 10000;
  for (int i = 0; i < draws; ++i) {
    const std::uint64_t x = random.below(n);
    ASSERT_LT(x, n);
    small += x < n / 2;
  }
  expect_mean(small, draws, 0.5, 0.5);
}

}  // namespace
}  // namespace rnn

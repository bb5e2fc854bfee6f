// The forms of fused multiply-add that kernels are written with, of the vectors that the including unit has: fused.h
// tests only the first of them through tables.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "lib/kernels/simd-inl.h"
#include "tests/kernels/fused.h"

namespace rnn::kernels {
namespace {

// a b + c, a b - c and c - a b.
inline void expect_exact_forms(const Triples& t) {
  constexpr std::size_t L = lanes<Baseline>;
  const std::size_t n = t.c.size() / L * L;
  std::vector<float> plain(n), minus(n), from(n), expected_plain(n), expected_minus(n), expected_from(n);
  for (std::size_t i = 0; i < n; i += L) {
    const auto a = load<Baseline>(&t.a[i]), b = load<Baseline>(&t.b[i]), c = load<Baseline>(&t.c[i]);
    store<Baseline>(&plain[i], vfma<Baseline>(a, b, c));
    store<Baseline>(&minus[i], vfms<Baseline>(a, b, c));
    store<Baseline>(&from[i], vfnma<Baseline>(a, b, c));
  }
  for (std::size_t i = 0; i < n; ++i) {
    expected_plain[i] = by_library(t.a[i], t.b[i], t.c[i]);
    expected_minus[i] = by_library(t.a[i], t.b[i], -t.c[i]);
    expected_from[i] = by_library(-t.a[i], t.b[i], t.c[i]);
  }
  ASSERT_EQ(first_difference(plain, expected_plain), n);
  ASSERT_EQ(first_difference(minus, expected_minus), n);
  ASSERT_EQ(first_difference(from, expected_from), n);
}

inline void expect_exact_forms() {
  expect_exact_forms(special_triples());
  for (std::uint64_t seed = 0; seed < 200 && !testing::Test::HasFatalFailure(); ++seed)
    expect_exact_forms(random_triples(10000, seed));
}

}  // namespace
}  // namespace rnn::kernels

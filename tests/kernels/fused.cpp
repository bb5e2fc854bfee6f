#include "tests/kernels/fused.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "lib/kernels/subnormals.h"

namespace rnn::kernels {
namespace {

constexpr std::size_t kGroup = 16;

std::uint32_t bits(float x) {
  std::uint32_t value;
  std::memcpy(&value, &x, sizeof value);
  return value;
}
float from_bits(std::uint32_t value) {
  float x;
  std::memcpy(&x, &value, sizeof x);
  return x;
}

// Steele, Lea & Flood 2014
struct SplitMix {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((next() >> 32) * n >> 32); }
};

// A significand of a few bits at its ends, whose products lie beside midpoints of floats.
std::uint32_t sparse(SplitMix& random) {
  const std::uint32_t r = random.below(1u << 16);
  const std::uint32_t few = (1u << (r & 31) % 24) | ((r >> 5 & 1) << (r >> 6 & 31) % 24);
  return (r >> 11 & 1) != 0 ? few & 0x7fffff : (0u - few) & 0x7fffff;
}

float number(SplitMix& random, std::uint32_t kind, int exponent) {
  const std::uint32_t r = static_cast<std::uint32_t>(random.next());
  const std::uint32_t field = static_cast<std::uint32_t>(exponent < 0     ? 0
                                                         : exponent > 254 ? 254
                                                                          : exponent)
                              << 23;
  return from_bits((r & 0x80000000u) | field | (kind % 2 == 0 ? r & 0x7fffff : sparse(random)));
}

}  // namespace

Triples random_triples(std::size_t n, std::uint64_t seed) {
  SplitMix random{seed};
  Triples t{std::vector<float>(n), std::vector<float>(n), std::vector<float>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t kind = random.below(8);
    const int exponent = static_cast<int>(random.below(255));
    t.a[i] = i % kGroup != 0 ? t.a[i - 1] : number(random, kind, exponent);
    const int of_a = static_cast<int>(bits(t.a[i]) >> 23 & 255);
    // Some products are subnormal or too large.
    const int of_b =
        static_cast<int>(random.below(300)) - of_a + (kind < 6 ? 0 : static_cast<int>(random.below(64)));
    t.b[i] = number(random, kind / 2, kind == 7 ? exponent : of_b);
    const int of_product = of_a + static_cast<int>(bits(t.b[i]) >> 23 & 255) - 127;
    if (kind == 0) {
      // The sum cancels.
      t.c[i] = -t.a[i] * t.b[i];
    } else {
      // c from far below the product to far above.
      t.c[i] =
          number(random, kind / 4, of_product + static_cast<int>(random.below(kind == 1 ? 255 : 128)) - 64);
    }
  }
  return t;
}

Triples special_triples() {
  using Float = std::numeric_limits<float>;
  std::vector<float> values = {
      0.0f,        Float::infinity(), Float::quiet_NaN(), Float::max(),   Float::min(),
      0x1p-149f,   0x1.8p-148f,       0x1.fffffcp-127f,   0x1p-127f,      0x1.000002p-126f,
      0x1p-75f,    0x1.8p-75f,        0x1.6a09e6p-75f,    0x1p-63f,       0x1.fffffep-64f,
      0x1p-25f,    0x1p-24f,          0x1.000002p-24f,    0x1p-23f,       0x1.fffffep-1f,
      1.0f,        0x1.000002p+0f,    0x1.000004p+0f,     0x1.fffffep+0f, 3.0f,
      0x1.001p+0f, 0x1.ffep-1f,       0x1p+23f,           0x1p+24f,       0x1.000002p+24f,
      0x1p+63f,    0x1.fffffep+63f,   0x1p+64f,           0x1p+103f,      0x1p+127f};
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  Triples t;
  for (const float a : values) {
    for (const float b : values)
      for (const float c : values) {
        t.a.push_back(a);
        t.b.push_back(b);
        t.c.push_back(c);
      }
    for (std::vector<float>* part : {&t.a, &t.b, &t.c}) part->resize(padded(part->size()), a);
  }
  return t;
}

std::vector<float> by_vectors(const Table& table, const Triples& t) {
  std::vector<float> out = t.c;
  table.product_sums(1, out.size(), t.a.data(), out.size(), t.b.data(), out.size(), out.data());
  return out;
}

std::vector<float> by_products(const Products& table, const Triples& t) {
  std::vector<float> out = t.c;
  for (std::size_t i = 0; i < out.size(); i += kGroup)
    table.gemm_tn(1, kGroup, 1, &t.a[i], 1, &t.b[i], kGroup, &out[i], kGroup, false);
  return out;
}

float by_library(float a, float b, float c) {
  if (kFlushesSubnormals) return std::fma(a, b, c);
  for (float* x : {&a, &b, &c})
    if (std::fabs(*x) < std::numeric_limits<float>::min()) *x = std::copysign(0.0f, *x);
  const float result = std::fma(a, b, c);
  // Whether it is less than the least number from which 24 bits are rounded to 2^-126.
  const bool tiny = std::fabs(std::fma(double{a}, double{b}, double{c})) < 0x1p-126 - 0x1p-151;
  return tiny ? std::copysign(0.0f, result) : result;
}

std::vector<float> by_library(const Triples& t) {
  std::vector<float> out(t.c.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = by_library(t.a[i], t.b[i], t.c[i]);
  return out;
}

std::size_t first_difference(const std::vector<float>& x, const std::vector<float>& y) {
  std::size_t i = 0;
  while (i < x.size() && (bits(x[i]) == bits(y[i]) || (std::isnan(x[i]) && std::isnan(y[i])))) ++i;
  return i;
}

}  // namespace rnn::kernels

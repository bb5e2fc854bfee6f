// Multiply-adds round once on every instruction set, also on those whose CPUs have no fused one.
#include "tests/kernels/fused.h"

#include <limits>

#include "lib/kernels/float_mode.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

void expect_same(const Triples& t, const std::vector<float>& found, const std::vector<float>& expected) {
  const std::size_t i = first_difference(found, expected);
  if (i < found.size())
    FAIL() << std::hexfloat << t.a[i] << " * " << t.b[i] << " + " << t.c[i] << " is " << expected[i]
           << ", not " << found[i];
}

class Fused : public KernelTest {
 protected:
  void expect_exact(const Triples& t) {
    const std::vector<float> expected = by_library(t);
    expect_same(t, by_vectors(table, t), expected);
    expect_same(t, by_products(table, t), expected);
  }
};
TEST_ALL_TABLES(Fused);

// scripts/test slow has more of them.
TEST_P(Fused, RandomNumbers) {
  for (std::uint64_t seed = 0; seed < 1000 && !HasFatalFailure(); ++seed)
    expect_exact(random_triples(std::size_t{10000}, seed));
}

TEST_P(Fused, SpecialNumbers) {
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
  for (const float a : values) {
    Triples t;
    for (const float b : values)
      for (const float c : values) {
        t.a.push_back(a);
        t.b.push_back(b);
        t.c.push_back(c);
      }
    for (std::vector<float>* part : {&t.a, &t.b, &t.c}) part->resize(padded(part->size()), a);
    expect_exact(t);
    if (HasFatalFailure()) return;
  }
}

// In the mode of the computing calls, which std::fma may not know.
TEST(FusedTables, AgreeWhereSubnormalsCountAsZero) {
  const FloatMode mode;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Triples t = random_triples(10000, seed);
    for (const Table* table : tables()) {
      SCOPED_TRACE(table->name);
      expect_same(t, by_vectors(*table, t), by_vectors(*tables().back(), t));
      expect_same(t, by_products(*table, t), by_vectors(*tables().back(), t));
      if (testing::Test::HasFatalFailure()) return;
    }
    std::vector<float> first;
    for (const Table* table : tables(Format::bf16)) {
      if (table->block > 1) continue;
      SCOPED_TRACE(table->name);
      const std::vector<float> found = by_products(*table, t);
      if (first.empty()) first = found;
      expect_same(t, found, first);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

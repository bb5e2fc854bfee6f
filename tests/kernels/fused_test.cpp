// Multiply-adds round once on every instruction set, also on those whose CPUs have no fused one.
#include "tests/kernels/fused.h"

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

TEST_P(Fused, SpecialNumbers) { expect_exact(special_triples()); }

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

// tanh, sigmoid and exp: accuracy, special values, and ends of arrays.
#include <cstdint>
#include <limits>

#include "lib/kernels/float_mode.h"
#include "tests/kernels/accuracy.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Every 997th float, which meets every exponent some 8,000 times.
TEST(Activations, AreWithinTheStatedError) {
  const std::vector<const Table*> list = tables();
  const std::vector<std::vector<Measured>> measured = measure(list, 0, std::uint64_t{1} << 32, 997);
  for (std::size_t t = 0; t < list.size(); ++t) {
    for (std::size_t a = 0; a < kActivations.size(); ++a) {
      SCOPED_TRACE(testing::Message() << list[t]->name << ", " << kActivations[a].name);
      const Measured& m = measured[t][a];
      EXPECT_LE(m.ulp, kActivations[a].ulp) << "at " << m.where;
      EXPECT_EQ(m.wrong, 0u) << "at " << m.wrong_where;
      EXPECT_EQ(m.different, 0u);
    }
  }
}

class ActivationTable : public KernelTest {
 protected:
  float tanh(float x) const { return apply(table.tanh, x); }
  float sigmoid(float x) const { return apply(table.sigmoid, x); }
  float exp(float x) const { return apply(table.exp, x); }

 private:
  static float apply(void (*kernel)(const float*, float*, std::size_t), float x) {
    float y = 99;
    kernel(&x, &y, 1);
    return y;
  }
};
TEST_ALL_TABLES(ActivationTable);

TEST_P(ActivationTable, SpecialValues) {
  EXPECT_EQ(tanh(0.0f), 0.0f);
  EXPECT_FALSE(std::signbit(tanh(0.0f)));
  EXPECT_TRUE(std::signbit(tanh(-0.0f)));
  EXPECT_EQ(tanh(kInfinity), 1.0f);
  EXPECT_EQ(tanh(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(tanh(kNaN)));
  EXPECT_TRUE(std::isnan(tanh(-kNaN)));

  EXPECT_EQ(sigmoid(0.0f), 0.5f);
  EXPECT_EQ(sigmoid(kInfinity), 1.0f);
  EXPECT_EQ(sigmoid(-kInfinity), 0.0f);
  EXPECT_TRUE(std::isnan(sigmoid(kNaN)));

  EXPECT_EQ(exp(0.0f), 1.0f);
  EXPECT_EQ(exp(-0.0f), 1.0f);
  EXPECT_EQ(exp(kInfinity), kInfinity);
  EXPECT_EQ(exp(-kInfinity), 0.0f);
  EXPECT_EQ(exp(std::numeric_limits<float>::max()), kInfinity);
  EXPECT_EQ(exp(std::numeric_limits<float>::lowest()), 0.0f);
  EXPECT_TRUE(std::isnan(exp(kNaN)));
}

TEST_P(ActivationTable, TanhIsOdd) {
  for (int i = 0; i < 10000; ++i) {
    const float x = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-27f;
    ASSERT_EQ(tanh(x), -tanh(-x)) << x;
  }
}

// In the caller's mode subnormals stay, if it takes a mode to count them as zero; in that of the computing calls they do.
TEST_P(ActivationTable, SubnormalArguments) {
  for (const float x : {0x1p-149f, 0x1p-130f, 0x1.fffffcp-127f}) {
    EXPECT_EQ(tanh(x), kFlushesSubnormals ? x : 0.0f);
    EXPECT_EQ(tanh(-x), kFlushesSubnormals ? -x : 0.0f);
    EXPECT_EQ(exp(x), 1.0f);
    EXPECT_EQ(sigmoid(x), 0.5f);
    float flushed = 0;
    float one = 0;
    {
      const FloatMode mode;
      flushed = tanh(x);
      one = exp(x);
    }
    EXPECT_EQ(flushed, 0.0f);
    EXPECT_EQ(one, 1.0f);
  }
}

TEST_P(ActivationTable, EveryLengthInPlaceAndAtTheEndOfMemory) {
  Edge edge(67);
  for (std::size_t n = 0; n <= 67; ++n) {
    for (const ArrayKernel& activation : kActivations) {
      float* const x = edge.last(n);
      fill_rows(x, 1, n, n, random);
      Array y(n), in_place(n);
      std::copy_n(x, n, in_place.begin());
      (table.*activation.kernel)(x, y.data(), n);
      (table.*activation.kernel)(in_place.data(), in_place.data(), n);
      ASSERT_TRUE(same_bits(y.data(), in_place.data(), n));
      for (std::size_t i = 0; i < n; ++i) {
        float alone = 0;
        (table.*activation.kernel)(x + i, &alone, 1);
        ASSERT_EQ(alone, y[i]) << activation.name << ", n " << n << ", element " << i;
      }
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

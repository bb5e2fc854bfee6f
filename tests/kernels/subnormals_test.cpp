// Subnormals count as zero, to the same bits by each CPU's mode and by software.
#define RNN_SCALAR
#define RNN_FORMS forms_of_cpu
#include <cmath>
#include <cstring>

#include "lib/kernels/float_mode.h"
#include "tests/kernels/kernels_test.h"
#include "tests/kernels/subnormal_forms.h"

namespace rnn::kernels {
namespace {

// All triples of numbers around the least that is not subnormal, and of factors whose products are there.
Triples tiny_triples() {
  std::vector<float> values = {0.0f,
                               0x1p-149f,
                               0x1.8p-148f,
                               0x1p-127f,
                               0x1.fffff8p-127f,
                               0x1.fffffcp-127f,
                               0x1p-126f,
                               0x1.000002p-126f,
                               0x1.8p-126f,
                               0x1p-125f,
                               0x1p-76f,
                               0x1.000002p-76f,
                               0x1p-75f,
                               0x1.fffffep-76f,
                               0x1p-64f,
                               0x1.fffffep-64f,
                               0x1.fffffcp-64f,
                               0x1.000002p-63f,
                               0x1.ffp-64f,
                               0x1p-62f,
                               0x1.fffffcp-1f,
                               0x1.fffffep-1f,
                               1.0f,
                               0x1.000002p0f,
                               0x1p64f,
                               0x1.fffffep127f,
                               __builtin_huge_valf()};
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  Triples t;
  for (const float a : values)
    for (const float b : values)
      for (const float c : values) {
        t.a.push_back(a);
        t.b.push_back(b);
        t.c.push_back(c);
      }
  return t;
}

// Numbers whose products and sums are subnormal, or nearly so.
Triples small_triples(std::uint64_t seed) {
  Triples t = random_triples(16384, seed);
  const auto shrink = [](float x, int least, unsigned range) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = (bits & 0x807fffffu) | (static_cast<std::uint32_t>(least) + (bits >> 23 & 255) % range) << 23;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  };
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    t.a[i] = shrink(t.a[i], 0, 128);
    std::uint32_t bits;
    std::memcpy(&bits, &t.a[i], sizeof bits);
    t.b[i] =
        i % 3 == 0 ? shrink(t.b[i], 0, 4) : shrink(t.b[i], 120 - static_cast<int>(bits >> 23 & 255) / 2, 14);
    t.c[i] = shrink(t.c[i], 0, 5);
  }
  return t;
}

std::uint64_t hash(const std::vector<float>& values, std::uint64_t h) {
  for (const float value : values) {
    std::uint32_t bits = 0x7fc00000u;  // of all NaNs
    if (!std::isnan(value)) std::memcpy(&bits, &value, sizeof bits);
    h = (h ^ bits) * 0x100000001b3u;
  }
  return h;
}

std::vector<float> in_mode(const Triples& t) {
  const FloatMode mode;
  return forms_of_cpu(t);
}

void expect_same_forms(const Triples& t) {
  const std::vector<float> by_cpu = in_mode(t), by_software = forms_of_software(t);
  ASSERT_EQ(by_cpu.size(), by_software.size());
  const std::size_t i = first_difference(by_cpu, by_software), each = by_cpu.size() / (t.a.size() / 4);
  if (i < by_cpu.size())
    FAIL() << std::hexfloat << "form " << i % each << " of 4 triples from " << t.a[i / each * 4] << ", "
           << t.b[i / each * 4] << ", " << t.c[i / each * 4] << " on: " << by_cpu[i] << " by the CPU, "
           << by_software[i] << " by software";
}

bool same(const std::vector<float>& x, const std::vector<float>& y) {
  return x.size() == y.size() && first_difference(x, y) == x.size();
}

// ARM tells what is tiny before it is rounded.
#if defined(RNN_FLOAT_MODE_AARCH64) || defined(RNN_FLOAT_MODE_ARM)
constexpr bool kAsX86 = false;
#else
constexpr bool kAsX86 = true;
#endif

TEST(Subnormals, AreTheSameByCpuAndBySoftware) {
  for (std::uint64_t seed = 0; seed < 20 && !HasFatalFailure(); ++seed)
    expect_same_forms(small_triples(seed));
  if (kAsX86) expect_same_forms(tiny_triples());
}

// Those of an x86.
TEST(Subnormals, AreTheSameBySoftwareOnEveryCpu) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (std::uint64_t seed = 0; seed < 4; ++seed) h = hash(forms_of_software(small_triples(seed)), h);
  EXPECT_EQ(hash(forms_of_software(tiny_triples()), h), 10336755168780079758u);
}

#if defined(__SSE2__)
TEST(Subnormals, AreTheSameByVectorsAndBySoftware) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Triples t = small_triples(seed);
    EXPECT_TRUE(same(forms_of_sse2(t), forms_of_software(t))) << seed;
  }
  const Triples t = tiny_triples();
  EXPECT_TRUE(same(forms_of_sse2(t), forms_of_software(t)));
}
#endif

}  // namespace
}  // namespace rnn::kernels

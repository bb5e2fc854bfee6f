// Layer normalisation against double and central differences, dropout's statistics, and what else goes by
// element.
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

constexpr MutableRows kNoOutput{nullptr, 0, nullptr};

// y and what backward needs, of one row in double.
struct Normalized {
  Normalized(const std::vector<double>& x, const std::vector<float>& gain, const std::vector<float>& bias) {
    const double n = static_cast<double>(x.size());
    double mean = 0, variance = 0;
    for (const double value : x) mean += value / n;
    for (const double value : x) variance += (value - mean) * (value - mean) / n;
    deviation = 1 / std::sqrt(variance + 1e-5);
    for (std::size_t i = 0; i < x.size(); ++i) {
      v.push_back((x[i] - mean) * deviation);
      y.push_back(v[i] * gain[i] + (bias.empty() ? 0.0 : bias[i]));
    }
  }
  double deviation;
  std::vector<double> v, y;
};

std::vector<double> doubles(const float* x, std::size_t n) { return std::vector<double>(x, x + n); }

// Many values of N, few rows.
template <class Check>
void for_sizes(const Check& check) {
  std::mt19937 random(11);
  for (std::size_t N = 1; N <= 67; ++N) check(1 + random() % 3, N, random);
  for (const std::size_t N : {256u, 1031u}) check(2, N, random);
}

// y[M, N], compared with the truth.
std::vector<float> normalize(const Table& table, std::size_t M, std::size_t N, unsigned seed) {
  std::mt19937 random(seed);
  const bool with_bias = random() % 2 == 0, keep = random() % 2 == 0, in_place = random() % 2 == 0;
  const std::vector<float> gain = randoms(N, random);
  const std::vector<float> bias = with_bias ? randoms(N, random) : std::vector<float>();
  const std::vector<float> values = randoms(M * N, random);
  Edge x_edge(M * N), y_edge(M * N), v_edge(M * N);
  float *x = x_edge.last(M * N), *v = v_edge.last(M * N), *y = in_place ? x : y_edge.last(M * N);
  std::copy(values.begin(), values.end(), x);
  std::vector<float> deviation(M);
  table.layer_norm(M, N, {x, N, nullptr}, gain.data(), with_bias ? bias.data() : nullptr,
                   keep ? MutableRows{v, N, nullptr} : kNoOutput, keep ? deviation.data() : nullptr,
                   {y, N, nullptr});
  for (std::size_t m = 0; m < M; ++m) {
    const Normalized truth(doubles(&values[m * N], N), gain, bias);
    // The mean's rounding counts as often as the deviation says.
    const double bound = 1e-6 * (2 + truth.deviation);
    for (std::size_t i = 0; i < N; ++i) {
      EXPECT_NEAR(y[m * N + i], truth.y[i], bound) << "M " << M << ", N " << N << ", element " << i;
      EXPECT_NEAR(keep ? v[m * N + i] : truth.v[i], truth.v[i], bound) << "M " << M << ", N " << N;
    }
    EXPECT_NEAR(keep ? deviation[m] : truth.deviation, truth.deviation, 1e-5 * truth.deviation);
  }
  return std::vector<float>(y, y + M * N);
}

// dx[M, N], compared with differences of dy y.
std::vector<float> differentiate(const Table& table, std::size_t M, std::size_t N, unsigned seed) {
  std::mt19937 random(seed);
  const std::vector<float> gain = randoms(N, random), x = randoms(M * N, random), dy = randoms(M * N, random);
  std::vector<float> v, deviation;
  std::vector<double> expected;
  double bound = 0;
  for (std::size_t m = 0; m < M; ++m) {
    std::vector<double> at = doubles(&x[m * N], N);
    const Normalized truth(at, gain, {});
    for (const double value : truth.v) v.push_back(static_cast<float>(value));
    deviation.push_back(static_cast<float>(truth.deviation));
    bound = std::max(bound, truth.deviation);
    for (std::size_t j = 0; j < N; ++j) {
      constexpr double step = 1e-5;
      double difference = 0;
      for (const double sign : {1.0, -1.0}) {
        at[j] = x[m * N + j] + sign * step;
        const Normalized moved(at, gain, {});
        for (std::size_t i = 0; i < N; ++i) difference += sign * dy[m * N + i] * moved.y[i] / (2 * step);
      }
      at[j] = x[m * N + j];
      expected.push_back(difference);
    }
  }
  bound = (N < 3 ? 3e-5 : 3e-6) * (2 + bound);  // two elements alone have next to no slope left
  const bool in_place = random() % 2 == 0;
  Edge dy_edge(M * N), dx_edge(M * N), v_edge(M * N);
  float *from = dy_edge.last(M * N), *to = in_place ? from : dx_edge.last(M * N);
  std::copy(dy.begin(), dy.end(), from);
  std::copy(v.begin(), v.end(), v_edge.last(M * N));
  table.layer_norm_backward(M, N, {from, N, nullptr}, gain.data(), {v_edge.last(M * N), N, nullptr},
                            deviation.data(), {to, N, nullptr});
  for (std::size_t i = 0; i < M * N; ++i)
    EXPECT_NEAR(to[i], expected[i], bound) << "M " << M << ", N " << N << ", element " << i;
  return std::vector<float>(to, to + M * N);
}

template <class Run>
void expect_same_bits_on_all_tables(const Run& run) {
  std::vector<float> first;
  for (const Table* table : tables()) {
    SCOPED_TRACE(table->name);
    const std::vector<float> values = run(*table);
    if (first.empty()) first = values;
    ASSERT_TRUE(same_bits(values.data(), first.data(), values.size()));
  }
}

TEST(LayerNorm, Forward) {
  for_sizes([](std::size_t M, std::size_t N, std::mt19937& random) {
    const unsigned seed = static_cast<unsigned>(random());
    expect_same_bits_on_all_tables([&](const Table& table) { return normalize(table, M, N, seed); });
  });
}

TEST(LayerNorm, BackwardIsTheCentralDifference) {
  for_sizes([](std::size_t M, std::size_t N, std::mt19937& random) {
    const unsigned seed = static_cast<unsigned>(random());
    expect_same_bits_on_all_tables([&](const Table& table) { return differentiate(table, M, N, seed); });
  });
}

class NormTable : public KernelTest {};
TEST_ALL_TABLES(NormTable);

TEST_P(NormTable, ProductSumsAddInOrder) {
  for (int i = 0; i < 100; ++i) {
    const std::size_t R = below(60), N = 1 + below(90), lda = N + below(5), ldb = N + below(5);
    const std::vector<float> a = randoms(R * lda + N, random), b = randoms(R * ldb + N, random);
    Array out(N);
    fill(out, random);
    std::vector<float> expected(out.begin(), out.end());
    for (std::size_t r = 0; r < R; ++r)
      for (std::size_t n = 0; n < N; ++n) expected[n] = std::fma(a[r * lda + n], b[r * ldb + n], expected[n]);
    table.product_sums(R, N, a.data(), lda, b.data(), ldb, out.data());
    ASSERT_TRUE(same_bits(out.data(), expected.data(), N)) << "R " << R << ", N " << N;
  }
}

TEST_P(NormTable, Add) {
  for (std::size_t N = 1; N <= 67; ++N) {
    const std::size_t M = 1 + below(4);
    const std::vector<float> a = randoms(M * N, random), b = randoms(M * N, random);
    Edge edge(M * N);
    float* const y = edge.last(M * N);
    std::copy(b.begin(), b.end(), y);
    table.add(M, N, {a.data(), N, nullptr}, {y, N, nullptr}, {y, N, nullptr});
    for (std::size_t i = 0; i < M * N; ++i) ASSERT_EQ(y[i], a[i] + b[i]);
  }
}

TEST_P(NormTable, Average) {
  const std::size_t n = 160;
  const std::vector<float> p = randoms(n, random);
  Array a(n);
  fill(a, random);
  const std::vector<float> before(a.begin(), a.end());
  table.average(n, 0.3f, p.data(), a.data());
  for (std::size_t i = 0; i < n; ++i)
    ASSERT_NEAR(a[i], before[i] + 0.3 * (static_cast<double>(p[i]) - before[i]), 4 * kRoundoff);
}

std::uint32_t threshold(double rate) { return static_cast<std::uint32_t>(rate * 0x1p32); }

std::vector<std::uint64_t> consecutive(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

// Which of [M, N] elements survive.
std::vector<float> mask(const Table& table, std::size_t M, std::size_t N, std::uint64_t key,
                        std::size_t first, double rate) {
  std::vector<float> y(M * N, 1.0f);
  table.dropout(M, N, {y.data(), N, nullptr}, key, consecutive(first, M).data(), threshold(rate), 1.0f,
                {y.data(), N, nullptr});
  return y;
}

TEST_P(NormTable, DropoutDropsAtItsRate) {
  for (const double rate : {0.0, 0.01, 0.2, 0.5, 0.9, 0.999}) {
    const std::size_t M = 300, N = 1000;
    const std::vector<float> y = mask(table, M, N, 12345, 0, rate);
    const double dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0f));
    const double count = static_cast<double>(M * N);
    EXPECT_NEAR(dropped, rate * count, 4 * std::sqrt(rate * (1 - rate) * count)) << rate;
    EXPECT_EQ(dropped + static_cast<double>(std::count(y.begin(), y.end(), 1.0f)), count);
  }
}

TEST_P(NormTable, DropoutScalesWhatItKeeps) {
  for (std::size_t N = 1; N <= 67; ++N) {
    const std::size_t M = 1 + below(5);
    const std::vector<float> x = randoms(M * N, random), kept = mask(table, M, N, N, 3, 0.4);
    Edge edge(M * N);
    float* const y = edge.last(M * N);
    table.dropout(M, N, {x.data(), N, nullptr}, N, consecutive(3, M).data(), threshold(0.4), 1.75f,
                  {y, N, nullptr});
    for (std::size_t i = 0; i < M * N; ++i) ASSERT_EQ(y[i], kept[i] == 0.0f ? 0.0f : x[i] * 1.75f);
  }
}

// Not of the table, the other rows or where the rows start.
TEST_P(NormTable, DropoutIsAFunctionOfKeyRowAndColumn) {
  const std::size_t M = 50, N = 83, first = 7;
  const std::vector<float> whole = mask(*tables().front(), M, N, 99, first, 0.5);
  for (std::size_t m = 0; m < M; ++m) {
    const std::vector<float> row = mask(table, 1, N, 99, first + m, 0.5);
    ASSERT_TRUE(same_bits(row.data(), &whole[m * N], N)) << m;
  }
  const std::vector<float> narrow = mask(table, 1, 20, 99, first, 0.5);
  EXPECT_TRUE(same_bits(narrow.data(), whole.data(), 20));
}

// The share of elements that are equal in a and b, which is half if they are independent.
double agreement(const std::vector<float>& a, const std::vector<float>& b, std::size_t shift) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i + shift < a.size(); ++i) equal += a[i + shift] == b[i] ? 1u : 0u;
  return static_cast<double>(equal) / static_cast<double>(a.size() - shift);
}

TEST_P(NormTable, DropoutIsIndependentAcrossRowsColumnsAndKeys) {
  const std::size_t N = 100000;
  const double bound = 5 * 0.5 / std::sqrt(static_cast<double>(N));
  const std::vector<float> row = mask(table, 1, N, 5, 0, 0.5);
  for (std::size_t shift = 1; shift <= 40; ++shift)
    EXPECT_NEAR(agreement(row, row, shift), 0.5, bound) << shift;
  for (std::size_t other = 1; other <= 20; ++other) {
    for (const std::size_t shift : {0u, 1u, 16u}) {
      EXPECT_NEAR(agreement(row, mask(table, 1, N, 5, other, 0.5), shift), 0.5, bound) << "row " << other;
      EXPECT_NEAR(agreement(row, mask(table, 1, N, 5 + other, 0, 0.5), shift), 0.5, bound) << "key " << other;
      EXPECT_NEAR(agreement(row, mask(table, 1, N, 5 + (1ull << (other + 40)), 0, 0.5), shift), 0.5, bound);
    }
  }
  // Down a column, too.
  const std::vector<float> columns = mask(table, 25000, 4, 5, 0, 0.5);
  for (const std::size_t shift : {4u, 8u, 64u})
    EXPECT_NEAR(agreement(columns, columns, shift), 0.5, bound) << shift;
}

}  // namespace
}  // namespace rnn::kernels

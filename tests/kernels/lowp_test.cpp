// Products in formats other than f32: the bits of their scalar definition, on every table.
#include <cmath>
#include <map>

#include "lib/kernels/float_mode.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float bf16(float x) { return from_bits(bf16_bits(x) << 16); }

// A row as bf16, padded with zeros to whole slots.
std::vector<float> bf16_row(const float* x, std::size_t K) {
  std::vector<float> row((K + 1) / 2 * 2);
  std::transform(x, x + K, row.begin(), bf16);
  return row;
}

// sum + the products by blocks of columns of slots, of each the even k's in one chain, the odd ones in
// another.
float add_blocks(float sum, const std::vector<float>& w, const std::vector<float>& x, std::size_t block) {
  for (std::size_t first = 0; first < w.size(); first += 2 * block) {
    float even = 0, odd = 0;
    for (std::size_t k = first; k < std::min(first + 2 * block, w.size()); k += 2) {
      even = std::fma(w[k], x[k], even);
      odd = std::fma(w[k + 1], x[k + 1], odd);
    }
    sum += even + odd;
  }
  return sum;
}

// The sum of one element: its columns of slots in blocks, or in parts, each one chain; of more than 2048 columns 256
// by 256.
float bf16_product(const std::vector<float>& w, const std::vector<float>& x, std::size_t block,
                   std::size_t parts) {
  if (block > 1) return add_blocks(0, w, x, block);
  const std::size_t columns = w.size() / 2, length = columns > 2048 ? 256 : columns;
  float sum = 0;
  for (std::size_t first = 0; first < columns; first += length)
    for (std::size_t p = 0; p < parts; ++p) {
      float part = 0;
      for (std::size_t k = first + p; k < std::min(columns, first + length); k += parts) {
        part = std::fma(w[2 * k + 1], x[2 * k + 1], part);
        part = std::fma(w[2 * k], x[2 * k], part);
      }
      sum = first + p > 0 ? sum + part : part;
    }
  return sum;
}

// A row of int8 and what it is multiplied by.
struct Quantized {
  std::vector<std::int32_t> values;
  float scale;
};

Quantized int8_row(const float* x, std::size_t K) {
  float largest = 0;
  for (std::size_t k = 0; k < K; ++k) largest = std::max(largest, std::fabs(x[k]));
  Quantized row{std::vector<std::int32_t>(K), largest / 127.0f};
  if (largest < 0x1p-100f) return row;
  const float inverse = 127.0f / largest;
  for (std::size_t k = 0; k < K; ++k)
    row.values[k] = static_cast<std::int32_t>(std::nearbyint(x[k] * inverse));
  return row;
}

float int8_product(const Quantized& w, const Quantized& x) {
  std::int32_t sum = 0;
  for (std::size_t k = 0; k < w.values.size(); ++k) sum += w.values[k] * x.values[k];
  return static_cast<float>(sum) * (w.scale * x.scale);
}

std::size_t part_count(std::size_t N, std::size_t columns) { return N <= 64 && columns <= 2048 ? 4 : 1; }

struct Shape {
  std::size_t M, N, K;
};

std::string describe(const Shape& s) {
  return "M " + std::to_string(s.M) + ", N " + std::to_string(s.N) + ", K " + std::to_string(s.K);
}

// y[M, N] = init + W x by the definition.
std::vector<float> expected_bf16(const Table& table, const Shape& s, const std::vector<float>& w,
                                 const std::vector<float>& x, const std::vector<float>& init) {
  std::vector<float> y;
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < s.N; ++i) rows.push_back(bf16_row(&w[i * s.K], s.K));
  for (std::size_t m = 0; m < s.M; ++m) {
    const std::vector<float> row = bf16_row(&x[m * s.K], s.K);
    for (std::size_t i = 0; i < s.N; ++i)
      y.push_back(init[m * s.N + i] +
                  bf16_product(rows[i], row, table.block, part_count(s.N, row.size() / 2)));
  }
  return y;
}

std::vector<float> expected_int8(const Table&, const Shape& s, const std::vector<float>& w,
                                 const std::vector<float>& x, const std::vector<float>& init) {
  std::vector<float> y;
  std::vector<Quantized> rows;
  for (std::size_t i = 0; i < s.N; ++i) rows.push_back(int8_row(&w[i * s.K], s.K));
  for (std::size_t m = 0; m < s.M; ++m) {
    const Quantized row = int8_row(&x[m * s.K], s.K);
    for (std::size_t i = 0; i < s.N; ++i) y.push_back(init[m * s.N + i] + int8_product(rows[i], row));
  }
  return y;
}

void check(const Shape& s, std::mt19937& random) {
  SCOPED_TRACE(describe(s));
  const FloatMode mode;
  const std::vector<float> w = randoms(s.N * s.K, random), x = randoms(s.M * s.K, random),
                           init = randoms(s.M * s.N, random);
  Edge x_edge(s.M * s.K), y_edge(s.M * s.N);
  float* const in = x_edge.last(s.M * s.K);
  std::copy(x.begin(), x.end(), in);
  float* const out = y_edge.last(s.M * s.N);
  for (const Format format : kLowpFormats) {
    std::map<std::size_t, std::vector<float>> by_block;
    for (const Table* table : tables(format)) {
      std::vector<float>& e = by_block[table->block];
      if (e.empty()) e = (format == Format::bf16 ? expected_bf16 : expected_int8)(*table, s, w, x, init);
      for (std::size_t gates = 1; gates <= 4; ++gates) {
        if (s.N % gates != 0) continue;
        SCOPED_TRACE(testing::Message() << table->name << ", gates " << gates);
        const Packed packed(*table, s.N, s.K, w.data(), gates);
        table->gemm(packed.panels(), s.M, {in, s.K, nullptr}, {init.data(), s.N, nullptr}, s.N,
                    {out, s.N, nullptr});
        ASSERT_TRUE(same_bits(out, e.data(), e.size()));
      }
    }
  }
}

TEST(Lowp, EverySizeUpTo67) {
  std::mt19937 random(1);
  for (std::size_t N = 1; N <= 67; ++N)
    for (std::size_t K = 1; K <= 67; K += 1 + random() % 5) {
      check({1, N, K}, random);
      check({2 + random() % 12, N, K}, random);
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(Lowp, EveryNumberOfUnitsUpTo67) {
  std::mt19937 random(2);
  for (std::size_t H = 1; H <= 67; ++H)
    for (std::size_t gates = 2; gates <= 4; ++gates) {
      check({1 + random() % 2 * (random() % 24), gates * H, 1 + random() % 40}, random);
      if (testing::Test::HasFatalFailure()) return;
    }
}

// Depths whose words take more room than there is, for one row and for a block, and rows for several blocks.
TEST(Lowp, LargeSizes) {
  std::mt19937 random(3);
  const Shape shapes[] = {{1, 65, 13000}, {33, 96, 1500}, {2, 130, 7000}, {70, 65, 129},  {40, 33, 600},
                          {5, 64, 4096},  {3, 64, 4097},  {1, 1, 20000},  {33, 257, 512}, {1, 1031, 517},
                          {96, 65, 127},  {13, 321, 100}, {32, 68, 2048}, {64, 128, 1},   {1, 40, 4095},
                          {1, 200, 6001}, {25, 67, 5000}, {32, 36, 9000}};
  for (const Shape& shape : shapes) {
    check(shape, random);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Lowp, ARowHasTheSameBitsAloneAndInABatch) {
  std::mt19937 random(4);
  const FloatMode mode;
  for (const Format format : kLowpFormats)
    for (const Table* table : tables(format))
      for (const Shape s : {Shape{45, 100, 70}, Shape{7, 64, 33}, Shape{50, 66, 2100}, Shape{3, 65, 13001}}) {
        SCOPED_TRACE(table->name + (", " + describe(s)));
        const std::vector<float> w = randoms(s.N * s.K, random), x = randoms(s.M * s.K, random);
        const Packed packed(*table, s.N, s.K, w.data());
        std::vector<float> y(s.M * s.N), alone(s.N);
        const Rows none{nullptr, 0, nullptr};
        table->gemm(packed.panels(), s.M, {x.data(), s.K, nullptr}, none, s.N, {y.data(), s.N, nullptr});
        for (std::size_t m = 0; m < s.M; ++m) {
          table->gemm(packed.panels(), 1, {&x[m * s.K], 0, nullptr}, none, s.N, {alone.data(), 0, nullptr});
          ASSERT_TRUE(same_bits(alone.data(), &y[m * s.N], s.N)) << "row " << m;
        }
      }
}

TEST(Lowp, GatherIsAProductWithOneHotRows) {
  std::mt19937 random(5);
  const FloatMode mode;
  for (const Format format : kLowpFormats)
    for (const Table* table : tables(format))
      for (std::size_t N = 1; N <= 72; ++N) {
        const std::size_t K = 1 + random() % 40, M = 1 + random() % 5;
        const std::vector<float> w = randoms(N * K, random), init = randoms(N, random);
        std::vector<float> x(M * K), product(M * N), y(M * N);
        std::vector<std::int32_t> index;
        for (std::size_t m = 0; m < M; ++m) {
          index.push_back(static_cast<std::int32_t>(random() % K));
          x[m * K + static_cast<std::size_t>(index[m])] = 1;
        }
        const Rows start{init.data(), 0, nullptr};
        for (std::size_t gates = 0; gates <= 4; ++gates) {
          if (gates > 0 && N % gates != 0) continue;
          const Packed packed(*table, N, K, w.data(), gates);
          table->gemm(packed.panels(), M, {x.data(), K, nullptr}, start, N, {product.data(), N, nullptr});
          table->gather(packed.panels(), M, index.data(), start, N, {y.data(), N, nullptr});
          ASSERT_TRUE(same_bits(y.data(), product.data(), y.size()))
              << table->name << ", N " << N << ", K " << K << ", gates " << gates;
        }
      }
}

// x times 1: what becomes of x.
std::vector<float> rounded(const Table& table, const std::vector<float>& x) {
  const FloatMode mode;
  const float one = 1;
  const Packed packed(table, 1, 1, &one);
  std::vector<float> y(x.size());
  table.gemm(packed.panels(), x.size(), {x.data(), 1, nullptr}, {nullptr, 0, nullptr}, 1,
             {y.data(), 1, nullptr});
  return y;
}

TEST(Bf16, RoundsToTheNearestEven) {
  std::mt19937 random(6);
  std::vector<float> x;
  for (const std::uint32_t bits :
       {0x00000000u, 0x80000000u, 0x00000001u, 0x007fffffu, 0x807fffffu, 0x00800000u, 0x3f800000u,
        0x3f808000u, 0x3f818000u, 0x3f808001u, 0x3f807fffu, 0x7f7fffffu, 0xff7fffffu, 0x7f7f7fffu,
        0x7f7f8000u, 0x7f800000u, 0xff800000u, 0x7f800001u, 0x7fffffffu, 0xff80ffffu, 0x7fc00000u})
    x.push_back(from_bits(bits));
  for (int i = 0; i < 100000; ++i) x.push_back(from_bits(static_cast<std::uint32_t>(random())));
  for (const Table* table : tables(Format::bf16)) {
    const std::vector<float> y = rounded(*table, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i]))
        ASSERT_TRUE(std::isnan(y[i])) << table->name << ", number " << i;
      else
        ASSERT_EQ(y[i], bf16(x[i])) << table->name << ", " << x[i];
    }
  }
  EXPECT_EQ(bf16_bits(from_bits(0x3f808000u)), 0x3f80u);
  EXPECT_EQ(bf16_bits(from_bits(0x3f818000u)), 0x3f82u);
  EXPECT_EQ(bf16_bits(from_bits(0x807fffffu)), 0x8000u);
  EXPECT_EQ(bf16_bits(from_bits(0x7f7fffffu)), 0x7f80u);
  EXPECT_EQ(bf16_bits(from_bits(0x7f800001u)), 0x7fc0u);
}

// Where the order of sums shows most: exponents far apart, cancellation, subnormals.
TEST(Bf16, HasTheSameBitsOnEveryTableForAnyExponents) {
  std::mt19937 random(7);
  const FloatMode mode;
  for (int round = 0; round < 300; ++round) {
    const std::size_t N = 1 + random() % 70, K = 1 + random() % 24;
    const unsigned lowest = 20 + random() % 100, range = 1 + random() % 100;
    const auto numbers = [&](std::size_t n) {
      std::vector<float> values;
      for (std::size_t i = 0; i < n; ++i)
        values.push_back(from_bits((lowest + static_cast<unsigned>(random()) % range) % 190 << 23 |
                                   (static_cast<std::uint32_t>(random()) & 0x807fffffu)));
      return values;
    };
    const std::vector<float> w = numbers(N * K), x = numbers(K);
    std::vector<float> first;
    for (const Table* table : tables(Format::bf16)) {
      if (table->block > 1) continue;
      const Packed packed(*table, N, K, w.data());
      std::vector<float> y(N);
      table->gemm(packed.panels(), 1, {x.data(), 0, nullptr}, {nullptr, 0, nullptr}, N,
                  {y.data(), 0, nullptr});
      if (first.empty()) first = y;
      ASSERT_TRUE(same_bits(y.data(), first.data(), N)) << table->name << ", round " << round;
    }
  }
}

// What x of K numbers gives with rows of weights of all kinds.
std::vector<float> int8_results(const Table& table, const std::vector<float>& w,
                                const std::vector<float>& x) {
  const FloatMode mode;
  const std::size_t N = w.size() / x.size();
  const Packed packed(table, N, x.size(), w.data());
  std::vector<float> y(N);
  table.gemm(packed.panels(), 1, {x.data(), 0, nullptr}, {nullptr, 0, nullptr}, N, {y.data(), 0, nullptr});
  return y;
}

TEST(Int8, PassesOnNanAndSaturatesAtInfinity) {
  const float infinity = from_bits(0x7f800000u), nan = from_bits(0x7fc00000u), tiny = 0x1p-120f;
  const std::vector<float> w = {1, -2, 3, 0, 0, 0, tiny, -tiny, 0, infinity, 1, 1, nan, 1, 1};
  for (const Table* table : tables(Format::int8)) {
    SCOPED_TRACE(table->name);
    for (const std::vector<float>& x : {std::vector<float>{1, 2, 4}, {0, 0, 0}, {tiny, tiny, 0}}) {
      const std::vector<float> y = int8_results(*table, w, x);
      for (const std::size_t i : {0, 1, 2})
        EXPECT_NEAR(y[i], w[3 * i] * x[0] + w[3 * i + 1] * x[1] + w[3 * i + 2] * x[2], 0.1) << i;
      EXPECT_EQ(y[1], 0.0f);
      EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[4]));
    }
    for (const std::vector<float>& x : {std::vector<float>{1, infinity, 4}, {0, 0, -infinity}}) {
      const std::vector<float> y = int8_results(*table, w, x);
      EXPECT_EQ(y[0], -infinity);
      EXPECT_EQ(y[1], 0.0f);
      EXPECT_FALSE(std::isnan(y[2]));
    }
    for (const float y : int8_results(*table, w, {1, nan, 2})) EXPECT_TRUE(std::isnan(y));
  }
}

TEST(Bf16, GemmTnSumsPairsOfRows) {
  std::mt19937 random(8);
  const FloatMode mode;
  for (int round = 0; round < 60; ++round) {
    const std::size_t M = 1 + random() % (round < 50 ? 40 : 250), N = kPad * (1 + random() % 9),
                      R = 1 + random() % (round < 50 ? 40 : 300);
    const std::size_t lda = M + random() % 5, ldb = N + random() % 3, ldc = N;
    const std::vector<float> a = randoms(R * lda, random), b = randoms(R * ldb, random),
                             start = randoms(M * N, random);
    const bool apart = round % 2 == 0;
    // In chains of pairs, each 64 rows apart or not, and in blocks of pairs.
    std::vector<float> chains = start, blocks = start;
    for (std::size_t m = 0; m < M; ++m)
      for (std::size_t n = 0; n < N; ++n) {
        std::vector<float> column_a((R + 1) / 2 * 2), column_b((R + 1) / 2 * 2);
        for (std::size_t r = 0; r < R; ++r) {
          column_a[r] = bf16(a[r * lda + m]);
          column_b[r] = bf16(b[r * ldb + n]);
        }
        float &total = chains[m * N + n], sum = apart ? 0 : total;
        for (std::size_t r = 0; r < R; r += 2) {
          sum = std::fma(column_a[r + 1], column_b[r + 1], sum);
          sum = std::fma(column_a[r], column_b[r], sum);
          if (!apart || ((r + 2) % 64 != 0 && r + 2 < R)) continue;
          total += sum;
          sum = 0;
        }
        if (!apart) total = sum;
        float& in_blocks = blocks[m * N + n];
        in_blocks = add_blocks(in_blocks, column_a, column_b, 16);
      }
    Edge a_edge(a.size()), b_edge(b.size());
    const std::size_t a_size = (R - 1) * lda + M, b_size = (R - 1) * ldb + N;
    float *const a_in = a_edge.last(a_size), *const b_in = b_edge.last(b_size);
    std::copy_n(a.begin(), a_size, a_in);
    std::copy_n(b.begin(), b_size, b_in);
    for (const Table* table : tables(Format::bf16)) {
      std::vector<float> c = start;
      table->gemm_tn(M, N, R, a_in, lda, b_in, ldb, c.data(), ldc, apart);
      SCOPED_TRACE(testing::Message() << table->name << ", M " << M << ", N " << N << ", R " << R);
      ASSERT_TRUE(same_bits(c.data(), (table->block > 1 ? blocks : chains).data(), c.size()));
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

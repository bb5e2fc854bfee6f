// Products over time and batch, sums and norms: the kernels that make weight gradients. All of them add to
// what is there, and none may depend on how the result is cut into tasks.
#include <cstdint>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

class ReduceTable : public KernelTest {};
TEST_ALL_TABLES(ReduceTable);

double bound(std::size_t terms, double magnitude) {
  return 2.0 * static_cast<double>(terms + 1) * kRoundoff * magnitude;
}

struct TnCase {
  TnCase(std::size_t rows, std::size_t columns, std::size_t depth, std::mt19937& random)
      : M(rows),
        N(columns),
        R(depth),
        lda(M + random() % 20),
        ldb(N + 16 * (random() % 2)),
        ldc(N + 16 * (random() % 2)),
        a(randoms(R * lda, random)),
        b(R * ldb),
        c(M * ldc),
        apart(random() % 2 == 0) {
    fill(b, random);
    fill(c, random);
  }
  // Rows [m, m + rows), columns [n, n + columns) of the result.
  void run(const Table& table, std::size_t m, std::size_t rows, std::size_t n, std::size_t columns,
           Array& out) const {
    table.gemm_tn(rows, columns, R, a.data() + m, lda, b.data() + n, ldb, out.data() + m * ldc + n, ldc,
                  apart);
  }

  std::size_t M, N, R, lda, ldb, ldc;
  std::vector<float> a;
  Array b, c;
  bool apart;
};

TEST(GemmTn, AddsTheProductAndHasTheSameBitsOnEveryTable) {
  std::mt19937 random(5);
  for (int i = 0; i < 250; ++i) {
    const TnCase x(1 + random() % 67, padded(1 + random() % 67), random() % (i % 10 == 0 ? 300 : 67), random);
    SCOPED_TRACE(testing::Message() << "M " << x.M << ", N " << x.N << ", R " << x.R);
    std::vector<float> first;
    for (const Table* table : tables()) {
      SCOPED_TRACE(table->name);
      Array c(x.c.size());
      std::copy(x.c.begin(), x.c.end(), c.begin());
      x.run(*table, 0, x.M, 0, x.N, c);
      for (std::size_t m = 0; m < x.M; ++m) {
        for (std::size_t n = 0; n < x.ldc; ++n) {
          double sum = x.c[m * x.ldc + n];
          double magnitude = std::fabs(sum);
          for (std::size_t r = 0; n < x.N && r < x.R; ++r) {
            const double term = static_cast<double>(x.a[r * x.lda + m]) * x.b[r * x.ldb + n];
            sum += term;
            magnitude += std::fabs(term);
          }
          ASSERT_NEAR(c[m * x.ldc + n], sum, bound(x.R, magnitude)) << "row " << m << ", column " << n;
        }
      }
      if (first.empty()) first.assign(c.begin(), c.end());
      const std::size_t m = x.M - 1, block = x.apart ? 64 : x.R + 1;
      for (std::size_t n = 0; n < x.N; ++n) {
        float expected = x.c[m * x.ldc + n];
        for (std::size_t r0 = 0; r0 < x.R; r0 += block) {
          float sum = x.apart ? 0 : expected;
          for (std::size_t r = r0; r < std::min(x.R, r0 + block); ++r)
            sum = std::fma(x.a[r * x.lda + m], x.b[r * x.ldb + n], sum);
          expected = x.apart ? expected + sum : sum;
        }
        ASSERT_EQ(c[m * x.ldc + n], expected) << "column " << n << (x.apart ? ", apart" : "");
      }
      ASSERT_TRUE(same_bits(c.data(), first.data(), c.size()));
    }
  }
}

TEST_P(ReduceTable, GemmTnHasTheSameBitsInPieces) {
  for (int i = 0; i < 100; ++i) {
    const TnCase x(1 + below(67), padded(1 + below(200)), 1 + below(150), random);
    Array whole(x.c.size()), pieces(x.c.size());
    std::copy(x.c.begin(), x.c.end(), whole.begin());
    std::copy(x.c.begin(), x.c.end(), pieces.begin());
    x.run(table, 0, x.M, 0, x.N, whole);
    const std::size_t m = below(x.M), n = below(x.N / kPad) * kPad;
    x.run(table, 0, m, 0, n, pieces);
    x.run(table, 0, m, n, x.N - n, pieces);
    x.run(table, m, x.M - m, 0, n, pieces);
    x.run(table, m, x.M - m, n, x.N - n, pieces);
    ASSERT_TRUE(same_bits(whole.data(), pieces.data(), whole.size()))
        << "M " << x.M << ", N " << x.N << ", R " << x.R;
  }
}

TEST_P(ReduceTable, ColumnSumsAddInOrder) {
  for (int i = 0; i < 100; ++i) {
    const std::size_t R = below(100), N = padded(1 + below(150)), lda = N + 16 * below(2);
    Array a(R * lda), out(N);
    fill(a, random);
    fill(out, random);
    std::vector<float> expected(out.begin(), out.end());
    for (std::size_t r = 0; r < R; ++r)
      for (std::size_t n = 0; n < N; ++n) expected[n] += a[r * lda + n];
    table.column_sums(R, N, a.data(), lda, out.data());
    ASSERT_TRUE(same_bits(out.data(), expected.data(), N)) << "R " << R << ", N " << N;
  }
}

TEST_P(ReduceTable, ScatterAddAddsInOrder) {
  for (int i = 0; i < 100; ++i) {
    const std::size_t R = below(60), N = padded(1 + below(150)), rows = 1 + below(20),
                      lda = N + 16 * below(2);
    Array a(R * lda), g(rows * N);
    fill(a, random);
    fill(g, random);
    std::vector<std::int32_t> index(R);
    std::vector<float> expected(g.begin(), g.end());
    for (std::size_t r = 0; r < R; ++r) {
      index[r] = static_cast<std::int32_t>(below(rows));
      for (std::size_t n = 0; n < N; ++n)
        expected[static_cast<std::size_t>(index[r]) * N + n] += a[r * lda + n];
    }
    table.scatter_add(R, N, index.data(), a.data(), lda, g.data(), N);
    ASSERT_TRUE(same_bits(g.data(), expected.data(), g.size())) << "R " << R << ", N " << N;
  }
}

TEST(AddTransposed, EverySizeUpTo37) {
  std::mt19937 random(9);
  for (std::size_t rows = 0; rows <= 37; ++rows) {
    for (std::size_t columns = 0; columns <= 37; ++columns) {
      const std::size_t x_stride = columns + random() % 5, y_stride = rows + random() % 5;
      const std::vector<float> x = randoms(rows * x_stride, random), y = randoms(columns * y_stride, random);
      std::vector<float> sum = y, expected = y;
      add_transposed(rows, columns, x.data(), x_stride, sum.data(), y_stride);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) expected[j * y_stride + i] += x[i * x_stride + j];
      ASSERT_EQ(sum, expected) << rows << " x " << columns;
    }
  }
}

TEST(SumSquares, EverySizeUpTo67AndLarge) {
  std::mt19937 random(6);
  Edge edge(100003);
  for (std::size_t n = 0; n <= 70; ++n) {
    const std::size_t size = n <= 67 ? n : n == 68 ? 1000 : n == 69 ? 4096 : 100003;
    float* const x = edge.last(size);
    fill_rows(x, 1, size, size, random);
    double exact = 0;
    for (std::size_t i = 0; i < size; ++i) exact += static_cast<double>(x[i]) * x[i];
    float first = -1;
    for (const Table* table : tables()) {
      const float sum = table->sum_squares(size, x);
      EXPECT_NEAR(sum, exact, bound(size / kPad + 6, exact)) << table->name << ", n " << size;
      if (first < 0) first = sum;
      EXPECT_EQ(sum, first) << table->name << ", n " << size;
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

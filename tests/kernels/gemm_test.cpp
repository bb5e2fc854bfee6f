// gemm, gather, and the packing under them.
#include <cstdint>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

// Where the initial values of a product come from.
enum class Init { none, repeated, rows, in_place };

struct Case {
  std::size_t M, N, K;
  Init init;
  bool padded_output;  // n = padded(N), else the N numbers that a caller has room for
  bool by_pointer;
};

Case random_case(std::size_t M, std::size_t N, std::size_t K, std::mt19937& random) {
  return {M, N, K, static_cast<Init>(random() % 4), random() % 2 == 0, random() % 2 == 0};
}

// The inputs of one product, the same for every table.
struct Product {
  Product(const Case& c, unsigned seed)
      : shape(c),
        random(seed),
        w(randoms(c.N * c.K, random)),
        x(c.M * c.K),
        n(c.padded_output ? padded(c.N) : c.N) {
    fill(x, random);
    init.assign((c.init == Init::repeated ? 1 : c.M) * n, 0.0f);
    if (c.init != Init::none) fill_rows(init.data(), init.size() / n, c.N, n, random);
  }

  // y[M, n]
  std::vector<float> run(const Table& table, Edge& x_edge, Edge& y_edge, std::size_t gates = 0) {
    const Packed packed(table, shape.N, shape.K, w.data(), gates);
    return run(table, x_edge, y_edge, [&](const Rows& in, const Rows& start, const MutableRows& y) {
      table.gemm(packed.panels(), shape.M, in, start, columns(gates), y);
    });
  }
  // Of grouped matrices no padding is written; it is zero.
  std::size_t columns(std::size_t gates) const { return gates > 1 ? shape.N : n; }

  // x and y are unaligned and end where memory ends. The rows are permuted if they go by pointers; the result
  // is in order.
  template <class Kernel>
  std::vector<float> run(const Table&, Edge& x_edge, Edge& y_edge, const Kernel& kernel) {
    float* const in = x_edge.last(x.size());
    std::copy(x.begin(), x.end(), in);
    float* const out = y_edge.last(shape.M * n);
    std::fill_n(out, shape.M * n, shape.padded_output ? 0.0f : 1e30f);

    std::mt19937 order(7);
    Spread rows_in(in, shape.M, shape.K, shape.by_pointer, order);
    order.seed(7);
    Spread rows_out(out, shape.M, n, shape.by_pointer, order);
    order.seed(7);
    Spread rows_init(init.data(), shape.M, n, shape.by_pointer, order);

    Rows start = rows_init.rows();
    if (shape.init == Init::none) start = Rows{nullptr, 0, nullptr};
    if (shape.init == Init::repeated) start = Rows{init.data(), 0, nullptr};
    if (shape.init == Init::in_place) {
      std::copy(init.begin(), init.end(), out);
      start = rows_out.rows();
    }
    kernel(rows_in.rows(), start, rows_out.mutable_rows());
    return std::vector<float>(out, out + shape.M * n);
  }

  // One accumulator of K + 1 roundings: the error is within K + 1 roundoffs of the sum of magnitudes.
  void expect_near_truth(const std::vector<float>& y) const {
    for (std::size_t m = 0; m < shape.M; ++m) {
      for (std::size_t i = 0; i < n; ++i) {
        const double start = shape.init == Init::repeated ? init[i] : init[m * n + i];
        double sum = start;
        double magnitude = std::fabs(start);
        for (std::size_t k = 0; i < shape.N && k < shape.K; ++k) {
          const double term = static_cast<double>(w[i * shape.K + k]) * x[m * shape.K + k];
          sum += term;
          magnitude += std::fabs(term);
        }
        const double bound = 2.0 * static_cast<double>(shape.K + 2) * kRoundoff * magnitude;
        ASSERT_NEAR(y[m * n + i], sum, bound) << "row " << m << ", element " << i;
      }
    }
  }

  Case shape;
  std::mt19937 random;
  std::vector<float> w;  // [N, K]
  std::vector<float> x;  // [M, K]
  std::size_t n;
  std::vector<float> init;
};

void check(const Case& c, unsigned seed, Edge& x_edge, Edge& y_edge) {
  SCOPED_TRACE(testing::Message() << "M " << c.M << ", N " << c.N << ", K " << c.K << ", init "
                                  << static_cast<int>(c.init) << (c.padded_output ? ", padded" : "")
                                  << (c.by_pointer ? ", by pointer" : ""));
  Product product(c, seed);
  std::vector<float> first;
  for (const Table* table : tables()) {
    SCOPED_TRACE(table->name);
    const std::vector<float> y = product.run(*table, x_edge, y_edge);
    product.expect_near_truth(y);
    for (std::size_t gates = 1; gates <= 4; ++gates) {
      if (c.N % gates != 0) continue;
      const std::vector<float> grouped = product.run(*table, x_edge, y_edge, gates);
      ASSERT_TRUE(same_bits(y.data(), grouped.data(), y.size())) << "grouped by " << gates;
    }
    if (first.empty()) first = y;
    ASSERT_TRUE(same_bits(y.data(), first.data(), y.size())) << "not the bits of the other tables";
  }
}

TEST(Gemm, EverySizeUpTo67) {
  Edge x_edge(13 * 67);
  Edge y_edge(13 * padded(67));
  std::mt19937 random(1);
  for (std::size_t N = 1; N <= 67; ++N)
    for (std::size_t K = 1; K <= 67; ++K) {
      check(random_case(1 + random() % 13, N, K, random), static_cast<unsigned>(N * 100 + K), x_edge, y_edge);
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(Gemm, EveryNumberOfUnitsUpTo67) {
  Edge x_edge(25 * 40);
  Edge y_edge(25 * padded(4 * 67));
  std::mt19937 random(3);
  for (std::size_t H = 1; H <= 67; ++H)
    for (std::size_t gates = 2; gates <= 4; ++gates) {
      check(random_case(1 + random() % 25, gates * H, 1 + random() % 40, random),
            static_cast<unsigned>(H * 10 + gates), x_edge, y_edge);
      check(random_case(1, gates * H, 1 + random() % 40, random), static_cast<unsigned>(H * 10 + gates),
            x_edge, y_edge);
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(Gemm, EveryInitAndLayout) {
  Edge x_edge(9 * 21);
  Edge y_edge(9 * padded(37));
  for (const Init init : {Init::none, Init::repeated, Init::rows, Init::in_place})
    for (const bool padded_output : {false, true})
      for (const bool by_pointer : {false, true})
        for (const std::size_t M : {1, 2, 9})
          check({M, 37, 21, init, padded_output, by_pointer}, 5, x_edge, y_edge);
}

TEST(Gemm, LargeSizes) {
  const std::size_t sizes[][3] = {
      {1, 1031, 517}, {2, 513, 1025}, {3, 257, 129}, {97, 129, 65},  {96, 65, 127}, {193, 64, 33},
      {7, 191, 640},  {13, 321, 100}, {100, 80, 1},  {64, 128, 128}, {1, 64, 4096}, {5, 1, 1000},
      {1, 996, 83},   {1, 1068, 40},  {1, 2004, 9},  {43, 516, 129}, {100, 420, 31}};
  Edge x_edge(97 * 640);
  Edge y_edge(97 * 1031);
  std::mt19937 random(2);
  for (const auto& size : sizes) check(random_case(size[0], size[1], size[2], random), 9, x_edge, y_edge);
}

// The order of a sum by its definition: of more than 1024 columns blocks of 256, of at most 64 rows four parts of each.
float sum_in_order(const float* w, const float* x, std::size_t K, std::size_t N) {
  const std::size_t block = K > 1024 ? 256 : K, parts = N <= 64 ? 4 : 1;
  float sum = 0;
  for (std::size_t first = 0; first < K; first += block)
    for (std::size_t p = 0; p < parts; ++p) {
      float part = 0;
      for (std::size_t k = first + p; k < std::min(K, first + block); k += parts)
        part = std::fma(w[k], x[k], part);
      sum = first + p == 0 ? part : sum + part;
    }
  return sum;
}

TEST(Gemm, SumsBlocksOfADeepMatrixApart) {
  const std::size_t sizes[][3] = {{1, 7, 1024},   {3, 7, 1025},  {1, 8, 2500},   {2, 64, 3001},
                                  {1, 65, 1023},  {1, 65, 1025}, {13, 65, 1281}, {2, 200, 2048},
                                  {1, 400, 1700}, {1, 1, 16384}, {99, 72, 1100}};
  Edge x_edge(1 << 17);
  Edge y_edge(1 << 14);
  std::mt19937 random(4);
  for (const auto& size : sizes) {
    const Case c{size[0], size[1], size[2], Init::none, false, false};
    check(c, 11, x_edge, y_edge);
    Product product(c, 11);
    for (const Table* table : tables()) {
      const std::vector<float> y = product.run(*table, x_edge, y_edge);
      for (std::size_t i = 0; i < y.size(); ++i)
        ASSERT_EQ(y[i], sum_in_order(&product.w[i % c.N * c.K], &product.x[i / c.N * c.K], c.K, c.N))
            << table->name << ", M " << c.M << ", N " << c.N << ", K " << c.K << ", element " << i;
    }
  }
}

class GemmTable : public KernelTest {};
TEST_ALL_TABLES(GemmTable);

// A stream gives the same bits alone and in any batch.
TEST_P(GemmTable, ARowHasTheSameBitsAloneAndInABatch) {
  for (int i = 0; i < 300; ++i) {
    const std::size_t M = 1 + below(i < 10 ? 200 : 24), N = 1 + below(200), K = 1 + below(90);
    const std::vector<float> w = randoms(N * K, random), x = randoms(M * K, random),
                             bias = randoms(N, random);
    const Packed packed(table, N, K, w.data());
    std::vector<float> y(M * N), alone(N);
    const Rows init{bias.data(), 0, nullptr};
    table.gemm(packed.panels(), M, Rows{x.data(), K, nullptr}, init, N, MutableRows{y.data(), N, nullptr});
    for (std::size_t m = 0; m < M; ++m) {
      table.gemm(packed.panels(), 1, Rows{&x[m * K], K, nullptr}, init, N,
                 MutableRows{alone.data(), N, nullptr});
      ASSERT_TRUE(same_bits(alone.data(), &y[m * N], N))
          << "M " << M << ", N " << N << ", K " << K << ", row " << m;
    }
  }
}

TEST_P(GemmTable, GatesMayBePaddedEachByItself) {
  for (std::size_t gates = 2; gates <= 4; ++gates) {
    for (std::size_t H = 1; H <= 67; H += 1 + below(5)) {
      const std::size_t N = gates * H, width = padded(H), K = 1 + below(40), M = 1 + below(13);
      const std::vector<float> w = randoms(N * K, random), x = randoms(M * K, random), b = randoms(N, random);
      const Packed packed(table, N, K, w.data(), gates);
      std::vector<float> expected(M * N), y(M * gates * width), bias(gates * width);
      for (std::size_t i = 0; i < N; ++i) bias[i / H * width + i % H] = b[i];
      const auto columns = [&](std::vector<float>& rows) {
        return MutableRows{rows.data(), rows.size() / M, nullptr};
      };
      const Rows in{x.data(), K, nullptr};
      table.gemm(packed.panels(), M, in, {b.data(), 0, nullptr}, N, columns(expected));
      table.gemm(packed.panels(), M, in, {bias.data(), 0, nullptr}, gates * width, columns(y));
      for (std::size_t m = 0; m < M; ++m)
        for (std::size_t g = 0; g < gates; ++g) {
          const float* const gate = &y[(m * gates + g) * width];
          ASSERT_TRUE(same_bits(gate, &expected[m * N + g * H], H)) << "H " << H << ", gate " << g;
          ASSERT_EQ(std::count(gate + H, gate + width, 0.0f), static_cast<std::ptrdiff_t>(width - H));
        }
    }
  }
}

TEST_P(GemmTable, GatherIsAProductWithOneHotRows) {
  for (std::size_t N = 1; N <= 72; ++N) {
    const std::size_t K = 1 + below(40), M = 1 + below(13);
    const Case c = random_case(M, N, K, random);
    Product product(c, static_cast<unsigned>(N));
    std::fill(product.x.begin(), product.x.end(), 0.0f);
    for (std::size_t m = 0; m < M; ++m) product.x[m * K + below(K)] = 1.0f;
    Edge x_edge(M * K);
    Edge y_edge(M * padded(N));
    const std::vector<float> expected = product.run(table, x_edge, y_edge);

    for (std::size_t gates = 0; gates <= 4; ++gates) {
      if (gates > 0 && N % gates != 0) continue;
      const Packed packed(table, N, K, product.w.data(), gates);
      const auto gather = [&](const Rows& in, const Rows& start, const MutableRows& out) {
        std::vector<std::int32_t> order(M);  // row m of x is somewhere, and its index goes with it
        for (std::size_t m = 0; m < M; ++m) {
          const float* row = in.pointers != nullptr ? in.pointers[m] : in.base + m * in.stride;
          order[m] = static_cast<std::int32_t>(std::max_element(row, row + K) - row);
        }
        table.gather(packed.panels(), M, order.data(), start, product.columns(gates), out);
      };
      const std::vector<float> y = product.run(table, x_edge, y_edge, gather);
      ASSERT_TRUE(same_bits(y.data(), expected.data(), y.size()))
          << "N " << N << ", K " << K << ", M " << M << ", gates " << gates;
    }
  }
}

std::vector<float> packed_values(const Table& table, const Panels& w, const std::vector<float>& values,
                                 std::size_t row_stride, std::size_t column_stride) {
  Array packed(packed_size(table, w));
  for (std::size_t p = panel_count(table, w); p-- > 0;)
    pack(table, w, {values.data(), row_stride, column_stride, 0}, p, p + 1, packed.data());
  return std::vector<float>(packed.begin(), packed.end());
}

std::vector<float> transpose(const std::vector<float>& w, std::size_t rows, std::size_t depth) {
  std::vector<float> transposed(w.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < depth; ++k) transposed[k * rows + i] = w[i * depth + k];
  return transposed;
}

// Rows (units) that the panel from row `first` on has room for.
std::size_t panel_width(const Table& table, std::size_t rows, std::size_t first, std::size_t panel) {
  const std::size_t rest = rows % table.lanes;
  const std::size_t wide = table.narrow < table.lanes && rest <= table.narrow ? rows - rest : rows;
  if (first == wide) return table.narrow;
  return std::min(panel, (wide - first + table.lanes - 1) / table.lanes * table.lanes);
}

// Elements are where table.h says, what is beyond the rows is zero, and panels can be packed one by one.
void check_layout(const Table& table, std::size_t units, std::size_t gates, std::size_t depth,
                  std::mt19937& random) {
  const std::size_t groups = gates > 1 ? gates : 1, rows = units * groups;
  const std::vector<float> w = randoms(rows * depth, random);
  const Panels shape{nullptr, rows, depth, gates};
  const std::vector<float> packed = packed_values(table, shape, w, depth, 1);
  std::size_t panels = 0, at = 0;
  for (std::size_t first = 0, width; first < units; first += width, ++panels) {
    width = panel_width(table, units, first, gates > 1 ? table.lanes : table.panel);
    for (std::size_t k = 0; k < depth; ++k)
      for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t i = first; i < first + width; ++i, ++at)
          ASSERT_EQ(packed.at(at), i < units ? w[(g * units + i) * depth + k] : 0.0f) << "element " << at;
  }
  EXPECT_EQ(packed.size(), at);
  EXPECT_EQ(panel_count(table, shape), panels);
  EXPECT_EQ(packed, packed_values(table, shape, transpose(w, rows, depth), 1, rows));
}

TEST_P(GemmTable, PackedLayout) {
  EXPECT_EQ(table.panel % table.lanes, 0u);
  EXPECT_TRUE(table.narrow == table.lanes || 2 * table.narrow == table.lanes);
  for (const std::size_t rows : {1u, 3u, 8u, 9u, 15u, 16u, 17u, 40u, 64u, 65u, 72u, 73u, 100u, 131u})
    for (const std::size_t depth : {1u, 2u, 7u, 33u}) check_layout(table, rows, 0, depth, random);
}

TEST_P(GemmTable, PackedLayoutOfGates) {
  for (const std::size_t units : {1u, 3u, 8u, 9u, 16u, 17u, 24u, 40u, 50u})
    for (std::size_t gates = 2; gates <= 4; ++gates) check_layout(table, units, gates, 1 + below(9), random);
}

}  // namespace
}  // namespace rnn::kernels

// The recurrent step of each cell, forward and backward.
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

// Random vectors [M, H] in rows of padded(H).
struct Block {
  Block(std::size_t M, std::size_t H, bool by_pointer, std::mt19937& random)
      : data(M * padded(H)), spread(data.data(), M, padded(H), by_pointer, random) {
    fill_rows(data.data(), M, H, padded(H), random);
  }
  Rows rows() const { return spread.rows(); }
  const float* row(std::size_t m) const { return spread.row(m); }

  Array data;
  Spread spread;
};

void expect_zero_padding(const Block& block, std::size_t M, std::size_t H) {
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t i = H; i < padded(H); ++i)
      ASSERT_EQ(block.row(m)[i], 0.0f) << "row " << m << ", element " << i;
}

// sum of w[i, k] x[k], and of its terms' magnitudes.
std::pair<double, double> product(const float* w, const float* x, std::size_t n) {
  double sum = 0;
  double magnitude = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const double term = static_cast<double>(w[k]) * x[k];
    sum += term;
    magnitude += std::fabs(term);
  }
  return {sum, magnitude};
}

double sum_bound(std::size_t terms, double magnitude) {
  return 2.0 * static_cast<double>(terms + 3) * kRoundoff * magnitude + 4 * kRoundoff;
}

std::vector<float> dense(const Block& block, std::size_t M, std::size_t H) {
  std::vector<float> values;
  for (std::size_t m = 0; m < M; ++m) values.insert(values.end(), block.row(m), block.row(m) + H);
  return values;
}

// h[M, H] of one random step, after it was compared with the truth.
std::vector<float> forward(const Table& table, std::size_t M, std::size_t H, bool by_pointer, bool in_place) {
  std::mt19937 random(static_cast<unsigned>(M * 1000 + H));
  const std::vector<float> w = randoms(H * H, random);
  const Packed packed(table, H, H, w.data());
  const Block h_prev(M, H, by_pointer, random), pre(M, H, by_pointer, random);
  Block h(M, H, by_pointer, random);

  const std::vector<float> pre_before = dense(pre, M, H);
  Block copy(M, H, false, random);
  for (std::size_t m = 0; m < M; ++m) std::copy_n(pre.row(m), padded(H), copy.data.data() + m * padded(H));
  Block& out = in_place ? copy : h;
  table.vanilla_forward(packed.panels(), M, h_prev.rows(), in_place ? copy.rows() : pre.rows(), padded(H),
                        out.spread.mutable_rows());

  for (std::size_t m = 0; m < M; ++m) {
    for (std::size_t i = 0; i < H; ++i) {
      const auto [sum, magnitude] = product(&w[i * H], h_prev.row(m), H);
      const double a = pre_before[m * H + i];
      EXPECT_NEAR(out.row(m)[i], std::tanh(a + sum), sum_bound(H, magnitude + std::fabs(a)))
          << "M " << M << ", H " << H << ", row " << m << ", element " << i;
    }
  }
  expect_zero_padding(out, M, H);
  return dense(out, M, H);
}

// d_pre[M, H] of one random step backwards, of which M_next rows have a successor.
std::vector<float> backward(const Table& table, std::size_t M, std::size_t M_next, std::size_t H,
                            bool by_pointer, bool in_place) {
  std::mt19937 random(static_cast<unsigned>(M * 1000 + H));
  const std::vector<float> w = randoms(H * H, random);
  const Packed packed(table, H, H, w.data(), true);  // W^T
  const Block d_next(std::max<std::size_t>(M_next, 1), H, by_pointer, random);
  const Block h(M, H, by_pointer, random);
  Block d_h(M, H, by_pointer, random), d_pre(M, H, by_pointer, random);
  const std::vector<float> d_h_before = dense(d_h, M, H);

  Block& out = in_place ? d_h : d_pre;
  table.vanilla_backward(packed.panels(), M, M_next, M_next > 0 ? d_next.rows() : Rows{nullptr, 0, nullptr},
                         d_h.rows(), h.rows(), padded(H), out.spread.mutable_rows());

  for (std::size_t m = 0; m < M; ++m) {
    for (std::size_t i = 0; i < H; ++i) {
      double sum = d_h_before[m * H + i];
      double magnitude = std::fabs(sum);
      for (std::size_t k = 0; m < M_next && k < H; ++k) {
        const double term = static_cast<double>(w[k * H + i]) * d_next.row(m)[k];
        sum += term;
        magnitude += std::fabs(term);
      }
      const double slope = 1 - static_cast<double>(h.row(m)[i]) * h.row(m)[i];
      EXPECT_NEAR(out.row(m)[i], sum * slope, sum_bound(H, magnitude))
          << "M " << M << ", M_next " << M_next << ", H " << H << ", row " << m << ", element " << i;
    }
  }
  expect_zero_padding(out, M, H);
  return dense(out, M, H);
}

template <class Run>
void expect_same_bits_on_fma_tables(const Run& run) {
  std::vector<float> first;
  for (const Table* table : tables()) {
    SCOPED_TRACE(table->name);
    const std::vector<float> values = run(*table);
    if (!has_fma(*table)) continue;
    if (first.empty()) first = values;
    ASSERT_TRUE(same_bits(values.data(), first.data(), values.size()));
  }
}

TEST(VanillaKernel, Forward) {
  std::mt19937 random(3);
  for (std::size_t H = 1; H <= 67; ++H) {
    const std::size_t M = 1 + random() % 13;
    expect_same_bits_on_fma_tables(
        [&](const Table& table) { return forward(table, M, H, H % 2 == 0, H % 3 == 0); });
  }
  for (const auto& [M, H] : {std::pair<std::size_t, std::size_t>{1, 257}, {100, 33}, {6, 513}})
    expect_same_bits_on_fma_tables(
        [&, M = M, H = H](const Table& table) { return forward(table, M, H, false, false); });
}

TEST(VanillaKernel, Backward) {
  std::mt19937 random(4);
  for (std::size_t H = 1; H <= 67; ++H) {
    const std::size_t M = 1 + random() % 13;
    for (const std::size_t M_next : {std::size_t{0}, M / 2, M})
      expect_same_bits_on_fma_tables(
          [&](const Table& table) { return backward(table, M, M_next, H, H % 2 == 0, H % 3 == 0); });
  }
  for (const auto& [M, H] : {std::pair<std::size_t, std::size_t>{1, 257}, {100, 33}, {6, 513}})
    expect_same_bits_on_fma_tables(
        [&, M = M, H = H](const Table& table) { return backward(table, M, M - 1, H, false, true); });
}

class VanillaTable : public KernelTest {};
TEST_ALL_TABLES(VanillaTable);

TEST_P(VanillaTable, ARowHasTheSameBitsAloneAndInABatch) {
  for (int i = 0; i < 100; ++i) {
    const std::size_t M = 1 + below(24), H = 1 + below(100), n = padded(H);
    const Packed packed(table, H, H, randoms(H * H, random).data());
    const Block h_prev(M, H, false, random), pre(M, H, false, random), d_next(M, H, false, random);
    Block h(M, H, false, random), d_pre(M, H, false, random), alone(1, H, false, random);
    table.vanilla_forward(packed.panels(), M, h_prev.rows(), pre.rows(), n, h.spread.mutable_rows());
    table.vanilla_backward(packed.panels(), M, M, d_next.rows(), pre.rows(), h.rows(), n,
                           d_pre.spread.mutable_rows());
    for (std::size_t m = 0; m < M; ++m) {
      table.vanilla_forward(packed.panels(), 1, h_prev.spread.from(m), pre.spread.from(m), n,
                            alone.spread.mutable_rows());
      ASSERT_TRUE(same_bits(alone.row(0), h.row(m), n)) << "M " << M << ", H " << H;
      table.vanilla_backward(packed.panels(), 1, 1, d_next.spread.from(m), pre.spread.from(m),
                             h.spread.from(m), n, alone.spread.mutable_rows());
      ASSERT_TRUE(same_bits(alone.row(0), d_pre.row(m), n)) << "M " << M << ", H " << H;
    }
  }
}

// h after each of 100 steps of a network initialised as PyTorch does it.
std::vector<float> trajectory(const Table& table) {
  constexpr std::size_t H = 64, T = 100;
  std::mt19937 random(7);
  std::vector<float> w = randoms(H * H, random), pre = randoms(T * H, random), h((T + 1) * H);
  for (float& value : w) value *= 0.125f;
  const Packed packed(table, H, H, w.data());
  for (std::size_t t = 0; t < T; ++t)
    table.vanilla_forward(packed.panels(), 1, {&h[t * H], 0, nullptr}, {&pre[t * H], 0, nullptr}, H,
                          {&h[(t + 1) * H], 0, nullptr});
  return h;
}

// Without fused multiply-add the bits differ; the bound is the one that README.md states.
TEST(Trajectory, StaysNearOnEveryInstructionSet) {
  const std::vector<float> best = trajectory(*tables().back());
  for (const Table* table : tables()) {
    const std::vector<float> h = trajectory(*table);
    float most = 0;
    for (std::size_t i = 0; i < h.size(); ++i) most = std::max(most, std::fabs(h[i] - best[i]));
    EXPECT_LE(most, has_fma(*table) ? 0.0f : 1e-6f) << table->name;
    RecordProperty(table->name, std::to_string(most));
  }
}

}  // namespace
}  // namespace rnn::kernels

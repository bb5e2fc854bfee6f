// Softmax and the losses: value, gradient, and numbers that overflow where the formula is taken literally.
#include <cstdint>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

double log_sum_exp(const float* y, std::size_t n) {
  const double max = *std::max_element(y, y + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(y[i] - max);
  return max + std::log(sum);
}

// M rows of N outputs up to +- reach, in padded rows.
struct Outputs {
  Outputs(std::size_t rows, std::size_t columns, float reach, std::mt19937& random)
      : M(rows), N(columns), ldy(padded(columns) + kPad * (random() % 2)), y(M * ldy), scale(M) {
    fill_rows(y.data(), M, N, ldy, random);
    for (float& value : y) value *= reach;
    fill(scale, random);
  }
  const float* row(std::size_t m) const { return y.data() + m * ldy; }

  std::size_t M, N, ldy;
  Array y;
  std::vector<float> scale;
};

// kernel(table, y, scale or null) returns what it writes besides y. Checks that y stays without a scale, that
// padding stays zero, that every row is independent of the others and that the tables agree;
// check_row(m, results, gradient row or null) compares with the truth.
template <class Kernel, class Check>
void check_loss(const Outputs& in, const Kernel& kernel, const Check& check_row) {
  SCOPED_TRACE(testing::Message() << "M " << in.M << ", N " << in.N);
  std::vector<float> first;
  for (const Table* table : tables()) {
    SCOPED_TRACE(table->name);
    for (const float* scale : {static_cast<const float*>(nullptr), in.scale.data()}) {
      Array y(in.y.size());
      std::copy(in.y.begin(), in.y.end(), y.begin());
      std::vector<float> results = kernel(*table, in.M, y.data(), scale, std::size_t{0});
      if (scale == nullptr) {
        ASSERT_TRUE(same_bits(y.data(), in.y.data(), y.size()));
      }
      const std::size_t per_row = results.size() / in.M;
      for (std::size_t m = 0; m < in.M; ++m) {
        check_row(m, &results[m * per_row], scale == nullptr ? nullptr : y.data() + m * in.ldy);
        for (std::size_t i = in.N; i < in.ldy; ++i) ASSERT_EQ(y[m * in.ldy + i], 0.0f);

        Array alone(in.ldy);
        std::copy_n(in.row(m), in.ldy, alone.begin());
        const std::vector<float> result =
            kernel(*table, std::size_t{1}, alone.data(), scale == nullptr ? nullptr : scale + m, m);
        ASSERT_TRUE(same_bits(result.data(), &results[m * per_row], per_row));
        ASSERT_TRUE(same_bits(alone.data(), y.data() + m * in.ldy, in.ldy));
      }
      if (scale == nullptr) continue;
      results.insert(results.end(), y.begin(), y.end());
      if (first.empty()) first = results;
      ASSERT_TRUE(same_bits(results.data(), first.data(), first.size()));
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

// How the rounding of the exponents and of a sum of n terms shows in a softmax.
double softmax_bound(float reach, std::size_t n) {
  return (8.0 * reach + 16 + static_cast<double>(n)) * kRoundoff;
}

void check_cross_entropy(std::size_t M, std::size_t N, float reach, std::mt19937& random) {
  const Outputs in(M, N, reach, random);
  std::vector<std::int32_t> classes(M);
  for (std::int32_t& c : classes) c = static_cast<std::int32_t>(random() % N);
  check_loss(
      in,
      [&](const Table& table, std::size_t rows, float* y, const float* scale, std::size_t first) {
        std::vector<SoftmaxRow> out(rows);
        table.softmax_cross_entropy(rows, N, y, in.ldy, &classes[first], scale, out.data());
        std::vector<float> results;
        for (const SoftmaxRow& row : out) results.insert(results.end(), {row.sum, row.gap});
        return results;
      },
      [&](std::size_t m, const float* result, const float* gradient) {
        const double all = log_sum_exp(in.row(m), N);
        const double loss = all - in.row(m)[classes[m]];
        ASSERT_GE(result[0], 1.0f);
        ASSERT_GE(result[1], 0.0f);
        ASSERT_NEAR(result[1] + std::log(static_cast<double>(result[0])), loss,
                    softmax_bound(reach, N) + 2 * kRoundoff * loss);
        for (std::size_t i = 0; gradient != nullptr && i < N; ++i) {
          const double p = std::exp(in.row(m)[i] - all);
          const double one = i == static_cast<std::size_t>(classes[m]) ? 1 : 0;
          ASSERT_NEAR(gradient[i], in.scale[m] * (p - one),
                      std::fabs(in.scale[m]) * (p * softmax_bound(reach, N) + one * 4 * kRoundoff) + 1e-37);
        }
      });
}

TEST(Loss, SoftmaxCrossEntropy) {
  std::mt19937 random(7);
  for (std::size_t N = 1; N <= 67; ++N) check_cross_entropy(1 + random() % 5, N, 8.0f, random);
  for (const float reach : {1e-3f, 1.0f, 80.0f, 1000.0f}) check_cross_entropy(3, 100, reach, random);
  check_cross_entropy(2, 10007, 10.0f, random);
}

void check_smoothed(std::size_t M, std::size_t N, float reach, Edge& edge, std::mt19937& random) {
  const Outputs in(M, N, reach, random);
  std::vector<std::int32_t> classes(M);
  std::vector<float> certain(M);
  for (std::int32_t& c : classes) c = static_cast<std::int32_t>(random() % N);
  for (float& c : certain) c = static_cast<float>(random() % 3) * 0.4f;
  float* const prior = edge.last(N);
  double mass = 0;
  for (std::size_t j = 0; j < N; ++j)
    mass += prior[j] = static_cast<float>(random() % 4) / (8 * static_cast<float>(N));
  check_loss(
      in,
      [&](const Table& table, std::size_t rows, float* y, const float* scale, std::size_t first) {
        std::vector<SoftmaxRow> out(rows);
        std::vector<float> rest(rows);
        table.smoothed_cross_entropy(rows, N, y, in.ldy, &classes[first], &certain[first], prior,
                                     static_cast<float>(mass), scale, out.data(), rest.data());
        std::vector<float> results;
        for (std::size_t m = 0; m < rows; ++m)
          results.insert(results.end(), {out[m].sum, out[m].gap, rest[m]});
        return results;
      },
      [&](std::size_t m, const float* result, const float* gradient) {
        const double all = log_sum_exp(in.row(m), N), c = certain[m];
        const auto target = static_cast<std::size_t>(classes[m]);
        double loss = c * (all - in.row(m)[target]);
        for (std::size_t j = 0; j < N; ++j) loss += prior[j] * (all - in.row(m)[j]);
        const double log_sum = std::log(static_cast<double>(result[0]));
        ASSERT_NEAR(
            c * (log_sum + result[1]) + mass * log_sum + result[2], loss,
            (c + mass) * softmax_bound(reach, N) + (8 + static_cast<double>(N) / 8) * kRoundoff * loss);
        for (std::size_t j = 0; gradient != nullptr && j < N; ++j) {
          const double p = std::exp(in.row(m)[j] - all), label = prior[j] + (j == target ? c : 0.0);
          ASSERT_NEAR(gradient[j], in.scale[m] * ((c + mass) * p - label),
                      std::fabs(in.scale[m]) * ((c + mass) * p * (softmax_bound(reach, N) + 4 * kRoundoff) +
                                                label * 4 * kRoundoff) +
                          1e-37);
        }
      });
}

TEST(Loss, SmoothedCrossEntropy) {
  std::mt19937 random(17);
  Edge edge(1000);
  for (std::size_t N = 1; N <= 67; ++N) check_smoothed(1 + random() % 5, N, 8.0f, edge, random);
  for (const float reach : {1e-3f, 1.0f, 80.0f, 1000.0f}) check_smoothed(3, 1000, reach, edge, random);
}

// Distances beyond what exp can represent: the loss is the gap, and nothing becomes infinite or NaN.
TEST(Loss, SoftmaxCrossEntropyFarApart) {
  for (const Table* table : tables()) {
    Array y(16);
    y[0] = -3e38f;
    y[1] = 1e30f;
    y[2] = -1e30f;
    const std::int32_t wrong = 2;
    const float scale = 0.5f;
    SoftmaxRow row;
    table->softmax_cross_entropy(1, 3, y.data(), 16, &wrong, &scale, &row);
    EXPECT_EQ(row.sum, 1.0f) << table->name;
    EXPECT_EQ(row.gap, 2e30f) << table->name;
    EXPECT_EQ(y[0], 0.0f) << table->name;
    EXPECT_EQ(y[1], 0.5f) << table->name;
    EXPECT_EQ(y[2], -0.5f) << table->name;
  }
}

TEST(Loss, NotANumberIsNotHidden) {
  for (const Table* table : tables()) {
    for (std::size_t where : {0u, 5u, 19u}) {
      Array y(32);
      y[where] = std::nanf("");
      const std::int32_t target = 1;
      std::vector<float> targets(20, 0.5f);
      SoftmaxRow row;
      table->softmax_cross_entropy(1, 20, y.data(), 32, &target, nullptr, &row);
      EXPECT_TRUE(std::isnan(row.sum)) << table->name << ", element " << where;
      float rest = 0;
      table->smoothed_cross_entropy(1, 20, y.data(), 32, &target, targets.data(), targets.data(), 10.0f,
                                    nullptr, &row, &rest);
      EXPECT_TRUE(std::isnan(row.sum) && std::isnan(rest)) << table->name << ", element " << where;
      float loss = 0;
      table->squared_error(1, 20, y.data(), 32, targets.data(), 20, nullptr, &loss);
      EXPECT_TRUE(std::isnan(loss)) << table->name << ", element " << where;
      loss = 0;
      table->binary_cross_entropy(1, 20, y.data(), 32, targets.data(), 20, nullptr, &loss);
      EXPECT_TRUE(std::isnan(loss)) << table->name << ", element " << where;
      Array p(20);
      table->softmax(20, y.data(), 1.0f, p.data());
      EXPECT_TRUE(std::isnan(p[where])) << table->name << ", element " << where;
      y[where] = 0.0f;
    }
  }
}

TEST(Loss, Softmax) {
  std::mt19937 random(8);
  Edge x_edge(1000);
  Edge y_edge(1000);
  for (std::size_t n = 1; n <= 68; ++n) {
    const std::size_t N = n <= 67 ? n : 1000;
    for (const float scale : {1.0f, 0.1f, 10.0f}) {
      float* const x = x_edge.last(N);
      fill_rows(x, 1, N, N, random);
      for (std::size_t i = 0; i < N; ++i) x[i] *= 10;
      std::vector<float> scaled(N), first;
      for (std::size_t i = 0; i < N; ++i) scaled[i] = x[i];
      for (const Table* table : tables()) {
        SCOPED_TRACE(testing::Message() << table->name << ", N " << N << ", scale " << scale);
        float* const y = y_edge.last(N);
        table->softmax(N, x, scale, y);
        double total = 0;
        for (std::size_t i = 0; i < N; ++i) total += std::exp(static_cast<double>(scale) * x[i]);
        for (std::size_t i = 0; i < N; ++i) {
          const double p = std::exp(static_cast<double>(scale) * x[i]) / total;
          ASSERT_NEAR(y[i], p, p * softmax_bound(10 * scale, N) + 1e-37);
        }
        std::vector<float> in_place(x, x + N);
        table->softmax(N, in_place.data(), scale, in_place.data());
        ASSERT_TRUE(same_bits(in_place.data(), y, N));
        if (first.empty()) first.assign(y, y + N);
        ASSERT_TRUE(same_bits(first.data(), y, N));
      }
    }
  }
}

// Targets as a caller has them: dense, unaligned, ending where memory ends.
float* caller_targets(Edge& edge, std::size_t n, bool probabilities, std::mt19937& random) {
  float* const targets = edge.last(n);
  fill_rows(targets, 1, n, n, random);
  for (std::size_t i = 0; probabilities && i < n; ++i)
    targets[i] = i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1.0f : 0.5f + 0.5f * targets[i];
  return targets;
}

TEST(Loss, SquaredError) {
  std::mt19937 random(9);
  Edge edge(4 * 1000);
  for (std::size_t n = 1; n <= 68; ++n) {
    const std::size_t N = n <= 67 ? n : 1000;
    const Outputs in(1 + random() % 4, N, 3.0f, random);
    const float* const targets = caller_targets(edge, in.M * N, false, random);
    check_loss(
        in,
        [&](const Table& table, std::size_t rows, float* y, const float* scale, std::size_t first) {
          std::vector<float> loss(rows);
          table.squared_error(rows, N, y, in.ldy, targets + first * N, N, scale, loss.data());
          return loss;
        },
        [&](std::size_t m, const float* result, const float* gradient) {
          double sum = 0;
          for (std::size_t i = 0; i < N; ++i) {
            const double error = static_cast<double>(in.row(m)[i]) - targets[m * N + i];
            sum += error * error;
            if (gradient != nullptr) {
              const double exact = 2 * in.scale[m] * error;
              ASSERT_NEAR(gradient[i], exact, 4 * kRoundoff * std::fabs(exact));
            }
          }
          ASSERT_NEAR(*result, sum, (8 + static_cast<double>(N) / 8) * kRoundoff * sum);
        });
  }
}

void check_binary_cross_entropy(std::size_t N, float reach, Edge& edge, std::mt19937& random) {
  const Outputs in(1 + random() % 4, N, reach, random);
  const float* const targets = caller_targets(edge, in.M * N, true, random);
  check_loss(
      in,
      [&](const Table& table, std::size_t rows, float* y, const float* scale, std::size_t first) {
        std::vector<float> loss(rows);
        table.binary_cross_entropy(rows, N, y, in.ldy, targets + first * N, N, scale, loss.data());
        return loss;
      },
      [&](std::size_t m, const float* result, const float* gradient) {
        double sum = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < N; ++i) {
          const double y = in.row(m)[i];
          const double t = targets[m * N + i];
          const double term = std::max(y, 0.0) + std::log1p(std::exp(-std::fabs(y))) - t * y;
          sum += term;
          magnitude += std::fabs(y) + 1;
          if (gradient != nullptr) {
            const double sigmoid = 1 / (1 + std::exp(-y));
            ASSERT_NEAR(gradient[i], in.scale[m] * (sigmoid - t), std::fabs(in.scale[m]) * 6 * kRoundoff);
          }
        }
        ASSERT_NEAR(*result, sum, (8 + static_cast<double>(N) / 8) * kRoundoff * magnitude);
      });
}

TEST(Loss, BinaryCrossEntropy) {
  std::mt19937 random(10);
  Edge edge(4 * 1000);
  for (std::size_t N = 1; N <= 67; ++N) check_binary_cross_entropy(N, 8.0f, edge, random);
  for (const float reach : {1e-3f, 100.0f, 1e30f}) check_binary_cross_entropy(1000, reach, edge, random);
}

}  // namespace
}  // namespace rnn::kernels

// The activations of layers without recurrence, against their formulas in double: values and slopes over bit
// patterns of float, special values, and rows.
#include <limits>
#include <ostream>

#include "lib/kernels/subnormals.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double normal(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }
double density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); }

using Formula = double (*)(double x, double alpha, double beta);

struct Kind {
  const char* name;
  Activation activation;
  Formula value, slope;
  double ulp;        // largest error of a value, as dense-inl.h says
  double slope_ulp;  // and of a slope, in units of the last place of 1
  double smallest;   // below this magnitude a value may be 0
  float at_infinity, at_minus_infinity;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

constexpr double kNormal = std::numeric_limits<float>::min();

const Kind kKinds[] = {
    {"none",
     {ActivationKind::none, 0, 0},
     [](double x, double, double) { return x; },
     [](double, double, double) { return 1.0; },
     0,
     0,
     0,
     kInfinity,
     -kInfinity},
    {"tanh",
     {ActivationKind::tanh, 0, 0},
     [](double x, double, double) { return std::tanh(x); },
     [](double x, double, double) { return 1 - std::tanh(x) * std::tanh(x); },
     2.49,
     3,
     0,
     1,
     -1},
    {"relu",
     {ActivationKind::relu, 0, 0},
     [](double x, double, double) { return std::max(0.0, x); },
     [](double x, double, double) { return x > 0 ? 1.0 : 0.0; },
     0,
     0,
     0,
     kInfinity,
     0},
    {"sigmoid",
     {ActivationKind::sigmoid, 0, 0},
     [](double x, double, double) { return sigmoid(x); },
     [](double x, double, double) { return sigmoid(x) * sigmoid(-x); },
     2.59,
     2,
     kNormal,
     1,
     0},
    {"elu",
     {ActivationKind::elu, 0.7f, 0},
     [](double x, double a, double) { return x > 0 ? x : a * std::expm1(x); },
     [](double x, double a, double) { return x > 0 ? 1 : a * std::exp(x); },
     3,
     2,
     0,
     kInfinity,
     -0.7f},
    {"leaky_relu",
     {ActivationKind::leaky_relu, 0.01f, 0},
     [](double x, double a, double) { return x > 0 ? x : a * x; },
     [](double x, double a, double) { return x > 0 ? 1 : a; },
     0.51,
     0.01,
     0,
     kInfinity,
     -kInfinity},
    {"prelu",
     {ActivationKind::prelu, 0.3f, 0},
     [](double x, double a, double) { return x > 0 ? x : a * x; },
     [](double x, double a, double) { return x > 0 ? 1 : a; },
     0.51,
     0.01,
     0,
     kInfinity,
     -kInfinity},
    {"softsign",
     {ActivationKind::softsign, 0, 0},
     [](double x, double, double) { return x / (1 + std::fabs(x)); },
     [](double x, double, double) { return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x))); },
     1.51,
     2,
     0,
     1,
     -1},
    {"gelu",
     {ActivationKind::gelu, 0, 0},
     [](double x, double, double) { return x * normal(x); },
     [](double x, double, double) { return normal(x) + x * density(x); },
     8,
     3,
     1e-36,
     kInfinity,
     0},
    {"swish",
     {ActivationKind::swish, 0, 0},
     [](double x, double, double) { return x * sigmoid(x); },
     [](double x, double, double) { return sigmoid(x) * (1 + x * sigmoid(-x)); },
     4,
     3,
     1e-36,
     kInfinity,
     0},
    {"hard_sigmoid",
     {ActivationKind::hard_sigmoid, 0.2f, 0.5f},
     [](double x, double a, double b) { return std::max(0.0, std::min(1.0, a * x + b)); },
     [](double x, double a, double b) { return a * x + b > 0 && a * x + b < 1 ? a : 0; },
     0.51,
     0.01,
     0,
     1,
     0},
    {"softplus",
     {ActivationKind::softplus, 0, 0},
     [](double x, double, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); },
     [](double x, double, double) { return sigmoid(x); },
     5,
     3,
     kNormal,
     kInfinity,
     0},
    {"affine",
     {ActivationKind::affine, 1.7f, -0.3f},
     [](double x, double a, double b) { return a * x + b; },
     [](double, double a, double) { return a; },
     0.51,
     0.01,
     0,
     kInfinity,
     -kInfinity},
    {"scaled_tanh",
     {ActivationKind::scaled_tanh, 1.7159f, 0.6667f},
     [](double x, double a, double b) { return a * std::tanh(b * x); },
     [](double x, double a, double b) { return a * b * (1 - std::tanh(b * x) * std::tanh(b * x)); },
     5,
     5,
     0,
     1.7159f,
     -1.7159f},
    {"thresholded_relu",
     {ActivationKind::thresholded_relu, 0.5f, 0},
     [](double x, double a, double) { return x > a ? x : 0; },
     [](double x, double a, double) { return x > a ? 1.0 : 0.0; },
     0,
     0,
     0,
     kInfinity,
     0},
};
const Activation kSoftmax = {ActivationKind::softmax, 0, 0};

// Rows of n at base, one behind the other.
Rows rows(const std::vector<float>& values, std::size_t n) { return {values.data(), n, nullptr}; }
MutableRows writable(std::vector<float>& values, std::size_t n) { return {values.data(), n, nullptr}; }

CellForward forward_step(const Activation& activation, std::size_t M, std::size_t H, const float* slopes,
                         const MutableRows& gates, const MutableRows& h) {
  CellForward step{};
  step.M = M;
  step.H = H;
  step.vectors[1] = slopes;
  step.gates = gates;
  step.h = h;
  step.activation = activation;
  return step;
}
CellBackward backward_step(const Activation& activation, std::size_t M, std::size_t H, const float* slopes,
                           const MutableRows& gates, const Rows& h, const Rows& d_h,
                           const MutableRows& kept) {
  CellBackward step{};
  step.M = M;
  step.H = H;
  step.vectors[1] = slopes;
  step.gates = gates;
  step.h = h;
  step.d_h = d_h;
  step.kept = kept;
  step.activation = activation;
  return step;
}

// y and, of gradients d, dz and kept.
struct Found {
  std::vector<float> y, dz, kept;
};

Found run(const Table& table, const Activation& activation, const std::vector<float>& z,
          const std::vector<float>& d, const std::vector<float>& slopes) {
  const std::size_t H = slopes.size(), M = z.size() / H;
  std::vector<float> gates = z, y(z.size()), kept(z.size());
  table.dense_forward(forward_step(activation, M, H, slopes.data(), writable(gates, H), writable(y, H)));
  EXPECT_TRUE(same_bits(gates.data(), z.data(), z.size())) << "forward writes gates";
  table.dense_backward(backward_step(activation, M, H, slopes.data(), writable(gates, H), rows(y, H),
                                     rows(d, H), writable(kept, H)));
  return {y, gates, kept};
}

double ulp_of(double x) {
  const double magnitude = std::max(std::fabs(x), kNormal);
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

struct Errors {
  double value = 0, slope = 0;
  float value_at = 0, slope_at = 0;
};

// The errors at the bit patterns 0, stride, 2 stride, ...
Errors measure(const Table& table, const Kind& kind, std::uint32_t stride) {
  constexpr std::size_t kBlock = 4096;
  const double alpha = kind.activation.alpha, beta = kind.activation.beta;
  const std::vector<float> slopes(kBlock, kind.activation.alpha), ones(kBlock, 1.0f);
  Errors errors;
  // Subnormal products and quotients on the way to a result may be zeros.
  const double smallest = kFlushesSubnormals ? kind.smallest : std::max<double>(kind.smallest, 0x1p-118);
  std::uint64_t bits = 0;
  while (bits < std::uint64_t{1} << 32) {
    std::vector<float> z(kBlock);
    for (float& x : z) {
      const std::uint32_t low = static_cast<std::uint32_t>(bits);
      std::memcpy(&x, &low, sizeof x);
      if (bits < std::uint64_t{1} << 32) bits += stride;
    }
    const Found found = run(table, kind.activation, z, ones, slopes);
    for (std::size_t i = 0; i < kBlock; ++i) {
      const double x = z[i];
      if (std::isnan(x) || std::isinf(x)) {
        EXPECT_EQ(std::isnan(x), std::isnan(found.y[i])) << x;
        continue;
      }
      const double y = kind.value(x, alpha, beta), slope = kind.slope(x, alpha, beta);
      if (std::fabs(y) > std::numeric_limits<float>::max() || std::fabs(x) < kNormal) continue;
      const double error = std::fabs(found.y[i] - y) / ulp_of(std::fabs(y));
      if (std::fabs(y) < smallest) {
        EXPECT_LE(std::fabs(found.y[i]), smallest * 1.001) << x;
      } else if (!(error <= errors.value)) {
        errors.value = error;
        errors.value_at = z[i];
      }
      const double off = std::fabs(found.dz[i] - slope) * 0x1p23;
      // Where a slope jumps, rounding may take the other side.
      const bool at_jump = kind.activation.kind == ActivationKind::hard_sigmoid &&
                           std::min(std::fabs(alpha * x + beta), std::fabs(alpha * x + beta - 1)) < 0x1p-22;
      if (!at_jump && !(off <= errors.slope)) {
        errors.slope = off;
        errors.slope_at = z[i];
      }
    }
  }
  return errors;
}

class Dense : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(All, Dense, testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Dense, IsWithinTheStatedError) {
  for (const Table* table : tables()) {
    const Errors errors = measure(*table, GetParam(), 9973);
    EXPECT_LE(errors.value, GetParam().ulp) << table->name << ", at " << errors.value_at;
    EXPECT_LE(errors.slope, GetParam().slope_ulp) << table->name << ", slope at " << errors.slope_at;
  }
}

TEST_P(Dense, SpecialValues) {
  const Kind& kind = GetParam();
  const std::vector<float> slopes(6, kind.activation.alpha), ones(6, 1.0f);
  for (const Table* table : tables()) {
    SCOPED_TRACE(table->name);
    const Found found =
        run(*table, kind.activation, {kInfinity, -kInfinity, kNaN, -kNaN, 0.0f, -0.0f}, ones, slopes);
    EXPECT_EQ(found.y[0], kind.at_infinity);
    EXPECT_EQ(found.y[1], kind.at_minus_infinity);
    EXPECT_TRUE(std::isnan(found.y[2]));
    EXPECT_TRUE(std::isnan(found.y[3]));
    const double alpha = kind.activation.alpha, beta = kind.activation.beta;
    for (const std::size_t i : {4u, 5u}) {
      EXPECT_FLOAT_EQ(found.y[i], static_cast<float>(kind.value(0, alpha, beta)));
      EXPECT_FLOAT_EQ(found.dz[i], static_cast<float>(kind.slope(0, alpha, beta)));
    }
    for (const std::size_t i : {0u, 1u})
      EXPECT_NEAR(found.dz[i], kind.slope(i == 0 ? 1e30 : -1e30, alpha, beta), 1e-6);
  }
}

TEST_P(Dense, SlopeIsTheCentralDifference) {
  const Kind& kind = GetParam();
  std::mt19937 random(7);
  const double alpha = kind.activation.alpha, beta = kind.activation.beta;
  for (int i = 0; i < 2000; ++i) {
    const double x = 6 * static_cast<double>(static_cast<std::int32_t>(random())) * 0x1p-31, step = 1e-5;
    const double slope = (kind.value(x + step, alpha, beta) - kind.value(x - step, alpha, beta)) / (2 * step);
    if (std::fabs(kind.slope(x + step, alpha, beta) - kind.slope(x - step, alpha, beta)) > 1e-3) continue;
    ASSERT_NEAR(kind.slope(x, alpha, beta), slope, 1e-5) << x;
  }
}

// All kinds, softmax too.
class DenseRows : public testing::TestWithParam<int> {
 protected:
  const Activation activation_ = {static_cast<ActivationKind>(GetParam()), 0.3f, 0.6f};
};
INSTANTIATE_TEST_SUITE_P(All, DenseRows, testing::Range(0, 16));

constexpr std::size_t kSizes[] = {1, 7, 16, 33, 100};

TEST_P(DenseRows, EveryTableAndLayoutGivesTheSameBits) {
  for (const std::size_t H : kSizes) {
    std::vector<float> first;
    for (const Table* table : tables()) {
      SCOPED_TRACE(testing::Message() << table->name << ", H " << H);
      std::mt19937 random(static_cast<unsigned>(H));
      const std::size_t M = 5;
      std::vector<float> z = randoms(M * H, random);
      for (float& x : z) x *= 9;
      const std::vector<float> d = randoms(M * H, random), slopes = randoms(H, random);
      const Found whole = run(*table, activation_, z, d, slopes);
      std::vector<float> all = whole.y;
      all.insert(all.end(), whole.dz.begin(), whole.dz.end());
      all.insert(all.end(), whole.kept.begin(), whole.kept.end());
      if (first.empty()) first = all;
      ASSERT_TRUE(same_bits(all.data(), first.data(), all.size())) << "not the bits of the other tables";
      // Row by row.
      for (std::size_t m = 0; m < M; ++m) {
        const auto part = [&](const std::vector<float>& all) {
          return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(m * H),
                                    all.begin() + static_cast<std::ptrdiff_t>((m + 1) * H));
        };
        const Found row = run(*table, activation_, part(z), part(d), slopes);
        ASSERT_TRUE(same_bits(row.y.data(), &whole.y[m * H], H));
        ASSERT_TRUE(same_bits(row.dz.data(), &whole.dz[m * H], H));
        ASSERT_TRUE(same_bits(row.kept.data(), &whole.kept[m * H], H));
      }
      // Rows with something between them, the last of which ends where memory does; y in place or not.
      for (const bool by_pointer : {false, true}) {
        for (const bool in_place : {false, true}) {
          const std::size_t stride = H + 3, n = (M - 1) * stride + H;
          constexpr float kBetween = 777.0f;
          Edge gates_edge(n), h_edge(n), d_edge(n), kept_edge(n);
          float *gates = gates_edge.last(n), *h = h_edge.last(n), *d_h = d_edge.last(n),
                *kept = kept_edge.last(n);
          for (float* values : {gates, h, d_h, kept}) std::fill_n(values, n, kBetween);
          Spread gates_rows(gates, M, stride, by_pointer, random), h_rows(h, M, stride, by_pointer, random);
          Spread d_rows(d_h, M, stride, by_pointer, random), kept_rows(kept, M, stride, by_pointer, random);
          const auto set = [&](const Spread& spread, const std::vector<float>& values) {
            for (std::size_t m = 0; m < M; ++m)
              std::copy_n(&values[m * H], H, const_cast<float*>(spread.row(m)));
          };
          set(gates_rows, z);
          set(d_rows, d);
          table->dense_forward(forward_step(activation_, M, H, slopes.data(), gates_rows.mutable_rows(),
                                            in_place ? gates_rows.mutable_rows() : h_rows.mutable_rows()));
          for (std::size_t m = 0; m < M; ++m) {
            const float* y = in_place ? gates_rows.row(m) : h_rows.row(m);
            ASSERT_TRUE(same_bits(y, &whole.y[m * H], H));
          }
          set(gates_rows, z);
          set(h_rows, whole.y);
          table->dense_backward(backward_step(activation_, M, H, slopes.data(), gates_rows.mutable_rows(),
                                              h_rows.rows(), d_rows.rows(), kept_rows.mutable_rows()));
          for (std::size_t m = 0; m < M; ++m) {
            ASSERT_TRUE(same_bits(gates_rows.row(m), &whole.dz[m * H], H));
            if (activation_.kind == ActivationKind::prelu) {
              ASSERT_TRUE(same_bits(kept_rows.row(m), &whole.kept[m * H], H));
            }
            for (std::size_t i = H; m + 1 < M && i < stride; ++i)
              for (const float* values : {gates, h, d_h, kept}) ASSERT_EQ(values[m * stride + i], kBetween);
          }
        }
      }
    }
  }
}

TEST_P(DenseRows, NoGradientComesToNone) {
  const std::size_t M = 3, H = 21;
  std::mt19937 random(1);
  for (const Table* table : tables()) {
    const std::vector<float> y = randoms(M * H, random), slopes = randoms(H, random);
    std::vector<float> gates = randoms(M * H, random), kept = gates;
    const bool prelu = activation_.kind == ActivationKind::prelu;
    table->dense_backward(backward_step(activation_, M, H, slopes.data(), writable(gates, H), rows(y, H),
                                        {nullptr, 0, nullptr},
                                        prelu ? writable(kept, H) : MutableRows{nullptr, 0, nullptr}));
    for (const float x : gates) ASSERT_EQ(x, 0.0f);
    for (const float x : kept) ASSERT_TRUE(!prelu || x == 0.0f);
  }
}

class DenseTable : public KernelTest {};
TEST_ALL_TABLES(DenseTable);

TEST_P(DenseTable, PreluHasASlopeForEachUnit) {
  const std::size_t M = 4, H = 37;
  std::vector<float> z = randoms(M * H, random);
  const std::vector<float> d = randoms(M * H, random), slopes = randoms(H, random);
  const Found found = run(table, {ActivationKind::prelu, 9, 9}, z, d, slopes);
  for (std::size_t i = 0; i < M * H; ++i) {
    const float slope = z[i] > 0 ? 1.0f : slopes[i % H];
    ASSERT_EQ(found.y[i], slope * z[i]);
    ASSERT_EQ(found.dz[i], slope * d[i]);
    ASSERT_EQ(found.kept[i], d[i] * std::min(z[i], 0.0f));
  }
}

TEST_P(DenseTable, Softmax) {
  for (std::size_t H = 1; H <= 67; ++H) {
    const std::size_t M = 2;
    std::vector<float> z = randoms(M * H, random);
    for (float& x : z) x *= 20;
    const std::vector<float> d = randoms(M * H, random), none(H);
    const Found found = run(table, kSoftmax, z, d, none);
    for (std::size_t m = 0; m < M; ++m) {
      double most = -1e30, sum = 0, mean = 0;
      for (std::size_t j = 0; j < H; ++j) most = std::max(most, static_cast<double>(z[m * H + j]));
      for (std::size_t j = 0; j < H; ++j) sum += std::exp(z[m * H + j] - most);
      for (std::size_t j = 0; j < H; ++j) mean += d[m * H + j] * std::exp(z[m * H + j] - most) / sum;
      for (std::size_t j = 0; j < H; ++j) {
        const double y = std::exp(z[m * H + j] - most) / sum;
        // The difference from the largest is rounded before exp is taken.
        const double most_error = (1e-6 + 0x1p-24 * (most - z[m * H + j])) * y;
        ASSERT_NEAR(found.y[m * H + j], y, most_error) << "H " << H;
        ASSERT_NEAR(found.dz[m * H + j], y * (d[m * H + j] - mean), most_error) << "H " << H;
      }
    }
  }
}

TEST_P(DenseTable, SoftmaxOfExtremes) {
  const std::vector<float> d(3, 1.0f), none(3);
  EXPECT_EQ(run(table, kSoftmax, {-kInfinity, 0, -kInfinity}, d, none).y, (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(run(table, kSoftmax, {3e38f, 3e38f, -3e38f}, d, none).y, (std::vector<float>{0.5f, 0.5f, 0}));
  for (const float y : run(table, kSoftmax, {1, kNaN, 2}, d, none).y) EXPECT_TRUE(std::isnan(y));
}

}  // namespace
}  // namespace rnn::kernels

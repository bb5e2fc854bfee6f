// What the tests of the cells' steps share: the formulas in double of one unit at a time, and buffers.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {

constexpr std::size_t kGates = 4, kVectors = 3;  // the most, the latter beside the bias

// What a unit of one row computes with: the gates buffer, the product's sums, the state, b_hn or peepholes.
struct Unit {
  std::array<double, kGates> a{};
  std::array<double, kGates> s{};
  double h = 0, c = 0;
  std::array<double, kVectors> b{};
};

// What it comes to. What a kernel does not write stays.
struct Result {
  std::array<double, kGates> gates{};
  double kept = 0, h = 0, c = 0;
};

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline Result unchanged(const Unit& u) { return {u.a, 0, 0, 0}; }

inline Result vanilla(const Unit& u) {
  Result y = unchanged(u);
  y.h = std::tanh(u.a[0] + u.s[0]);
  return y;
}

inline Result relu(const Unit& u) {
  Result y = unchanged(u);
  y.h = std::max(0.0, u.a[0] + u.s[0]);
  return y;
}

inline Result lstm(const Unit& u) {
  Result y = unchanged(u);
  for (const std::size_t g : {0, 1, 3}) y.gates[g] = sigmoid(u.a[g] + u.s[g]);
  y.gates[2] = std::tanh(u.a[2] + u.s[2]);
  y.c = y.gates[1] * u.c + y.gates[0] * y.gates[2];
  y.h = y.gates[3] * std::tanh(y.c);
  return y;
}

// Peepholes of i, f, o.
inline Result lstm_peephole(const Unit& u) {
  Result y = unchanged(u);
  for (const std::size_t g : {0, 1}) y.gates[g] = sigmoid(u.a[g] + u.s[g] + u.b[g] * u.c);
  y.gates[2] = std::tanh(u.a[2] + u.s[2]);
  y.c = y.gates[1] * u.c + y.gates[0] * y.gates[2];
  y.gates[3] = sigmoid(u.a[3] + u.s[3] + u.b[2] * y.c);
  y.h = y.gates[3] * std::tanh(y.c);
  return y;
}

// Gates i, g, o; peepholes of i, o.
inline Result lstm_coupled_peephole(const Unit& u) {
  Result y = unchanged(u);
  y.gates[0] = sigmoid(u.a[0] + u.s[0] + u.b[0] * u.c);
  y.gates[1] = std::tanh(u.a[1] + u.s[1]);
  y.c = (1 - y.gates[0]) * u.c + y.gates[0] * y.gates[1];
  y.gates[2] = sigmoid(u.a[2] + u.s[2] + u.b[1] * y.c);
  y.h = y.gates[2] * std::tanh(y.c);
  return y;
}

inline Result lstm_coupled(const Unit& u) {
  Unit without = u;
  without.b = {};
  return lstm_coupled_peephole(without);
}

inline Result gru(const Unit& u) {
  Result y = unchanged(u);
  for (const std::size_t g : {0, 1}) y.gates[g] = sigmoid(u.a[g] + u.s[g]);
  y.kept = u.s[2] + u.b[0];
  y.gates[2] = std::tanh(u.a[2] + y.gates[0] * y.kept);
  y.h = (1 - y.gates[1]) * y.gates[2] + y.gates[1] * u.h;
  return y;
}

// The first half with the reset gate before the product.
inline Result gru_before(const Unit& u) {
  Result y = unchanged(u);
  for (const std::size_t g : {0, 1}) y.gates[g] = sigmoid(u.a[g] + u.s[g]);
  y.kept = y.gates[0] * u.h;
  return y;
}

// The second, where z is there already.
inline Result gru_before_state(const Unit& u) {
  Result y = unchanged(u);
  y.gates[2] = std::tanh(u.a[2] + u.s[0]);
  y.h = (1 - u.a[1]) * y.gates[2] + u.a[1] * u.h;
  return y;
}

// Without a product.
inline double positive(double x) { return x >= 0 ? x + 0.5 : sigmoid(x); }

inline Result mingru(const Unit& u) {
  Result y = unchanged(u);
  y.gates[0] = sigmoid(u.a[0]);
  y.gates[1] = positive(u.a[1]);
  y.h = (1 - y.gates[0]) * u.h + y.gates[0] * y.gates[1];
  return y;
}

inline Result minlstm(const Unit& u) {
  Result y = unchanged(u);
  const double f = sigmoid(u.a[0]), i = sigmoid(u.a[1]), c = positive(u.a[2]);
  y.gates[0] = f, y.gates[1] = i, y.gates[2] = c;
  y.h = f / (f + i) * u.h + i / (f + i) * c;
  return y;
}

// Vectors [M, n] with something between them that nobody may write, the last where memory ends.
class Block {
 public:
  Block(std::size_t M, std::size_t n, bool by_pointer, std::mt19937& random)
      : M_(M),
        n_(n),
        edge_(M * stride()),
        spread_(edge_.last((M - 1) * stride() + n), M, stride(), by_pointer, random) {
    float* const base = edge_.last((M - 1) * stride() + n);
    std::fill_n(base, (M - 1) * stride() + n, kBetween);
    for (std::size_t m = 0; m < M; ++m) fill_rows(base + m * stride(), 1, n, n, random);
  }
  ~Block() {
    for (std::size_t m = 0; m + 1 < M_; ++m)
      for (std::size_t i = n_; i < stride(); ++i) EXPECT_EQ(spread_.base[m * stride() + i], kBetween);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  float* row(std::size_t m) { return const_cast<float*>(spread_.row(m)); }
  const float* row(std::size_t m) const { return spread_.row(m); }
  Rows rows() const { return spread_.rows(); }
  Rows from(std::size_t m) const { return spread_.from(m); }
  MutableRows writable() { return spread_.mutable_rows(); }
  MutableRows writable_from(std::size_t m) { return {row(m), 0, nullptr}; }

  std::vector<float> values() const {
    std::vector<float> all;
    for (std::size_t m = 0; m < M_; ++m) all.insert(all.end(), row(m), row(m) + n_);
    return all;
  }
  void set(const std::vector<float>& values) {
    for (std::size_t m = 0; m < M_; ++m) std::copy_n(&values[m * n_], n_, row(m));
  }

 private:
  static constexpr float kBetween = 777.0f;
  std::size_t stride() const { return n_ + 3; }

  std::size_t M_, n_;
  Edge edge_;
  Spread spread_;
};

struct Size {
  std::size_t M, M_product, H, K;
};

// Sizes around those of vectors and panels, and some large ones.
inline std::vector<Size> sizes() {
  std::mt19937 random(5);
  std::vector<Size> all;
  for (std::size_t H = 1; H <= 67; ++H) {
    const std::size_t M = 1 + random() % 20;
    all.push_back({M, random() % (M + 1), H, 1 + random() % 40});
    all.push_back({1, 1, H, 1 + random() % 70});
  }
  for (const std::size_t H : {80, 85, 97, 163, 256}) {
    all.push_back({1, 1, H, H});
    all.push_back({7, 6, H, 33});
  }
  all.push_back({100, 99, 33, 33});
  return all;
}

inline std::string describe(const Size& size) {
  return "M " + std::to_string(size.M) + ", M_product " + std::to_string(size.M_product) + ", H " +
         std::to_string(size.H) + ", K " + std::to_string(size.K);
}

// Sums [M, n] of W[n, K] x[M, K] in double, and a bound of a kernel's error.
struct Sums {
  Sums(std::size_t M, std::size_t n, std::size_t K, const std::vector<float>& w, const Block& x)
      : n_(n), values_(M * n), bounds_(M * n) {
    for (std::size_t m = 0; m < M; ++m) {
      for (std::size_t i = 0; i < n; ++i) {
        double magnitude = 1;
        for (std::size_t k = 0; k < K; ++k) {
          const double term = static_cast<double>(w[i * K + k]) * x.row(m)[k];
          values_[m * n + i] += term;
          magnitude += std::fabs(term);
        }
        bounds_[m * n + i] = 2.0 * static_cast<double>(K + 4) * kRoundoff * magnitude;
      }
    }
  }
  double value(std::size_t m, std::size_t i) const { return values_[m * n_ + i]; }
  double bound(std::size_t m, std::size_t i) const { return bounds_[m * n_ + i]; }

 private:
  std::size_t n_;
  std::vector<double> values_, bounds_;
};

inline void expect_same_on_all_tables(const std::vector<float>& values, std::vector<float>& first) {
  if (first.empty()) first = values;
  ASSERT_TRUE(same_bits(values.data(), first.data(), values.size())) << "not the bits of the other tables";
}

}  // namespace rnn::kernels

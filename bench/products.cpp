#include "bench/products.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace bench {

using namespace rnn::kernels;

namespace {

constexpr double kTolerance = 1e-5;  // of the value, or of the root mean square if that is larger
constexpr int kTimings = 9;
constexpr double kTimingSeconds = 1e-3;

// Where the matrices are by columns.
struct Orders {
  bool x_and_y, w;
};

struct Shape {
  bool gemv;  // M is 1
  std::size_t M, N, K;
};

Floats random_inputs(std::size_t M, std::size_t K) { return uniform_floats(M * stride_for(K)); }

// [rows, columns], from rows at `stride`. Vectors of the matrix are not padded, but moved out of one set.
class Ordered {
 public:
  Ordered(std::size_t rows, std::size_t columns, bool by_columns, const Floats& values, std::size_t stride)
      : ld_(by_columns ? rows : columns), by_columns_(by_columns) {
    if (ld_ % 128 == 0) ld_ += kPad;
    data_ = Floats(rnn::Allocator(), ld_ * (by_columns ? columns : rows));
    if (values.data() == nullptr) return;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) data_[index(i, j)] = values[i * stride + j];
  }
  Matrix matrix() { return {data_.data(), ld_, by_columns_}; }
  float at(std::size_t i, std::size_t j) const { return data_[index(i, j)]; }

 private:
  std::size_t index(std::size_t i, std::size_t j) const { return by_columns_ ? j * ld_ + i : i * ld_ + j; }

  std::size_t ld_;
  bool by_columns_;
  Floats data_;
};

// One product by a peer.
class PeerProduct {
 public:
  PeerProduct(const Algebra& peer, const Shape& shape, const Orders& orders)
      : peer_(peer),
        shape_(shape),
        x_(shape.M, shape.K, orders.x_and_y, random_inputs(shape.M, shape.K), stride_for(shape.K)),
        w_(shape.N, shape.K, orders.w, random_weights(shape.N, shape.K), shape.K),
        y_(shape.M, shape.N, orders.x_and_y, Floats(), 0) {}

  void operator()() {
    if (shape_.gemv)
      peer_.gemv(shape_.N, shape_.K, w_.matrix(), x_.matrix().data, y_.matrix().data);
    else
      peer_.gemm(shape_.M, shape_.N, shape_.K, x_.matrix(), w_.matrix(), y_.matrix());
  }
  const Ordered& y() const { return y_; }

 private:
  const Algebra& peer_;
  Shape shape_;
  Ordered x_, w_, y_;
};

std::vector<float> expected_product(const Shape& shape) {
  const auto [gemv, M, N, K] = shape;
  const Packed w(N, K);
  const Floats x = random_inputs(M, K);
  Floats y(rnn::Allocator(), M * stride_for(N));
  const FloatMode mode;
  table()->gemm(w.panels(), M, {x.data(), stride_for(K), nullptr}, {nullptr, 0, nullptr}, N,
                {y.data(), stride_for(N), nullptr});
  std::vector<float> result;
  for (std::size_t i = 0; i < M * N; ++i) result.push_back(y[i / N * stride_for(N) + i % N]);
  return result;
}

void check(const std::string& name, const Ordered& y, const std::vector<float>& expected, std::size_t N) {
  double squares = 0.0;
  for (const float value : expected) squares += double{value} * double{value};
  const double usual = std::sqrt(squares / static_cast<double>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double actual{y.at(i / N, i % N)};
    if (std::fabs(actual - double{expected[i]}) <=
        kTolerance * std::max(std::fabs(double{expected[i]}), usual))
      continue;
    std::fprintf(stderr,
                 "%s does not compute what librnn computes: output [%zu, %zu] is %.9g; librnn's is %.9g\n",
                 name.c_str(), i / N, i % N, actual, double{expected[i]});
    std::exit(1);
  }
}

// Of some timings the shortest.
double seconds(PeerProduct& product) {
  using Clock = std::chrono::steady_clock;
  double shortest = INFINITY;
  for (int i = 0; i < kTimings; ++i) {
    const Clock::time_point start = Clock::now();
    double passed = 0.0;
    int calls = 0;
    for (; passed < kTimingSeconds; ++calls) {
      product();
      passed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    shortest = std::min(shortest, passed / calls);
  }
  return shortest;
}

// Checks all.
Orders fastest(const std::string& name, const Algebra& peer, const Shape& shape) {
  const std::vector<float> expected = expected_product(shape);
  std::vector<Orders> choices = {{false, false}, {false, true}};
  if (!shape.gemv) choices.insert(choices.end(), {{true, false}, {true, true}});
  double shortest = INFINITY;
  Orders result{};
  for (const Orders& orders : choices) {
    PeerProduct product(peer, shape, orders);
    const FloatMode mode;
    product();
    check(name, product.y(), expected, shape.N);
    const double time = seconds(product);
    if (time < shortest) result = orders;
    shortest = std::min(shortest, time);
  }
  return result;
}

void register_product(const std::string& name, const Algebra& peer, const Shape& shape) {
  const std::shared_ptr<std::unique_ptr<Orders>> orders = std::make_shared<std::unique_ptr<Orders>>();
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (*orders == nullptr) *orders = std::make_unique<Orders>(fastest(name, peer, shape));
    const auto text = [](bool by_columns) { return by_columns ? "columns" : "rows"; };
    state.SetLabel(std::string("W by ") + text((*orders)->w) +
                   (shape.gemv ? "" : std::string(", x and y by ") + text((*orders)->x_and_y)));
    PeerProduct product(peer, shape, **orders);
    run(state, product_flops(shape.M, shape.N, shape.K), packed_bytes(shape.N, shape.K), [&] { product(); });
  });
}

}  // namespace

Packed::Packed(std::size_t rows, std::size_t depth, std::size_t gates, Format format)
    : panels_{nullptr, rows, depth, gates > 1 ? gates : 0},
      data_(rnn::Allocator(), packed_size(kernels_of(format), panels_)) {
  const Floats w = random_weights(rows, depth);
  const Table& t = kernels_of(format);
  pack(t, panels_, {w.data(), depth, 1, 0}, 0, panel_count(t, panels_), data_.data());
  panels_.data = data_.data();
}

Floats random_weights(std::size_t rows, std::size_t depth) {
  return uniform_floats(rows * depth, -0.1f, 0.1f);
}

void gemm_benchmark(benchmark::State& state, Format format, std::size_t M, std::size_t N, std::size_t K) {
  const Packed w(N, K, 1, format);
  const std::size_t ldx = stride_for(K), ldy = stride_for(N);
  const Floats x = random_inputs(M, K);
  Floats y(rnn::Allocator(), M * ldy);
  run(state, product_flops(M, N, K), packed_bytes(N, K) / kernels_of(format).pack, [&] {
    kernels_of(format).gemm(w.panels(), M, {x.data(), ldx, nullptr}, {nullptr, 0, nullptr}, N,
                            {y.data(), ldy, nullptr});
  });
}

void register_gemv(const Algebra& peer, std::size_t N, std::size_t K) {
  register_product(
      "kernel/gemv_" + std::string(peer.name) + "/" + std::to_string(N) + "x" + std::to_string(K), peer,
      {true, 1, N, K});
}

void register_gemm(const Algebra& peer, std::size_t M, std::size_t N, std::size_t K) {
  register_product("kernel/gemm_" + std::string(peer.name) + "/" + std::to_string(M) + "x" +
                       std::to_string(N) + "x" + std::to_string(K),
                   peer, {false, M, N, K});
}

}  // namespace bench

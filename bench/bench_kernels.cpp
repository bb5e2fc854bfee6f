// Single kernels of the table in use, on data in the cache; tanh beside that of other libraries, gemv beside
// the naive one.
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>

#include "bench/common.h"
#include "bench/machine.h"
#include "bench/naive.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/float_mode.h"
#include "lib/kernels/pack.h"

namespace bench {
namespace {

using namespace rnn::kernels;

constexpr std::size_t kArray = 1024;  // numbers; twice as many fit the smallest L1 cache

// A random matrix W[rows, depth], packed.
class Packed {
 public:
  Packed(std::size_t rows, std::size_t depth)
      : rows_(rows), depth_(depth), data_(rnn::Allocator(), packed_size(*table(), rows, depth)) {
    const Floats w = uniform_floats(rows * depth, -0.1f, 0.1f);
    pack(*table(), rows, depth, w.data(), depth, 1, 0, panel_count(*table(), rows), data_.data());
  }
  Panels panels() const { return {data_.data(), rows_, depth_}; }

 private:
  std::size_t rows_, depth_;
  Floats data_;
};

// A stride for M rows of n; not a multiple of 128, which would put too many rows into one set of a cache.
std::size_t stride_for(std::size_t n) { return padded(n) + (padded(n) % 128 == 0 ? kPad : 0); }

template <class Kernel>
void run(benchmark::State& state, double flops, std::size_t bytes, const Kernel& kernel) {
  const FloatMode mode;
  for (auto _ : state) kernel();
  count_flops(state, flops);
  count_bytes(state, bytes);
}

double product_flops(std::size_t M, std::size_t N, std::size_t K) {
  return 2.0 * static_cast<double>(M * N * K);
}

// y[M, N] = x[M, K] W[N, K]^T
void gemm_benchmark(benchmark::State& state, std::size_t M, std::size_t N, std::size_t K) {
  const Packed w(N, K);
  const std::size_t ldx = stride_for(K), ldy = stride_for(N);
  const Floats x = uniform_floats(M * ldx);
  Floats y(rnn::Allocator(), M * ldy);
  run(state, product_flops(M, N, K), packed_bytes(N, K), [&] {
    table()->gemm(w.panels(), M, {x.data(), ldx, nullptr}, {nullptr, 0, nullptr}, N,
                  {y.data(), ldy, nullptr});
  });
}

void naive_gemv(benchmark::State& state, std::size_t N, std::size_t K) {
  const Floats w = uniform_floats(N * K), x = uniform_floats(K), bias = uniform_floats(N);
  Floats y(rnn::Allocator(), N);
  run(state, product_flops(1, N, K), N * K * sizeof(float),
      [&] { naive::affine(N, K, w.data(), bias.data(), x.data(), y.data()); });
}

void vanilla_forward_benchmark(benchmark::State& state, std::size_t M, std::size_t H) {
  const Packed w(H, H);
  const std::size_t ld = stride_for(H);
  const Floats pre = uniform_floats(M * ld);
  Floats h(rnn::Allocator(), 2 * M * ld);
  float *from = h.data(), *to = h.data() + M * ld;
  run(state, product_flops(M, H, H), packed_bytes(H, H), [&] {
    table()->vanilla_forward(w.panels(), M, {from, ld, nullptr}, {pre.data(), ld, nullptr}, padded(H),
                             {to, ld, nullptr});
    std::swap(from, to);
  });
}

void vanilla_backward_benchmark(benchmark::State& state, std::size_t M, std::size_t H) {
  const Packed w(H, H);
  const std::size_t ld = stride_for(H);
  const Floats next = uniform_floats(M * ld), d_h = uniform_floats(M * ld), h = uniform_floats(M * ld);
  Floats d_pre(rnn::Allocator(), M * ld);
  run(state, product_flops(M, H, H), packed_bytes(H, H), [&] {
    table()->vanilla_backward(w.panels(), M, M, {next.data(), ld, nullptr}, {d_h.data(), ld, nullptr},
                              {h.data(), ld, nullptr}, padded(H), {d_pre.data(), ld, nullptr});
  });
}

// c[M, N] += a[R, M]^T b[R, N]: the gradients of weights.
void gemm_tn_benchmark(benchmark::State& state, std::size_t M, std::size_t N, std::size_t R) {
  const std::size_t lda = stride_for(M), ldb = stride_for(N), ldc = stride_for(N);
  const Floats a = uniform_floats(R * lda), b = uniform_floats(R * ldb);
  Floats c(rnn::Allocator(), M * ldc);
  const FloatMode mode;
  for (auto _ : state) table()->gemm_tn(M, N, R, a.data(), lda, b.data(), ldb, c.data(), ldc);
  count_flops(state, product_flops(M, N, R));
}

void array_benchmark(benchmark::State& state, ArrayFunction f, float low, float high) {
  const Floats x = uniform_floats(kArray, low, high);
  Floats y(rnn::Allocator(), kArray);
  const FloatMode mode;
  for (auto _ : state) {
    f(x.data(), y.data(), kArray);
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = kArray;
  state.counters["elements_per_second"] =
      benchmark::Counter(kArray, benchmark::Counter::kIsIterationInvariantRate);
}

void softmax(const float* x, float* y, std::size_t n) { table()->softmax(n, x, 1.0f, y); }

void naive_tanh(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::tanh(x[i]);
}

std::string times(std::initializer_list<std::size_t> sizes) {
  std::string result;
  for (const std::size_t size : sizes) result += (result.empty() ? "" : "x") + std::to_string(size);
  return result;
}

template <class Function, class... Arguments>
void add(const std::string& name, Function&& function, Arguments... arguments) {
  benchmark::RegisterBenchmark(("kernel/" + name).c_str(), function, arguments...);
}

void add_products() {
  for (const std::size_t n : {128, 256, 512, 1024, 2048, 4096}) {
    add("gemv/" + times({n, n}), gemm_benchmark, 1, n, n);
    add("gemv_naive/" + times({n, n}), naive_gemv, n, n);
    register_read_limit(packed_bytes(n, n));
  }
  for (const std::size_t M : {1, 2, 4, 8, 16, 32})
    add("gemm/" + times({M, 512, 512}), gemm_benchmark, M, 512, 512);
  add("gemm/32x2048x512", gemm_benchmark, 32, 2048, 512);
  add("gemm/32x512x2048", gemm_benchmark, 32, 512, 2048);
  register_read_limit(packed_bytes(2048, 512));
  for (const std::size_t H : {128, 256, 512}) {
    add("vanilla_forward/" + times({1, H}), vanilla_forward_benchmark, 1, H);
    add("vanilla_forward/" + times({32, H}), vanilla_forward_benchmark, 32, H);
    add("vanilla_backward/" + times({32, H}), vanilla_backward_benchmark, 32, H);
    add("gemm_tn/" + times({H, H, 6400}), gemm_tn_benchmark, H, H, 6400);
  }
}

void add_array(const std::string& name, ArrayFunction f, float low, float high) {
  if (f != nullptr) add(name + "/" + std::to_string(kArray), array_benchmark, f, low, high);
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  add_products();

  // The time of the library's tanh does not depend on the data.
  add_array("tanh", table()->tanh, -3.0f, 3.0f);
  add_array("tanh_subnormal", table()->tanh, 1e-42f, 1e-38f);
  add_array("tanh_saturated", table()->tanh, 20.0f, 1e30f);
  add_array("tanh_naive", naive_tanh, -3.0f, 3.0f);
  add_array("tanh_libmvec", machine().tanh_libmvec, -3.0f, 3.0f);
  add_array("tanh_sleef", machine().tanh_sleef, -3.0f, 3.0f);
  add_array("tanh_xsimd", machine().tanh_xsimd, -3.0f, 3.0f);
  add_array("sigmoid", table()->sigmoid, -3.0f, 3.0f);
  add_array("exp", table()->exp, -3.0f, 3.0f);
  add_array("softmax", softmax, -3.0f, 3.0f);
}

}  // namespace bench

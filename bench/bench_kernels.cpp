// Single kernels of the table in use, on data in the cache, beside those of other libraries and naive ones.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "bench/common.h"
#include "bench/machine.h"
#include "bench/naive.h"
#include "bench/products.h"

namespace bench {
namespace {

using namespace rnn::kernels;

constexpr std::size_t kArray = 1024;     // numbers; twice as many fit the smallest L1 cache
constexpr double kTanhTolerance = 1e-6;  // of the value

constexpr std::size_t kGemvSizes[] = {128, 256, 512, 1024, 2048, 4096};
constexpr struct {
  std::size_t M, N, K;
} kGemmSizes[] = {{1, 512, 512},  {2, 512, 512},  {4, 512, 512},   {8, 512, 512},
                  {16, 512, 512}, {32, 512, 512}, {32, 2048, 512}, {32, 512, 2048}};

void naive_gemv(benchmark::State& state, std::size_t N, std::size_t K) {
  const Floats w = uniform_floats(N * K), x = uniform_floats(K), bias = uniform_floats(N);
  Floats y(rnn::Allocator(), N);
  run(state, product_flops(1, N, K), N * K * sizeof(float),
      [&] { naive::affine(N, K, w.data(), bias.data(), x.data(), y.data()); });
}

// The kernels of one cell.
struct CellKernels {
  const char* name;
  Format format;
  std::size_t gates;
  void (*forward)(const CellForward&);
  void (*backward)(const CellBackward&);
};

// One step of M rows: everything that a cell may have a use for.
struct CellRows {
  CellRows(std::size_t M, std::size_t H, std::size_t G)
      : M(M), H(H), G(G), ld(stride_for(H)), ld_gates(stride_for(G * H)) {}

  Rows states(std::size_t i) const { return {states_.data() + i * M * ld, ld, nullptr}; }
  MutableRows states_to(std::size_t i) { return {states_.data() + i * M * ld, ld, nullptr}; }
  Rows gates(std::size_t i) const { return {gates_.data() + i * M * ld_gates, ld_gates, nullptr}; }
  MutableRows gates_to(std::size_t i) { return {gates_.data() + i * M * ld_gates, ld_gates, nullptr}; }

  std::size_t M, H, G, ld, ld_gates;

 private:
  Floats states_ = uniform_floats(6 * M * ld);
  Floats gates_ = uniform_floats(2 * M * ld_gates);
};

// Gates are what the last step left, which is as good as anything: the time does not depend on the data.
void cell_forward_benchmark(benchmark::State& state, CellKernels cell, std::size_t M, std::size_t H) {
  const Packed w(cell.gates * H, H, cell.gates, cell.format);
  const Floats bias = uniform_floats(padded(H));
  CellRows rows(M, H, cell.gates);
  CellForward step{w.panels(),
                   M,
                   H,
                   rows.states(0),
                   rows.gates_to(0),
                   rows.states(0),
                   rows.states(1),
                   {bias.data(), bias.data()},
                   rows.states_to(2),
                   rows.states_to(3),
                   rows.states_to(4),
                   nullptr,
                   {},
                   {},
                   nullptr};
  run(state, product_flops(M, cell.gates * H, H),
      packed_bytes(cell.gates * H, H) / kernels_of(cell.format).pack, [&] { cell.forward(step); });
}

void cell_backward_benchmark(benchmark::State& state, CellKernels cell, std::size_t M, std::size_t H) {
  const Packed w(H, cell.gates * H, 1, cell.format);
  CellRows rows(M, H, cell.gates);
  CellBackward step{};
  step.w = w.panels();
  step.M = step.M_product = M;
  step.H = H;
  step.x = rows.gates(0);
  step.d_h = step.h_prev = rows.states(0);
  step.h = step.c_prev = rows.states(1);
  step.c = rows.states(2);
  step.kept = rows.states_to(4);
  step.carry_h = step.carry_c = rows.states_to(3);
  step.gates = rows.gates_to(1);
  run(state, product_flops(M, H, cell.gates * H),
      packed_bytes(H, cell.gates * H) / kernels_of(cell.format).pack, [&] { cell.backward(step); });
}

// c[M, N] += a[R, M]^T b[R, N]: the gradients of weights.
void gemm_tn_benchmark(benchmark::State& state, Format format, std::size_t M, std::size_t N, std::size_t R) {
  const std::size_t lda = stride_for(M), ldb = stride_for(N), ldc = stride_for(N);
  const Floats a = uniform_floats(R * lda), b = uniform_floats(R * ldb);
  Floats c(rnn::Allocator(), M * ldc);
  const FloatMode mode;
  for (auto _ : state) kernels_of(format).gemm_tn(M, N, R, a.data(), lda, b.data(), ldb, c.data(), ldc, true);
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

// Names of another format than f32 end in its own: gemm_bf16.
void add_products(Format format, const std::string& suffix) {
  const Table& t = kernels_of(format);
  for (const std::size_t n : kGemvSizes) {
    add("gemv" + suffix + "/" + times({n, n}), gemm_benchmark, format, 1, n, n);
    register_read_limit(packed_bytes(n, n) / t.pack);
  }
  for (const auto& [M, N, K] : kGemmSizes)
    add("gemm" + suffix + "/" + times({M, N, K}), gemm_benchmark, format, M, N, K);
  register_read_limit(packed_bytes(2048, 512) / t.pack);
  for (const std::size_t H : {128, 256, 512}) {
    for (const CellKernels& cell : {CellKernels{"vanilla", format, 1, t.vanilla_forward, t.vanilla_backward},
                                    CellKernels{"gru", format, 3, t.gru_forward, t.gru_backward},
                                    CellKernels{"lstm", format, 4, t.lstm_forward, t.lstm_backward}}) {
      const std::string name = cell.name;
      add(name + "_forward" + suffix + "/" + times({1, H}), cell_forward_benchmark, cell, 1, H);
      add(name + "_forward" + suffix + "/" + times({32, H}), cell_forward_benchmark, cell, 32, H);
      if (cell.backward != nullptr)
        add(name + "_backward" + suffix + "/" + times({32, H}), cell_backward_benchmark, cell, 32, H);
      register_read_limit(packed_bytes(cell.gates * H, H) / t.pack);
    }
    if (t.gemm_tn != nullptr)
      add("gemm_tn" + suffix + "/" + times({H, H, 6400}), gemm_tn_benchmark, format, H, H, 6400);
  }
}

void add_array(const std::string& name, ArrayFunction f, float low, float high) {
  add(name + "/" + std::to_string(kArray), array_benchmark, f, low, high);
}

// Ends the program if the other library's tanh is not tanh.
void add_tanh(const std::string& name, ArrayFunction f) {
  if (f == nullptr) return;
  const Floats x = uniform_floats(kArray, -3.0f, 3.0f);
  Floats y(rnn::Allocator(), kArray), expected(rnn::Allocator(), kArray);
  f(x.data(), y.data(), kArray);
  table()->tanh(x.data(), expected.data(), kArray);
  for (std::size_t i = 0; i < kArray; ++i) {
    const double actual{y[i]}, value{expected[i]};
    if (std::fabs(actual - value) <= kTanhTolerance * std::fabs(value)) continue;
    std::fprintf(stderr, "%s does not compute what librnn computes: tanh(%.9g) is %.9g; librnn's is %.9g\n",
                 name.c_str(), double{x[i]}, actual, value);
    std::exit(1);
  }
  add_array(name, f, -3.0f, 3.0f);
}

std::vector<Algebra> algebra() {
  return {
#if defined(RNN_BENCH_OPENBLAS)
    openblas(),
#endif
#if defined(RNN_BENCH_EIGEN)
        eigen(),
#endif
#if defined(RNN_BENCH_EIGEN_AVX2)
        eigen_avx2(),
#endif
  };
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  add_products(Format::f32, "");
  add_products(Format::bf16, "_bf16");
  add_products(Format::int8, "_int8");
  for (const std::size_t n : kGemvSizes) add("gemv_naive/" + times({n, n}), naive_gemv, n, n);

  // The time of the library's tanh does not depend on the data.
  add_array("tanh", table()->tanh, -3.0f, 3.0f);
  add_array("tanh_subnormal", table()->tanh, 1e-42f, 1e-38f);
  add_array("tanh_saturated", table()->tanh, 20.0f, 1e30f);
  add_array("tanh_naive", naive_tanh, -3.0f, 3.0f);
  add_tanh("tanh_libmvec", machine().tanh_libmvec);
  add_tanh("tanh_sleef", machine().tanh_sleef);
  add_tanh("tanh_xsimd", machine().tanh_xsimd);
  add_array("sigmoid", table()->sigmoid, -3.0f, 3.0f);
  add_array("exp", table()->exp, -3.0f, 3.0f);
  add_array("softmax", softmax, -3.0f, 3.0f);

  for (const Algebra& peer : algebra()) {
    if (!may_run(peer.isa)) continue;
    const std::string name = peer.name;
    benchmark::AddCustomContext("peer_" + name, std::string(peer.version) + "; " + peer.choice);
    for (const std::size_t n : kGemvSizes) register_gemv(peer, n, n);
    for (const auto& [M, N, K] : kGemmSizes) register_gemm(peer, M, N, K);
    add_tanh("tanh_" + name, peer.tanh);
  }
}

}  // namespace bench

// Products of the library and of its peers, on the same numbers.
#pragma once

#include <cstddef>

#include "bench/common.h"
#include "bench/peers/algebra.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/float_mode.h"
#include "lib/kernels/pack.h"

namespace bench {

// The kernels of a format.
inline const rnn::kernels::Table& kernels_of(rnn::kernels::Format format) {
  return *rnn::kernels::table(format);
}

// A random matrix W[rows, depth], packed; grouped if gates > 1.
class Packed {
 public:
  Packed(std::size_t rows, std::size_t depth, std::size_t gates = 1,
         rnn::kernels::Format format = rnn::kernels::Format::f32);
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
  const rnn::kernels::Panels& panels() const { return panels_; }

 private:
  rnn::kernels::Panels panels_;
  Floats data_;
};

// The numbers of Packed, row by row.
Floats random_weights(std::size_t rows, std::size_t depth);

// A stride for M rows of n; not a multiple of 128, which would put too many rows into one set of a cache.
inline std::size_t stride_for(std::size_t n) {
  return rnn::kernels::padded(n) + (rnn::kernels::padded(n) % 128 == 0 ? rnn::kernels::kPad : 0);
}

inline double product_flops(std::size_t M, std::size_t N, std::size_t K) {
  return 2.0 * static_cast<double>(M * N * K);
}

template <class Kernel>
void run(benchmark::State& state, double flops, std::size_t bytes, const Kernel& kernel) {
  const rnn::kernels::FloatMode mode;
  for (auto _ : state) kernel();
  count_flops(state, flops);
  count_bytes(state, bytes);
}

// y[M, N] = x[M, K] W[N, K]^T
void gemm_benchmark(benchmark::State& state, rnn::kernels::Format format, std::size_t M, std::size_t N,
                    std::size_t K);

// The peer's gemv_<peer>/<N>x<K> and gemm_<peer>/<M>x<N>x<K>, with each matrix by rows or by columns, as is
// fastest, which the label says. Before a benchmark runs, all these ways must give what the library gives, or
// the program ends.
void register_gemv(const Algebra& peer, std::size_t N, std::size_t K);
void register_gemm(const Algebra& peer, std::size_t M, std::size_t N, std::size_t K);

}  // namespace bench

// Other libraries' products and tanh, which bench_kernels measures beside the kernels. On one thread.
#pragma once

#include <cstddef>

namespace bench {

// Element (i, j) is at data[i * ld + j], or at data[j * ld + i] if by_columns.
struct Matrix {
  float* data;
  std::size_t ld;
  bool by_columns;
};

struct Algebra {
  const char* name;  // as in the benchmark's: gemv_openblas
  const char* version;
  const char* choice;  // of this CPU's kernels or instruction sets
  // y[N] = W[N, K] x[K]
  void (*gemv)(std::size_t N, std::size_t K, const Matrix& w, const float* x, float* y);
  // y[M, N] = x[M, K] W[N, K]^T; x and y are both by_columns or neither.
  void (*gemm)(std::size_t M, std::size_t N, std::size_t K, const Matrix& x, const Matrix& w,
               const Matrix& y);
  void (*tanh)(const float* x, float* y, std::size_t n);  // null where it has none
  const char* isa = "";                                   // compiled for it; empty where the library chooses
};

// Those that the program is linked with.
Algebra openblas();
Algebra eigen();
Algebra eigen_avx2();

}  // namespace bench

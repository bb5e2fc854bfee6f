#include <cblas.h>

#include "bench/peers/algebra.h"

namespace bench {
namespace {

void gemv(std::size_t N, std::size_t K, const Matrix& w, const float* x, float* y) {
  cblas_sgemv(w.by_columns ? CblasColMajor : CblasRowMajor, CblasNoTrans, static_cast<blasint>(N),
              static_cast<blasint>(K), 1.0f, w.data, static_cast<blasint>(w.ld), x, 1, 0.0f, y, 1);
}

// W stored in the order of x and y is W to BLAS, in the other order its transpose.
void gemm(std::size_t M, std::size_t N, std::size_t K, const Matrix& x, const Matrix& w, const Matrix& y) {
  cblas_sgemm(x.by_columns ? CblasColMajor : CblasRowMajor, CblasNoTrans,
              w.by_columns == x.by_columns ? CblasTrans : CblasNoTrans, static_cast<blasint>(M),
              static_cast<blasint>(N), static_cast<blasint>(K), 1.0f, x.data, static_cast<blasint>(x.ld),
              w.data, static_cast<blasint>(w.ld), 0.0f, y.data, static_cast<blasint>(y.ld));
}

}  // namespace

Algebra openblas() {
  openblas_set_num_threads(1);
  return {"openblas", openblas_get_config(), openblas_get_corename(), gemv, gemm, nullptr};
}

}  // namespace bench

// Eigen on the instruction sets that this unit is compiled for; the functions' name is RNN_PEER_FUNCTION.
// Eigen's namespace has a name of its own in each unit, so that its templates do not merge.
#include <Eigen/Core>

#include "bench/peers/algebra.h"
#include "bench/peers/isa.h"

#define RNN_BENCH_TEXT_(x) #x
#define RNN_BENCH_TEXT(x) RNN_BENCH_TEXT_(x)

namespace bench {
namespace {

template <int Order>
using Array2d = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Order>, Eigen::Aligned64,
                           Eigen::OuterStride<>>;
template <class T>
using Array1d = Eigen::Map<T, Eigen::Aligned64>;

template <int Order>
Array2d<Order> map(const Matrix& a, std::size_t rows, std::size_t columns) {
  return {a.data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns),
          Eigen::OuterStride<>(static_cast<Eigen::Index>(a.ld))};
}

template <int Order>
void gemv(std::size_t N, std::size_t K, const Matrix& w, const float* x, float* y) {
  const Array1d<const Eigen::VectorXf> from(x, static_cast<Eigen::Index>(K));
  Array1d<Eigen::VectorXf> to(y, static_cast<Eigen::Index>(N));
  to.noalias() = map<Order>(w, N, K) * from;
}

void gemv(std::size_t N, std::size_t K, const Matrix& w, const float* x, float* y) {
  w.by_columns ? gemv<Eigen::ColMajor>(N, K, w, x, y) : gemv<Eigen::RowMajor>(N, K, w, x, y);
}

template <int Order, int OrderOfW>
void gemm(std::size_t M, std::size_t N, std::size_t K, const Matrix& x, const Matrix& w, const Matrix& y) {
  map<Order>(y, M, N).noalias() = map<Order>(x, M, K) * map<OrderOfW>(w, N, K).transpose();
}

void gemm(std::size_t M, std::size_t N, std::size_t K, const Matrix& x, const Matrix& w, const Matrix& y) {
  constexpr int rows = Eigen::RowMajor, columns = Eigen::ColMajor;
  if (x.by_columns)
    w.by_columns ? gemm<columns, columns>(M, N, K, x, w, y) : gemm<columns, rows>(M, N, K, x, w, y);
  else
    w.by_columns ? gemm<rows, columns>(M, N, K, x, w, y) : gemm<rows, rows>(M, N, K, x, w, y);
}

void tanh(const float* x, float* y, std::size_t n) {
  const auto count = static_cast<Eigen::Index>(n);
  Array1d<Eigen::ArrayXf>(y, count) = Array1d<const Eigen::ArrayXf>(x, count).tanh();
}

}  // namespace

Algebra RNN_PEER_FUNCTION() {
  return {RNN_BENCH_TEXT(RNN_PEER_FUNCTION),
          RNN_BENCH_TEXT(EIGEN_WORLD_VERSION) "." RNN_BENCH_TEXT(EIGEN_MAJOR_VERSION) "." RNN_BENCH_TEXT(
              EIGEN_MINOR_VERSION),
          Eigen::SimdInstructionSetsInUse(),
          gemv,
          gemm,
          tanh,
          RNN_PEER_ISA};
}

}  // namespace bench

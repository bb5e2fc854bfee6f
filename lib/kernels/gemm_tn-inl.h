// Products with the first matrix transposed, and sums over rows: the gradients of weights.
#ifndef RNN_KERNELS_GEMM_TN_INL_H_
#define RNN_KERNELS_GEMM_TN_INL_H_

#include "lib/kernels/gemm-inl.h"

namespace rnn::kernels {
namespace {

// A column of cache lines that the next block will read: each step over r prefetches one of them, of two columns.
struct AheadLine {
  const float* start;
  std::size_t stride;
};
struct Ahead {
  AheadLine a, b;
};

// c[MR, VT vectors] += sum over r of a[r, m] b[r, vectors], multiplied as Number says. The sum starts with c, or, apart,
// with zero, and is then added to c.
template <class Arch, class Number, std::size_t MR, std::size_t VT>
[[gnu::always_inline]] inline void add_lines(std::size_t R, const float* a, std::size_t lda, const float* b,
                                             std::size_t ldb, float* c, std::size_t ldc, bool apart,
                                             const Ahead& ahead) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  SumOf<Number, Arch> sum[MR][VT];
  if (apart) {
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = Vec<Arch>(0.0f);
    }
  } else {
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = load<Arch>(c + m * ldc + v * L);
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    __builtin_prefetch(ahead.a.start + r * ahead.a.stride);
    __builtin_prefetch(ahead.b.start + r * ahead.b.stride);
    FactorOf<Number, Arch> vectors[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) vectors[v] = load<Arch>(b + r * ldb + v * L);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      const FactorOf<Number, Arch> value(a[r * lda + m]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] =
          Number::template dot<Arch>(vectors[v], value, sum[m][v]);
    }
  }
  if (apart) {
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] =
          load<Arch>(c + m * ldc + v * L) + Vec<Arch>(sum[m][v]);
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store<Arch>(c + m * ldc + v * L, sum[m][v]);
  }
}

// The same of R lines, which are rows, or where a word holds two numbers pairs of rows. Apart are kApartRows rows.
template <class Arch, class Number, std::size_t MR, std::size_t VT>
inline void tile_tn(std::size_t R, const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c,
                    std::size_t ldc, bool apart, const Ahead& ahead) noexcept {
  constexpr std::size_t block = kApartRows * Number::words / Number::pack;
  if (Number::pack == Number::words || !apart || R <= block)
    return add_lines<Arch, Number, MR, VT>(R, a, lda, b, ldb, c, ldc, apart, ahead);
  const Ahead next = {{ahead.a.start + block * ahead.a.stride, ahead.a.stride},
                      {ahead.b.start + block * ahead.b.stride, ahead.b.stride}};
  add_lines<Arch, Number, MR, VT>(block, a, lda, b, ldb, c, ldc, true, ahead);
  add_lines<Arch, Number, MR, VT>(R - block, a + block * lda, lda, b + block * ldb, ldb, c, ldc, true, next);
}

template <class Arch, class Number, std::size_t MR, std::size_t VT>
inline void dispatch_tn(std::size_t rows, std::size_t vectors, std::size_t R, const float* a, std::size_t lda,
                        const float* b, std::size_t ldb, float* c, std::size_t ldc, bool apart,
                        const Ahead& ahead) noexcept {
  if constexpr (MR <= PanelShape<Arch, 1>::rows && VT <= Shape<Arch>::panel_vectors) {
    if (vectors != VT)
      return dispatch_tn<Arch, Number, MR, VT + 1>(rows, vectors, R, a, lda, b, ldb, c, ldc, apart, ahead);
    if (rows != MR)
      return dispatch_tn<Arch, Number, MR + 1, VT>(rows, vectors, R, a, lda, b, ldb, c, ldc, apart, ahead);
    tile_tn<Arch, Number, MR, VT>(R, a, lda, b, ldb, c, ldc, apart, ahead);
  }
}

// Rows of a and b that are worked on at a time: b's share of a panel stays in the L1 cache.
constexpr std::size_t kDepthBlock = kApartRows;

// The rows are too far apart for the hardware's prefetchers, so the tiles of one block fetch the lines of the
// next: the first column of tiles those of a, the first tiles of a column those of b.
template <class Arch>
void gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda, const float* b,
             std::size_t ldb, float* c, std::size_t ldc, bool apart) noexcept {
  constexpr std::size_t P = panel_rows<Arch>, MR = PanelShape<Arch, 1>::rows;
  if (M == 0) return;
  const std::size_t tiles = (M + MR - 1) / MR, small = M / tiles, larger = M % tiles;
  for (std::size_t r = 0; r < R; r += kDepthBlock, a += kDepthBlock * lda, b += kDepthBlock * ldb) {
    const std::size_t depth = R - r < kDepthBlock ? R - r : kDepthBlock;
    for (std::size_t n = 0; n < N; n += P) {
      const std::size_t vectors = (N - n < P ? N - n : P) / lanes<Arch>;
      for (std::size_t i = 0, m = 0; i < tiles; ++i) {
        const std::size_t rows = small + (i < larger ? 1 : 0);
        const Ahead ahead{{n == 0 ? a + kDepthBlock * lda + m : a + m, lda},
                          {i * kLine < P ? b + kDepthBlock * ldb + n + i * kLine : b + n, ldb}};
        dispatch_tn<Arch, F32, 1, 1>(rows, vectors, depth, a + m, lda, b + n, ldb, c + m * ldc + n, ldc,
                                     apart, ahead);
        m += rows;
      }
    }
  }
}

// Rows that are fetched ahead: they are too far apart for the hardware's prefetchers.
constexpr std::size_t kRowsAhead = 16;

// VT vectors of out += sum over r of a[r, vectors].
template <class Arch, std::size_t VT>
inline void sum_columns(std::size_t R, const float* a, std::size_t lda, float* out) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  Vec<Arch> sum[VT];
  RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[v] = load<Arch>(out + v * L);
  for (std::size_t r = 0; r < R; ++r, a += lda) {
    RNN_UNROLL for (std::size_t i = 0; i < VT * L; i += kLine) __builtin_prefetch(a + kRowsAhead * lda + i);
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[v] = sum[v] + load<Arch>(a + v * L);
  }
  RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store<Arch>(out + v * L, sum[v]);
}

template <class Arch>
void column_sums(std::size_t R, std::size_t N, const float* a, std::size_t lda, float* out) noexcept {
  constexpr std::size_t VT = kPad / lanes<Arch>, wide = VT < 4 ? 4 * kPad : kPad;
  std::size_t n = 0;
  for (; n + wide <= N; n += wide) sum_columns<Arch, wide / lanes<Arch>>(R, a + n, lda, out + n);
  for (; n < N; n += kPad) sum_columns<Arch, VT>(R, a + n, lda, out + n);
}

template <class Arch>
void scatter_add(std::size_t R, std::size_t N, const std::int32_t* index, const float* a, std::size_t lda,
                 float* g, std::size_t ldg) noexcept {
  for (std::size_t r = 0; r < R; ++r, a += lda) {
    float* const target = g + static_cast<std::size_t>(index[r]) * ldg;
    for (std::size_t n = 0; n < N; n += kLine) __builtin_prefetch(a + kRowsAhead * lda + n);
    for (std::size_t n = 0; n < N; n += lanes<Arch>)
      store<Arch>(target + n, load<Arch>(target + n) + load<Arch>(a + n));
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GEMM_TN_INL_H_

// Matrix products. An element of W x has one accumulator, which runs over k in ascending order by fused
// multiply-add; of a matrix with few rows it has four, one for each quarter of k, added in order, since a
// step of a small network is otherwise nothing but the latency of that chain. The bits of an element so depend
// neither on the batch nor on the tile nor on the ISA. Vectors run across outputs.
//
// A tile is MR rows of x times VT vectors of outputs, all in registers. The weights' vectors come from F full
// panels and the T vectors of the last panel; with one row (a step) several panels are read at once, since
// one panel's accumulators do not hide the latency of the multiply-add.
#ifndef RNN_KERNELS_GEMM_INL_H_
#define RNN_KERNELS_GEMM_INL_H_

#include "lib/kernels/simd-inl.h"
#include "lib/kernels/table.h"

#if defined(__clang__)
#define RNN_UNROLL _Pragma("unroll")
#else
#define RNN_UNROLL _Pragma("GCC unroll 32")
#endif

namespace rnn::kernels {
namespace {

// Tile shapes. AVX-512 and NEON have 32 registers, of which 24 accumulate; AVX2 12 of 16; SSE2 needs one
// more for the product. Measured on AVX-512: 6x64 and 8x48 are equal, and 64 divides the usual sizes.
template <class Arch>
struct Shape {
  static constexpr std::size_t panel_vectors = 4;
  static constexpr std::size_t rows = 6;          // most rows of a tile
  static constexpr std::size_t step_panels = 4;   // full panels at once for one row
  static constexpr std::size_t part_vectors = 4;  // most vectors of which a row's four parts run at once
};
#if defined(__SSE2__) && !defined(__AVX512F__)
template <>
struct Shape<xsimd::sse2> {
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t rows = 4;
  static constexpr std::size_t step_panels = 5;
  static constexpr std::size_t part_vectors = 3;
};
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
template <>
struct Shape<xsimd::fma3<xsimd::avx2>> {
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t rows = 6;
  static constexpr std::size_t step_panels = 5;
  static constexpr std::size_t part_vectors = 3;
};
#endif

template <class Arch>
constexpr std::size_t panel_rows = Shape<Arch>::panel_vectors * lanes<Arch>;

inline const float* row(const Rows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}
inline float* row(const MutableRows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}
inline bool is_zero(const Rows& rows) noexcept { return rows.base == nullptr && rows.pointers == nullptr; }

// Lanes [column, column + lanes) of a row that has n.
template <class Arch>
inline Vec<Arch> load_columns(const float* p, std::size_t column, std::size_t n) noexcept {
  return column + lanes<Arch> <= n ? load<Arch>(p + column) : load_partial<Arch>(p + column, n - column);
}
template <class Arch>
inline void store_columns(float* p, std::size_t column, std::size_t n, Vec<Arch> v) noexcept {
  if (column + lanes<Arch> <= n)
    store<Arch>(p + column, v);
  else
    store_partial<Arch>(p + column, v, n - column);
}

// The parts of k that have accumulators of their own; part p of a depth starts at depth * p / parts.
inline std::size_t part_count(std::size_t rows) noexcept { return rows <= 64 ? 4 : 1; }

// A tile's weights: F full panels and T vectors of the panel behind them.
template <class Arch, std::size_t F, std::size_t T>
struct TileWeights {
  static constexpr std::size_t PV = Shape<Arch>::panel_vectors, L = lanes<Arch>, VT = F * PV + T;
  const float* panels[F + 1];

  TileWeights(const float* w, std::size_t depth) noexcept {
    RNN_UNROLL for (std::size_t f = 0; f <= F; ++f) panels[f] = w + f * depth * PV * L;
  }
  Vec<Arch> operator()(std::size_t k, std::size_t v) const noexcept {
    return v < F * PV ? load_aligned<Arch>(panels[v / PV] + (k * PV + v % PV) * L)
                      : load_aligned<Arch>(panels[F] + (k * T + v - F * PV) * L);
  }
};

// sum[MR, VT] = sum over k in [first, last) of x[m][k] w[k]. The accumulators are local: compiled out of line, those
// of the caller would be stored at each k.
template <class Arch, std::size_t MR, std::size_t F, std::size_t T, std::size_t VT>
inline void accumulate(const TileWeights<Arch, F, T>& w, const float* const* x, std::size_t first,
                       std::size_t last, Vec<Arch> (&sum)[MR][VT]) noexcept {
  const float* rows[MR];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) rows[m] = x[m];
  Vec<Arch> s[MR][VT];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) s[m][v] = Vec<Arch>(0.0f);
  }
  for (std::size_t k = first; k < last; ++k) {
    Vec<Arch> weights[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) weights[v] = w(k, v);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      const Vec<Arch> value(rows[m][k]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) s[m][v] = vfma(weights[v], value, s[m][v]);
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = s[m][v];
  }
}

// One row in four parts at once: sum[VT] = ((part 0 + part 1) + part 2) + part 3.
template <class Arch, std::size_t F, std::size_t T, std::size_t VT>
inline void accumulate_parts(const TileWeights<Arch, F, T>& w, std::size_t depth, const float* x,
                             Vec<Arch> (&sum)[VT]) noexcept {
  constexpr std::size_t parts = 4;
  Vec<Arch> part[parts][VT];
  RNN_UNROLL for (std::size_t p = 0; p < parts; ++p) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) part[p][v] = Vec<Arch>(0.0f);
  }
  const std::size_t common = depth / parts;  // steps that all parts have; some have one more
  for (std::size_t i = 0; i < common; ++i) {
    RNN_UNROLL for (std::size_t p = 0; p < parts; ++p) {
      const std::size_t k = depth * p / parts + i;
      const Vec<Arch> value(x[k]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) part[p][v] = vfma(w(k, v), value, part[p][v]);
    }
  }
  RNN_UNROLL for (std::size_t p = 0; p < parts; ++p) {
    const std::size_t k = depth * p / parts + common;
    if (k < depth * (p + 1) / parts) {
      const Vec<Arch> value(x[k]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) part[p][v] = vfma(w(k, v), value, part[p][v]);
    }
  }
  RNN_UNROLL for (std::size_t v = 0; v < VT; ++v)
      sum[v] = ((part[0][v] + part[1][v]) + part[2][v]) + part[3][v];
}

template <class Arch, std::size_t MR, std::size_t VT>
inline void store_tile(const Vec<Arch> (&sum)[MR][VT], float* sums) noexcept {
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v)
        store_aligned<Arch>(sums + (m * VT + v) * lanes<Arch>, sum[m][v]);
  }
}

// sums[MR, VT] = the products, row after row.
template <class Arch, std::size_t MR, std::size_t F, std::size_t T>
void tile(std::size_t parts, const float* w, std::size_t depth, const float* const* x, float* sums) noexcept {
  constexpr std::size_t L = lanes<Arch>, VT = TileWeights<Arch, F, T>::VT;
  const TileWeights<Arch, F, T> weights(w, depth);
  Vec<Arch> sum[MR][VT];
  if constexpr (MR == 1 && VT <= Shape<Arch>::part_vectors) {
    if (parts > 1) {
      accumulate_parts<Arch>(weights, depth, x[0], sum[0]);
      return store_tile<Arch>(sum, sums);
    }
  }
  accumulate<Arch, MR>(weights, x, 0, depth / parts, sum);
  store_tile<Arch>(sum, sums);
  for (std::size_t p = 1; p < parts; ++p) {
    accumulate<Arch, MR>(weights, x, depth * p / parts, depth * (p + 1) / parts, sum);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v)
          sum[m][v] = load_aligned<Arch>(sums + (m * VT + v) * L) + sum[m][v];
    }
    store_tile<Arch>(sum, sums);
  }
}

// Call tile with the run-time counts as template arguments: of `rows` rows one full panel or `tail` vectors; of one
// row, `full` panels and `tail` vectors.
template <class Arch, std::size_t MR, std::size_t F, std::size_t T>
inline void with_tail(std::size_t tail, std::size_t parts, const float* w, std::size_t depth,
                      const float* const* x, float* sums) noexcept {
  if constexpr (T < Shape<Arch>::panel_vectors) {
    if (tail != T) return with_tail<Arch, MR, F, T + 1>(tail, parts, w, depth, x, sums);
    if constexpr (F + T > 0) tile<Arch, MR, F, T>(parts, w, depth, x, sums);
  }
}
template <class Arch, std::size_t F>
inline void with_panels(std::size_t full, std::size_t tail, std::size_t parts, const float* w, std::size_t depth,
                        const float* const* x, float* sums) noexcept {
  if constexpr (F <= Shape<Arch>::step_panels) {
    if (full != F) return with_panels<Arch, F + 1>(full, tail, parts, w, depth, x, sums);
    with_tail<Arch, 1, F, 0>(tail, parts, w, depth, x, sums);
  }
}
template <class Arch, std::size_t MR>
inline void with_rows(std::size_t rows, std::size_t vectors, std::size_t parts, const float* w, std::size_t depth,
                      const float* const* x, float* sums) noexcept {
  if constexpr (MR <= Shape<Arch>::rows) {
    if (rows != MR) return with_rows<Arch, MR + 1>(rows, vectors, parts, w, depth, x, sums);
    if (vectors == Shape<Arch>::panel_vectors)
      tile<Arch, MR, 1, 0>(parts, w, depth, x, sums);
    else
      with_tail<Arch, MR, 0, 1>(vectors, parts, w, depth, x, sums);
  }
}

// y = init + W x
template <class Arch>
struct Affine {
  const Rows& init;  // by reference: a copy would load what the caller has just stored in smaller pieces
  const MutableRows& y;
  std::size_t n;

  void finish(std::size_t m, std::size_t column, Vec<Arch> sum) const noexcept {
    if (!is_zero(init)) sum = load_columns<Arch>(row(init, m), column, n) + sum;
    store_columns<Arch>(row(y, m), column, n, sum);
  }
};

// Hand a tile's sums on while they are in the cache: rows from m0 on, columns from `column` on, up to output.n.
template <class Arch, class Output>
inline void finish_tile(const float* sums, std::size_t m0, std::size_t rows, std::size_t column,
                        std::size_t vectors, const Output& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  for (std::size_t m = 0; m < rows; ++m, sums += vectors * L)
    for (std::size_t v = 0; v < vectors && column + v * L < output.n; ++v)
      output.finish(m0 + m, column + v * L, load_aligned<Arch>(sums + v * L));
}

// One row: up to step_panels full panels at once, the last ones together with the tail.
template <class Arch, class Output>
inline void multiply_row(const Panels& w, const float* x, const Output& output) noexcept {
  constexpr std::size_t PV = Shape<Arch>::panel_vectors, SP = Shape<Arch>::step_panels, L = lanes<Arch>;
  alignas(64) float sums[(SP * PV + PV - 1) * L];
  const std::size_t vectors = (w.rows + L - 1) / L, parts = part_count(w.rows);
  if (vectors == 1) {  // a tiny network: the way through memory would count
    Vec<Arch> sum[1];
    accumulate_parts<Arch>(TileWeights<Arch, 0, 1>(w.data, w.depth), w.depth, x, sum);
    return output.finish(0, 0, sum[0]);
  }
  std::size_t full = vectors / PV, column = 0;
  const std::size_t tail = vectors % PV;
  const float* panel = w.data;
  for (; full > SP; full -= SP, column += SP * PV * L, panel += SP * PV * L * w.depth) {
    tile<Arch, 1, SP, 0>(parts, panel, w.depth, &x, sums);
    finish_tile<Arch>(sums, 0, 1, column, SP * PV, output);
  }
  with_panels<Arch, 0>(full, tail, parts, panel, w.depth, &x, sums);
  finish_tile<Arch>(sums, 0, 1, column, full * PV + tail, output);
}

// Rows of x that are worked on while a panel is in the cache.
constexpr std::size_t kRowBlock = 96;

// Rows [m0, m0 + count) of x, cut into tiles that are as equal as can be.
template <class Arch, class Output>
inline void multiply_block(const Panels& w, const float* const* x, std::size_t m0, std::size_t count,
                           const Output& output) noexcept {
  constexpr std::size_t PV = Shape<Arch>::panel_vectors, MR = Shape<Arch>::rows, L = lanes<Arch>;
  alignas(64) float sums[MR * PV * L];
  const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
  const std::size_t all = (w.rows + L - 1) / L, parts = part_count(w.rows);
  for (std::size_t vector = 0; vector < all; vector += PV) {
    const float* const panel = w.data + vector * L * w.depth;
    const std::size_t vectors = all - vector < PV ? all - vector : PV;
    for (std::size_t i = 0, m = 0; i < tiles; ++i) {
      const std::size_t rows = small + (i < larger ? 1 : 0);
      with_rows<Arch, 1>(rows, vectors, parts, panel, w.depth, x + m, sums);
      finish_tile<Arch>(sums, m0 + m, rows, vector * L, vectors, output);
      m += rows;
    }
  }
}

// Every element of W x[m], m < M, to `output`.
template <class Arch, class Output>
inline void multiply(const Panels& w, std::size_t M, const Rows& x, const Output& output) noexcept {
  if (M == 1) return multiply_row<Arch>(w, row(x, 0), output);
  const float* pointers[kRowBlock];
  for (std::size_t m0 = 0; m0 < M; m0 += kRowBlock) {
    const std::size_t count = M - m0 < kRowBlock ? M - m0 : kRowBlock;
    for (std::size_t m = 0; m < count; ++m) pointers[m] = row(x, m0 + m);
    multiply_block<Arch>(w, pointers, m0, count, output);
  }
}

template <class Arch>
void gemm(const Panels& w, std::size_t M, const Rows& x, const Rows& init, std::size_t n,
          const MutableRows& y) noexcept {
  multiply<Arch>(w, M, x, Affine<Arch>{init, y, n});
}

template <class Arch>
void gather(const Panels& w, std::size_t M, const std::int32_t* index, const Rows& init, std::size_t n,
            const MutableRows& y) noexcept {
  constexpr std::size_t PV = Shape<Arch>::panel_vectors, L = lanes<Arch>;
  const Affine<Arch> output{init, y, n};
  const std::size_t all = (w.rows + L - 1) / L;
  for (std::size_t m = 0; m < M; ++m) {
    const auto k = static_cast<std::size_t>(index[m]);
    for (std::size_t vector = 0; vector < all; vector += PV) {
      const std::size_t vectors = all - vector < PV ? all - vector : PV;
      finish_tile<Arch>(w.data + (vector * w.depth + k * vectors) * L, m, 1, vector * L, vectors, output);
    }
  }
}

// Where the rows of a and b that follow the present block start: each step over r prefetches one line of each.
struct Ahead {
  const float* a;
  const float* b;
};

// c[MR, VT vectors] += sum over r of a[r, m] b[r, vectors].
template <class Arch, std::size_t MR, std::size_t VT>
inline void tile_tn(std::size_t R, const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c,
                    std::size_t ldc, const Ahead& ahead) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  Vec<Arch> sum[MR][VT];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = load<Arch>(c + m * ldc + v * L);
  }
  for (std::size_t r = 0; r < R; ++r) {
    __builtin_prefetch(ahead.a + r * lda);
    __builtin_prefetch(ahead.b + r * ldb);
    Vec<Arch> vectors[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) vectors[v] = load<Arch>(b + r * ldb + v * L);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      const Vec<Arch> value(a[r * lda + m]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = vfma(vectors[v], value, sum[m][v]);
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store<Arch>(c + m * ldc + v * L, sum[m][v]);
  }
}

template <class Arch, std::size_t MR, std::size_t VT>
inline void dispatch_tn(std::size_t rows, std::size_t vectors, std::size_t R, const float* a, std::size_t lda,
                        const float* b, std::size_t ldb, float* c, std::size_t ldc, const Ahead& ahead) noexcept {
  if constexpr (MR <= Shape<Arch>::rows && VT <= Shape<Arch>::panel_vectors) {
    if (vectors != VT) return dispatch_tn<Arch, MR, VT + 1>(rows, vectors, R, a, lda, b, ldb, c, ldc, ahead);
    if (rows != MR) return dispatch_tn<Arch, MR + 1, VT>(rows, vectors, R, a, lda, b, ldb, c, ldc, ahead);
    tile_tn<Arch, MR, VT>(R, a, lda, b, ldb, c, ldc, ahead);
  }
}

// Rows of a and b that are worked on at a time: b's share of a panel stays in the L1 cache.
constexpr std::size_t kDepthBlock = 64;
// Floats in a cache line.
constexpr std::size_t kLine = 16;

// The rows are too far apart for the hardware's prefetchers, so the tiles of one block fetch the lines of the
// next: the first column of tiles those of a, the first tiles of a column those of b.
template <class Arch>
void gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda, const float* b,
             std::size_t ldb, float* c, std::size_t ldc) noexcept {
  constexpr std::size_t P = panel_rows<Arch>, MR = Shape<Arch>::rows;
  if (M == 0) return;
  const std::size_t tiles = (M + MR - 1) / MR, small = M / tiles, larger = M % tiles;
  for (std::size_t r = 0; r < R; r += kDepthBlock, a += kDepthBlock * lda, b += kDepthBlock * ldb) {
    const std::size_t depth = R - r < kDepthBlock ? R - r : kDepthBlock;
    for (std::size_t n = 0; n < N; n += P) {
      const std::size_t vectors = (N - n < P ? N - n : P) / lanes<Arch>;
      for (std::size_t i = 0, m = 0; i < tiles; ++i) {
        const std::size_t rows = small + (i < larger ? 1 : 0);
        const Ahead ahead{n == 0 ? a + kDepthBlock * lda + m : a + m,
                          i * kLine < P ? b + kDepthBlock * ldb + n + i * kLine : b + n};
        dispatch_tn<Arch, 1, 1>(rows, vectors, depth, a + m, lda, b + n, ldb, c + m * ldc + n, ldc, ahead);
        m += rows;
      }
    }
  }
}

template <class Arch>
void column_sums(std::size_t R, std::size_t N, const float* a, std::size_t lda, float* out) noexcept {
  constexpr std::size_t L = lanes<Arch>, VT = kPad / L;
  for (std::size_t n = 0; n < N; n += kPad) {
    Vec<Arch> sum[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[v] = load<Arch>(out + n + v * L);
    for (std::size_t r = 0; r < R; ++r) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[v] = sum[v] + load<Arch>(a + r * lda + n + v * L);
    }
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store<Arch>(out + n + v * L, sum[v]);
  }
}

template <class Arch>
void scatter_add(std::size_t R, std::size_t N, const std::int32_t* index, const float* a, std::size_t lda, float* g,
                 std::size_t ldg) noexcept {
  for (std::size_t r = 0; r < R; ++r) {
    float* target = g + static_cast<std::size_t>(index[r]) * ldg;
    for (std::size_t n = 0; n < N; n += lanes<Arch>)
      store<Arch>(target + n, load<Arch>(target + n) + load<Arch>(a + r * lda + n));
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GEMM_INL_H_

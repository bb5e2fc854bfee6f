// Matrix products. An element of W x has one accumulator, which runs over k in ascending order by fused
// multiply-add; of a matrix with few rows it has four, one for each quarter of k, added in order, since a
// step of a small network is otherwise nothing but the latency of that chain. The bits of an element so
// depend neither on the batch nor on the tile nor on the ISA. Vectors run across outputs.
//
// A tile is MR rows of x times VT vectors of outputs, all in registers. The weights' vectors come from F full
// panels and the T vectors of the last panel, if that has fewer; with one row (a step) several panels are
// read at once, since one panel's accumulators do not hide the latency of the multiply-add.
//
// An output says how many gates (G) its matrix is grouped by, 1 for plain panels, and is handed G vectors at
// a time: the sums of all gates of some units.
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
  static constexpr std::size_t accumulators = 24;
  static constexpr std::size_t step_vectors = 20;  // most vectors at once for one row
  static constexpr std::size_t part_vectors = 6;   // most vectors of which a row's four parts run at once
};
#if defined(__SSE2__) && !defined(__AVX512F__)
template <>
struct Shape<xsimd::sse2> {
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t accumulators = 9;
  static constexpr std::size_t step_vectors = 12;
  static constexpr std::size_t part_vectors = 3;
};
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
template <>
struct Shape<xsimd::fma3<xsimd::avx2>> {
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t accumulators = 12;
  static constexpr std::size_t step_vectors = 12;
  static constexpr std::size_t part_vectors = 3;
};
#endif

template <class Arch>
constexpr std::size_t panel_rows = Shape<Arch>::panel_vectors* lanes<Arch>;

// Panels of a matrix that is grouped by G gates, or plain ones (G = 1).
template <class Arch, std::size_t G>
struct PanelShape {
  static constexpr std::size_t vectors = G > 1 ? G : Shape<Arch>::panel_vectors;
  static constexpr std::size_t tails = G > 1 ? 1 : vectors;  // 0 to tails - 1 vectors follow the full panels
  static constexpr std::size_t rows = Shape<Arch>::accumulators / vectors;  // most rows of a tile
  static constexpr std::size_t step_panels = (Shape<Arch>::step_vectors - tails + 1) / vectors;

  // Of the whole matrix.
  static std::size_t all_vectors(const Panels& w) noexcept {
    return (w.rows / G + lanes<Arch> - 1) / lanes<Arch> * G;
  }
};

inline const float* row(const Rows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}
inline float* row(const MutableRows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}
inline bool is_zero(const Rows& rows) noexcept { return rows.base == nullptr && rows.pointers == nullptr; }

// Lanes [column, column + lanes) of a row that has n.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> load_columns(const float* p, std::size_t column,
                                                     std::size_t n) noexcept {
  return column + lanes<Arch> <= n ? load<Arch>(p + column) : load_partial<Arch>(p + column, n - column);
}
template <class Arch>
[[gnu::always_inline]] inline void store_columns(float* p, std::size_t column, std::size_t n,
                                                 Vec<Arch> v) noexcept {
  if (column + lanes<Arch> <= n)
    store<Arch>(p + column, v);
  else
    store_partial<Arch>(p + column, v, n - column);
}

// The parts of k that have accumulators of their own; part p of a depth starts at depth * p / parts.
inline std::size_t part_count(std::size_t rows) noexcept { return rows <= 64 ? 4 : 1; }

// A tile's weights: F full panels of PV vectors and T vectors of the panel behind them.
template <class Arch, std::size_t PV, std::size_t F, std::size_t T>
struct TileWeights {
  static constexpr std::size_t L = lanes<Arch>, VT = F * PV + T;
  const float* panels[F + 1];

  TileWeights(const float* w, std::size_t depth) noexcept {
    RNN_UNROLL for (std::size_t f = 0; f <= F; ++f) panels[f] = w + f * depth * PV * L;
  }
  Vec<Arch> operator()(std::size_t k, std::size_t v) const noexcept {
    return v < F * PV ? load_aligned<Arch>(panels[v / PV] + (k * PV + v % PV) * L)
                      : load_aligned<Arch>(panels[F] + (k * T + v - F * PV) * L);
  }
};

// sum[MR, VT] = sum over k in [first, last) of x[m][k] w[k]. The accumulators are local: compiled out of
// line, those of the caller would be stored at each k. The shorter side of the tile is what stays in
// registers beside them.
template <class Arch, std::size_t MR, class Weights, std::size_t VT>
[[gnu::always_inline]] inline void accumulate(const Weights& w, const float* const* x, std::size_t first,
                                              std::size_t last, Vec<Arch> (&sum)[MR][VT]) noexcept {
  const float* rows[MR];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) rows[m] = x[m];
  Vec<Arch> s[MR][VT];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) s[m][v] = Vec<Arch>(0.0f);
  }
  for (std::size_t k = first; k < last; ++k) {
    if constexpr (MR < VT) {
      Vec<Arch> values[MR];
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) values[m] = Vec<Arch>(rows[m][k]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) {
        const Vec<Arch> weight = w(k, v);
        RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) s[m][v] = vfma(weight, values[m], s[m][v]);
      }
    } else {
      Vec<Arch> weights[VT];
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) weights[v] = w(k, v);
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
        const Vec<Arch> value(rows[m][k]);
        RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) s[m][v] = vfma(weights[v], value, s[m][v]);
      }
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = s[m][v];
  }
}

// One row in four parts at once: sum[VT] = ((part 0 + part 1) + part 2) + part 3.
template <class Arch, class Weights, std::size_t VT>
[[gnu::always_inline]] inline void accumulate_parts(const Weights& w, std::size_t depth, const float* x,
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
  RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[v] =
      ((part[0][v] + part[1][v]) + part[2][v]) + part[3][v];
}

template <class Arch, std::size_t MR, std::size_t VT>
[[gnu::always_inline]] inline void store_tile(const Vec<Arch> (&sum)[MR][VT], float* sums) noexcept {
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v)
        store_aligned<Arch>(sums + (m * VT + v) * lanes<Arch>, sum[m][v]);
  }
}

// sums[MR, VT] = the products, row after row.
template <class Arch, std::size_t MR, std::size_t PV, std::size_t F, std::size_t T>
void tile(std::size_t parts, const float* w, std::size_t depth, const float* const* x, float* sums) noexcept {
  constexpr std::size_t L = lanes<Arch>, VT = F * PV + T;
  const TileWeights<Arch, PV, F, T> weights(w, depth);
  Vec<Arch> sum[MR][VT];
  if constexpr (MR == 1 && VT <= Shape<Arch>::part_vectors) {
    if (parts > 1) {
      accumulate_parts<Arch>(weights, depth, x[0], sum[0]);
      return store_tile<Arch>(sum, sums);
    }
  }
  accumulate<Arch>(weights, x, 0, depth / parts, sum);
  store_tile<Arch>(sum, sums);
  for (std::size_t p = 1; p < parts; ++p) {
    accumulate<Arch>(weights, x, depth * p / parts, depth * (p + 1) / parts, sum);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] =
          load_aligned<Arch>(sums + (m * VT + v) * L) + sum[m][v];
    }
    store_tile<Arch>(sum, sums);
  }
}

// Call tile with the run-time counts as template arguments: of `rows` rows one full panel or `tail` vectors;
// of one row, `full` panels and `tail` vectors.
template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T>
inline void with_tail(std::size_t tail, std::size_t parts, const float* w, std::size_t depth,
                      const float* const* x, float* sums) noexcept {
  if constexpr (T < P::tails) {
    if (tail != T) return with_tail<Arch, P, MR, F, T + 1>(tail, parts, w, depth, x, sums);
    if constexpr (F + T > 0) tile<Arch, MR, P::vectors, F, T>(parts, w, depth, x, sums);
  }
}
template <class Arch, class P, std::size_t F>
inline void with_panels(std::size_t full, std::size_t tail, std::size_t parts, const float* w,
                        std::size_t depth, const float* const* x, float* sums) noexcept {
  if constexpr (F <= P::step_panels) {
    if (full != F) return with_panels<Arch, P, F + 1>(full, tail, parts, w, depth, x, sums);
    with_tail<Arch, P, 1, F, 0>(tail, parts, w, depth, x, sums);
  }
}
template <class Arch, class P, std::size_t MR>
inline void with_rows(std::size_t rows, std::size_t vectors, std::size_t parts, const float* w,
                      std::size_t depth, const float* const* x, float* sums) noexcept {
  if constexpr (MR <= P::rows) {
    if (rows != MR) return with_rows<Arch, P, MR + 1>(rows, vectors, parts, w, depth, x, sums);
    if (vectors == P::vectors)
      tile<Arch, MR, P::vectors, 1, 0>(parts, w, depth, x, sums);
    else
      with_tail<Arch, P, MR, 0, 1>(vectors, parts, w, depth, x, sums);
  }
}

// y = init + W x. Grouped: n units.
template <class Arch, std::size_t G>
struct Affine {
  static constexpr std::size_t gates = G;
  const Rows& init;  // by reference: a copy would load what the caller has just stored in smaller pieces
  const MutableRows& y;
  std::size_t n;

  void finish(std::size_t m, std::size_t column, const Vec<Arch> (&sum)[G]) const noexcept {
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g) {
      Vec<Arch> value = sum[g];
      if (!is_zero(init)) value = load_columns<Arch>(row(init, m) + g * n, column, n) + value;
      store_columns<Arch>(row(y, m) + g * n, column, n, value);
    }
  }
};

// Hand a tile's sums on while they are in the cache: rows from m0 on, columns (units) from `column` on, up to
// output.n.
template <class Arch, class Output>
[[gnu::always_inline]] inline void finish_tile(const float* sums, std::size_t m0, std::size_t rows,
                                               std::size_t column, std::size_t vectors,
                                               const Output& output) noexcept {
  constexpr std::size_t L = lanes<Arch>, G = Output::gates;
  for (std::size_t m = 0; m < rows; ++m, sums += vectors * L) {
    for (std::size_t v = 0, i = column; v < vectors && i < output.n; v += G, i += L) {
      Vec<Arch> sum[G];
      RNN_UNROLL for (std::size_t g = 0; g < G; ++g) sum[g] = load_aligned<Arch>(sums + (v + g) * L);
      output.finish(m0 + m, i, sum);
    }
  }
}

// One row: up to step_panels full panels at once, cut as equally as can be, the last ones together with the
// tail.
template <class Arch, class Output>
inline void multiply_row(const Panels& w, const float* x, const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, L = lanes<Arch>;
  using P = PanelShape<Arch, G>;
  const std::size_t vectors = P::all_vectors(w), parts = part_count(w.rows);
  if constexpr (G <= Shape<Arch>::part_vectors) {
    if (vectors == G) {  // a tiny network: the way through memory would count
      constexpr std::size_t full = G > 1 ? 1 : 0;
      Vec<Arch> sum[G];
      accumulate_parts<Arch>(TileWeights<Arch, P::vectors, full, 1 - full>(w.data, w.depth), w.depth, x, sum);
      return output.finish(0, 0, sum);
    }
  }
  alignas(64) float sums[(P::step_panels * P::vectors + P::tails - 1) * L];
  const std::size_t all = vectors / P::vectors, tail = vectors % P::vectors;
  const std::size_t tiles = all == 0 ? 1 : (all + P::step_panels - 1) / P::step_panels;
  const float* panel = w.data;
  for (std::size_t i = 0, column = 0; i < tiles; ++i) {
    const std::size_t full = all / tiles + (i < all % tiles ? 1 : 0), rest = i + 1 == tiles ? tail : 0;
    with_panels<Arch, P, 0>(full, rest, parts, panel, w.depth, &x, sums);
    finish_tile<Arch>(sums, 0, 1, column, full * P::vectors + rest, output);
    panel += full * P::vectors * L * w.depth;
    column += full * P::vectors / G * L;
  }
}

// Rows of x that are worked on while a panel is in the cache.
constexpr std::size_t kRowBlock = 96;

// Rows [m0, m0 + count) of x, cut into tiles that are as equal as can be.
template <class Arch, class Output>
inline void multiply_block(const Panels& w, const float* const* x, std::size_t m0, std::size_t count,
                           const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, L = lanes<Arch>;
  using P = PanelShape<Arch, G>;
  constexpr std::size_t PV = P::vectors, MR = P::rows;
  alignas(64) float sums[MR * PV * L];
  const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
  const std::size_t all = P::all_vectors(w), parts = part_count(w.rows);
  for (std::size_t vector = 0; vector < all; vector += PV) {
    const float* const panel = w.data + vector * L * w.depth;
    const std::size_t vectors = all - vector < PV ? all - vector : PV;
    for (std::size_t i = 0, m = 0; i < tiles; ++i) {
      const std::size_t rows = small + (i < larger ? 1 : 0);
      with_rows<Arch, P, 1>(rows, vectors, parts, panel, w.depth, x + m, sums);
      finish_tile<Arch>(sums, m0 + m, rows, vector / G * L, vectors, output);
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
  switch (w.gates) {
    case 2:
      return multiply<Arch>(w, M, x, Affine<Arch, 2>{init, y, w.rows / 2});
    case 3:
      return multiply<Arch>(w, M, x, Affine<Arch, 3>{init, y, w.rows / 3});
    case 4:
      return multiply<Arch>(w, M, x, Affine<Arch, 4>{init, y, w.rows / 4});
    default:
      return multiply<Arch>(w, M, x, Affine<Arch, 1>{init, y, n});
  }
}

// Column index[m] of W, m < M, to `output`.
template <class Arch, class Output>
inline void pick(const Panels& w, std::size_t M, const std::int32_t* index, const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, PV = PanelShape<Arch, G>::vectors, L = lanes<Arch>;
  const std::size_t all = PanelShape<Arch, G>::all_vectors(w);
  for (std::size_t m = 0; m < M; ++m) {
    const auto k = static_cast<std::size_t>(index[m]);
    for (std::size_t vector = 0; vector < all; vector += PV) {
      const std::size_t vectors = all - vector < PV ? all - vector : PV;
      finish_tile<Arch>(w.data + (vector * w.depth + k * vectors) * L, m, 1, vector / G * L, vectors, output);
    }
  }
}

template <class Arch>
void gather(const Panels& w, std::size_t M, const std::int32_t* index, const Rows& init, std::size_t n,
            const MutableRows& y) noexcept {
  switch (w.gates) {
    case 2:
      return pick<Arch>(w, M, index, Affine<Arch, 2>{init, y, w.rows / 2});
    case 3:
      return pick<Arch>(w, M, index, Affine<Arch, 3>{init, y, w.rows / 3});
    case 4:
      return pick<Arch>(w, M, index, Affine<Arch, 4>{init, y, w.rows / 4});
    default:
      return pick<Arch>(w, M, index, Affine<Arch, 1>{init, y, n});
  }
}

// Where the rows of a and b that follow the present block start: each step over r prefetches one line of
// each.
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
                        const float* b, std::size_t ldb, float* c, std::size_t ldc,
                        const Ahead& ahead) noexcept {
  if constexpr (MR <= PanelShape<Arch, 1>::rows && VT <= Shape<Arch>::panel_vectors) {
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
  constexpr std::size_t P = panel_rows<Arch>, MR = PanelShape<Arch, 1>::rows;
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
void scatter_add(std::size_t R, std::size_t N, const std::int32_t* index, const float* a, std::size_t lda,
                 float* g, std::size_t ldg) noexcept {
  for (std::size_t r = 0; r < R; ++r) {
    float* target = g + static_cast<std::size_t>(index[r]) * ldg;
    for (std::size_t n = 0; n < N; n += lanes<Arch>)
      store<Arch>(target + n, load<Arch>(target + n) + load<Arch>(a + r * lda + n));
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GEMM_INL_H_

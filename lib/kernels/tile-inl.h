// The tiles of matrix products: weights times some rows of x, in registers.
//
// A tile is MR rows of x times VT vectors of outputs, all in registers. The weights' vectors come from F full
// panels and the T vectors of the last panel, if that has fewer; with one row (a step) several panels are
// read at once, since one panel's accumulators do not hide the latency of the multiply-add.
//
// The last vector may be narrow: it then takes half the memory and time, which networks of a few vectors
// notice, whose weights just fit in the L1 cache. One row has it in a tile with others, several rows in tiles
// of its own.
#ifndef RNN_KERNELS_TILE_INL_H_
#define RNN_KERNELS_TILE_INL_H_

#include "lib/kernels/simd-inl.h"
#include "lib/kernels/table.h"

#if defined(__clang__)
#define RNN_UNROLL _Pragma("unroll")
#else
#define RNN_UNROLL _Pragma("GCC unroll 32")
#endif

namespace rnn::kernels {
namespace {

// Tile shapes. AVX-512 and NEON have 32 registers, of which 24 accumulate; AVX2 12 of 16. Measured on AVX-512: 6x64
// and 8x48 are equal, and 64 divides the usual sizes. Without fused multiply-add (SSE2, and numbers one by one) a
// product takes so long that sums may be in memory: few tiles make little code.
template <class Arch>
struct Shape {
  static constexpr std::size_t registers = 32;
  static constexpr std::size_t panel_vectors = 4;
  static constexpr std::size_t accumulators = 24;
  static constexpr std::size_t step_vectors = 20;  // most vectors at once for one row
  static constexpr std::size_t part_vectors = 6;   // most vectors of which a row's four parts run at once
  // Most vectors of each gate of a tiny network, whose sums stay in registers until the activations: of 16 units.
  static constexpr std::size_t gate_vectors = 16 / lanes<Arch>;
};
struct SmallShape {
  static constexpr std::size_t registers = 8;
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t accumulators = 4;
  static constexpr std::size_t step_vectors = 5;
  static constexpr std::size_t part_vectors = 1;
  static constexpr std::size_t gate_vectors = 0;
};
#if defined(RNN_SCALAR)
template <>
struct Shape<Scalar> : SmallShape {};
#elif defined(__SSE2__) && !defined(__AVX2__)
template <>
struct Shape<xsimd::sse2> : SmallShape {};
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
template <>
struct Shape<xsimd::fma3<xsimd::avx2>> {
  static constexpr std::size_t registers = 16;
  static constexpr std::size_t panel_vectors = 2;
  static constexpr std::size_t accumulators = 12;
  static constexpr std::size_t step_vectors = 13;
  static constexpr std::size_t part_vectors = 3;
  static constexpr std::size_t gate_vectors = 2;
};
#endif

template <class Arch>
constexpr std::size_t panel_rows = Shape<Arch>::panel_vectors* lanes<Arch>;

// The vectors that a kind of numbers is multiplied and added in.
template <class Number, class Arch>
using FactorOf = typename Number::template Terms<Arch>::Factor;
template <class Number, class Arch>
using SumOf = typename Number::template Terms<Arch>::Sum;

// How a slot of weights is multiplied by x and added to a sum. formats-inl.h has others, of which a slot may
// take two words of x, the second before the first.
struct F32 {
  static constexpr std::size_t pack = 1, words = 1;
  template <class Arch>
  using Terms = kernels::Terms<Arch>;

  // What word `word` of x is multiplied by.
  template <std::size_t word, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return slots;
  }
  template <class Arch>
  [[gnu::always_inline]] static auto dot(FactorOf<F32, Arch> w, FactorOf<F32, Arch> x,
                                         SumOf<F32, Arch> sum) noexcept {
    return Terms<Arch>::add(w, x, sum);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> add(Vec<Arch> a, Vec<Arch> b) noexcept {
    return a + b;
  }
};

// Panels of a matrix that is grouped by G gates, or plain ones (G = 1).
template <class Arch, std::size_t G, class NumberType = F32>
struct PanelShape {
  using Number = NumberType;
  static constexpr std::size_t gates = G, registers = Shape<Arch>::registers;
  static constexpr std::size_t vectors = G > 1 ? G : Shape<Arch>::panel_vectors;
  static constexpr std::size_t tails = G > 1 ? 1 : vectors;  // 0 to tails - 1 vectors follow the full panels
  static constexpr std::size_t rows = Shape<Arch>::accumulators / vectors;  // most rows of a tile
  static constexpr std::size_t step_panels = (Shape<Arch>::step_vectors - tails + 1) / vectors;

  // Of the whole matrix, but for the narrow vectors.
  static std::size_t wide_vectors(const Panels& w) noexcept {
    return (w.rows / G + lanes<Arch> - 1 - (has_narrow<Arch> ? lanes<Narrow<Arch>> : 0)) / lanes<Arch> * G;
  }
  static std::size_t narrow_vectors(const Panels& w) noexcept {
    return has_narrow<Arch> && (w.rows / G - 1) % lanes<Arch> < lanes<Narrow<Arch>> ? G : 0;
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

// The parts of a sum over k, each with an accumulator of its own: part p of n has k = p, p + n, p + 2 n, ...
constexpr std::size_t kParts = 4;
inline std::size_t part_count(std::size_t rows) noexcept { return rows <= 64 ? kParts : 1; }

// The error of a running sum grows with its length. So a longer one than kLongSum is made of blocks of kSumBlock
// columns, each (or each part of each) summed apart, which are added in order. Block edges depend on k and the depth
// alone.
constexpr std::size_t kLongSum = 1024;
constexpr std::size_t kSumBlock = 256;
inline std::size_t block_columns(std::size_t depth) noexcept { return depth > kLongSum ? kSumBlock : depth; }

// The length of an array that may have no elements.
constexpr std::size_t array_length(std::size_t n) { return n > 0 ? n : 1; }

// A tile's weights: F full panels of PV vectors, T vectors of the panel behind them, and NT narrow ones.
template <class Arch, class P, std::size_t F, std::size_t T, std::size_t NT>
struct TileWeights {
  using Number = typename P::Number;
  static constexpr std::size_t L = lanes<Arch>, PV = P::vectors, wide = F * PV + T, narrow = NT;
  const float* panels[F + 2];

  TileWeights(const float* w, std::size_t depth) noexcept {
    RNN_UNROLL for (std::size_t f = 0; f <= F; ++f) panels[f] = w + f * depth * PV * L;
    panels[F + 1] = panels[F] + depth * T * L;
  }
  // Leave out the first k columns, of weights without narrow vectors.
  void skip(std::size_t k) noexcept {
    RNN_UNROLL for (std::size_t f = 0; f < F; ++f) panels[f] += k * PV * L;
    panels[F] += k * T * L;
  }
  // What word `word` of x is multiplied by, of column k and vector v.
  template <std::size_t word>
  Vec<Arch> factor(std::size_t k, std::size_t v) const noexcept {
    return Number::template factor<word, Arch>(load_aligned<Arch>(
        v < F * PV ? panels[v / PV] + (k * PV + v % PV) * L : panels[F] + (k * T + v - F * PV) * L));
  }
  Vec<Narrow<Arch>> narrow_vector(std::size_t k, std::size_t v) const noexcept {
    return load_aligned<Narrow<Arch>>(panels[F + 1] + (k * NT + v) * lanes<Narrow<Arch>>);
  }
};

// Accumulators of one row of a tile.
template <class Arch, class Weights>
struct RowSums {
  using N = Narrow<Arch>;
  using Number = typename Weights::Number;
  static constexpr std::size_t L = lanes<Arch>, VT = Weights::wide, NT = Weights::narrow;
  static constexpr std::size_t size = VT * L + NT * lanes<N>;
  SumOf<Number, Arch> wide[array_length(VT)];
  Vec<N> narrow[array_length(NT)];

  [[gnu::always_inline]] void clear() noexcept {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) wide[v] = Vec<Arch>(0.0f);
    RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) narrow[v] = Vec<N>(0.0f);
  }
  // Column k of the weights, times words of x.
  [[gnu::always_inline]] void add(const Weights& w, std::size_t k, const float* x) noexcept {
    if constexpr (Number::words > 1) add_word<1>(w, k, x + k * Number::words);
    add_word<0>(w, k, x + k * Number::words);
  }
  template <std::size_t word>
  [[gnu::always_inline]] void add_word(const Weights& w, std::size_t k, const float* x) noexcept {
    const FactorOf<Number, Arch> value(x[word]);
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) wide[v] =
        Number::template dot<Arch>(w.template factor<word>(k, v), value, wide[v]);
    if constexpr (NT > 0) {
      RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) narrow[v] =
          vfma<N>(w.narrow_vector(k, v), vnarrow<Arch>(value), narrow[v]);
    }
  }
  [[gnu::always_inline]] void add(const RowSums& other) noexcept {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) wide[v] =
        Number::template add<Arch>(wide[v], other.wide[v]);
    RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) narrow[v] = narrow[v] + other.narrow[v];
  }
  [[gnu::always_inline]] void load_sums(const float* p) noexcept {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) wide[v] = load_aligned<Arch>(p + v * L);
    RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) narrow[v] = load_aligned<N>(p + VT * L + v * lanes<N>);
  }
  [[gnu::always_inline]] void store_sums(float* p) const noexcept {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store_aligned<Arch>(p + v * L, wide[v]);
    RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) store_aligned<N>(p + VT * L + v * lanes<N>, narrow[v]);
  }
};

// One word of each row of x, at x[m][at], by column k of the weights. The shorter side of the tile is what
// stays in registers beside the accumulators.
template <std::size_t word, class Arch, std::size_t MR, class Weights>
[[gnu::always_inline]] inline void add_rows(const Weights& w, std::size_t k, const float* const (&x)[MR],
                                            std::size_t at, RowSums<Arch, Weights> (&s)[MR]) noexcept {
  constexpr std::size_t VT = Weights::wide;
  using Number = typename Weights::Number;
  if constexpr (MR < VT) {
    FactorOf<Number, Arch> values[MR];
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) values[m] = FactorOf<Number, Arch>(x[m][at]);
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) {
      const FactorOf<Number, Arch> weight = w.template factor<word>(k, v);
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) s[m].wide[v] =
          Number::template dot<Arch>(weight, values[m], s[m].wide[v]);
    }
  } else {
    FactorOf<Number, Arch> weights[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) weights[v] = w.template factor<word>(k, v);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      const FactorOf<Number, Arch> value(x[m][at]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) s[m].wide[v] =
          Number::template dot<Arch>(weights[v], value, s[m].wide[v]);
    }
  }
}

// sum[MR] += sum over k = first, first + step, ... < last of x[m][k] w[k]. The accumulators are local:
// compiled out of line, those of the caller would be stored at each k.
template <class Arch, std::size_t MR, class Weights>
[[gnu::always_inline]] inline void accumulate(const Weights& w, const float* const* x, std::size_t first,
                                              std::size_t last, std::size_t step,
                                              RowSums<Arch, Weights> (&sum)[MR]) noexcept {
  constexpr std::size_t VT = Weights::wide, NT = Weights::narrow, words = Weights::Number::words;
  const float* rows[MR];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) rows[m] = x[m];
  RowSums<Arch, Weights> s[MR];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) s[m] = sum[m];
  for (std::size_t k = first; k < last; k += step) {
    if constexpr (MR == 1) {
      s[0].add(w, k, rows[0]);
    } else if constexpr (NT > 0) {
      static_assert(VT == 0, "of several rows a tile is wide or narrow");
      Vec<Narrow<Arch>> weights[NT];
      RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) weights[v] = w.narrow_vector(k, v);
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
        const Vec<Narrow<Arch>> value(rows[m][k]);
        RNN_UNROLL for (std::size_t v = 0; v < NT; ++v) s[m].narrow[v] =
            vfma<Narrow<Arch>>(weights[v], value, s[m].narrow[v]);
      }
    } else {
      if constexpr (words > 1) add_rows<1, Arch>(w, k, rows, k * words + 1, s);
      add_rows<0, Arch>(w, k, rows, k * words, s);
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) sum[m] = s[m];
}

// One row, four parts of its sums at once: of columns from `first` on.
template <class Arch, class Weights>
[[gnu::always_inline]] inline void sum_parts(const Weights& w, std::size_t first, std::size_t last,
                                             const float* x,
                                             RowSums<Arch, Weights> (&part)[kParts]) noexcept {
  constexpr std::size_t parts = kParts;
  RNN_UNROLL for (std::size_t p = 0; p < parts; ++p) part[p].clear();
  std::size_t k = first;
  for (; k + parts <= last; k += parts) {
    RNN_UNROLL for (std::size_t p = 0; p < parts; ++p) part[p].add(w, k + p, x);
  }
  RNN_UNROLL for (std::size_t p = 0; p + 1 < parts; ++p) {
    if (k + p < last) part[p].add(w, k + p, x);
  }
}

// All columns: ((part 0 + part 1) + part 2) + part 3.
template <class Arch, class Weights>
[[gnu::always_inline]] inline RowSums<Arch, Weights> accumulate_parts(const Weights& w, std::size_t depth,
                                                                      const float* x) noexcept {
  RowSums<Arch, Weights> part[kParts];
  sum_parts<Arch>(w, 0, depth, x, part);
  RNN_UNROLL for (std::size_t p = 1; p < kParts; ++p) part[0].add(part[p]);
  return part[0];
}

// The same in blocks: the first one's parts, then each of the next one's. Inlined, it would take registers from small
// networks' sums; by reference, their weights' addresses would have to be in memory.
template <class Arch, class Weights>
[[gnu::noinline]] void accumulate_blocks(const float* panels, std::size_t depth, const float* x,
                                         float* sums) noexcept {
  const Weights w(panels, depth);
  RowSums<Arch, Weights> sum = accumulate_parts<Arch>(w, kSumBlock, x);
  for (std::size_t first = kSumBlock; first < depth; first += kSumBlock) {
    RowSums<Arch, Weights> part[kParts];
    sum_parts<Arch>(w, first, depth - first < kSumBlock ? depth : first + kSumBlock, x, part);
    RNN_UNROLL for (std::size_t p = 0; p < kParts; ++p) sum.add(part[p]);
  }
  sum.store_sums(sums);
}

// sums[MR] = the products, row after row.
template <class Arch, std::size_t MR, class Weights>
[[gnu::always_inline]] inline void accumulate_tile(std::size_t parts, const float* w, std::size_t depth,
                                                   const float* const* x, float* sums) noexcept {
  using Sums = RowSums<Arch, Weights>;
  const Weights weights(w, depth);
  const std::size_t block = block_columns(depth);
  for (std::size_t first = 0, last = block; first < depth; first = last, last += block) {
    if (last > depth) last = depth;
    for (std::size_t p = 0; p < parts; ++p) {
      Sums sum[MR];
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) sum[m].clear();
      accumulate<Arch>(weights, x, first + p, last, parts, sum);
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
        if (first + p > 0) {
          Sums before;
          before.load_sums(sums + m * Sums::size);
          before.add(sum[m]);
          sum[m] = before;
        }
        sum[m].store_sums(sums + m * Sums::size);
      }
    }
  }
}
// Out of line: inlined beside accumulate_parts, the loops would make a small network's tile save more registers.
template <class Arch, std::size_t MR, class Weights>
[[gnu::noinline]] void accumulate_apart(std::size_t parts, const float* w, std::size_t depth,
                                        const float* const* x, float* sums) noexcept {
  accumulate_tile<Arch, MR, Weights>(parts, w, depth, x, sums);
}

template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T, std::size_t NT>
[[gnu::noinline]] void tile(std::size_t parts, const float* w, std::size_t depth, const float* const* x,
                            float* sums) noexcept {
  using Weights = TileWeights<Arch, P, F, T, NT>;
  if constexpr (MR == 1 && F * P::vectors + T + NT <= Shape<Arch>::part_vectors) {
    if (parts == 1) return accumulate_apart<Arch, MR, Weights>(parts, w, depth, x, sums);
    if (depth > kLongSum) return accumulate_blocks<Arch, Weights>(w, depth, x[0], sums);
    accumulate_parts<Arch>(Weights(w, depth), depth, x[0]).store_sums(sums);
  } else {
    accumulate_tile<Arch, MR, Weights>(parts, w, depth, x, sums);
  }
}

// Call tile with the run-time counts as template arguments: of `rows` rows one full panel or `tail` vectors
// or the narrow ones; of one row, `full` panels and `tail` vectors, with or without the narrow ones.
// A span says which columns of w it is about: of all, the number of parts.
template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T, std::size_t NT, class Span>
inline void with_tail(std::size_t tail, const Span& span, const float* w, std::size_t depth,
                      const float* const* x, float* sums) noexcept {
  if constexpr (T < P::tails) {
    if (tail != T) return with_tail<Arch, P, MR, F, T + 1, NT>(tail, span, w, depth, x, sums);
    if constexpr (F + T + NT > 0)
      tile<Arch, P, MR, F, T, NT>(span, w, depth, x, sums);
    else
      __builtin_unreachable();
  }
}
template <class Arch, class P, std::size_t F, std::size_t NT, class Span>
inline void with_panels(std::size_t full, std::size_t tail, const Span& span, const float* w,
                        std::size_t depth, const float* const* x, float* sums) noexcept {
  if constexpr (F <= P::step_panels) {
    if (full != F) return with_panels<Arch, P, F + 1, NT>(full, tail, span, w, depth, x, sums);
    with_tail<Arch, P, 1, F, 0, NT>(tail, span, w, depth, x, sums);
  }
}
template <class Arch, class P, std::size_t MR, class Span>
inline void with_rows(std::size_t rows, std::size_t vectors, const Span& span, const float* w,
                      std::size_t depth, const float* const* x, float* sums) noexcept {
  if constexpr (MR <= P::rows) {
    if (rows != MR) return with_rows<Arch, P, MR + 1>(rows, vectors, span, w, depth, x, sums);
    if (vectors == P::vectors)
      tile<Arch, P, MR, 1, 0, 0>(span, w, depth, x, sums);
    else
      with_tail<Arch, P, MR, 0, 1, 0>(vectors, span, w, depth, x, sums);
  }
}
template <class Arch, class P, std::size_t MR>
inline void with_narrow_rows(std::size_t rows, std::size_t parts, const float* w, std::size_t depth,
                             const float* const* x, float* sums) noexcept {
  if constexpr (MR <= P::rows) {
    if (rows != MR) return with_narrow_rows<Arch, P, MR + 1>(rows, parts, w, depth, x, sums);
    tile<Arch, P, MR, 0, 0, P::gates>(parts, w, depth, x, sums);
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_TILE_INL_H_

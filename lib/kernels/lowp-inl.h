// Products with weights in a format of formats-inl.h. Rows of x are converted to words on the stack, where
// they stay for all panels; of a deep matrix a chunk of columns at a time, for each panel anew. The order of
// a sum does not depend on that: it goes on from where the chunk before left it. It is that of gemm-inl.h by
// columns of slots, in four parts if there are few rows and not too many columns.
#ifndef RNN_KERNELS_LOWP_INL_H_
#define RNN_KERNELS_LOWP_INL_H_

#include "lib/kernels/formats-inl.h"
#include "lib/kernels/gemm-inl.h"
#include "lib/kernels/gemm_tn-inl.h"

namespace rnn::kernels {
namespace {

// Rows of a block.
constexpr std::size_t kLowpRows = 32;
// Rows that a block should have: deeper matrices go by chunks.
constexpr std::size_t kFewRows = 12;
// Most columns of slots that are cut into parts: their words fit at once.
constexpr std::size_t kPartColumns = 2048;

// Without narrow vectors, and fewer panels at once than of f32: two hide the latency, and code is saved.
template <class Arch, std::size_t G, class Number>
struct LowpShape : PanelShape<Arch, G, Number> {
  static constexpr std::size_t step_panels = 2;

  static std::size_t vector_count(const Panels& w) noexcept {
    return (w.rows / G + lanes<Arch> - 1) / lanes<Arch> * G;
  }
};

template <class Number>
std::size_t column_count(const Panels& w) noexcept {
  constexpr std::size_t numbers = Number::pack * Number::block;
  return (w.depth + numbers - 1) / numbers * Number::block;
}
template <class Number>
std::size_t lowp_parts(const Panels& w) noexcept {
  return Number::block == 1 && column_count<Number>(w) <= kPartColumns ? part_count(w.rows) : 1;
}

// Columns [first, last) of slots; all of them if there are parts.
struct Columns {
  std::size_t parts, first, last;
};

// sums[MR] = the products with all columns up to columns.last, row after row, of which those before
// columns.first are there. x starts with columns.first. Panels are `stride` columns apart.
template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T, std::size_t NT>
void tile(const Columns& columns, const float* w, std::size_t stride, const float* const* x,
          float* sums) noexcept {
  using Weights = TileWeights<Arch, P, F, T, NT>;
  using Sums = RowSums<Arch, Weights>;
  Weights weights(w, stride);
  const std::size_t parts = columns.parts, count = columns.last - columns.first;
  if constexpr (MR == 1 && F * P::vectors + T <= Shape<Arch>::part_vectors) {
    if (parts > 1) return accumulate_parts<Arch>(weights, count, x[0]).store_sums(sums);
  }
  weights.skip(columns.first);
  for (std::size_t p = 0; p < parts; ++p) {
    Sums sum[MR];
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      if (columns.first > 0)
        sum[m].load_sums(sums + m * Sums::size);
      else
        sum[m].clear();
    }
    accumulate<Arch>(weights, x, p, count, parts, sum);
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      if (p > 0) {
        Sums before;
        before.load_sums(sums + m * Sums::size);
        before.add(sum[m]);
        sum[m] = before;
      }
      sum[m].store_sums(sums + m * Sums::size);
    }
  }
}

// Rows of x as words.
template <class Arch, class Number>
struct Operand {
  alignas(64) float words[Number::room];
  const float* x[kLowpRows];
  const float* rows[kLowpRows];
  float largest[kLowpRows];
  std::size_t count;
  std::size_t depth;

  [[gnu::noinline]] void add(const float* row) noexcept {
    x[count] = row;
    largest[count++] = Number::template largest<Arch>(row, depth);
  }
  // Columns [first, last) of slots of each row.
  [[gnu::noinline]] void convert(std::size_t first, std::size_t last) noexcept {
    const std::size_t k = first * Number::pack,
                      end = last * Number::pack < depth ? last * Number::pack : depth;
    for (std::size_t m = 0; m < count; ++m) {
      float* const target = words + m * padded((last - first) * Number::words);
      Number::template convert<Arch>(x[m] + k, end - k, largest[m], target);
      rows[m] = target;
    }
  }
};

// Columns of a chunk, such that the words of `rows` rows fit.
template <class Number>
std::size_t chunk_columns(std::size_t columns, std::size_t rows) noexcept {
  if (rows * padded(columns * Number::words) <= Number::room) return columns;
  return Number::room / rows / Number::words / kPad * kPad;
}

// The sums of a panel, in tiles that are as equal as can be.
template <class Arch, class P, class Number>
inline void panel_sums(Number, const Columns& columns, std::size_t vectors, const float* panel,
                       std::size_t stride, const Operand<Arch, Number>& operand, float* sums) noexcept {
  constexpr std::size_t MR = P::rows;
  const std::size_t tiles = (operand.count + MR - 1) / MR, small = operand.count / tiles,
                    larger = operand.count % tiles;
  for (std::size_t i = 0, m = 0; i < tiles; ++i) {
    const std::size_t rows = small + (i < larger ? 1 : 0);
    with_rows<Arch, P, 1>(rows, vectors, columns, panel, stride, operand.rows + m,
                          sums + m * vectors * lanes<Arch>);
    m += rows;
  }
}

// Rows [m0, m0 + count) of x.
template <class Arch, class Number, class Output>
inline void multiply_block(Number number, const Panels& w, const Rows& x, std::size_t m0, std::size_t count,
                           const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors;
  alignas(64) float sums[kLowpRows * PV * L];
  Operand<Arch, Number> operand;
  operand.count = 0;
  operand.depth = w.depth;
  for (std::size_t m = 0; m < count; ++m) operand.add(row(x, m0 + m));
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t parts = lowp_parts<Number>(w), chunk = chunk_columns<Number>(columns, count);
  if (chunk == columns) operand.convert(0, columns);
  [[maybe_unused]] const typename Number::Registers registers(count);
  const std::size_t all = P::vector_count(w);
  for (std::size_t vector = 0; vector < all; vector += PV) {
    const float* const panel = w.data + vector * L * stride;
    const std::size_t vectors = all - vector < PV ? all - vector : PV;
    for (std::size_t first = 0; first < columns; first += chunk) {
      const std::size_t last = columns - first < chunk ? columns : first + chunk;
      if (chunk < columns) operand.convert(first, last);
      panel_sums<Arch, P>(number, Columns{parts, first, last}, vectors, panel, stride, operand, sums);
    }
    Number::template finish<Arch>(panel + columns * vectors * L, vectors, count, operand.largest, sums);
    finish_tile<Arch>(sums, m0, count, vector / G * L, vectors, output);
  }
}

// One row: a few panels at once, the last ones together with the tail; numbers that come in blocks of columns
// have no way of their own for one row.
template <class Arch, class Number, class Output>
inline void multiply_row([[maybe_unused]] Number number, const Panels& w, const float* x,
                         const Output& output) noexcept {
  if constexpr (Number::block > 1) return multiply_block<Arch>(number, w, {x, 0, nullptr}, 0, 1, output);
  constexpr std::size_t G = Output::gates, L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors;
  alignas(64) float sums[(P::step_panels * PV + P::tails - 1) * L];
  Operand<Arch, Number> operand;
  operand.count = 0;
  operand.depth = w.depth;
  operand.add(x);
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t parts = lowp_parts<Number>(w), chunk = chunk_columns<Number>(columns, 1);
  if (chunk == columns) operand.convert(0, columns);
  const std::size_t vectors = P::vector_count(w), all = vectors / PV;
  const std::size_t tiles = all == 0 ? 1 : (all + P::step_panels - 1) / P::step_panels;
  const float* panel = w.data;
  for (std::size_t i = 0, column = 0; i < tiles; ++i) {
    const std::size_t full = all / tiles + (i < all % tiles ? 1 : 0);
    const std::size_t rest = i + 1 == tiles ? vectors % PV : 0;
    for (std::size_t first = 0; first < columns; first += chunk) {
      const std::size_t last = columns - first < chunk ? columns : first + chunk;
      if (chunk < columns) operand.convert(first, last);
      with_panels<Arch, P, 0, 0>(full, rest, Columns{parts, first, last}, panel, stride, operand.rows, sums);
    }
    for (std::size_t v = 0; v < full * PV + rest; v += PV, panel += PV * L * stride) {
      const std::size_t width = v < full * PV ? PV : rest;
      Number::template finish<Arch>(panel + columns * width * L, width, 1, operand.largest, sums + v * L);
    }
    finish_tile<Arch>(sums, 0, 1, column, full * PV + rest, output);
    column += full * PV / G * L;
  }
}

template <class Arch, class Number, class Output>
inline void multiply(Number number, const Panels& w, std::size_t M, const Rows& x,
                     const Output& output) noexcept {
  if (M == 1) return multiply_row<Arch>(number, w, row(x, 0), output);
  const std::size_t words = padded(column_count<Number>(w) * Number::words);
  std::size_t most = kLowpRows;
  if (lowp_parts<Number>(w) > 1 || words * kFewRows <= Number::room)
    most = Number::room / words < most ? Number::room / words : most;
  const std::size_t blocks = (M + most - 1) / most;
  for (std::size_t i = 0, m = 0; i < blocks; ++i) {
    const std::size_t count = M / blocks + (i < M % blocks ? 1 : 0);
    multiply_block<Arch>(number, w, x, m, count, output);
    m += count;
  }
}

// Column index[m] of W, m < M, to `output`.
template <class Arch, class Number, class Output>
inline void pick(Number, const Panels& w, std::size_t M, const std::int32_t* index,
                 const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors;
  alignas(64) float sums[PV * L];
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t all = P::vector_count(w);
  for (std::size_t m = 0; m < M; ++m) {
    const auto k = static_cast<std::size_t>(index[m]);
    for (std::size_t vector = 0; vector < all; vector += PV) {
      const std::size_t vectors = all - vector < PV ? all - vector : PV;
      const float* const panel = w.data + vector * L * stride;
      const float* const column = panel + k / Number::pack * vectors * L;
      for (std::size_t v = 0; v < vectors; ++v)
        store_aligned<Arch>(
            sums + v * L, Number::template pick<Arch>(load_aligned<Arch>(column + v * L), k % Number::pack));
      Number::template finish_picked<Arch>(panel + columns * vectors * L, vectors, sums);
      finish_tile<Arch>(sums, m, 1, vector / G * L, vectors, output);
    }
  }
}

// --- The gradients of weights -----------------------------------------------------------------

// Rows of a and b that are worked on at a time, and words of a: with them the latter takes 48 KB.
constexpr std::size_t kLowpDepth = 128;
constexpr std::size_t kLowpPairs = kLowpDepth / 2;
constexpr std::size_t kLowpColumns = 192;

// `n` columns of R rows as slots of two rows each, `width` apart; a last row without a second has zeros
// there. Words, if not slots, of the second rows are behind those of the first.
template <class Arch, class Number, bool as_words>
inline void convert_pairs(const float* a, std::size_t lda, std::size_t R, std::size_t n, std::size_t width,
                          float* out) noexcept {
  constexpr std::size_t words = as_words ? Number::words : 1;
  for (std::size_t r = 0; r < R; r += 2, a += 2 * lda, out += width * words) {
    for (std::size_t i = 0; i < n; i += lanes<Arch>) {
      const Vec<Arch> first = load_from<Arch>(a, i, n);
      const Vec<Arch> second = r + 1 < R ? load_from<Arch>(a + lda, i, n) : Vec<Arch>(0.0f);
      if constexpr (as_words)
        Number::template store_words<Arch>(first, second, width, out + i);
      else
        store_aligned<Arch>(out + i, Number::template slots<Arch>(first, second));
    }
  }
}

// A column of cache lines that the next block will read.
struct AheadLines {
  const float* start;
  std::size_t stride;
};

// c[MR, VT vectors] += sum over pairs of a[pair, m] b[pair, vectors].
template <class Arch, class Number, std::size_t MR, std::size_t VT>
inline void tile_pairs(std::size_t pairs, const float* a, const float* b, float* c, std::size_t ldc,
                       const AheadLines& ahead) noexcept {
  constexpr std::size_t L = lanes<Arch>, words = Number::words, lda = kLowpColumns / words,
                        ldb = panel_rows<Arch>;
  Vec<Arch> sum[MR][VT];
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] = load<Arch>(c + m * ldc + v * L);
  }
  for (std::size_t r = 0; r < pairs; ++r, a += lda * words, b += ldb) {
    __builtin_prefetch(ahead.start + 2 * r * ahead.stride);
    __builtin_prefetch(ahead.start + (2 * r + 1) * ahead.stride);
    if constexpr (words > 1) {
      Vec<Arch> vectors[VT];
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) vectors[v] =
          Number::template factor<1, Arch>(load_aligned<Arch>(b + v * L));
      RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
        const Vec<Arch> value(a[lda + m]);
        RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] =
            Number::template dot<Arch>(vectors[v], value, sum[m][v]);
      }
    }
    Vec<Arch> vectors[VT];
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) vectors[v] =
        Number::template factor<0, Arch>(load_aligned<Arch>(b + v * L));
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      const Vec<Arch> value(a[m]);
      RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) sum[m][v] =
          Number::template dot<Arch>(vectors[v], value, sum[m][v]);
    }
  }
  RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
    RNN_UNROLL for (std::size_t v = 0; v < VT; ++v) store<Arch>(c + m * ldc + v * L, sum[m][v]);
  }
}

template <class Arch, class Number, std::size_t MR, std::size_t VT>
inline void dispatch_pairs(std::size_t rows, std::size_t vectors, std::size_t pairs, const float* a,
                           const float* b, float* c, std::size_t ldc, const AheadLines& ahead) noexcept {
  if constexpr (MR <= PanelShape<Arch, 1>::rows && VT <= Shape<Arch>::panel_vectors) {
    if (vectors != VT)
      return dispatch_pairs<Arch, Number, MR, VT + 1>(rows, vectors, pairs, a, b, c, ldc, ahead);
    if (rows != MR)
      return dispatch_pairs<Arch, Number, MR + 1, VT>(rows, vectors, pairs, a, b, c, ldc, ahead);
    tile_pairs<Arch, Number, MR, VT>(pairs, a, b, c, ldc, ahead);
  }
}

// As with f32, tiles of one block fetch the lines of the next. Both are converted where they are used, b anew
// for each block of a's columns: its slots of a panel stay in the L1 cache.
template <class Arch, class Number>
void lowp_gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda,
                  const float* b, std::size_t ldb, float* c, std::size_t ldc) noexcept {
  if constexpr (Number::block > 1) return Number::template gemm_tn<Arch>(M, N, R, a, lda, b, ldb, c, ldc);
  constexpr std::size_t P = panel_rows<Arch>, MR = PanelShape<Arch, 1>::rows;
  constexpr std::size_t columns = kLowpColumns / Number::words;
  alignas(64) float a_words[kLowpPairs * kLowpColumns];
  alignas(64) float b_slots[kLowpPairs * P];
  const std::size_t b_lines = (N + kLine - 1) / kLine, a_lines = (M + kLine - 1) / kLine;
  for (std::size_t r = 0; r < R; r += kLowpDepth, a += kLowpDepth * lda, b += kLowpDepth * ldb) {
    const std::size_t depth = R - r < kLowpDepth ? R - r : kLowpDepth, pairs = (depth + 1) / 2;
    std::size_t tile = 0;
    for (std::size_t m0 = 0; m0 < M; m0 += columns) {
      const std::size_t count = M - m0 < columns ? M - m0 : columns;
      convert_pairs<Arch, Number, true>(a + m0, lda, depth, count, columns, a_words);
      const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
      for (std::size_t n = 0; n < N; n += P) {
        const std::size_t width = N - n < P ? N - n : P;
        convert_pairs<Arch, Number, false>(b + n, ldb, depth, width, P, b_slots);
        for (std::size_t i = 0, m = 0; i < tiles; ++i, ++tile) {
          const std::size_t rows = small + (i < larger ? 1 : 0);
          const AheadLines ahead = tile < b_lines ? AheadLines{b + kLowpDepth * ldb + tile * kLine, ldb}
                                   : tile < b_lines + a_lines
                                       ? AheadLines{a + kLowpDepth * lda + (tile - b_lines) * kLine, lda}
                                       : AheadLines{b_slots, 0};
          dispatch_pairs<Arch, Number, 1, 1>(rows, width / lanes<Arch>, pairs, a_words + m, b_slots,
                                             c + (m0 + m) * ldc + n, ldc, ahead);
          m += rows;
        }
      }
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_LOWP_INL_H_

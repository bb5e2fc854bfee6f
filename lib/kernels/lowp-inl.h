// Products with weights in a format of formats-inl.h. Rows of x are converted to words on the stack, where
// they stay for all panels; of a deep matrix a chunk of columns at a time, for each panel anew. The order of
// a sum does not depend on that: it goes on from where the chunk before left it. It is that of gemm-inl.h by
// columns of slots, in four parts if there are few rows and not too many columns; of too many, in blocks.
#ifndef RNN_KERNELS_LOWP_INL_H_
#define RNN_KERNELS_LOWP_INL_H_

#include "lib/kernels/formats-inl.h"
#include "lib/kernels/gemm-inl.h"

namespace rnn::kernels {
namespace {

// Rows of a block.
constexpr std::size_t kLowpRows = 32;
// Rows that a block should have: deeper matrices go by chunks.
constexpr std::size_t kFewRows = 24;
// Floats of widened weights, which stay in the L1 cache, and of a block's sums.
constexpr std::size_t kWidened = 4096;
constexpr std::size_t kSums = 4096;
// Words of x that a single row keeps: 24 KB.
constexpr std::size_t kRowWords = 6144;
// Most columns of slots that are cut into parts: their words fit at once.
constexpr std::size_t kPartColumns = 2048;
// More of them are summed in blocks of so many, unless sums are exact. Chunks are whole blocks.
constexpr std::size_t kBlockColumns = 256;
static_assert(kWords / kLowpRows / 2 % kBlockColumns == 0 && kRowWords / 2 % kBlockColumns == 0, "");

// Without narrow vectors, and fewer panels at once than of f32: 8 vectors hide the latency, and code is saved.
template <class Arch, std::size_t G, class Number>
struct LowpShape : PanelShape<Arch, G, Number> {
  static constexpr std::size_t step_panels = (8 + LowpShape::vectors - 1) / LowpShape::vectors;

  static std::size_t vector_count(const Panels& w) noexcept {
    return (w.rows / G + lanes<Arch> - 1) / lanes<Arch> * G;
  }
};

// True if a tile whose slots have two words has registers for its sums, one side of it, a word of the other and a
// constant, but not for more.
template <class P>
constexpr bool widens =
    P::Number::words > 1 &&
    P::rows* P::vectors + (P::rows < P::vectors ? P::rows : P::vectors) + 2 > P::registers;

template <class Number>
std::size_t column_count(const Panels& w) noexcept {
  constexpr std::size_t numbers = Number::pack * Number::block;
  return (w.depth + numbers - 1) / numbers * Number::block;
}
template <class Number>
std::size_t lowp_parts(const Panels& w) noexcept {
  return Number::block == 1 && column_count<Number>(w) <= kPartColumns ? part_count(w.rows) : 1;
}

// True for a matrix that is summed in blocks. AMX adds blocks of its own.
template <class Number>
constexpr bool may_have_blocks = !Number::exact && Number::block == 1;
template <class Number>
bool has_blocks(std::size_t columns) noexcept {
  return may_have_blocks<Number> && columns > kPartColumns;
}

// Columns [first, last) of slots; all of them if there are parts. The sums are of those from `begin` on, of which
// [begin, first) are there.
struct Columns {
  std::size_t parts, begin, first, last;
};

// The same of widened columns.
struct WidenedColumns : Columns {};

// Columns of a panel whose slots are widened to their words.
template <class Arch, class NumberType, std::size_t vectors>
struct WidenedWeights {
  using Number = NumberType;
  static constexpr std::size_t wide = vectors, narrow = 0;
  const float* columns;

  template <std::size_t word>
  Vec<Arch> factor(std::size_t k, std::size_t v) const noexcept {
    return load_aligned<Arch>(columns + ((k * Number::words + word) * vectors + v) * lanes<Arch>);
  }
};

// sums[MR] = the products with columns [columns.begin, columns.last), row after row, of which those before
// columns.first are there. x and weights start with columns.first. The loop of tile-inl.h with a flag for the
// sums that are there was tried: GCC 12 then spills, and int8 with AVX-VNNI takes 1.5 times as long.
template <class Arch, std::size_t MR, class Weights>
[[gnu::always_inline]] inline void tile_sums(const Columns& columns, const Weights& weights,
                                             const float* const* x, float* sums) noexcept {
  using Sums = RowSums<Arch, Weights>;
  const std::size_t parts = columns.parts, count = columns.last - columns.first;
  for (std::size_t p = 0; p < parts; ++p) {
    Sums sum[MR];
    RNN_UNROLL for (std::size_t m = 0; m < MR; ++m) {
      if (columns.first > columns.begin)
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

// Panels are `stride` columns apart.
template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T, std::size_t NT>
[[gnu::noinline]] void tile(const Columns& columns, const float* w, std::size_t stride, const float* const* x,
                            float* sums) noexcept {
  TileWeights<Arch, P, F, T, NT> weights(w, stride);
  if constexpr (MR == 1 && F * P::vectors + T <= Shape<Arch>::part_vectors) {
    if (columns.parts > 1)
      return accumulate_parts<Arch>(weights, columns.last - columns.first, x[0]).store_sums(sums);
  }
  weights.skip(columns.first);
  tile_sums<Arch, MR>(columns, weights, x, sums);
}

template <class Arch, class P, std::size_t MR, std::size_t F, std::size_t T, std::size_t NT>
[[gnu::noinline]] void tile(const WidenedColumns& columns, const float* w, std::size_t, const float* const* x,
                            float* sums) noexcept {
  tile_sums<Arch, MR>(columns, WidenedWeights<Arch, typename P::Number, F * P::vectors + T>{w}, x, sums);
}

// Rows of x as words.
template <class Arch, class Number, std::size_t room = Number::room>
struct Operand {
  alignas(64) float words[room];
  const float* x[kLowpRows];
  const float* rows[kLowpRows];
  float largest[kLowpRows];
  std::size_t count;
  std::size_t depth;
  std::size_t first;  // column of slots in words

  [[gnu::noinline]] void add(const float* row) noexcept {
    x[count] = row;
    largest[count++] = Number::template largest<Arch>(row, depth);
  }
  // Columns [first, last) of slots of each row.
  [[gnu::noinline]] void convert(std::size_t begin, std::size_t last) noexcept {
    first = begin;
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
template <class Number, std::size_t room>
std::size_t chunk_columns(std::size_t columns, std::size_t rows) noexcept {
  if (rows * padded(columns * Number::words) <= room) return columns;
  const std::size_t unit = has_blocks<Number>(columns) ? kBlockColumns : kPad;
  return room / rows / Number::words / unit * unit;
}

// A panel of `vectors` vectors, of which the first starts at `column` (unit) of the output. If it has several panels
// (those of one row), they are `stride` columns of slots apart.
struct Panel {
  const float* slots;
  std::size_t column, vectors, stride;
};

// The output that a product's rows from m0 on go to, for prefetches. Null where products are so fast that these
// would take more time than they save.
struct Fetch {
  const AnyOutput* output;
  std::size_t m0;
};

// The sums of a panel, in tiles that are as equal as can be.
template <class Arch, class P, class Span>
inline void row_tiles(const Span& columns, const Panel& panel, const float* const* rows, std::size_t count,
                      const Fetch& fetch, float* sums) noexcept {
  constexpr std::size_t MR = P::rows, L = lanes<Arch>;
  const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
  for (std::size_t i = 0, m = 0; i < tiles; ++i) {
    const std::size_t height = small + (i < larger ? 1 : 0);
    if (columns.first == 0 && fetch.output != nullptr)
      fetch.output->prefetch(fetch.m0 + m, height, panel.column, panel.vectors / P::gates * L);
    with_rows<Arch, P, 1>(height, panel.vectors, columns, panel.slots, panel.stride, rows + m,
                          sums + m * panel.vectors * L);
    m += height;
  }
}

// `columns` columns of a panel, each slot widened to its words: those of word 0 of all vectors, then of word 1.
template <class Arch, class Number>
inline void widen(const float* panel, std::size_t columns, std::size_t vectors, float* out) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  for (std::size_t k = 0; k < columns; ++k, out += 2 * vectors * L) {
    for (std::size_t v = 0; v < vectors; ++v, panel += L) {
      const Vec<Arch> slots = load_aligned<Arch>(panel);
      store_aligned<Arch>(out + v * L, Number::template factor<0, Arch>(slots));
      store_aligned<Arch>(out + (vectors + v) * L, Number::template factor<1, Arch>(slots));
    }
  }
}

// Slots that have two words are widened once for all tiles of rows where in each tile it would take registers that
// its sums need.
template <class Arch, class P, class Number>
inline void panel_sums(Number, const Columns& columns, const Panel& panel,
                       const Operand<Arch, Number>& operand, const Fetch& fetch, float* sums) noexcept {
  const float* const* x = operand.rows;
  const float* later[kLowpRows];
  if (columns.first != operand.first) {
    for (std::size_t m = 0; m < operand.count; ++m)
      later[m] = x[m] + (columns.first - operand.first) * Number::words;
    x = later;
  }
  if constexpr (widens<P>) {
    static_assert(Number::words == 2);
    const std::size_t width = panel.vectors * lanes<Arch>, most = kWidened / (2 * width);
    if (operand.count > P::rows && (columns.parts == 1 || columns.last <= most)) {
      alignas(64) float widened[kWidened];
      for (std::size_t first = columns.first; first < columns.last; first += most) {
        const std::size_t last = columns.last - first < most ? columns.last : first + most;
        widen<Arch, Number>(panel.slots + first * width, last - first, panel.vectors, widened);
        const float* rows[kLowpRows];
        for (std::size_t m = 0; m < operand.count; ++m)
          rows[m] = x[m] + (first - columns.first) * Number::words;
        row_tiles<Arch, P>(WidenedColumns{{columns.parts, columns.begin, first, last}},
                           Panel{widened, panel.column, panel.vectors, 0}, rows, operand.count, fetch, sums);
      }
      return;
    }
  }
  row_tiles<Arch, P>(columns, panel, x, operand.count, fetch, sums);
}

// sums[n] += block[n], whole vectors.
template <class Arch>
inline void add_block(std::size_t n, const float* block, float* sums) noexcept {
  for (std::size_t i = 0; i < n; i += lanes<Arch>)
    store_aligned<Arch>(sums + i, load_aligned<Arch>(sums + i) + load_aligned<Arch>(block + i));
}

// The sums of a panel with columns [first, last) of a matrix that is summed in blocks.
template <class Arch, class P, class Number>
RNN_SHARED void block_sums(Number number, std::size_t first, std::size_t last, const Panel& panel,
                           const Operand<Arch, Number>& operand, const Fetch& fetch, float* sums) noexcept {
  alignas(64) float apart[kLowpRows * P::vectors * lanes<Arch>];
  for (std::size_t to = 0; first < last; first = to) {
    to = last - first < kBlockColumns ? last : first + kBlockColumns;
    panel_sums<Arch, P>(number, Columns{1, first, first, to}, panel, operand, fetch,
                        first > 0 ? apart : sums);
    if (first > 0) add_block<Arch>(operand.count * panel.vectors * lanes<Arch>, apart, sums);
  }
}

// The sums of `vectors` vectors from `vector` on, panel after panel, of rows that are converted once for all of them.
template <class Arch, class P, class Number>
RNN_SHARED void group_sums(Number number, const Panels& w, std::size_t vector, std::size_t vectors,
                           std::size_t chunk, Operand<Arch, Number>& operand, const Fetch& fetch,
                           float* sums) noexcept {
  constexpr std::size_t PV = P::vectors, L = lanes<Arch>;
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t parts = lowp_parts<Number>(w);
  for (std::size_t first = 0; first < columns; first += chunk) {
    const std::size_t last = columns - first < chunk ? columns : first + chunk;
    if (chunk < columns) operand.convert(first, last);
    for (std::size_t v = 0; v < vectors; v += PV) {
      const Panel panel{w.data + (vector + v) * L * stride, (vector + v) / P::gates * L,
                        vectors - v < PV ? vectors - v : PV, stride};
      float* const panel_sum = sums + v * L * operand.count;
      if (!has_blocks<Number>(columns))
        panel_sums<Arch, P>(number, Columns{parts, 0, first, last}, panel, operand, fetch, panel_sum);
      else if constexpr (may_have_blocks<Number>)
        block_sums<Arch, P>(number, first, last, panel, operand, fetch, panel_sum);
      if (last == columns)
        Number::template finish<Arch>(panel.slots + columns * panel.vectors * L, panel.vectors, operand.count,
                                      operand.largest, panel_sum);
    }
  }
}

// Rows [m0, m0 + count) of x, a panel at a time, or a few if rows have to be converted anew for each time.
template <class Arch, std::size_t G, class Number>
RNN_SHARED void multiply_block(Number number, const Panels& w, const Rows& x, std::size_t m0,
                               std::size_t count, const AnyOutput& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors, smallest = kLowpRows * PV * L;
  alignas(64) float sums[smallest > kSums ? smallest : kSums];
  Operand<Arch, Number> operand;
  operand.count = 0;
  operand.depth = w.depth;
  for (std::size_t m = 0; m < count; ++m) operand.add(row(x, m0 + m));
  const std::size_t columns = column_count<Number>(w),
                    chunk = chunk_columns<Number, Number::room>(columns, count);
  if (chunk == columns) operand.convert(0, columns);
  [[maybe_unused]] const typename Number::Registers registers(count);
  const bool prefetches = Number::prefetches && output.functions->prefetch != nullptr;
  const Fetch fetch{prefetches ? &output : nullptr, m0};
  const std::size_t fit = sizeof sums / sizeof(float) / (count * PV * L);
  const std::size_t all = P::vector_count(w), most = (chunk == columns ? 1 : fit) * PV;
  for (std::size_t vector = 0; vector < all; vector += most) {
    const std::size_t vectors = all - vector < most ? all - vector : most;
    group_sums<Arch, P>(number, w, vector, vectors, chunk, operand, fetch, sums);
    for (std::size_t v = 0; v < vectors; v += PV) {
      const std::size_t width = vectors - v < PV ? vectors - v : PV;
      output.finish(sums + v * L * count, m0, count, (vector + v) / G * L, width);
    }
  }
}

// The sums of one row's panels with columns [first, last) of a matrix that is summed in blocks. words: from first on.
template <class Arch, class P>
[[gnu::noinline]] void row_block_sums(std::size_t full, std::size_t tail, std::size_t first, std::size_t last,
                                      const float* panel, std::size_t stride, const float* words,
                                      float* sums) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  alignas(64) float apart[(P::step_panels * P::vectors + P::tails - 1) * L];
  for (std::size_t to = 0; first < last; words += (to - first) * P::Number::words, first = to) {
    to = last - first < kBlockColumns ? last : first + kBlockColumns;
    with_panels<Arch, P, 0, 0>(full, tail, Columns{1, first, first, to}, panel, stride, &words,
                               first > 0 ? apart : sums);
    if (first > 0) add_block<Arch>((full * P::vectors + tail) * L, apart, sums);
  }
}

// One row: a few panels at once, the last ones together with the tail; numbers that come in blocks of columns
// have no way of their own for one row.
template <class Arch, std::size_t G, class Number, class Output>
inline void multiply_panels(Number, const Panels& w, const float* x, const Output& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors;
  alignas(64) float sums[(P::step_panels * PV + P::tails - 1) * L];
  Operand<Arch, Number, kRowWords> operand;
  operand.count = 0;
  operand.depth = w.depth;
  operand.add(x);
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t parts = lowp_parts<Number>(w), chunk = chunk_columns<Number, kRowWords>(columns, 1);
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
      if (!has_blocks<Number>(columns))
        with_panels<Arch, P, 0, 0>(full, rest, Columns{parts, 0, first, last}, panel, stride, operand.rows,
                                   sums);
      else if constexpr (may_have_blocks<Number>)
        row_block_sums<Arch, P>(full, rest, first, last, panel, stride, operand.rows[0], sums);
    }
    for (std::size_t v = 0; v < full * PV + rest; v += PV, panel += PV * L * stride) {
      const std::size_t width = v < full * PV ? PV : rest;
      Number::template finish<Arch>(panel + columns * width * L, width, 1, operand.largest, sums + v * L);
    }
    finish_row<Arch>(sums, column, full * PV + rest, false, output);
    column += full * PV / G * L;
  }
}

template <class Arch, class Number, class Output>
inline void multiply_row(Number number, const Panels& w, const float* x, const Output& output) noexcept {
  if constexpr (Number::block > 1)
    multiply_block<Arch, Output::gates>(number, w, {x, 0, nullptr}, 0, 1, any(output));
  else
    multiply_panels<Arch, Output::gates>(number, w, x, output);
}
template <class Arch, class Number, class Output>
inline void multiply_single(Number number, const Panels& w, const float* x, const Output& output) noexcept {
  if constexpr (Number::block > 1)
    multiply_block<Arch, Output::gates>(number, w, {x, 0, nullptr}, 0, 1, any(output));
  else
    multiply_panels<Arch, Output::gates>(number, w, x, any(output));
}

template <class Arch, std::size_t G, class Number>
RNN_SHARED void multiply_rows(Number number, const Panels& w, std::size_t M, const Rows& x,
                              const AnyOutput& output) noexcept {
  const std::size_t words = padded(column_count<Number>(w) * Number::words);
  std::size_t most = kLowpRows;
  if (lowp_parts<Number>(w) > 1 || words * kFewRows <= Number::room)
    most = Number::room / words < most ? Number::room / words : most;
  const std::size_t blocks = (M + most - 1) / most;
  for (std::size_t i = 0, m = 0; i < blocks; ++i) {
    const std::size_t count = M / blocks + (i < M % blocks ? 1 : 0);
    multiply_block<Arch, G>(number, w, x, m, count, output);
    m += count;
  }
}

// Column index[m] of W, m < M, to `output`.
template <class Arch, std::size_t G, class Number>
RNN_SHARED void pick_columns(const Panels& w, std::size_t M, const std::int32_t* index,
                             const AnyOutput& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  using P = LowpShape<Arch, G, Number>;
  constexpr std::size_t PV = P::vectors, most = kFewVectors / PV * PV;
  alignas(64) float sums[most * L];
  const std::size_t columns = column_count<Number>(w), stride = columns + Number::more_columns;
  const std::size_t all = P::vector_count(w);
  for (std::size_t m = 0; m < M; ++m) {
    const auto k = static_cast<std::size_t>(index[m]);
    for (std::size_t first = 0; first < all; first += most) {
      const std::size_t end = all - first < most ? all : first + most;
      float* p = sums;
      for (std::size_t vector = first; vector < end; vector += PV) {
        const std::size_t vectors = end - vector < PV ? end - vector : PV;
        const float* const panel = w.data + vector * L * stride;
        const float* const column = panel + k / Number::pack * vectors * L;
        for (std::size_t v = 0; v < vectors; ++v)
          store_aligned<Arch>(
              p + v * L, Number::template pick<Arch>(load_aligned<Arch>(column + v * L), k % Number::pack));
        Number::template finish_picked<Arch>(panel + columns * vectors * L, vectors, p);
        p += vectors * L;
      }
      output.finish(sums, m, 1, first / G * L, end - first);
    }
  }
}
template <class Arch, class Number, class Output>
inline void pick(Number, const Panels& w, std::size_t M, const std::int32_t* index,
                 const Output& output) noexcept {
  pick_columns<Arch, Output::gates, Number>(w, M, index, any(output));
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_LOWP_INL_H_

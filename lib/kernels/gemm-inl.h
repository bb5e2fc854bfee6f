// Matrix products. An element of W x has one accumulator, which runs over k in ascending order by fused
// multiply-add; of a matrix with few rows it has four, of which each has every fourth k, added in order, since a
// step of a small network is otherwise nothing but the latency of that chain. Of a deep matrix, blocks of k are summed
// in this way and added in order. The bits of an element so depend neither on the batch nor on the tile nor on the
// ISA. Vectors run across outputs.
//
// An output says how many gates (G) its matrix is grouped by, 1 for plain panels, and is handed G vectors at
// a time: the sums of all gates of some units. Products of several rows know no output's type, only its
// functions (outputs-inl.h), so that there is one product for each G, and each output is compiled once for all numbers.
// Of products of one row only those in step-inl.h know it, which would feel a call.
#ifndef RNN_KERNELS_GEMM_INL_H_
#define RNN_KERNELS_GEMM_INL_H_

#include "lib/kernels/tile-inl.h"

namespace rnn::kernels {
namespace {

// y = init + W x. Grouped: n units.
template <std::size_t G>
struct Affine {
  static constexpr std::size_t gates = G;
  const Rows& init;  // by reference: a copy would load what the caller has just stored in smaller pieces
  const MutableRows& y;
  std::size_t n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(init, G);
    visit(y, G);
  }
  template <class Arch>
  void finish(std::size_t m, std::size_t column, const Vec<Arch> (&sum)[G]) const noexcept {
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g) {
      Vec<Arch> value = sum[g];
      if (!is_zero(init)) value = load_columns<Arch>(row(init, m) + g * n, column, n) + value;
      store_columns<Arch>(row(y, m) + g * n, column, n, value);
    }
  }
};

// Any output, and its functions.
struct AnyOutput {
  const void* output;
  const OutputFunctions* functions;

  // The sums of `vectors` vectors from `column` (unit) on, of some rows; of one row, narrow ones may be behind them,
  // of several it is either.
  void finish(const float* sums, std::size_t m0, std::size_t rows, std::size_t column, std::size_t vectors,
              bool narrow = false) const noexcept {
    functions->finish(output, sums, m0, rows, column, vectors, narrow);
  }
  void prefetch(std::size_t m0, std::size_t rows, std::size_t column, std::size_t columns) const noexcept {
    functions->prefetch(output, m0, rows, column, columns);
  }
};
// With the functions of outputs-inl.h.
template <class Output>
AnyOutput any(const Output& output) noexcept;

// Vectors that are handed on at a time where there is no product.
constexpr std::size_t kFewVectors = 48;

// Of functions that are shared: a clone for each output would be what they are there to save.
#if defined(__clang__)
#define RNN_SHARED [[gnu::noinline]]
#else
#define RNN_SHARED [[gnu::noinline, gnu::noclone]]
#endif

// True for an output whose finish is begin and then end, with what is between them in memory. Of many vectors
// all begin first: one after the other, each would wait for its activations, one of which needs another.
template <class Output, class = void>
constexpr bool has_halves = false;
template <class Output>
constexpr bool has_halves<Output, decltype(void(Output::halves))> = true;

// Hand a tile's sums on while they are in the cache: rows from m0 on, columns (units) from `column` on, up to
// output.n.
template <class Arch, class Output>
[[gnu::always_inline]] inline void finish_tile(const float* sums, std::size_t m0, std::size_t rows,
                                               std::size_t column, std::size_t vectors,
                                               const Output& output) noexcept {
  constexpr std::size_t L = lanes<Arch>, G = Output::gates;
  const auto each = [&](const auto& visit) __attribute__((always_inline)) {
    const float* p = sums;
    for (std::size_t m = 0; m < rows; ++m, p += vectors * L) {
      for (std::size_t v = 0, i = column; v < vectors && i < output.n; v += G, i += L) {
        Vec<Arch> sum[G];
        RNN_UNROLL for (std::size_t g = 0; g < G; ++g) sum[g] = load_aligned<Arch>(p + (v + g) * L);
        visit(m0 + m, i, sum);
      }
    }
  };
  using Sums = const Vec<Arch>(&)[G];
  if constexpr (has_halves<Output>) {
    each([&](std::size_t m, std::size_t unit, Sums sum)
             __attribute__((always_inline)) { output.begin(m, unit, sum); });
    each([&](std::size_t m, std::size_t unit, Sums sum)
             __attribute__((always_inline)) { output.end(m, unit, sum); });
  } else {
    each([&](std::size_t m, std::size_t unit, Sums sum)
             __attribute__((always_inline)) { output.finish(m, unit, sum); });
  }
}

// The number of gates whose sums an output takes first, to begin with while those of the others are summed:
// what lead makes of them, follow takes. 0: all at once, by finish.
template <class Output, class = void>
constexpr std::size_t leading = 0;
template <class Output>
constexpr std::size_t leading<Output, decltype(void(Output::leads))> = Output::leads;

// Gates [first, first + count) of a tile's weights, which have W vectors of each gate.
template <class Arch, std::size_t W, std::size_t G, std::size_t first, std::size_t count, class Weights>
struct SomeGates {
  using Number = typename Weights::Number;
  static constexpr std::size_t wide = Weights::wide > 0 ? W* count : 0;
  static constexpr std::size_t narrow = Weights::narrow > 0 ? count : 0;
  const Weights& weights;
  template <std::size_t word>
  Vec<Arch> factor(std::size_t k, std::size_t v) const noexcept {
    return weights.template factor<word>(k, v / count * G + first + v % count);
  }
  Vec<Narrow<Arch>> narrow_vector(std::size_t k, std::size_t v) const noexcept {
    return weights.narrow_vector(k, first + v);
  }
};

// sum[w] = the sums of these gates, of vector w of each.
template <class Arch, std::size_t G, std::size_t first, std::size_t count, class Weights, class V,
          std::size_t W>
[[gnu::always_inline]] inline void sum_gates(const Weights& weights, std::size_t depth, const float* x,
                                             V (&sum)[W][count]) noexcept {
  if constexpr (count > 1 && W * count * kParts > Shape<Arch>::registers * 3 / 4) {
    V one[W][1], others[W][count - 1];
    sum_gates<Arch, G, first, 1>(weights, depth, x, one);
    sum_gates<Arch, G, first + 1, count - 1>(weights, depth, x, others);
    RNN_UNROLL for (std::size_t w = 0; w < W; ++w) {
      sum[w][0] = one[w][0];
      RNN_UNROLL for (std::size_t g = 1; g < count; ++g) sum[w][g] = others[w][g - 1];
    }
  } else {
    const SomeGates<Arch, W, G, first, count, Weights> some{weights};
    const auto sums = accumulate_parts<Arch>(some, depth, x);
    RNN_UNROLL for (std::size_t w = 0; w < W; ++w) {
      RNN_UNROLL for (std::size_t g = 0; g < count; ++g) {
        if constexpr (Weights::wide > 0)
          sum[w][g] = sums.wide[w * count + g];
        else
          sum[w][g] = sums.narrow[g];
      }
    }
  }
}

template <class Arch, class V, std::size_t W, class Weights, class Output>
[[gnu::always_inline]] inline void finish_vectors(const Weights& weights, std::size_t depth, const float* x,
                                                  const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, first = leading<Output>, L = lanes<typename V::arch_type>;
  if constexpr (first == 0) {
    V sum[W][G];
    sum_gates<Arch, G, 0, G>(weights, depth, x, sum);
    RNN_UNROLL for (std::size_t w = 0; w < W; ++w) output.finish(0, w * L, sum[w]);
  } else {
    V sum[W][first], lead[W], others[W][G - first];
    sum_gates<Arch, G, 0, first>(weights, depth, x, sum);
    RNN_UNROLL for (std::size_t w = 0; w < W; ++w) lead[w] = output.lead(w * L, sum[w]);
    sum_gates<Arch, G, first, G - first>(weights, depth, x, others);
    RNN_UNROLL for (std::size_t w = 0; w < W; ++w) output.follow(w * L, lead[w], others[w]);
  }
}

// One row of a matrix of so few vectors for each gate, a tiny network's: the way through memory would count.
// False for any other matrix, of which nothing is done. Not of a deep one.
template <class Arch, std::size_t W = 1, class Output>
[[gnu::always_inline]] inline bool multiply_vectors(const Panels& w, const float* x,
                                                    const Output& output) noexcept {
  constexpr std::size_t G = Output::gates;
  using P = PanelShape<Arch, G>;
  if constexpr (W > Shape<Arch>::gate_vectors) {
    return false;
  } else {
    if (w.rows > G * W * lanes<Arch>) return multiply_vectors<Arch, W + 1>(w, x, output);
    if (!has_narrow<Arch> || w.rows > G * lanes<Narrow<Arch>>) {
      const TileWeights<Arch, P, G * W / P::vectors, G * W % P::vectors, 0> weights(w.data, w.depth);
      finish_vectors<Arch, Vec<Arch>, W>(weights, w.depth, x, output);
    } else if constexpr (has_narrow<Arch>) {
      const TileWeights<Arch, P, 0, 0, G> weights(w.data, w.depth);
      finish_vectors<Arch, Vec<Narrow<Arch>>, 1>(weights, w.depth, x, output);
    }
    return true;
  }
}

// Hand one row's sums on, to any output or to one whose type is known: a step of one row feels the difference.
template <class Arch>
[[gnu::always_inline]] inline void finish_row(const float* sums, std::size_t column, std::size_t vectors,
                                              bool narrow, const AnyOutput& output) noexcept {
  output.finish(sums, 0, 1, column, vectors, narrow);
}
template <class Arch, class Output>
[[gnu::always_inline]] inline void finish_row(const float* sums, std::size_t column, std::size_t vectors,
                                              [[maybe_unused]] bool narrow, const Output& output) noexcept {
  finish_tile<Arch>(sums, 0, 1, column, vectors, output);
  if constexpr (has_narrow<Arch>) {
    constexpr std::size_t G = Output::gates, L = lanes<Arch>;
    if (narrow) finish_tile<Narrow<Arch>>(sums + vectors * L, 0, 1, column + vectors / G * L, G, output);
  }
}

// What part i has of `all`, cut into parts that are as equal as can be. A small network would feel the division.
inline std::size_t equal_part(std::size_t all, std::size_t parts, std::size_t i) noexcept {
  return parts == 1 ? all : all / parts + (i < all % parts ? 1 : 0);
}

// One row: up to step_panels full panels at once, cut as equally as can be, the last ones together with the
// tail.
template <class Arch, std::size_t G, class Output>
[[gnu::noinline]] void multiply_panels(const Panels& w, const float* x, const Output& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  using P = PanelShape<Arch, G>;
  const std::size_t vectors = P::wide_vectors(w), narrow = P::narrow_vectors(w), parts = part_count(w.rows);
  alignas(64) float sums[(P::step_panels * P::vectors + P::tails - 1 + (has_narrow<Arch> ? G : 0)) * L];
  const std::size_t all = vectors / P::vectors, tail = vectors % P::vectors;
  const std::size_t tiles = all == 0 ? 1 : (all + P::step_panels - 1) / P::step_panels;
  const float* panel = w.data;
  for (std::size_t i = 0, column = 0; i < tiles; ++i) {
    const std::size_t full = equal_part(all, tiles, i);
    const bool last = i + 1 == tiles;
    const std::size_t rest = last ? tail : 0, wide = full * P::vectors + rest;
    if (!has_narrow<Arch> || narrow == 0 || !last) {
      with_panels<Arch, P, 0, 0>(full, rest, parts, panel, w.depth, &x, sums);
      finish_row<Arch>(sums, column, wide, false, output);
    } else if constexpr (has_narrow<Arch>) {
      with_panels<Arch, P, 0, G>(full, rest, parts, panel, w.depth, &x, sums);
      finish_row<Arch>(sums, column, wide, true, output);
    }
    panel += full * P::vectors * L * w.depth;
    column += full * P::vectors / G * L;
  }
}

// Of a recurrent matrix, which has at least as many rows in each gate as columns, and so is not deep where
// multiply_vectors takes it.
template <class Arch, class Output>
[[gnu::always_inline]] inline void multiply_row(F32, const Panels& w, const float* x,
                                                const Output& output) noexcept {
  if (!multiply_vectors<Arch>(w, x, output)) multiply_panels<Arch, Output::gates>(w, x, output);
}
// The same, with less code, where there may also be several rows.
template <class Arch, class Output>
[[gnu::always_inline]] inline void multiply_single(F32, const Panels& w, const float* x,
                                                   const Output& output) noexcept {
  if (w.depth > kLongSum || !multiply_vectors<Arch>(w, x, output))
    multiply_panels<Arch, Output::gates>(w, x, any(output));
}

// Floats in a cache line.
constexpr std::size_t kLine = 16;

// Fetches into the L2 cache what `output` reads and writes for rows [m0, m0 + rows), columns (units) [column,
// column + columns): the multiply-adds of the tile hide the time, while at its end each line would be waited
// for.
template <class Output>
[[gnu::always_inline]] inline void prefetch_tile(const Output& output, std::size_t m0, std::size_t rows,
                                                 std::size_t column, std::size_t columns) noexcept {
  const std::size_t end = column + columns < output.n ? column + columns : output.n;
  output.visit([&](const auto& operand, std::size_t gates) {
    if (operand.pointers == nullptr && (operand.base == nullptr || operand.stride == 0)) return;
    for (std::size_t m = m0; m < m0 + rows; ++m) {
      const float* const p = row(operand, m);
      for (std::size_t g = 0; g < gates; ++g)
        for (std::size_t i = column; i < end; i += kLine) __builtin_prefetch(p + g * output.n + i, 0, 2);
    }
  });
}

// Rows of x that are worked on while a panel is in the cache.
constexpr std::size_t kRowBlock = 96;
// Of so few outputs of these rows, the products hide no time, and to fetch them takes as long as they do.
constexpr std::size_t kFewOutputs = 1024;

// Rows [m0, m0 + count) of x, cut into tiles that are as equal as can be.
template <class Arch, std::size_t G>
inline void multiply_block(const Panels& w, const float* const* x, std::size_t m0, std::size_t count,
                           const AnyOutput& output) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  using P = PanelShape<Arch, G>;
  constexpr std::size_t PV = P::vectors, MR = P::rows;
  alignas(64) float sums[MR * PV * L];
  const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
  const std::size_t wide = P::wide_vectors(w), all = wide + P::narrow_vectors(w), parts = part_count(w.rows);
  const bool fetches = count * w.rows > kFewOutputs;
  for (std::size_t vector = 0; vector < all;) {
    const float* const panel = w.data + vector * L * w.depth;
    const bool narrow = has_narrow<Arch> && vector == wide;
    const std::size_t left = (narrow ? all : wide) - vector, vectors = left < PV ? left : PV;
    for (std::size_t i = 0, m = 0; i < tiles; ++i) {
      const std::size_t rows = small + (i < larger ? 1 : 0);
      if (fetches) output.prefetch(m0 + m, rows, vector / G * L, vectors / G * L);
      if (!narrow) {
        with_rows<Arch, P, 1>(rows, vectors, parts, panel, w.depth, x + m, sums);
        output.finish(sums, m0 + m, rows, vector / G * L, vectors);
      } else if constexpr (has_narrow<Arch>) {
        with_narrow_rows<Arch, P, 1>(rows, parts, panel, w.depth, x + m, sums);
        output.finish(sums, m0 + m, rows, vector / G * L, 0, true);
      }
      m += rows;
    }
    vector += vectors;
  }
}

// Several rows.
template <class Arch, std::size_t G>
RNN_SHARED void multiply_rows(F32, const Panels& w, std::size_t M, const Rows& x,
                              const AnyOutput& output) noexcept {
  const float* pointers[kRowBlock];
  for (std::size_t m0 = 0; m0 < M; m0 += kRowBlock) {
    const std::size_t count = M - m0 < kRowBlock ? M - m0 : kRowBlock;
    for (std::size_t m = 0; m < count; ++m) pointers[m] = row(x, m0 + m);
    multiply_block<Arch, G>(w, pointers, m0, count, output);
  }
}

// Every element of W x[m], m < M, to `output`.
template <class Arch, class Number, class Output>
inline void multiply(Number number, const Panels& w, std::size_t M, const Rows& x,
                     const Output& output) noexcept {
  if (M == 1) return multiply_single<Arch>(number, w, row(x, 0), output);
  multiply_rows<Arch, Output::gates>(number, w, M, x, any(output));
}

template <class Arch, class Number = F32>
void gemm(const Panels& w, std::size_t M, const Rows& x, const Rows& init, std::size_t n,
          const MutableRows& y) noexcept {
  switch (w.gates) {
    case 2:
      return multiply<Arch>(Number{}, w, M, x, Affine<2>{init, y, n / 2});
    case 3:
      return multiply<Arch>(Number{}, w, M, x, Affine<3>{init, y, n / 3});
    case 4:
      return multiply<Arch>(Number{}, w, M, x, Affine<4>{init, y, n / 4});
    default:
      return multiply<Arch>(Number{}, w, M, x, Affine<1>{init, y, n});
  }
}

// Column index[m] of W, m < M, to `output`.
template <class Arch, class Output>
inline void pick(F32, const Panels& w, std::size_t M, const std::int32_t* index,
                 const Output& output) noexcept {
  constexpr std::size_t G = Output::gates, PV = PanelShape<Arch, G>::vectors, L = lanes<Arch>;
  const std::size_t all = PanelShape<Arch, G>::wide_vectors(w);
  const bool narrow = PanelShape<Arch, G>::narrow_vectors(w) > 0;
  for (std::size_t m = 0; m < M; ++m) {
    const auto k = static_cast<std::size_t>(index[m]);
    for (std::size_t vector = 0; vector < all; vector += PV) {
      const std::size_t vectors = all - vector < PV ? all - vector : PV;
      finish_tile<Arch>(w.data + (vector * w.depth + k * vectors) * L, m, 1, vector / G * L, vectors, output);
    }
    if constexpr (has_narrow<Arch>) {
      const float* const column = w.data + all * w.depth * L + k * G * lanes<Narrow<Arch>>;
      if (narrow) finish_tile<Narrow<Arch>>(column, m, 1, all / G * L, G, output);
    }
  }
}

template <class Arch, class Number = F32>
void gather(const Panels& w, std::size_t M, const std::int32_t* index, const Rows& init, std::size_t n,
            const MutableRows& y) noexcept {
  switch (w.gates) {
    case 2:
      return pick<Arch>(Number{}, w, M, index, Affine<2>{init, y, n / 2});
    case 3:
      return pick<Arch>(Number{}, w, M, index, Affine<3>{init, y, n / 3});
    case 4:
      return pick<Arch>(Number{}, w, M, index, Affine<4>{init, y, n / 4});
    default:
      return pick<Arch>(Number{}, w, M, index, Affine<1>{init, y, n});
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GEMM_INL_H_

// The recurrent step of a cell: the product with the recurrent weights, and behind it, while the tile is
// in the cache, the gates' activations and the new state; and the same backwards. Here is what all cells use, and
// the vanilla cell; the others are in lstm-inl.h, gru-inl.h and minimal-inl.h.
//
// Each is an output of gemm-inl.h, to which the product hands the sums of all gates of some units of one row.
// In the formulas s is the product, or the rows of it that belong to the gate; * is by element.
#ifndef RNN_KERNELS_GATES_INL_H_
#define RNN_KERNELS_GATES_INL_H_

#include "lib/kernels/activations-inl.h"
#include "lib/kernels/gemm-inl.h"

namespace rnn::kernels {
namespace {

// Units [unit, unit + lanes) of gate g of row m, of rows that hold H units for each gate; as many as there
// are.
template <class Arch, class AnyRows>
[[gnu::always_inline]] inline Vec<Arch> load_units(const AnyRows& rows, std::size_t m, std::size_t g,
                                                   std::size_t unit, std::size_t H) noexcept {
  return load_columns<Arch>(row(rows, m) + g * H, unit, H);
}
template <class Arch>
[[gnu::always_inline]] inline void store_units(const MutableRows& rows, std::size_t m, std::size_t g,
                                               std::size_t unit, std::size_t H, Vec<Arch> v) noexcept {
  store_columns<Arch>(row(rows, m) + g * H, unit, H, v);
}

// The number of units of one row at `base`, padded: there is no test of where it is and ends, of which the
// step of a tiny network would feel some percent.
struct PaddedUnits {
  std::size_t count;
  operator std::size_t() const noexcept { return count; }
};
template <class Arch, class AnyRows>
[[gnu::always_inline]] inline Vec<Arch> load_units(const AnyRows& rows, std::size_t, std::size_t g,
                                                   std::size_t unit, PaddedUnits H) noexcept {
  return load_aligned<Arch>(rows.base + g * H + unit);
}
template <class Arch>
[[gnu::always_inline]] inline void store_units(const MutableRows& rows, std::size_t, std::size_t g,
                                               std::size_t unit, PaddedUnits H, Vec<Arch> v) noexcept {
  store_aligned<Arch>(rows.base + g * H + unit, v);
}

// True of units that are stepped by one kernel, which keeps nothing for a backward pass.
template <class Units>
constexpr bool is_step = false;
template <>
constexpr bool is_step<PaddedUnits> = true;

// The number of units of rows that stand at even distances, a multiple of the lanes: there is no test either,
// which several rows feel, of which a gate's vector is loaded and stored in a few cycles.
struct WholeUnits {
  std::size_t count;
  operator std::size_t() const noexcept { return count; }
};
template <class Arch, class AnyRows>
[[gnu::always_inline]] inline Vec<Arch> load_units(const AnyRows& rows, std::size_t m, std::size_t g,
                                                   std::size_t unit, WholeUnits H) noexcept {
  return load<Arch>(rows.base + m * rows.stride + g * H + unit);
}
template <class Arch>
[[gnu::always_inline]] inline void store_units(const MutableRows& rows, std::size_t m, std::size_t g,
                                               std::size_t unit, WholeUnits H, Vec<Arch> v) noexcept {
  store<Arch>(rows.base + m * rows.stride + g * H + unit, v);
}

// Zeros for the lanes of [unit, unit + lanes) that are none of the n units.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> first_units(Vec<Arch> v, std::size_t unit, std::size_t n) noexcept {
  constexpr float ones[kPad] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  return unit + lanes<Arch> <= n ? v : v * load_partial<Arch>(ones, n - unit);
}

// Units of a vector that all rows have.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> load_vector(const float* p, std::size_t unit,
                                                    std::size_t H) noexcept {
  return load_columns<Arch>(p, unit, H);
}
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> load_vector(const float* p, std::size_t unit, WholeUnits) noexcept {
  return load<Arch>(p + unit);
}

// Units [unit, unit + lanes), where a vector of a tile starts, of gate g of column k of a packed matrix of G
// gates.
template <class Arch, std::size_t G>
[[gnu::always_inline]] inline Vec<Arch> load_column(const Panels& w, std::size_t k, std::size_t g,
                                                    std::size_t unit) noexcept {
  constexpr std::size_t L = lanes<Arch>, PV = Shape<Arch>::panel_vectors;
  if constexpr (G > 1 || is_narrow<Arch>) {
    return load_aligned<Arch>(w.data + unit * G * w.depth + (k * G + g) * L);
  } else {
    const std::size_t vector = unit / L, first = vector / PV * PV;
    const std::size_t left = PanelShape<Arch, 1>::wide_vectors(w) - first, vectors = left < PV ? left : PV;
    return load_aligned<Arch>(w.data + (first * w.depth + k * vectors + vector - first) * L);
  }
}

// What the product is added to in gate g of G: W_ih x + b.
template <class Arch, std::size_t G, class Units>
[[gnu::always_inline]] inline Vec<Arch> load_input(const CellForward& step, std::size_t m, std::size_t g,
                                                   std::size_t unit, Units H) noexcept {
  if (step.index == nullptr) return load_units<Arch>(step.gates, m, g, unit, H);
  return load_vector<Arch>(step.vectors[0] + g * H, unit, H) +
         load_column<Arch, G>(step.input, static_cast<std::size_t>(step.index[m]), g, unit);
}
template <class Arch, std::size_t G>
[[gnu::always_inline]] inline Vec<Arch> load_input(const CellForward& step, std::size_t m, std::size_t g,
                                                   std::size_t unit, PaddedUnits H) noexcept {
  return load_units<Arch>(step.gates, m, g, unit, H);
}
// The gradient of h but for the product.
template <class Arch, class Units>
[[gnu::always_inline]] inline Vec<Arch> load_gradient(const CellBackward& step, std::size_t m,
                                                      std::size_t unit, Units H) noexcept {
  return is_zero(step.d_h) ? Vec<Arch>(0.0f) : load_units<Arch>(step.d_h, m, 0, unit, H);
}

// v (1 - v), the slope of the sigmoid whose value is v.
template <class Arch>
inline Vec<Arch> sigmoid_slope(Vec<Arch> v) noexcept {
  return vfnma<Arch>(v, v, v);
}
// 1 - v^2, the slope of tanh.
template <class Arch>
inline Vec<Arch> tanh_slope(Vec<Arch> v) noexcept {
  return vfnma<Arch>(v, v, Vec<Arch>(1.0f));
}

// True if WholeUnits fits all that `output` reads and writes.
template <class Arch, class Output>
inline bool is_whole(const Output& output) noexcept {
  bool whole = output.n % lanes<Arch> == 0;
  output.visit([&](const auto& operand, std::size_t) { whole = whole && operand.pointers == nullptr; });
  return whole;
}

// Sums that are there already: G times H of each row, from m0 on; zeros if there are no rows.
template <class Arch, std::size_t G>
RNN_SHARED void finish_rows(const Rows& sums, std::size_t m0, std::size_t M, std::size_t H,
                            const AnyOutput& output) noexcept {
  constexpr std::size_t L = lanes<Arch>, most = kFewVectors / G * L;
  alignas(64) float few[kFewVectors * L] = {};
  for (std::size_t m = m0; m < M; ++m) {
    for (std::size_t first = 0; first < H; first += most) {
      const std::size_t end = H - first < most ? H : first + most;
      float* p = few;
      for (std::size_t unit = first; unit < end; unit += L, p += G * L) {
        if (is_zero(sums)) continue;
        RNN_UNROLL for (std::size_t g = 0; g < G; ++g)
            store_aligned<Arch>(p + g * L, load_units<Arch>(sums, m, g, unit, H));
      }
      output.finish(few, m, 1, first, static_cast<std::size_t>(p - few) / L);
    }
  }
}

template <class Arch, template <class> class Output, class Number, class Step>
inline void multiply_units(const Step& step, std::size_t M) noexcept {
  const Output<std::size_t> output{step, step.H};
  constexpr std::size_t G = Output<std::size_t>::gates;
  if (M == 1) return multiply_single<Arch>(Number{}, step.w, row(step.x, 0), output);
  const Output<WholeUnits> whole{step, {step.H}};
  multiply_rows<Arch, G>(Number{}, step.w, M, step.x, is_whole<Arch>(output) ? any(whole) : any(output));
}

template <class Arch, template <class> class Output, class Number = F32>
void forward_step(const CellForward& step) noexcept {
  const Output<std::size_t> output{step, step.H};
  constexpr std::size_t G = Output<std::size_t>::gates;
  if (step.w.data == nullptr) return finish_rows<Arch, G>(step.x, 0, step.M, step.H, any(output));
  if (step.M == 1) return multiply_row<Arch>(Number{}, step.w, row(step.x, 0), output);
  multiply_units<Arch, Output, Number>(step, step.M);
}

template <class Arch, template <class> class Output, class Number = F32>
void backward_step(const CellBackward& step) noexcept {
  const Output<std::size_t> output{step, step.H};
  if (step.M_product > 0) multiply_units<Arch, Output, Number>(step, step.M_product);
  if (step.M_product < step.M) finish_rows<Arch, 1>({}, step.M_product, step.M, step.H, any(output));
}

// The step, forwards or backwards, of a cell without a product with W_hh. The last vector is narrow where that
// of W_ih is, a column of which it may take.
template <class Arch, template <class> class Output, class Step>
void step_alone(const Step& step) noexcept {
  const auto finish = [&](const auto& output) __attribute__((always_inline)) {
    for (std::size_t m = 0; m < step.M; ++m) {
      std::size_t unit = 0;
      for (; unit + (has_narrow<Arch> ? lanes<Narrow<Arch>> : 0) < step.H; unit += lanes<Arch>)
        output.template finish<Arch>(m, unit);
      if (has_narrow<Arch> && unit < step.H) output.template finish<Narrow<Arch>>(m, unit);
    }
  };
  const Output<std::size_t> output{step, step.H};
  if (is_whole<Arch>(output)) return finish(Output<WholeUnits>{step, {step.H}});
  finish(output);
}

// The activations of a vanilla cell: f(x), and d f' from h = f(x).
struct Tanh {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> x) noexcept {
    return vtanh<Arch>(x);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> times_slope(Vec<Arch> d, Vec<Arch> h) noexcept {
    return d * tanh_slope<Arch>(h);
  }
};
struct Relu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> x) noexcept {
    return vmax<Arch>(Vec<Arch>(0.0f), x);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> times_slope(Vec<Arch> d, Vec<Arch> h) noexcept {
    return vselect<Arch>(h > Vec<Arch>(0.0f), d, Vec<Arch>(0.0f));
  }
};

// h = f(gates + s). What backward needs is h: gates stay as they are.
template <class Activation, class Units>
struct VanillaForward {
  static constexpr std::size_t gates = 1;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    if (step.index == nullptr) visit(step.gates, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    const Vec<Arch> x = load_input<Arch, 1>(step, m, 0, unit, n) + sum[0];
    store_units<Arch>(step.h, m, 0, unit, n, Activation::template value<Arch>(x));
  }
};

// gates = (d_h + s) f', which follows from h.
template <class Activation, class Units>
struct VanillaBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.d_h, 1);
    visit(step.h, 1);
    visit(step.gates, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    const Vec<Arch> gradient = load_gradient<Arch>(step, m, unit, n) + sum[0];
    const Vec<Arch> h = load_units<Arch>(step.h, m, 0, unit, n);
    store_units<Arch>(step.gates, m, 0, unit, n, Activation::template times_slope<Arch>(gradient, h));
  }
};

template <class Units>
using TanhForward = VanillaForward<Tanh, Units>;
template <class Units>
using ReluForward = VanillaForward<Relu, Units>;
template <class Units>
using TanhBackward = VanillaBackward<Tanh, Units>;
template <class Units>
using ReluBackward = VanillaBackward<Relu, Units>;

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GATES_INL_H_

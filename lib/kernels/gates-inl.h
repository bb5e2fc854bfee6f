// The recurrent step of each cell: the product with the recurrent weights, and behind it, while the tile is
// in the cache, the gates' activations and the new state; and the same backwards.
//
// Each is an output of gemm-inl.h, to which the product hands the sums of all gates of some units of one row.
// In the formulas s is the product, or the part of it that belongs to the gate; * is by element.
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

template <class Arch, template <class> class Output, class Number, class Step>
inline void multiply_units(const Step& step, std::size_t M) noexcept {
  const Output<std::size_t> output{step, step.H};
  if constexpr (Number::fast) {
    if (M > 1 && is_whole<Arch>(output))
      return multiply<Arch>(Number{}, step.w, M, step.x, Output<WholeUnits>{step, {step.H}});
  }
  multiply<Arch>(Number{}, step.w, M, step.x, output);
}

template <class Arch, template <class> class Output, class Number = F32>
void forward_step(const CellForward& step) noexcept {
  const Output<std::size_t> output{step, step.H};
  constexpr std::size_t G = Output<std::size_t>::gates;
  if (step.w.data != nullptr) return multiply_units<Arch, Output, Number>(step, step.M);
  for (std::size_t m = 0; m < step.M; ++m) {
    for (std::size_t unit = 0; unit < step.H; unit += lanes<Arch>) {
      Vec<Arch> sum[G];
      RNN_UNROLL for (std::size_t g = 0; g < G; ++g) sum[g] = load_units<Arch>(step.x, m, g, unit, step.H);
      output.finish(m, unit, sum);
    }
  }
}

template <class Arch, template <class> class Output, class Number = F32>
void backward_step(const CellBackward& step) noexcept {
  const Output<std::size_t> output{step, step.H};
  if (step.M_product > 0) multiply_units<Arch, Output, Number>(step, step.M_product);
  const Vec<Arch> zero[1] = {Vec<Arch>(0.0f)};
  for (std::size_t m = step.M_product; m < step.M; ++m)
    for (std::size_t unit = 0; unit < step.H; unit += lanes<Arch>) output.finish(m, unit, zero);
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

// i, f, o = sigmoid(gates + s)    g = tanh(gates + s)    c' = f * c + i * g    h = o * tanh(c')
template <class Units>
struct LstmForward {
  static constexpr std::size_t gates = 4;
  static constexpr bool halves = true;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 4);
    visit(step.c_prev, 1);
    visit(step.c, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void begin(std::size_t m, std::size_t unit,
                                    const Vec<Arch> (&sum)[4]) const noexcept {
    Vec<Arch> gate[4];
    activate<Arch>(m, unit, sum, gate);
    RNN_UNROLL for (std::size_t g = 0; g < 4; ++g) store_units<Arch>(step.gates, m, g, unit, n, gate[g]);
  }
  template <class Arch>
  [[gnu::always_inline]] void end(std::size_t m, std::size_t unit, const Vec<Arch> (&)[4]) const noexcept {
    Vec<Arch> gate[4];
    RNN_UNROLL for (std::size_t g = 0; g < 4; ++g) gate[g] = load_units<Arch>(step.gates, m, g, unit, n);
    advance<Arch>(m, unit, gate);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[4]) const noexcept {
    Vec<Arch> gate[4];
    activate<Arch>(m, unit, sum, gate);
    if constexpr (!is_step<Units>) {
      RNN_UNROLL for (std::size_t g = 0; g < 4; ++g) store_units<Arch>(step.gates, m, g, unit, n, gate[g]);
    }
    advance<Arch>(m, unit, gate);
  }
  static constexpr std::size_t leads = is_step<Units> ? 3 : 0;  // o is needed last
  template <class V>
  [[gnu::always_inline]] V lead(const V (&sum)[3]) const noexcept {
    using Arch = typename V::arch_type;
    const V i = activate<Arch, 0>(0, 0, sum[0]), f = activate<Arch, 1>(0, 0, sum[1]);
    return remember<Arch>(0, 0, i, f, activate<Arch, 2>(0, 0, sum[2]));
  }
  template <class V>
  [[gnu::always_inline]] void follow(V tanh_c, const V (&sum)[1]) const noexcept {
    using Arch = typename V::arch_type;
    store_units<Arch>(step.h, 0, 0, 0, n, activate<Arch, 3>(0, 0, sum[0]) * tanh_c);
  }

 private:
  template <class Arch, std::size_t g>
  [[gnu::always_inline]] Vec<Arch> activate(std::size_t m, std::size_t unit, Vec<Arch> sum) const noexcept {
    const Vec<Arch> x = load_input<Arch, 4>(step, m, g, unit, n) + sum;
    if constexpr (g == 2)
      return vtanh<Arch>(x);
    else
      return vsigmoid<Arch>(x);
  }
  template <class Arch>
  [[gnu::always_inline]] void activate(std::size_t m, std::size_t unit, const Vec<Arch> (&sum)[4],
                                       Vec<Arch> (&gate)[4]) const noexcept {
    gate[0] = activate<Arch, 0>(m, unit, sum[0]);
    gate[1] = activate<Arch, 1>(m, unit, sum[1]);
    gate[2] = activate<Arch, 2>(m, unit, sum[2]);
    gate[3] = activate<Arch, 3>(m, unit, sum[3]);
  }
  template <class Arch>
  [[gnu::always_inline]] void advance(std::size_t m, std::size_t unit,
                                      const Vec<Arch> (&gate)[4]) const noexcept {
    const auto& [i, f, g, o] = gate;
    store_units<Arch>(step.h, m, 0, unit, n, o * remember<Arch>(m, unit, i, f, g));
  }
  // Stores c' and returns tanh(c').
  template <class Arch>
  [[gnu::always_inline]] Vec<Arch> remember(std::size_t m, std::size_t unit, Vec<Arch> i, Vec<Arch> f,
                                            Vec<Arch> g) const noexcept {
    const Vec<Arch> c = vfma<Arch>(f, load_units<Arch>(step.c_prev, m, 0, unit, n), i * g);
    store_units<Arch>(step.c, m, 0, unit, n, c);
    return vtanh<Arch>(c);
  }
};

// d = d_h + s    d_c = carry + d * o * (1 - tanh(c')^2)    carry = d_c * f
// gates = d_c * g * i', d_c * c * f', d_c * i * g', d * tanh(c') * o'
template <class Units>
struct LstmBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 4);
    visit(step.c_prev, 1);
    visit(step.c, 1);
    visit(step.d_h, 1);
    visit(step.carry_c, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V i = load_units<Arch>(step.gates, m, 0, unit, n), f = load_units<Arch>(step.gates, m, 1, unit, n);
    const V g = load_units<Arch>(step.gates, m, 2, unit, n), o = load_units<Arch>(step.gates, m, 3, unit, n);
    const V c_prev = load_units<Arch>(step.c_prev, m, 0, unit, n);
    const V c = vtanh<Arch>(load_units<Arch>(step.c, m, 0, unit, n));
    const V d = load_gradient<Arch>(step, m, unit, n) + sum[0];
    const V d_c = vfma<Arch>(d * o, tanh_slope<Arch>(c), load_units<Arch>(step.carry_c, m, 0, unit, n));
    store_units<Arch>(step.gates, m, 0, unit, n, d_c * g * sigmoid_slope<Arch>(i));
    store_units<Arch>(step.gates, m, 1, unit, n, d_c * c_prev * sigmoid_slope<Arch>(f));
    store_units<Arch>(step.gates, m, 2, unit, n, d_c * i * tanh_slope<Arch>(g));
    store_units<Arch>(step.gates, m, 3, unit, n, d * c * sigmoid_slope<Arch>(o));
    store_units<Arch>(step.carry_c, m, 0, unit, n, d_c * f);
  }
};

// The gates of an LSTM's variants: coupled, f = 1 - i is none of them. vectors[1] and those behind it are the
// peepholes of i, of f, if it is a gate, and of o.
template <bool coupled>
struct LstmGates {
  static constexpr std::size_t count = coupled ? 3 : 4, i = 0, f = 1, g = count - 2, o = count - 1;
  static constexpr std::size_t peephole_i = 1, peephole_f = 2, peephole_o = count - 1;
};

// i, f = sigmoid(gates + s + p * c), or f = 1 - i    g = tanh(gates + s)    c' = f * c + i * g
// o = sigmoid(gates + s + p * c')    h = o * tanh(c')    p = 0 without peepholes
template <bool coupled, bool peepholes, class Units>
struct LstmVariantForward {
  using Gates = LstmGates<coupled>;
  static constexpr std::size_t gates = Gates::count;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, gates);
    visit(step.c_prev, 1);
    visit(step.c, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[gates]) const noexcept {
    using V = Vec<Arch>;
    const V c_prev = load_units<Arch>(step.c_prev, m, 0, unit, n);
    V gate[gates];
    gate[Gates::i] = open<Arch, Gates::peephole_i>(m, Gates::i, unit, sum[Gates::i], c_prev);
    gate[Gates::g] = vtanh<Arch>(load_input<Arch, gates>(step, m, Gates::g, unit, n) + sum[Gates::g]);
    V c;
    if constexpr (coupled) {
      c = vfma<Arch>(gate[Gates::i], gate[Gates::g] - c_prev, c_prev);
    } else {
      gate[Gates::f] = open<Arch, Gates::peephole_f>(m, Gates::f, unit, sum[Gates::f], c_prev);
      c = vfma<Arch>(gate[Gates::f], c_prev, gate[Gates::i] * gate[Gates::g]);
    }
    gate[Gates::o] = open<Arch, Gates::peephole_o>(m, Gates::o, unit, sum[Gates::o], c);
    if constexpr (!is_step<Units>) {
      RNN_UNROLL for (std::size_t g = 0; g < gates; ++g)
          store_units<Arch>(step.gates, m, g, unit, n, gate[g]);
    }
    store_units<Arch>(step.c, m, 0, unit, n, c);
    store_units<Arch>(step.h, m, 0, unit, n, gate[Gates::o] * vtanh<Arch>(c));
  }

 private:
  // The sigmoid of gate g, whose peephole, if there are any, reads c.
  template <class Arch, std::size_t peephole>
  [[gnu::always_inline]] Vec<Arch> open(std::size_t m, std::size_t g, std::size_t unit, Vec<Arch> sum,
                                        Vec<Arch> c) const noexcept {
    Vec<Arch> x = load_input<Arch, gates>(step, m, g, unit, n) + sum;
    if constexpr (peepholes) x = vfma<Arch>(load_vector<Arch>(step.vectors[peephole], unit, n), c, x);
    return vsigmoid<Arch>(x);
  }
};

// d = d_h + s    d_o = d * tanh(c') * o'    d_c = carry + d * o * (1 - tanh(c')^2) + p_o * d_o
// d_i = d_c * g * i', coupled d_c * (g - c) * i'    d_f = d_c * c * f'    d_g = d_c * i * g'
// carry = d_c * f + p_i * d_i + p_f * d_f    kept = d_i * c, d_f * c, d_o * c', of which d_p is the sum
template <bool coupled, bool peepholes, class Units>
struct LstmVariantBackward {
  using Gates = LstmGates<coupled>;
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, Gates::count);
    visit(step.c_prev, 1);
    visit(step.c, 1);
    visit(step.d_h, 1);
    visit(step.carry_c, 1);
    if constexpr (peepholes) visit(step.kept, Gates::peephole_o);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const auto load_gate = [&](std::size_t gate) { return load_units<Arch>(step.gates, m, gate, unit, n); };
    const V i = load_gate(Gates::i), g = load_gate(Gates::g), o = load_gate(Gates::o);
    const V c_prev = load_units<Arch>(step.c_prev, m, 0, unit, n);
    const V c = load_units<Arch>(step.c, m, 0, unit, n), tanh_c = vtanh<Arch>(c);
    const V d = load_gradient<Arch>(step, m, unit, n) + sum[0];
    V d_c = vfma<Arch>(d * o, tanh_slope<Arch>(tanh_c), load_units<Arch>(step.carry_c, m, 0, unit, n));
    close<Arch, Gates::peephole_o>(m, Gates::o, unit, d * tanh_c * sigmoid_slope<Arch>(o), c, d_c);
    V carry;
    if constexpr (coupled) {
      carry = d_c * (V(1.0f) - i);
      close<Arch, Gates::peephole_i>(m, Gates::i, unit, d_c * (g - c_prev) * sigmoid_slope<Arch>(i), c_prev,
                                     carry);
    } else {
      const V f = load_gate(Gates::f);
      carry = d_c * f;
      close<Arch, Gates::peephole_i>(m, Gates::i, unit, d_c * g * sigmoid_slope<Arch>(i), c_prev, carry);
      close<Arch, Gates::peephole_f>(m, Gates::f, unit, d_c * c_prev * sigmoid_slope<Arch>(f), c_prev, carry);
    }
    store_units<Arch>(step.gates, m, Gates::g, unit, n, d_c * i * tanh_slope<Arch>(g));
    store_units<Arch>(step.carry_c, m, 0, unit, n, carry);
  }

 private:
  // Stores the gradient of a gate and what the peephole's is the sum of, and adds to that of c, which it reads.
  template <class Arch, std::size_t peephole>
  [[gnu::always_inline]] void close(std::size_t m, std::size_t g, std::size_t unit, Vec<Arch> d, Vec<Arch> c,
                                    Vec<Arch>& d_c) const noexcept {
    store_units<Arch>(step.gates, m, g, unit, n, d);
    if constexpr (!peepholes) return;
    store_units<Arch>(step.kept, m, peephole - 1, unit, n, d * c);
    d_c = vfma<Arch>(load_vector<Arch>(step.vectors[peephole], unit, n), d, d_c);
  }
};

template <class Units>
using LstmPeepholeForward = LstmVariantForward<false, true, Units>;
template <class Units>
using LstmPeepholeBackward = LstmVariantBackward<false, true, Units>;
template <class Units>
using LstmCoupledForward = LstmVariantForward<true, false, Units>;
template <class Units>
using LstmCoupledBackward = LstmVariantBackward<true, false, Units>;
template <class Units>
using LstmCoupledPeepholeForward = LstmVariantForward<true, true, Units>;
template <class Units>
using LstmCoupledPeepholeBackward = LstmVariantBackward<true, true, Units>;

// r, z = sigmoid(gates + s)    kept = s + bias    n = tanh(gates + r * kept)    h = n + z * (h - n)
template <class Units>
struct GruForward {
  static constexpr std::size_t gates = 3;
  static constexpr bool halves = true;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.kept, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void begin(std::size_t m, std::size_t unit,
                                    const Vec<Arch> (&sum)[3]) const noexcept {
    RNN_UNROLL for (std::size_t g = 0; g < 2; ++g)
        store_units<Arch>(step.gates, m, g, unit, n, activate<Arch>(m, g, unit, sum[g]));
  }
  template <class Arch>
  [[gnu::always_inline]] void end(std::size_t m, std::size_t unit, const Vec<Arch> (&sum)[3]) const noexcept {
    advance<Arch>(m, unit, load_units<Arch>(step.gates, m, 0, unit, n),
                  load_units<Arch>(step.gates, m, 1, unit, n), sum[2]);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[3]) const noexcept {
    const Vec<Arch> r = activate<Arch>(m, 0, unit, sum[0]), z = activate<Arch>(m, 1, unit, sum[1]);
    advance<Arch>(m, unit, r, z, sum[2]);
    if constexpr (is_step<Units>) return;
    store_units<Arch>(step.gates, m, 0, unit, n, r);
    store_units<Arch>(step.gates, m, 1, unit, n, z);
  }
  static constexpr std::size_t leads = is_step<Units> ? 1 : 0;  // n waits for r
  template <class V>
  [[gnu::always_inline]] V lead(const V (&sum)[1]) const noexcept {
    return activate<typename V::arch_type>(0, 0, 0, sum[0]);
  }
  template <class V>
  [[gnu::always_inline]] void follow(V r, const V (&sum)[2]) const noexcept {
    using Arch = typename V::arch_type;
    advance<Arch>(0, 0, r, activate<Arch>(0, 1, 0, sum[0]), sum[1]);
  }

 private:
  template <class Arch>
  [[gnu::always_inline]] Vec<Arch> activate(std::size_t m, std::size_t g, std::size_t unit,
                                            Vec<Arch> sum) const noexcept {
    return vsigmoid<Arch>(load_input<Arch, 3>(step, m, g, unit, n) + sum);
  }
  template <class Arch>
  [[gnu::always_inline]] void advance(std::size_t m, std::size_t unit, Vec<Arch> r, Vec<Arch> z,
                                      Vec<Arch> sum) const noexcept {
    const Vec<Arch> kept = sum + load_vector<Arch>(step.vectors[1], unit, n);
    const Vec<Arch> candidate = vtanh<Arch>(vfma<Arch>(r, kept, load_input<Arch, 3>(step, m, 2, unit, n)));
    const Vec<Arch> h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    if constexpr (!is_step<Units>) {
      store_units<Arch>(step.gates, m, 2, unit, n, candidate);
      if (step.kept.base != nullptr || step.kept.pointers != nullptr)
        store_units<Arch>(step.kept, m, 0, unit, n, kept);
    }
    store_units<Arch>(step.h, m, 0, unit, n, vfma<Arch>(z, h_prev - candidate, candidate));
  }
};

// d = d_h + carry + s    carry = d * z    d_n = d * (1 - z) * n'    d_z = d * (h - n) * z'
// d_r = d_n * kept * r'    gates = d_r, d_z, d_n    kept = d_n * r
template <class Units>
struct GruBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.d_h, 1);
    visit(step.carry_h, 1);
    visit(step.kept, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V r = load_units<Arch>(step.gates, m, 0, unit, n), z = load_units<Arch>(step.gates, m, 1, unit, n);
    const V candidate = load_units<Arch>(step.gates, m, 2, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V d =
        (load_gradient<Arch>(step, m, unit, n) + load_units<Arch>(step.carry_h, m, 0, unit, n)) + sum[0];
    const V d_n = d * (V(1.0f) - z) * tanh_slope<Arch>(candidate);
    const V d_z = d * (h_prev - candidate) * sigmoid_slope<Arch>(z);
    const V d_r = d_n * load_units<Arch>(step.kept, m, 0, unit, n) * sigmoid_slope<Arch>(r);
    store_units<Arch>(step.gates, m, 0, unit, n, d_r);
    store_units<Arch>(step.gates, m, 1, unit, n, d_z);
    store_units<Arch>(step.gates, m, 2, unit, n, d_n);
    store_units<Arch>(step.kept, m, 0, unit, n, d_n * r);
    store_units<Arch>(step.carry_h, m, 0, unit, n, d * z);
  }
};

// Reset before the product, its first half: r, z = sigmoid(gates + s)    kept = r * h
template <class Units>
struct GruBeforeForward {
  static constexpr std::size_t gates = 2;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 2);
    visit(step.h_prev, 1);
    visit(step.kept, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[2]) const noexcept {
    const Vec<Arch> r = vsigmoid<Arch>(load_units<Arch>(step.gates, m, 0, unit, n) + sum[0]);
    const Vec<Arch> z = vsigmoid<Arch>(load_units<Arch>(step.gates, m, 1, unit, n) + sum[1]);
    store_units<Arch>(step.gates, m, 0, unit, n, r);
    store_units<Arch>(step.gates, m, 1, unit, n, z);
    store_units<Arch>(step.kept, m, 0, unit, n, r * load_units<Arch>(step.h_prev, m, 0, unit, n));
  }
};

// Its second half: n = tanh(gates + s)    h = n + z * (h - n)
template <class Units>
struct GruBeforeForwardState {
  static constexpr std::size_t gates = 1;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V candidate = vtanh<Arch>(load_units<Arch>(step.gates, m, 2, unit, n) + sum[0]);
    const V z = load_units<Arch>(step.gates, m, 1, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    store_units<Arch>(step.gates, m, 2, unit, n, candidate);
    store_units<Arch>(step.h, m, 0, unit, n, vfma<Arch>(z, h_prev - candidate, candidate));
  }
};

// Backwards the second half comes first: d = d_h + carry + s    carry = d * z
// gates = r still, d * (h - n) * z', d * (1 - z) * n'
template <class Units>
struct GruBeforeBackwardState {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.d_h, 1);
    visit(step.carry_h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V z = load_units<Arch>(step.gates, m, 1, unit, n),
            candidate = load_units<Arch>(step.gates, m, 2, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V d =
        (load_gradient<Arch>(step, m, unit, n) + load_units<Arch>(step.carry_h, m, 0, unit, n)) + sum[0];
    store_units<Arch>(step.gates, m, 1, unit, n, d * (h_prev - candidate) * sigmoid_slope<Arch>(z));
    store_units<Arch>(step.gates, m, 2, unit, n, d * (V(1.0f) - z) * tanh_slope<Arch>(candidate));
    store_units<Arch>(step.carry_h, m, 0, unit, n, d * z);
  }
};

// Then the first, where s is the gradient of r * h: gates = s * h * r', ...    carry += s * r
template <class Units>
struct GruBeforeBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 1);
    visit(step.h_prev, 1);
    visit(step.carry_h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V r = load_units<Arch>(step.gates, m, 0, unit, n),
            h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V carry = load_units<Arch>(step.carry_h, m, 0, unit, n);
    store_units<Arch>(step.gates, m, 0, unit, n, sum[0] * h_prev * sigmoid_slope<Arch>(r));
    store_units<Arch>(step.carry_h, m, 0, unit, n, vfma<Arch>(sum[0], r, carry));
  }
};

// The candidate of a minimal cell: g(v) = v + 1/2 for v >= 0, else sigmoid(v).
template <class Arch>
inline Vec<Arch> positive(Vec<Arch> v) noexcept {
  return vselect<Arch>(v >= Vec<Arch>(0.0f), v + Vec<Arch>(0.5f), vsigmoid<Arch>(v));
}
// Its slope, from the value v.
template <class Arch>
inline Vec<Arch> positive_slope(Vec<Arch> v) noexcept {
  return vselect<Arch>(v >= Vec<Arch>(0.5f), Vec<Arch>(1.0f), sigmoid_slope<Arch>(v));
}

// How much of the candidate a minimal cell takes, from its other gates, which are sigmoids; and the slopes of that
// by what these are of. z of a minimal GRU:
struct UpdateGate {
  static constexpr std::size_t gates = 1;
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> share(const Vec<Arch> (&gate)[1]) noexcept {
    return gate[0];
  }
  template <class Arch>
  [[gnu::always_inline]] static void slopes(const Vec<Arch> (&gate)[1], Vec<Arch> share,
                                            Vec<Arch> (&slope)[1]) noexcept {
    (void)gate;
    slope[0] = sigmoid_slope<Arch>(share);
  }
};
// i / (f + i) of a minimal LSTM, and nothing where both are less than a float can be.
struct ForgetAndInputGates {
  static constexpr std::size_t gates = 2;
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> share(const Vec<Arch> (&gate)[2]) noexcept {
    return vdiv<Arch>(gate[1], vmax<Arch>(Vec<Arch>(0x1p-126f), gate[0] + gate[1]));
  }
  template <class Arch>
  [[gnu::always_inline]] static void slopes(const Vec<Arch> (&gate)[2], Vec<Arch> share,
                                            Vec<Arch> (&slope)[2]) noexcept {
    const Vec<Arch> one(1.0f), both = sigmoid_slope<Arch>(share);
    slope[0] = both * (gate[0] - one);
    slope[1] = both * (one - gate[1]);
  }
};

// gates = sigmoid(gates), c = g(gates)    h = h + share * (c - h)
template <class Mix, class Units>
struct MinimalForward {
  static constexpr std::size_t gates = Mix::gates + 1;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, gates);
    visit(step.h_prev, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit) const noexcept {
    Vec<Arch> in[gates];
    RNN_UNROLL for (std::size_t g = 0; g < gates; ++g) in[g] = load_input<Arch, gates>(step, m, g, unit, n);
    store_units<Arch>(step.h, m, 0, unit, n, advance<Arch>(m, unit, in));
  }
  // Returns h.
  template <class Arch>
  [[gnu::always_inline]] Vec<Arch> advance(std::size_t m, std::size_t unit,
                                           const Vec<Arch> (&in)[gates]) const noexcept {
    constexpr std::size_t G = Mix::gates;
    Vec<Arch> gate[G];
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g) gate[g] = vsigmoid<Arch>(in[g]);
    const Vec<Arch> c = positive<Arch>(in[G]), h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    if constexpr (!is_step<Units>) {
      RNN_UNROLL for (std::size_t g = 0; g < G; ++g) store_units<Arch>(step.gates, m, g, unit, n, gate[g]);
      store_units<Arch>(step.gates, m, G, unit, n, c);
    }
    return vfma<Arch>(Mix::template share<Arch>(gate), c - h_prev, h_prev);
  }
};

// d = d_h + carry    carry = d * (1 - share)    gates = d * (c - h) * slopes, d * share * g'
template <class Mix, class Units>
struct MinimalBackward {
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, Mix::gates + 1);
    visit(step.h_prev, 1);
    visit(step.d_h, 1);
    visit(step.carry_h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit) const noexcept {
    using V = Vec<Arch>;
    constexpr std::size_t G = Mix::gates;
    V gate[G], slope[G];
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g) gate[g] = load_units<Arch>(step.gates, m, g, unit, n);
    const V c = load_units<Arch>(step.gates, m, G, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V d = load_gradient<Arch>(step, m, unit, n) + load_units<Arch>(step.carry_h, m, 0, unit, n);
    const V share = Mix::template share<Arch>(gate), d_share = d * (c - h_prev);
    Mix::template slopes<Arch>(gate, share, slope);
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g)
        store_units<Arch>(step.gates, m, g, unit, n, d_share * slope[g]);
    store_units<Arch>(step.gates, m, G, unit, n, d * share * positive_slope<Arch>(c));
    store_units<Arch>(step.carry_h, m, 0, unit, n, d * (V(1.0f) - share));
  }
};

template <class Units>
using MinGruForward = MinimalForward<UpdateGate, Units>;
template <class Units>
using MinGruBackward = MinimalBackward<UpdateGate, Units>;
template <class Units>
using MinLstmForward = MinimalForward<ForgetAndInputGates, Units>;
template <class Units>
using MinLstmBackward = MinimalBackward<ForgetAndInputGates, Units>;

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GATES_INL_H_

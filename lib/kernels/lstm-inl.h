// The steps of an LSTM and its variants, in the letters of gates-inl.h.
#ifndef RNN_KERNELS_LSTM_INL_H_
#define RNN_KERNELS_LSTM_INL_H_

#include "lib/kernels/gates-inl.h"

namespace rnn::kernels {
namespace {

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
  [[gnu::always_inline]] V lead(std::size_t unit, const V (&sum)[3]) const noexcept {
    using Arch = typename V::arch_type;
    const V i = activate<Arch, 0>(0, unit, sum[0]), f = activate<Arch, 1>(0, unit, sum[1]);
    return remember<Arch>(0, unit, i, f, activate<Arch, 2>(0, unit, sum[2]));
  }
  template <class V>
  [[gnu::always_inline]] void follow(std::size_t unit, V tanh_c, const V (&sum)[1]) const noexcept {
    using Arch = typename V::arch_type;
    store_units<Arch>(step.h, 0, 0, unit, n, activate<Arch, 3>(0, unit, sum[0]) * tanh_c);
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

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_LSTM_INL_H_

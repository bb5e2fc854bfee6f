// The steps of minGRU and minLSTM, whose gates do not read h, in the letters of gates-inl.h.
#ifndef RNN_KERNELS_MINIMAL_INL_H_
#define RNN_KERNELS_MINIMAL_INL_H_

#include "lib/kernels/gates-inl.h"

namespace rnn::kernels {
namespace {

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

#endif  // RNN_KERNELS_MINIMAL_INL_H_

// The steps of cells with other activations than their own, forwards and backwards, in the letters of gates-inl.h:
// s is the gate's part of the product, which is finished before.
//
// f is the activation of the gates, g that of the candidate or of a vanilla cell's h, and e that of c' in an LSTM.
// z is what f and g are of, first limited to -clip..clip. Forward leaves z in the gates, from which backward computes
// the activations again: none of their derivatives has to follow from the value.
#ifndef RNN_KERNELS_CUSTOM_INL_H_
#define RNN_KERNELS_CUSTOM_INL_H_

#include "lib/kernels/dense-inl.h"
#include "lib/kernels/lstm-inl.h"

namespace rnn::kernels {
namespace {

// Not inlined: each step has several, and an activation is much longer than a call.
template <class Arch>
[[gnu::noinline]] Vec<Arch> activate(const Activation& activation, Vec<Arch> z) noexcept {
  const Coefficients<Arch> k{Vec<Arch>(activation.alpha), Vec<Arch>(activation.beta)};
  Vec<Arch> y = z;
  with_activation(activation.kind, [&](auto f) noexcept { y = decltype(f)::template value<Arch>(z, k); });
  return y;
}

// d f'(z), where y = f(z).
template <class Arch>
[[gnu::noinline]] Vec<Arch> differentiate(const Activation& activation, Vec<Arch> d, Vec<Arch> z,
                                          Vec<Arch> y) noexcept {
  const Coefficients<Arch> k{Vec<Arch>(activation.alpha), Vec<Arch>(activation.beta)};
  Vec<Arch> gradient = d;
  with_activation(activation.kind,
                  [&](auto f) noexcept { gradient = decltype(f)::template gradient<Arch>(d, z, y, k); });
  return gradient;
}

// Units [unit, unit + lanes) of row m of a step, forwards or backwards.
template <class Arch, class Step>
class CustomUnits {
 public:
  using V = Vec<Arch>;

  CustomUnits(const Step& step, std::size_t m, std::size_t unit) noexcept : step_(step), m_(m), unit_(unit) {}

  template <class AnyRows>
  V load(const AnyRows& rows, std::size_t vector = 0) const noexcept {
    return load_units<Arch>(rows, m_, vector, unit_, step_.H);
  }
  void store(const MutableRows& rows, std::size_t vector, V v) const noexcept {
    store_units<Arch>(rows, m_, vector, unit_, step_.H, v);
  }
  V vector(std::size_t i) const noexcept { return load_vector<Arch>(step_.vectors[i], unit_, step_.H); }

  // Forwards: z of a gate without its peephole.
  V sum(std::size_t gate) const noexcept { return load(step_.gates, gate) + load(step_.x, gate); }
  // Forwards: keeps z of a gate, and returns f(z).
  V open(const Activation& f, std::size_t gate, V z) const noexcept {
    store(step_.gates, gate, z);
    return activate<Arch>(f, limited(z));
  }

  // Backwards: f(z) of a gate.
  V value(const Activation& f, std::size_t gate) const noexcept {
    return activate<Arch>(f, limited(load(step_.gates, gate)));
  }
  // Stores the gradient of z and returns it, where y = f(z) has the gradient d.
  V close(const Activation& f, std::size_t gate, V d, V y) const noexcept {
    const V z = load(step_.gates, gate), inside = differentiate<Arch>(f, d, limited(z), y);
    const V gradient = vselect<Arch>(vabs<Arch>(z) > V(step_.custom->clip), V(0.0f), inside);
    store(step_.gates, gate, gradient);
    return gradient;
  }
  // The gradient of h: that of the product is in it.
  V gradient() const noexcept { return is_zero(step_.d_h) ? V(0.0f) : load(step_.d_h); }

 private:
  V limited(V z) const noexcept {
    const float clip = step_.custom->clip;
    return vmin<Arch>(V(clip), vmax<Arch>(V(-clip), z));
  }

  const Step& step_;
  std::size_t m_, unit_;
};

template <class Arch, class Step, class Finish>
[[gnu::always_inline]] inline void for_units(const Step& step, const Finish& finish) noexcept {
  for (std::size_t m = 0; m < step.M; ++m)
    for (std::size_t unit = 0; unit < step.H; unit += lanes<Arch>)
      finish(CustomUnits<Arch, Step>(step, m, unit));
}

// h = g(gates + s)
template <class Arch>
void vanilla_custom_forward(const CellForward& step) noexcept {
  for_units<Arch>(step, [&](const auto& units) noexcept {
    units.store(step.h, 0, units.open(step.custom->candidate, 0, units.sum(0)));
  });
}

template <class Arch>
void vanilla_custom_backward(const CellBackward& step) noexcept {
  for_units<Arch>(step, [&](const auto& units) noexcept {
    units.close(step.custom->candidate, 0, units.gradient(), units.load(step.h));
  });
}

// r, z = f(gates + s)    kept = s + bias    n = g(gates + r * kept)    h = n + z * (h - n)
template <class Arch>
void gru_custom_forward(const CellForward& step) noexcept {
  using V = Vec<Arch>;
  const Activations& a = *step.custom;
  const bool keeps = step.kept.base != nullptr || step.kept.pointers != nullptr;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const V r = units.open(a.gate, 0, units.sum(0)), z = units.open(a.gate, 1, units.sum(1));
    const V kept = units.load(step.x, 2) + units.vector(1), h_prev = units.load(step.h_prev);
    const V n = units.open(a.candidate, 2, vfma<Arch>(r, kept, units.load(step.gates, 2)));
    if (keeps) units.store(step.kept, 0, kept);
    units.store(step.h, 0, vfma<Arch>(z, h_prev - n, n));
  });
}

// As GruBackward.
template <class Arch>
void gru_custom_backward(const CellBackward& step) noexcept {
  using V = Vec<Arch>;
  const Activations& a = *step.custom;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const V r = units.value(a.gate, 0), z = units.value(a.gate, 1), n = units.value(a.candidate, 2);
    const V d = units.gradient() + units.load(step.carry_h), h_prev = units.load(step.h_prev);
    const V d_n = units.close(a.candidate, 2, d * (V(1.0f) - z), n);
    units.close(a.gate, 1, d * (h_prev - n), z);
    units.close(a.gate, 0, d_n * units.load(step.kept), r);
    units.store(step.kept, 0, d_n * r);
    units.store(step.carry_h, 0, d * z);
  });
}

// Reset before the product, in halves as those of gru-inl.h: r, z = f(gates + s)    kept = r * h
template <class Arch>
void gru_before_custom_forward(const CellForward& step) noexcept {
  const Activation& f = step.custom->gate;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    units.store(step.kept, 0, units.open(f, 0, units.sum(0)) * units.load(step.h_prev));
    units.open(f, 1, units.sum(1));
  });
}

// n = g(gates + s)    h = n + z * (h - n)
template <class Arch>
void gru_before_custom_forward_state(const CellForward& step) noexcept {
  using V = Vec<Arch>;
  const Activations& a = *step.custom;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const V z = units.value(a.gate, 1), h_prev = units.load(step.h_prev);
    const V n = units.open(a.candidate, 2, units.load(step.gates, 2) + units.load(step.x));
    units.store(step.h, 0, vfma<Arch>(z, h_prev - n, n));
  });
}

template <class Arch>
void gru_before_custom_backward_state(const CellBackward& step) noexcept {
  using V = Vec<Arch>;
  const Activations& a = *step.custom;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const V z = units.value(a.gate, 1), n = units.value(a.candidate, 2), h_prev = units.load(step.h_prev);
    const V d = units.gradient() + units.load(step.carry_h);
    units.close(a.gate, 1, d * (h_prev - n), z);
    units.close(a.candidate, 2, d * (V(1.0f) - z), n);
    units.store(step.carry_h, 0, d * z);
  });
}

// d_h is the gradient of r * h.
template <class Arch>
void gru_before_custom_backward(const CellBackward& step) noexcept {
  using V = Vec<Arch>;
  const Activation& f = step.custom->gate;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const V r = units.value(f, 0), d = units.gradient();
    units.close(f, 0, d * units.load(step.h_prev), r);
    units.store(step.carry_h, 0, vfma<Arch>(d, r, units.load(step.carry_h)));
  });
}

// i, f = f(gates + s + p * c), or f = 1 - i    g = g(gates + s)    c' = f * c + i * g
// o = f(gates + s + p * c')    h = o * e(c')    p = 0 without peepholes
template <class Arch, bool coupled, bool peepholes>
void lstm_custom_forward(const CellForward& step) noexcept {
  using V = Vec<Arch>;
  using Gates = LstmGates<coupled>;
  const Activations& a = *step.custom;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    const auto open = [&](std::size_t gate, std::size_t peephole, V c) noexcept {
      V z = units.sum(gate);
      if constexpr (peepholes) z = vfma<Arch>(units.vector(peephole), c, z);
      return units.open(a.gate, gate, z);
    };
    const V c_prev = units.load(step.c_prev);
    const V i = open(Gates::i, Gates::peephole_i, c_prev);
    const V g = units.open(a.candidate, Gates::g, units.sum(Gates::g));
    V c;
    if constexpr (coupled)
      c = vfma<Arch>(i, g - c_prev, c_prev);
    else
      c = vfma<Arch>(open(Gates::f, Gates::peephole_f, c_prev), c_prev, i * g);
    const V o = open(Gates::o, Gates::peephole_o, c);
    units.store(step.c, 0, c);
    units.store(step.h, 0, o * activate<Arch>(a.output, c));
  });
}

// As LstmVariantBackward.
template <class Arch, bool coupled, bool peepholes>
void lstm_custom_backward(const CellBackward& step) noexcept {
  using V = Vec<Arch>;
  using Gates = LstmGates<coupled>;
  const Activations& a = *step.custom;
  for_units<Arch>(step, [&](const auto& units) noexcept {
    // Adds to the gradient of c, which the peephole reads.
    const auto close = [&](std::size_t gate, std::size_t peephole, V d, V y, V c, V& d_c) noexcept {
      const V d_z = units.close(a.gate, gate, d, y);
      if constexpr (!peepholes) return;
      units.store(step.kept, peephole - 1, d_z * c);
      d_c = vfma<Arch>(units.vector(peephole), d_z, d_c);
    };
    const V i = units.value(a.gate, Gates::i), g = units.value(a.candidate, Gates::g);
    const V o = units.value(a.gate, Gates::o);
    const V c_prev = units.load(step.c_prev), c = units.load(step.c), e = activate<Arch>(a.output, c);
    const V d = units.gradient();
    V d_c = differentiate<Arch>(a.output, d * o, c, e) + units.load(step.carry_c);
    close(Gates::o, Gates::peephole_o, d * e, o, c, d_c);
    V carry;
    if constexpr (coupled) {
      carry = d_c * (V(1.0f) - i);
      close(Gates::i, Gates::peephole_i, d_c * (g - c_prev), i, c_prev, carry);
    } else {
      const V f = units.value(a.gate, Gates::f);
      carry = d_c * f;
      close(Gates::i, Gates::peephole_i, d_c * g, i, c_prev, carry);
      close(Gates::f, Gates::peephole_f, d_c * c_prev, f, c_prev, carry);
    }
    units.close(a.candidate, Gates::g, d_c * i, g);
    units.store(step.carry_c, 0, carry);
  });
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_CUSTOM_INL_H_

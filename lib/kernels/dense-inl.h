// The activations of layers without recurrence, forwards and backwards.
//
// All are of operations that IEEE 754 rounds in one way, in one order: every instruction set gives the same bits.
// Of numbers that are zero for a choice either way, such as relu's, the zero is +0.
#ifndef RNN_KERNELS_DENSE_INL_H_
#define RNN_KERNELS_DENSE_INL_H_

#include "lib/kernels/gates-inl.h"
#include "lib/kernels/loss-inl.h"

namespace rnn::kernels {
namespace {

// exp x - 1, for x from -inf to 0: exp r - 1 is scaled by 2^n, and 2^n - 1 is exact where it counts. NaN for NaN.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> vexpm1_below(Vec<Arch> x) noexcept {
  using V = Vec<Arch>;
  const V a = vmax<Arch>(V(-20.0f), x);  // the result is -1 from -17.4 on
  const V rounded = vfma<Arch>(a, V(0x1.715476p+0f), V(round_to_exponent));
  const V n = rounded - V(round_to_exponent);
  V r = vfnma<Arch>(n, V(ln2_hi), a);
  r = vfnma<Arch>(n, V(ln2_lo), r);

  V q = vfma<Arch>(V(exp_tail[4]), r, V(exp_tail[3]));
  q = vfma<Arch>(q, r, V(exp_tail[2]));
  q = vfma<Arch>(q, r, V(exp_tail[1]));
  q = vfma<Arch>(q, r, V(exp_tail[0]));
  const V p = vfma<Arch>(r * r, q, r);

  const V t = power_of_two<Arch>(rounded);
  return vfma<Arch>(t, p, t - V(1.0f));
}

// What is left above a >= 0 of the normal distribution, Q(a) = erfc(a / sqrt 2) / 2 = density * ratio.
//
// The ratio to exp(-a^2 / 2), which falls from 1/2 as slowly as 1 / a, is a quotient of polynomials with positive
// coefficients, so that nothing cancels: relative error 2^-27.6 for a < 13.2, where the density comes to FLT_MIN.
template <class Arch>
struct NormalTail {
  Vec<Arch> density;  // exp(-a^2 / 2)
  Vec<Arch> ratio;
};

template <class Arch>
[[gnu::always_inline]] inline NormalTail<Arch> normal_tail(Vec<Arch> a) noexcept {
  using V = Vec<Arch>;
  V p = vfma<Arch>(V(0x1.06ec24p-8f), a, V(0x1.47167cp-5f));
  p = vfma<Arch>(p, a, V(0x1.72f8acp-3f));
  p = vfma<Arch>(p, a, V(0x1.bde88ap-2f));
  p = vfma<Arch>(p, a, V(0.5f));
  V q = vfma<Arch>(V(0x1.498506p-7f), a, V(0x1.99f974p-4f));
  q = vfma<Arch>(q, a, V(0x1.db1208p-2f));
  q = vfma<Arch>(q, a, V(0x1.319bb4p+0f));
  q = vfma<Arch>(q, a, V(0x1.ab3674p+0f));
  q = vfma<Arch>(q, a, V(1.0f));

  // What the square loses by rounding is a factor of exp(-rest / 2).
  const V square = a * a;
  const V rest = vfms<Arch>(a, a, square);
  const V e = vexp<Arch>(V(-0.5f) * square);
  return {vfnma<Arch>(e, V(0.5f) * rest, e), vdiv<Arch>(p, q)};
}

// alpha and beta of an Activation; alpha of prelu is the slopes of these columns.
template <class Arch>
struct Coefficients {
  Vec<Arch> alpha, beta;
};

// Each activation: y = value(z), and gradient(d, z, y) = d f'(z). NaN for NaN.
//
// Largest error of y in units of the last place, over every 97th float, with alpha and beta as the tests have them:
//
//                 value    slope, in units of the last place of 1
//   tanh           2.35     2.7
//   sigmoid        2.49     1.0
//   elu            1.65     0.5
//   softsign       1.50     1.8
//   gelu           5.97     1.2
//   swish          3.65     1.6
//   softplus       2.64     0.8
//   scaled_tanh    3.27     3.1
//
// Of sigmoid and softplus where the result is from FLT_MIN up, of gelu and swish from 1e-36 up. The others round
// once.
namespace activation {

struct None {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    return z;
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch>,
                                                   const Coefficients<Arch>&) noexcept {
    return d;
  }
};

struct Tanh {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    return vtanh<Arch>(z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch> y,
                                                   const Coefficients<Arch>&) noexcept {
    return d * tanh_slope<Arch>(y);
  }
};

// max(0, z); the slope at 0 is 0.
struct Relu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    return vselect<Arch>(z <= Vec<Arch>(0.0f), Vec<Arch>(0.0f), z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch> y,
                                                   const Coefficients<Arch>&) noexcept {
    return vselect<Arch>(y > Vec<Arch>(0.0f), d, Vec<Arch>(0.0f));
  }
};

struct Sigmoid {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    return vsigmoid<Arch>(z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch> y,
                                                   const Coefficients<Arch>&) noexcept {
    return d * sigmoid_slope<Arch>(y);
  }
};

// z > 0 ? z : alpha (exp z - 1)
struct Elu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    const Vec<Arch> zero(0.0f);
    return vselect<Arch>(z > zero, z, k.alpha * vexpm1_below<Arch>(vmin<Arch>(zero, z)));
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch> y,
                                                   const Coefficients<Arch>& k) noexcept {
    return vselect<Arch>(z > Vec<Arch>(0.0f), d, d * (y + k.alpha));
  }
};

// z > 0 ? z : alpha z
struct LeakyRelu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    return vselect<Arch>(z > Vec<Arch>(0.0f), z, k.alpha * z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>& k) noexcept {
    return vselect<Arch>(z > Vec<Arch>(0.0f), d, k.alpha * d);
  }
};
struct Prelu : LeakyRelu {};

// z / (1 + |z|)
struct Softsign {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    const Vec<Arch> a = vmin<Arch>(Vec<Arch>(0x1p30f), vabs<Arch>(z));  // the result is 1 from 2^25 on
    return vwith_sign<Arch>(vdiv<Arch>(a, a + Vec<Arch>(1.0f)), z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>&) noexcept {
    const Vec<Arch> one(1.0f), s = vdiv<Arch>(one, vabs<Arch>(z) + one);
    return d * s * s;
  }
};

// z Phi(z) = max(0, z) - |z| Q(|z|), with the distribution Phi(z) = (1 + erf(z / sqrt 2)) / 2.
struct Gelu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    const Vec<Arch> zero(0.0f), a = magnitude<Arch>(z);
    const NormalTail<Arch> tail = normal_tail<Arch>(a);
    return vfnma<Arch>(a, tail.density * tail.ratio, vselect<Arch>(z <= zero, zero, z));
  }
  // Phi(z) + z phi(z), which is Q(|z|) - |z| phi(z) for z <= 0, and for others 1 minus that.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>&) noexcept {
    const Vec<Arch> one(1.0f), inverse_root_two_pi(0x1.988454p-2f), a = magnitude<Arch>(z);
    const NormalTail<Arch> tail = normal_tail<Arch>(a);
    const Vec<Arch> slope = tail.density * vfnma<Arch>(a, inverse_root_two_pi, tail.ratio);
    return d * vselect<Arch>(z > Vec<Arch>(0.0f), one - slope, slope);
  }

 private:
  // |z|, finite: the density is 0 from 13.2 on.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> magnitude(Vec<Arch> z) noexcept {
    return vmin<Arch>(Vec<Arch>(14.0f), vabs<Arch>(z));
  }
};

// z sigmoid(z)
struct Swish {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    return vmax<Arch>(Vec<Arch>(-limit), z) * vsigmoid<Arch>(z);
  }
  // s + z s (1 - s), where s and 1 - s both follow from exp(-|z|), without cancellation.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>&) noexcept {
    const Vec<Arch> zero(0.0f), one(1.0f), a = vmin<Arch>(Vec<Arch>(limit), vabs<Arch>(z));
    const Vec<Arch> e = vexp<Arch>(zero - a), large = vdiv<Arch>(one, one + e), small = e * large;
    const Vec<Arch> product = large * small;
    return d * vselect<Arch>(z > zero, vfma<Arch>(a, product, large), vfnma<Arch>(a, product, small));
  }

 private:
  static constexpr float limit = 100.0f;  // sigmoid(-limit) is 0
};

// max(0, min(1, alpha z + beta))
struct HardSigmoid {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    const Vec<Arch> zero(0.0f), v = vmin<Arch>(Vec<Arch>(1.0f), vfma<Arch>(k.alpha, z, k.beta));
    return vselect<Arch>(v <= zero, zero, v);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch> y,
                                                   const Coefficients<Arch>& k) noexcept {
    const Vec<Arch> zero(0.0f), inside = vselect<Arch>(y < Vec<Arch>(1.0f), k.alpha * d, zero);
    return vselect<Arch>(y > zero, inside, zero);
  }
};

// log(1 + exp z) = max(0, z) + log(1 + exp(-|z|))
struct Softplus {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>&) noexcept {
    const Vec<Arch> zero(0.0f);
    return vmax<Arch>(zero, z) + log1p_unit<Arch>(vexp<Arch>(zero - vabs<Arch>(z)));
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>&) noexcept {
    return d * vsigmoid<Arch>(z);
  }
};

// alpha z + beta
struct Affine {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    return vfma<Arch>(k.alpha, z, k.beta);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch>, Vec<Arch>,
                                                   const Coefficients<Arch>& k) noexcept {
    return k.alpha * d;
  }
};

// alpha tanh(beta z)
struct ScaledTanh {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    return k.alpha * vtanh<Arch>(k.beta * z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>& k) noexcept {
    return d * (k.alpha * k.beta * tanh_slope<Arch>(vtanh<Arch>(k.beta * z)));
  }
};

// z > alpha ? z : 0
struct ThresholdedRelu {
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> value(Vec<Arch> z, const Coefficients<Arch>& k) noexcept {
    return vselect<Arch>(z <= k.alpha, Vec<Arch>(0.0f), z);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> gradient(Vec<Arch> d, Vec<Arch> z, Vec<Arch>,
                                                   const Coefficients<Arch>& k) noexcept {
    return vselect<Arch>(z > k.alpha, d, Vec<Arch>(0.0f));
  }
};

}  // namespace activation

// Calls `run` with the activation of an element alone, which softmax is not.
template <class Run>
inline void with_activation(ActivationKind kind, const Run& run) noexcept {
  switch (kind) {
    case ActivationKind::tanh:
      return run(activation::Tanh{});
    case ActivationKind::relu:
      return run(activation::Relu{});
    case ActivationKind::sigmoid:
      return run(activation::Sigmoid{});
    case ActivationKind::elu:
      return run(activation::Elu{});
    case ActivationKind::leaky_relu:
      return run(activation::LeakyRelu{});
    case ActivationKind::prelu:
      return run(activation::Prelu{});
    case ActivationKind::softsign:
      return run(activation::Softsign{});
    case ActivationKind::gelu:
      return run(activation::Gelu{});
    case ActivationKind::swish:
      return run(activation::Swish{});
    case ActivationKind::hard_sigmoid:
      return run(activation::HardSigmoid{});
    case ActivationKind::softplus:
      return run(activation::Softplus{});
    case ActivationKind::affine:
      return run(activation::Affine{});
    case ActivationKind::scaled_tanh:
      return run(activation::ScaledTanh{});
    case ActivationKind::thresholded_relu:
      return run(activation::ThresholdedRelu{});
    case ActivationKind::softmax:
    case ActivationKind::none:
      return run(activation::None{});
  }
}

template <class F>
constexpr bool has_slopes = false;
template <>
constexpr bool has_slopes<activation::Prelu> = true;

template <class Arch, class Step>
inline Coefficients<Arch> coefficients(const Step& step) noexcept {
  return {Vec<Arch>(step.activation.alpha), Vec<Arch>(step.activation.beta)};
}

template <class Arch, class F>
inline void activate_rows(const CellForward& step) noexcept {
  Coefficients<Arch> k = coefficients<Arch>(step);
  for (std::size_t m = 0; m < step.M; ++m) {
    const float* const z = row(step.gates, m);
    float* const y = row(step.h, m);
    for (std::size_t j = 0; j < step.H; j += lanes<Arch>) {
      if constexpr (has_slopes<F>) k.alpha = load_columns<Arch>(step.vectors[1], j, step.H);
      store_columns<Arch>(y, j, step.H, F::template value<Arch>(load_columns<Arch>(z, j, step.H), k));
    }
  }
}

template <class Arch>
void dense_forward(const CellForward& step) noexcept {
  if (step.activation.kind == ActivationKind::softmax) {
    for (std::size_t m = 0; m < step.M; ++m) softmax<Arch>(step.H, row(step.gates, m), 1.0f, row(step.h, m));
    return;
  }
  with_activation(step.activation.kind, [&step](auto f) noexcept { activate_rows<Arch, decltype(f)>(step); });
}

template <class Arch, class F>
inline void differentiate_rows(const CellBackward& step) noexcept {
  Coefficients<Arch> k = coefficients<Arch>(step);
  for (std::size_t m = 0; m < step.M; ++m) {
    float* const gates = row(step.gates, m);
    const float *const h = row(step.h, m), *const d_h = row(step.d_h, m);
    for (std::size_t j = 0; j < step.H; j += lanes<Arch>) {
      const Vec<Arch> d = load_columns<Arch>(d_h, j, step.H);
      const Vec<Arch> z = load_columns<Arch>(gates, j, step.H), y = load_columns<Arch>(h, j, step.H);
      if constexpr (has_slopes<F>) {
        k.alpha = load_columns<Arch>(step.vectors[1], j, step.H);
        store_columns<Arch>(row(step.kept, m), j, step.H, d * vmin<Arch>(Vec<Arch>(0.0f), z));
      }
      store_columns<Arch>(gates, j, step.H, F::template gradient<Arch>(d, z, y, k));
    }
  }
}

// y (d - sum of d y)
template <class Arch>
inline void softmax_backward(std::size_t N, const float* y, const float* d, float* dz) noexcept {
  Block<Arch> sum = fill_block<Arch>(0.0f);
  for (std::size_t j = 0; j < N; j += kPad) {
    const Block<Arch> a = load_block<Arch>(y, j, N, 0.0f), b = load_block<Arch>(d, j, N, 0.0f);
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) sum.v[i] =
        vfma<Arch>(a.v[i], b.v[i], sum.v[i]);
  }
  const Vec<Arch> mean(add_lanes<Arch>(sum));
  for (std::size_t j = 0; j < N; j += lanes<Arch>)
    store_columns<Arch>(dz, j, N, load_columns<Arch>(y, j, N) * (load_columns<Arch>(d, j, N) - mean));
}

template <class Arch>
inline void clear_rows(std::size_t M, std::size_t N, const MutableRows& rows) noexcept {
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t j = 0; j < N; j += lanes<Arch>) store_columns<Arch>(row(rows, m), j, N, Vec<Arch>(0.0f));
}

template <class Arch>
void dense_backward(const CellBackward& step) noexcept {
  if (is_zero(step.d_h)) {
    clear_rows<Arch>(step.M, step.H, step.gates);
    if (step.activation.kind == ActivationKind::prelu) clear_rows<Arch>(step.M, step.H, step.kept);
    return;
  }
  if (step.activation.kind == ActivationKind::softmax) {
    for (std::size_t m = 0; m < step.M; ++m)
      softmax_backward<Arch>(step.H, row(step.h, m), row(step.d_h, m), row(step.gates, m));
    return;
  }
  with_activation(step.activation.kind,
                  [&step](auto f) noexcept { differentiate_rows<Arch, decltype(f)>(step); });
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_DENSE_INL_H_

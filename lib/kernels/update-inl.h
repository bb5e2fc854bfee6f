// Optimiser updates and norms. The formulas are PyTorch's; see rnn.h for who proposed them.
#ifndef RNN_KERNELS_UPDATE_INL_H_
#define RNN_KERNELS_UPDATE_INL_H_

#include "lib/kernels/loss-inl.h"

namespace rnn::kernels {
namespace {

// sum += the squares of x[j .. j + kPad), up to n.
template <class Arch>
[[gnu::always_inline]] inline void add_squares(const float* x, std::size_t j, std::size_t n,
                                               Block<Arch>& sum) noexcept {
  const Block<Arch> block = load_block<Arch>(x, j, n, 0.0f);
  RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) sum.v[i] =
      vfma<Arch>(block.v[i], block.v[i], sum.v[i]);
}

// Four sums at once hide the latency of the multiply-add.
template <class Arch>
float sum_squares(std::size_t n, const float* x) noexcept {
  Block<Arch> a = fill_block<Arch>(0.0f), b = a, c = a, d = a;
  std::size_t j = 0;
  for (; j + 4 * kPad <= n; j += 4 * kPad) {
    add_squares<Arch>(x, j, n, a);
    add_squares<Arch>(x, j + kPad, n, b);
    add_squares<Arch>(x, j + 2 * kPad, n, c);
    add_squares<Arch>(x, j + 3 * kPad, n, d);
  }
  for (; j < n; j += kPad) add_squares<Arch>(x, j, n, a);
  RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) a.v[i] =
      (a.v[i] + b.v[i]) + (c.v[i] + d.v[i]);
  return add_lanes<Arch>(a);
}

// One vector of parameters: p, g (scaled and limited), and the rule's state m and v.
template <class Arch, Rule rule>
struct Step {
  using V = Vec<Arch>;
  V rate, momentum, beta1, beta2, rest1, rest2, epsilon, decay;
  bool with_momentum, nesterov;

  explicit Step(const Update& u) noexcept
      : rate(u.rate),
        momentum(u.momentum),
        beta1(u.beta1),
        beta2(u.beta2),
        rest1(1.0f - u.beta1),
        rest2(1.0f - u.beta2),
        epsilon(u.epsilon),
        decay(u.decay),
        with_momentum(!(Real(u.momentum) == Real(0.0f))),
        nesterov(u.nesterov) {}

  // True where m, v are in use.
  bool first() const noexcept {
    return rule == Rule::adam || rule == Rule::adamw || (rule != Rule::adagrad && with_momentum);
  }
  static constexpr bool second = rule != Rule::sgd;

  void operator()(V& p, V g, V& m, V& v) const noexcept {
    if constexpr (rule == Rule::adamw)
      p = vfnma<Arch>(decay, p, p);
    else
      g = vfma<Arch>(decay, p, g);

    if constexpr (rule == Rule::adam || rule == Rule::adamw) {
      // m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= rate m / (sqrt(v) + epsilon)
      m = vfma<Arch>(beta1, m, rest1 * g);
      v = vfma<Arch>(beta2, v, rest2 * (g * g));
      p = vfnma<Arch>(rate, vdiv<Arch>(m, vsqrt<Arch>(v) + epsilon), p);
    } else if constexpr (rule == Rule::sgd) {
      // m = momentum m + g;  p -= rate m, or rate (g + momentum m) with Nesterov's
      if (with_momentum) {
        m = vfma<Arch>(momentum, m, g);
        g = nesterov ? vfma<Arch>(momentum, m, g) : m;
      }
      p = vfnma<Arch>(rate, g, p);
    } else if constexpr (rule == Rule::adagrad) {
      // v += g^2;  p -= rate g / (sqrt(v) + epsilon)
      v = vfma<Arch>(g, g, v);
      p = vfnma<Arch>(rate, vdiv<Arch>(g, vsqrt<Arch>(v) + epsilon), p);
    } else {
      // v = b2 v + (1 - b2) g^2;  s = g / (sqrt(v) + epsilon);  m = momentum m + s;  p -= rate m
      v = vfma<Arch>(beta2, v, rest2 * (g * g));
      V s = vdiv<Arch>(g, vsqrt<Arch>(v) + epsilon);
      if (with_momentum) {
        m = vfma<Arch>(momentum, m, s);
        s = m;
      }
      p = vfnma<Arch>(rate, s, p);
    }
  }
};

template <class Arch, Rule rule>
inline void update_all(const Update& u, std::size_t n, float* p, const float* g, float* m,
                       float* v) noexcept {
  const Step<Arch, rule> step(u);
  const Vec<Arch> scale(u.gradient_scale), low(-u.clip_value), high(u.clip_value);
  const bool first = step.first();
  for (std::size_t j = 0; j < n; j += lanes<Arch>) {
    const Vec<Arch> gradient = vmax<Arch>(low, vmin<Arch>(high, load<Arch>(g + j) * scale));
    Vec<Arch> parameter = load<Arch>(p + j);
    Vec<Arch> m_state = first ? load<Arch>(m + j) : Vec<Arch>(0.0f);
    Vec<Arch> v_state = step.second ? load<Arch>(v + j) : Vec<Arch>(0.0f);
    step(parameter, gradient, m_state, v_state);
    store<Arch>(p + j, parameter);
    if (first) store<Arch>(m + j, m_state);
    if (step.second) store<Arch>(v + j, v_state);
  }
}

template <class Arch>
void update(const Update& u, std::size_t n, float* p, const float* g, float* m, float* v) noexcept {
  switch (u.rule) {
    case Rule::adam:
      return update_all<Arch, Rule::adam>(u, n, p, g, m, v);
    case Rule::adamw:
      return update_all<Arch, Rule::adamw>(u, n, p, g, m, v);
    case Rule::sgd:
      return update_all<Arch, Rule::sgd>(u, n, p, g, m, v);
    case Rule::adagrad:
      return update_all<Arch, Rule::adagrad>(u, n, p, g, m, v);
    case Rule::rmsprop:
      return update_all<Arch, Rule::rmsprop>(u, n, p, g, m, v);
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_UPDATE_INL_H_

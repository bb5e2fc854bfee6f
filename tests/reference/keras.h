// The layers of Keras, by its own conventions: x K + h U with kernels [inputs, outputs], gates i, f, c, o and
// z, r, h.
#pragma once

#include <cmath>
#include <cstddef>

#include "tests/reference/linear.h"

namespace rnn::reference::keras {

// x K, K[x.size(), columns]
inline Vector times(const Vector& x, const Vector& kernel) {
  Vector y(kernel.size() / x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j) y[j] += x[i] * kernel.at(i * y.size() + j);
  return y;
}

// The columns of a gate, of [units] each.
inline Vector gate(const Vector& v, std::size_t index, std::size_t units) {
  const auto begin = v.begin() + static_cast<std::ptrdiff_t>(index * units);
  return Vector(begin, begin + static_cast<std::ptrdiff_t>(units));
}

inline Vector each(Vector v, double (*f)(double)) {
  for (double& value : v) value = f(value);
  return v;
}

inline Vector mul(Vector a, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b.at(i);
  return a;
}

// kernel [X, G H], recurrent [H, G H], bias [G H], or [2, 3 H] of a GRU with reset_after; empty: none.
struct Weights {
  Vector kernel;
  Vector recurrent;
  Vector bias;
};

// c is replaced.
inline Vector lstm(const Weights& w, const Vector& x, const Vector& h, Vector& c) {
  const std::size_t H = h.size();
  Vector v = sum(times(x, w.kernel), times(h, w.recurrent));
  if (!w.bias.empty()) v = sum(v, w.bias);
  const Vector input = each(gate(v, 0, H), sigmoid), forget = each(gate(v, 1, H), sigmoid);
  const Vector candidate = each(gate(v, 2, H), std::tanh), output = each(gate(v, 3, H), sigmoid);
  c = sum(mul(forget, c), mul(input, candidate));
  return mul(output, each(c, std::tanh));
}

// h' = z h + (1 - z) hh, where hh = tanh(x K_h + b_h + r (h U_h + b'_h)), or tanh(x K_h + b_h + (r h) U_h)
inline Vector gru(const Weights& w, const Vector& x, const Vector& h, bool reset_after) {
  const std::size_t H = h.size();
  Vector v = times(x, w.kernel), u = times(h, w.recurrent);
  if (!w.bias.empty()) {
    v = sum(v, gate(w.bias, 0, 3 * H));
    if (reset_after) u = sum(u, gate(w.bias, 1, 3 * H));
  }
  const Vector z = each(sum(gate(v, 0, H), gate(u, 0, H)), sigmoid);
  const Vector r = each(sum(gate(v, 1, H), gate(u, 1, H)), sigmoid);
  const Vector inner = reset_after ? mul(r, gate(u, 2, H)) : gate(times(mul(r, h), w.recurrent), 2, H);
  const Vector candidate = each(sum(gate(v, 2, H), inner), std::tanh);
  Vector next(H);
  for (std::size_t i = 0; i < H; ++i) next[i] = z[i] * h[i] + (1 - z[i]) * candidate[i];
  return next;
}

// x K + b
inline Vector dense(const Weights& w, const Vector& x) {
  const Vector y = times(x, w.kernel);
  return w.bias.empty() ? y : sum(y, w.bias);
}

}  // namespace rnn::reference::keras

// The layers of Keras, by its own conventions: x K + h U with kernels [inputs, outputs], gates i, f, c, o and
// z, r, h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

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

inline Vector activate(const std::string& name, Vector v, double a = 0);

// The names of a recurrent layer's activations.
struct Functions {
  std::string activation = "tanh", recurrent = "sigmoid";
};

// c is replaced.
inline Vector lstm(const Weights& w, const Vector& x, const Vector& h, Vector& c, const Functions& f = {}) {
  const std::size_t H = h.size();
  Vector v = sum(times(x, w.kernel), times(h, w.recurrent));
  if (!w.bias.empty()) v = sum(v, w.bias);
  const auto gate_of = [&](std::size_t index) { return activate(f.recurrent, gate(v, index, H), 1); };
  const Vector input = gate_of(0), forget = gate_of(1), output = gate_of(3);
  c = sum(mul(forget, c), mul(input, activate(f.activation, gate(v, 2, H), 1)));
  return mul(output, activate(f.activation, c, 1));
}

// h' = z h + (1 - z) hh, where hh = tanh(x K_h + b_h + r (h U_h + b'_h)), or tanh(x K_h + b_h + (r h) U_h)
inline Vector gru(const Weights& w, const Vector& x, const Vector& h, bool reset_after,
                  const Functions& f = {}) {
  const std::size_t H = h.size();
  Vector v = times(x, w.kernel), u = times(h, w.recurrent);
  if (!w.bias.empty()) {
    v = sum(v, gate(w.bias, 0, 3 * H));
    if (reset_after) u = sum(u, gate(w.bias, 1, 3 * H));
  }
  const Vector z = activate(f.recurrent, sum(gate(v, 0, H), gate(u, 0, H)), 1);
  const Vector r = activate(f.recurrent, sum(gate(v, 1, H), gate(u, 1, H)), 1);
  const Vector inner = reset_after ? mul(r, gate(u, 2, H)) : gate(times(mul(r, h), w.recurrent), 2, H);
  const Vector hh = activate(f.activation, sum(gate(v, 2, H), inner), 1);
  Vector next(H);
  for (std::size_t i = 0; i < H; ++i) next[i] = z[i] * h[i] + (1 - z[i]) * hh[i];
  return next;
}

// By its name; `a` is alpha or negative_slope, hard_sigmoid is Keras 2's.
inline Vector activate(const std::string& name, Vector v, double a) {
  if (name.empty() || name == "linear") return v;
  double total = 0;
  for (const double x : v) total += std::exp(x);
  for (double& x : v) {
    if (name == "tanh")
      x = std::tanh(x);
    else if (name == "relu")
      x = std::max(x, 0.0);
    else if (name == "sigmoid")
      x = sigmoid(x);
    else if (name == "softmax")
      x = std::exp(x) / total;
    else if (name == "elu")
      x = x > 0 ? x : a * (std::exp(x) - 1);
    else if (name == "leaky_relu")
      x = x > 0 ? x : a * x;
    else if (name == "softsign")
      x = x / (1 + std::fabs(x));
    else if (name == "gelu")
      x = x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    else if (name == "swish" || name == "silu")
      x = x * sigmoid(x);
    else if (name == "softplus")
      x = std::log1p(std::exp(x));
    else if (name == "hard_sigmoid")
      x = std::clamp(0.2 * x + 0.5, 0.0, 1.0);
    else
      throw std::invalid_argument(name);
  }
  return v;
}

struct Normalization {
  Vector gamma, beta, mean, variance;  // gamma and beta empty: 1 and 0
  double epsilon;
};

inline Vector normalize(const Normalization& n, Vector v) {
  for (std::size_t i = 0; i < v.size(); ++i) {
    v[i] = (v[i] - n.mean.at(i)) / std::sqrt(n.variance.at(i) + n.epsilon);
    if (!n.gamma.empty()) v[i] = n.gamma.at(i) * v[i] + n.beta.at(i);
  }
  return v;
}

// x K + b
inline Vector dense(const Weights& w, const Vector& x) {
  const Vector y = times(x, w.kernel);
  return w.bias.empty() ? y : sum(y, w.bias);
}

}  // namespace rnn::reference::keras

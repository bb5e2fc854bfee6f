// Long short-term memory, Hochreiter & Schmidhuber 1997, with a forget gate, Gers et al. 2000. Gates i, f, g,
// o.
#pragma once

#include <cmath>
#include <cstddef>

#include "tests/reference/linear.h"

namespace rnn::reference {

// i, f, o = s(v + u)    g = tanh(v_g + u_g)
// c' = f * c + i * g    h' = o * tanh(c')
//
// v  [4H]  W_ih x + b
// u  [4H]  W_hh h
// c  [H]   in: c; out: c'
// Returns h', before projection.
inline Vector lstm(const Vector& v, const Vector& u, Vector& c) {
  const std::size_t H = c.size();
  Vector h(H);
  for (std::size_t k = 0; k < H; ++k) {
    const double i = sigmoid(v.at(k) + u.at(k));
    const double f = sigmoid(v.at(H + k) + u.at(H + k));
    const double g = std::tanh(v.at(2 * H + k) + u.at(2 * H + k));
    const double o = sigmoid(v.at(3 * H + k) + u.at(3 * H + k));
    c[k] = f * c[k] + i * g;
    h[k] = o * std::tanh(c[k]);
  }
  return h;
}

}  // namespace rnn::reference

// The minimal gated recurrent unit, Feng et al. 2024. Gates z, c, neither of which reads h.
#pragma once

#include <cstddef>

#include "tests/reference/linear.h"

namespace rnn::reference {

// Positive, and nearly linear: what c of a minimal cell is.
inline double positive(double v) { return v >= 0 ? v + 0.5 : sigmoid(v); }

// z = s(v_z)    c = g(v_c), g(v) = v + 1/2 for v >= 0, else s(v)
// h' = (1 - z) * h + z * c
//
// v  [2H]  W_ih x + b
// h  [H]
inline Vector mingru(const Vector& v, Vector h) {
  const std::size_t H = h.size();
  for (std::size_t i = 0; i < H; ++i) {
    const double z = sigmoid(v.at(i));
    h[i] = (1 - z) * h[i] + z * positive(v.at(H + i));
  }
  return h;
}

}  // namespace rnn::reference

// Long short-term memory, Hochreiter & Schmidhuber 1997, with a forget gate, Gers et al. 2000. Gates i, f, g,
// o. With peepholes, Gers & Schmidhuber 2000; with coupled gates, Greff et al. 2017, there is no f.
#pragma once

#include <cmath>
#include <cstddef>

#include "tests/reference/dense.h"
#include "tests/reference/linear.h"

namespace rnn::reference {

// Each [H], of zeros where there is none.
struct Peepholes {
  Vector i, f, o;
};

// i, f = s(v + u + p * c), or f = 1 - i    g = tanh(v_g + u_g)    c' = f * c + i * g
// o = s(v_o + u_o + p_o * c')    h' = o * tanh(c'), or other activations
//
// v  [4H], or coupled [3H]  W_ih x + b
// u  as v  W_hh h
// c  [H]   in: c; out: c'
// Returns h', before projection.
inline Vector lstm(const Vector& v, const Vector& u, const Peepholes& p, bool coupled, Vector& c,
                   const Activations& a = {}) {
  const std::size_t H = c.size(), O = coupled ? 2 * H : 3 * H;  // o begins there
  Vector h(H);
  for (std::size_t k = 0; k < H; ++k) {
    const double i = a.open(v.at(k) + u.at(k) + p.i.at(k) * c[k]);
    const double f = coupled ? 1 - i : a.open(v.at(H + k) + u.at(H + k) + p.f.at(k) * c[k]);
    const double g = a.propose(v.at(O - H + k) + u.at(O - H + k));
    c[k] = f * c[k] + i * g;
    h[k] = a.open(v.at(O + k) + u.at(O + k) + p.o.at(k) * c[k]) * a.output.of(c[k]);
  }
  return h;
}

// With neither.
inline Vector lstm(const Vector& v, const Vector& u, Vector& c) {
  const Vector none(c.size());
  return lstm(v, u, {none, none, none}, false, c);
}

}  // namespace rnn::reference

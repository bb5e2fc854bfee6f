// The gated recurrent unit, Cho et al. 2014. Gates r, z, n.
#pragma once

#include <cmath>
#include <cstddef>

#include "tests/reference/dense.h"
#include "tests/reference/linear.h"

namespace rnn::reference {

// r = s(v_r + u_r)    z = s(v_z + u_z)
// n = tanh(v_n + r * (u_n + b_hn)), or other activations
// h' = (1 - z) * n + z * h
//
// v     [3H]  W_ih x + b
// u     [3H]  W_hh h
// b_hn  [H]
// h     [H]
inline Vector gru(const Vector& v, const Vector& u, const Vector& b_hn, Vector h, const Activations& a = {}) {
  const std::size_t H = h.size();
  for (std::size_t i = 0; i < H; ++i) {
    const double r = a.open(v.at(i) + u.at(i));
    const double z = a.open(v.at(H + i) + u.at(H + i));
    const double n = a.propose(v.at(2 * H + i) + r * (u.at(2 * H + i) + b_hn.at(i)));
    h[i] = (1 - z) * n + z * h[i];
  }
  return h;
}

// The reset gate acts before the product:
//
// r = s(v_r + W_hr h)    z = s(v_z + W_hz h)
// n = tanh(v_n + W_hn (r * h))
// h' = (1 - z) * n + z * h
//
// v     [3H]  W_ih x + b
// w_hh  [3H, H]
// h     [H]
// read  [H]  h, or with recurrent dropout what is left of it for the products
inline Vector gru_reset_before(const Vector& v, const Vector& w_hh, Vector h, const Vector& read,
                               const Activations& a = {}) {
  const std::size_t H = h.size();
  const Vector u = product(w_hh, read);
  Vector reset = read;
  for (std::size_t i = 0; i < H; ++i) reset[i] *= a.open(v.at(i) + u.at(i));
  const Vector w = product(w_hh, reset);  // of which only the rows of n are used
  for (std::size_t i = 0; i < H; ++i) {
    const double z = a.open(v.at(H + i) + u.at(H + i));
    const double n = a.propose(v.at(2 * H + i) + w.at(2 * H + i));
    h[i] = (1 - z) * n + z * h[i];
  }
  return h;
}

}  // namespace rnn::reference

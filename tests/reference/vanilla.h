// The vanilla cell, Elman 1990.
#pragma once

#include "tests/reference/dense.h"
#include "tests/reference/linear.h"

namespace rnn::reference {

// h' = tanh(v + u), or another activation
//
// v  [H]  W_ih x + b
// u  [H]  W_hh h
inline Vector vanilla(const Vector& v, const Vector& u, const Activations& a = {}) {
  Vector h = sum(v, u);
  for (double& value : h) value = a.propose(value);
  return h;
}

}  // namespace rnn::reference

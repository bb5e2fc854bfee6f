// The vanilla cell, Elman 1990.
#pragma once

#include <algorithm>
#include <cmath>

#include "tests/reference/linear.h"

namespace rnn::reference {

// h' = tanh(v + u), or max(0, v + u)
//
// v  [H]  W_ih x + b
// u  [H]  W_hh h
inline Vector vanilla(const Vector& v, const Vector& u, bool relu) {
  Vector h = sum(v, u);
  for (double& value : h) value = relu ? std::max(0.0, value) : std::tanh(value);
  return h;
}

}  // namespace rnn::reference

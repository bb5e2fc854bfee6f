// The minimal long short-term memory, Feng et al. 2024. Gates f, i, c, none of which reads h.
#pragma once

#include <cstddef>

#include "tests/reference/mingru.h"

namespace rnn::reference {

// f, i = s(v.)    c = g(v_c)
// h' = f / (f + i) * h + i / (f + i) * c
//
// v  [3H]  W_ih x + b
// h  [H]
inline Vector minlstm(const Vector& v, Vector h) {
  const std::size_t H = h.size();
  for (std::size_t j = 0; j < H; ++j) {
    const double f = sigmoid(v.at(j)), i = sigmoid(v.at(H + j));
    h[j] = f / (f + i) * h[j] + i / (f + i) * positive(v.at(2 * H + j));
  }
  return h;
}

}  // namespace rnn::reference

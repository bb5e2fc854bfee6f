// i, f, o = s(W_i. x + b. + W_h. h)    g = tanh(W_ig x + b_g + W_hg h)
// c' = f * c + i * g    h' = o * tanh(c')
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell lstm;

}  // namespace rnn::cells

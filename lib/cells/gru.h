// r, z = s(W_i. x + b. + W_h. h)    n = tanh(W_in x + b_n + r * (W_hn h + b_hn))    h' = (1 - z) * n + z * h
// Reset before: n = tanh(W_in x + b_n + W_hn (r * h))
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell gru;
extern const Cell gru_reset_before;

}  // namespace rnn::cells

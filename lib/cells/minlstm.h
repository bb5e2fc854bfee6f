// f, i = s(W_i. x + b.)    c = g(W_ic x + b_c), g(v) = v + 1/2 for v >= 0, else s(v)
// h' = f / (f + i) * h + i / (f + i) * c
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell minlstm;

}  // namespace rnn::cells

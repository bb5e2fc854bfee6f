// z = s(W_iz x + b_z)    c = g(W_ic x + b_c), g(v) = v + 1/2 for v >= 0, else s(v)    h' = (1 - z) * h + z * c
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell mingru;

}  // namespace rnn::cells

// h_t = tanh(W_ih x_t + b + W_hh h_{t-1})    (Elman 1990)
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell vanilla;

}  // namespace rnn::cells

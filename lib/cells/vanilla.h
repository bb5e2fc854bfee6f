// h' = tanh(W_ih x + b + W_hh h), or max(0, .)
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell vanilla;
extern const Cell relu;

}  // namespace rnn::cells

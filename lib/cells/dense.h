// y = f(W x + b), layers without recurrence: x is the input, or a window of the last ones
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell dense;
extern const Cell dense_prelu;  // with the slopes of PReLU
extern const Cell conv1d;
extern const Cell conv1d_prelu;

}  // namespace rnn::cells

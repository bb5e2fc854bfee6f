// y = f(W x + b), a layer without recurrence
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell dense;
extern const Cell dense_prelu;  // with the slopes of PReLU

}  // namespace rnn::cells

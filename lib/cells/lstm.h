// i, f, o = s(W_i. x + b. + W_h. h)    g = tanh(W_ig x + b_g + W_hg h)
// c' = f * c + i * g    h' = o * tanh(c')
#pragma once

#include "lib/cells/cell.h"

namespace rnn::cells {

extern const Cell lstm;
extern const Cell lstm_peephole;
extern const Cell lstm_coupled;
extern const Cell lstm_coupled_peephole;

}  // namespace rnn::cells

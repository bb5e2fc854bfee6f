// Checks of rnn_train_options_t.
#pragma once

#include "rnn/rnn.h"

namespace rnn {

// The options with their defaults resolved (`loss` stays 0, since its default depends on the data).
// Throws Error(RNN_INVALID_ARGUMENT).
rnn_train_options_t resolve_options(const rnn_train_options_t& options);

// Check `loss` and `threads` alone, which is what an evaluation uses.
void check_evaluation_options(const rnn_train_options_t& options);

}  // namespace rnn

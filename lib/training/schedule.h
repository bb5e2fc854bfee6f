// The learning rate of each update.
#pragma once

#include <cstdint>

#include "rnn/rnn.h"

namespace rnn {

// options: resolved. update: 0, 1, ...
double learning_rate(const rnn_train_options_t& options, std::uint64_t update) noexcept;

}  // namespace rnn

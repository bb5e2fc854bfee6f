// The learning rate of each update.
#pragma once

#include <cstdint>

#include "rnn/rnn.h"

namespace rnn {

// `initial` is the rate before the schedule. options: resolved. update: 0, 1, ...; epoch: to which it
// belongs.
double learning_rate(const rnn_train_options_t& options, double initial, std::uint64_t update,
                     std::uint64_t epoch) noexcept;

}  // namespace rnn

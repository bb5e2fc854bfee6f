// Initial values of the parameters, the same on every machine.
#pragma once

#include "lib/network/weights.h"

namespace rnn {

// Fill all parameters as weights.config() says, and pack them.
void initialize(Weights& weights);

}  // namespace rnn

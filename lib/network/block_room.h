// Room for the steps of a block that go through the layers of a network together.
#pragma once

#include <cstddef>

#include "lib/network/memory.h"
#include "lib/network/weights.h"

namespace rnn {

struct BlockRoom {
  BlockRoom() = default;
  // For no more steps than are worth going together. Throws std::bad_alloc.
  BlockRoom(const Weights& weights, std::size_t most_steps);

  std::size_t steps = 0;
  std::size_t gates_width = 0;   // padded G*H, or padded H of each gate
  std::size_t width = 0;         // padded P, or of the embedding E
  std::size_t window_width = 0;  // padded K*X of a convolution
  float* gates = nullptr;        // [steps, gates_width]
  float* x = nullptr;            // [steps, width]  what a layer after the first reads, or an embedding gives
  float* o = nullptr;            // [steps, width]  and what it writes; may be the same
  float* windows = nullptr;      // [steps, window_width]
  Buffer<float> numbers;         // all of them
};

}  // namespace rnn

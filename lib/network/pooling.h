// One row of a segment from those of its steps: the last one, their mean or their maximum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/layer.h"

namespace rnn {

// Take in what `layer`, the pooled one, gives at step t of a segment of `length` steps, the steps in order: o to pooled,
// [D*P]. steps [D*P]: where the maximum was; null: not wanted.
void pool_step(std::int32_t pooling, const Layer& layer, std::size_t t, std::size_t length, const float* o,
               float* pooled, std::uint32_t* steps) noexcept;

// After the last step.
void finish_pooling(std::int32_t pooling, const Layer& layer, std::size_t length, float* pooled) noexcept;

}  // namespace rnn

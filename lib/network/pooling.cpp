#include "lib/network/pooling.h"

#include <algorithm>

#include "lib/kernels/subnormals.h"
#include "rnn/rnn.h"

namespace rnn {
namespace {

using kernels::Real;

// A reverse direction's last step is the first.
void pool_last(const Layer& layer, std::size_t t, std::size_t length, const float* o,
               float* pooled) noexcept {
  const std::size_t P = layer.projected;
  if (t == (layer.reverse ? 0 : length - 1)) std::copy_n(o, P, pooled);
  if (t == 0) std::copy_n(o + P, layer.outputs() - P, pooled + P);
}

void pool_mean(std::size_t width, const float* o, float* pooled) noexcept {
  for (std::size_t j = 0; j < width; ++j) pooled[j] = static_cast<float>(Real(pooled[j]) + Real(o[j]));
}

void pool_max(std::size_t width, std::size_t t, const float* o, float* pooled,
              std::uint32_t* steps) noexcept {
  for (std::size_t j = 0; steps != nullptr && j < width; ++j)
    if (Real(o[j]) > Real(pooled[j])) steps[j] = static_cast<std::uint32_t>(t);
  for (std::size_t j = 0; j < width; ++j) pooled[j] = Real(o[j]) > Real(pooled[j]) ? o[j] : pooled[j];
}

}  // namespace

void pool_step(std::int32_t pooling, const Layer& layer, std::size_t t, std::size_t length, const float* o,
               float* pooled, std::uint32_t* steps) noexcept {
  const std::size_t width = layer.outputs();
  if (pooling == RNN_POOLING_LAST) return pool_last(layer, t, length, o, pooled);
  if (t == 0) {
    std::copy_n(o, width, pooled);
    if (steps != nullptr) std::fill_n(steps, width, 0u);
  } else if (pooling == RNN_POOLING_MEAN) {
    pool_mean(width, o, pooled);
  } else {
    pool_max(width, t, o, pooled, steps);
  }
}

void finish_pooling(std::int32_t pooling, const Layer& layer, std::size_t length, float* pooled) noexcept {
  if (pooling != RNN_POOLING_MEAN) return;
  const Real count(static_cast<float>(length));
  for (std::size_t j = 0; j < layer.outputs(); ++j) pooled[j] = static_cast<float>(Real(pooled[j]) / count);
}

}  // namespace rnn

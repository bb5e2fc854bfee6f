#include "lib/training/loss.h"

#include <cmath>

#include "lib/training/exact.h"
#include "rnn/rnn.h"

namespace rnn {
namespace {

// -log p[class] = log(sum of exp(y - max)) + max - y[class]
void cross_entropy(const kernels::Table& table, const LossRows& r, const float* scale) noexcept {
  table.softmax_cross_entropy(r.rows, r.outputs, r.y, r.stride, r.classes, scale, r.scratch);
  for (std::size_t m = 0; m < r.rows; ++m) {
    const kernels::SoftmaxRow& row = r.scratch[m];
    const double weight = r.weights[m];
    // A validation loss may decide when training stops, so it is the same on every machine; a training loss
    // is only shown, and libm is faster.
    const double sum = row.sum;
    const double loss = (scale != nullptr ? std::log(sum) : exact_log(sum)) + static_cast<double>(row.gap);
    r.losses[m] = {weight * loss, row.gap == 0.0f ? weight : 0.0};
  }
}

using SumLoss = void (*)(std::size_t M, std::size_t N, float* y, std::size_t ldy, const float* targets,
                         std::size_t ldt, const float* scale, float* loss);

// The mean over outputs of a loss that the kernel sums.
void mean_loss(SumLoss kernel, const LossRows& r, const float* scale) noexcept {
  for (std::size_t m = 0; m < r.rows; ++m) {
    float sum = 0.0f;
    kernel(1, r.outputs, r.y + m * r.stride, r.stride, r.targets[m], r.outputs,
           scale != nullptr ? scale + m : nullptr, &sum);
    r.losses[m] = {
        static_cast<double>(r.weights[m]) * static_cast<double>(sum) / static_cast<double>(r.outputs), 0.0};
  }
}

}  // namespace

void row_losses(const kernels::Table& table, std::int32_t loss, const LossRows& r) noexcept {
  const float* scale = nullptr;
  if (r.total != 0.0) {
    const double terms = loss == RNN_LOSS_CROSS_ENTROPY ? 1.0 : static_cast<double>(r.outputs);
    for (std::size_t m = 0; m < r.rows; ++m)
      r.scale[m] = static_cast<float>(static_cast<double>(r.weights[m]) / (r.total * terms));
    scale = r.scale;
  }
  switch (loss) {
    case RNN_LOSS_CROSS_ENTROPY:
      return cross_entropy(table, r, scale);
    case RNN_LOSS_SQUARED_ERROR:
      return mean_loss(table.squared_error, r, scale);
    default:
      return mean_loss(table.binary_cross_entropy, r, scale);
  }
}

}  // namespace rnn

#include "lib/training/loss.h"

#include <algorithm>
#include <cmath>

#include "lib/training/exact.h"
#include "rnn/rnn.h"

namespace rnn {
namespace {

// A validation loss may decide when training stops, so it is the same on every machine; a training loss is
// only shown, and libm is faster.
double logarithm(double x, const float* scale) noexcept {
  return scale != nullptr ? std::log(x) : exact_log(x);
}

// -log p[class] = log(sum of exp(y - max)) + max - y[class]
void cross_entropy(const kernels::Table& table, const LossRows& r, const float* scale) noexcept {
  table.softmax_cross_entropy(r.rows, r.outputs, r.y, r.stride, r.classes, scale, r.scratch);
  for (std::size_t m = 0; m < r.rows; ++m) {
    const kernels::SoftmaxRow& row = r.scratch[m];
    const double weight = kernels::widened(r.weights[m]) * class_weight(r.labels, r.classes[m]);
    const double loss = logarithm(row.sum, scale) + static_cast<double>(row.gap);
    r.losses[m] = {weight * loss, row.gap == 0.0f ? weight : 0.0};
  }
}

// The sum of -labels log p.
void smoothed_cross_entropy(const kernels::Table& table, const LossRows& r, const float* scale) noexcept {
  const Labels& labels = *r.labels;
  for (std::size_t m = 0; m < r.rows; ++m) r.certain[m] = kernels::narrowed(labels.certain(r.classes[m]));
  table.smoothed_cross_entropy(r.rows, r.outputs, r.y, r.stride, r.classes, r.certain, labels.prior(),
                               kernels::narrowed(labels.mass()), scale, r.scratch, r.rest);
  for (std::size_t m = 0; m < r.rows; ++m) {
    const kernels::SoftmaxRow& row = r.scratch[m];
    const double weight = kernels::widened(r.weights[m]), log_sum = logarithm(row.sum, scale);
    const double loss = labels.certain(r.classes[m]) * (log_sum + static_cast<double>(row.gap)) +
                        (labels.mass() * log_sum + static_cast<double>(r.rest[m]));
    r.losses[m] = {weight * loss, row.gap == 0.0f ? weight * labels.weight(r.classes[m]) : 0.0};
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
    r.losses[m] = {kernels::widened(r.weights[m]) * static_cast<double>(sum) / static_cast<double>(r.outputs),
                   0.0};
  }
}

}  // namespace

Labels::Labels(const Allocator& allocator, std::size_t outputs, const rnn_train_options_t& options)
    : smoothing_(options.label_smoothing) {
  if (options.class_weights != nullptr) {
    weights_ = Buffer<float>(allocator, outputs);
    std::copy_n(options.class_weights, outputs, weights_.data());
  }
  if (smoothing_ == 0.0) return;
  prior_ = Buffer<float>(allocator, outputs);
  for (std::size_t k = 0; k < outputs; ++k) {
    prior_[k] =
        static_cast<float>(smoothing_ / static_cast<double>(outputs) * weight(static_cast<std::int32_t>(k)));
    mass_ += static_cast<double>(prior_[k]);
  }
}

void row_losses(const kernels::Table& table, std::int32_t loss, const LossRows& r) noexcept {
  const bool classes = loss == RNN_LOSS_CROSS_ENTROPY;
  const bool smoothed = classes && r.labels != nullptr && r.labels->smoothed();
  const float* scale = nullptr;
  if (r.total != 0.0) {
    const double terms = classes ? 1.0 : static_cast<double>(r.outputs);
    for (std::size_t m = 0; m < r.rows; ++m) {
      const double weight = classes && !smoothed ? class_weight(r.labels, r.classes[m]) : 1.0;
      r.scale[m] = kernels::narrowed(kernels::widened(r.weights[m]) * weight / (r.total * terms));
    }
    scale = r.scale;
  }
  switch (loss) {
    case RNN_LOSS_CROSS_ENTROPY:
      return smoothed ? smoothed_cross_entropy(table, r, scale) : cross_entropy(table, r, scale);
    case RNN_LOSS_SQUARED_ERROR:
      return mean_loss(table.squared_error, r, scale);
    default:
      return mean_loss(table.binary_cross_entropy, r, scale);
  }
}

}  // namespace rnn

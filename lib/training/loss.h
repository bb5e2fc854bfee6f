// The losses of rnn.h over rows of outputs, with their gradients.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/kernels/subnormals.h"
#include "lib/kernels/table.h"
#include "lib/network/memory.h"
#include "rnn/rnn.h"

namespace rnn {

// label_smoothing and class_weights of cross-entropy: the labels of a target of class k are
//   (1 - label_smoothing) class_weights[k] onehot(k) + prior,  prior = label_smoothing / O class_weights
class Labels {
 public:
  // options: checked. Copies class_weights.
  Labels(const Allocator& allocator, std::size_t outputs, const rnn_train_options_t& options);

  bool smoothed() const noexcept { return prior_.size() != 0; }
  bool weighted() const noexcept { return weights_.size() != 0; }
  const float* weights() const noexcept { return weighted() ? weights_.data() : nullptr; }
  double weight(std::int32_t k) const noexcept {
    return weighted() ? kernels::widened(weights_[static_cast<std::size_t>(k)]) : 1.0;
  }
  double certain(std::int32_t k) const noexcept { return (1.0 - smoothing_) * weight(k); }
  const float* prior() const noexcept { return prior_.data(); }
  double mass() const noexcept { return mass_; }  // the sum of prior

 private:
  double smoothing_ = 0.0;
  double mass_ = 0.0;
  Buffer<float> weights_;  // [O]
  Buffer<float> prior_;    // [O]
};

inline double class_weight(const Labels* labels, std::int32_t k) noexcept {
  return labels != nullptr ? labels->weight(k) : 1.0;
}

// What a loss found in one row, times the row's weight.
struct RowLoss {
  double loss;
  double correct;  // cross-entropy: the weight where the class has the largest output, else 0
};

// M rows of outputs y[M, O] and what they should be.
struct LossRows {
  std::size_t rows;     // M
  std::size_t outputs;  // O
  float* y;             // in: outputs (logits); out, unless total is 0: the loss's gradient
  std::size_t stride;
  const std::int32_t* classes;   // [M]  cross-entropy
  const Labels* labels;          //      cross-entropy; null: plain
  const float* const* targets;   // [M] rows of O  the others
  const float* weights;          // [M]  before those of the classes
  double total;                  // the sum of weights over which the loss is the mean; 0: no gradient
  float* scale;                  // [M]  scratch
  kernels::SoftmaxRow* scratch;  // [M]
  float* certain;                // [M]  scratch of smoothed labels
  float* rest;                   // [M]  scratch of smoothed labels
  RowLoss* losses;               // [M]  written
};

// loss: RNN_LOSS_...
void row_losses(const kernels::Table& table, std::int32_t loss, const LossRows& rows) noexcept;

}  // namespace rnn

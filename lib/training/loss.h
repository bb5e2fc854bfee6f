// The losses of rnn.h over rows of outputs, with their gradients.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/kernels/table.h"

namespace rnn {

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
  const float* const* targets;   // [M] rows of O  the others
  const float* weights;          // [M]
  double total;                  // the sum of weights over which the loss is the mean; 0: no gradient
  float* scale;                  // [M]  scratch
  kernels::SoftmaxRow* scratch;  // [M]
  RowLoss* losses;               // [M]  written
};

// loss: RNN_LOSS_...
void row_losses(const kernels::Table& table, std::int32_t loss, const LossRows& rows) noexcept;

}  // namespace rnn

#include "lib/cells/gru.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::CellBackward;
using kernels::CellForward;
using kernels::Table;

void forward(const Table& table, const LayerWeights&, CellForward& kernel) { table.gru_forward(kernel); }

void backward(const Table& table, const BackwardWeights&, CellBackward& kernel) {
  table.gru_backward(kernel);
}

// The candidate's product is with r * h, which needs the other gates.
void before_forward(const Table& table, const LayerWeights& weights, CellForward& kernel) {
  table.gru_before_forward(kernel);
  kernel.w = weights.candidate;
  kernel.x = {kernel.inner.base, kernel.inner.stride, kernel.inner.pointers};
  table.gru_before_forward_state(kernel);
}

// The gradient of r * h is a product with that of the candidate, the last block of the gates; backwards their
// rows are evenly spaced.
void before_backward(const Table& table, const BackwardWeights& weights, CellBackward& kernel) {
  table.gru_before_backward_state(kernel);
  kernel.w = weights.candidate;
  kernel.x = {kernel.gates.base + 2 * kernel.H, kernel.gates.stride, nullptr};
  kernel.M_product = kernel.M;
  table.gru_before_backward(kernel);
}

}  // namespace

const Cell gru = {RNN_CELL_GRU,
                  0,
                  "gru",
                  /*gates=*/3,
                  /*states=*/1,
                  /*candidate=*/false,
                  /*inner=*/true,
                  /*own_sum=*/true,
                  /*recurrent_bias=*/true,
                  Carry::h,
                  &forward,
                  &backward,
                  &kernels::Table::gru_step};

const Cell gru_reset_before = {RNN_CELL_GRU,
                               RNN_RESET_BEFORE,
                               "gru_reset_before",
                               /*gates=*/3,
                               /*states=*/1,
                               /*candidate=*/true,
                               /*inner=*/true,
                               /*own_sum=*/false,
                               /*recurrent_bias=*/false,
                               Carry::h,
                               &before_forward,
                               &before_backward,
                               nullptr};

}  // namespace rnn::cells

#include "lib/cells/vanilla.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

// h = tanh(gates + W_hh h_prev). Backward needs h alone: the gates buffer keeps nothing.
void forward(const kernels::Table& table, const LayerWeights& weights, const ForwardStep& step) {
  const kernels::Rows pre{step.gates.base, step.gates.stride, step.gates.pointers};
  table.vanilla_forward(weights.recurrent, step.rows, step.previous[0], pre, step.width, step.next[0]);
}

// d_gates = (d_h + W_hh^T d_gates_next) (1 - h^2)
void backward(const kernels::Table& table, const BackwardStep& step) {
  table.vanilla_backward(step.recurrent_t, step.rows, step.rows_next, step.d_gates_next, step.d_h, step.next[0],
                         step.width, step.gates);
}

}  // namespace

const Cell vanilla = {RNN_CELL_VANILLA, "vanilla", 1, 1, &forward, &backward};

}  // namespace rnn::cells

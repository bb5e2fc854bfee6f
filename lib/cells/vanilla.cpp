#include "lib/cells/vanilla.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

void tanh_forward(const kernels::Table& table, const LayerWeights&, kernels::CellForward& kernel) {
  table.vanilla_forward(kernel);
}

void tanh_backward(const kernels::Table& table, const BackwardWeights&, kernels::CellBackward& kernel) {
  table.vanilla_backward(kernel);
}

void relu_forward(const kernels::Table& table, const LayerWeights&, kernels::CellForward& kernel) {
  table.relu_forward(kernel);
}

void relu_backward(const kernels::Table& table, const BackwardWeights&, kernels::CellBackward& kernel) {
  table.relu_backward(kernel);
}

}  // namespace

const Cell vanilla = {RNN_CELL_VANILLA,
                      0,
                      "vanilla",
                      /*gates=*/1,
                      /*states=*/1,
                      /*candidate=*/false,
                      /*inner=*/false,
                      /*own_sum=*/false,
                      /*recurrent_bias=*/false,
                      Carry::none,
                      &tanh_forward,
                      &tanh_backward,
                      &kernels::Table::vanilla_step};

const Cell relu = {RNN_CELL_VANILLA,
                   RNN_RELU,
                   "relu",
                   /*gates=*/1,
                   /*states=*/1,
                   /*candidate=*/false,
                   /*inner=*/false,
                   /*own_sum=*/false,
                   /*recurrent_bias=*/false,
                   Carry::none,
                   &relu_forward,
                   &relu_backward,
                   &kernels::Table::relu_step};

}  // namespace rnn::cells

#include "lib/cells/lstm.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

void forward(const kernels::Table& table, const LayerWeights&, kernels::CellForward& kernel) {
  table.lstm_forward(kernel);
}

void backward(const kernels::Table& table, const BackwardWeights&, kernels::CellBackward& kernel) {
  table.lstm_backward(kernel);
}

}  // namespace

const Cell lstm = {RNN_CELL_LSTM,
                   0,
                   "lstm",
                   /*gates=*/4,
                   /*states=*/2,
                   /*candidate=*/false,
                   /*inner=*/false,
                   /*own_sum=*/false,
                   /*recurrent_bias=*/false,
                   Carry::c,
                   &forward,
                   &backward,
                   &kernels::Table::lstm_step};

}  // namespace rnn::cells

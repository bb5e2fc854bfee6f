#include "lib/cells/lstm.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

// Gates i, f, g, o.
constexpr Cell describe_lstm() {
  Cell cell = joint_cell(RNN_CELL_LSTM, "RNN_CELL_LSTM", "lstm", 4);
  cell.states = 2;
  cell.forget_gate = 1;
  cell.can_project = true;
  cell.stages[0].forward = &Table::lstm_forward;
  cell.stages[0].backward = &Table::lstm_backward;
  cell.step = &Table::lstm_step;
  return cell;
}

}  // namespace

constexpr Cell lstm = describe_lstm();

}  // namespace rnn::cells

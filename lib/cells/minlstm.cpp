#include "lib/cells/minlstm.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

// Gates f, i, c, none of which reads h.
constexpr Cell describe_minlstm() {
  Cell cell = joint_cell(RNN_CELL_MIN_LSTM, "RNN_CELL_MIN_LSTM", "minlstm", 3);
  cell.carries_h = true;  // f / (f + i) * h
  cell.forget_gate = 0;
  cell.stages[0].gates = 0;
  cell.stages[0].forward = &Table::minlstm_forward;
  cell.stages[0].backward = &Table::minlstm_backward;
  cell.step = &Table::minlstm_step;
  return cell;
}

}  // namespace

constexpr Cell minlstm = describe_minlstm();

}  // namespace rnn::cells

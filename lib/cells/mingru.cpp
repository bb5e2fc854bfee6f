#include "lib/cells/mingru.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

// Gates z and c, neither of which reads h.
constexpr Cell describe_mingru() {
  Cell cell = joint_cell(RNN_CELL_MIN_GRU, "RNN_CELL_MIN_GRU", "mingru", 2);
  cell.carries_h = true;  // (1 - z) * h
  cell.stages[0].gates = 0;
  cell.stages[0].forward = &Table::mingru_forward;
  cell.stages[0].backward = &Table::mingru_backward;
  cell.step = &Table::mingru_step;
  return cell;
}

}  // namespace

constexpr Cell mingru = describe_mingru();

}  // namespace rnn::cells

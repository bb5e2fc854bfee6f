#include "lib/cells/gru.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

// Gates r, z, n. Kept is W_hn h + b_hn, and then its gradient, of which b_hn's is the sum.
constexpr Cell describe_gru() {
  Cell cell = joint_cell(RNN_CELL_GRU, "RNN_CELL_GRU", "gru", 3);
  cell.carries_h = true;  // z * h
  cell.kept = 1;
  cell.stages[0].ends_in_kept = true;
  cell.stages[0].forward = &Table::gru_forward;
  cell.stages[0].backward = &Table::gru_backward;
  cell.step = &Table::gru_step;

  Vector& b_hn = cell.vectors[cell.vector_count++];
  b_hn.name = "bias_hn";
  b_hn.first_gate = 2;
  b_hn.gates = 1;
  b_hn.gradient = Vector::Sum::kept;
  b_hn.of_recurrent = true;
  return cell;
}

// n's product is with r * h, which is kept.
constexpr Cell describe_gru_reset_before() {
  Cell cell = joint_cell(RNN_CELL_GRU, "RNN_CELL_GRU", "gru_reset_before", 3);
  cell.variant = RNN_FLAG_RESET_BEFORE;
  cell.carries_h = true;  // z * h, and the way through r * h
  cell.kept = 1;
  cell.stage_count = 2;
  cell.stages[0].gates = 2;
  cell.stages[0].forward = &Table::gru_before_forward;
  cell.stages[0].backward = &Table::gru_before_backward_state;
  cell.stages[1].gates = 1;
  cell.stages[1].forward = &Table::gru_before_forward_state;
  cell.stages[1].backward = &Table::gru_before_backward;
  return cell;
}

constexpr Cell describe_gru_custom() {
  Cell cell = custom_cell(describe_gru());
  cell.stages[0].forward = &Table::gru_custom_forward;
  cell.stages[0].backward = &Table::gru_custom_backward;
  return cell;
}

constexpr Cell describe_gru_reset_before_custom() {
  Cell cell = custom_cell(describe_gru_reset_before());
  cell.stages[0].forward = &Table::gru_before_custom_forward;
  cell.stages[0].backward = &Table::gru_before_custom_backward_state;
  cell.stages[1].forward = &Table::gru_before_custom_forward_state;
  cell.stages[1].backward = &Table::gru_before_custom_backward;
  return cell;
}

constexpr Cell gru_custom = describe_gru_custom();
constexpr Cell gru_reset_before_custom = describe_gru_reset_before_custom();

}  // namespace

constexpr Cell gru = with_custom(describe_gru(), gru_custom);
constexpr Cell gru_reset_before = with_custom(describe_gru_reset_before(), gru_reset_before_custom);

}  // namespace rnn::cells

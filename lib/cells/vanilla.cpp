#include "lib/cells/vanilla.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

constexpr Cell describe_vanilla() {
  Cell cell = joint_cell(RNN_CELL_VANILLA, "RNN_CELL_VANILLA", "vanilla", 1);
  cell.stages[0].forward = &Table::vanilla_forward;
  cell.stages[0].backward = &Table::vanilla_backward;
  cell.step = &Table::vanilla_step;
  return cell;
}

constexpr Cell describe_relu() {
  Cell cell = joint_cell(RNN_CELL_VANILLA, "RNN_CELL_VANILLA", "relu", 1);
  cell.variant = RNN_FLAG_RELU;
  cell.activation = kernels::ActivationKind::relu;
  cell.stages[0].forward = &Table::relu_forward;
  cell.stages[0].backward = &Table::relu_backward;
  cell.step = &Table::relu_step;
  return cell;
}

constexpr Cell describe_custom(Cell cell) {
  cell = custom_cell(cell);
  cell.stages[0].forward = &Table::vanilla_custom_forward;
  cell.stages[0].backward = &Table::vanilla_custom_backward;
  return cell;
}

constexpr Cell vanilla_custom = describe_custom(describe_vanilla());
constexpr Cell relu_custom = describe_custom(describe_relu());

}  // namespace

constexpr Cell vanilla = with_custom(describe_vanilla(), vanilla_custom);
constexpr Cell relu = with_custom(describe_relu(), relu_custom);

}  // namespace rnn::cells

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
  cell.stages[0].forward = &Table::relu_forward;
  cell.stages[0].backward = &Table::relu_backward;
  cell.step = &Table::relu_step;
  return cell;
}

}  // namespace

constexpr Cell vanilla = describe_vanilla();
constexpr Cell relu = describe_relu();

}  // namespace rnn::cells

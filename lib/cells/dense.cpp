#include "lib/cells/dense.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

// A convolution is the same over a window of its inputs.
constexpr Cell describe(std::int32_t id, const char* constant, const char* name) {
  Cell cell = joint_cell(id, constant, name, 1);
  cell.input = "weight";
  cell.keeps_h = false;
  cell.stages[0].gates = 0;
  cell.stages[0].forward = &Table::dense_forward;
  cell.stages[0].backward = &Table::dense_backward;
  cell.vectors[0].name = "bias";
  return cell;
}

// Kept is what the slopes' gradient is the sum of.
constexpr Cell with_slopes(Cell cell) {
  cell.kept = 1;
  Vector& slope = cell.vectors[cell.vector_count++];
  slope.name = "slope";
  slope.gates = 1;
  slope.start = Vector::Start::slopes;
  slope.gradient = Vector::Sum::kept;
  return cell;
}

}  // namespace

constexpr Cell dense = describe(RNN_LAYER_DENSE, "RNN_LAYER_DENSE", "dense");
constexpr Cell dense_prelu = with_slopes(dense);
constexpr Cell conv1d = describe(RNN_LAYER_CONV1D, "RNN_LAYER_CONV1D", "conv1d");
constexpr Cell conv1d_prelu = with_slopes(conv1d);

}  // namespace rnn::cells

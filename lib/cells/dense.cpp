#include "lib/cells/dense.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

constexpr Cell describe_dense() {
  Cell cell = joint_cell(RNN_LAYER_DENSE, "RNN_LAYER_DENSE", "dense", 1);
  cell.input = "weight";
  cell.keeps_h = false;
  cell.stages[0].gates = 0;
  cell.stages[0].forward = &Table::dense_forward;
  cell.stages[0].backward = &Table::dense_backward;
  cell.vectors[0].name = "bias";
  return cell;
}

// Kept is what the slopes' gradient is the sum of.
constexpr Cell describe_dense_prelu() {
  Cell cell = describe_dense();
  cell.kept = 1;
  Vector& slope = cell.vectors[cell.vector_count++];
  slope.name = "slope";
  slope.gates = 1;
  slope.start = Vector::Start::slopes;
  slope.gradient = Vector::Sum::kept;
  return cell;
}

}  // namespace

constexpr Cell dense = describe_dense();
constexpr Cell dense_prelu = describe_dense_prelu();

}  // namespace rnn::cells

// What every cell can have around its kernels: layer normalisation of W_hh h, and a projection of h.
#include <cstring>

#include "lib/cells/cell.h"

namespace rnn::cells {
namespace {

using kernels::CellBackward;
using kernels::CellForward;
using kernels::MutableRows;
using kernels::Rows;
using kernels::Table;

constexpr Rows kZeros{nullptr, 0, nullptr};

Rows as_input(const MutableRows& rows) { return {rows.base, rows.stride, rows.pointers}; }

bool is_zero(const Rows& rows) { return rows.base == nullptr && rows.pointers == nullptr; }

template <class AnyRows>
auto* row(const AnyRows& rows, std::size_t m) {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}

// The gradient of the projected h: from outside, and from the next step where there is one.
void gather_projected(const Table& table, const BackwardWeights& weights, const BackwardStep& step) {
  const std::size_t columns = weights.recurrent.rows;
  table.gemm(weights.recurrent, step.rows_next, step.d_product_next, step.d_h, columns, step.d_projected);
  for (std::size_t m = step.rows_next; m < step.rows; ++m) {
    float* const target = row(step.d_projected, m);
    if (is_zero(step.d_h))
      std::memset(target, 0, columns * sizeof(float));
    else
      std::memcpy(target, row(step.d_h, m), columns * sizeof(float));
  }
}

// d_sum = the gradients of all gates but the last, and that of inner.
void gather_sum(const Cell& cell, const BackwardStep& step) {
  const std::size_t others = (cell.gates - 1) * step.hidden;
  for (std::size_t m = 0; m < step.rows; ++m) {
    float* const target = row(step.d_sum, m);
    std::memcpy(target, row(step.gates, m), others * sizeof(float));
    std::memcpy(target + others, row(step.inner, m), step.hidden * sizeof(float));
  }
}

}  // namespace

void forward(const Cell& cell, const Table& table, const LayerWeights& weights, const ForwardStep& step) {
  const bool projected = weights.projection.data != nullptr;
  CellForward kernel{};
  kernel.w = weights.recurrent;
  kernel.M = step.rows;
  kernel.H = step.hidden;
  kernel.x = step.previous[0];
  kernel.gates = step.gates;
  kernel.index = step.index;
  kernel.input = weights.input;
  kernel.input_bias = weights.bias;
  kernel.h_prev = step.previous[0];
  kernel.c_prev = step.previous[1];
  kernel.bias = weights.recurrent_bias;
  kernel.inner = step.inner;
  kernel.h = projected ? step.unprojected : step.next[0];
  kernel.c = step.next[1];

  if (weights.norm_recurrent != nullptr) {
    const std::size_t columns = weights.recurrent.rows;
    table.gemm(weights.recurrent, step.rows, step.previous[0], kZeros, columns, step.product);
    table.layer_norm(step.rows, columns, as_input(step.product), weights.norm_recurrent, nullptr,
                     step.normalized, step.deviation, step.product);
    kernel.w.data = nullptr;
    kernel.x = as_input(step.product);
  }
  cell.forward(table, weights, kernel);
  if (projected)
    table.gemm(weights.projection, step.rows, as_input(step.unprojected), kZeros, weights.projection.rows,
               step.next[0]);
}

void backward(const Cell& cell, const Table& table, const BackwardWeights& weights,
              const BackwardStep& step) {
  CellBackward kernel{};
  kernel.w = weights.recurrent;
  kernel.M = step.rows;
  kernel.M_product = step.rows_next;
  kernel.H = step.hidden;
  kernel.x = step.d_product_next;
  kernel.d_h = step.d_h;
  kernel.gates = step.gates;
  kernel.h_prev = step.previous[0];
  kernel.h = step.next[0];
  kernel.c_prev = step.previous[1];
  kernel.c = step.next[1];
  kernel.inner = step.inner;
  kernel.carry = step.carry;
  if (weights.projection.data != nullptr) {
    gather_projected(table, weights, step);
    kernel.w = weights.projection;
    kernel.M_product = step.rows;
    kernel.x = as_input(step.d_projected);
    kernel.d_h = kZeros;
  }
  cell.backward(table, weights, kernel);
  if (weights.norm_recurrent == nullptr) return;
  if (cell.own_sum) gather_sum(cell, step);
  table.layer_norm_backward(step.rows, cell.gates * step.hidden, as_input(step.d_sum), weights.norm_recurrent,
                            step.normalized, step.deviation, step.d_product);
}

}  // namespace rnn::cells

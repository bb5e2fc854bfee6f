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
  const kernels::Panels& product = weights.products[0];
  const std::size_t columns = product.rows;
  table.gemm(product, step.rows_next, step.d_product_next, step.d_h, columns, step.d_projected);
  for (std::size_t m = step.rows_next; m < step.rows; ++m) {
    float* const target = row(step.d_projected, m);
    if (is_zero(step.d_h))
      std::memset(target, 0, columns * sizeof(float));
    else
      std::memcpy(target, row(step.d_h, m), columns * sizeof(float));
  }
}

// d_sum = the gradients of all gates but the last, and what is kept of that.
void gather_sum(const Cell& cell, const BackwardStep& step) {
  const std::size_t others = (cell.gates - 1) * step.hidden;
  for (std::size_t m = 0; m < step.rows; ++m) {
    float* const target = row(step.d_sum, m);
    std::memcpy(target, row(step.gates, m), others * sizeof(float));
    std::memcpy(target + others, row(step.kept, m) + (cell.kept - 1) * step.hidden,
                step.hidden * sizeof(float));
  }
}

}  // namespace

CellForward forward_kernel(const LayerWeights& weights, const ForwardStep& step) {
  CellForward kernel;  // not cleared first, which tiny steps would feel: all of it is set
  kernel.w = weights.products[0];
  kernel.M = step.rows;
  kernel.H = step.hidden;
  kernel.x = step.previous[0];
  kernel.gates = step.gates;
  kernel.index = step.index;
  kernel.input = weights.input;
  kernel.h_prev = step.previous[0];
  kernel.c_prev = step.previous[1];
  std::memcpy(kernel.vectors, weights.vectors, sizeof kernel.vectors);
  kernel.kept = step.kept;
  kernel.h = weights.projection.data != nullptr ? step.unprojected : step.next[0];
  kernel.c = step.next[1];
  kernel.activation = weights.activation;
  return kernel;
}

void forward(const Cell& cell, const Table& table, const LayerWeights& weights, const ForwardStep& step) {
  CellForward kernel = forward_kernel(weights, step);
  if (weights.norm_recurrent != nullptr) {
    const std::size_t columns = kernel.w.rows;
    table.gemm(kernel.w, step.rows, step.previous[0], kZeros, columns, step.product);
    table.layer_norm(step.rows, columns, as_input(step.product), weights.norm_recurrent, nullptr,
                     step.normalized, step.deviation, step.product);
    kernel.w.data = nullptr;
    kernel.x = as_input(step.product);
  }
  (table.*cell.stages[0].forward)(kernel);
  if (cell.stage_count > 1) {
    kernel.w = weights.products[1];
    kernel.x = as_input(step.kept);
    (table.*cell.stages[1].forward)(kernel);
  }
  if (weights.projection.data != nullptr)
    table.gemm(weights.projection, step.rows, as_input(step.unprojected), kZeros, weights.projection.rows,
               step.next[0]);
}

// Backwards the rows of gates are evenly spaced.
void backward(const Cell& cell, const Table& table, const LayerWeights& weights,
              const BackwardWeights& transposed, const BackwardStep& step) {
  CellBackward kernel;  // likewise
  kernel.w = transposed.products[0];
  kernel.M = step.rows;
  kernel.M_product = kernel.w.data != nullptr ? step.rows_next : 0;
  kernel.H = step.hidden;
  kernel.x = step.d_product_next;
  kernel.d_h = step.d_h;
  kernel.gates = step.gates;
  kernel.h_prev = step.previous[0];
  kernel.h = step.next[0];
  kernel.c_prev = step.previous[1];
  kernel.c = step.next[1];
  std::memcpy(kernel.vectors, weights.vectors, sizeof kernel.vectors);
  kernel.kept = step.kept;
  kernel.carry_h = step.carry[0];
  kernel.carry_c = step.carry[1];
  kernel.activation = weights.activation;
  if (transposed.projection.data != nullptr) {
    gather_projected(table, transposed, step);
    kernel.w = transposed.projection;
    kernel.M_product = step.rows;
    kernel.x = as_input(step.d_projected);
    kernel.d_h = kZeros;
  }
  (table.*cell.stages[0].backward)(kernel);
  if (cell.stage_count > 1) {
    kernel.w = transposed.products[1];
    kernel.x = {step.gates.base + cell.stages[0].gates * step.hidden, step.gates.stride, nullptr};
    kernel.M_product = step.rows;
    (table.*cell.stages[1].backward)(kernel);
  }
  if (weights.norm_recurrent == nullptr) return;
  if (cell.kept_leads()) gather_sum(cell, step);
  table.layer_norm_backward(step.rows, cell.gates * step.hidden, as_input(step.d_sum), weights.norm_recurrent,
                            step.normalized, step.deviation, step.d_product);
}

void previous_gradient(const Cell& cell, const Table& table, const BackwardWeights& transposed,
                       std::size_t rows, std::size_t hidden, const Rows& d_product, const Rows& carry,
                       const MutableRows& d_h) {
  const kernels::Panels& w = transposed.products[0];
  if (w.data != nullptr)
    return table.gemm(w, rows, d_product, cell.carries_h ? carry : kZeros, kernels::padded(w.rows), d_h);
  for (std::size_t m = 0; m < rows; ++m) std::memcpy(row(d_h, m), row(carry, m), hidden * sizeof(float));
}

}  // namespace rnn::cells

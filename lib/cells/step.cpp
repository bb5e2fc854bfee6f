// What every cell can have around its kernels: layer normalisation of W_hh h, a projection of h, recurrent
// dropout (Gal & Ghahramani 2016): W_hh (h * mask), of the reset gate before the product W_hn (r * (h * mask)); and
// zoneout (Krueger et al. 2017): a state s' that the cell computes from s becomes z s + (1 - z) s'.
#include <cstring>

#include "lib/cells/cell.h"
#include "lib/kernels/subnormals.h"

namespace rnn::cells {
namespace {

using kernels::CellBackward;
using kernels::CellForward;
using kernels::MutableRows;
using kernels::Real;
using kernels::Rows;
using kernels::Table;

constexpr Rows kZeros{nullptr, 0, nullptr};

Rows as_input(const MutableRows& rows) { return {rows.base, rows.stride, rows.pointers}; }

bool is_zero(const Rows& rows) { return rows.base == nullptr && rows.pointers == nullptr; }

template <class AnyRows>
auto* row(const AnyRows& rows, std::size_t m) {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}

// What few steps need is not inlined below: the steps of small networks would feel it.

// y = a * b + c, rounded twice; y may be a. c may be zero vectors.
void multiply_add(std::size_t M, std::size_t n, const Rows& a, const Rows& b, const Rows& c,
                  const MutableRows& y) {
  for (std::size_t m = 0; m < M; ++m) {
    const float *const p = row(a, m), *const q = row(b, m);
    float* const out = row(y, m);
    if (is_zero(c)) {
      for (std::size_t j = 0; j < n; ++j) out[j] = static_cast<float>(Real(p[j]) * Real(q[j]));
    } else {
      const float* const r = row(c, m);
      for (std::size_t j = 0; j < n; ++j) out[j] = static_cast<float>(Real(p[j]) * Real(q[j]) + Real(r[j]));
    }
  }
}

// Rows first, first + 1, ..., last - 1 of y = x; x may be zero vectors.
void copy_rows(std::size_t first, std::size_t last, std::size_t n, const Rows& x, const MutableRows& y) {
  for (std::size_t m = first; m < last; ++m) {
    if (is_zero(x))
      std::memset(row(y, m), 0, n * sizeof(float));
    else
      std::memcpy(row(y, m), row(x, m), n * sizeof(float));
  }
}

// A state with zoneout, n wide.
struct Zone {
  Zone(const LayerWeights& weights, std::size_t hidden, std::size_t s)
      : state(s), n(s == 0 ? weights.products[0].depth : hidden), rate(weights.zoneout[s]) {}

  std::size_t state, n;
  float rate;
};

template <class Visit>
void for_zones(const LayerWeights& weights, std::size_t hidden, const Visit& visit) {
  for (std::size_t s = 0; s < kMaxStates; ++s)
    if (weights.zoneout[s] != 0.0f) visit(Zone(weights, hidden, s));
}

// What the cell has computed takes the place of the state before, in part.
[[gnu::noinline]] void zone_out(const LayerWeights& weights, const ForwardStep& step) {
  for_zones(weights, step.hidden, [&](const Zone& zone) {
    const std::size_t s = zone.state;
    const Rows mask = step.zoneout != nullptr ? step.zoneout->mask[s] : kZeros;
    const MutableRows& after = step.zoneout != nullptr ? step.zoneout->after[s] : step.next[s];
    for (std::size_t m = 0; m < step.rows; ++m) {
      const float *const before = row(step.previous[s], m), *const computed = row(step.next[s], m);
      float* const out = row(after, m);
      if (is_zero(mask)) {
        const Real kept(zone.rate), part = Real(1.0f) - kept;
        for (std::size_t j = 0; j < zone.n; ++j)
          out[j] = static_cast<float>(kept * Real(before[j]) + part * Real(computed[j]));
      } else {
        const float* const replaced = row(mask, m);
        for (std::size_t j = 0; j < zone.n; ++j) out[j] = replaced[j] != 0.0f ? computed[j] : before[j];
      }
    }
  });
}

// Of d, the gradient of a state after the step, leaves that of what the cell has computed. The rest, of the state
// before, goes to `held`, which may not be d.
void split_gradient(const Zone& zone, const Rows& mask, std::size_t M, const MutableRows& d,
                    const MutableRows& held) {
  for (std::size_t m = 0; m < M; ++m) {
    float *const p = row(d, m), *const rest = row(held, m);
    if (is_zero(mask)) {
      const Real kept(zone.rate), part = Real(1.0f) - kept;
      for (std::size_t j = 0; j < zone.n; ++j) {
        rest[j] = static_cast<float>(kept * Real(p[j]));
        p[j] = static_cast<float>(part * Real(p[j]));
      }
    } else {
      const float* const replaced = row(mask, m);
      for (std::size_t j = 0; j < zone.n; ++j) {
        const float whole = p[j];
        rest[j] = replaced[j] != 0.0f ? 0.0f : whole;
        p[j] = replaced[j] != 0.0f ? whole : 0.0f;
      }
    }
  }
}

// Before the kernels of a backward step, of which d_projected has the gradient of h that carry[0] has no part in.
[[gnu::noinline]] void split_gradients(const LayerWeights& weights, const BackwardStep& step) {
  const BackwardZoneout& zoneout = *step.zoneout;
  for_zones(weights, step.hidden, [&](const Zone& zone) {
    const MutableRows& held = zoneout.held[zone.state];
    const MutableRows& d = zone.state == 0 ? step.d_projected : step.carry[1];
    if (zone.state == 0)
      for (std::size_t m = 0; m < step.rows; ++m) {
        float *const p = row(d, m), *const carried = row(step.carry[0], m);
        for (std::size_t j = 0; j < zone.n; ++j) p[j] = static_cast<float>(Real(p[j]) + Real(carried[j]));
        std::memset(carried, 0, zone.n * sizeof(float));
      }
    split_gradient(zone, zoneout.mask[zone.state], step.rows, d, held);
  });
}

// After the kernels.
[[gnu::noinline]] void carry_held(const LayerWeights& weights, const BackwardStep& step) {
  for_zones(weights, step.hidden, [&](const Zone& zone) {
    for (std::size_t m = 0; m < step.rows; ++m) {
      const float* const held = row(step.zoneout->held[zone.state], m);
      float* const carried = row(step.carry[zone.state], m);
      for (std::size_t j = 0; j < zone.n; ++j) carried[j] += held[j];
    }
  });
}

// The gradient of h: from outside, and from the next step where there is one.
[[gnu::noinline]] void gather_projected(const Table& table, const BackwardWeights& weights,
                                        const BackwardStep& step) {
  const kernels::Panels& product = weights.products[0];
  const std::size_t columns = product.rows;
  const bool drops = !is_zero(step.mask);
  table.gemm(product, step.rows_next, step.d_product_next, drops ? kZeros : step.d_h, columns,
             step.d_projected);
  if (drops)
    multiply_add(step.rows_next, columns, as_input(step.d_projected), step.mask, step.d_h, step.d_projected);
  copy_rows(step.rows_next, step.rows, columns, step.d_h, step.d_projected);
}

// The product for a kernel that does not multiply.
void multiply(const Table& table, CellForward& kernel, const MutableRows& product) {
  table.gemm(kernel.w, kernel.M, kernel.x, kZeros, kernel.w.rows, product);
  kernel.w.data = nullptr;
  kernel.x = as_input(product);
}
void multiply(const Table& table, CellBackward& kernel, const MutableRows& product) {
  table.gemm(kernel.w, kernel.M_product, kernel.x, kernel.d_h, kernel.w.rows, product);
  copy_rows(kernel.M_product, kernel.M, kernel.w.rows, kernel.d_h, product);
  kernel.M_product = 0;
  kernel.d_h = as_input(product);
}

// The second stage reads the masked h, and what it adds to carry is the gradient of that. d_projected is free: the
// first stage has read it.
[[gnu::noinline]] void second_backward(const Cell& cell, const Table& table, CellBackward& kernel,
                                       const BackwardStep& step) {
  const std::size_t bytes = step.hidden * sizeof(float);
  for (std::size_t m = 0; m < step.rows; ++m) {
    std::memcpy(row(step.d_projected, m), row(step.carry[0], m), bytes);
    std::memset(row(step.carry[0], m), 0, bytes);
  }
  kernel.h_prev = step.masked;
  (table.*cell.stages[1].backward)(kernel);
  multiply_add(step.rows, step.hidden, as_input(step.carry[0]), step.mask, as_input(step.d_projected),
               step.carry[0]);
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
  kernel.custom = &weights.custom;
  return kernel;
}

void forward(const Cell& cell, const Table& table, const LayerWeights& weights, const ForwardStep& step) {
  CellForward kernel = forward_kernel(weights, step);
  if (!is_zero(step.mask)) {
    multiply_add(step.rows, weights.products[0].depth, step.previous[0], step.mask, kZeros, step.masked);
    kernel.x = as_input(step.masked);
    if (cell.stage_count > 1) kernel.h_prev = kernel.x;  // of which the first stage keeps a part
  }
  const bool norm = weights.norm_recurrent != nullptr;
  if (norm || !cell.fused) multiply(table, kernel, step.product);
  if (norm)
    table.layer_norm(step.rows, kernel.w.rows, kernel.x, weights.norm_recurrent, nullptr, step.normalized,
                     step.deviation, step.product);
  (table.*cell.stages[0].forward)(kernel);
  if (cell.stage_count > 1) {
    kernel.h_prev = step.previous[0];
    kernel.w = weights.products[1];
    kernel.x = as_input(step.kept);
    if (!cell.fused) multiply(table, kernel, step.product);
    (table.*cell.stages[1].forward)(kernel);
  }
  if (weights.projection.data != nullptr)
    table.gemm(weights.projection, step.rows, as_input(step.unprojected), kZeros, weights.projection.rows,
               step.next[0]);
  if (weights.has_zoneout()) zone_out(weights, step);
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
  kernel.custom = &weights.custom;
  const bool drops = !is_zero(step.mask), projects = transposed.projection.data != nullptr;
  const bool holds_h = step.zoneout != nullptr && weights.zoneout[0] != 0.0f;
  const bool gathers = drops || holds_h;
  if (gathers || projects) gather_projected(table, transposed, step);
  if (step.zoneout != nullptr) split_gradients(weights, step);
  if (gathers && !projects) {
    kernel.M_product = 0;
    kernel.d_h = as_input(step.d_projected);
  }
  if (projects) {
    kernel.w = transposed.projection;
    kernel.M_product = step.rows;
    kernel.x = as_input(step.d_projected);
    kernel.d_h = kZeros;
  }
  if (!cell.fused) multiply(table, kernel, step.product);
  (table.*cell.stages[0].backward)(kernel);
  if (cell.stage_count > 1) {
    kernel.w = transposed.products[1];
    kernel.x = {step.gates.base + cell.stages[0].gates * step.hidden, step.gates.stride, nullptr};
    kernel.M_product = step.rows;
    if (!cell.fused) {
      kernel.d_h = kZeros;
      multiply(table, kernel, step.product);
    }
    if (drops)
      second_backward(cell, table, kernel, step);
    else
      (table.*cell.stages[1].backward)(kernel);
  }
  if (step.zoneout != nullptr) carry_held(weights, step);
  if (weights.norm_recurrent == nullptr) return;
  if (cell.kept_leads()) gather_sum(cell, step);
  table.layer_norm_backward(step.rows, cell.gates * step.hidden, as_input(step.d_sum), weights.norm_recurrent,
                            step.normalized, step.deviation, step.d_product);
}

void previous_gradient(const Table& table, const BackwardWeights& transposed, std::size_t rows,
                       std::size_t hidden, const Rows& d_product, const Rows& carry, const Rows& mask,
                       const MutableRows& d_h) {
  const kernels::Panels& w = transposed.products[0];
  if (w.data != nullptr) {
    table.gemm(w, rows, d_product, is_zero(mask) ? carry : kZeros, kernels::padded(w.rows), d_h);
    if (!is_zero(mask)) multiply_add(rows, w.rows, as_input(d_h), mask, carry, d_h);
    return;
  }
  for (std::size_t m = 0; m < rows; ++m) std::memcpy(row(d_h, m), row(carry, m), hidden * sizeof(float));
}

}  // namespace rnn::cells

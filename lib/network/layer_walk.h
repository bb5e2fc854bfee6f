// The walk through the layers: the same for a step of one stream, a step of many streams, a window of whole
// sequences, and a block of steps in training. A row is one step of one of them, or behind a pooling one sequence.
//
//   gates = W_ih x + b              of all rows at once; of a convolution x is a window of its inputs
//   h, gates = cell(gates, h)       step by step; of a reverse strand the last step first
//   o = [h forward, h backward]     or their sum; + x if the layer is residual: what the next layer reads, and
//                                   the head
//
// Where rows stand, a struct says, the Buffers of a walk; l is a layer, s a strand, first a row:
//
//   step_at_once(s)                 takes the strand's step by one kernel; false: there is none
//   multiplies_inputs(s)            false if steps take columns of W_ih themselves
//   for_rows(visit)                 visit(first, count) for all rows, some that stand one after the other at a time
//   make_windows(l)                 of a convolution: gather what each row reads, which windows(l, first) then is
//   input(l, first)                 x; or, where not null, indices(l, first): one-hot
//   gates(s, first)
//   normalized(s, first)
//   for_steps(s, visit)             visit(cells::ForwardStep) for each step, in the strand's order; where the cell
//                                   keeps no h, for the rows of any number of steps at once
//   end_strand(s)                   after the steps
//   h(s, first), output(l, first)   the same place if copies(layer) is false and the layer is not residual
//   end_layer(l)                    after the output is complete
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/network/weights.h"

namespace rnn {

// What layer normalisation of W_ih x leaves for a backward pass; null: not wanted.
struct Normalized {
  kernels::MutableRows rows;
  float* deviation;
};

inline kernels::Rows as_input(const kernels::MutableRows& rows) noexcept {
  return {rows.base, rows.stride, rows.pointers};
}

inline const float* row_of(const kernels::Rows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}
inline float* row_of(const kernels::MutableRows& rows, std::size_t m) noexcept {
  return rows.pointers != nullptr ? rows.pointers[m] : rows.base + m * rows.stride;
}

// Those with pointers have one strand for each layer, whose column is 0.
template <class AnyRows>
AnyRows from_column(AnyRows rows, std::size_t column) noexcept {
  if (rows.base != nullptr) rows.base += column;
  return rows;
}

// y[m, 0..n) = x[m]
inline void copy_rows(std::size_t M, std::size_t n, const kernels::Rows& x,
                      const kernels::MutableRows& y) noexcept {
  for (std::size_t m = 0; m < M; ++m) std::memcpy(row_of(y, m), row_of(x, m), n * sizeof(float));
}

// gates[m] = W_ih x[m] + b; with layer normalisation the product is normalised before b is added. `indices`,
// where not null, stand for one-hot x.
inline void multiply_inputs(const kernels::Table& table, const Strand& strand, std::size_t M,
                            const kernels::Rows& x, const std::int32_t* indices,
                            const kernels::MutableRows& gates, const Normalized& normalized) noexcept {
  const cells::LayerWeights& w = strand.weights;
  const std::size_t n = strand.layer->gates(), columns = w.input.gates > 1 ? n : kernels::padded(n);
  const bool normalize = w.norm_input != nullptr;
  const kernels::Rows init{normalize ? nullptr : w.bias(), 0, nullptr};
  if (indices != nullptr)
    table.gather(w.input, M, indices, init, columns, gates);
  else
    table.gemm(w.input, M, x, init, columns, gates);
  if (normalize)
    table.layer_norm(M, n, as_input(gates), w.norm_input, w.bias(), normalized.rows, normalized.deviation,
                     gates);
}

// Through layers [begin, end).
template <class Buffers>
inline void walk_layers(const Weights& weights, std::size_t begin, std::size_t end,
                        Buffers& buffers) noexcept {
  const kernels::Table& table = weights.table();
  for (std::size_t l = begin; l < end; ++l) {
    const Layer& layer = weights.layer(l);
    const std::size_t first_strand = layer.first_strand, end_strand = first_strand + layer.directions;
    if (layer.has_window()) buffers.make_windows(l);
    for (std::size_t s = first_strand; s < end_strand; ++s) {
      const Strand& strand = weights.strand(s);
      if (!buffers.step_at_once(s)) {
        if (buffers.multiplies_inputs(s))
          buffers.for_rows([&](std::size_t first, std::size_t count) {
            const bool windows = layer.has_window();
            multiply_inputs(table, strand, count,
                            windows ? buffers.windows(l, first) : buffers.input(l, first),
                            windows ? nullptr : buffers.indices(l, first), buffers.gates(s, first),
                            buffers.normalized(s, first));
          });
        buffers.for_steps(s, [&](const cells::ForwardStep& step) {
          cells::forward(*layer.cell, table, strand.weights, step);
        });
      }
      buffers.end_strand(s);
    }
    if (layer.sums)
      buffers.for_rows([&](std::size_t first, std::size_t count) {
        const kernels::MutableRows o = buffers.output(l, first);
        table.add(count, layer.projected, buffers.h(first_strand, first), buffers.h(first_strand + 1, first),
                  o);
        if (layer.residual) table.add(count, layer.projected, as_input(o), buffers.input(l, first), o);
      });
    else if (layer.residual || buffers.copies(layer))
      buffers.for_rows([&](std::size_t first, std::size_t count) {
        for (std::size_t s = first_strand; s < end_strand; ++s) {
          const std::size_t column = weights.strand(s).column;
          const kernels::Rows h = buffers.h(s, first);
          const kernels::MutableRows o = from_column(buffers.output(l, first), column);
          if (layer.residual)
            table.add(count, layer.projected, h, from_column(buffers.input(l, first), column), o);
          else
            copy_rows(count, layer.projected, h, o);
        }
      });
    buffers.end_layer(l);
  }
}

// What the network reads: x, or, where not null, `indices` for one-hot x.
struct NetworkInputs {
  kernels::Rows x;
  const std::int32_t* indices;
};

// y[m, 0..skip) += x[m]
inline void add_inputs(const Weights& weights, std::size_t M, const NetworkInputs& inputs,
                       const kernels::MutableRows& y) noexcept {
  const std::size_t skip = weights.skip();
  if (skip == 0) return;
  if (inputs.indices == nullptr) return weights.table().add(M, skip, as_input(y), inputs.x, y);
  for (std::size_t m = 0; m < M; ++m) {
    const auto index = static_cast<std::size_t>(inputs.indices[m]);
    if (index < skip) row_of(y, m)[index] += 1.0f;
  }
}

// y[m, 0..n) = W_ho o[m] + b_o, or o[m] without a head. n is O, or padded for padded y.
inline void apply_head(const Weights& weights, std::size_t M, const kernels::Rows& o, std::size_t n,
                       const kernels::MutableRows& y) noexcept {
  if (weights.has_head())
    weights.table().gemm(weights.head(), M, o, {weights.head_bias(), 0, nullptr}, n, y);
  else
    copy_rows(M, weights.output_size(), o, y);
}

}  // namespace rnn

// The backward half of Bptt: what one task does for its group of segments.
#include <algorithm>
#include <utility>

#include "lib/network/layer_walk.h"
#include "lib/training/bptt.h"
#include "lib/training/dropout.h"

namespace rnn {

void Bptt::backward_group(const Group& g) noexcept {
  load_carry(g);
  load_output_gradients(g);
  if (w_.pooling != 0) backward_pooled(g);
  for (std::size_t end = steps(g); end > 0;) {
    const Block block{end > g.block ? end - g.block : 0, end};
    backward_block(g, block);
    end = block.first;
  }
  if (initial_gradients_) compute_initial_gradients(g);
  if (cotangents_.initial_states != nullptr) store_initial_gradients(g);
}

void Bptt::backward_block(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  const std::size_t half = g.rows * d.layer_stride;
  BlockGradients d_o{g.local, 0, {g.scratch, d.layer_stride}, {g.scratch + half, d.layer_stride}};
  for (std::size_t t = block.first; t < block.last; ++t) {
    g.local[t - block.first] = d_o.rows;
    d_o.rows += active(g, t);
  }
  load_top_gradients(g, block, d_o);
  for (std::size_t l = w_.before_pooling; l-- > 0; std::swap(d_o.above, d_o.below))
    backward_layer(g, block, d_o, l);
  if (d.embedding)
    embedding_backward(g, block);
  else if (cotangents_.inputs != nullptr)
    network_inputs_backward(g, block);
}

void Bptt::backward_layer(const Group& g, Block block, const BlockGradients& d_o, std::size_t l) noexcept {
  const Layer& layer = w_.shapes[l];
  // What goes past h is without the gradients of final states.
  if (layer.residual) std::copy_n(d_o.above.data, d_o.rows * d_o.above.stride, d_o.below.data);
  if (layer.sums) divide_sum(layer, d_o);
  for (std::size_t strand = layer.first_strand; strand < layer.first_strand + layer.directions; ++strand) {
    if (cotangents_.final_states != nullptr) add_final_gradients(g, block, d_o, strand);
    sweep_backward(g, block, d_o, strand);
  }
  const bool wanted = l > 0 || w_.dimensions.embedding || cotangents_.inputs != nullptr ||
                      cotangents_.initial_states != nullptr;
  if (layer.has_window() && wanted) windows_backward(g, block, l);
  if (l == 0) return;
  if (layer.has_window())
    gather_windows(g, block, d_o, l);
  else
    layer_inputs_backward(g, block, d_o, l);
  if (!w_.dropout) return;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
    drop(pass_, w_.shapes[l - 1], pass_.dropout, w_.numbers(l - 1, first), rows, d_o.below.read(before),
         d_o.below.rows(before));
  });
}

// Both h have the gradient of their sum.
void Bptt::divide_sum(const Layer& layer, const BlockGradients& d_o) noexcept {
  for (std::size_t i = 0; i < d_o.rows; ++i)
    std::copy_n(d_o.above.at(i), layer.projected, d_o.above.at(i, layer.projected));
}

// ---- Final states ----------------------------------------------------------------------------------

// What is carried back from after the last steps: of c, gradients of final states; those of h come with the
// outputs'.
void Bptt::load_carry(const Group& g) noexcept {
  const Weights& weights = *pass_.weights;
  for (std::size_t s = 0; s < w_.dimensions.strands; ++s) {
    const Layer& layer = *weights.strand(s).layer;
    for (std::size_t state = layer.carries_h() ? 0 : 1; state < layer.cell->states; ++state) {
      for (std::size_t b = g.first; b < g.last; ++b) {
        const float* source = state > 0 ? final_gradient(b, s, weights.strand(s).states[state]) : nullptr;
        float* const target = w_.strands[s].carry[state].at(b);
        if (source != nullptr)
          std::copy_n(source, layer.hidden, target);
        else
          std::fill_n(target, layer.hidden, 0.0f);
      }
    }
  }
}

// Of the state after the segment, from the outside; null if there is none.
const float* Bptt::final_gradient(std::size_t b, std::size_t strand,
                                  const Strand::State& state) const noexcept {
  const Segment& segment = w_.plan.segment(b);
  const bool ends = w_.strands[strand].reverse ? segment.opens_slice : segment.ends_slice;
  if (cotangents_.final_states == nullptr || !ends) return nullptr;
  const Weights& weights = *pass_.weights;
  return cotangents_.final_states + pass_.items[segment.slice].state * weights.state_size() + state.offset;
}

void Bptt::add_final_gradients(const Group& g, Block block, const BlockGradients& d_o,
                               std::size_t strand) noexcept {
  const Strand& shape = pass_.weights->strand(strand);
  if (!shape.layer->cell->keeps_h) return;
  for (std::size_t i = 0; i < g.last - g.first; ++i) {
    const std::size_t t = shape.reverse ? 0 : w_.plan.segment(g.first + i).length - 1;
    if (t < block.first || t >= block.last) continue;
    const float* const source = final_gradient(g.first + i, strand, shape.states[0]);
    float* const target = d_o.above.at(d_o.local[t - block.first] + i, shape.column);
    for (std::size_t j = 0; source != nullptr && j < shape.layer->projected; ++j) target[j] += source[j];
  }
}

// ---- The sweep -------------------------------------------------------------------------------------

void Bptt::sweep_backward(const Group& g, Block block, const BlockGradients& d_o,
                          std::size_t index) noexcept {
  const Strand& strand = pass_.weights->strand(index);
  if (!strand.layer->cell->keeps_h)
    return for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
      rows_backward(first, rows, d_o.above.read(before), index);
    });
  const cells::BackwardWeights transposed = transposed_->strand(index);
  cells::BackwardStep b{};
  b.hidden = strand.layer->hidden;
  for (std::size_t i = 0; i < block.last - block.first; ++i) {
    const std::size_t t = strand.reverse ? block.first + i : block.last - 1 - i;
    const Matrix d_h = {d_o.above.at(d_o.local[t - block.first], strand.column), d_o.above.stride};
    visit_step(g, t, index, [&](const Step& step) { step_backward(g, step, d_h, index, transposed, b); });
  }
  if (!strand.layer->layer_norm) return;
  const StrandRows& s = w_.strands[index];
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    pass_.weights->table().layer_norm_backward(rows, strand.layer->gates(), s.gates.read(first),
                                               strand.weights.norm_input, s.normalized_input.read(first),
                                               s.deviation_input + first, s.d_input_product.rows(first));
  });
}

// Of a cell that keeps no h, whose steps do not depend on each other.
void Bptt::rows_backward(std::size_t first, std::size_t rows, const kernels::Rows& d_h,
                         std::size_t index) noexcept {
  const Strand& strand = pass_.weights->strand(index);
  const StrandRows& s = w_.strands[index];
  cells::BackwardStep b{};
  b.rows = rows;
  b.hidden = strand.layer->hidden;
  b.d_h = d_h;
  b.next[0] = s.states[0].read(w_.plan.segments() + first);
  b.gates = s.gates.rows(first);
  b.kept = s.kept.rows(first);
  cells::backward(*strand.layer->cell, pass_.weights->table(), strand.weights, {}, b);
}

// All segments of a reverse strand's step go on to the step before, but at the first. b: what another step left,
// or empty but for the width.
void Bptt::step_backward(const Group& g, const Step& step, const Matrix& d_h, std::size_t index,
                         const cells::BackwardWeights& transposed, cells::BackwardStep& b) noexcept {
  const Strand& strand = pass_.weights->strand(index);
  const cells::Cell& cell = *strand.layer->cell;
  const StrandRows& s = w_.strands[index];
  const std::size_t first = row(g, step.t) + step.first;
  b.rows = step.count;
  if (!strand.reverse)
    b.rows_next = active(g, step.t + 1);
  else
    b.rows_next = step.t > 0 ? step.count : 0;
  b.d_product_next = {};
  if (b.rows_next > 0)
    b.d_product_next = s.d_product.read(row(g, strand.reverse ? step.t - 1 : step.t + 1) + step.first);
  b.d_h = d_h.read(step.first);
  for (std::size_t p = 0; p < cell.states; ++p) {
    b.previous[p] = s.states[p].read(step.previous);
    b.next[p] = s.states[p].read(w_.plan.segments() + first);
    b.carry[p] = s.carry[p].rows(g.first + step.first);
  }
  b.gates = s.gates.rows(first);
  b.kept = s.kept.rows(first);
  cells::BackwardZoneout zoneout;
  if (!s.plain) {
    b.d_sum = s.d_sum.rows(first);
    b.d_product = s.d_product.rows(first);
    b.d_projected = s.d_projected.rows(first);
    b.product = s.product.rows(first);
    b.normalized = s.normalized.read(first);
    b.deviation = strand.layer->layer_norm ? s.deviation + first : nullptr;
    if (w_.masks(index)) {
      b.mask = s.mask.read(g.first + step.first);
      b.masked = s.masked.read(first);
    }
    if (strand.layer->has_zoneout()) {
      zoneout = {};
      for (std::size_t p = 0; p < cell.states; ++p) {
        if (strand.layer->zoneout[p] == 0.0f) continue;
        b.next[p] = s.computed[p].read(first);
        if (pass_.zoneout) zoneout.mask[p] = s.replaced[p].read(first);
        zoneout.held[p] = s.held[p].rows(g.first + step.first);
      }
      b.zoneout = &zoneout;
    }
  }
  cells::backward(cell, pass_.weights->table(), strand.weights, transposed, b);
}

// ---- Downwards -------------------------------------------------------------------------------------

// d_x = W_ih^T d_gates, + d_o with a residual connection; of two strands first the forward one's.
void Bptt::layer_inputs_backward(const Group& g, Block block, const BlockGradients& d_o,
                                 std::size_t l) noexcept {
  const Layer& layer = w_.shapes[l];
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
    bool begun = layer.residual;
    for (std::size_t strand = layer.first_strand; strand < layer.first_strand + layer.directions;
         ++strand, begun = true)
      pass_.weights->table().gemm(transposed_->input(strand), rows,
                                  w_.strands[strand].d_input_product.read(first),
                                  begun ? d_o.below.read(before) : kernels::Rows{},
                                  kernels::padded(layer.inputs), d_o.below.rows(before));
  });
}

// ---- Convolutions ----------------------------------------------------------------------------------

void Bptt::windows_backward(const Group& g, Block block, std::size_t l) noexcept {
  const Layer& layer = w_.shapes[l];
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    pass_.weights->table().gemm(transposed_->input(layer.first_strand), rows,
                                w_.strands[layer.first_strand].d_input_product.read(first), {},
                                kernels::padded(layer.columns()), w_.layers[l].d_windows.rows(first));
  });
}

// d_x of the inputs at a position of the group's first `count` segments: that of final states, and of each tap
// that read them, the first tap's first.
void Bptt::add_windows(const Group& g, std::size_t l, std::size_t position, std::size_t count,
                       const kernels::MutableRows& d_x) noexcept {
  const Layer& layer = w_.shapes[l];
  const std::size_t X = layer.inputs;
  const Strand& strand = pass_.weights->strand(layer.first_strand);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = w_.plan.segment(g.first + i).length;
    const float* const source = final_gradient(g.first + i, layer.first_strand, strand.past);
    if (source == nullptr || position < length) continue;
    for (std::size_t j = 0; j < X; ++j) row_of(d_x, i)[j] += source[(position - length) * X + j];
  }
  for (std::size_t k = 0; k < layer.taps && position >= k * layer.dilation; ++k) {
    const std::size_t t = position - k * layer.dilation, rows = std::min(count, active(g, t));
    if (rows == 0) continue;
    pass_.weights->table().add(rows, X, as_input(d_x), w_.layers[l].d_windows.read(row(g, t), k * X), d_x);
  }
}

// The gradients of a convolution's inputs; those of later steps' windows are there.
void Bptt::gather_windows(const Group& g, Block block, const BlockGradients& d_o, std::size_t l) noexcept {
  const Layer& layer = w_.shapes[l];
  if (!layer.residual) std::fill_n(d_o.below.data, d_o.rows * d_o.below.stride, 0.0f);
  for (std::size_t t = block.first; t < block.last; ++t)
    add_windows(g, l, t + layer.reach(), active(g, t), d_o.below.rows(d_o.local[t - block.first]));
}

void Bptt::embedding_backward(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  if (w_.shapes[0].has_window()) {
    for (std::size_t t = block.first; t < block.last; ++t) {
      const std::size_t first = row(g, t), rows = active(g, t);
      std::fill_n(w_.d_embedded.at(first), rows * w_.d_embedded.stride, 0.0f);
      add_windows(g, 0, t + w_.shapes[0].reach(), rows, w_.d_embedded.rows(first));
    }
    return;
  }
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    for (std::size_t strand = 0; strand < w_.shapes[0].directions; ++strand)
      pass_.weights->table().gemm(transposed_->input(strand), rows,
                                  w_.strands[strand].d_input_product.read(first),
                                  strand > 0 ? w_.d_embedded.read(first) : kernels::Rows{},
                                  kernels::padded(d.layer_inputs), w_.d_embedded.rows(first));
  });
}

// To where the caller has the frames. What is added to the outputs has their gradients, too.
void Bptt::network_inputs_backward(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    float** const to = &d_input_rows_[first];
    for (std::size_t i = 0; i < rows; ++i)
      to[i] = cotangents_.inputs + w_.plan.frame(t, g.first + i) * d.inputs;
    if (w_.shapes[0].has_window()) {
      for (std::size_t i = 0; i < rows; ++i) std::fill_n(to[i], d.inputs, 0.0f);
      add_windows(g, 0, t + w_.shapes[0].reach(), rows, {nullptr, 0, to});
    }
    for (std::size_t strand = 0; !w_.shapes[0].has_window() && strand < w_.shapes[0].directions; ++strand)
      pass_.weights->table().gemm(
          transposed_->input(strand), rows, w_.strands[strand].d_input_product.read(first),
          strand > 0 ? kernels::Rows{nullptr, 0, to} : kernels::Rows{}, d.inputs, {nullptr, 0, to});
    if (cotangents_.outputs == nullptr || pass_.weights->skip() == 0) continue;
    for (std::size_t i = 0; i < rows; ++i) {
      const float* const d_y = cotangents_.outputs + w_.plan.frame(t, g.first + i) * d.outputs;
      for (std::size_t j = 0; j < pass_.weights->skip(); ++j) to[i][j] += d_y[j];
    }
  }
}

// ---- Initial states --------------------------------------------------------------------------------

// d_h_0 = W_hh^T d_product of the steps that follow on an initial state, + what is carried beside the
// product.
void Bptt::compute_initial_gradients(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t strand = 0; strand < d.strands; ++strand) {
    const StrandRows& s = w_.strands[strand];
    const Layer& layer = *s.layer;
    if (!layer.cell->keeps_h) continue;
    const cells::BackwardWeights transposed = transposed_->strand(strand);
    const auto compute = [&](const Step& step) {
      if (step.previous >= w_.plan.segments()) return;
      cells::previous_gradient(pass_.weights->table(), transposed, step.count, layer.hidden,
                               s.d_product.read(row(g, step.t) + step.first), s.carry[0].read(step.previous),
                               w_.masks(strand) ? s.mask.read(g.first + step.first) : kernels::Rows{},
                               s.d_initial[0].rows(step.previous));
    };
    for (std::size_t t = 0; t < (s.reverse ? steps(g) : 1); ++t) visit_step(g, t, strand, compute);
  }
}

void Bptt::store_initial_gradients(const Group& g) noexcept {
  const Weights& weights = *pass_.weights;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    float* const out = cotangents_.initial_states + pass_.items[segment.slice].state * weights.state_size();
    for (std::size_t s = 0; s < w_.dimensions.strands; ++s) {
      const Strand& strand = weights.strand(s);
      if (!(strand.reverse ? segment.ends_slice : segment.starts_slice)) continue;
      for (std::size_t p = strand.layer->cell->first_kept_state(); p < strand.layer->cell->states; ++p)
        std::copy_n(w_.strands[s].d_initial[p].at(b), strand.states[p].size, out + strand.states[p].offset);
    }
  }
  for (const Layer& layer : w_.shapes)
    if (layer.has_window()) store_past_gradients(g, layer);
}

// Those of segments that a reset begins go nowhere: their past is 0.
void Bptt::store_past_gradients(const Group& g, const Layer& layer) noexcept {
  const Weights& weights = *pass_.weights;
  const Strand& strand = weights.strand(layer.first_strand);
  const std::size_t X = layer.inputs, count = g.last - g.first;
  Matrix& past = w_.layers[layer.index].past;
  std::fill_n(past.at(g.first), count * past.stride, 0.0f);
  for (std::size_t position = 0; position < layer.reach(); ++position)
    add_windows(g, layer.index, position, count, past.rows(g.first, position * X));
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    if (!segment.starts_slice) continue;
    float* const out = cotangents_.initial_states + pass_.items[segment.slice].state * weights.state_size();
    std::copy_n(past.at(b), strand.past.size, out + strand.past.offset);
  }
}

}  // namespace rnn

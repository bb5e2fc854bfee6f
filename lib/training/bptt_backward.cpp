// The backward half of Bptt: what one task does for its group of segments.
#include <algorithm>
#include <utility>

#include "lib/training/bptt.h"

namespace rnn {

void Bptt::backward_group(const Group& g) noexcept {
  load_carry(g);
  load_output_gradients(g);
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
  for (std::size_t l = d.layers; l-- > 0; std::swap(d_o.above, d_o.below)) backward_layer(g, block, d_o, l);
  if (d.embedding)
    project_to_embedding(g, block);
  else if (cotangents_.inputs != nullptr)
    project_to_inputs(g, block);
}

void Bptt::backward_layer(const Group& g, Block block, const BlockGradients& d_o, std::size_t l) noexcept {
  const Dimensions& d = w_.dimensions;
  // What goes past h is without the gradients of final states.
  if (d.residual && l > 0) std::copy_n(d_o.above.data, d_o.rows * d_o.above.stride, d_o.below.data);
  for (std::size_t strand = l * d.directions; strand < (l + 1) * d.directions; ++strand) {
    if (cotangents_.final_states != nullptr) add_final_gradients(g, block, d_o, strand);
    sweep_backward(g, block, d_o, strand);
  }
  if (l == 0) return;
  project_down(g, block, d_o, l);
  if (!w_.dropout) return;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
    drop(l - 1, first, rows, d_o.below.read(before), d_o.below.rows(before));
  });
}

// ---- Final states ----------------------------------------------------------------------------------

// The gradients of c after the last steps; those of h come with the outputs'.
void Bptt::load_carry(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  if (d.cell.carry == cells::Carry::none) return;
  for (std::size_t s = 0; s < d.strands; ++s) {
    for (std::size_t b = g.first; b < g.last; ++b) {
      const float* source = d.cell.carry == cells::Carry::c ? final_gradient(b, 1, s) : nullptr;
      float* const target = w_.strands[s].carry.at(b);
      if (source != nullptr)
        std::copy_n(source, d.hidden, target);
      else
        std::fill_n(target, d.hidden, 0.0f);
    }
  }
}

// Of the state after the segment, from the outside; null if there is none.
const float* Bptt::final_gradient(std::size_t b, std::size_t part, std::size_t strand) const noexcept {
  const Segment& segment = w_.plan.segment(b);
  const bool ends = w_.dimensions.is_reverse(strand) ? segment.opens_slice : segment.ends_slice;
  if (cotangents_.final_states == nullptr || !ends) return nullptr;
  const Weights& weights = *pass_.weights;
  return cotangents_.final_states + pass_.items[segment.slice].state * weights.state_size() +
         weights.state_offset(part, strand);
}

void Bptt::add_final_gradients(const Group& g, Block block, const BlockGradients& d_o,
                               std::size_t strand) noexcept {
  const Dimensions& d = w_.dimensions;
  const std::size_t column = strand % d.directions * d.projected;
  for (std::size_t i = 0; i < g.last - g.first; ++i) {
    const std::size_t t = d.is_reverse(strand) ? 0 : w_.plan.segment(g.first + i).length - 1;
    if (t < block.first || t >= block.last) continue;
    const float* const source = final_gradient(g.first + i, 0, strand);
    float* const target = d_o.above.at(d_o.local[t - block.first] + i, column);
    for (std::size_t j = 0; source != nullptr && j < d.projected; ++j) target[j] += source[j];
  }
}

// ---- The sweep -------------------------------------------------------------------------------------

void Bptt::sweep_backward(const Group& g, Block block, const BlockGradients& d_o,
                          std::size_t strand) noexcept {
  const Dimensions& d = w_.dimensions;
  const cells::BackwardWeights weights = transposed_.strand(*pass_.weights, strand);
  for (std::size_t i = 0; i < block.last - block.first; ++i) {
    const std::size_t t = d.is_reverse(strand) ? block.first + i : block.last - 1 - i;
    const Matrix d_h = {d_o.above.at(d_o.local[t - block.first], strand % d.directions * d.projected),
                        d_o.above.stride};
    visit_step(g, t, strand, [&](const Step& step) { step_backward(g, step, d_h, strand, weights); });
  }
  if (!d.layer_norm) return;
  const StrandRows& s = w_.strands[strand];
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    pass_.weights->table().layer_norm_backward(
        rows, d.gates, s.gates.read(first), pass_.weights->strand(strand).norm_input,
        s.normalized_input.read(first), s.deviation_input + first, s.d_projection.rows(first));
  });
}

// All segments of a reverse strand's step go on to the step before, but at the first.
void Bptt::step_backward(const Group& g, const Step& step, const Matrix& d_h, std::size_t strand,
                         const cells::BackwardWeights& weights) noexcept {
  const Dimensions& d = w_.dimensions;
  const StrandRows& s = w_.strands[strand];
  const bool reverse = d.is_reverse(strand);
  const std::size_t first = row(g, step.t) + step.first;
  cells::BackwardStep b{};
  b.rows = step.count;
  b.hidden = d.hidden;
  if (!reverse)
    b.rows_next = active(g, step.t + 1);
  else
    b.rows_next = step.t > 0 ? step.count : 0;
  if (b.rows_next > 0)
    b.d_product_next = s.d_product.read(row(g, reverse ? step.t - 1 : step.t + 1) + step.first);
  b.d_h = d_h.read(step.first);
  for (std::size_t p = 0; p < d.parts; ++p) {
    b.previous[p] = s.states[p].read(step.previous);
    b.next[p] = s.states[p].read(w_.plan.segments() + first);
  }
  b.gates = s.gates.rows(first);
  b.inner = s.inner.rows(first);
  b.d_sum = s.d_sum.rows(first);
  b.d_product = s.d_product.rows(first);
  b.d_projected = s.d_projected.rows(first);
  b.carry = s.carry.rows(g.first + step.first);
  b.normalized = s.normalized.read(first);
  b.deviation = d.layer_norm ? s.deviation + first : nullptr;
  cells::backward(d.cell, pass_.weights->table(), weights, b);
}

// ---- Downwards -------------------------------------------------------------------------------------

// d_x = W_ih^T d_gates, + d_o with a residual connection; of two strands first the forward one's.
void Bptt::project_down(const Group& g, Block block, const BlockGradients& d_o, std::size_t l) noexcept {
  const Dimensions& d = w_.dimensions;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
    bool begun = d.residual;
    for (std::size_t strand = l * d.directions; strand < (l + 1) * d.directions; ++strand, begun = true)
      pass_.weights->table().gemm(transposed_.input(strand), rows,
                                  w_.strands[strand].d_projection.read(first),
                                  begun ? d_o.below.read(before) : kernels::Rows{},
                                  kernels::padded(d.layer_outputs), d_o.below.rows(before));
  });
}

void Bptt::project_to_embedding(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    for (std::size_t strand = 0; strand < d.directions; ++strand)
      pass_.weights->table().gemm(transposed_.input(strand), rows,
                                  w_.strands[strand].d_projection.read(first),
                                  strand > 0 ? w_.d_embedded.read(first) : kernels::Rows{},
                                  kernels::padded(d.layer_inputs), w_.d_embedded.rows(first));
  });
}

// To where the caller has the frames.
void Bptt::project_to_inputs(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    float** const to = &d_input_rows_[first];
    for (std::size_t i = 0; i < rows; ++i)
      to[i] = cotangents_.inputs + w_.plan.frame(t, g.first + i) * d.inputs;
    for (std::size_t strand = 0; strand < d.directions; ++strand)
      pass_.weights->table().gemm(
          transposed_.input(strand), rows, w_.strands[strand].d_projection.read(first),
          strand > 0 ? kernels::Rows{nullptr, 0, to} : kernels::Rows{}, d.inputs, {nullptr, 0, to});
  }
}

// ---- Initial states --------------------------------------------------------------------------------

// d_h_0 = W_hh^T d_product of the steps that follow on an initial state, + what is carried beside the
// product.
void Bptt::compute_initial_gradients(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t strand = 0; strand < d.strands; ++strand) {
    const StrandRows& s = w_.strands[strand];
    const kernels::Panels w = transposed_.strand(*pass_.weights, strand).recurrent;
    const auto compute = [&](const Step& step) {
      if (step.previous >= w_.plan.segments()) return;
      pass_.weights->table().gemm(
          w, step.count, s.d_product.read(row(g, step.t) + step.first),
          d.cell.carry == cells::Carry::h ? s.carry.read(step.previous) : kernels::Rows{},
          kernels::padded(d.projected), s.d_initial.rows(step.previous));
    };
    for (std::size_t t = 0; t < (d.is_reverse(strand) ? steps(g) : 1); ++t) visit_step(g, t, strand, compute);
  }
}

void Bptt::store_initial_gradients(const Group& g) noexcept {
  const Weights& weights = *pass_.weights;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    float* const out = cotangents_.initial_states + pass_.items[segment.slice].state * weights.state_size();
    for (std::size_t s = 0; s < w_.dimensions.strands; ++s) {
      if (!(w_.dimensions.is_reverse(s) ? segment.ends_slice : segment.starts_slice)) continue;
      for (std::size_t p = 0; p < w_.dimensions.parts; ++p) {
        const Matrix& rows = p == 0 ? w_.strands[s].d_initial : w_.strands[s].carry;
        std::copy_n(rows.at(b), weights.part_size(p), out + weights.state_offset(p, s));
      }
    }
  }
}

}  // namespace rnn

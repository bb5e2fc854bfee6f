// The backward half of Bptt: what one task does for its group of segments.
#include <algorithm>
#include <utility>

#include "lib/training/bptt.h"

namespace rnn {

void Bptt::backward_group(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  if (d.parts > 1) load_final_gradients(g);
  load_output_gradients(g);
  for (std::size_t end = steps(g); end > 0;) {
    const Block block{end > g.block ? end - g.block : 0, end};
    std::size_t local[kMostBlockSteps + 1] = {0};
    for (std::size_t t = block.first; t < block.last; ++t)
      local[t - block.first + 1] = local[t - block.first] + active(g, t);

    float* d_h = g.scratch;
    float* d_below = g.scratch + g.block * (g.last - g.first) * d.state_stride;
    load_top_gradients(g, block, local, d_h);
    for (std::size_t l = d.layers; l-- > 0; std::swap(d_h, d_below)) {
      if (cotangents_.final_states != nullptr) add_final_gradients(g, block, local, l, d_h);
      sweep_backward(g, block, local, l, d_h);
      if (l > 0) project_down(g, block, l, d_below);
    }
    if (cotangents_.inputs != nullptr) project_input_gradients(g, block);
    end = block.first;
  }
  if (initial_gradients_) compute_initial_gradients(g);
}

// The gradients of the states beyond h after the last steps.
void Bptt::load_final_gradients(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t b = g.first; b < g.last; ++b) {
    for (std::size_t p = 1; p < d.parts; ++p) {
      for (std::size_t l = 0; l < d.layers; ++l) {
        float* const target = w_.layers[l].d_state[p - 1] + b * d.state_stride;
        const float* source = final_gradient(b, p, l);
        if (source != nullptr)
          std::copy_n(source, d.hidden, target);
        else
          std::fill_n(target, d.width, 0.0f);
      }
    }
  }
}

// Of the segment's last state, from the outside; null if there is none.
const float* Bptt::final_gradient(std::size_t b, std::size_t part, std::size_t layer) const noexcept {
  const Dimensions& d = w_.dimensions;
  const Segment& segment = w_.plan.segment(b);
  if (cotangents_.final_states == nullptr || !segment.ends_slice) return nullptr;
  const std::size_t vector = (pass_.items[segment.slice].state * d.parts + part) * d.layers + layer;
  return cotangents_.final_states + vector * d.hidden;
}

// Output rows hold d_y after a loss; otherwise it comes from the outside. One target per sequence: then
// d_h of the last states is all there is.
void Bptt::load_output_gradients(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  if (w_.last_only) {
    project_back(w_.outputs + g.first * d.output_stride, g.last - g.first,
                 w_.d_last_states + g.first * d.state_stride);
  } else if (pass_.loss == 0) {
    for (std::size_t b = g.first; b < g.last; ++b) {
      for (std::size_t t = 0; t < w_.plan.segment(b).length; ++t) {
        float* const target = w_.outputs + (w_.plan.offset(t) + b) * d.output_stride;
        if (cotangents_.outputs != nullptr)
          std::copy_n(cotangents_.outputs + w_.plan.frame(t, b) * d.outputs, d.outputs, target);
        else
          std::fill_n(target, d.outputs, 0.0f);
        std::fill(target + d.outputs, target + kernels::padded(d.outputs), 0.0f);
      }
    }
  }
}

// d_h = W_ho^T d_y; without a head, d_h = d_y.
void Bptt::project_back(const float* d_y, std::size_t rows, float* d_h) noexcept {
  const Dimensions& d = w_.dimensions;
  if (!pass_.weights->has_head()) {
    for (std::size_t i = 0; i < rows; ++i)
      std::copy_n(d_y + i * d.output_stride, d.width, d_h + i * d.state_stride);
    return;
  }
  pass_.weights->table().gemm(transposed_[2 * d.layers].panels, rows, {d_y, d.output_stride, nullptr},
                              {nullptr, 0, nullptr}, d.width, {d_h, d.state_stride, nullptr});
}

// d_h of the top layer for the rows of a block, one after the other.
void Bptt::load_top_gradients(const Group& g, Block block, const std::size_t* local, float* d_h) noexcept {
  const Dimensions& d = w_.dimensions;
  if (!w_.last_only) {
    for_spans(g, block, [&](std::size_t first, std::size_t rows) {
      project_back(w_.outputs + first * d.output_stride, rows, d_h);
      d_h += rows * d.state_stride;
    });
    return;
  }
  std::fill_n(d_h, local[block.last - block.first] * d.state_stride, 0.0f);
  for (std::size_t b = g.first; b < g.last; ++b) {
    const std::size_t t = w_.plan.segment(b).length - 1;
    if (t < block.first || t >= block.last) continue;
    std::copy_n(w_.d_last_states + b * d.state_stride, d.width,
                d_h + (local[t - block.first] + b - g.first) * d.state_stride);
  }
}

void Bptt::add_final_gradients(const Group& g, Block block, const std::size_t* local, std::size_t l,
                               float* d_h) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const std::size_t t = w_.plan.segment(b).length - 1;
    if (t < block.first || t >= block.last) continue;
    const float* source = final_gradient(b, 0, l);
    float* const target = d_h + (local[t - block.first] + b - g.first) * d.state_stride;
    for (std::size_t j = 0; source != nullptr && j < d.hidden; ++j) target[j] += source[j];
  }
}

void Bptt::sweep_backward(const Group& g, Block block, const std::size_t* local, std::size_t l,
                          const float* d_h) noexcept {
  const Dimensions& d = w_.dimensions;
  const LayerRows& layer = w_.layers[l];
  for (std::size_t t = block.last; t-- > block.first;) {
    cells::BackwardStep step{};
    step.rows = active(g, t);
    step.rows_next = active(g, t + 1);
    step.width = d.width;
    step.recurrent_t = transposed_[l].panels;
    if (step.rows_next > 0)
      step.d_gates_next = {layer.gates + row(g, t + 1) * d.gate_stride, d.gate_stride, nullptr};
    step.d_h = {d_h + local[t - block.first] * d.state_stride, d.state_stride, nullptr};
    step.gates = {layer.gates + row(g, t) * d.gate_stride, d.gate_stride, nullptr};
    for (std::size_t p = 0; p < d.parts; ++p) {
      step.previous[p] = {layer.states[p] + previous_row(g, t) * d.state_stride, d.state_stride, nullptr};
      step.next[p] = {layer.states[p] + state_row(g, t) * d.state_stride, d.state_stride, nullptr};
      if (p > 0)
        step.d_state[p - 1] = {layer.d_state[p - 1] + g.first * d.state_stride, d.state_stride, nullptr};
    }
    pass_.weights->cell().backward(pass_.weights->table(), step);
  }
}

// d_h of the layer below = W_ih^T d_gates
void Bptt::project_down(const Group& g, Block block, std::size_t l, float* d_below) noexcept {
  const Dimensions& d = w_.dimensions;
  for_spans(g, block, [&](std::size_t first, std::size_t rows) {
    const kernels::Rows d_gates{w_.layers[l].gates + first * d.gate_stride, d.gate_stride, nullptr};
    pass_.weights->table().gemm(transposed_[d.layers + l].panels, rows, d_gates, {nullptr, 0, nullptr},
                                d.width, {d_below, d.state_stride, nullptr});
    d_below += rows * d.state_stride;
  });
}

// d_x = W_ih^T d_gates, to where the caller has that frame
void Bptt::project_input_gradients(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    for (std::size_t i = 0; i < rows; ++i)
      d_input_rows_[first + i] = cotangents_.inputs + w_.plan.frame(t, g.first + i) * d.inputs;
    const kernels::Rows d_gates{w_.layers[0].gates + first * d.gate_stride, d.gate_stride, nullptr};
    pass_.weights->table().gemm(transposed_[d.layers].panels, rows, d_gates, {nullptr, 0, nullptr}, d.inputs,
                                {nullptr, 0, &d_input_rows_[first]});
  }
}

// d_h_0 = W_hh^T d_gates of the first step, of all segments of the group
void Bptt::compute_initial_gradients(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t l = 0; l < d.layers; ++l) {
    const LayerRows& layer = w_.layers[l];
    const kernels::Rows d_gates{layer.gates + row(g, 0) * d.gate_stride, d.gate_stride, nullptr};
    pass_.weights->table().gemm(transposed_[l].panels, g.last - g.first, d_gates, {nullptr, 0, nullptr},
                                d.width,
                                {layer.d_initial + g.first * d.state_stride, d.state_stride, nullptr});
  }
  if (cotangents_.initial_states == nullptr) return;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    if (!segment.starts_slice) continue;
    float* out =
        cotangents_.initial_states + pass_.items[segment.slice].state * d.parts * d.layers * d.hidden;
    for (std::size_t p = 0; p < d.parts; ++p) {
      for (std::size_t l = 0; l < d.layers; ++l, out += d.hidden) {
        const float* rows = p == 0 ? w_.layers[l].d_initial : w_.layers[l].d_state[p - 1];
        std::copy_n(rows + b * d.state_stride, d.hidden, out);
      }
    }
  }
}

}  // namespace rnn

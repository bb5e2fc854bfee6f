// The forward half of Bptt: what one task does for its group of segments.
#include <algorithm>
#include <cstring>

#include "lib/training/bptt.h"

namespace rnn {

void Bptt::forward_group(const Group& g) noexcept {
  load_initial_states(g);
  const bool outputs = pass_.outputs != nullptr || pass_.loss != 0;
  for (std::size_t t = 0; t < steps(g); t += g.block) {
    const Block block{t, std::min(t + g.block, steps(g))};
    load_inputs(g, block);
    for (std::size_t l = 0; l < w_.dimensions.layers; ++l) {
      project_inputs(g, block, l);
      sweep_forward(g, block, l);
    }
    if (outputs && !w_.last_only) compute_outputs(g, block);
  }
  if (w_.last_only) compute_last_outputs(g);
  if (pass_.final_states != nullptr) store_final_states(g);
}

void Bptt::load_initial_states(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  const std::size_t state_size = d.parts * d.layers * d.hidden;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    const float* given = nullptr;
    if (segment.starts_slice && pass_.initial_states != nullptr)
      given = pass_.initial_states + pass_.items[segment.slice].state * state_size;
    for (std::size_t p = 0; p < d.parts; ++p) {
      for (std::size_t l = 0; l < d.layers; ++l) {
        const float* source =
            given != nullptr ? given + (p * d.layers + l) * d.hidden : pass_.weights->initial(p, l);
        float* const target = w_.layers[l].states[p] + b * d.state_stride;
        std::copy_n(source, d.hidden, target);
        // Another pass may have left a state here whose padding became NaN with the rest.
        std::fill(target + d.hidden, target + d.width, 0.0f);
      }
    }
  }
}

// Inputs in the plan's order: the gradients read them once more.
void Bptt::load_inputs(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  const rnn_sequences_t& data = *pass_.data;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t);
    for (std::size_t i = 0; i < active(g, t); ++i) {
      const std::size_t frame = w_.plan.frame(t, g.first + i);
      if (w_.one_hot)
        w_.indices[first + i] = data.indices[frame];
      else
        std::copy_n(data.inputs + frame * d.inputs, d.inputs, w_.inputs + (first + i) * d.input_stride);
    }
  }
}

// gates = W_ih x + b
void Bptt::project_inputs(const Group& g, Block block, std::size_t l) noexcept {
  const Dimensions& d = w_.dimensions;
  const kernels::Table& table = pass_.weights->table();
  const cells::LayerWeights& layer = pass_.weights->layer(l);
  const kernels::Rows bias{layer.bias, 0, nullptr};
  const std::size_t width = kernels::padded(d.gates);
  for_spans(g, block, [&](std::size_t first, std::size_t rows) {
    const kernels::MutableRows gates{w_.layers[l].gates + first * d.gate_stride, d.gate_stride, nullptr};
    if (l == 0 && w_.one_hot) return table.gather(layer.input, rows, &w_.indices[first], bias, width, gates);
    kernels::Rows x{w_.inputs + first * d.input_stride, d.input_stride, nullptr};
    if (l > 0) {
      const float* below = w_.layers[l - 1].states[0];
      x = {below + (w_.plan.segments() + first) * d.state_stride, d.state_stride, nullptr};
    }
    table.gemm(layer.input, rows, x, bias, width, gates);
  });
}

void Bptt::sweep_forward(const Group& g, Block block, std::size_t l) noexcept {
  const Dimensions& d = w_.dimensions;
  const LayerRows& layer = w_.layers[l];
  for (std::size_t t = block.first; t < block.last; ++t) {
    cells::ForwardStep step{};
    step.rows = active(g, t);
    step.width = d.width;
    step.gates = {layer.gates + row(g, t) * d.gate_stride, d.gate_stride, nullptr};
    for (std::size_t p = 0; p < d.parts; ++p) {
      step.previous[p] = {layer.states[p] + previous_row(g, t) * d.state_stride, d.state_stride, nullptr};
      step.next[p] = {layer.states[p] + state_row(g, t) * d.state_stride, d.state_stride, nullptr};
    }
    pass_.weights->cell().forward(pass_.weights->table(), pass_.weights->layer(l), step);
  }
}

// ---- Outputs and losses ----------------------------------------------------------------------------

void Bptt::compute_outputs(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  for_spans(g, block, [&](std::size_t first, std::size_t rows) {
    project_outputs(w_.top_states() + first * d.state_stride, first, rows);
  });
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t frame = w_.plan.frame(t, g.first + i);
      if (pass_.outputs != nullptr)
        std::copy_n(w_.outputs + (first + i) * d.output_stride, d.outputs, pass_.outputs + frame * d.outputs);
      if (pass_.loss != 0) load_target(first + i, frame, true);
    }
  }
  if (pass_.loss == 0) return;
  for_spans(g, block, [&](std::size_t first, std::size_t rows) { compute_losses(first, rows); });
}

// One output row for each segment. Only those that end a sequence have a target.
void Bptt::compute_last_outputs(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    const std::size_t state = w_.plan.offset(segment.length - 1) + b;
    std::copy_n(w_.top_states() + state * d.state_stride, d.width, w_.last_states + b * d.state_stride);
    const std::size_t target = pass_.items[segment.slice].target;
    load_target(b, target, segment.ends_slice && target != Item::kNone);
  }
  project_outputs(w_.last_states + g.first * d.state_stride, g.first, g.last - g.first);
  compute_losses(g.first, g.last - g.first);
}

// y = W_ho h + b_o into output rows from `row` on; without a head, y = h.
void Bptt::project_outputs(const float* states, std::size_t row, std::size_t rows) noexcept {
  const Dimensions& d = w_.dimensions;
  float* const y = w_.outputs + row * d.output_stride;
  if (!pass_.weights->has_head()) {
    for (std::size_t i = 0; i < rows; ++i)
      std::copy_n(states + i * d.state_stride, d.width, y + i * d.output_stride);
    return;
  }
  pass_.weights->table().gemm(pass_.weights->head(), rows, {states, d.state_stride, nullptr},
                              {pass_.weights->head_bias(), 0, nullptr}, kernels::padded(d.outputs),
                              {y, d.output_stride, nullptr});
}

// What a masked row holds as its target is not looked at.
void Bptt::load_target(std::size_t row, std::size_t target, bool exists) noexcept {
  const rnn_sequences_t& data = *pass_.data;
  const float weight = !exists ? 0.0f : data.weights != nullptr ? data.weights[target] : 1.0f;
  w_.weights[row] = weight;
  if (pass_.loss == RNN_LOSS_CROSS_ENTROPY)
    w_.classes[row] = weight > 0.0f ? data.classes[target] : 0;
  else
    w_.targets[row] = weight > 0.0f ? data.targets + target * w_.dimensions.outputs : w_.no_target.data();
}

void Bptt::compute_losses(std::size_t row, std::size_t rows) noexcept {
  const Dimensions& d = w_.dimensions;
  LossRows r{};
  r.rows = rows;
  r.outputs = d.outputs;
  r.y = w_.outputs + row * d.output_stride;
  r.stride = d.output_stride;
  r.classes = &w_.classes[row];
  r.targets = &w_.targets[row];
  r.weights = &w_.weights[row];
  r.total = pass_.total;
  r.scale = &w_.scale[row];
  r.scratch = &w_.softmax[row];
  r.losses = &w_.losses[row];
  row_losses(pass_.weights->table(), pass_.loss, r);
}

void Bptt::store_final_states(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  const std::size_t state_size = d.parts * d.layers * d.hidden;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    if (!segment.ends_slice) continue;
    const std::size_t last = w_.plan.segments() + w_.plan.offset(segment.length - 1) + b;
    float* out = pass_.final_states + pass_.items[segment.slice].state * state_size;
    for (std::size_t p = 0; p < d.parts; ++p)
      for (std::size_t l = 0; l < d.layers; ++l, out += d.hidden)
        std::copy_n(w_.layers[l].states[p] + last * d.state_stride, d.hidden, out);
  }
}

}  // namespace rnn

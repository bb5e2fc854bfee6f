#include "lib/training/workspace.h"

#include <algorithm>

namespace rnn {

double target_weight(const Pass& pass) noexcept {
  const float* weights = pass.data->weights;
  double total = 0.0;
  for (std::size_t i = 0; i < pass.count; ++i) {
    const Slice& slice = pass.slices[i];
    const std::size_t target = pass.items[i].target;
    if (pass.data->target_per_sequence != 0) {
      if (target != Item::kNone) total += weights != nullptr ? static_cast<double>(weights[target]) : 1.0;
    } else if (weights == nullptr) {
      total += static_cast<double>(slice.length);
    } else {
      for (std::size_t t = 0; t < slice.length; ++t) total += static_cast<double>(weights[slice.first + t]);
    }
  }
  return total;
}

Dimensions::Dimensions(const Weights& weights) noexcept
    : layers(weights.num_layers()),
      parts(weights.cell().states),
      inputs(weights.input_size()),
      hidden(weights.hidden_size()),
      gates(weights.cell().gates * hidden),
      outputs(weights.output_size()),
      width(weights.width()),
      input_stride(stride(inputs)),
      state_stride(stride(hidden)),
      gate_stride(stride(gates)),
      output_stride(stride(outputs)) {}

Workspace::Workspace(const Weights& w)
    : dimensions(w),
      layers(w.allocator(), dimensions.layers),
      no_target(w.allocator(), dimensions.outputs),
      allocator_(w.allocator()) {}

void Workspace::begin(const Pass& pass) {
  const bool was_one_hot = one_hot;
  one_hot = pass.data->indices != nullptr;
  last_only = pass.loss != 0 && pass.data->target_per_sequence != 0;
  given_states = pass.initial_states != nullptr;
  if (was_one_hot && !one_hot) row_capacity_ = 0;  // there was no room for inputs
  plan.build(allocator_, pass.slices, pass.count, pass.data->resets);
  reserve();
  build_runs();
}

float* Workspace::top_states() const noexcept {
  return layers[dimensions.layers - 1].states[0] + plan.segments() * dimensions.state_stride;
}

// Rows grow by a quarter at least, so that ragged batches soon find room.
void Workspace::reserve() {
  const std::size_t rows = plan.rows(), segments = plan.segments();
  indices.reserve(allocator_, rows);
  classes.reserve(allocator_, rows);
  targets.reserve(allocator_, rows);
  weights.reserve(allocator_, rows);
  scale.reserve(allocator_, rows);
  softmax.reserve(allocator_, rows);
  losses.reserve(allocator_, rows);
  runs.reserve(allocator_, plan.steps());
  if (rows <= row_capacity_ && segments <= segment_capacity_) return;

  if (rows > row_capacity_) row_capacity_ = std::max(rows, row_capacity_ + row_capacity_ / 4);
  segment_capacity_ = std::max(segment_capacity_, segments);
  try {
    memory_ = Buffer<float>();  // before there is more
    memory_ = Buffer<float>(allocator_, lay_out(nullptr));
  } catch (...) {
    row_capacity_ = segment_capacity_ = 0;
    throw;
  }
  lay_out(memory_.data());
}

// Places at `base`, or null: measure alone. Returns the floats used.
std::size_t Workspace::lay_out(float* base) {
  const Dimensions& d = dimensions;
  std::size_t used = 0;
  const auto take = [&](std::size_t rows, std::size_t stride) {
    float* const place = base != nullptr ? base + used : nullptr;
    used += checked_product(rows, stride);
    return place;
  };
  for (LayerRows& layer : layers) {
    layer.gates = take(row_capacity_, d.gate_stride);
    for (std::size_t p = 0; p < d.parts; ++p)
      layer.states[p] = take(segment_capacity_ + row_capacity_, d.state_stride);
    layer.d_initial = take(segment_capacity_, d.state_stride);
    for (std::size_t p = 1; p < d.parts; ++p) layer.d_state[p - 1] = take(segment_capacity_, d.state_stride);
  }
  inputs = one_hot ? nullptr : take(row_capacity_, d.input_stride);
  outputs = take(row_capacity_, d.output_stride);
  last_states = take(segment_capacity_, d.state_stride);
  d_last_states = take(segment_capacity_, d.state_stride);
  return used;
}

// Rows of step t follow on the rows of step t - 1 in the same order, so that as long as no segment has
// ended, row r follows on row r - active. The initial states stand before the first rows in the same way.
void Workspace::build_runs() {
  run_count = 0;
  std::size_t t = 0;
  std::size_t active = plan.segments();
  while (t < plan.steps()) {
    const std::size_t first = plan.offset(t);
    std::size_t end = t + 1;
    while (end < plan.steps() && plan.active(end - 1) == active) ++end;
    runs[run_count++] = {first, plan.segments() + first - active, plan.offset(end) - first};
    active = plan.active(end - 1);
    t = end;
  }
}

}  // namespace rnn

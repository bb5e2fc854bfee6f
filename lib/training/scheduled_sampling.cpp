#include "lib/training/scheduled_sampling.h"

#include <algorithm>
#include <numeric>

namespace rnn {

ScheduledSampling::ScheduledSampling(const Weights& weights, Bptt& bptt)
    : allocator_(weights.allocator()),
      bptt_(bptt),
      input_size_(weights.input_size()),
      output_size_(weights.output_size()),
      state_size_(weights.state_size()) {}

Pass ScheduledSampling::change(const Pass& pass, double probability, std::uint64_t key) {
  probability_ = probability;
  key_ = key;
  copy_data(pass);
  std::size_t steps = 0;
  for (std::size_t i = 0; i < pass.count; ++i) steps = std::max(steps, slices_[i].length);
  for (std::size_t t = 0; t + 1 < steps; ++t) step(pass, t);

  Pass changed = pass;
  changed.data = &data_;
  changed.slices = slices_.data();
  return changed;
}

void ScheduledSampling::copy_data(const Pass& pass) {
  const rnn_sequences_t& from = *pass.data;
  std::size_t frames = 0, states = 0;
  slices_.reserve(allocator_, pass.count);
  for (std::size_t i = 0; i < pass.count; ++i) {
    slices_[i] = {frames, pass.slices[i].length};
    frames += pass.slices[i].length;
    states = std::max(states, pass.items[i].state + 1);
  }
  if (from.indices != nullptr)
    indices_.reserve(allocator_, frames);
  else
    inputs_.reserve(allocator_, checked_product(frames, input_size_));
  if (from.targets != nullptr) targets_.reserve(allocator_, checked_product(frames, output_size_));
  if (from.classes != nullptr) classes_.reserve(allocator_, frames);
  if (from.weights != nullptr) weights_.reserve(allocator_, frames);
  if (from.resets != nullptr) resets_.reserve(allocator_, frames);
  numbers_.reserve(allocator_, frames);
  if (from.indices != nullptr)
    best_.reserve(allocator_, frames);
  else
    outputs_.reserve(allocator_, checked_product(frames, output_size_));
  step_slices_.reserve(allocator_, pass.count);
  step_items_.reserve(allocator_, pass.count);
  states_.reserve(allocator_, checked_product(states, state_size_));
  next_states_.reserve(allocator_, states_.size());

  data_ = from;
  data_.count = pass.count;
  data_.frames = frames;
  data_.lengths = nullptr;
  data_.inputs = from.inputs != nullptr ? inputs_.data() : nullptr;
  data_.indices = from.indices != nullptr ? indices_.data() : nullptr;
  data_.targets = from.targets != nullptr ? targets_.data() : nullptr;
  data_.classes = from.classes != nullptr ? classes_.data() : nullptr;
  data_.weights = from.weights != nullptr ? weights_.data() : nullptr;
  data_.resets = from.resets != nullptr ? resets_.data() : nullptr;
  for (std::size_t i = 0; i < pass.count; ++i) {
    const auto copy = [&, &slice = pass.slices[i], to = slices_[i].first](auto* source, std::size_t width,
                                                                          auto& target) {
      if (source != nullptr)
        std::copy_n(source + slice.first * width, slice.length * width, target.data() + to * width);
    };
    copy(from.inputs, input_size_, inputs_);
    copy(from.indices, 1, indices_);
    copy(from.targets, output_size_, targets_);
    copy(from.classes, 1, classes_);
    copy(from.weights, 1, weights_);
    copy(from.resets, 1, resets_);
    const std::uint64_t first = pass.by_sequence ? pass.items[i].sequence << 32 : slices_[i].first;
    std::iota(&numbers_[slices_[i].first], &numbers_[slices_[i].first] + slices_[i].length, first);
  }
}

// Step t of the slices that go on after it, as a pass of its own; then the inputs of step t + 1.
void ScheduledSampling::step(const Pass& pass, std::size_t t) {
  Pass step;
  step.weights = pass.weights;
  step.data = &data_;
  step.slices = step_slices_.data();
  step.items = step_items_.data();
  for (std::size_t i = 0; i < pass.count; ++i) {
    if (slices_[i].length <= t + 1) continue;
    step_slices_[step.count] = {slices_[i].first + t, 1};
    step_items_[step.count] = {pass.items[i].state, Item::kNone};
    ++step.count;
  }
  step.initial_states = t == 0 ? pass.initial_states : states_.data();
  step.final_states = next_states_.data();
  step.outputs = data_.indices == nullptr ? outputs_.data() : nullptr;
  step.best = data_.indices != nullptr ? best_.data() : nullptr;
  bptt_.forward(step);
  states_.swap(next_states_);
  for (std::size_t i = 0; i < step.count; ++i) {
    const std::size_t next = step_slices_[i].first + 1;
    const bool starts = data_.resets != nullptr && data_.resets[next] != 0;
    if (!starts && draws(next)) feed(next);
  }
}

// What the step before gave becomes the frame's input.
void ScheduledSampling::feed(std::size_t frame) {
  if (data_.indices != nullptr)
    indices_[frame] = best_[frame - 1];
  else
    std::copy_n(outputs_.data() + (frame - 1) * output_size_, output_size_,
                inputs_.data() + frame * input_size_);
}

}  // namespace rnn

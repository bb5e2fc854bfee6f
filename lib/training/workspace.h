// The activations of a pass over a batch of ragged sequences, in memory that is kept from pass to pass.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/plan.h"
#include "lib/network/weights.h"
#include "lib/training/loss.h"

namespace rnn {

// What belongs to a slice of the data.
struct Item {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::size_t state;   // its row of the initial and final states
  std::size_t target;  // with target_per_sequence: its last frame's target row; kNone: it has no target
};

// A forward pass. What it points to is borrowed for the pass; slices and items also for the backward pass.
struct Pass {
  const Weights* weights = nullptr;
  const rnn_sequences_t* data = nullptr;
  const Slice* slices = nullptr;  // [count]
  const Item* items = nullptr;    // [count]
  std::size_t count = 0;
  const float* initial_states = nullptr;  // [.., S]  null: the initial state
  float* final_states = nullptr;          // [.., S]  null: not wanted
  float* outputs = nullptr;               // [F, O] by frame; null: not wanted
  std::int32_t loss = 0;                  // RNN_LOSS_...; 0: none
  double total = 0;                       // the sum of target weights over which the loss is the mean
};

// The sum of the weights of the pass's target rows, in a fixed order.
double target_weight(const Pass& pass) noexcept;

// Sizes of an architecture, and the distances of rows. A multiple of 128 floats would put the columns of a
// tile into few sets of the cache.
struct Dimensions {
  explicit Dimensions(const Weights& weights) noexcept;

  static constexpr std::size_t stride(std::size_t n) {
    return kernels::padded(n) % 128 == 0 ? kernels::padded(n) + 16 : kernels::padded(n);
  }

  std::size_t layers;   // L
  std::size_t parts;    // vectors of H in the state of a layer
  std::size_t inputs;   // I
  std::size_t hidden;   // H
  std::size_t gates;    // G*H
  std::size_t outputs;  // O
  std::size_t width;    // padded H
  std::size_t input_stride, state_stride, gate_stride, output_stride;
};

// The rows of one layer. Gates hold their gradients after a backward pass.
struct LayerRows {
  float* gates;                           // [rows, G*H]
  float* states[cells::kMaxStates];       // [segments + rows, H]: initial states, then those after each row
  float* d_initial;                       // [segments, H]  gradient of the initial h
  float* d_state[cells::kMaxStates - 1];  // [segments, H]  of the states beyond h, going back in time
};

// Consecutive rows of which row + i follows on state row previous + i.
struct Run {
  std::size_t row;
  std::size_t previous;
  std::size_t count;
};

// Rows are the plan's. Output rows are the same, or the segments' last steps if targets are per sequence.
// Padding is zero: buffers start at zero, keep their place, and nothing else is written there.
struct Workspace {
  explicit Workspace(const Weights& weights);

  // Lay out a pass.
  void begin(const Pass& pass);

  std::size_t output_rows() const noexcept { return last_only ? plan.segments() : plan.rows(); }
  // The states after each row.
  float* top_states() const noexcept;

  const Dimensions dimensions;
  Plan plan;
  bool one_hot = false;    // inputs are indices
  bool last_only = false;  // a target per sequence
  bool given_states = false;

  Buffer<LayerRows> layers;             // [L]
  float* inputs = nullptr;              // [rows, I]  unless one_hot
  float* outputs = nullptr;             // [output rows, O]  then their gradients
  float* last_states = nullptr;         // [segments, H]  top layer's, if last_only
  float* d_last_states = nullptr;       // [segments, H]
  Buffer<std::int32_t> indices;         // [rows]
  Buffer<std::int32_t> classes;         // [output rows]
  Buffer<const float*> targets;         // [output rows]
  Buffer<float> weights;                // [output rows]
  Buffer<float> scale;                  // [output rows]
  Buffer<kernels::SoftmaxRow> softmax;  // [output rows]
  Buffer<RowLoss> losses;               // [output rows]
  Buffer<Run> runs;                     // [run_count]
  std::size_t run_count = 0;
  Buffer<float> no_target;  // [O] zeros: of rows that are masked

 private:
  void reserve();
  std::size_t lay_out(float* base);
  void build_runs();

  Allocator allocator_;
  Buffer<float> memory_;
  std::size_t row_capacity_ = 0;
  std::size_t segment_capacity_ = 0;
};

}  // namespace rnn

// Backpropagation through time over a batch of ragged sequences.
//
//   forward    layer by layer  gates = W_ih x + b, then step by step  h, gates = cell(gates, h_prev);
//              y = W_ho h + b_o, the loss and d_y
//   backward   d_h = W_ho^T d_y, then from the last step to the first  d_gates = cell'(gates, d_h, ...);
//              d_x = W_ih^T d_gates is the d_h of the layer below
//   gradients  see gradients.h
//
// Forward and backward run in parallel over groups of segments, with no barrier between steps. Every element
// has one owner and one order of summation (k ascending, steps ascending, segments in the plan's order), so
// neither groups nor tiles nor threads change a bit of a result.
#pragma once

#include <cstddef>

#include "lib/network/memory.h"
#include "lib/training/gradients.h"
#include "lib/training/threads.h"
#include "lib/training/workspace.h"

namespace rnn {

// Gradients that enter a backward pass and those that leave it; null: zero, or not wanted.
struct Cotangents {
  const float* outputs = nullptr;       // [F, O]
  const float* final_states = nullptr;  // [.., S]
  float* inputs = nullptr;              // [F, I]  not with one-hot inputs
  float* initial_states = nullptr;      // [.., S]
};

class Bptt {
 public:
  // For networks of the architecture of `weights`. `threads` is used as long as this object.
  Bptt(const Weights& weights, Threads& threads);

  // Bring the transposed weights up to date, which backward passes read; those of the lowest layer's
  // inputs only if with_inputs.
  void pack(const Weights& weights, bool with_inputs);

  // Forward pass; with a loss, its sums over the target rows, added in a fixed order.
  RowLoss forward(const Pass& pass);

  // Make room for a backward pass, which cannot fail then.
  void prepare_backward(bool with_inputs);

  // The backward pass of the forward pass before it, which had no loss. Adds to `gradients`, laid out as
  // the weights' values.
  void backward(const Cotangents& cotangents, float* gradients);

  // Forward pass, loss and backward pass. Writes `gradients`; those of initial states are 0 unless trained.
  RowLoss train(const Pass& pass, float* gradients);

 private:
  static constexpr std::size_t kMostBlockSteps = 64;

  // Segments [first, last), the work of one task.
  struct Group {
    std::size_t first;
    std::size_t last;
    std::size_t block;  // steps that go through all layers before the next ones
    float* scratch;     // [2, rows of a block, H]
  };
  // Steps [first, last).
  struct Block {
    std::size_t first;
    std::size_t last;
  };

  void begin(const Pass& pass);
  void build_groups();
  double operations() const noexcept;
  RowLoss sum_losses() const noexcept;
  void reserve_transposed(const Weights& weights, bool with_inputs);

  void forward_group(const Group& g) noexcept;
  void load_initial_states(const Group& g) noexcept;
  void load_inputs(const Group& g, Block block) noexcept;
  void project_inputs(const Group& g, Block block, std::size_t layer) noexcept;
  void sweep_forward(const Group& g, Block block, std::size_t layer) noexcept;
  void compute_outputs(const Group& g, Block block) noexcept;
  void compute_last_outputs(const Group& g) noexcept;
  void project_outputs(const float* states, std::size_t row, std::size_t rows) noexcept;
  void load_target(std::size_t row, std::size_t target, bool exists) noexcept;
  void compute_losses(std::size_t row, std::size_t rows) noexcept;
  void store_final_states(const Group& g) noexcept;

  void backward_group(const Group& g) noexcept;
  void load_final_gradients(const Group& g) noexcept;
  const float* final_gradient(std::size_t b, std::size_t part, std::size_t layer) const noexcept;
  void load_output_gradients(const Group& g) noexcept;
  void project_back(const float* d_y, std::size_t rows, float* d_h) noexcept;
  void load_top_gradients(const Group& g, Block block, const std::size_t* local, float* d_h) noexcept;
  void add_final_gradients(const Group& g, Block block, const std::size_t* local, std::size_t layer,
                           float* d_h) noexcept;
  void sweep_backward(const Group& g, Block block, const std::size_t* local, std::size_t layer,
                      const float* d_h) noexcept;
  void project_down(const Group& g, Block block, std::size_t layer, float* d_below) noexcept;
  void project_input_gradients(const Group& g, Block block) noexcept;
  void compute_initial_gradients(const Group& g) noexcept;

  // The group's segments that reach step t, and their first row among the plan's, or the states'.
  std::size_t steps(const Group& g) const noexcept { return w_.plan.segment(g.first).length; }
  std::size_t active(const Group& g, std::size_t t) const noexcept;
  std::size_t row(const Group& g, std::size_t t) const noexcept { return w_.plan.offset(t) + g.first; }
  std::size_t state_row(const Group& g, std::size_t t) const noexcept {
    return w_.plan.segments() + row(g, t);
  }
  std::size_t previous_row(const Group& g, std::size_t t) const noexcept {
    return t == 0 ? g.first : state_row(g, t - 1);
  }
  // Call span(first row, rows) for the group's rows of a block: once if they are contiguous.
  template <class Span>
  void for_spans(const Group& g, Block block, const Span& span) const noexcept;

  Allocator allocator_;
  Threads& threads_;
  Workspace w_;
  Gradients gradients_;
  Pass pass_;
  Cotangents cotangents_;
  bool initial_gradients_ = false;
  Buffer<Group> groups_;
  std::size_t group_count_ = 0;
  Buffer<float> scratch_;
  Buffer<float*> d_input_rows_;      // [rows]  into Cotangents::inputs
  Buffer<PackedMatrix> transposed_;  // W_hh of each layer, W_ih of each layer, W_ho
  Buffer<float> packed_;
};

template <class Span>
void Bptt::for_spans(const Group& g, Block block, const Span& span) const noexcept {
  if (g.first == 0 && g.last >= w_.plan.active(block.first)) {
    const std::size_t first = w_.plan.offset(block.first);
    span(first, w_.plan.offset(block.last) - first);
    return;
  }
  for (std::size_t t = block.first; t < block.last; ++t) span(row(g, t), active(g, t));
}

}  // namespace rnn

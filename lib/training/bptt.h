// Backpropagation through time over a batch of ragged sequences.
//
//   forward    layer by layer  gates = W_ih x + b, then step by step  h, gates = cell(gates, h_prev);
//              y = W_ho h + b_o, the loss and d_y
//   backward   d_h = W_ho^T d_y, then from the last step to the first  d_gates = cell'(gates, d_h, ...);
//              d_x = W_ih^T d_gates is the d_h of the layer below
//   gradients  see gradients.h
//
// A strand of the second direction does the same from the end to the beginning. What a layer is with
// projection, layer normalisation, residual connections and dropout, rnn.h says.
//
// Forward and backward run in parallel over groups of segments, with no barrier between steps. Every element
// has one owner and one order of summation (over k as gemm-inl.h says, over rows ascending), so
// neither groups nor tiles nor threads change a bit of a result. Nor do chunks: where the outputs of all rows
// would take too much memory, the head and the loss are computed for some rows at a time, between forward and
// backward.
#pragma once

#include <cstddef>

#include "lib/network/memory.h"
#include "lib/training/gradients.h"
#include "lib/training/sampled_head.h"
#include "lib/training/threads.h"
#include "lib/training/transposed.h"
#include "lib/training/workspace.h"

namespace rnn {

// Gradients that enter a backward pass and those that leave it; null: zero, or not wanted.
struct Cotangents {
  const float* outputs = nullptr;       // [F, O]
  const float* final_states = nullptr;  // [.., S]
  float* inputs = nullptr;              // [F, I]  not with indices
  float* initial_states = nullptr;      // [.., S]
};

class Bptt {
 public:
  // For networks of the architecture of `weights`. `threads` and `transposed` are used as long as this object.
  // transposed: of the weights of backward passes; null: there will be none. chunk: see Workspace.
  Bptt(const Weights& weights, Threads& threads, const TransposedWeights* transposed, std::size_t chunk = 0);

  // Forward pass; with a loss, its sums over the target rows, added in a fixed order.
  RowLoss forward(const Pass& pass);

  // Make room for a backward pass, which cannot fail then.
  void prepare_backward(bool with_inputs);

  // The backward pass of the forward pass before it, which had no loss. Adds to `gradients`, laid out as
  // the weights' values.
  void backward(const Cotangents& cotangents, float* gradients);

  // Forward pass, loss and backward pass. Writes `gradients`, or adds to them; those of initial states are 0
  // unless trained.
  RowLoss train(const Pass& pass, float* gradients, bool add = false);

 private:
  // Segments [first, last), the work of one task.
  struct Group {
    std::size_t first;
    std::size_t last;
    std::size_t block;   // steps that go through all layers before the next ones
    std::size_t rows;    // most of a block
    float* scratch;      // [2, rows, D*P]
    std::size_t* local;  // [block]  see BlockGradients
  };
  // Steps [first, last). With a reverse strand, all. Or what is behind a pooling: one row for each segment.
  struct Block {
    std::size_t first;
    std::size_t last;
    bool pooled = false;
  };
  // The group's segments [first, first + count) at step t of a strand, all of which follow on state rows from
  // `previous` on.
  struct Step {
    std::size_t t;
    std::size_t first;
    std::size_t count;
    std::size_t previous;
  };
  // The gradients of a layer's outputs and of its inputs, a row for each row of the block: step t of the
  // group's segment i has row local[t - block.first] + i, and behind a pooling row i.
  struct BlockGradients {
    const std::size_t* local;
    std::size_t rows;
    Matrix above;
    Matrix below;
  };

  void begin(const Pass& pass);
  void run_backward(bool with_loss, Gradients::Mode mode, float* gradients);
  void build_groups(std::size_t threads);
  void build_blocks();
  double operations() const noexcept;
  RowLoss sum_losses() const noexcept;
  bool wants_outputs() const noexcept {
    return pass_.outputs != nullptr || pass_.best != nullptr || pass_.loss != 0;
  }

  // bptt_forward.cpp
  struct GroupBuffers;
  void forward_group(const Group& g) noexcept;
  void forward_pooled(const Group& g) noexcept;
  void drop_outputs(std::size_t layer, std::size_t first, std::size_t rows, const Matrix& x) noexcept;
  void load_initial_states(const Group& g) noexcept;
  void draw_masks(const Group& g) noexcept;
  void load_inputs(const Group& g, Block block) noexcept;
  const float* input_at(const Group& g, std::size_t layer, std::size_t i,
                        std::size_t position) const noexcept;
  void make_windows(const Group& g, Block block, std::size_t layer) noexcept;
  void store_final_states(const Group& g) noexcept;

  // bptt_outputs.cpp
  void compute_outputs(const Group& g, Block block) noexcept;
  void compute_pooled_outputs(const Group& g) noexcept;
  void multiply_head(std::size_t first, std::size_t rows) noexcept;
  std::size_t output_place(std::size_t row) const noexcept;
  void store_outputs(std::size_t row, std::size_t place) noexcept;
  void load_target(std::size_t row, std::size_t target, bool exists) noexcept;
  void compute_losses(std::size_t first, std::size_t rows) noexcept;
  void load_output_gradients(const Group& g) noexcept;
  void load_output_gradient(std::size_t row, std::size_t place) noexcept;
  void head_backward(std::size_t first, std::size_t rows, const Matrix& d_h, std::size_t to) noexcept;
  void load_top_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept;
  void backward_pooled(const Group& g) noexcept;
  void pool(const Group& g, Block block) noexcept;
  void load_pooled_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept;
  void load_last_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept;

  // bptt_chunks.cpp
  struct HeadWork {
    bool outputs;    // compute them, and the losses; otherwise their gradients come from the outside
    bool back;       // the gradients of the head's inputs
    bool gradients;  // of the head's parameters
  };
  void run_head(const HeadWork& work, Gradients::Mode mode, float* gradients) noexcept;
  void compute_chunk(std::size_t first, std::size_t rows) noexcept;
  void multiply_chunk(std::size_t first, std::size_t rows) noexcept;
  void load_chunk_gradients(std::size_t first, std::size_t rows) noexcept;
  void chunk_backward(std::size_t first, std::size_t rows) noexcept;

  // bptt_backward.cpp
  void backward_group(const Group& g) noexcept;
  void backward_block(const Group& g, Block block) noexcept;
  void backward_layer(const Group& g, Block block, const BlockGradients& d_o, std::size_t layer) noexcept;
  void load_carry(const Group& g) noexcept;
  const float* final_gradient(std::size_t b, std::size_t strand, const Strand::State& state) const noexcept;
  void add_final_gradients(const Group& g, Block block, const BlockGradients& d_o,
                           std::size_t strand) noexcept;
  void divide_sum(const Layer& layer, const BlockGradients& d_o) noexcept;
  void rows_backward(std::size_t first, std::size_t rows, const kernels::Rows& d_h,
                     std::size_t strand) noexcept;
  void sweep_backward(const Group& g, Block block, const BlockGradients& d_o, std::size_t strand) noexcept;
  void step_backward(const Group& g, const Step& step, const Matrix& d_h, std::size_t strand,
                     const cells::BackwardWeights& weights, cells::BackwardStep& b) noexcept;
  void windows_backward(const Group& g, Block block, std::size_t layer) noexcept;
  void add_windows(const Group& g, std::size_t layer, std::size_t position, std::size_t count,
                   const kernels::MutableRows& d_x) noexcept;
  void gather_windows(const Group& g, Block block, const BlockGradients& d_o, std::size_t layer) noexcept;
  void layer_inputs_backward(const Group& g, Block block, const BlockGradients& d_o,
                             std::size_t layer) noexcept;
  void embedding_backward(const Group& g, Block block) noexcept;
  void network_inputs_backward(const Group& g, Block block) noexcept;
  void compute_initial_gradients(const Group& g) noexcept;
  void store_initial_gradients(const Group& g) noexcept;
  void store_past_gradients(const Group& g, const Layer& layer) noexcept;

  // Steps themselves take the columns of W_ih that one-hot inputs stand for.
  bool picks_inputs(std::size_t strand) const noexcept {
    const Layer& layer = *pass_.weights->strand(strand).layer;
    return w_.one_hot && layer.index == 0 && !layer.layer_norm && layer.cell->picks_inputs() &&
           pass_.weights->table().format == kernels::Format::f32;
  }
  // The group's segments that reach step t, and their first row among the plan's, or the states'.
  std::size_t steps(const Group& g) const noexcept { return w_.plan.segment(g.first).length; }
  std::size_t active(const Group& g, std::size_t t) const noexcept {
    if (t >= w_.plan.steps()) return 0;
    const std::size_t last = w_.plan.active(t) < g.last ? w_.plan.active(t) : g.last;
    return last > g.first ? last - g.first : 0;
  }
  std::size_t row(const Group& g, std::size_t t) const noexcept { return w_.plan.offset(t) + g.first; }
  std::size_t state_row(const Group& g, std::size_t t) const noexcept {
    return w_.plan.segments() + row(g, t);
  }
  // Call span(first row, rows, rows of the block before it) for the group's rows of a block: once if they are
  // contiguous.
  template <class Span>
  void for_spans(const Group& g, Block block, const Span& span) const noexcept;
  // Call visit(Step) for what step t consists of in a strand.
  template <class Visit>
  void visit_step(const Group& g, std::size_t t, std::size_t strand, const Visit& visit) const noexcept;

  Allocator allocator_;
  Threads& threads_;
  Workspace w_;
  Gradients gradients_;
  const TransposedWeights* transposed_;
  SampledHead sampled_;
  Pass pass_;
  Cotangents cotangents_;
  bool initial_gradients_ = false;
  Buffer<Group> groups_;
  std::size_t group_count_ = 0;
  std::size_t grouped_for_ = 0;  // so many threads; 0: there are no groups of the pass before
  Buffer<float> scratch_;
  Buffer<std::size_t> local_;
  Buffer<float*> d_input_rows_;  // [rows]  into Cotangents::inputs
};

template <class Span>
void Bptt::for_spans(const Group& g, Block block, const Span& span) const noexcept {
  if (block.pooled) return span(g.first, g.last - g.first, 0);
  if (g.first == 0 && g.last >= w_.plan.active(block.first)) {
    const std::size_t first = w_.plan.offset(block.first);
    span(first, w_.plan.offset(block.last) - first, 0);
    return;
  }
  std::size_t before = 0;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t rows = active(g, t);
    span(row(g, t), rows, before);
    before += rows;
  }
}

// A reverse strand's segments follow on the step after, but for those that end with this one.
template <class Visit>
void Bptt::visit_step(const Group& g, std::size_t t, std::size_t strand, const Visit& visit) const noexcept {
  const std::size_t count = active(g, t);
  if (!w_.strands[strand].reverse) {
    visit(Step{t, 0, count, t == 0 ? g.first : state_row(g, t - 1)});
    return;
  }
  const std::size_t going_on = active(g, t + 1);
  if (going_on > 0) visit(Step{t, 0, going_on, state_row(g, t + 1)});
  if (count > going_on) visit(Step{t, going_on, count - going_on, g.first + going_on});
}

}  // namespace rnn

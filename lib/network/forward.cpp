// Whole sequences: window by window of steps, layer by layer, so that the input products and the head are
// large products, and memory stays bounded. A backward direction needs a window that reaches to the end of
// its segments; there are fewer of them at once then.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "lib/kernels/float_mode.h"
#include "lib/network/error.h"
#include "lib/network/layer_walk.h"
#include "lib/network/network.h"
#include "lib/network/plan.h"
#include "lib/network/pooling.h"
#include "lib/network/sequences.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

// Segments that are swept together, and about how many floats of activations a window may have: 1 MB, which
// stays in the cache while the layers pass over it; 64 MB where it is a block's whole length.
constexpr std::size_t kSegmentBlock = 256;
constexpr std::size_t kWindowFloats = std::size_t{1} << 18;
constexpr std::size_t kWholeFloats = std::size_t{1} << 24;

// Segments [first, first + count) at steps [begin, end). Row offsets[t - begin] + b - first of the window is
// step t of segment b.
struct Window {
  std::size_t first;
  std::size_t count;
  std::size_t begin;
  std::size_t end;
  std::size_t rows;
};

class ForwardPass {
 public:
  // Allocates all that the pass needs. initial_states [N, S] or null; in and options as for Network::forward.
  ForwardPass(const Weights& weights, const rnn_sequences_t& in, const rnn_forward_options_t& options,
              const float* initial_states, float* outputs);

  void run() noexcept;
  const float* final_states() const noexcept { return final_states_; }  // [N, S]

 private:
  struct WindowBuffers;

  std::size_t active(const Window& window, std::size_t t) const noexcept {
    return std::min(plan_.active(t), window.first + window.count) - window.first;
  }
  float* carried(std::size_t state, const Strand& strand, std::size_t i) noexcept {
    const Strand::State& vector = strand.states[state];
    return carried_ + vector.place * block_ + i * kernels::padded(vector.size);
  }
  // A state of the strand in work after each step: h stands where the layer's output has it.
  float* state_at(std::size_t state, const Strand& strand, std::size_t row) noexcept {
    return state != 0 ? c_ + row * width_ : o_ + row * stride_ + strand.column;
  }
  float* past(const Strand& strand, std::size_t i) noexcept {
    return pasts_ + strand.past.place * block_ + i * strand.past.size;
  }
  std::size_t state_stride(std::size_t state) const noexcept { return state == 0 ? stride_ : width_; }

  void allocate();
  std::size_t place_numbers(float* base);
  std::size_t block_at(std::size_t first) const noexcept;
  void start(const Window& window) noexcept;
  void extend(Window& window) noexcept;
  void point_to_inputs(const Window& window) noexcept;
  kernels::Rows previous(const Window& window, std::size_t state, const Strand& strand,
                         std::size_t t) noexcept;
  void copy_input(const Strand& strand, std::size_t i, std::size_t position, float* to) noexcept;
  void make_windows(const Window& window, const Strand& strand) noexcept;
  void carry_past(const Window& window, const Strand& strand) noexcept;
  void carry(const Window& window, const Strand& strand) noexcept;
  void write_states(const Window& window, const Strand& strand) noexcept;
  void write_outputs(const Window& window) noexcept;
  void pool(const Window& window) noexcept;
  void write_pooled(const Window& window) noexcept;
  void write_head(std::size_t count) noexcept;
  void finish(const Window& window) noexcept;

  const Weights& weights_;
  const rnn_sequences_t& in_;
  const rnn_forward_options_t& options_;
  const float* initial_states_;
  float* outputs_;
  std::size_t width_ = 0;                                  // padded H, the widest layer's
  std::size_t gates_width_ = 0;                            // padded G*H
  std::size_t kept_width_ = 0;                             // padded kept, if a layer's step reads it
  std::size_t unprojected_width_ = 0, product_width_ = 0;  // padded H and G*H, if there are some
  std::size_t stride_ = 0;                                 // padded D*P
  std::size_t window_width_ = 0;                           // padded K*X of a convolution
  std::size_t most_states_ = 1;                            // of a strand
  bool whole_;          // segments go through the layers whole, for there is a reverse strand
  std::size_t layers_;  // 2 if a layer may not write where it reads
  std::size_t end_;     // of the layers that go through all steps
  Plan plan_;
  std::size_t block_ = 0;  // most segments at once
  std::size_t rows_ = 0;   // most rows of a window

  // All numbers, in one piece, which malloc keeps for the next pass; of pieces it gives back the pages, and a
  // small network's pass takes as long as to fault them in again.
  Buffer<float> numbers_;
  float* gates_ = nullptr;    // [rows, padded G*H]
  float* c_ = nullptr;        // [rows, padded H]  of the strand in work
  float* x_ = nullptr;        // [rows, padded D*P]  what a layer after the first reads
  float* o_ = nullptr;        // [rows, padded D*P]  and what it writes; may be the same
  float* carried_ = nullptr;  // [vectors, block, padded H]  each segment's state between windows,
  float* pasts_ = nullptr;    // [convolutions, block, reach, X]  and the inputs before the next one
  float* windows_ = nullptr;  // [rows, padded K*X]  of the convolution in work
  float *kept_ = nullptr, *unprojected_ = nullptr, *product_ = nullptr;  // [block, padded]  of one step
  float* pooled_ = nullptr;                                              // [block, padded D*P]
  float* final_states_ = nullptr;  // [N, S]  apart from the caller's, which may be the initial ones
  Buffer<std::size_t> offsets_;    // [steps of the window]
  Buffer<const float*> inputs_;    // [rows]  the window's inputs,
  Buffer<std::int32_t> indices_;   // [rows]  or these
  Buffer<const float*> previous_;  // [parts, block]  where they do not stand one after the other
  Buffer<float*> targets_;         // [rows]  where the head writes
};

ForwardPass::ForwardPass(const Weights& weights, const rnn_sequences_t& in,
                         const rnn_forward_options_t& options, const float* initial_states, float* outputs)
    : weights_(weights),
      in_(in),
      options_(options),
      initial_states_(initial_states),
      outputs_(outputs),
      whole_(weights.has_reverse()),
      layers_(whole_ ? 2 : 1),
      // Dense layers have no state: with pooling those behind it take its rows, and without outputs none.
      end_(outputs == nullptr || options.pooling != RNN_POOLING_NONE ? weights.layers_before_pooling()
                                                                     : weights.num_layers()) {
  bool reads_kept = false;
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Layer& layer = weights.layer(l);
    const auto room = [](std::size_t& width, std::size_t size) {
      width = std::max(width, kernels::padded(size));
    };
    room(width_, layer.hidden);
    room(gates_width_, layer.gates());
    room(stride_, layer.width());
    reads_kept = reads_kept || layer.cell->reads_kept();
    room(kept_width_, layer.kept());
    if (layer.has_projection()) room(unprojected_width_, layer.hidden);
    if (layer.separates_product()) room(product_width_, layer.gates());
    if (layer.residual) layers_ = 2;
    if (layer.has_window()) room(window_width_, layer.columns());
    most_states_ = std::max(most_states_, layer.cell->states);
  }
  if (!reads_kept) kept_width_ = 0;  // where there is room, cells that do not read it write it, too
  Buffer<Slice> slices(weights.allocator(), in.count);
  for (std::size_t n = 0, first = 0; n < in.count; first += in.lengths[n], ++n)
    slices[n] = {first, in.lengths[n]};
  plan_.build(weights.allocator(), slices.data(), in.count, in.resets);
  allocate();
}

void ForwardPass::allocate() {
  const Allocator& allocator = weights_.allocator();
  const std::size_t row = gates_width_ + (most_states_ - 1) * width_ + layers_ * stride_ + window_width_;
  if (!whole_) {
    const std::size_t blocks = (plan_.segments() + kSegmentBlock - 1) / kSegmentBlock;
    block_ = (plan_.segments() + blocks - 1) / blocks;  // as equal as can be
    rows_ = std::max(block_, std::min(plan_.rows(), kWindowFloats / row));
  } else {
    rows_ = std::max(plan_.steps(), std::min(plan_.rows(), kWholeFloats / row));
    for (std::size_t first = 0; first < plan_.segments(); first += block_at(first))
      block_ = std::max(block_, block_at(first));
  }
  numbers_ = Buffer<float>(allocator, place_numbers(nullptr));
  place_numbers(numbers_.data());
  offsets_ = Buffer<std::size_t>(allocator, std::min(rows_, plan_.steps()));
  if (in_.indices != nullptr && !weights_.has_embedding())
    indices_ = Buffer<std::int32_t>(allocator, rows_);
  else
    inputs_ = Buffer<const float*>(allocator, rows_);
  if (whole_) previous_ = Buffer<const float*>(allocator, most_states_ * block_);
  if (outputs_ == nullptr) return;
  targets_ = Buffer<float*>(allocator, rows_);
}

// From `base` on, unless that is null; returns how many there are.
std::size_t ForwardPass::place_numbers(float* base) {
  std::size_t size = 0;
  const auto take = [&](std::size_t rows, std::size_t width) {
    const std::size_t count = checked_product(rows, width);
    float* const taken = base != nullptr && count > 0 ? base + size : nullptr;
    if (count > static_cast<std::size_t>(-1) - size) throw std::bad_alloc();
    size += count;
    return taken;
  };
  const auto take_if = [&](bool wanted, std::size_t rows, std::size_t width) {
    return wanted ? take(rows, width) : nullptr;
  };
  gates_ = take(rows_, gates_width_);
  c_ = take(rows_, (most_states_ - 1) * width_);
  x_ = take(rows_, stride_);
  o_ = layers_ > 1 ? take(rows_, stride_) : x_;
  carried_ = take(weights_.padded_state_size(), block_);
  pasts_ = take(weights_.past_size(), block_);
  windows_ = take(rows_, window_width_);
  kept_ = take(block_, kept_width_);
  unprojected_ = take(block_, unprojected_width_);
  product_ = take(block_, product_width_);
  pooled_ = take_if(outputs_ != nullptr && options_.pooling != RNN_POOLING_NONE, block_, stride_);
  final_states_ =
      take_if(options_.final_states != nullptr || options_.stateful != 0, in_.count, weights_.state_size());
  return size;
}

// How many segments to sweep together from this one on.
std::size_t ForwardPass::block_at(std::size_t first) const noexcept {
  const std::size_t left = plan_.segments() - first;
  if (!whole_) return std::min(block_, left);
  std::size_t count = 0;
  for (std::size_t rows = 0; count < std::min(kSegmentBlock, left); ++count) {
    rows += plan_.segment(first + count).length;
    if (rows > rows_) break;
  }
  return count;
}

// Leaves each layer's output in x_, where the next one and the head read it.
struct ForwardPass::WindowBuffers {
  ForwardPass& pass;
  const Window& window;

  bool step_at_once(std::size_t) const noexcept { return false; }
  bool multiplies_inputs(std::size_t) const noexcept { return true; }
  template <class Visit>
  void for_rows(const Visit& visit) const noexcept {
    visit(0, window.rows);
  }
  void make_windows(std::size_t l) const noexcept {
    pass.make_windows(window, pass.weights_.strand(pass.weights_.layer(l).first_strand));
  }
  kernels::Rows windows(std::size_t, std::size_t) const noexcept {
    return {pass.windows_, pass.window_width_, nullptr};
  }
  kernels::Rows input(std::size_t l, std::size_t) const noexcept {
    if (l > 0) return {pass.x_, pass.stride_, nullptr};
    return {nullptr, 0, pass.inputs_.data()};
  }
  const std::int32_t* indices(std::size_t l, std::size_t) const noexcept {
    return l == 0 ? pass.indices_.data() : nullptr;
  }
  kernels::MutableRows gates(std::size_t, std::size_t first) const noexcept {
    return {pass.gates_ + first * pass.gates_width_, pass.gates_width_, nullptr};
  }
  Normalized normalized(std::size_t, std::size_t) const noexcept { return {}; }
  template <class Visit>
  void for_steps(std::size_t s, const Visit& visit) const noexcept {
    const Strand& strand = pass.weights_.strand(s);
    cells::ForwardStep step{};
    step.hidden = strand.layer->hidden;
    if (!strand.layer->cell->keeps_h) {
      step.rows = window.rows;
      step.gates = gates(s, 0);
      step.next[0] = {pass.state_at(0, strand, 0), pass.state_stride(0), nullptr};
      return visit(step);
    }
    step.kept = {pass.kept_, pass.kept_width_, nullptr};
    step.unprojected = {pass.unprojected_, pass.unprojected_width_, nullptr};
    step.product = {pass.product_, pass.product_width_, nullptr};
    for (std::size_t i = window.begin; i < window.end; ++i) {
      const std::size_t t = strand.reverse ? window.end - 1 - (i - window.begin) : i;
      const std::size_t row = pass.offsets_[t - window.begin];
      step.rows = pass.active(window, t);
      step.gates = gates(s, row);
      for (std::size_t state = 0; state < strand.layer->cell->states; ++state) {
        step.previous[state] = pass.previous(window, state, strand, t);
        step.next[state] = {pass.state_at(state, strand, row), pass.state_stride(state), nullptr};
      }
      visit(step);
    }
  }
  void end_strand(std::size_t s) const noexcept {
    const Strand& strand = pass.weights_.strand(s);
    pass.carry(window, strand);
    if (pass.options_.states != nullptr) pass.write_states(window, strand);
  }
  bool copies(const Layer&) const noexcept { return false; }
  kernels::Rows h(std::size_t s, std::size_t) const noexcept {
    return {pass.o_ + pass.weights_.strand(s).column, pass.stride_, nullptr};
  }
  kernels::MutableRows output(std::size_t, std::size_t) const noexcept {
    return {pass.o_, pass.stride_, nullptr};
  }
  void end_layer(std::size_t) const noexcept { std::swap(pass.x_, pass.o_); }
};

void ForwardPass::run() noexcept {
  for (std::size_t first = 0; first < plan_.segments();) {
    Window window{first, block_at(first), 0, 0, 0};
    start(window);
    const std::size_t steps = plan_.segment(first).length;
    while (window.end < steps) {
      extend(window);
      point_to_inputs(window);
      WindowBuffers buffers{*this, window};
      walk_layers(weights_, 0, end_, buffers);
      if (outputs_ == nullptr) continue;
      if (options_.pooling == RNN_POOLING_NONE)
        write_outputs(window);
      else
        pool(window);
    }
    if (outputs_ != nullptr && options_.pooling != RNN_POOLING_NONE) write_pooled(window);
    if (final_states_ != nullptr) finish(window);
    first += window.count;
  }
}

// The states before the first step of a block's segments; of a backward strand, that is the last.
void ForwardPass::start(const Window& window) noexcept {
  for (std::size_t s = 0; s < weights_.strands(); ++s) {
    const Strand& strand = weights_.strand(s);
    for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
         ++state) {
      const Strand::State& vector = strand.states[state];
      for (std::size_t i = 0; i < window.count; ++i) {
        const Segment& segment = plan_.segment(window.first + i);
        const bool given = strand.reverse ? segment.ends_slice : segment.starts_slice;
        const float* initial = vector.initial;
        if (given && initial_states_ != nullptr)
          initial = initial_states_ + segment.slice * weights_.state_size() + vector.offset;
        std::copy_n(initial, vector.size, carried(state, strand, i));
      }
    }
    for (std::size_t i = 0; strand.past.size != 0 && i < window.count; ++i) {
      const Segment& segment = plan_.segment(window.first + i);
      if (segment.starts_slice && initial_states_ != nullptr)
        std::copy_n(initial_states_ + segment.slice * weights_.state_size() + strand.past.offset,
                    strand.past.size, past(strand, i));
      else
        std::fill_n(past(strand, i), strand.past.size, 0.0f);
    }
  }
}

// Move on to the next steps, as many as there is room for, which is one at least.
void ForwardPass::extend(Window& window) noexcept {
  const std::size_t steps = plan_.segment(window.first).length;
  window.begin = window.end;
  window.rows = 0;
  while (window.end < steps && window.rows + active(window, window.end) <= rows_) {
    offsets_[window.end - window.begin] = window.rows;
    window.rows += active(window, window.end);
    ++window.end;
  }
}

void ForwardPass::point_to_inputs(const Window& window) noexcept {
  std::size_t row = 0;
  for (std::size_t t = window.begin; t < window.end; ++t) {
    const std::size_t end = window.first + active(window, t);
    for (std::size_t b = window.first; b < end; ++b, ++row) {
      const std::size_t frame = plan_.frame(t, b);
      if (in_.indices == nullptr)
        inputs_[row] = in_.inputs + frame * weights_.input_size();
      else if (weights_.has_embedding())
        inputs_[row] = weights_.embedding(static_cast<std::size_t>(in_.indices[frame]));
      else
        indices_[row] = in_.indices[frame];
    }
  }
}

// The state before step t. A backward strand comes from step t + 1, where the segment has one.
kernels::Rows ForwardPass::previous(const Window& window, std::size_t state, const Strand& strand,
                                    std::size_t t) noexcept {
  const kernels::Rows start{carried(state, strand, 0), kernels::padded(strand.states[state].size), nullptr};
  const bool backward = strand.reverse;
  if (t == (backward ? window.end - 1 : window.begin)) return start;
  const float* last = state_at(state, strand, offsets_[(backward ? t + 1 : t - 1) - window.begin]);
  const std::size_t stride = state_stride(state);
  const std::size_t rows = active(window, t), going_on = backward ? active(window, t + 1) : rows;
  if (rows == going_on) return {last, stride, nullptr};
  const float** pointers = previous_.data() + state * block_;
  for (std::size_t i = 0; i < rows; ++i)
    pointers[i] = i < going_on ? last + i * stride : start.base + i * start.stride;
  return {nullptr, 0, pointers};
}

// The input at a position: the past has the first ones, and step t of the window the one behind them and t more.
void ForwardPass::copy_input(const Strand& strand, std::size_t i, std::size_t position, float* to) noexcept {
  const Layer& layer = *strand.layer;
  const std::size_t X = layer.inputs, reach = layer.reach();
  if (position < reach) {
    std::copy_n(past(strand, i) + position * X, X, to);
    return;
  }
  const std::size_t row = offsets_[position - reach] + i;
  if (layer.index > 0) {
    std::copy_n(x_ + row * stride_, X, to);
  } else if (inputs_.size() != 0) {
    std::copy_n(inputs_[row], X, to);
  } else {
    std::fill_n(to, X, 0.0f);
    to[indices_[row]] = 1.0f;
  }
}

// What the taps of a convolution read at each step of the window.
void ForwardPass::make_windows(const Window& window, const Strand& strand) noexcept {
  const Layer& layer = *strand.layer;
  for (std::size_t t = window.begin; t < window.end; ++t)
    for (std::size_t i = 0; i < active(window, t); ++i)
      for (std::size_t k = 0; k < layer.taps; ++k)
        copy_input(strand, i, t - window.begin + k * layer.dilation,
                   windows_ + (offsets_[t - window.begin] + i) * window_width_ + k * layer.inputs);
  carry_past(window, strand);
}

// Write the past after each step, if it is wanted, and keep that after each segment's last one.
void ForwardPass::carry_past(const Window& window, const Strand& strand) noexcept {
  const std::size_t X = strand.layer->inputs, S = weights_.state_size();
  for (std::size_t i = 0; i < active(window, window.begin); ++i) {
    const std::size_t steps = std::min(plan_.segment(window.first + i).length, window.end) - window.begin;
    for (std::size_t t = options_.states != nullptr ? 0 : steps; t < steps; ++t) {
      float* const out = options_.states + plan_.frame(window.begin + t, window.first + i) * S;
      for (std::size_t j = 0; j < strand.layer->reach(); ++j)
        copy_input(strand, i, t + 1 + j, out + strand.past.offset + j * X);
    }
    for (std::size_t j = 0; j < strand.layer->reach(); ++j)
      copy_input(strand, i, steps + j, past(strand, i) + j * X);
  }
}

// Keep the last state in the window of each segment that has a step in it.
void ForwardPass::carry(const Window& window, const Strand& strand) noexcept {
  for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
       ++state) {
    for (std::size_t i = 0; i < active(window, window.begin); ++i) {
      const std::size_t end = std::min(plan_.segment(window.first + i).length, window.end);
      const std::size_t last = strand.reverse ? window.begin : end - 1;
      std::copy_n(state_at(state, strand, offsets_[last - window.begin] + i), strand.states[state].size,
                  carried(state, strand, i));
    }
  }
}

void ForwardPass::write_states(const Window& window, const Strand& strand) noexcept {
  const std::size_t S = weights_.state_size();
  for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
       ++state) {
    float* out = options_.states + strand.states[state].offset;
    std::size_t row = 0;
    for (std::size_t t = window.begin; t < window.end; ++t) {
      const std::size_t end = window.first + active(window, t);
      for (std::size_t b = window.first; b < end; ++b, ++row)
        std::copy_n(state_at(state, strand, row), strand.states[state].size, out + plan_.frame(t, b) * S);
    }
  }
}

void ForwardPass::write_outputs(const Window& window) noexcept {
  std::size_t row = 0;
  for (std::size_t t = window.begin; t < window.end; ++t) {
    const std::size_t end = window.first + active(window, t);
    for (std::size_t b = window.first; b < end; ++b, ++row)
      targets_[row] = outputs_ + plan_.frame(t, b) * weights_.output_size();
  }
  write_head(window.rows);
  add_inputs(weights_, window.rows, {{nullptr, 0, inputs_.data()}, indices_.data()},
             {nullptr, 0, targets_.data()});
}

// Take the window's steps into the pooled outputs of the block's segments, in the order of time.
void ForwardPass::pool(const Window& window) noexcept {
  for (std::size_t t = window.begin; t < window.end; ++t) {
    const float* const o = x_ + offsets_[t - window.begin] * stride_;
    for (std::size_t i = 0; i < active(window, t); ++i)
      pool_step(options_.pooling, weights_.pooled_layer(), t, plan_.segment(window.first + i).length,
                o + i * stride_, pooled_ + i * stride_, nullptr);
  }
}

// The layers behind the pooling, with a row for each segment that ends a sequence.
void ForwardPass::write_pooled(const Window& window) noexcept {
  const Layer& layer = weights_.pooled_layer();
  Window ended{window.first, 0, 0, 0, 0};
  for (std::size_t i = 0; i < window.count; ++i) {
    const Segment& segment = plan_.segment(window.first + i);
    if (!segment.ends_slice) continue;
    finish_pooling(options_.pooling, layer, segment.length, pooled_ + i * stride_);
    std::copy_n(pooled_ + i * stride_, layer.outputs(), x_ + ended.rows * stride_);
    targets_[ended.rows++] = outputs_ + segment.slice * weights_.output_size();
  }
  if (ended.rows == 0) return;
  WindowBuffers buffers{*this, ended};
  walk_layers(weights_, end_, weights_.num_layers(), buffers);
  write_head(ended.rows);
}

// From the last layer's output to targets_.
void ForwardPass::write_head(std::size_t count) noexcept {
  apply_head(weights_, count, {x_, stride_, nullptr}, weights_.output_size(), {nullptr, 0, targets_.data()});
}

void ForwardPass::finish(const Window& window) noexcept {
  for (std::size_t i = 0; i < window.count; ++i) {
    const Segment& segment = plan_.segment(window.first + i);
    float* out = final_states_ + segment.slice * weights_.state_size();
    for (std::size_t s = 0; s < weights_.strands(); ++s) {
      const Strand& strand = weights_.strand(s);
      if (!(strand.reverse ? segment.opens_slice : segment.ends_slice)) continue;
      for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
           ++state)
        std::copy_n(carried(state, strand, i), strand.states[state].size, out + strand.states[state].offset);
      std::copy_n(past(strand, i), strand.past.size, out + strand.past.offset);
    }
  }
}

// The steps of one stream in the order of time. A pass is better where it takes steps of several segments together, or
// where the state after each step is wanted.
bool is_one_block(const Weights& weights, const rnn_sequences_t& in,
                  const rnn_forward_options_t& options) noexcept {
  if (in.count != 1 || weights.has_reverse() || options.states != nullptr) return false;
  return in.resets == nullptr || std::find(in.resets + 1, in.resets + in.frames, 1) == in.resets + in.frames;
}

}  // namespace

void Network::forward(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs) {
  if (options.stateful != 0 && weights_->has_reverse())
    throw Error(RNN_INVALID_ARGUMENT,
                "options.stateful is 1; it must be 0, because a network with a reverse direction needs whole "
                "sequences");
  if (is_delayed_ && options.pooling != RNN_POOLING_NONE)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.pooling is %d; it must be %d where steps have a delay, here of %s", options.pooling,
                RNN_POOLING_NONE, number(delay_).c_str());
  check_pooling(*weights_, options.pooling, "options");
  if (keeps_past_ && options.stateful == 0) return forward_beside(in, options, outputs);
  if (options.pooling == RNN_POOLING_NONE &&
      (keeps_past_ || steps_best_alone(in.indices != nullptr) || is_one_block(*weights_, in, options)))
    return forward_by_steps(in, options, outputs);
  Buffer<float> own(allocator_, options.stateful != 0 ? weights_->state_size() : 0);
  if (options.stateful != 0) get_state(own.data());
  ForwardPass pass(*weights_, in, options, options.stateful != 0 ? own.data() : options.initial_states,
                   outputs);
  // With pooling, a stream with a history is stepped beside the pass. Both compute the same states.
  rnn_forward_options_t advance{};
  advance.stateful = 1;
  if (keeps_past_) forward_by_steps(in, advance, nullptr);
  {
    const kernels::FloatMode mode;
    pass.run();
  }
  if (options.stateful != 0 && !keeps_past_) set_state(pass.final_states());
  if (options.final_states != nullptr)
    std::copy_n(pass.final_states(), in.count * weights_->state_size(), options.final_states);
}

// By a stream beside this one, whose past is more than a state. Sequences do not start from that.
void Network::forward_beside(const rnn_sequences_t& in, const rnn_forward_options_t& options,
                             float* outputs) const {
  Network stream(weights_);
  if (!is_delayed_) return stream.forward(in, options, outputs);
  stream.set_delay(delay_);
  stream.forward_by_steps(in, options, outputs);
}

// In and from this stream's own state, of which another comes back.
void Network::forward_by_steps(const rnn_sequences_t& in, const rnn_forward_options_t& options,
                               float* outputs) {
  const std::size_t I = weights_->input_size(), O = weights_->output_size(), S = weights_->state_size();
  const bool by_index = in.indices != nullptr;
  Buffer<float> own(allocator_, options.stateful == 0 ? S : 0);
  const std::size_t longest =
      options.states == nullptr ? *std::max_element(in.lengths, in.lengths + in.count) : 1;
  BlockRoom more = room_.steps == 0 && !is_delayed_ ? make_room(longest, by_index) : BlockRoom();
  BlockRoom& room = room_.steps == 0 ? more : room_;
  if (options.stateful == 0) get_state(own.data());
  const kernels::FloatMode mode;
  for (std::size_t n = 0, frame = 0; n < in.count; ++n) {
    if (options.initial_states != nullptr)
      set_state(options.initial_states + n * S);
    else if (options.stateful == 0)
      reset();
    for (const std::size_t end = frame + in.lengths[n]; frame < end;) {
      const std::size_t first = frame++;
      if (in.resets != nullptr && in.resets[first] != 0) reset();
      while (frame < end && options.states == nullptr && (in.resets == nullptr || in.resets[frame] == 0))
        ++frame;
      step_parts(room, frame - first, by_index ? nullptr : in.inputs + first * I,
                 by_index ? in.indices + first : nullptr, outputs != nullptr ? outputs + first * O : nullptr);
      if (options.states != nullptr) get_state(options.states + first * S);
    }
    if (options.final_states != nullptr) get_state(options.final_states + n * S);
  }
  if (options.stateful == 0) set_state(own.data());
}

}  // namespace rnn

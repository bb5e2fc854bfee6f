// Whole sequences: window by window of steps, layer by layer, so that the input projections and the head are
// large products, and memory stays bounded.
#include <algorithm>
#include <cstdint>

#include "lib/kernels/float_mode.h"
#include "lib/network/network.h"
#include "lib/network/plan.h"

namespace rnn {
namespace {

// Segments that are swept together, and about how many floats of activations a window may have: 1 MB, which
// stays in the cache while the layers pass over it.
constexpr std::size_t kBlock = 256;
constexpr std::size_t kWindowFloats = std::size_t{1} << 18;

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
  const float* final_states() const noexcept { return final_states_.data(); }  // [N, S]

 private:
  std::size_t active(const Window& window, std::size_t t) const noexcept {
    return std::min(plan_.active(t), window.first + window.count) - window.first;
  }
  float* carried(std::size_t vector, std::size_t row) noexcept {
    return carried_.data() + (vector * block_ + row) * width_;
  }
  float* states(std::size_t part, std::size_t row) noexcept {
    return states_.data() + (part * rows_ + row) * width_;
  }

  void start(const Window& window) noexcept;
  void extend(Window& window) noexcept;
  void point_to_inputs(const Window& window) noexcept;
  void project(const Window& window, std::size_t layer) noexcept;
  void sweep(const Window& window, std::size_t layer) noexcept;
  void carry(const Window& window, std::size_t layer) noexcept;
  void write_states(const Window& window, std::size_t layer) noexcept;
  void write_outputs(const Window& window) noexcept;
  void finish(const Window& window) noexcept;

  const Weights& weights_;
  const rnn_sequences_t& in_;
  const rnn_forward_options_t& options_;
  const float* initial_states_;
  float* outputs_;
  std::size_t width_;        // padded H
  std::size_t gates_width_;  // padded G*H
  Plan plan_;
  std::size_t block_;             // most segments at once
  std::size_t rows_;              // most rows of a window
  Buffer<float> gates_;           // [rows, padded G*H]
  Buffer<float> states_;          // [parts, rows, padded H] of the layer in work
  Buffer<float> carried_;         // [parts * L, block, padded H] each segment's state after the window before
  Buffer<float> final_states_;    // apart from the caller's, which may be the initial ones
  Buffer<std::size_t> offsets_;   // [steps of the window]
  Buffer<const float*> inputs_;   // [rows] the window's inputs,
  Buffer<std::int32_t> indices_;  // [rows] or these
  Buffer<const float*> hidden_;   // [rows] what the head reads,
  Buffer<float*> targets_;        // [rows] and where it writes
};

ForwardPass::ForwardPass(const Weights& weights, const rnn_sequences_t& in,
                         const rnn_forward_options_t& options, const float* initial_states, float* outputs)
    : weights_(weights),
      in_(in),
      options_(options),
      initial_states_(initial_states),
      outputs_(outputs),
      width_(weights.width()),
      gates_width_(weights.gates_width()) {
  const Allocator& allocator = weights.allocator();
  const std::size_t parts = weights.cell().states;
  Buffer<Slice> slices(allocator, in.count);
  for (std::size_t n = 0, first = 0; n < in.count; first += in.lengths[n], ++n)
    slices[n] = {first, in.lengths[n]};
  plan_.build(allocator, slices.data(), in.count, in.resets);

  const std::size_t blocks = (plan_.segments() + kBlock - 1) / kBlock;
  block_ = (plan_.segments() + blocks - 1) / blocks;  // as equal as can be
  rows_ = std::max(block_, std::min(plan_.rows(), kWindowFloats / (gates_width_ + parts * width_)));
  gates_ = Buffer<float>(allocator, checked_product(rows_, gates_width_));
  states_ = Buffer<float>(allocator, checked_product(parts * rows_, width_));
  carried_ = Buffer<float>(allocator, checked_product(weights.state_vectors() * block_, width_));
  if (options.final_states != nullptr || options.stateful != 0)
    final_states_ = Buffer<float>(allocator, checked_product(in.count, weights.state_size()));
  offsets_ = Buffer<std::size_t>(allocator, std::min(rows_, plan_.steps()));
  if (in.indices != nullptr)
    indices_ = Buffer<std::int32_t>(allocator, rows_);
  else
    inputs_ = Buffer<const float*>(allocator, rows_);
  if (outputs == nullptr) return;
  hidden_ = Buffer<const float*>(allocator, rows_);
  targets_ = Buffer<float*>(allocator, rows_);
}

void ForwardPass::run() noexcept {
  for (std::size_t first = 0; first < plan_.segments(); first += block_) {
    Window window{first, std::min(block_, plan_.segments() - first), 0, 0, 0};
    start(window);
    const std::size_t steps = plan_.segment(first).length;
    while (window.end < steps) {
      extend(window);
      point_to_inputs(window);
      for (std::size_t l = 0; l < weights_.num_layers(); ++l) {
        project(window, l);
        sweep(window, l);
        carry(window, l);
        if (options_.states != nullptr) write_states(window, l);
      }
      if (outputs_ != nullptr) write_outputs(window);
    }
    if (final_states_.size() != 0) finish(window);
  }
}

// The states before the first step of a block's segments.
void ForwardPass::start(const Window& window) noexcept {
  const std::size_t H = weights_.hidden_size(), L = weights_.num_layers();
  for (std::size_t v = 0; v < weights_.state_vectors(); ++v) {
    for (std::size_t i = 0; i < window.count; ++i) {
      const Segment& segment = plan_.segment(window.first + i);
      if (segment.starts_slice && initial_states_ != nullptr)
        std::copy_n(initial_states_ + segment.slice * weights_.state_size() + v * H, H, carried(v, i));
      else
        std::copy_n(weights_.initial(v / L, v % L), H, carried(v, i));
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
      if (in_.indices != nullptr)
        indices_[row] = in_.indices[frame];
      else
        inputs_[row] = in_.inputs + frame * weights_.input_size();
    }
  }
}

// The gates' input projections, of all rows at once. Layer l reads what layer l-1 left in states_.
void ForwardPass::project(const Window& window, std::size_t layer) noexcept {
  const kernels::Table& table = weights_.table();
  const cells::LayerWeights& w = weights_.layer(layer);
  const kernels::Rows bias{w.bias, 0, nullptr};
  const kernels::MutableRows gates{gates_.data(), gates_width_, nullptr};
  if (layer > 0)
    table.gemm(w.input, window.rows, {states(0, 0), width_, nullptr}, bias, gates_width_, gates);
  else if (in_.indices != nullptr)
    table.gather(w.input, window.rows, indices_.data(), bias, gates_width_, gates);
  else
    table.gemm(w.input, window.rows, {nullptr, 0, inputs_.data()}, bias, gates_width_, gates);
}

void ForwardPass::sweep(const Window& window, std::size_t layer) noexcept {
  cells::ForwardStep step;
  step.width = width_;
  for (std::size_t t = window.begin; t < window.end; ++t) {
    const std::size_t row = offsets_[t - window.begin];
    step.rows = active(window, t);
    step.gates = {gates_.data() + row * gates_width_, gates_width_, nullptr};
    for (std::size_t part = 0; part < weights_.cell().states; ++part) {
      const float* previous = t == window.begin ? carried(part * weights_.num_layers() + layer, 0)
                                                : states(part, offsets_[t - 1 - window.begin]);
      step.previous[part] = {previous, width_, nullptr};
      step.next[part] = {states(part, row), width_, nullptr};
    }
    weights_.cell().forward(weights_.table(), weights_.layer(layer), step);
  }
}

// Keep the last state in the window of each segment that has a step in it.
void ForwardPass::carry(const Window& window, std::size_t layer) noexcept {
  for (std::size_t part = 0; part < weights_.cell().states; ++part) {
    for (std::size_t i = 0; i < active(window, window.begin); ++i) {
      const std::size_t last = std::min(plan_.segment(window.first + i).length, window.end) - 1;
      std::copy_n(states(part, offsets_[last - window.begin] + i), width_,
                  carried(part * weights_.num_layers() + layer, i));
    }
  }
}

void ForwardPass::write_states(const Window& window, std::size_t layer) noexcept {
  const std::size_t H = weights_.hidden_size(), S = weights_.state_size();
  for (std::size_t part = 0; part < weights_.cell().states; ++part) {
    float* out = options_.states + (part * weights_.num_layers() + layer) * H;
    std::size_t row = 0;
    for (std::size_t t = window.begin; t < window.end; ++t) {
      const std::size_t end = window.first + active(window, t);
      for (std::size_t b = window.first; b < end; ++b, ++row)
        std::copy_n(states(part, row), H, out + plan_.frame(t, b) * S);
    }
  }
}

// The head over the rows whose output is asked for, each to its place.
void ForwardPass::write_outputs(const Window& window) noexcept {
  const std::size_t O = weights_.output_size();
  std::size_t row = 0, count = 0;
  for (std::size_t t = window.begin; t < window.end; ++t) {
    const std::size_t end = window.first + active(window, t);
    for (std::size_t b = window.first; b < end; ++b, ++row) {
      const Segment& segment = plan_.segment(b);
      if (options_.last_only != 0 && !(segment.ends_slice && t + 1 == segment.length)) continue;
      hidden_[count] = states(0, row);
      targets_[count] = outputs_ + (options_.last_only != 0 ? segment.slice : plan_.frame(t, b)) * O;
      ++count;
    }
  }
  if (weights_.has_head())
    weights_.table().gemm(weights_.head(), count, {nullptr, 0, hidden_.data()},
                          {weights_.head_bias(), 0, nullptr}, O, {nullptr, 0, targets_.data()});
  else
    for (std::size_t i = 0; i < count; ++i) std::copy_n(hidden_[i], O, targets_[i]);
}

void ForwardPass::finish(const Window& window) noexcept {
  const std::size_t H = weights_.hidden_size();
  for (std::size_t i = 0; i < window.count; ++i) {
    const Segment& segment = plan_.segment(window.first + i);
    if (!segment.ends_slice) continue;
    float* out = final_states_.data() + segment.slice * weights_.state_size();
    for (std::size_t v = 0; v < weights_.state_vectors(); ++v) std::copy_n(carried(v, i), H, out + v * H);
  }
}

}  // namespace

void Network::forward(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs) {
  Buffer<float> own;
  if (options.stateful != 0) {
    own = Buffer<float>(allocator_, weights_->state_size());
    get_state(own.data());
  }
  ForwardPass pass(*weights_, in, options, options.stateful != 0 ? own.data() : options.initial_states,
                   outputs);
  {
    const kernels::FloatMode mode;
    pass.run();
  }
  if (options.stateful != 0) set_state(pass.final_states());
  if (options.final_states != nullptr)
    std::copy_n(pass.final_states(), in.count * weights_->state_size(), options.final_states);
}

}  // namespace rnn

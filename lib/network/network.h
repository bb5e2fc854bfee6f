// One stream: weights that may be shared, a state of its own, and the room that a step needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "lib/kernels/float_mode.h"
#include "lib/network/block_room.h"
#include "lib/network/memory.h"
#include "lib/network/past_states.h"
#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

class Network {
 public:
  explicit Network(WeightsRef weights);  // in the initial state
  Network(const Network& other);         // the same weights, shared, and a copy of the state

  const Weights& weights() const noexcept { return *weights_; }
  const WeightsRef& weights_ref() const noexcept { return weights_; }
  const Allocator& allocator() const noexcept { return allocator_; }

  void use(WeightsRef weights) noexcept;  // of the same architecture

  // Let `change` write to weights of this stream's own, copied first if they are shared. If anything throws, the
  // stream shares what it shared before; a change that can throw then leaves the weights as they were.
  template <class Change>
  void change_weights(const Change& change) {
    WeightsRef own = weights_.unique() ? weights_ : weights_.copy();
    change(own.mutate());
    use(std::move(own));
  }

  // One input, by value (x[I]; not with an embedding) or by index. y may be null. Not for bidirectional
  // networks. Real-time safe.
  void step(const float* x, float* y) noexcept {
    const kernels::FloatMode mode;
    step_from(x, 0, y);
  }
  void step(std::int32_t index, float* y) noexcept {
    const kernels::FloatMode mode;
    step_from(index, y);
  }
  // Networks over the same weights; rows of x[count, I] (or indices) and y[count, O]. Real-time safe.
  static void step_many(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept;

  // As many steps, from rows of x[steps, I] or, if that is null, indices[steps], to y[steps, O], which may be
  // null. Not for bidirectional networks. Real-time safe.
  void step_block(std::size_t steps, const float* x, const std::int32_t* indices, float* y) noexcept {
    const kernels::FloatMode mode;
    step_parts(room_, steps, x, indices, y);
  }
  // Make room for blocks of as many steps, without which these go one by one. Throws std::bad_alloc, and then has
  // changed nothing.
  void reserve_block(std::size_t steps);

  // See rnn_forward. `in` is checked by check_inputs, options are checked but for what depends on the
  // network. Throws Error(RNN_INVALID_ARGUMENT) or std::bad_alloc, and then has changed nothing.
  void forward(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs);

  void reset() noexcept;
  void get_state(float* state) const noexcept;
  void set_state(const float* state) noexcept;
  void copy_state(const Network& other) noexcept;  // of the same weights and delay, with all of its past

  // See rnn_set_delay. Throws Error(RNN_INVALID_ARGUMENT) or std::bad_alloc, and then has changed nothing.
  void set_delay(float delay);
  float delay() const noexcept { return delay_; }

  // See rnn_history. Throws std::bad_alloc, and then has changed nothing.
  void set_history(std::size_t steps);
  std::size_t history() const noexcept { return past_.states.history(); }
  std::size_t recorded() const noexcept { return past_.states.recorded(); }  // the steps to take back
  void rewind(std::size_t steps) noexcept;                                   // no more than these

 private:
  // See layer_walk.h.
  struct StreamBuffers;
  struct ManyBuffers;
  struct BlockBuffers;

  // The last inputs of a convolution, a ring of as many as there are back to the one that the first tap reads, and as
  // the history has steps. With a delay, they go as many times as far back.
  struct PastInputs {
    std::size_t place, rows;
    std::size_t next;  // the row of the next input
  };
  // What a stream remembers beside its state. Copied as a whole.
  struct Past {
    PastStates states;         // of a delay, or with a history
    Buffer<PastInputs> rings;  // [layers]
    Buffer<float> inputs;      // of all rings
  };

  void lay_out_scratch();
  void connect() noexcept;
  // From x or, if that is null, a one-hot input. Here, and so beside the code that calls it: on Zen 4 some
  // pages of code, by their physical addresses, cost each other 40 ns a step.
  void step_from(const float* x, std::int32_t index, float* y) noexcept {
    if (!is_bare_) return step_layers(x, index, y);
    step_function_(steps_[half_], x, index, y);
    half_ = 1 - half_;
  }
  // Of a stream whose turn is next: the processor does not look so far ahead.
  void prefetch_step() const noexcept {
    constexpr std::size_t kLine = 64;
    const auto* const step = reinterpret_cast<const char*>(&steps_[half_]);
    for (std::size_t i = 0; i < sizeof(kernels::CellStep); i += kLine) __builtin_prefetch(step + i);
  }
  void step_from(std::int32_t index, float* y) noexcept {
    if (weights_->has_embedding())
      step_from(weights_->embedding(static_cast<std::size_t>(index)), 0, y);
    else
      step_from(nullptr, index, y);
  }
  void step_layers(const float* x, std::int32_t index, float* y) noexcept;
  void step_chain(StreamBuffers& buffers) const noexcept;
  void add_input(const float* x, std::int32_t index, float* y) const noexcept;
  void point_to_states(const Strand& strand, std::size_t half) noexcept;
  bool steps_best_alone(bool by_index) const noexcept { return by_index ? indices_alone_ : inputs_alone_; }
  void forward_by_steps(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs);
  void forward_beside(const rnn_sequences_t& in, const rnn_forward_options_t& options, float* outputs) const;
  static void step_some(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept;
  // One after the other; inline for the same reason as step_from.
  void step_in_turn(std::size_t steps, const float* x, const std::int32_t* indices, float* y) noexcept {
    const std::size_t I = weights_->input_size(), O = weights_->output_size();
    for (std::size_t t = 0; t < steps; ++t) {
      if (x != nullptr)
        step_from(x + t * I, 0, y);
      else
        step_from(indices[t], y);
      if (y != nullptr) y += O;
    }
  }
  void step_parts(BlockRoom& room, std::size_t steps, const float* x, const std::int32_t* indices,
                  float* y) noexcept {
    if (room.steps != 0 && !is_delayed_ && steps >= fewest_steps_[x == nullptr])
      step_by_room(room, steps, x, indices, y);
    else
      step_in_turn(steps, x, indices, y);
  }
  void step_by_room(BlockRoom& room, std::size_t steps, const float* x, const std::int32_t* indices,
                    float* y) noexcept;
  void step_together(BlockRoom& room, std::size_t steps, const float* x, const std::int32_t* indices,
                     float* y) noexcept;
  BlockRoom make_room(std::size_t steps, bool by_index) const;
  void decide_on_blocks() noexcept;
  // A vector of the state in one of the two halves of states_, of which a step reads one and writes the other.
  float* state_in(std::size_t half, const Strand::State& state) noexcept {
    return states_.data() + half * weights_->padded_state_size() + state.place;
  }
  const float* state_in(std::size_t half, const Strand::State& state) const noexcept {
    return states_.data() + half * weights_->padded_state_size() + state.place;
  }
  template <class Visit>
  void visit_states(const Visit& visit) const noexcept;
  void make_window(const Strand& strand, const float* x, std::int32_t index, float* to) noexcept;
  template <class Visit>
  void visit_pasts(const Visit& visit) const noexcept;
  Past make_past(float delay, std::size_t history) const;
  const float* past_input(const Strand& strand, std::size_t back) const noexcept;
  void read_past(const Strand& strand, std::size_t steps, double ago, float* to) const noexcept;
  std::size_t restart_ring(const Strand& strand) noexcept;
  void exchange_state() noexcept;
  float* current_state() noexcept { return states_.data() + half_ * weights_->padded_state_size(); }

  Allocator allocator_;
  WeightsRef weights_;
  // What each step reads comes first, in as few cache lines as can be: many streams are stepped in turn.
  std::size_t half_ = 0;  // which half of the states is current
  // Where one kernel does a layer's step: that of the first layer, and what each reads and writes from each half.
  kernels::StepFunction step_function_ = nullptr;
  bool is_single_ = false;   // a step is that kernel, once,
  bool is_bare_ = false;     // and nothing else
  bool is_chain_ = false;    // a step is that kernel for each layer, and the head
  bool has_skip_ = false;    // inputs are added to the outputs
  bool is_delayed_ = false;  // delay_ is not 1
  bool keeps_past_ = false;  // past_.states has some
  // True of small networks of floats: what several streams save by reading the weights together is less than
  // what one kernel saves.
  bool indices_alone_ = false, inputs_alone_ = false;
  Buffer<kernels::CellStep> steps_;  // [2, L]

  Buffer<float> states_;       // [2, padded S]
  Buffer<float> scratch_;      // what step_, output_ and window_ point to
  cells::ForwardStep step_{};  // of this stream alone; ready but for the states
  float* output_ = nullptr;    // [padded P]  of a layer whose output is not h alone
  float* window_ = nullptr;    // [padded K*X]  of the convolution in work
  float delay_ = 1;            // a step reads the state of so many steps ago, or between two
  // The fewest steps of a block that are faster together than in turn: of vectors, of indices. With a delay all go in
  // turn.
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  std::size_t fewest_steps_[2] = {kNever, kNever};
  BlockRoom room_;  // of step_block; a copy of the stream has none
  Past past_;       // what was before states_
};

}  // namespace rnn

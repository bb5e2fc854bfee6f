#include "lib/network/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/kernels/float_mode.h"
#include "lib/network/error.h"
#include "lib/network/layer_walk.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

// Streams whose steps find in the L1 cache what they read.
constexpr std::size_t kNearStreams = 32;
// Streams that step_many works on at once: their pointers fit on the stack.
constexpr std::size_t kStreamBlock = 64;

// Most weights that the L1 cache has room for, with what else a step reads.
constexpr std::size_t kFewWeights = 8000;

// The longest delay that has room.
constexpr double kMostDelay = 4096;

constexpr kernels::Rows one(const float* vector) noexcept { return {vector, 0, nullptr}; }
constexpr kernels::MutableRows one_to(float* vector) noexcept { return {vector, 0, nullptr}; }

}  // namespace

Network::Network(WeightsRef weights)
    : allocator_(weights->allocator()),
      weights_(std::move(weights)),
      states_(allocator_, checked_product(2, weights_->padded_state_size())),
      past_(make_past(1, 0)) {
  lay_out_scratch();
  connect();
  reset();
}

Network::Network(const Network& other)
    : allocator_(other.allocator_),
      weights_(other.weights_),
      states_(allocator_, other.states_.size()),
      delay_(other.delay_),
      past_{PastStates(allocator_, other.past_.states),
            Buffer<PastInputs>(allocator_, other.past_.rings.size()),
            Buffer<float>(allocator_, other.past_.inputs.size())} {
  lay_out_scratch();
  connect();
  copy_state(other);
}

void Network::lay_out_scratch() {
  const Weights& weights = *weights_;
  std::size_t gates = 0, kept = 0, unprojected = 0, product = 0, output = 0, window = 0;
  const auto room = [](std::size_t& size, std::size_t wanted) { size = std::max(size, wanted); };
  bool one_kernel = false;  // of some layer's step
  bool reads_kept = false;
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Layer& layer = weights.layer(l);
    const std::size_t width = kernels::padded(layer.hidden);
    room(gates, layer.cell->gates * width);  // as kernels::CellStep has them
    reads_kept = reads_kept || layer.cell->reads_kept();
    room(kept, kernels::padded(layer.kept()));
    if (layer.has_projection()) room(unprojected, width);
    if (layer.separates_product()) room(product, kernels::padded(layer.gates()));
    if (layer.residual) room(output, kernels::padded(layer.outputs()));
    if (layer.has_window()) room(window, kernels::padded(layer.columns()));
    one_kernel = one_kernel || (layer.has_step() && !weights.has_reverse());
  }
  if (!reads_kept) kept = 0;  // where there is room, cells that do not read it write it, too
  scratch_ = Buffer<float>(allocator_, gates + kept + unprojected + product + output + window);
  float* next = scratch_.data();
  const auto take = [&next](std::size_t size) {
    float* const taken = size != 0 ? next : nullptr;
    next += size;
    return taken;
  };
  step_.rows = 1;
  step_.gates.base = take(gates);
  step_.kept.base = take(kept);
  step_.unprojected.base = take(unprojected);
  step_.product.base = take(product);
  output_ = take(output);
  window_ = take(window);
  if (one_kernel) steps_ = Buffer<kernels::CellStep>(allocator_, 2 * weights.num_layers());
}

// Point steps_ to the weights.
void Network::connect() noexcept {
  const Weights& weights = *weights_;
  has_skip_ = weights.skip() != 0;
  is_delayed_ = delay_ != 1.0f;
  keeps_past_ = is_delayed_ || history() != 0;
  decide_on_blocks();
  if (steps_.size() == 0) return;
  const float* const head_row = weights.head().rows == 1 ? weights.head_row() : nullptr;
  kernels::CellStep* step = steps_.data();
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
    for (std::size_t l = 0; l < weights.num_layers(); ++l, ++step) {
      const Strand& strand = weights.strand(l);
      step_.hidden = kernels::padded(strand.layer->hidden);
      point_to_states(strand, half);
      *step = {strand.layer->hidden, cells::forward_kernel(weights.strand(l).weights, step_), weights.head(),
               weights.head_bias(), head_row};
    }
  }
  const Layer& layer = weights.layer(0);
  is_chain_ = layer.has_step();
  step_function_ = is_chain_ ? weights.table().*layer.cell->step : nullptr;
  for (std::size_t l = 0; l < weights.num_layers(); ++l)
    is_chain_ = is_chain_ && !weights.layer(l).residual && !weights.layer(l).has_projection() &&
                weights.layer(l).has_step() && weights.layer(l).cell == layer.cell;
  is_single_ = is_chain_ && weights.num_layers() == 1 && weights.has_head();
  is_bare_ = is_single_ && !has_skip_ && !keeps_past_;
  const auto is_small = [&](std::size_t inputs) {
    return is_single_ && weights.table().format == kernels::Format::f32 &&
           layer.gates() * inputs +
                   (layer.cell->recurrent_gates() * layer.hidden + weights.output_size()) * layer.hidden <=
               kFewWeights;
  };
  indices_alone_ = is_small(1);
  inputs_alone_ = is_small(layer.inputs);
}

// Of a step from one half to the other.
void Network::point_to_states(const Strand& strand, std::size_t half) noexcept {
  for (std::size_t state = 0; state < strand.layer->cell->states; ++state) {
    step_.previous[state] = one(state_in(half, strand.states[state]));
    step_.next[state] = one_to(state_in(1 - half, strand.states[state]));
  }
}

void Network::use(WeightsRef weights) noexcept {
  weights_ = std::move(weights);
  connect();
}

// A step of one stream, from x or, where that is null, one-hot.
struct Network::StreamBuffers {
  Network& network;
  const float* x;
  std::int32_t index;

  bool step_at_once(std::size_t s) const noexcept {
    const Weights& weights = *network.weights_;
    const Strand& strand = weights.strand(s);
    const Layer& layer = *strand.layer;
    if (!layer.has_step()) return false;
    (weights.table().*layer.cell->step)(network.steps_[network.half_ * weights.strands() + s], x, index,
                                        nullptr);
    if (layer.has_projection())
      weights.table().gemm(strand.weights.projection, 1, one(network.step_.unprojected.base), {},
                           layer.projected, one_to(next_h(s)));
    return true;
  }
  bool multiplies_inputs(std::size_t) const noexcept { return true; }
  template <class Visit>
  void for_rows(const Visit& visit) const noexcept {
    visit(0, 1);
  }
  void make_windows(std::size_t l) const noexcept {
    network.make_window(network.weights_->strand(l), x, index, network.window_);
  }
  kernels::Rows windows(std::size_t, std::size_t) const noexcept { return one(network.window_); }
  kernels::Rows input(std::size_t, std::size_t) const noexcept { return one(x); }
  const std::int32_t* indices(std::size_t, std::size_t) const noexcept {
    return x == nullptr ? &index : nullptr;
  }
  kernels::MutableRows gates(std::size_t, std::size_t) const noexcept { return network.step_.gates; }
  Normalized normalized(std::size_t, std::size_t) const noexcept { return {}; }
  template <class Visit>
  void for_steps(std::size_t s, const Visit& visit) const noexcept {
    const Strand& strand = network.weights_->strand(s);
    network.step_.hidden = strand.layer->hidden;
    network.point_to_states(strand, network.half_);
    visit(network.step_);
  }
  void end_strand(std::size_t) const noexcept {}
  bool copies(const Layer&) const noexcept { return false; }
  kernels::Rows h(std::size_t s, std::size_t) const noexcept { return one(next_h(s)); }
  kernels::MutableRows output(std::size_t, std::size_t) const noexcept { return one_to(network.output_); }
  void end_layer(std::size_t l) noexcept {
    x = network.weights_->layer(l).residual ? network.output_ : next_h(l);
  }

  float* next_h(std::size_t s) const noexcept {
    return network.state_in(1 - network.half_, network.weights_->strand(s).states[0]);
  }
};

// The same as the walk through layers that take one kernel each and hand h on.
void Network::step_chain(StreamBuffers& buffers) const noexcept {
  const std::size_t L = steps_.size() / 2;
  const kernels::CellStep* const steps = &steps_[half_ * L];
  for (std::size_t l = 0; l < L; ++l) {
    step_function_(steps[l], buffers.x, buffers.index, nullptr);
    buffers.x = steps[l].forward.h.base;
  }
}

// Any other network. Its own function: a tiny network would feel the larger frame.
[[gnu::noinline]] void Network::step_layers(const float* x, std::int32_t index, float* y) noexcept {
  if (keeps_past_) exchange_state();
  if (is_single_) {
    step_function_(steps_[half_], x, index, y);
    half_ = 1 - half_;
    return add_input(x, index, y);
  }
  StreamBuffers buffers{*this, x, index};
  if (is_chain_)
    step_chain(buffers);
  else
    walk_layers(*weights_, 0, weights_->num_layers(), buffers);
  half_ = 1 - half_;
  if (y == nullptr) return;
  apply_head(*weights_, 1, one(buffers.x), weights_->output_size(), one_to(y));
  if (has_skip_) add_input(x, index, y);
}

// As add_inputs, to the same bits. Most often it is one number, for which a kernel's masks take longer.
[[gnu::noinline]] void Network::add_input(const float* x, std::int32_t index, float* y) const noexcept {
  const std::size_t skip = weights_->skip();
  if (y == nullptr) return;
  const auto add = [](float& to, float number) {
    to = static_cast<float>(kernels::Real(to) + kernels::Real(number));
  };
  if (x == nullptr && static_cast<std::size_t>(index) < skip) add(y[index], 1.0f);
  if (x == nullptr) return;
  for (std::size_t i = 0; i < skip; ++i) add(y[i], x[i]);
}

void Network::step_many(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept {
  if (count == 0) return;
  const kernels::FloatMode mode;
  const std::size_t I = networks[0]->weights().input_size(), O = networks[0]->weights().output_size();
  if (networks[0]->steps_best_alone(x == nullptr)) {
    // What a few streams read stays in the L1 cache.
    const std::size_t fetched = count > kNearStreams ? count : 0;
    for (std::size_t i = 0; i < count; ++i, y = y != nullptr ? y + O : nullptr) {
      if (i + 1 < fetched) networks[i + 1]->prefetch_step();
      if (x != nullptr)
        networks[i]->step_from(x + i * I, 0, y);
      else
        networks[i]->step_from(indices[i], y);
    }
    return;
  }
  for (std::size_t first = 0; first < count; first += kStreamBlock) {
    step_some(networks + first, std::min(kStreamBlock, count - first), x != nullptr ? x + first * I : nullptr,
              indices != nullptr ? indices + first : nullptr, y != nullptr ? y + first * O : nullptr);
  }
}

// A step of each of several streams, which have their vectors in different places.
struct Network::ManyBuffers {
  ManyBuffers(Network* const* streams, std::size_t streams_count, const float* x,
              const std::int32_t* x_indices) noexcept
      : networks(streams), weights(streams[0]->weights()), count(streams_count) {
    for (std::size_t i = 0; i < count; ++i) {
      const cells::ForwardStep& own = networks[i]->step_;
      gates_[i] = own.gates.base;
      kept[i] = own.kept.base;
      unprojected[i] = own.unprojected.base;
      product[i] = own.product.base;
      outputs[i] = networks[i]->output_;
      if (weights.has_embedding()) inputs[i] = weights.embedding(static_cast<std::size_t>(x_indices[i]));
    }
    const auto unless_null = [](float* const* pointers) {
      return kernels::MutableRows{nullptr, 0, pointers[0] != nullptr ? pointers : nullptr};
    };
    step.rows = count;
    step.gates = {nullptr, 0, gates_};
    step.kept = unless_null(kept);
    step.unprojected = unless_null(unprojected);
    step.product = unless_null(product);
    o = weights.has_embedding() ? kernels::Rows{nullptr, 0, inputs}
                                : kernels::Rows{x, weights.input_size(), nullptr};
    one_hot = weights.has_embedding() ? nullptr : x_indices;
  }

  bool step_at_once(std::size_t) const noexcept { return false; }
  bool multiplies_inputs(std::size_t) const noexcept { return true; }
  template <class Visit>
  void for_rows(const Visit& visit) const noexcept {
    visit(0, count);
  }
  void make_windows(std::size_t l) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      networks[i]->make_window(weights.strand(l), one_hot == nullptr ? row_of(o, i) : nullptr,
                               one_hot != nullptr ? one_hot[i] : 0, networks[i]->window_);
      windows_[i] = networks[i]->window_;
    }
  }
  kernels::Rows windows(std::size_t, std::size_t) const noexcept { return {nullptr, 0, windows_}; }
  kernels::Rows input(std::size_t, std::size_t) const noexcept { return o; }
  const std::int32_t* indices(std::size_t, std::size_t) const noexcept { return one_hot; }
  kernels::MutableRows gates(std::size_t, std::size_t) const noexcept { return step.gates; }
  Normalized normalized(std::size_t, std::size_t) const noexcept { return {}; }
  template <class Visit>
  void for_steps(std::size_t s, const Visit& visit) noexcept {
    const Strand& strand = weights.strand(s);
    step.hidden = strand.layer->hidden;
    for (std::size_t state = 0; state < strand.layer->cell->states; ++state) {
      for (std::size_t i = 0; i < count; ++i) {
        previous[state][i] = networks[i]->state_in(networks[i]->half_, strand.states[state]);
        next[state][i] = networks[i]->state_in(1 - networks[i]->half_, strand.states[state]);
      }
      step.previous[state] = {nullptr, 0, previous[state]};
      step.next[state] = {nullptr, 0, next[state]};
    }
    visit(step);
  }
  void end_strand(std::size_t) const noexcept {}
  bool copies(const Layer&) const noexcept { return false; }
  kernels::Rows h(std::size_t, std::size_t) const noexcept { return {nullptr, 0, next[0]}; }
  kernels::MutableRows output(std::size_t, std::size_t) const noexcept { return {nullptr, 0, outputs}; }
  void end_layer(std::size_t l) noexcept {
    std::copy_n(weights.layer(l).residual ? outputs : next[0], count, inputs);
    o = {nullptr, 0, inputs};
    one_hot = nullptr;
  }

  Network* const* networks;
  const Weights& weights;
  std::size_t count;
  kernels::Rows o;                    // what the next layer reads
  const std::int32_t* one_hot;        // [count]  or these
  const float* inputs[kStreamBlock];  // where o points
  const float* windows_[kStreamBlock];
  const float* previous[cells::kMaxStates][kStreamBlock];
  float* next[cells::kMaxStates][kStreamBlock];
  float *gates_[kStreamBlock], *kept[kStreamBlock], *unprojected[kStreamBlock], *product[kStreamBlock],
      *outputs[kStreamBlock];
  cells::ForwardStep step{};
};

void Network::step_some(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept {
  const Weights& weights = networks[0]->weights();
  for (std::size_t i = 0; i < count; ++i)
    if (networks[i]->keeps_past_) networks[i]->exchange_state();
  ManyBuffers buffers(networks, count, x, indices);
  walk_layers(weights, 0, weights.num_layers(), buffers);
  for (std::size_t i = 0; i < count; ++i) networks[i]->half_ = 1 - networks[i]->half_;
  const std::size_t O = weights.output_size();
  if (y == nullptr) return;
  apply_head(weights, count, buffers.o, O, {y, O, nullptr});
  add_inputs(weights, count, {{x, weights.input_size(), nullptr}, indices}, {y, O, nullptr});
}

template <class Visit>
void Network::visit_states(const Visit& visit) const noexcept {
  for (std::size_t s = 0; s < weights_->strands(); ++s) {
    const Strand& strand = weights_->strand(s);
    for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
         ++state)
      visit(strand.states[state]);
  }
}

template <class Visit>
void Network::visit_pasts(const Visit& visit) const noexcept {
  for (std::size_t s = 0; past_.inputs.size() != 0 && s < weights_->strands(); ++s)
    if (weights_->strand(s).past.size != 0) visit(weights_->strand(s));
}

Network::Past Network::make_past(float delay, std::size_t history) const {
  const Weights& weights = *weights_;
  const bool keeps_states = weights.state_size() != weights.past_size();
  Past past{PastStates(allocator_, static_cast<double>(delay), history,
                       keeps_states ? weights.padded_state_size() : 0),
            Buffer<PastInputs>(allocator_, weights.num_layers()),
            {}};
  std::size_t size = 0;
  for (std::size_t s = 0; s < weights.strands(); ++s) {
    const Strand& strand = weights.strand(s);
    if (strand.past.size == 0) continue;
    const std::size_t reach = strand.layer->reach();
    const std::size_t rows = checked_sum(Distance(delay * static_cast<double>(reach)).reach(), history);
    past.rings[strand.layer->index] = {size, rows, 0};
    size = checked_sum(size, checked_product(rows, strand.layer->inputs));
  }
  past.inputs = Buffer<float>(allocator_, size);
  return past;
}

// The input of a convolution so many steps ago.
const float* Network::past_input(const Strand& strand, std::size_t back) const noexcept {
  const PastInputs& ring = past_.rings[strand.layer->index];
  const std::size_t i = ring.next >= back ? ring.next - back : ring.next + ring.rows - back;
  return &past_.inputs[ring.place + i * strand.layer->inputs];
}

// With a delay: the input of a convolution `steps` times the delay before its last one (ago = 1) or its next one
// (ago = delay).
void Network::read_past(const Strand& strand, std::size_t steps, double ago, float* to) const noexcept {
  const std::size_t X = strand.layer->inputs;
  const Distance distance(ago + delay_ * static_cast<double>(steps));
  const float* const newer = past_input(strand, distance.whole);
  std::copy_n(newer, X, to);
  if (distance.part == 0.0f) return;
  const float* const older = past_input(strand, distance.whole + 1);
  for (std::size_t i = 0; i < X; ++i) to[i] += distance.part * (older[i] - newer[i]);
}

// What the taps of a convolution read, from x or, where that is null, one-hot; x becomes the youngest of the past.
void Network::make_window(const Strand& strand, const float* x, std::int32_t index, float* to) noexcept {
  const Layer& layer = *strand.layer;
  const std::size_t X = layer.inputs;
  PastInputs& ring = past_.rings[layer.index];
  float* const past = &past_.inputs[ring.place];
  if (is_delayed_) {
    for (std::size_t k = 0; k + 1 < layer.taps; ++k, to += X)
      read_past(strand, layer.reach() - k * layer.dilation - 1, static_cast<double>(delay_), to);
  } else {
    const std::size_t first = ring.next + (ring.rows - layer.reach());
    for (std::size_t k = 0; k + 1 < layer.taps; ++k, to += X) {
      const std::size_t row = first + k * layer.dilation;
      std::copy_n(past + (row < ring.rows ? row : row - ring.rows) * X, X, to);
    }
  }
  if (x != nullptr) {
    std::copy_n(x, X, to);
  } else {
    std::fill_n(to, X, 0.0f);
    to[index] = 1.0f;
  }
  std::copy_n(to, X, past + ring.next * X);
  ring.next = ring.next + 1 < ring.rows ? ring.next + 1 : 0;
}

// Before a step. Its own function, as what few steps need.
[[gnu::noinline]] void Network::exchange_state() noexcept {
  past_.states.exchange(weights_->table(), current_state());
}

// Lets a convolution's past be the first rows of its ring, which it returns the number of; what the history has more
// follows.
std::size_t Network::restart_ring(const Strand& strand) noexcept {
  PastInputs& ring = past_.rings[strand.layer->index];
  ring.next = history() != 0 ? ring.rows - history() : 0;
  return ring.rows - history();
}

void Network::reset() noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(s.initial, s.size, state_in(half_, s)); });
  visit_pasts([&](const Strand& strand) {
    const std::size_t rows = restart_ring(strand);
    std::fill_n(&past_.inputs[past_.rings[strand.layer->index].place], rows * strand.layer->inputs, 0.0f);
  });
  past_.states.fill(current_state());
}

void Network::get_state(float* out) const noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(state_in(half_, s), s.size, out + s.offset); });
  visit_pasts([&](const Strand& strand) {
    const kernels::FloatMode mode;
    const std::size_t X = strand.layer->inputs, reach = strand.layer->reach();
    float* to = out + strand.past.offset;
    for (std::size_t i = 0; i < reach; ++i, to += X) {
      if (is_delayed_)
        read_past(strand, reach - i - 1, 1, to);
      else
        std::copy_n(past_input(strand, reach - i), X, to);
    }
  });
}

// With a delay, each input of a convolution's past was there for as many steps.
void Network::set_state(const float* in) noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(in + s.offset, s.size, state_in(half_, s)); });
  visit_pasts([&](const Strand& strand) {
    const kernels::FloatMode mode;
    const std::size_t X = strand.layer->inputs, reach = strand.layer->reach(), rows = restart_ring(strand);
    float* const past = &past_.inputs[past_.rings[strand.layer->index].place];
    for (std::size_t i = 0; i < rows; ++i) {
      std::size_t steps = rows - i;
      if (is_delayed_)
        steps = std::min(static_cast<std::size_t>(std::ceil(static_cast<double>(steps) / delay_)), reach);
      std::copy_n(in + strand.past.offset + (reach - steps) * X, X, past + i * X);
    }
  });
  past_.states.fill(current_state());
}

void Network::copy_state(const Network& other) noexcept {
  half_ = other.half_;
  std::copy(other.states_.begin(), other.states_.end(), states_.begin());
  past_.states.copy(other.past_.states);
  std::copy(other.past_.rings.begin(), other.past_.rings.end(), past_.rings.begin());
  std::copy(other.past_.inputs.begin(), other.past_.inputs.end(), past_.inputs.begin());
}

void Network::set_delay(float delay) {
  if (!(delay >= 1.0f && delay <= kMostDelay))
    throw Error(RNN_INVALID_ARGUMENT, "delay is %s; it must be 1..%g", number(delay).c_str(), kMostDelay);
  Past past = make_past(delay, history());
  Buffer<float> state(allocator_, weights_->state_size());
  get_state(state.data());
  past_ = std::move(past);
  delay_ = delay;
  connect();
  set_state(state.data());
}

void Network::set_history(std::size_t steps) {
  Past past = make_past(delay_, steps);
  past.states.copy(past_.states);
  visit_pasts([&](const Strand& strand) {
    PastInputs& ring = past.rings[strand.layer->index];
    const std::size_t X = strand.layer->inputs,
                      rows = std::min(ring.rows, past_.rings[strand.layer->index].rows);
    for (std::size_t i = 0; i < rows; ++i)
      std::copy_n(past_input(strand, rows - i), X, &past.inputs[ring.place + i * X]);
    ring.next = rows < ring.rows ? rows : 0;
  });
  past_ = std::move(past);
  connect();
}

void Network::rewind(std::size_t steps) noexcept {
  if (steps == 0) return;
  past_.states.rewind(steps, current_state());
  visit_pasts([&](const Strand& strand) {
    PastInputs& ring = past_.rings[strand.layer->index];
    ring.next = ring.next >= steps ? ring.next - steps : ring.next + ring.rows - steps;
  });
}

}  // namespace rnn

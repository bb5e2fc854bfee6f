#include "lib/network/network.h"

#include <algorithm>

#include "lib/kernels/float_mode.h"

namespace rnn {
namespace {

// Streams that step_many works on at once: their pointers fit on the stack.
constexpr std::size_t kBlock = 64;

constexpr kernels::Rows one(const float* vector) noexcept { return {vector, 0, nullptr}; }
constexpr kernels::MutableRows one_to(float* vector) noexcept { return {vector, 0, nullptr}; }

}  // namespace

Network::Network(WeightsRef weights)
    : allocator_(weights->allocator()),
      weights_(std::move(weights)),
      states_(allocator_, checked_product(2 * weights_->state_vectors(), weights_->width())),
      scratch_(allocator_, weights_->gates_width()) {
  reset();
}

Network::Network(const Network& other)
    : allocator_(other.allocator_),
      weights_(other.weights_),
      states_(allocator_, other.states_.size()),
      scratch_(allocator_, other.scratch_.size()),
      half_(other.half_) {
  std::copy(other.states_.begin(), other.states_.end(), states_.begin());
}

Weights& Network::own_weights() {
  if (!weights_.unique()) weights_ = weights_.copy();
  return weights_.mutate();
}

inline float* Network::state(std::size_t half, std::size_t part, std::size_t layer) noexcept {
  const Weights& weights = *weights_;
  return states_.data() +
         (half * weights.state_vectors() + part * weights.num_layers() + layer) * weights.width();
}

void Network::step(const float* x, float* y) noexcept {
  const kernels::FloatMode mode;
  const Weights& weights = *weights_;
  const cells::LayerWeights& layer = weights.layer(0);
  weights.table().gemm(layer.input, 1, one(x), one(layer.bias), weights.gates_width(),
                       one_to(scratch_.data()));
  finish_step(y);
}

void Network::step(std::int32_t index, float* y) noexcept {
  const kernels::FloatMode mode;
  const Weights& weights = *weights_;
  const cells::LayerWeights& layer = weights.layer(0);
  weights.table().gather(layer.input, 1, &index, one(layer.bias), weights.gates_width(),
                         one_to(scratch_.data()));
  finish_step(y);
}

void Network::finish_step(float* y) noexcept {
  const Weights& weights = *weights_;
  const kernels::Table& table = weights.table();
  const std::size_t L = weights.num_layers(), parts = weights.cell().states, to = 1 - half_;
  cells::ForwardStep forward;
  forward.rows = 1;
  forward.width = weights.width();
  forward.gates = one_to(scratch_.data());
  for (std::size_t l = 0; l < L; ++l) {
    const cells::LayerWeights& layer = weights.layer(l);
    if (l > 0)
      table.gemm(layer.input, 1, one(forward.next[0].base), one(layer.bias), weights.gates_width(),
                 forward.gates);
    for (std::size_t part = 0; part < parts; ++part) {
      forward.previous[part] = one(state(half_, part, l));
      forward.next[part] = one_to(state(to, part, l));
    }
    weights.cell().forward(table, layer, forward);
  }
  half_ = to;
  if (y == nullptr) return;
  const float* h = forward.next[0].base;
  if (weights.has_head())
    table.gemm(weights.head(), 1, one(h), one(weights.head_bias()), weights.output_size(), one_to(y));
  else
    std::copy_n(h, weights.hidden_size(), y);
}

void Network::step_many(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept {
  if (count == 0) return;
  const kernels::FloatMode mode;
  const std::size_t I = networks[0]->weights().input_size(), O = networks[0]->weights().output_size();
  for (std::size_t first = 0; first < count; first += kBlock) {
    step_block(networks + first, std::min(kBlock, count - first), x != nullptr ? x + first * I : nullptr,
               indices != nullptr ? indices + first : nullptr, y != nullptr ? y + first * O : nullptr);
  }
}

void Network::step_block(Network* const* networks, std::size_t count, const float* x,
                         const std::int32_t* indices, float* y) noexcept {
  const Weights& weights = networks[0]->weights();
  const kernels::Table& table = weights.table();
  const std::size_t I = weights.input_size(), O = weights.output_size(), n = weights.gates_width();
  const float* previous[cells::kMaxStates][kBlock];
  float* next[cells::kMaxStates][kBlock];
  float* scratch[kBlock];
  for (std::size_t i = 0; i < count; ++i) scratch[i] = networks[i]->scratch_.data();

  const kernels::MutableRows gates{nullptr, 0, scratch};
  const kernels::Rows below{nullptr, 0, next[0]};  // h of the layer worked on last
  cells::ForwardStep forward;
  forward.rows = count;
  forward.width = weights.width();
  forward.gates = gates;
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const cells::LayerWeights& layer = weights.layer(l);
    if (l > 0)
      table.gemm(layer.input, count, below, one(layer.bias), n, gates);
    else if (indices != nullptr)
      table.gather(layer.input, count, indices, one(layer.bias), n, gates);
    else
      table.gemm(layer.input, count, {x, I, nullptr}, one(layer.bias), n, gates);
    for (std::size_t part = 0; part < weights.cell().states; ++part) {
      for (std::size_t i = 0; i < count; ++i) {
        previous[part][i] = networks[i]->state(networks[i]->half_, part, l);
        next[part][i] = networks[i]->state(1 - networks[i]->half_, part, l);
      }
      forward.previous[part] = {nullptr, 0, previous[part]};
      forward.next[part] = {nullptr, 0, next[part]};
    }
    weights.cell().forward(table, layer, forward);
  }
  for (std::size_t i = 0; i < count; ++i) networks[i]->half_ = 1 - networks[i]->half_;
  if (y == nullptr) return;
  if (weights.has_head())
    table.gemm(weights.head(), count, below, one(weights.head_bias()), O, {y, O, nullptr});
  else
    for (std::size_t i = 0; i < count; ++i) std::copy_n(next[0][i], O, y + i * O);
}

void Network::reset() noexcept {
  const Weights& weights = *weights_;
  for (std::size_t part = 0; part < weights.cell().states; ++part)
    for (std::size_t l = 0; l < weights.num_layers(); ++l)
      std::copy_n(weights.initial(part, l), weights.width(), state(half_, part, l));
}

void Network::get_state(float* out) const noexcept {
  const std::size_t H = weights_->hidden_size(), width = weights_->width(),
                    vectors = weights_->state_vectors();
  const float* current = states_.data() + half_ * vectors * width;
  for (std::size_t v = 0; v < vectors; ++v) std::copy_n(current + v * width, H, out + v * H);
}

void Network::set_state(const float* in) noexcept {
  const std::size_t H = weights_->hidden_size(), width = weights_->width(),
                    vectors = weights_->state_vectors();
  float* current = states_.data() + half_ * vectors * width;
  for (std::size_t v = 0; v < vectors; ++v) std::copy_n(in + v * H, H, current + v * width);
}

}  // namespace rnn

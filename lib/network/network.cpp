#include "lib/network/network.h"

#include <algorithm>
#include <utility>

#include "lib/kernels/float_mode.h"
#include "lib/network/project.h"

namespace rnn {
namespace {

// Streams that step_many works on at once: their pointers fit on the stack.
constexpr std::size_t kBlock = 64;

// Most weights that the L1 cache has room for, with what else a step reads.
constexpr std::size_t kFewWeights = 8000;

constexpr kernels::Rows one(const float* vector) noexcept { return {vector, 0, nullptr}; }
constexpr kernels::MutableRows one_to(float* vector) noexcept { return {vector, 0, nullptr}; }

}  // namespace

Network::Network(WeightsRef weights)
    : allocator_(weights->allocator()),
      weights_(std::move(weights)),
      states_(allocator_, checked_product(2 * weights_->state_vectors(), weights_->width())) {
  lay_out_scratch();
  connect();
  reset();
}

Network::Network(const Network& other)
    : allocator_(other.allocator_),
      weights_(other.weights_),
      states_(allocator_, other.states_.size()),
      half_(other.half_) {
  lay_out_scratch();
  connect();
  std::copy(other.states_.begin(), other.states_.end(), states_.begin());
}

void Network::lay_out_scratch() {
  const Weights& weights = *weights_;
  const std::size_t gates = weights.cell().gates * weights.width();  // as kernels::CellStep has them
  const std::size_t inner = weights.cell().candidate ? weights.width() : 0;
  const std::size_t unprojected = weights.has_projection() ? weights.width() : 0;
  const std::size_t product = weights.has(RNN_LAYER_NORM) ? weights.gates_width() : 0;
  const std::size_t output = weights.has(RNN_RESIDUAL) ? kernels::padded(weights.layer_size()) : 0;
  scratch_ = Buffer<float>(allocator_, gates + inner + unprojected + product + output);
  float* next = scratch_.data();
  const auto take = [&next](std::size_t size) {
    float* const taken = size != 0 ? next : nullptr;
    next += size;
    return taken;
  };
  step_.rows = 1;
  step_.hidden = weights.hidden_size();
  step_.gates.base = take(gates);
  step_.inner.base = take(inner);
  step_.unprojected.base = take(unprojected);
  step_.product.base = take(product);
  output_ = take(output);
  const bool one_kernel = weights.cell().step != nullptr && !weights.has(RNN_LAYER_NORM | RNN_BIDIRECTIONAL);
  if (one_kernel) steps_ = Buffer<kernels::CellStep>(allocator_, 2 * weights.num_layers());
}

// Point steps_ to the weights.
void Network::connect() noexcept {
  if (steps_.size() == 0) return;
  const Weights& weights = *weights_;
  step_function_ = weights.table().*weights.cell().step;
  const float* const head_row = weights.head().rows == 1 ? weights.head_row() : nullptr;
  kernels::CellStep* step = steps_.data();
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
    for (std::size_t l = 0; l < weights.num_layers(); ++l, ++step) {
      const cells::LayerWeights& layer = weights.strand(l);
      kernels::CellForward forward{};
      forward.w = layer.recurrent;
      forward.M = 1;
      forward.H = weights.width();
      forward.x = forward.h_prev = one(state(half, 0, l));
      forward.gates = step_.gates;
      forward.bias = layer.recurrent_bias;
      forward.h = weights.has_projection() ? step_.unprojected : one_to(state(1 - half, 0, l));
      if (weights.cell().states > 1) {
        forward.c_prev = one(state(half, 1, l));
        forward.c = one_to(state(1 - half, 1, l));
      }
      forward.input = layer.input;
      forward.input_bias = layer.bias;
      *step = {weights.hidden_size(), forward, weights.head(), weights.head_bias(), head_row};
    }
  }
  is_single_ = weights.num_layers() == 1 && weights.has_head() && !weights.has_projection();
}

void Network::use(WeightsRef weights) noexcept {
  weights_ = std::move(weights);
  connect();
}

// Any other network. Its own function: a tiny network would feel the larger frame.
[[gnu::noinline]] void Network::step_layers(const float* x, std::int32_t index, float* y) noexcept {
  const Weights& weights = *weights_;
  const kernels::Table& table = weights.table();
  const std::size_t L = weights.num_layers();
  for (std::size_t l = 0; l < L; ++l) {
    float* const h = state(1 - half_, 0, l);
    if (step_function_ == nullptr) {
      step_layer(l, x, index);
    } else {
      step_function_(steps_[half_ * L + l], x, index, nullptr);
      if (weights.has_projection())
        table.gemm(weights.strand(l).projection, 1, one(step_.unprojected.base), {}, weights.projected_size(),
                   one_to(h));
    }
    if (weights.is_residual(l)) table.add(1, weights.layer_size(), one(h), one(x), one_to(output_));
    x = weights.is_residual(l) ? output_ : h;
  }
  half_ = 1 - half_;
  if (y == nullptr) return;
  if (weights.has_head())
    table.gemm(weights.head(), 1, one(x), one(weights.head_bias()), weights.output_size(), one_to(y));
  else
    std::copy_n(x, weights.output_size(), y);
}

// A layer's step that takes several kernels.
void Network::step_layer(std::size_t l, const float* x, std::int32_t index) noexcept {
  const Weights& weights = *weights_;
  project(weights, l, 1, one(x), x == nullptr ? &index : nullptr, step_.gates);
  for (std::size_t part = 0; part < weights.cell().states; ++part) {
    step_.previous[part] = one(state(half_, part, l));
    step_.next[part] = one_to(state(1 - half_, part, l));
  }
  cells::forward(weights.cell(), weights.table(), weights.strand(l), step_);
}

void Network::step_many(Network* const* networks, std::size_t count, const float* x,
                        const std::int32_t* indices, float* y) noexcept {
  if (count == 0) return;
  const kernels::FloatMode mode;
  const std::size_t I = networks[0]->weights().input_size(), O = networks[0]->weights().output_size();
  if (networks[0]->steps_best_alone(x == nullptr)) {
    for (std::size_t i = 0; i < count; ++i, y = y != nullptr ? y + O : nullptr) {
      if (x != nullptr)
        networks[i]->step_from(x + i * I, 0, y);
      else
        networks[i]->step_from(indices[i], y);
    }
    return;
  }
  for (std::size_t first = 0; first < count; first += kBlock) {
    step_block(networks + first, std::min(kBlock, count - first), x != nullptr ? x + first * I : nullptr,
               indices != nullptr ? indices + first : nullptr, y != nullptr ? y + first * O : nullptr);
  }
}

// True of small networks of floats: what several streams save by reading the weights together is less than
// what one kernel saves.
bool Network::steps_best_alone(bool by_index) const noexcept {
  const Weights& weights = *weights_;
  const std::size_t H = weights.hidden_size(), columns = H + (by_index ? 1 : weights.layer_input_size(0));
  return is_single_ && weights.table().format == kernels::Format::f32 &&
         weights.cell().gates * H * columns + weights.output_size() * H <= kFewWeights;
}

void Network::step_block(Network* const* networks, std::size_t count, const float* x,
                         const std::int32_t* indices, float* y) noexcept {
  const Weights& weights = networks[0]->weights();
  const kernels::Table& table = weights.table();
  const std::size_t O = weights.output_size();
  const float* inputs[kBlock];  // of the layer in work
  const float* previous[cells::kMaxStates][kBlock];
  float* next[cells::kMaxStates][kBlock];
  float *gates[kBlock], *inner[kBlock], *unprojected[kBlock], *product[kBlock], *output[kBlock];
  for (std::size_t i = 0; i < count; ++i) {
    const cells::ForwardStep& own = networks[i]->step_;
    gates[i] = own.gates.base;
    inner[i] = own.inner.base;
    unprojected[i] = own.unprojected.base;
    product[i] = own.product.base;
    output[i] = networks[i]->output_;
    if (weights.has_embedding()) inputs[i] = weights.embedding(static_cast<std::size_t>(indices[i]));
  }

  const auto unless_null = [](float* const* pointers) {
    return kernels::MutableRows{nullptr, 0, pointers[0] != nullptr ? pointers : nullptr};
  };
  cells::ForwardStep step{};
  step.rows = count;
  step.hidden = weights.hidden_size();
  step.gates = {nullptr, 0, gates};
  step.inner = unless_null(inner);
  step.unprojected = unless_null(unprojected);
  step.product = unless_null(product);
  kernels::Rows input = weights.has_embedding() ? kernels::Rows{nullptr, 0, inputs}
                                                : kernels::Rows{x, weights.input_size(), nullptr};
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    project(weights, l, count, input, l == 0 && !weights.has_embedding() ? indices : nullptr, step.gates);
    for (std::size_t part = 0; part < weights.cell().states; ++part) {
      for (std::size_t i = 0; i < count; ++i) {
        previous[part][i] = networks[i]->state(networks[i]->half_, part, l);
        next[part][i] = networks[i]->state(1 - networks[i]->half_, part, l);
      }
      step.previous[part] = {nullptr, 0, previous[part]};
      step.next[part] = {nullptr, 0, next[part]};
    }
    cells::forward(weights.cell(), table, weights.strand(l), step);
    if (weights.is_residual(l))
      table.add(count, weights.layer_size(), {nullptr, 0, next[0]}, input, {nullptr, 0, output});
    std::copy_n(weights.is_residual(l) ? output : next[0], count, inputs);
    input = {nullptr, 0, inputs};
  }
  for (std::size_t i = 0; i < count; ++i) networks[i]->half_ = 1 - networks[i]->half_;
  if (y == nullptr) return;
  if (weights.has_head())
    table.gemm(weights.head(), count, input, one(weights.head_bias()), O, {y, O, nullptr});
  else
    for (std::size_t i = 0; i < count; ++i) std::copy_n(inputs[i], O, y + i * O);
}

void Network::reset() noexcept {
  const Weights& weights = *weights_;
  for (std::size_t part = 0; part < weights.cell().states; ++part)
    for (std::size_t s = 0; s < weights.strands(); ++s)
      std::copy_n(weights.initial(part, s), weights.part_size(part), state(half_, part, s));
}

void Network::get_state(float* out) const noexcept {
  const Weights& weights = *weights_;
  for (std::size_t part = 0; part < weights.cell().states; ++part)
    for (std::size_t s = 0; s < weights.strands(); ++s)
      std::copy_n(states_.data() + place(half_, part, s), weights.part_size(part),
                  out + weights.state_offset(part, s));
}

void Network::set_state(const float* in) noexcept {
  const Weights& weights = *weights_;
  for (std::size_t part = 0; part < weights.cell().states; ++part)
    for (std::size_t s = 0; s < weights.strands(); ++s)
      std::copy_n(in + weights.state_offset(part, s), weights.part_size(part), state(half_, part, s));
}

}  // namespace rnn

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
      states_(allocator_, checked_product(2, weights_->padded_state_size())) {
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
  std::size_t gates = 0, kept = 0, unprojected = 0, product = 0, output = 0;
  const auto room = [](std::size_t& size, std::size_t wanted) { size = std::max(size, wanted); };
  bool one_kernel = true;
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Layer& layer = weights.layer(l);
    const std::size_t width = kernels::padded(layer.hidden);
    room(gates, layer.cell->gates * width);  // as kernels::CellStep has them
    if (layer.cell->reads_kept()) room(kept, kernels::padded(layer.kept()));
    if (layer.has_projection()) room(unprojected, width);
    if (layer.layer_norm) room(product, kernels::padded(layer.gates()));
    if (layer.residual) room(output, kernels::padded(layer.outputs()));
    one_kernel = one_kernel && layer.cell->step != nullptr && !layer.layer_norm && layer.directions == 1;
  }
  scratch_ = Buffer<float>(allocator_, gates + kept + unprojected + product + output);
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
  if (one_kernel) steps_ = Buffer<kernels::CellStep>(allocator_, 2 * weights.num_layers());
}

// Point steps_ to the weights.
void Network::connect() noexcept {
  if (steps_.size() == 0) return;
  const Weights& weights = *weights_;
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
  step_function_ = weights.table().*layer.cell->step;
  is_single_ = weights.num_layers() == 1 && weights.has_head() && !layer.has_projection();
  const auto is_small = [&](std::size_t inputs) {
    return is_single_ && weights.table().format == kernels::Format::f32 &&
           layer.gates() * (layer.hidden + inputs) + weights.output_size() * layer.hidden <= kFewWeights;
  };
  indices_alone_ = is_small(1);
  inputs_alone_ = is_small(layer.inputs);
}

// Of a step from one half to the other.
void Network::point_to_states(const Strand& strand, std::size_t half) noexcept {
  for (std::size_t part = 0; part < strand.layer->cell->states; ++part) {
    step_.previous[part] = one(state(half, strand.states[part]));
    step_.next[part] = one_to(state(1 - half, strand.states[part]));
  }
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
    const Strand& strand = weights.strand(l);
    const Layer& layer = *strand.layer;
    float* const h = state(1 - half_, strand.states[0]);
    if (steps_.size() == 0) {
      step_strand(strand, x, index);
    } else {
      (table.*layer.cell->step)(steps_[half_ * L + l], x, index, nullptr);
      if (layer.has_projection())
        table.gemm(strand.weights.projection, 1, one(step_.unprojected.base), {}, layer.projected, one_to(h));
    }
    if (layer.residual) table.add(1, layer.outputs(), one(h), one(x), one_to(output_));
    x = layer.residual ? output_ : h;
  }
  half_ = 1 - half_;
  if (y == nullptr) return;
  if (weights.has_head())
    table.gemm(weights.head(), 1, one(x), one(weights.head_bias()), weights.output_size(), one_to(y));
  else
    std::copy_n(x, weights.output_size(), y);
}

// A layer's step that takes several kernels.
void Network::step_strand(const Strand& strand, const float* x, std::int32_t index) noexcept {
  const kernels::Table& table = weights_->table();
  project(table, strand, 1, one(x), x == nullptr ? &index : nullptr, step_.gates);
  step_.hidden = strand.layer->hidden;
  point_to_states(strand, half_);
  cells::forward(*strand.layer->cell, table, strand.weights, step_);
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

void Network::step_block(Network* const* networks, std::size_t count, const float* x,
                         const std::int32_t* indices, float* y) noexcept {
  const Weights& weights = networks[0]->weights();
  const kernels::Table& table = weights.table();
  const std::size_t O = weights.output_size();
  const float* inputs[kBlock];  // of the layer in work
  const float* previous[cells::kMaxStates][kBlock];
  float* next[cells::kMaxStates][kBlock];
  float *gates[kBlock], *kept[kBlock], *unprojected[kBlock], *product[kBlock], *output[kBlock];
  for (std::size_t i = 0; i < count; ++i) {
    const cells::ForwardStep& own = networks[i]->step_;
    gates[i] = own.gates.base;
    kept[i] = own.kept.base;
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
  step.gates = {nullptr, 0, gates};
  step.kept = unless_null(kept);
  step.unprojected = unless_null(unprojected);
  step.product = unless_null(product);
  kernels::Rows input = weights.has_embedding() ? kernels::Rows{nullptr, 0, inputs}
                                                : kernels::Rows{x, weights.input_size(), nullptr};
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Strand& strand = weights.strand(l);
    const Layer& layer = *strand.layer;
    project(table, strand, count, input, l == 0 && !weights.has_embedding() ? indices : nullptr, step.gates);
    step.hidden = layer.hidden;
    for (std::size_t part = 0; part < layer.cell->states; ++part) {
      for (std::size_t i = 0; i < count; ++i) {
        previous[part][i] = networks[i]->state(networks[i]->half_, strand.states[part]);
        next[part][i] = networks[i]->state(1 - networks[i]->half_, strand.states[part]);
      }
      step.previous[part] = {nullptr, 0, previous[part]};
      step.next[part] = {nullptr, 0, next[part]};
    }
    cells::forward(*layer.cell, table, strand.weights, step);
    if (layer.residual) table.add(count, layer.outputs(), {nullptr, 0, next[0]}, input, {nullptr, 0, output});
    std::copy_n(layer.residual ? output : next[0], count, inputs);
    input = {nullptr, 0, inputs};
  }
  for (std::size_t i = 0; i < count; ++i) networks[i]->half_ = 1 - networks[i]->half_;
  if (y == nullptr) return;
  if (weights.has_head())
    table.gemm(weights.head(), count, input, one(weights.head_bias()), O, {y, O, nullptr});
  else
    for (std::size_t i = 0; i < count; ++i) std::copy_n(inputs[i], O, y + i * O);
}

template <class Visit>
void Network::visit_states(const Visit& visit) const noexcept {
  for (std::size_t s = 0; s < weights_->strands(); ++s) {
    const Strand& strand = weights_->strand(s);
    for (std::size_t part = 0; part < strand.layer->cell->states; ++part) visit(strand.states[part]);
  }
}

void Network::reset() noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(s.initial, s.size, state(half_, s)); });
}

void Network::get_state(float* out) const noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(state(half_, s), s.size, out + s.offset); });
}

void Network::set_state(const float* in) noexcept {
  visit_states([&](const Strand::State& s) { std::copy_n(in + s.offset, s.size, state(half_, s)); });
}

}  // namespace rnn

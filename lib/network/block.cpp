// A block of steps of one stream: layer by layer, so that the products with W_ih and the head are of many rows, and a
// layer's weights stay in the cache while its steps are swept. What that saves, a small network loses by its way
// through memory: it is stepped.
#include <algorithm>

#include "lib/network/layer_walk.h"
#include "lib/network/network.h"

namespace rnn {
namespace {

// Steps that go together at once. Weights are read once for as many, and their gates stay in the L2 cache; of
// twice or half as many neither is faster.
constexpr std::size_t kMostSteps = 64;

// From how many weights on W_ih x is better one product of many rows than a part of the kernel of a step; more, where
// that kernel has no other product.
constexpr std::size_t kManyInputWeights = 2000, kManyWeightsAlone = 16000;
// Where each layer has such a kernel: weights that fit in the L1 cache, and how many must be in products of many rows
// to be worth the way through memory.
constexpr std::size_t kFewWeights = 12000, kManyWeights = 1000;
// The fewest steps that are worth it: of a network of so many weights, of others.
constexpr std::size_t kLargeNetwork = 40000, kFewestStepsOfLarge = 4, kFewestSteps = 8;

// By how much more weights a product of many rows needs on this instruction set. With four lanes multiply-adds take
// longer than to read the weights, of SSE2 by far, until these are beyond the L2 cache.
std::size_t scale(const kernels::Table& table) noexcept { return table.lanes < 8 ? 16 : 1; }

// bf16 that is widened, grouped by so many gates, takes up to a quarter longer for each of four rows than for one, and
// for each of many hardly less.
bool gains_nothing(const kernels::Table& table, const Layer& layer) noexcept {
  return table.format == kernels::Format::bf16 && table.lanes < 16 && layer.cell->gates > 2;
}

constexpr kernels::Rows one(const float* vector) noexcept { return {vector, 0, nullptr}; }
constexpr kernels::MutableRows one_to(float* vector) noexcept { return {vector, 0, nullptr}; }

// W_ih x of a block's steps is one product; otherwise the kernel of a step does it.
bool multiplies_together(const kernels::Table& table, const Layer& layer, bool one_hot) noexcept {
  const std::size_t many = layer.cell->recurrent_gates() != 0 ? kManyInputWeights : kManyWeightsAlone;
  if (!layer.has_step()) return true;
  return !one_hot && !gains_nothing(table, layer) && layer.gates() * layer.inputs >= many * scale(table);
}

}  // namespace

BlockRoom::BlockRoom(const Weights& weights, std::size_t most_steps)
    : steps(std::min(most_steps, kMostSteps)) {
  const auto room = [](std::size_t& size, std::size_t wanted) {
    size = std::max(size, kernels::padded(wanted));
  };
  // Unless a layer reads of a row what it has yet to write.
  bool in_place = true;
  if (weights.has_embedding()) room(width, static_cast<std::size_t>(weights.config().embedding_size));
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Layer& layer = weights.layer(l);
    room(gates_width, layer.cell->gates * kernels::padded(layer.hidden));
    room(width, layer.outputs());
    if (layer.has_window()) room(window_width, layer.columns());
    in_place = in_place && !layer.residual && !(layer.has_step() && layer.cell->recurrent_gates() == 0);
  }
  const std::size_t row = gates_width + (in_place ? 1 : 2) * width + window_width;
  numbers = Buffer<float>(weights.allocator(), checked_product(steps, row));
  gates = numbers.data();
  x = gates + steps * gates_width;
  o = in_place ? x : x + steps * width;
  windows = o + steps * width;
}

// The steps of a block, from rows of x or, where that is null, one-hot.
struct Network::BlockBuffers {
  BlockBuffers(Network& stream, BlockRoom& block_room, std::size_t block_steps, const float* x,
               const std::int32_t* indices) noexcept
      : network(stream), weights(stream.weights()), room(block_room), steps(block_steps) {
    if (!weights.has_embedding()) {
      o = {x, weights.input_size(), nullptr};
      one_hot = x == nullptr ? indices : nullptr;
      return;
    }
    const auto width = static_cast<std::size_t>(weights.config().embedding_size);
    for (std::size_t t = 0; t < steps; ++t)
      std::copy_n(weights.embedding(static_cast<std::size_t>(indices[t])), width, room.x + t * room.width);
    o = {room.x, room.width, nullptr};
  }

  // By the kernel of a step where there is one, which is faster than the cell's product and what is around it. h goes
  // from row to row, c to and fro between the halves of the stream's states.
  bool step_at_once(std::size_t s) const noexcept {
    const Strand& strand = weights.strand(s);
    const Layer& layer = *strand.layer;
    if (!layer.has_step()) return false;
    const bool together = multiplies_together(weights.table(), layer, one_hot != nullptr);
    if (together && layer.cell->recurrent_gates() == 0) return false;
    const kernels::Table& table = weights.table();
    const kernels::StepFunction function = table.*layer.cell->step;
    std::size_t half = network.half_;
    kernels::CellStep step = network.steps_[half * weights.strands() + s];
    if (together) multiply_padded(strand, step.forward.gates.base);
    for (std::size_t t = 0; t < steps; ++t, half = 1 - half) {
      float* const h = row_of(output(s, 0), t);
      if (!layer.has_projection()) step.forward.h = one_to(h);
      if (layer.cell->states > 1) {
        step.forward.c_prev = one(network.state_in(half, strand.states[1]));
        step.forward.c = one_to(network.state_in(1 - half, strand.states[1]));
      }
      if (together) {
        step.forward.gates = one_to(row_of(gates(s, 0), t));
        function(step, nullptr, kernels::kGatesGiven, nullptr);
      } else {
        const bool picks = one_hot != nullptr;
        function(step, picks ? nullptr : row_of(o, t), picks ? one_hot[t] : 0, nullptr);
      }
      if (layer.has_projection())
        table.gemm(strand.weights.projection, 1, as_input(step.forward.h), {}, layer.projected, one_to(h));
      record(strand, t, 1 - half);
      step.forward.x = step.forward.h_prev = one(h);
    }
    std::copy_n(step.forward.x.base, strand.states[0].size, network.state_in(half, strand.states[0]));
    return true;
  }
  // gates = W_ih x + b of all steps, padded as the kernel of a step has them; `bias` is room for one row.
  void multiply_padded(const Strand& strand, float* bias) const noexcept {
    const std::size_t H = strand.layer->hidden, width = kernels::padded(H), G = strand.layer->cell->gates;
    for (std::size_t g = 0; g < G; ++g) std::copy_n(strand.weights.bias() + g * H, H, bias + g * width);
    weights.table().gemm(strand.weights.input, steps, o, one(bias), G * width, gates(0, 0));
  }
  bool multiplies_inputs(std::size_t) const noexcept { return true; }
  template <class Visit>
  void for_rows(const Visit& visit) const noexcept {
    visit(0, steps);
  }
  void make_windows(std::size_t l) const noexcept {
    for (std::size_t t = 0; t < steps; ++t)
      network.make_window(weights.strand(l), one_hot == nullptr ? row_of(o, t) : nullptr,
                          one_hot != nullptr ? one_hot[t] : 0, room.windows + t * room.window_width);
  }
  kernels::Rows windows(std::size_t, std::size_t) const noexcept {
    return {room.windows, room.window_width, nullptr};
  }
  kernels::Rows input(std::size_t, std::size_t) const noexcept { return o; }
  const std::int32_t* indices(std::size_t, std::size_t) const noexcept { return one_hot; }
  kernels::MutableRows gates(std::size_t, std::size_t) const noexcept {
    return {room.gates, room.gates_width, nullptr};
  }
  Normalized normalized(std::size_t, std::size_t) const noexcept { return {}; }
  template <class Visit>
  void for_steps(std::size_t s, const Visit& visit) const noexcept {
    const Strand& strand = weights.strand(s);
    const cells::Cell& cell = *strand.layer->cell;
    cells::ForwardStep step = network.step_;
    step.hidden = strand.layer->hidden;
    if (!cell.keeps_h) {
      step.rows = steps;
      step.gates = gates(s, 0);
      step.next[0] = output(s, 0);
      return visit(step);
    }
    std::size_t half = network.half_;
    step.previous[0] = one(network.state_in(half, strand.states[0]));
    for (std::size_t t = 0; t < steps; ++t, half = 1 - half) {
      step.gates = one_to(row_of(gates(s, 0), t));
      step.next[0] = one_to(row_of(output(s, 0), t));
      for (std::size_t state = 1; state < cell.states; ++state) {
        step.previous[state] = one(network.state_in(half, strand.states[state]));
        step.next[state] = one_to(network.state_in(1 - half, strand.states[state]));
      }
      visit(step);
      record(strand, t, 1 - half);
      step.previous[0] = as_input(step.next[0]);
    }
    std::copy_n(step.previous[0].base, strand.states[0].size, network.state_in(half, strand.states[0]));
  }
  // What a history keeps of step t, which wrote to that half: h is in its row, the other states are in the stream.
  void record(const Strand& strand, std::size_t t, std::size_t half) const noexcept {
    if (!network.keeps_past_ || t + 1 == steps) return;
    float* const to = network.past_.states.after(t + 1);
    for (std::size_t state = 0; state < strand.layer->cell->states; ++state) {
      const Strand::State& vector = strand.states[state];
      const float* const from = state == 0 ? room.o + t * room.width : network.state_in(half, vector);
      std::copy_n(from, vector.size, to + vector.place);
    }
  }
  void end_strand(std::size_t) const noexcept {}
  bool copies(const Layer&) const noexcept { return false; }
  kernels::Rows h(std::size_t s, std::size_t) const noexcept { return as_input(output(s, 0)); }
  kernels::MutableRows output(std::size_t, std::size_t) const noexcept {
    return {room.o, room.width, nullptr};
  }
  void end_layer(std::size_t) noexcept {
    std::swap(room.x, room.o);
    o = {room.x, room.width, nullptr};
    one_hot = nullptr;
  }

  Network& network;
  const Weights& weights;
  BlockRoom& room;
  std::size_t steps;
  kernels::Rows o{};                      // what the next layer reads
  const std::int32_t* one_hot = nullptr;  // [steps]  or these
};

void Network::decide_on_blocks() noexcept {
  const Weights& weights = *weights_;
  for (const bool by_index : {false, true}) {
    std::size_t all = 0, together = 0;
    bool in_kernels = true;  // all layers
    const auto add = [&](std::size_t count, bool is_together) {
      all += count;
      if (is_together) together += count;
    };
    for (std::size_t l = 0; l < weights.num_layers(); ++l) {
      const Layer& layer = weights.layer(l);
      const bool one_hot = by_index && l == 0 && !weights.has_embedding();
      add(layer.gates() * (one_hot ? 1 : layer.columns()),
          multiplies_together(weights.table(), layer, one_hot));
      add(layer.cell->recurrent_gates() * layer.hidden * layer.projected, false);
      in_kernels = in_kernels && layer.has_step();
    }
    if (weights.has_head()) add(weights.head().rows * weights.head().depth, true);
    fewest_steps_[by_index] = all >= kLargeNetwork ? kFewestStepsOfLarge : kFewestSteps;
    if (in_kernels && (all <= kFewWeights * scale(weights.table()) || together < kManyWeights))
      fewest_steps_[by_index] = kNever;
  }
}

// No more steps than there is room for.
void Network::step_together(BlockRoom& room, std::size_t steps, const float* x, const std::int32_t* indices,
                            float* y) noexcept {
  BlockBuffers buffers(*this, room, steps, x, indices);
  if (keeps_past_) past_.states.begin_block(current_state());
  walk_layers(*weights_, 0, weights_->num_layers(), buffers);
  half_ = (half_ + steps) % 2;
  if (keeps_past_) past_.states.end_block(steps);
  const std::size_t O = weights_->output_size();
  if (y == nullptr) return;
  apply_head(*weights_, steps, buffers.o, O, {y, O, nullptr});
  add_inputs(*weights_, steps, {{x, weights_->input_size(), nullptr}, indices}, {y, O, nullptr});
}

// As many at a time as there is room for.
void Network::step_by_room(BlockRoom& room, std::size_t steps, const float* x, const std::int32_t* indices,
                           float* y) noexcept {
  const std::size_t I = weights_->input_size(), O = weights_->output_size();
  const std::size_t fewest = fewest_steps_[x == nullptr];
  for (std::size_t count = 0; steps != 0; steps -= count) {
    count = std::min(steps, room.steps);
    if (count >= fewest)
      step_together(room, count, x, indices, y);
    else
      step_in_turn(count, x, indices, y);
    if (x != nullptr) x += count * I;
    if (indices != nullptr) indices += count;
    if (y != nullptr) y += count * O;
  }
}

// The room for a block of as many steps, which may be none.
BlockRoom Network::make_room(std::size_t steps, bool by_index) const {
  steps = std::min(steps, kMostSteps);
  return steps >= fewest_steps_[by_index] ? BlockRoom(*weights_, steps) : BlockRoom();
}

void Network::reserve_block(std::size_t steps) {
  if (std::min(steps, kMostSteps) > room_.steps)
    room_ = make_room(steps, fewest_steps_[1] < fewest_steps_[0]);
}

}  // namespace rnn

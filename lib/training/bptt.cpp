#include "lib/training/bptt.h"

#include <algorithm>

#include "lib/kernels/pack.h"

namespace rnn {
namespace {

// A group has at least so many segments (fewer leave the weights' loads unamortised), and there are two
// groups for each thread if they have many, so that one which is held up holds up less.
constexpr std::size_t kLeastSegments = 4;
constexpr std::size_t kManySegments = 16;

// Floats of d_h in a block: what a layer leaves for the next is still in the cache, and so are the weights.
constexpr std::size_t kBlockFloats = 64 * 1024;

}  // namespace

Bptt::Bptt(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), threads_(threads), w_(weights), gradients_(weights, threads) {}

// ---- Transposed weights --------------------------------------------------------------------------

// Those of the lowest layer's inputs may be large: they get no room until they are asked for.
void Bptt::reserve_transposed(const Weights& weights, bool with_inputs) {
  const std::size_t layers = weights.num_layers();
  Buffer<PackedMatrix> transposed(allocator_, 2 * layers + (weights.has_head() ? 1 : 0));
  std::size_t used = 0;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    std::size_t place = p.layer;
    if (p.kind == Parameter::Kind::input)
      place = layers + p.layer;
    else if (p.kind == Parameter::Kind::head)
      place = 2 * layers;
    else if (p.kind != Parameter::Kind::recurrent)
      continue;
    transposed[place] = {i, true, {nullptr, p.columns, p.rows}, nullptr};
    if (place == layers && !with_inputs) transposed[place].panels.rows = 0;
    used += kernels::padded(kernels::packed_size(weights.table(), transposed[place].panels.rows, p.rows));
  }
  Buffer<float> packed(allocator_, used);
  used = 0;
  for (PackedMatrix& m : transposed) {
    m.panels.data = m.data = packed.data() + used;
    used += kernels::padded(kernels::packed_size(weights.table(), m.panels.rows, m.panels.depth));
  }
  transposed_.swap(transposed);
  packed_.swap(packed);
}

void Bptt::pack(const Weights& weights, bool with_inputs) {
  const std::size_t lowest = weights.num_layers();
  if (transposed_.size() == 0 || (with_inputs && transposed_[lowest].panels.rows == 0))
    reserve_transposed(weights, with_inputs);
  for (std::size_t i = 0; i < transposed_.size(); ++i) {
    if (i == lowest && !with_inputs) continue;
    const PackedMatrix& m = transposed_[i];
    const Parameter& p = weights.parameter(m.parameter);
    const float* values = weights.values() + p.offset;
    threads_.run(Threads::kPacking * static_cast<double>(p.count()),
                 kernels::panel_count(weights.table(), p.columns),
                 [&](std::size_t panel) { pack_panels(weights.table(), p, values, m, panel, panel + 1); });
  }
}

// ---- Passes --------------------------------------------------------------------------------------

RowLoss Bptt::forward(const Pass& pass) {
  begin(pass);
  threads_.run(operations(), group_count_, [&](std::size_t i) { forward_group(groups_[i]); });
  return sum_losses();
}

RowLoss Bptt::train(const Pass& pass, float* gradients) {
  begin(pass);
  gradients_.prepare(w_, *pass.weights);
  cotangents_ = {};
  initial_gradients_ = pass.weights->config().initial_state == RNN_INITIAL_TRAINED;
  threads_.run(2.0 * operations(), group_count_, [&](std::size_t i) {
    forward_group(groups_[i]);
    backward_group(groups_[i]);
  });
  gradients_.write(w_, *pass.weights, initial_gradients_, gradients);
  return sum_losses();
}

void Bptt::prepare_backward(bool with_inputs) {
  gradients_.prepare(w_, *pass_.weights);
  if (with_inputs) d_input_rows_.reserve(allocator_, w_.plan.rows());
}

void Bptt::backward(const Cotangents& cotangents, float* gradients) {
  cotangents_ = cotangents;
  initial_gradients_ =
      cotangents.initial_states != nullptr || pass_.weights->config().initial_state != RNN_INITIAL_ZERO;
  threads_.run(operations(), group_count_, [&](std::size_t i) { backward_group(groups_[i]); });
  gradients_.add(w_, *pass_.weights, gradients);
}

void Bptt::begin(const Pass& pass) {
  pass_ = pass;
  w_.begin(pass);
  build_groups();
}

double Bptt::operations() const noexcept {
  return 2.0 * static_cast<double>(pass_.weights->value_count()) * static_cast<double>(w_.plan.rows());
}

// Groups of about equal numbers of rows. Segments are sorted by length, the longest first.
void Bptt::build_groups() {
  const std::size_t segments = w_.plan.segments();
  std::size_t count = threads_.count(operations());
  if (count > 1 && segments / (2 * count) >= kManySegments) count *= 2;
  count = std::clamp<std::size_t>(count, 1, std::max<std::size_t>(1, segments / kLeastSegments));
  groups_.reserve(allocator_, count);

  group_count_ = 0;
  std::size_t rows = 0;
  for (std::size_t b = 0, first = 0; b < segments; ++b) {
    rows += w_.plan.segment(b).length;
    if (b + 1 < segments && rows * count < w_.plan.rows() * (group_count_ + 1)) continue;
    groups_[group_count_++] = {first, b + 1, 0, nullptr};
    first = b + 1;
  }

  std::size_t used = 0;
  const std::size_t stride = w_.dimensions.state_stride;
  for (bool measure : {true, false}) {
    if (!measure) scratch_.reserve(allocator_, used);
    used = 0;
    for (std::size_t i = 0; i < group_count_; ++i) {
      Group& g = groups_[i];
      const std::size_t step = (g.last - g.first) * stride;
      g.block = std::clamp<std::size_t>(kBlockFloats / step, 1, std::min(steps(g), kMostBlockSteps));
      g.scratch = scratch_.data() + used;
      used += checked_product(2 * g.block, step);
    }
  }
}

RowLoss Bptt::sum_losses() const noexcept {
  RowLoss sum{0.0, 0.0};
  if (pass_.loss == 0) return sum;
  for (std::size_t i = 0; i < w_.output_rows(); ++i) {
    sum.loss += w_.losses[i].loss;
    sum.correct += w_.losses[i].correct;
  }
  return sum;
}

std::size_t Bptt::active(const Group& g, std::size_t t) const noexcept {
  if (t >= w_.plan.steps()) return 0;
  const std::size_t last = std::min(w_.plan.active(t), g.last);
  return last > g.first ? last - g.first : 0;
}

}  // namespace rnn

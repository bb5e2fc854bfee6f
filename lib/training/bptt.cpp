#include "lib/training/bptt.h"

#include <algorithm>
#include <utility>

namespace rnn {
namespace {

// A group has at least so many segments (fewer leave the weights' loads unamortised), and there are two
// groups for each thread if they have many, so that one which is held up holds up less.
constexpr std::size_t kLeastSegments = 4;
constexpr std::size_t kManySegments = 16;

// Floats of a layer's gates in a block: what one kernel leaves for the next is still in the cache.
// But so many rows at least, which the loads of the weights are worth, and at most so many steps.
constexpr std::size_t kBlockFloats = 64 * 1024;
constexpr std::size_t kBlockRows = 64;
constexpr std::size_t kBlockSteps = 64;

}  // namespace

Bptt::Bptt(const Weights& weights, Threads& threads, const TransposedWeights* transposed, std::size_t chunk)
    : allocator_(weights.allocator()),
      threads_(threads),
      w_(weights, chunk),
      gradients_(weights, threads),
      transposed_(transposed),
      sampled_(weights, threads) {}

RowLoss Bptt::forward(const Pass& pass) {
  begin(pass);
  threads_.run(operations(), group_count_, [&](std::size_t i) { forward_group(groups_[i]); });
  if (w_.in_chunks && wants_outputs()) run_head({true, false, false}, {}, nullptr);
  return sum_losses();
}

RowLoss Bptt::train(const Pass& pass, float* gradients, bool add) {
  begin(pass);
  prepare_backward(false);
  cotangents_ = {};
  initial_gradients_ = pass.weights->config().initial_state == RNN_INITIAL_TRAINED;
  const Gradients::Mode mode{!add, initial_gradients_};
  if (w_.in_chunks) {
    threads_.run(operations(), group_count_, [&](std::size_t i) { forward_group(groups_[i]); });
    run_backward(true, mode, gradients);
    return sum_losses();
  }
  threads_.run(2.0 * operations(), group_count_, [&](std::size_t i) {
    forward_group(groups_[i]);
    backward_group(groups_[i]);
  });
  gradients_.compute(w_, *pass.weights, mode, gradients);
  gradients_.add_parts(*pass.weights, gradients);
  return sum_losses();
}

void Bptt::prepare_backward(bool with_inputs) {
  w_.begin_backward();
  if (w_.sampled) sampled_.prepare(pass_, w_);
  gradients_.prepare(w_, *pass_.weights);
  if (with_inputs) d_input_rows_.reserve(allocator_, w_.plan.rows());
}

void Bptt::backward(const Cotangents& cotangents, float* gradients) {
  cotangents_ = cotangents;
  initial_gradients_ =
      cotangents.initial_states != nullptr || pass_.weights->config().initial_state != RNN_INITIAL_ZERO;
  run_backward(false, {false, initial_gradients_}, gradients);
}

// A tied head's weights first get the gradients of the lookups: its outputs' are then computed once more.
void Bptt::run_backward(bool with_loss, Gradients::Mode mode, float* gradients) {
  const Weights& weights = *pass_.weights;
  const bool tied = weights.has(RNN_FLAG_TIED_HEAD), whole = w_.in_chunks && !w_.sampled;
  if (w_.sampled) sampled_.run(pass_, w_);
  if (whole) run_head({with_loss, true, !tied}, mode, gradients);
  threads_.run(operations(), group_count_, [&](std::size_t i) { backward_group(groups_[i]); });
  gradients_.compute(w_, weights, mode, gradients);
  if (w_.sampled) sampled_.add_gradients(pass_, w_, gradients);
  if (whole && tied) run_head({with_loss, false, true}, mode, gradients);
  gradients_.add_parts(weights, gradients);
}

void Bptt::begin(const Pass& pass) {
  pass_ = pass;
  const bool other = w_.begin(pass);
  const std::size_t threads = threads_.count(operations());
  if (!other && threads == grouped_for_) return;
  grouped_for_ = 0;
  build_groups(threads);
  grouped_for_ = threads;
}

double Bptt::operations() const noexcept {
  return 2.0 * static_cast<double>(pass_.weights->value_count()) * static_cast<double>(w_.plan.rows());
}

// Groups of about equal numbers of rows. Segments are sorted by length, the longest first.
void Bptt::build_groups(std::size_t threads) {
  const std::size_t segments = w_.plan.segments();
  std::size_t count = threads;
  if (count > 1 && segments / (2 * count) >= kManySegments) count *= 2;
  count = std::clamp<std::size_t>(count, 1, std::max<std::size_t>(1, segments / kLeastSegments));
  groups_.reserve(allocator_, count);

  group_count_ = 0;
  std::size_t rows = 0;
  for (std::size_t b = 0, first = 0; b < segments; ++b) {
    rows += w_.plan.segment(b).length;
    if (b + 1 < segments && rows * count < w_.plan.rows() * (group_count_ + 1)) continue;
    groups_[group_count_++] = {first, b + 1, 0, 0, nullptr, nullptr};
    first = b + 1;
  }
  build_blocks();
}

void Bptt::build_blocks() {
  const bool whole = w_.dimensions.has_reverse;  // a reverse strand begins at the end
  const std::size_t stride = w_.dimensions.layer_stride;
  const std::size_t most_rows = std::max(kBlockRows, kBlockFloats / w_.dimensions.gate_stride);
  std::size_t rows = 0, locals = 0;
  for (std::size_t i = 0; i < group_count_; ++i) {
    Group& g = groups_[i];
    const std::size_t segments = g.last - g.first;
    const std::size_t most = std::clamp<std::size_t>(most_rows / segments, 1, kBlockSteps);
    g.block = whole ? steps(g) : std::min(most, steps(g));
    g.rows = 0;
    for (std::size_t b = g.first; b < g.last; ++b) g.rows += std::min(g.block, w_.plan.segment(b).length);
    rows += g.rows;
    locals += g.block;
  }
  scratch_.reserve(allocator_, checked_product(2 * rows, stride));
  local_.reserve(allocator_, locals);
  float* scratch = scratch_.data();
  std::size_t* local = local_.data();
  for (std::size_t i = 0; i < group_count_; ++i) {
    groups_[i].scratch = std::exchange(scratch, scratch + 2 * groups_[i].rows * stride);
    groups_[i].local = std::exchange(local, local + groups_[i].block);
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

}  // namespace rnn

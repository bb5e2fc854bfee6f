#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lib/kernels/float_mode.h"
#include "lib/network/sequences.h"
#include "lib/training/evaluator.h"
#include "lib/training/options.h"
#include "lib/training/trainer.h"

namespace rnn {
namespace {

// Sequences that are worked on at a time, and about how many floats their activations take. Both decide
// the order in which losses are added, so they do not depend on the machine.
constexpr std::size_t kSequences = 256;
constexpr std::size_t kFloats = 8 << 20;

}  // namespace

Evaluator::Evaluator(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()),
      bptt_(weights, threads),
      rows_(kFloats / Workspace::row_floats(weights)),
      bidirectional_(weights.has_reverse()) {}

Evaluation Evaluator::evaluate(const Weights& weights, const rnn_sequences_t& data, std::int32_t loss,
                               const Labels& labels) {
  const std::size_t most = std::min(kSequences, data.count);
  slices_.reserve(allocator_, most);
  items_.reserve(allocator_, most);
  states_.reserve(allocator_, checked_product(most, weights.state_size()));
  next_states_.reserve(allocator_, states_.size());

  // What is pooled over a sequence, or goes through it backwards, needs it whole.
  whole_ = bidirectional_ || data.pooling == RNN_POOLING_MEAN || data.pooling == RNN_POOLING_MAX;
  Pass pass;
  pass.weights = &weights;
  pass.data = &data;
  pass.slices = slices_.data();
  pass.items = items_.data();
  pass.loss = loss;
  pass.labels = &labels;
  Evaluation sum;
  Group g{0, 0, 0};
  for (; g.first < data.count; g.first += g.count) {
    g.count = group_size(data, g.first, most);
    const Evaluation group = evaluate_group(pass, g);
    sum.sums.loss += group.sums.loss;
    sum.sums.correct += group.sums.correct;
    sum.weight += group.weight;
    for (std::size_t n = g.first; n < g.first + g.count; ++n) g.frame += data.lengths[n];
  }
  return sum;
}

// How many sequences from `first` on to take together: of whole ones, as many as there is room for.
std::size_t Evaluator::group_size(const rnn_sequences_t& data, std::size_t first,
                                  std::size_t most) const noexcept {
  most = std::min(most, data.count - first);
  if (!whole_) return most;
  std::size_t rows = data.lengths[first], count = 1;
  while (count < most && rows + data.lengths[first + count] <= rows_) rows += data.lengths[first + count++];
  return count;
}

// Window after window.
Evaluation Evaluator::evaluate_group(Pass& pass, const Group& group) {
  const std::size_t* lengths = pass.data->lengths + group.first;
  const std::size_t longest = *std::max_element(lengths, lengths + group.count);
  const std::size_t window = whole_ ? longest : std::max<std::size_t>(1, rows_ / group.count);
  Evaluation sum;
  for (std::size_t start = 0;; start += window) {
    pass.count = 0;
    std::size_t frame = group.frame;
    for (std::size_t i = 0; i < group.count; frame += lengths[i], ++i) {
      if (lengths[i] <= start) continue;
      const bool last = lengths[i] - start <= window;
      slices_[pass.count] = {frame + start, last ? lengths[i] - start : window};
      items_[pass.count] = {i, last ? group.first + i : Item::kNone};
      ++pass.count;
    }
    if (pass.count == 0) return sum;
    pass.initial_states = start == 0 ? nullptr : states_.data();
    pass.final_states = next_states_.data();
    const RowLoss sums = bptt_.forward(pass);
    states_.swap(next_states_);
    sum.sums.loss += sums.loss;
    sum.sums.correct += sums.correct;
    sum.weight += target_weight(pass);
  }
}

void evaluate(const Network& network, const rnn_sequences_t& data, const rnn_train_options_t& options,
              rnn_evaluation_t* out) {
  const Weights& weights = network.weights();
  check_evaluation_options(options);
  check_label_options(weights, options);
  check_inputs(weights, data, "data");
  check_finite_inputs(weights, data, "data");
  const std::int32_t loss = check_targets(weights, data, options.loss, "data");
  check_label_loss(loss, options);
  const Labels labels(weights.allocator(), weights.output_size(), options);
  const kernels::FloatMode mode;
  Threads threads(options.threads);
  Evaluator evaluator(weights, threads);
  const Evaluation result = evaluator.evaluate(weights, data, loss, labels);
  out->loss = result.loss();
  out->weight = result.weight;
  out->accuracy = loss == RNN_LOSS_CROSS_ENTROPY ? result.sums.correct / result.weight
                                                 : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace rnn

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
      bptt_(weights, threads, nullptr),
      rows_(kFloats / Workspace::row_floats(weights)),
      bidirectional_(weights.has_reverse()) {}

Evaluation Evaluator::evaluate(const Weights& weights, const JobData& data, std::int32_t loss,
                               const Labels& labels, Collective& collective) {
  Buffer<Evaluation> lanes(allocator_, collective.lanes());
  collective.try_together([&] {
    const std::size_t most = std::min(kSequences, data.count());
    slices_.reserve(allocator_, most);
    items_.reserve(allocator_, most);
    states_.reserve(allocator_, checked_product(most, weights.state_size()));
    next_states_.reserve(allocator_, states_.size());

    // What is pooled over a sequence, or goes through it backwards, needs it whole.
    const std::int32_t pooling = data.given().pooling;
    whole_ = bidirectional_ || pooling == RNN_POOLING_MEAN || pooling == RNN_POOLING_MAX;
    Pass pass;
    pass.weights = &weights;
    pass.data = &data.given();
    pass.slices = slices_.data();
    pass.items = items_.data();
    pass.loss = loss;
    pass.labels = &labels;
    const LaneRange own = collective.own_lanes();
    for (std::size_t lane = own.first; lane < own.last; ++lane) lanes[lane] = evaluate_lane(pass, data, lane);
  });
  collective.gather_lanes(lanes.data());
  for (std::size_t step = 1; step < lanes.size(); step *= 2)
    for (std::size_t i = 0; i < lanes.size(); i += 2 * step) lanes[i] += lanes[i + step];
  return lanes[0];
}

Evaluation Evaluator::evaluate_lane(Pass& pass, const JobData& data, std::size_t lane) {
  Evaluation sum;
  Group g{lane, 0};
  for (; g.first < data.count(); g.first += g.count * data.lanes()) {
    g.count = group_size(data, g.first);
    sum += evaluate_group(pass, data, g);
  }
  return sum;
}

// How many sequences from `first` on to take together: of whole ones, as many as there is room for.
std::size_t Evaluator::group_size(const JobData& data, std::size_t first) const noexcept {
  const std::size_t lanes = data.lanes();
  const std::size_t most = std::min(kSequences, (data.count() - first + lanes - 1) / lanes);
  if (!whole_) return most;
  std::size_t rows = data.length(first), count = 1;
  while (count < most && rows + data.length(first + count * lanes) <= rows_)
    rows += data.length(first + count++ * lanes);
  return count;
}

// Window after window.
Evaluation Evaluator::evaluate_group(Pass& pass, const JobData& data, const Group& group) {
  const auto sequence = [&](std::size_t i) { return group.first + i * data.lanes(); };
  std::size_t window = std::max<std::size_t>(1, rows_ / group.count);
  if (whole_)
    for (std::size_t i = 0; i < group.count; ++i) window = std::max(window, data.length(sequence(i)));
  Evaluation sum;
  for (std::size_t start = 0;; start += window) {
    pass.count = 0;
    for (std::size_t i = 0; i < group.count; ++i) {
      const std::size_t n = sequence(i), length = data.length(n);
      if (length <= start) continue;
      const bool last = length - start <= window;
      slices_[pass.count] = {data.first_frame(n) + start, last ? length - start : window};
      items_[pass.count] = {i, last ? data.index(n) : Item::kNone};
      ++pass.count;
    }
    if (pass.count == 0) return sum;
    pass.initial_states = start == 0 ? nullptr : states_.data();
    pass.final_states = next_states_.data();
    const RowLoss sums = bptt_.forward(pass);
    states_.swap(next_states_);
    sum += {sums, target_weight(pass)};
  }
}

void evaluate(const Network& network, const rnn_sequences_t& data, const rnn_train_options_t& options,
              rnn_evaluation_t* out) {
  const Weights& weights = network.weights();
  check_evaluation_options(options);
  const Allocator& allocator = weights.allocator();
  Collective collective(allocator, options.collective, std::max(options.lanes, 1));
  std::int32_t loss = 0;
  collective.try_together([&] {
    check_label_options(weights, options);
    check_inputs(weights, data, "data");
    check_finite_inputs(weights, data, "data");
    loss = check_targets(weights, data, options.loss, "data");
    check_label_loss(loss, options);
  });
  collective.check_job(weights, options);
  const Labels labels(allocator, weights.output_size(), options);
  const kernels::FloatMode mode;
  Threads threads(options.threads);
  Evaluator evaluator(weights, threads);
  const JobData job(allocator, data, collective);
  const Evaluation result = evaluator.evaluate(weights, job, loss, labels, collective);
  out->loss = result.loss();
  out->weight = result.weight;
  out->accuracy = loss == RNN_LOSS_CROSS_ENTROPY ? result.sums.correct / result.weight
                                                 : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace rnn

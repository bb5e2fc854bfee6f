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
    : allocator_(weights.allocator()), bptt_(weights, threads), dimensions_(weights) {}

Evaluation Evaluator::evaluate(const Weights& weights, const rnn_sequences_t& data, std::int32_t loss) {
  const std::size_t most = std::min(kSequences, data.count);
  slices_.reserve(allocator_, most);
  items_.reserve(allocator_, most);
  states_.reserve(allocator_, checked_product(most, weights.state_size()));
  next_states_.reserve(allocator_, states_.size());

  Pass pass;
  pass.weights = &weights;
  pass.data = &data;
  pass.slices = slices_.data();
  pass.items = items_.data();
  pass.loss = loss;
  Evaluation sum;
  std::size_t frame = 0;
  for (std::size_t first = 0; first < data.count; first += most) {
    const std::size_t count = std::min(most, data.count - first);
    const Evaluation group = evaluate_group(pass, first, frame, count);
    sum.sums.loss += group.sums.loss;
    sum.sums.correct += group.sums.correct;
    sum.weight += group.weight;
    for (std::size_t n = first; n < first + count; ++n) frame += data.lengths[n];
  }
  return sum;
}

// Window after window over `count` sequences.
Evaluation Evaluator::evaluate_group(Pass& pass, std::size_t first_sequence, std::size_t first_frame,
                                     std::size_t count) {
  const std::size_t* lengths = pass.data->lengths + first_sequence;
  const std::size_t window = this->window(count);
  Evaluation sum;
  for (std::size_t start = 0;; start += window) {
    pass.count = 0;
    std::size_t frame = first_frame;
    for (std::size_t i = 0; i < count; frame += lengths[i], ++i) {
      if (lengths[i] <= start) continue;
      const bool last = lengths[i] - start <= window;
      slices_[pass.count] = {frame + start, last ? lengths[i] - start : window};
      items_[pass.count] = {i, last ? first_sequence + i : Item::kNone};
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

std::size_t Evaluator::window(std::size_t sequences) const noexcept {
  const Dimensions& d = dimensions_;
  const std::size_t row =
      d.layers * (d.gate_stride + d.parts * d.state_stride) + d.input_stride + d.output_stride;
  return std::max<std::size_t>(1, kFloats / row / sequences);
}

void evaluate(const Network& network, const rnn_sequences_t& data, const rnn_train_options_t& options,
              rnn_evaluation_t* out) {
  check_evaluation_options(options);
  check_inputs(network.weights(), data, "data");
  const std::int32_t loss = check_targets(network.weights(), data, options.loss, "data");
  const kernels::FloatMode mode;
  Threads threads(options.threads);
  Evaluator evaluator(network.weights(), threads);
  const Evaluation result = evaluator.evaluate(network.weights(), data, loss);
  out->loss = result.loss();
  out->weight = result.weight;
  out->accuracy = loss == RNN_LOSS_CROSS_ENTROPY ? result.sums.correct / result.weight
                                                 : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace rnn

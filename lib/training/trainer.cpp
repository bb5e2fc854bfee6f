#include "lib/training/trainer.h"

#include <cmath>
#include <cstdint>

#include "lib/network/error.h"
#include "lib/network/sequences.h"
#include "lib/training/trainer_implementation.h"

namespace rnn {

Trainer::Implementation::Implementation(const Network& network, const rnn_train_options_t& resolved)
    : allocator(network.allocator()),
      options(resolved),
      weights(network.weights_ref()),
      threads(resolved.threads),
      optimizer(*weights, options, threads),
      bptt(*weights, threads),
      evaluator(*weights, threads),
      gradients(allocator, weights->value_count()) {
  state = initial_state(*weights);
  bptt.pack(*weights, false);
}

TrainerState Trainer::Implementation::initial_state(const Weights& w) const {
  TrainerState s;
  s.optimizer = static_cast<std::uint64_t>(options.optimizer);
  s.batch_size = static_cast<std::uint64_t>(options.batch_size);
  s.window = static_cast<std::uint64_t>(options.window);
  s.random = Random(options.seed);
  s.best_loss = std::numeric_limits<double>::infinity();
  s.validation_loss = std::numeric_limits<double>::quiet_NaN();
  if (optimizer.keeps_first()) s.first_moment = Buffer<float>(allocator, w.value_count());
  if (optimizer.keeps_second()) s.second_moment = Buffer<float>(allocator, w.value_count());
  return s;
}

std::int32_t Trainer::Implementation::check_data(const rnn_sequences_t& data, const char* name) const {
  check_inputs(*weights, data, name);
  return check_targets(*weights, data, options.loss, name);
}

void Trainer::Implementation::check_validation(std::int32_t loss) const {
  if (options.validation == nullptr) return;
  check_inputs(*weights, *options.validation, "validation");
  check_targets(*weights, *options.validation, loss, "validation");
}

// ---- One update ----------------------------------------------------------------------------------

bool Trainer::Implementation::update(Pass& pass, bool carry, std::size_t sequences,
                                     rnn_progress_t& progress) {
  const kernels::FloatMode mode;
  const auto start = std::chrono::steady_clock::now();
  const std::size_t states = checked_product(sequences, weights->state_size());
  pass.weights = weights.get();
  pass.total = target_weight(pass);
  if (carry) {
    if (next_carried.size() != states) next_carried = Buffer<float>(allocator, states);
    std::fill(next_carried.begin(), next_carried.end(), 0.0f);
    pass.initial_states = state.carried.size() == states ? state.carried.data() : nullptr;
    pass.final_states = next_carried.data();
  }
  std::size_t steps = 0;
  for (std::size_t i = 0; i < pass.count; ++i) steps += pass.slices[i].length;

  const bool has_target = pass.total > 0.0;
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  if (has_target) {
    progress.loss = bptt.train(pass, gradients.data()).loss / pass.total;
    if (!std::isfinite(progress.loss))
      throw Error(RNN_NOT_FINITE,
                  "the loss of update %" PRIu64 " is %g; the weights stay as they were before it",
                  state.update, progress.loss);
    apply(gradients.data(), progress);
  } else {
    pass.loss = 0;
    bptt.forward(pass);
  }
  if (carry) state.carried.swap(next_carried);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  progress.steps_per_second = static_cast<double>(steps) / seconds.count();
  return has_target;
}

// Nothing has changed if this throws.
void Trainer::Implementation::apply(const float* from, rnn_progress_t& progress) {
  const double norm = optimizer.norm(*weights, from);
  if (!std::isfinite(norm))
    throw Error(RNN_NOT_FINITE,
                "the gradient's norm at update %" PRIu64 " is %g; the weights stay as they were before it",
                state.update, norm);
  if (!weights.unique()) weights = weights.copy();

  progress.gradient_norm = norm;
  progress.learning_rate = learning_rate(options, state.update);
  Weights& own = weights.mutate();
  optimizer.apply(own, from, norm, state.update, state.first_moment.data(), state.second_moment.data());
  threads.run(Threads::kPacking * static_cast<double>(own.value_count()), own.pack_jobs(),
              [&](std::size_t i) { own.pack_job(i); });
  bptt.pack(own, false);
  progress.update = ++state.update;
}

rnn_progress_t Trainer::Implementation::new_progress(std::int32_t event) const noexcept {
  rnn_progress_t progress{};
  progress.struct_size = sizeof progress;
  progress.event = event;
  progress.epoch = static_cast<std::int32_t>(state.epoch);
  progress.update = state.update;
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  progress.validation_loss = state.validation_loss;
  return progress;
}

namespace {

// struct_size is the caller's.
void give(const rnn_progress_t& progress, rnn_progress_t* out) noexcept {
  if (out == nullptr) return;
  const std::size_t size = out->struct_size;
  *out = progress;
  out->struct_size = size;
}

}  // namespace

// ---- Trainer -------------------------------------------------------------------------------------

Trainer::Trainer(const Network& network, const rnn_train_options_t& options) {
  const rnn_train_options_t resolved = resolve_options(options);
  if (resolved.validation != nullptr) {
    check_inputs(network.weights(), *resolved.validation, "validation");
    check_targets(network.weights(), *resolved.validation, resolved.loss, "validation");
  }
  implementation_ = network.allocator().make<Implementation>(network, resolved);
}

Trainer::~Trainer() { allocator().destroy(implementation_); }

void Trainer::update(const rnn_sequences_t& batch, rnn_progress_t* progress) {
  Implementation& self = *implementation_;
  if (self.state.next_step != 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "a run stands at step %" PRIu64
                " of a batch, whose states an update would lose; let it finish first",
                self.state.next_step);
  Pass pass;
  pass.loss = self.check_data(batch, "batch");
  pass.data = &batch;
  self.slices.reserve(self.allocator, batch.count);
  self.items.reserve(self.allocator, batch.count);
  std::size_t first = 0;
  for (std::size_t n = 0; n < batch.count; first += batch.lengths[n], ++n) {
    self.slices[n] = {first, batch.lengths[n]};
    self.items[n] = {n, n};
  }
  pass.slices = self.slices.data();
  pass.items = self.items.data();
  pass.count = batch.count;
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  self.update(pass, self.options.fresh_windows == 0, batch.count, result);
  give(result, progress);
}

void Trainer::apply(const Tape& tape, rnn_progress_t* progress) {
  Implementation& self = *implementation_;
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  {
    const kernels::FloatMode mode;
    self.apply(tape.gradients(), result);
  }
  give(result, progress);
}

void Trainer::reset() {
  // Within a batch, the states are those of the run.
  if (implementation_->state.next_step == 0) implementation_->state.carried = Buffer<float>();
}

const Allocator& Trainer::allocator() const noexcept { return implementation_->allocator; }

const WeightsRef& Trainer::weights_ref() const noexcept { return implementation_->weights; }

const TrainerState& Trainer::state() const noexcept { return implementation_->state; }

}  // namespace rnn

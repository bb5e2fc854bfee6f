// Trainer::run: the whole job, from where the trainer stands.
#include <cmath>
#include <cstdint>

#include "lib/network/error.h"
#include "lib/network/sequences.h"
#include "lib/training/trainer_implementation.h"

namespace rnn {

void Trainer::run(const rnn_sequences_t& data, kernels::FloatEnvironment& environment) {
  Implementation& self = *implementation_;
  const rnn_train_options_t& options = self.options;
  TrainerState& state = self.state;
  const std::int32_t loss = self.check_data(data, "data");
  check_run_options(data, options);
  self.check_validation(loss);
  self.check_position(data);
  if (options.validation == nullptr) state.validation_due = 0;
  if (state.validation_due == 0 && self.is_done()) return self.finish();

  const Walk walk(self.allocator, data, options, loss, self.labels);
  self.slices.reserve(self.allocator, std::min(static_cast<std::size_t>(options.batch_size), data.count));
  self.items.reserve(self.allocator, self.slices.size());
  const std::uint64_t updates = self.is_done() ? 0 : walk.count_updates(state);
  const std::uint64_t total_updates = updates == 0 ? 0 : state.update + state.skipped + updates;
  while (state.validation_due != 0 || !self.is_done()) {
    // Everything that a resumed run must know is settled before the first report.
    rnn_progress_t progress = self.new_progress(RNN_EVENT_UPDATE);
    const bool updated = state.validation_due == 0 && self.run_update(walk, data, loss, progress);
    const bool validated = state.validation_due != 0;
    if (validated) self.validate(loss);

    progress.total_updates = total_updates == 0 ? 0 : total_updates - state.skipped;
    progress.skipped_updates = state.skipped;
    progress.validation_loss = state.validation_loss;
    if (updated && state.update % static_cast<std::uint64_t>(options.report_every) == 0 &&
        self.report(progress, environment))
      return;
    progress.event = RNN_EVENT_VALIDATION;
    if (validated && self.report(progress, environment)) return;
  }
  self.finish();
  if (!all_finite(self.weights->values(), self.weights->value_count()))
    throw Error(RNN_NOT_FINITE,
                "the weights are not finite after update %" PRIu64 ": the updates were too large",
                state.update);
}

// A trainer that stands in the middle of data can only go on with the same.
void Trainer::Implementation::check_position(const rnn_sequences_t& data) const {
  if (state.data_count == 0) return;
  if (state.data_count != data.count || state.data_frames != data.frames)
    throw Error(RNN_MISMATCH,
                "data has %zu sequences of %zu frames; the trainer stands in the middle of %" PRIu64
                " sequences of %" PRIu64 " frames",
                data.count, data.frames, state.data_count, state.data_frames);
  if (state.next_step == 0) return;
  for (std::uint64_t i = state.next_sequence;
       i < state.order.size() && i < state.next_sequence + state.batch_size; ++i)
    if (data.lengths[state.order[static_cast<std::size_t>(i)]] > state.next_step) return;
  throw Error(RNN_MISMATCH,
              "the trainer stands at step %" PRIu64 " of a batch; the sequences of data end before",
              state.next_step);
}

bool Trainer::Implementation::is_done() const noexcept {
  const bool out_of_patience =
      options.patience != 0 && state.worse >= static_cast<std::uint64_t>(options.patience);
  return out_of_patience || state.epoch >= static_cast<std::uint64_t>(options.epochs);
}

// The next passes and the update that they make; false if none of them had a target, at the end of an epoch.
// Where this throws, the run stands where it did.
bool Trainer::Implementation::run_update(const Walk& walk, const rnn_sequences_t& data, std::int32_t loss,
                                         rnn_progress_t& progress) {
  const bool epoch_begins = state.order.size() == 0;
  const Random random = state.random;
  const std::uint64_t next_sequence = state.next_sequence, next_step = state.next_step;
  const std::uint64_t update_before = state.update;
  const bool carry = carries();
  Gathered gathered;
  gathered.many = options.accumulate > 1;
  try {
    walk.begin_epoch(state);
    Pass pass;
    pass.data = &data;
    pass.loss = loss;
    const kernels::FloatMode mode;
    run_passes(walk, pass, gathered);
    update(gathered, progress);
  } catch (...) {
    if (carry && (state.next_sequence != next_sequence || state.next_step != next_step))
      state.carried.swap(first_carried);
    state.next_sequence = next_sequence;
    state.next_step = next_step;
    if (epoch_begins) state.order = Buffer<std::uint64_t>();
    state.random = random;
    throw;
  }
  if (carry) state.carried.swap(next_carried);
  state.data_count = data.count;
  state.data_frames = data.frames;
  const bool epoch_ended = walk.next(state);
  if (state.next_step == 0) state.carried = Buffer<float>();

  const bool updated = state.update != update_before;
  if (updated) state.restored = 0;
  const auto every = static_cast<std::uint64_t>(options.validate_every);
  const bool due = every == 0 ? epoch_ended : updated && state.update % every == 0;
  state.validation_due = due && options.validation != nullptr ? 1 : 0;
  return updated;
}

// Up to the pass that completes an update; its window stays the one in work.
void Trainer::Implementation::run_passes(const Walk& walk, Pass& pass, Gathered& gathered) {
  pass.slices = slices.data();
  pass.items = items.data();
  pass.recurrent_key = key(Draw::masks_of_epoch, state.epoch, 0);
  for (bool first = true;; first = false) {
    if (state.next_step == 0)
      state.carried = Buffer<float>();  // what another batch or single updates carried
    pass.count = walk.slices(state, slices.data(), items.data());
    do_pass(pass, carries(), walk.batch_size(state), gathered);
    if (gathered.passes == options.accumulate || walk.is_last(state)) return;
    if (carries()) {
      if (first) first_carried.swap(state.carried);
      state.carried.swap(next_carried);
    }
    walk.next(state);
  }
}

// The result of the run's best validation becomes that of the run.
void Trainer::Implementation::finish() {
  if (options.restore_best == 0 || state.restored != 0 || state.best.size() == 0) return;
  set_weights(state.best.data(), weights);
  bptt.transposed().pack(*weights, false);
  std::copy_n(state.best.data(), state.average.size(), state.average.data());
  averaged_is_new = false;
  state.restored = 1;
}

void Trainer::Implementation::validate(std::int32_t loss) {
  const kernels::FloatMode mode;
  const Weights& seen = *result();
  const double found = evaluator.evaluate(seen, *options.validation, loss, labels).loss();
  if (!std::isfinite(found))
    throw Error(RNN_NOT_FINITE, "the validation loss after update %" PRIu64 " is %g%s", state.update, found,
                advice());
  if (found < state.best_loss) {
    if (options.restore_best != 0) {
      state.best.reserve(allocator, seen.value_count());
      std::copy_n(seen.values(), seen.value_count(), state.best.data());
    }
    state.best_loss = found;
    state.worse = 0;
  } else {
    ++state.worse;
  }
  state.validation_loss = found;
  state.validation_due = 0;
}

// True if the run is to stop.
bool Trainer::Implementation::report(const rnn_progress_t& progress,
                                     kernels::FloatEnvironment& environment) const {
  if (options.progress == nullptr) return false;
  const kernels::FloatEnvironment::Suspended callers(environment);
  return options.progress(&progress, options.user) != 0;
}

}  // namespace rnn

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
  std::int32_t loss = 0;
  self.collective.try_together([&] {
    loss = self.check_data(data, "data");
    check_run_options(data, options);
  });
  self.check_validation(loss);
  self.collective.check_same({{"the number of updates done", state.update}});
  const JobData job(self.allocator, data, self.collective);
  self.check_position(job);
  if (options.validation == nullptr) state.validation_due = 0;
  if (state.validation_due == 0 && self.is_done()) return self.finish();

  const Walk walk(self.allocator, job, options, loss, self.labels);
  const std::uint64_t updates = self.is_done() ? 0 : walk.count_updates(state);
  const std::uint64_t total_updates = updates == 0 ? 0 : state.update + state.skipped + updates;
  while (state.validation_due != 0 || !self.is_done()) {
    // Everything that a resumed run must know is settled before the first report.
    rnn_progress_t progress = self.new_progress(RNN_EVENT_UPDATE);
    bool updated = false;
    if (state.validation_due == 0) {
      const std::uint64_t before = state.update;
      updated = self.run_update(walk, job, loss, progress);
      self.log_data(data, loss, environment);
      self.log_update(before, environment);
    }
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
void Trainer::Implementation::check_position(const JobData& data) const {
  if (state.data_count == 0) return;
  if (state.data_count != data.count() || state.data_frames != data.frames())
    throw Error(RNN_MISMATCH,
                "data has %zu sequences of %zu frames; the trainer stands in the middle of %" PRIu64
                " sequences of %" PRIu64 " frames",
                data.count(), data.frames(), state.data_count, state.data_frames);
  if (state.next_step == 0) return;
  for (std::uint64_t i = state.next_sequence;
       i < state.order.size() && i < state.next_sequence + state.batch_size; ++i)
    if (data.length(state.order[static_cast<std::size_t>(i)]) > state.next_step) return;
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
bool Trainer::Implementation::run_update(const Walk& walk, const JobData& data, std::int32_t loss,
                                         rnn_progress_t& progress) {
  const bool epoch_begins = state.order.size() == 0;
  const Random random = state.random;
  const std::uint64_t update_before = state.update;
  Job job{&data.given(), loss, 0, carries(), collective.lanes() > 1 || options.accumulate > 1};
  if (options.recurrent_dropout > 0.0f) job.recurrent_key = key(Draw::masks_of_epoch, state.epoch, 0);
  Place last;
  try {
    walk.begin_epoch(state);
    last = gather_passes(walk, data);
    const kernels::FloatMode mode;
    update(job, true, progress);
  } catch (...) {
    if (epoch_begins) state.order = Buffer<std::uint64_t>();
    state.random = random;
    throw;
  }
  state.data_count = data.count();
  state.data_frames = data.frames();
  const bool epoch_ended = walk.go_on(state, last);
  // A new batch forgets what another one, or single updates, carried.
  if (job.carry && state.next_step != 0)
    state.carried.swap(next_carried);
  else
    state.carried = Buffer<float>();

  const bool updated = state.update != update_before;
  if (updated) state.restored = 0;
  const auto every = static_cast<std::uint64_t>(options.validate_every);
  const bool due = every == 0 ? epoch_ended : updated && state.update % every == 0;
  state.validation_due = due && options.validation != nullptr ? 1 : 0;
  return updated;
}

// The passes of the next update, up to that which completes it; returns its place.
Place Trainer::Implementation::gather_passes(const Walk& walk, const JobData& data) {
  const LaneRange own = collective.own_lanes(), all{0, collective.lanes()};
  const auto has_target = [&](Place place) {
    if (walk.always_has_target()) return true;
    return data.whole() ? walk.has_target(state, place, all)
                        : collective.any(walk.has_target(state, place, own));
  };
  passes.clear();
  std::int32_t with_target = 0;
  for (Place place = state.place();; place = walk.next(state, place)) {
    const std::size_t batch = walk.batch_size(place);
    std::size_t end = passes.slices.size();
    passes.resize(end + batch);
    for (std::size_t lane = 0; lane < collective.lanes(); ++lane) {
      if (own.has(lane)) end += walk.slices(state, place, lane, &passes.slices[end], &passes.items[end]);
      passes.ends.push_back(end);
    }
    passes.resize(end);
    passes.batches.push_back({batch, place.step == 0});
    if (has_target(place)) ++with_target;
    if (with_target == options.accumulate || walk.is_last(state, place)) return place;
  }
}

// The result of the run's best validation becomes that of the run.
void Trainer::Implementation::finish() {
  if (options.restore_best == 0 || state.restored != 0 || state.best.size() == 0) return;
  set_weights(state.best.data(), weights);
  transposed.pack(*weights, false);
  std::copy_n(state.best.data(), state.average.size(), state.average.data());
  averaged_is_new = false;
  state.restored = 1;
}

void Trainer::Implementation::validate(std::int32_t loss) {
  const kernels::FloatMode mode;
  const Weights& seen = *result();
  const JobData data(allocator, *options.validation, collective);
  const double found = evaluator.evaluate(seen, data, loss, labels, collective).loss();
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
bool Trainer::Implementation::report(const rnn_progress_t& progress, kernels::FloatEnvironment& environment) {
  if (options.progress == nullptr) return false;
  bool stop;
  {
    const kernels::FloatEnvironment::Suspended callers(environment);
    stop = options.progress(&progress, options.user) != 0;
  }
  return collective.any(stop);
}

}  // namespace rnn

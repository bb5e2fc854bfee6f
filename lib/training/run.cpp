// Trainer::run: the whole job, from where the trainer stands.
#include <cstdint>

#include "lib/network/error.h"
#include "lib/network/sequences.h"
#include "lib/training/trainer_implementation.h"

namespace rnn {

void Trainer::run(const rnn_sequences_t& data) {
  Implementation& self = *implementation_;
  const rnn_train_options_t& options = self.options;
  TrainerState& state = self.state;
  Pass pass;
  const std::int32_t loss = self.check_data(data, "data");
  self.check_validation(loss);
  self.check_position(data);
  if (self.is_done()) return;

  const Walk walk(self.allocator, data, options);
  self.slices.reserve(self.allocator, std::min(static_cast<std::size_t>(options.batch_size), data.count));
  self.items.reserve(self.allocator, self.slices.size());
  const std::uint64_t updates = walk.count_updates(state);
  const std::uint64_t total_updates = updates == 0 ? 0 : state.update + updates;
  while (!self.is_done()) {
    // Everything that a resumed run must know is settled before the first report.
    const bool epoch_begins = state.order.size() == 0;
    const Random random = state.random;
    walk.begin_epoch(state);
    pass = Pass();
    pass.data = &data;
    pass.loss = loss;
    rnn_progress_t progress = self.new_progress(RNN_EVENT_UPDATE);
    bool updated = false;
    try {
      updated = self.run_window(walk, pass, progress);
    } catch (...) {
      if (epoch_begins) {
        state.order = Buffer<std::uint64_t>();
        state.random = random;
      }
      throw;
    }
    state.data_count = data.count;
    state.data_frames = data.frames;
    const bool epoch_ended = walk.next(state);
    if (state.next_step == 0) state.carried = Buffer<float>();
    const auto every = static_cast<std::uint64_t>(options.validate_every);
    const bool due = every == 0 ? epoch_ended : updated && state.update % every == 0;
    const bool validated = due && options.validation != nullptr;
    if (validated) self.validate(loss);

    progress.total_updates = total_updates;
    progress.validation_loss = state.validation_loss;
    if (updated && state.update % static_cast<std::uint64_t>(options.report_every) == 0 &&
        self.report(progress))
      return;
    progress.event = RNN_EVENT_VALIDATION;
    if (validated && self.report(progress)) return;
  }
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

bool Trainer::Implementation::run_window(const Walk& walk, Pass& pass, rnn_progress_t& progress) {
  if (state.next_step == 0) state.carried = Buffer<float>();  // what single updates carried
  pass.slices = slices.data();
  pass.items = items.data();
  pass.count = walk.slices(state, slices.data(), items.data());
  const bool carry = options.window != 0 && options.fresh_windows == 0;
  return update(pass, carry, walk.batch_size(state), progress);
}

void Trainer::Implementation::validate(std::int32_t loss) {
  const kernels::FloatMode mode;
  state.validation_loss = evaluator.evaluate(*weights, *options.validation, loss).loss();
  if (state.validation_loss < state.best_loss) {
    state.best_loss = state.validation_loss;
    state.worse = 0;
  } else {
    ++state.worse;
  }
}

// True if the run is to stop.
bool Trainer::Implementation::report(const rnn_progress_t& progress) const {
  return options.progress != nullptr && options.progress(&progress, options.user) != 0;
}

}  // namespace rnn

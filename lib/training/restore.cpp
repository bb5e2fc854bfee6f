// Trainer::restore: a saved state is checked before any of it is believed.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lib/network/error.h"
#include "lib/training/trainer_implementation.h"

namespace rnn {
namespace {

void check_same(const char* name, std::uint64_t saved, std::uint64_t own) {
  if (saved != own)
    throw Error(RNN_MISMATCH, "the saved %s is %" PRIu64 "; the trainer's is %" PRIu64, name, saved, own);
}

void check_values(const char* name, const Buffer<float>& saved, std::size_t size, bool squares) {
  if (saved.size() != size)
    throw Error(RNN_MISMATCH, "the saved %s has %zu values; the trainer's has %zu", name, saved.size(), size);
  for (const float value : saved)
    if (!std::isfinite(value) || (squares && value < 0.0f))
      throw Error(RNN_BAD_FORMAT, "the saved %s holds %g; its values must be finite%s", name,
                  static_cast<double>(value), squares ? " and not negative" : "");
}

void check_order(const Allocator& allocator, const TrainerState& state, std::size_t lanes) {
  if (state.order.size() == 0) {
    if (state.next_sequence != 0 || state.next_step != 0)
      throw Error(RNN_BAD_FORMAT, "the saved run stands in the middle of an epoch without an order");
    return;
  }
  check_same("order's length", state.order.size(), state.data_count);
  Buffer<std::uint8_t> seen(allocator, state.order.size());
  for (const std::uint64_t n : state.order) {
    if (n >= state.order.size() || seen[static_cast<std::size_t>(n)]++ != 0)
      throw Error(RNN_BAD_FORMAT,
                  "the saved order is not a permutation: %" PRIu64 " is out of range or stands twice", n);
  }
  for (std::size_t p = 0; p < state.order.size(); ++p)
    if (state.order[p] % lanes != p % lanes)
      throw Error(RNN_BAD_FORMAT,
                  "the saved order has sequence %" PRIu64
                  " at %zu; with %zu lanes it must be one of lane %zu",
                  state.order[p], p, lanes, p % lanes);
  if (state.next_sequence >= state.order.size())
    throw Error(RNN_BAD_FORMAT, "the saved next_sequence is %" PRIu64 "; it must be less than %zu",
                state.next_sequence, state.order.size());
}

// Updates keep padding at zero only if it is zero.
void clear_padding(const Weights& weights, float* values, std::size_t count) noexcept {
  if (count == 0) return;
  std::size_t used = 0;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row) {
      const std::size_t first = p.offset + row * p.stride;
      std::fill(values + used, values + first, 0.0f);
      used = first + p.columns;
    }
  }
  std::fill(values + used, values + count, 0.0f);
}

}  // namespace

void Trainer::Implementation::check_state(const Weights& w, const Buffer<float>& in_training,
                                          const TrainerState& saved) const {
  check_same_architecture(w.config(), "the saved network", weights->config(), "the trainer");
  // On which it depends what is trained.
  check_same("initial_state", static_cast<std::uint64_t>(w.config().initial_state),
             static_cast<std::uint64_t>(weights->config().initial_state));
  check_same("optimizer", saved.optimizer, state.optimizer);
  check_same("batch_size", saved.batch_size, state.batch_size);
  check_same("window", saved.window, state.window);
  check_same("lanes", std::max<std::uint64_t>(saved.lanes, 1), collective.lanes());
  const std::size_t count = w.value_count();
  check_values("first_moment", saved.first_moment, optimizer.keeps_first() ? count : 0, false);
  check_values("second_moment", saved.second_moment, optimizer.keeps_second() ? count : 0, true);
  check_values("weights beside their average", in_training, state.average.size(), false);
  check_values("best", saved.best, saved.best.size() == 0 ? 0 : w.value_count(), false);
  if (options.restore_best != 0 && saved.best.size() == 0 && std::isfinite(saved.best_loss))
    throw Error(RNN_MISMATCH, "the saved run did not keep its best weights; with restore_best it must");
  check_order(allocator, saved, collective.lanes());
  if (saved.next_step != 0 && (saved.window == 0 || saved.next_step % saved.window != 0))
    throw Error(RNN_BAD_FORMAT,
                "the saved next_step is %" PRIu64 "; it must be a multiple of the window, %" PRIu64,
                saved.next_step, saved.window);
  if (saved.update >> 63 != 0)
    throw Error(RNN_BAD_FORMAT, "the saved update is %" PRIu64 "; it must be less than 2^63", saved.update);
  if (std::isnan(saved.best_loss))
    throw Error(RNN_BAD_FORMAT, "the saved best_loss is NaN; it must be a number");
  if (!(saved.learning_rate >= 0.0 && std::isfinite(saved.learning_rate)))
    throw Error(RNN_BAD_FORMAT, "the saved learning_rate is %g; it must be finite and not negative",
                saved.learning_rate);
  if (saved.skipped_in_row > saved.skipped)
    throw Error(RNN_BAD_FORMAT,
                "the saved skipped_in_row is %" PRIu64 "; it must be at most skipped, which is %" PRIu64,
                saved.skipped_in_row, saved.skipped);
  if (saved.carried_since > saved.update)
    throw Error(RNN_BAD_FORMAT,
                "the saved carried_since is %" PRIu64 "; it must be at most update, which is %" PRIu64,
                saved.carried_since, saved.update);
  if (saved.validation_due > 1 || saved.restored > 1)
    throw Error(RNN_BAD_FORMAT,
                "the saved validation_due is %" PRIu64 " and restored is %" PRIu64 "; both must be 0 or 1",
                saved.validation_due, saved.restored);
  check_values("carried states", saved.carried, saved.carried.size(), false);
  if (saved.next_step != 0 && options.stateless_windows == 0) {
    const std::uint64_t sequences = std::min(saved.batch_size, saved.order.size() - saved.next_sequence);
    check_same("number of carried states", saved.carried.size(), sequences * w.state_size());
  }
  const std::size_t S = w.state_size();
  if (S == 0 ? saved.carried.size() != 0 : saved.carried.size() % S != 0)
    throw Error(RNN_BAD_FORMAT, "the saved states have %zu values; it must be a multiple of %zu",
                saved.carried.size(), S);
}

void Trainer::restore(WeightsRef result, const Buffer<float>& in_training, TrainerState&& state) {
  Implementation& self = *implementation_;
  self.check_state(*result, in_training, state);
  for (Buffer<float>* values : {&state.first_moment, &state.second_moment, &state.best})
    clear_padding(*result, values->data(), values->size());
  if (self.options.restore_best == 0) state.best = Buffer<float>();
  if (in_training.size() != 0) {
    Weights& weights = result.mutate();
    state.average = Buffer<float>(self.allocator, weights.value_count());
    std::copy(weights.values(), weights.values() + weights.value_count(), state.average.begin());
    std::copy(in_training.begin(), in_training.end(), weights.values());
    clear_padding(weights, weights.values(), weights.value_count());
    weights.pack();
  }
  self.weights = std::move(result);
  self.averaged = WeightsRef();  // it may have other metadata
  self.averaged_is_new = false;
  self.keep_slice(state.first_moment);
  self.keep_slice(state.second_moment);
  self.state = std::move(state);
  self.transposed.pack(*self.weights, false);
}

}  // namespace rnn

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

// And the same kind of initial state, on which it depends what is trained.
void check_architecture(const rnn_config_t& saved, const rnn_config_t& own) {
  const auto check = [](const char* name, std::int32_t a, std::int32_t b) {
    check_same(name, static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b));
  };
  check("cell", saved.cell, own.cell);
  check("input_size", saved.input_size, own.input_size);
  check("hidden_size", saved.hidden_size, own.hidden_size);
  check("output_size", saved.output_size, own.output_size);
  check("num_layers", saved.num_layers, own.num_layers);
  check("initial_state", saved.initial_state, own.initial_state);
  check_same("flags", saved.flags, own.flags);
}

void check_moment(const char* name, const Buffer<float>& saved, const Buffer<float>& own, bool squares) {
  check_same(name, saved.size(), own.size());
  for (const float value : saved)
    if (!std::isfinite(value) || (squares && value < 0.0f))
      throw Error(RNN_BAD_FORMAT, "the saved %s holds %g; its values must be finite%s", name,
                  static_cast<double>(value), squares ? " and not negative" : "");
}

void check_order(const Allocator& allocator, const TrainerState& state) {
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
  if (state.next_sequence >= state.order.size())
    throw Error(RNN_BAD_FORMAT, "the saved next_sequence is %" PRIu64 "; it must be less than %zu",
                state.next_sequence, state.order.size());
}

// Updates keep padding at zero only if it is zero.
void clear_padding(const Weights& weights, Buffer<float>& values) noexcept {
  if (values.size() == 0) return;
  std::size_t used = 0;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row) {
      const std::size_t first = p.offset + row * p.stride;
      std::fill(values.begin() + used, values.begin() + first, 0.0f);
      used = first + p.columns;
    }
  }
  std::fill(values.begin() + used, values.end(), 0.0f);
}

}  // namespace

void Trainer::Implementation::check_state(const Weights& w, const TrainerState& saved) const {
  check_architecture(w.config(), weights->config());
  check_same("optimizer", saved.optimizer, state.optimizer);
  check_same("batch_size", saved.batch_size, state.batch_size);
  check_same("window", saved.window, state.window);
  check_moment("first_moment", saved.first_moment, state.first_moment, false);
  check_moment("second_moment", saved.second_moment, state.second_moment, true);
  check_order(allocator, saved);
  if (saved.next_step != 0 && (saved.window == 0 || saved.next_step % saved.window != 0))
    throw Error(RNN_BAD_FORMAT,
                "the saved next_step is %" PRIu64 "; it must be a multiple of the window, %" PRIu64,
                saved.next_step, saved.window);
  if (saved.update >> 63 != 0)
    throw Error(RNN_BAD_FORMAT, "the saved update is %" PRIu64 "; it must be less than 2^63", saved.update);
  check_moment("carried states", saved.carried, saved.carried, false);
  if (saved.next_step != 0 && options.fresh_windows == 0) {
    const std::uint64_t sequences = std::min(saved.batch_size, saved.order.size() - saved.next_sequence);
    check_same("number of carried states", saved.carried.size(), sequences * w.state_size());
  }
  if (saved.carried.size() % w.state_size() != 0)
    throw Error(RNN_BAD_FORMAT, "the saved states have %zu values; it must be a multiple of %zu",
                saved.carried.size(), w.state_size());
}

void Trainer::restore(WeightsRef weights, TrainerState&& state) {
  Implementation& self = *implementation_;
  self.check_state(*weights, state);
  clear_padding(*weights, state.first_moment);
  clear_padding(*weights, state.second_moment);
  self.weights = std::move(weights);
  self.state = std::move(state);
  self.bptt.pack(*self.weights, false);
}

}  // namespace rnn

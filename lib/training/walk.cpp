#include "lib/training/walk.h"

#include <algorithm>
#include <utility>

namespace rnn {

Walk::Walk(const Allocator& allocator, const rnn_sequences_t& data, const rnn_train_options_t& options,
           std::int32_t loss, const Labels& labels)
    : allocator_(allocator),
      data_(data),
      options_(options),
      labels_(labels),
      loss_(loss),
      first_(allocator, data.count) {
  for (std::size_t n = 1; n < data.count; ++n) first_[n] = first_[n - 1] + data.lengths[n - 1];
}

// Shuffled by the algorithm of Fisher and Yates.
void Walk::begin_epoch(TrainerState& state) const {
  if (state.order.size() != 0) return;
  Buffer<std::uint64_t> order(allocator_, data_.count);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1 && options_.keep_order == 0; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(state.random.below(i))]);
  state.order.swap(order);
}

std::size_t Walk::batch_size(const TrainerState& state) const noexcept {
  return std::min(static_cast<std::size_t>(options_.batch_size),
                  data_.count - static_cast<std::size_t>(state.next_sequence));
}

std::size_t Walk::slices(const TrainerState& state, Slice* slices, Item* items) const noexcept {
  const auto start = static_cast<std::size_t>(state.next_step);
  const auto window = static_cast<std::size_t>(options_.window);
  std::size_t count = 0;
  for (std::size_t i = 0; i < batch_size(state); ++i) {
    const std::size_t n = sequence(state, i);
    if (data_.lengths[n] <= start) continue;
    const std::size_t left = data_.lengths[n] - start;
    const std::size_t length = window == 0 ? left : std::min(window, left);
    slices[count] = {first_[n] + start, length};
    items[count] = {i, length == left ? n : Item::kNone, n};
    ++count;
  }
  return count;
}

bool Walk::is_last_window(const TrainerState& state) const noexcept {
  if (options_.window == 0) return true;
  const std::uint64_t end = state.next_step + static_cast<std::uint64_t>(options_.window);
  for (std::size_t i = 0; i < batch_size(state); ++i)
    if (data_.lengths[sequence(state, i)] > end) return false;
  return true;
}

bool Walk::is_last(const TrainerState& state) const noexcept {
  return static_cast<std::size_t>(state.next_sequence) + batch_size(state) == data_.count &&
         is_last_window(state);
}

bool Walk::next(TrainerState& state) const noexcept {
  if (!is_last_window(state)) {
    state.next_step += static_cast<std::uint64_t>(options_.window);
    return false;
  }
  state.next_step = 0;
  state.next_sequence += batch_size(state);
  if (state.next_sequence < data_.count) return false;
  state.next_sequence = 0;
  state.order = Buffer<std::uint64_t>();
  ++state.epoch;
  return true;
}

// An update is done for every so many windows that have a target. Of whole sequences without weights, that is
// each batch; otherwise the order of the epochs to come decides what stands together in a batch and has to be
// drawn here, too: that costs little against the training, unless the run is meant to be stopped long before
// its end.
std::uint64_t Walk::count_updates(const TrainerState& state) const {
  const std::uint64_t epochs = static_cast<std::uint64_t>(options_.epochs) - state.epoch;
  const auto batch = static_cast<std::uint64_t>(options_.batch_size);
  const auto most_passes = static_cast<std::uint64_t>(options_.accumulate);
  const auto of = [&](std::uint64_t sequences) {
    return ((sequences + batch - 1) / batch + most_passes - 1) / most_passes;
  };
  if (options_.window == 0 && data_.weights == nullptr && !labels_.weighted())
    return (epochs - 1) * of(data_.count) + of(data_.count - state.next_sequence);
  constexpr std::uint64_t most_frames = std::uint64_t{1} << 28;
  if (epochs > most_frames / data_.frames) return 0;

  TrainerState s;
  s.epoch = state.epoch;
  s.next_sequence = state.next_sequence;
  s.next_step = state.next_step;
  s.random = state.random;
  s.order = Buffer<std::uint64_t>(allocator_, state.order.size());
  std::copy(state.order.begin(), state.order.end(), s.order.begin());

  const auto most = std::min(static_cast<std::size_t>(options_.batch_size), data_.count);
  Buffer<Slice> slices(allocator_, most);
  Buffer<Item> items(allocator_, most);
  std::uint64_t updates = 0, passes = 0;
  while (s.epoch < static_cast<std::uint64_t>(options_.epochs)) {
    begin_epoch(s);
    Pass pass;
    pass.data = &data_;
    pass.loss = loss_;
    pass.labels = &labels_;
    pass.slices = slices.data();
    pass.items = items.data();
    pass.count = this->slices(s, slices.data(), items.data());
    passes += target_weight(pass) > 0.0 ? 1 : 0;
    const bool epoch_ended = next(s);
    if (passes == most_passes || (epoch_ended && passes != 0)) {
      ++updates;
      passes = 0;
    }
  }
  return updates;
}

}  // namespace rnn

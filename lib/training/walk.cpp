#include "lib/training/walk.h"

#include <algorithm>
#include <utility>

namespace rnn {

Walk::Walk(const Allocator& allocator, const JobData& data, const rnn_train_options_t& options,
           std::int32_t loss, const Labels& labels)
    : allocator_(allocator), data_(data), options_(options), labels_(labels), loss_(loss) {}

// Shuffled by the algorithm of Fisher and Yates.
void Walk::begin_epoch(TrainerState& state) const {
  if (state.order.size() != 0) return;
  Buffer<std::uint64_t> order(allocator_, data_.count());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::size_t lanes = data_.lanes();
  for (std::size_t lane = 0; lane < lanes && options_.keep_order == 0; ++lane)
    for (std::size_t i = (order.size() + lanes - 1 - lane) / lanes; i > 1; --i)
      std::swap(order[(i - 1) * lanes + lane],
                order[static_cast<std::size_t>(state.random.below(i)) * lanes + lane]);
  state.order.swap(order);
}

std::size_t Walk::batch_size(Place place) const noexcept {
  return std::min(static_cast<std::size_t>(options_.batch_size),
                  data_.count() - static_cast<std::size_t>(place.sequence));
}

std::size_t Walk::slices(const TrainerState& state, Place place, std::size_t lane, Slice* slices,
                         Item* items) const noexcept {
  const std::size_t lanes = data_.lanes(), batch = batch_size(place);
  const auto start = static_cast<std::size_t>(place.step);
  const auto window = static_cast<std::size_t>(options_.window);
  std::size_t count = 0;
  for (std::size_t i = (lane + lanes - place.sequence % lanes) % lanes; i < batch; i += lanes) {
    const std::size_t n = sequence(state, place, i), whole = data_.length(n);
    if (whole <= start) continue;
    const std::size_t left = whole - start;
    const std::size_t length = window == 0 ? left : std::min(window, left);
    slices[count] = {data_.first_frame(n) + start, length};
    items[count] = {i, length == left ? data_.index(n) : Item::kNone, n};
    ++count;
  }
  return count;
}

bool Walk::always_has_target() const noexcept {
  const bool in_all_windows = data_.given().pooling == 0 || options_.window == 0;
  return data_.given().weights == nullptr && !labels_.weighted() && in_all_windows;
}

bool Walk::has_target(const TrainerState& state, Place place, const LaneRange& lanes) const {
  slices_.reserve(allocator_, batch_size(place));
  items_.reserve(allocator_, batch_size(place));
  Pass pass;
  pass.data = &data_.given();
  pass.loss = loss_;
  pass.labels = &labels_;
  pass.slices = slices_.data();
  pass.items = items_.data();
  for (std::size_t lane = lanes.first; lane < lanes.last; ++lane)
    pass.count += slices(state, place, lane, &slices_[pass.count], &items_[pass.count]);
  return target_weight(pass) > 0.0;
}

bool Walk::is_last_window(const TrainerState& state, Place place) const noexcept {
  if (options_.window == 0) return true;
  const std::uint64_t end = place.step + static_cast<std::uint64_t>(options_.window);
  for (std::size_t i = 0; i < batch_size(place); ++i)
    if (data_.length(sequence(state, place, i)) > end) return false;
  return true;
}

bool Walk::is_last(const TrainerState& state, Place place) const noexcept {
  return static_cast<std::size_t>(place.sequence) + batch_size(place) == data_.count() &&
         is_last_window(state, place);
}

Place Walk::next(const TrainerState& state, Place place) const noexcept {
  if (is_last_window(state, place)) return {place.sequence + batch_size(place), 0};
  return {place.sequence, place.step + static_cast<std::uint64_t>(options_.window)};
}

bool Walk::go_on(TrainerState& state, Place place) const noexcept {
  const bool ended = is_last(state, place);
  state.set_place(ended ? Place{} : next(state, place));
  if (!ended) return false;
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
  const bool always = always_has_target();
  if (options_.window == 0 && always)
    return (epochs - 1) * of(data_.count()) + of(data_.count() - state.next_sequence);
  constexpr std::uint64_t most_frames = std::uint64_t{1} << 28;
  if (epochs > most_frames / data_.frames() || (!always && !data_.whole())) return 0;

  TrainerState s;
  s.epoch = state.epoch;
  s.set_place(state.place());
  s.random = state.random;
  s.order = Buffer<std::uint64_t>(allocator_, state.order.size());
  std::copy(state.order.begin(), state.order.end(), s.order.begin());

  const LaneRange all{0, data_.lanes()};
  std::uint64_t updates = 0, passes = 0;
  while (s.epoch < static_cast<std::uint64_t>(options_.epochs)) {
    begin_epoch(s);
    passes += always || has_target(s, s.place(), all) ? 1 : 0;
    const bool epoch_ended = go_on(s, s.place());
    if (passes == most_passes || (epoch_ended && passes != 0)) {
      ++updates;
      passes = 0;
    }
  }
  return updates;
}

}  // namespace rnn

// The way of a training run through its data: epochs, in each the batches in the epoch's order, in each
// batch its windows in time. Where a run stands is in its TrainerState.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/training/data.h"
#include "lib/training/state.h"
#include "lib/training/workspace.h"

namespace rnn {

class Walk {
 public:
  // options, loss: resolved. data, options and labels are used as long as this object.
  Walk(const Allocator& allocator, const JobData& data, const rnn_train_options_t& options, std::int32_t loss,
       const Labels& labels);

  // Draw the order of an epoch that has none yet: the sequences of a lane change places with each other alone, so
  // that place p holds one of lane p modulo lanes.
  void begin_epoch(TrainerState& state) const;

  // The sequences of the batch at a place, and the slices of those of a lane that its window reaches.
  std::size_t batch_size(Place place) const noexcept;
  std::size_t slices(const TrainerState& state, Place place, std::size_t lane, Slice* slices,
                     Item* items) const noexcept;

  // True if every window has a target of a weight above 0.
  bool always_has_target() const noexcept;
  // True if the window at a place has one, in the sequences of these lanes.
  bool has_target(const TrainerState& state, Place place, const LaneRange& lanes) const;

  // True if the epoch ends with the window at a place.
  bool is_last(const TrainerState& state, Place place) const noexcept;
  // The window after one that is not the last.
  Place next(const TrainerState& state, Place place) const noexcept;
  // Go on from a place to the next window, batch or epoch; true if an epoch ended.
  bool go_on(TrainerState& state, Place place) const noexcept;

  // Updates from there to the end of the last epoch; 0 if there are too many, or too few data here, to tell.
  std::uint64_t count_updates(const TrainerState& state) const;

 private:
  bool is_last_window(const TrainerState& state, Place place) const noexcept;  // of its batch
  std::size_t sequence(const TrainerState& state, Place place, std::size_t i) const noexcept {
    return static_cast<std::size_t>(state.order[static_cast<std::size_t>(place.sequence) + i]);
  }

  Allocator allocator_;
  const JobData& data_;
  const rnn_train_options_t& options_;
  const Labels& labels_;
  std::int32_t loss_;
  // Of has_target.
  mutable Buffer<Slice> slices_;
  mutable Buffer<Item> items_;
};

}  // namespace rnn

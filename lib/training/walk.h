// The way of a training run through its data: epochs, in each the batches in the epoch's order, in each
// batch its windows in time. Where a run stands is in its TrainerState.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/training/state.h"
#include "lib/training/workspace.h"

namespace rnn {

class Walk {
 public:
  // data: checked; options, loss: resolved. data, options and labels are used as long as this object.
  Walk(const Allocator& allocator, const rnn_sequences_t& data, const rnn_train_options_t& options,
       std::int32_t loss, const Labels& labels);

  // Draw the order of an epoch that has none yet.
  void begin_epoch(TrainerState& state) const;

  // The sequences of the batch in work, and the slices of those that its window reaches.
  std::size_t batch_size(const TrainerState& state) const noexcept;
  std::size_t slices(const TrainerState& state, Slice* slices, Item* items) const noexcept;

  // True if the epoch ends with the window in work.
  bool is_last(const TrainerState& state) const noexcept;

  // Go on to the next window, batch or epoch; true if an epoch ended.
  bool next(TrainerState& state) const noexcept;

  // Updates from there to the end of the last epoch.
  std::uint64_t count_updates(const TrainerState& state) const;

 private:
  bool is_last_window(const TrainerState& state) const noexcept;  // of its batch
  std::size_t sequence(const TrainerState& state, std::size_t i) const noexcept {
    return static_cast<std::size_t>(state.order[static_cast<std::size_t>(state.next_sequence) + i]);
  }

  Allocator allocator_;
  const rnn_sequences_t& data_;
  const rnn_train_options_t& options_;
  const Labels& labels_;
  std::int32_t loss_;
  Buffer<std::size_t> first_;  // frame of each sequence
};

}  // namespace rnn

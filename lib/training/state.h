// What a training run is, besides its weights: a value that can be saved and restored.
#pragma once

#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/random.h"

namespace rnn {

// Sees every field of a TrainerState by name, to write or to fill it.
class StateVisitor {
 public:
  virtual void integer(const char* name, std::uint64_t& value) = 0;
  virtual void real(const char* name, double& value) = 0;  // to the bit, NaN and infinity too
  virtual void floats(const char* name, Buffer<float>& values) = 0;
  // The same of what is absent from a file where it is 0.
  virtual void optional_integer(const char* name, std::uint64_t& value) = 0;
  virtual void optional_real(const char* name, double& value) = 0;
  virtual void integers(const char* name, Buffer<std::uint64_t>& values) = 0;

 protected:
  ~StateVisitor() = default;
};

// Of a window in an epoch.
struct Place {
  std::uint64_t sequence = 0;  // position in the epoch's order, of the batch
  std::uint64_t step = 0;      // of the window in the batch
};

struct TrainerState {
  // What the state belongs to; a trainer refuses a state in which these differ from its own.
  std::uint64_t optimizer = 0;
  std::uint64_t batch_size = 0;
  std::uint64_t window = 0;
  std::uint64_t lanes = 0;       // 0: 1
  std::uint64_t data_count = 0;  // of the data in the middle of which a run stands; 0 before the first
  std::uint64_t data_frames = 0;

  std::uint64_t update = 0;  // updates done
  std::uint64_t epoch = 0;
  std::uint64_t next_sequence = 0;  // position in order, of the batch in work
  std::uint64_t next_step = 0;      // position in time, of the next window of that batch
  Random random{0};
  Buffer<std::uint64_t> order;  // the epoch's order of the sequences; empty between epochs
  Buffer<float> first_moment;   // as Weights::values; empty if the rule has none
  Buffer<float> second_moment;
  Buffer<float> average;  // of the weights, as Weights::values; empty if it is not kept. A file has it as
                          // its network, and is not visited
  Buffer<float> best;     // what the best validation saw, as Weights::values; empty if it is not kept
  Buffer<float> carried;  // [sequences of the batch, S] states at the end of the last window
  std::uint64_t carried_since = 0;   // of single updates: the updates before the one in which they began
  double best_loss = 0;              // of validation; infinity before the first
  double validation_loss = 0;        // the latest; NaN before the first
  std::uint64_t worse = 0;           // validations since the best
  std::uint64_t validation_due = 0;  // 1: the last update's validation is still to be done
  std::uint64_t restored = 0;        // 1: the run ended and went back to `best`
  double learning_rate = 0;          // instead of the options'; 0: not set
  std::uint64_t skipped = 0;         // updates that were not finite
  std::uint64_t skipped_in_row = 0;  // since the last that was

  Place place() const noexcept { return {next_sequence, next_step}; }
  void set_place(Place place) noexcept {
    next_sequence = place.sequence;
    next_step = place.step;
  }

  void visit(StateVisitor& visitor);
};

}  // namespace rnn

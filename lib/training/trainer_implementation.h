// What a Trainer is made of; for its own source files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "lib/kernels/float_mode.h"
#include "lib/network/error.h"
#include "lib/training/bptt.h"
#include "lib/training/collective.h"
#include "lib/training/data.h"
#include "lib/training/evaluator.h"
#include "lib/training/lanes.h"
#include "lib/training/log.h"
#include "lib/training/optimizer.h"
#include "lib/training/options.h"
#include "lib/training/schedule.h"
#include "lib/training/trainer.h"
#include "lib/training/walk.h"

namespace rnn {

struct Trainer::Implementation {
  // What updates on several ranks need.
  struct Ranks {
    void prepare(const Implementation& trainer);

    std::vector<Optimizer::Slice> slices;     // of each rank
    std::vector<std::size_t> subtree_counts;  // of each rank
    std::vector<Subtree> subtrees;            // of all ranks
    // The checksums of the gradients that a rank sends and receives, each times a number of the two ranks, so that
    // what comes to the wrong one is found, too: what all send is what all receive.
    std::uint64_t sent_sum = 0, received_sum = 0;
    std::uint64_t all_sent_sum = 0;  // of all ranks
    Buffer<float> sent;              // [ranks, own subtrees, their slices]  if there are several subtrees
    Buffer<float> received;          // [subtrees, slice]  the first one's become the sums of all
    Buffer<float> values;            // [values]  after the update
    Buffer<float> own_values;        // [slice]
    Buffer<float> first_moment, second_moment;  // [slice]  after the update
    Buffer<unsigned char> facts, all_facts;
  };

  Implementation(const Network& network, const rnn_train_options_t& resolved);

  TrainerState initial_state(const Weights& weights) const;

  // The loss to use.
  std::int32_t check_data(const rnn_sequences_t& data, const char* name) const;
  void check_validation(std::int32_t loss);
  bool has_target(const rnn_sequences_t& data, std::int32_t loss) const noexcept;

  // The passes of one update: the slices of the data that they read, by pass and lane.
  struct Passes {
    struct Batch {
      std::size_t sequences;  // each with a row of carried states
      bool begins;            // at the initial state
    };

    void clear() noexcept;
    void resize(std::size_t count) {
      slices.resize(count);
      items.resize(count);
    }

    std::vector<Slice> slices;
    std::vector<Item> items;
    std::vector<std::size_t> ends;  // of a lane in a pass: [pass * lanes + lane]
    std::vector<Batch> batches;     // of each pass
  };
  // What an update reads, besides the weights.
  struct Job {
    const rnn_sequences_t* data;
    std::int32_t loss;  // resolved
    std::uint64_t recurrent_key;
    bool carry;  // the states, from the carried ones to next_carried
    bool many;   // passes or lanes, whose gradients are added; or one
  };
  std::size_t gather_batch(const rnn_sequences_t& batch);
  // All passes of a lane: forward and backward; no more than forward where it has no target.
  Found run_lane(const Job& job, LaneWorker& worker, std::size_t lane, float* gradients);
  void run_pass(const Job& job, LaneWorker& worker, std::size_t lane, std::size_t number, float* gradients,
                Found& found);
  void reserve_carried();
  const float* initial_states(std::size_t pass) const noexcept;
  // Makes rows that are not finite those of the initial state; true if there are some.
  bool restart_not_finite(float* states, const Item* items, std::size_t count) const noexcept;
  double operations() const noexcept;
  // The passes of all lanes and the update that they make; only progress if they have no target.
  void update(const Job& job, bool timed, rnn_progress_t& progress);
  const char* advice() const noexcept;
  // What is not finite, if something.
  std::optional<Error> failure(const Found& found) const;
  std::optional<Error> check_norm(double norm, rnn_progress_t& progress) const;
  void apply(const Tape& tape, rnn_progress_t& progress);
  void apply(const float* gradients, double scale, rnn_progress_t& progress);
  double present_rate() const noexcept;
  // After the weights have changed.
  void finish_update(Weights& own, rnn_progress_t& progress);
  // Count an update that was not finite, or throw.
  void skip(const Error& failure, rnn_progress_t& progress);
  void pack(Weights& own) noexcept;
  rnn_progress_t new_progress(std::int32_t event) const noexcept;

  enum class Draw : std::uint64_t {
    dropout = 1,
    scheduled_sampling = 2,
    classes = 3,
    masks_of_epoch = 4,
    masks_of_batch = 5,
    zoneout = 6
  };
  // What is drawn at random for a pass follows from this: the same after a resumption.
  std::uint64_t key(Draw draw, std::int32_t pass) const noexcept { return key(draw, state.update, pass); }
  std::uint64_t key(Draw draw, std::uint64_t update, std::int32_t pass) const noexcept;

  const WeightsRef& result();
  void set_weights(const float* values, WeightsRef& target);

  // run.cpp
  void check_position(const JobData& data) const;
  bool is_done() const noexcept;
  bool carries() const noexcept { return options.window != 0 && options.stateless_windows == 0; }
  bool run_update(const Walk& walk, const JobData& data, std::int32_t loss, rnn_progress_t& progress);
  Place gather_passes(const Walk& walk, const JobData& data);
  void validate(std::int32_t loss);
  void finish();
  bool report(const rnn_progress_t& progress, kernels::FloatEnvironment& environment);

  // log.cpp
  // What an update has read: the slices of passes, or a tape's gradients.
  void log_data(const rnn_sequences_t& data, std::int32_t loss, kernels::FloatEnvironment& environment);
  void log_gradients(const float* gradients, kernels::FloatEnvironment& environment);
  void log_record(kernels::FloatEnvironment& environment);
  // A record, if one is due. before: the updates before the call that may have made one.
  void log_update(std::uint64_t before, kernels::FloatEnvironment& environment);

  // ranks.cpp
  void exchange_gradients();
  void vote(const std::optional<Error>& failure, std::uint64_t values_checksum);
  // What all ranks have found in their lanes, and the sums of the gradients in this rank's slice. failure: of this
  // rank's lanes. Throws a failure of any rank.
  Found add_ranks(const std::optional<Error>& failure);
  // The update, if there is to be one. Throws, with nothing changed, if the ranks did not receive what was sent.
  void finish_on_ranks(bool applies, double scale, rnn_progress_t& progress);
  // See Trainer::save.
  void save(const std::function<void()>& write);
  template <class Visit>
  void for_carried_rows(std::size_t rank, const Visit& visit) const;
  void keep_slice(Buffer<float>& moment) const;

  // restore.cpp
  void check_state(const Weights& result, const Buffer<float>& in_training, const TrainerState& state) const;

  Allocator allocator;
  rnn_train_options_t options;  // resolved
  Labels labels;
  ClassSample sample;
  WeightsRef weights;
  Threads threads;
  Optimizer optimizer;
  Collective collective;
  Optimizer::Slice slice;  // whose part of the optimiser's state is here: with one rank all
  TransposedWeights transposed;
  Lanes lanes;
  Evaluator evaluator;
  TrainerState state;
  WeightsRef averaged;           // what result() gives if there is an average
  bool averaged_is_new = false;  // it is the present one
  Passes passes;
  Buffer<float> next_carried;
  Buffer<float> between_carried[2];  // from pass to pass of an update
  Ranks ranks;
  rnn_log_t log{};  // without functions: none
  std::vector<unsigned char> logged_options;
};

}  // namespace rnn

// What a Trainer is made of; for its own source files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <limits>
#include <optional>

#include "lib/kernels/float_mode.h"
#include "lib/network/error.h"
#include "lib/training/bptt.h"
#include "lib/training/evaluator.h"
#include "lib/training/optimizer.h"
#include "lib/training/options.h"
#include "lib/training/schedule.h"
#include "lib/training/scheduled_sampling.h"
#include "lib/training/trainer.h"
#include "lib/training/walk.h"

namespace rnn {

struct Trainer::Implementation {
  Implementation(const Network& network, const rnn_train_options_t& resolved);

  TrainerState initial_state(const Weights& weights) const;

  // The loss to use.
  std::int32_t check_data(const rnn_sequences_t& data, const char* name) const;
  void check_validation(std::int32_t loss) const;
  bool has_target(const rnn_sequences_t& data, std::int32_t loss) const noexcept;

  // What the passes of one update have found.
  struct Gathered {
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    std::size_t steps = 0;
    bool many = false;             // passes, whose gradients are added; or one
    std::int32_t passes = 0;       // with a target
    double loss = 0.0;             // the sum over target steps
    double weight = 0.0;           // of these
    std::optional<Error> failure;  // what was not finite first
  };

  // Forward and backward; no more than forward if the pass has no target. With carry, from the carried states
  // of as many sequences to new ones, which are next_carried until they are taken over.
  void do_pass(Pass pass, bool carry, std::size_t sequences, Gathered& gathered);
  // With skip_not_finite the failure is kept until the update; without, it is thrown.
  void fail(Gathered& gathered, const Error& failure) const;
  void check_carried(bool carry, std::size_t sequences, Gathered& gathered);
  bool restart_not_finite(float* states, std::size_t sequences) const noexcept;
  const char* advice() const noexcept;
  // The update from what was gathered; only progress if that is nothing.
  void update(const Gathered& gathered, rnn_progress_t& progress);
  // An update from scale times the gradients.
  void apply(const float* gradients, double scale, rnn_progress_t& progress);
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
  void check_position(const rnn_sequences_t& data) const;
  bool is_done() const noexcept;
  bool carries() const noexcept { return options.window != 0 && options.stateless_windows == 0; }
  bool run_update(const Walk& walk, const rnn_sequences_t& data, std::int32_t loss, rnn_progress_t& progress);
  void run_passes(const Walk& walk, Pass& pass, Gathered& gathered);
  void validate(std::int32_t loss);
  void finish();
  bool report(const rnn_progress_t& progress, kernels::FloatEnvironment& environment) const;

  // restore.cpp
  void check_state(const Weights& result, const Buffer<float>& in_training, const TrainerState& state) const;

  Allocator allocator;
  rnn_train_options_t options;  // resolved
  Labels labels;
  ClassSample sample;
  WeightsRef weights;
  Threads threads;
  Optimizer optimizer;
  Bptt bptt;
  ScheduledSampling scheduled_sampling;
  Evaluator evaluator;
  TrainerState state;
  WeightsRef averaged;           // what result() gives if there is an average
  bool averaged_is_new = false;  // it is the present one
  Buffer<float> gradients;
  Buffer<float> next_carried;
  Buffer<float> first_carried;  // within an update of many passes: the states before the first
  Buffer<Slice> slices;
  Buffer<Item> items;
};

}  // namespace rnn

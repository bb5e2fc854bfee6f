// What a Trainer is made of; for its own source files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <limits>

#include "lib/kernels/float_mode.h"
#include "lib/training/bptt.h"
#include "lib/training/evaluator.h"
#include "lib/training/optimizer.h"
#include "lib/training/options.h"
#include "lib/training/schedule.h"
#include "lib/training/trainer.h"
#include "lib/training/walk.h"

namespace rnn {

struct Trainer::Implementation {
  Implementation(const Network& network, const rnn_train_options_t& resolved);

  TrainerState initial_state(const Weights& weights) const;

  // The loss to use.
  std::int32_t check_data(const rnn_sequences_t& data, const char* name) const;
  void check_validation(std::int32_t loss) const;

  // One update from a pass, or no more than an advance of the states if it has no target: then false.
  // With carry, from the carried states of as many sequences to new ones.
  bool update(Pass& pass, bool carry, std::size_t sequences, rnn_progress_t& progress);
  void apply(const float* gradients, rnn_progress_t& progress);
  rnn_progress_t new_progress(std::int32_t event) const noexcept;

  // run.cpp
  void check_position(const rnn_sequences_t& data) const;
  bool is_done() const noexcept;
  bool run_window(const Walk& walk, Pass& pass, rnn_progress_t& progress);
  void validate(std::int32_t loss);
  bool report(const rnn_progress_t& progress) const;

  // restore.cpp
  void check_state(const Weights& weights, const TrainerState& state) const;

  Allocator allocator;
  rnn_train_options_t options;  // resolved
  WeightsRef weights;
  Threads threads;
  Optimizer optimizer;
  Bptt bptt;
  Evaluator evaluator;
  TrainerState state;
  Buffer<float> gradients;
  Buffer<float> next_carried;
  Buffer<Slice> slices;
  Buffer<Item> items;
};

}  // namespace rnn

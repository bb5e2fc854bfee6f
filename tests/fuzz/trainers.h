// The trainers whose checkpoints are fuzzed, and what they train on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "rnn/rnn.h"

namespace fuzz {

constexpr int kTrainers = 4;

struct Destroy {
  void operator()(rnn_trainer_t* trainer) const { rnn_trainer_destroy(trainer); }
  void operator()(rnn_t* rnn) const { rnn_destroy(rnn); }
};
using Trainer = std::unique_ptr<rnn_trainer_t, Destroy>;
using Network = std::unique_ptr<rnn_t, Destroy>;

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline rnn_sequences_t data() {
  static const std::size_t lengths[] = {3, 1, 2};
  static const std::int32_t indices[] = {0, 1, 1, 0, 1, 0}, classes[] = {1, 1, 0, 0, 0, 1};
  rnn_sequences_t data{};
  data.struct_size = sizeof data;
  data.count = 3;
  data.frames = 6;
  data.lengths = lengths;
  data.indices = indices;
  data.classes = classes;
  return data;
}

// Each kind keeps other things in its state. A run stops after so many reports; 0: at its end.
inline Trainer make_trainer(int kind, int reports = 0) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.cell = kind == 1 ? RNN_CELL_LSTM : RNN_CELL_VANILLA;
  config.num_layers = kind == 1 ? 2 : 1;
  config.input_size = config.hidden_size = config.output_size = 2;
  config.initial_state = kind == 2 ? RNN_INITIAL_TRAINED : RNN_INITIAL_ZERO;
  rnn_t* rnn = nullptr;
  require(rnn_create(&config, &rnn) == RNN_OK);
  const Network network(rnn);

  static const rnn_sequences_t validation = data();
  constexpr std::int32_t kOptimizers[] = {RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_SGD, RNN_OPTIMIZER_RMSPROP,
                                          RNN_OPTIMIZER_ADAGRAD};
  rnn_train_options_t options{};
  options.struct_size = sizeof options;
  options.optimizer = kOptimizers[kind];
  options.batch_size = 2;
  options.threads = 1;
  options.epochs = 2;
  options.momentum = kind == 1 ? 0.5f : 0.0f;
  options.window = kind == 0 || kind == 1 ? 2 : 0;
  options.average = kind == 0 || kind == 3 ? 0.5f : 0.0f;
  options.dropout = kind == 1 ? 0.5f : 0.0f;
  options.accumulate = kind == 1 ? 2 : 1;
  options.schedule = kind == 2 ? RNN_SCHEDULE_EXPONENTIAL : RNN_SCHEDULE_CONSTANT;
  options.schedule_updates = kind == 2 ? 3 : 0;
  options.restore_best = kind == 0 ? 1 : 0;
  options.validation = kind == 0 || kind == 3 ? &validation : nullptr;
  static int left;
  left = reports;
  options.user = &left;
  options.progress = [](const rnn_progress_t*, void* user) -> std::int32_t {
    return --*static_cast<int*>(user) == 0 ? 1 : 0;
  };
  rnn_trainer_t* trainer = nullptr;
  require(rnn_trainer_create(network.get(), &options, &trainer) == RNN_OK);
  return Trainer(trainer);
}

}  // namespace fuzz

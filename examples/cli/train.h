// What rnn train is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../character_training.h"
#include "common.h"

struct Train {
  std::string text;
  std::string csv;     // or this
  std::string labels;  // or this
  std::string target;  // of csv
  std::string inputs;
  int horizon = 1;
  bool no_header = false;
  std::string model = "model.safetensors";
  std::string checkpoint;
  std::string log;
  std::string history;
  std::uint64_t log_every = 100;
  std::string resume;
  std::string init;
  bool keep_vocabulary = false;
  std::string validation = "0.1";
  std::uint64_t updates = 0;
  std::uint64_t epochs = 0;
  double seconds = 0;
  std::uint64_t validations = 40;
  std::size_t batch = 32;
  std::int32_t window = 64;
  float learning_rate = 0.01f;
  float weight_decay = 0.1f;
  float dropout = 0;
  float output_dropout = 0;
  float recurrent_dropout = 0;
  float average = 0;
  float label_smoothing = 0;
  std::string schedule = "cosine";
  float schedule_factor = 0;
  std::int32_t schedule_updates = 0;
  std::int32_t schedule_start = 0;
  bool schedule_by_epoch = false;
  std::int32_t skip_not_finite = 0;
  int threads = 0;
  std::int32_t lanes = 1;
  bool quiet = false;
  bool json = false;
  Shape shape;
};

void add_train_options(CLI::App& command, Train& train);

// The library's.
rnn_train_options_t options_of(const Train& train, const CharacterData& data);
rnn_train_options_t options_of(const Train& train, std::size_t batch);

// The part of the text that --validation says to hold out; 0 if it is a file, such as ./0.1.
double held_out(const std::string& validation);

// The most updates of a training.
constexpr std::uint64_t kMostUpdates = 1 << 30;

// --csv and --labels.
void train_series(const Train& train, const CLI::App& command);
void train_labels(const Train& train, const CLI::App& command);

// What these share with texts.

// A new network, or that of --resume, which has to have the same inputs and outputs.
rnn::Network new_or_resumed(const Train& train, const CLI::App& command, std::int32_t inputs,
                            std::int32_t outputs);

CharacterPlan plan_of(const Train& train, const Training& training);

// Options that have no effect on such data.
void check_other_options(const Train& train, const CLI::App& command);

// Do it, until it is done or stopped.
CharacterResult carry_out(const Train& train, const CLI::App& command, const rnn::Network& start,
                          Training& training, const CharacterPlan& plan, RunLog* log);

// What was found, for people and for programs.
struct Found {
  std::string learnt;
  std::string validation;
  Json learnt_json;
  Json validation_json;
};
void show(const Train& train, const CLI::App& command, const std::string& unit, const CharacterPlan& plan,
          const CharacterResult& result, const Found& found);

// Ends a command whose training was stopped.
void end_stopped(const CharacterResult& result);

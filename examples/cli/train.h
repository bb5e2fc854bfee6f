// What rnn train is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../character_training.h"
#include "common.h"

struct Train {
  std::string text;
  std::string model = "model.safetensors";
  std::string checkpoint;
  std::string log;
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

// The part of the text that --validation says to hold out; 0 if it is a file, such as ./0.1.
double held_out(const std::string& validation);

// The most updates of a training.
constexpr std::uint64_t kMostUpdates = 1 << 30;

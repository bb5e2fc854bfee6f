// A training, as the first line of its log says it.
#pragma once

#include <cstdint>
#include <string>

#include "common.h"
#include "train.h"

// The shape only if the training begins with new weights: others are those of a file.
Json log_options_of(const Train& train, const Vocabulary& vocabulary, const CharacterPlan& plan);

// What it says, to train the same.
struct LoggedTraining {
  // Throws std::runtime_error if something is missing.
  explicit LoggedTraining(const Json& options);

  Train train;
  std::string version;  // of the library
  std::uint64_t updates = 0;
  double held_out = 0;  // the part of the text that is not learnt
  bool has_shape = false;
  Json vocabulary;
};

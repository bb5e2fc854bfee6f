// rnn train --history: the losses of a training, as CSV.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "../character_training.h"

class History final : public LossHistory {
 public:
  // `unit` is what is counted: "characters".
  History(std::string path, std::string unit) : path_(std::move(path)), unit_(std::move(unit)) {}

  // The first one of a run that goes on follows those before it that the file has.
  void add(const LossRow& row) override;

 private:
  const std::string path_;
  const std::string unit_;
  bool has_begun_ = false;
};

// Throws std::runtime_error if it cannot be written, or is there and the run does not go on.
void check_history(const std::string& path, bool goes_on);

// Throws std::runtime_error if it is none, with its line.
std::vector<LossRow> read_history(const std::string& path);

// Train a network to predict each character of a text from those before it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <rnn/rnn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "character_data.h"
#include "model_file.h"
#include "text.h"

struct CharacterPlan {
  std::uint64_t updates;  // a multiple of validate_every
  std::uint64_t validate_every;
};

// About so many updates; `validations` of them are followed by a validation.
CharacterPlan plan_updates(std::uint64_t updates, std::uint64_t validations);

// Is told how a run goes on, to log it. What it throws ends the run.
class RunLog {
 public:
  virtual ~RunLog() = default;
  // Before the first update of this run.
  virtual void begin(rnn::Trainer& trainer) = 0;
  // After each; may_end: a validation or the end of the run follows, and a checkpoint if there are any.
  virtual void go_on(rnn::Trainer& trainer, std::uint64_t update, bool may_end) = 0;
  // After the last one, unless the run was stopped before it.
  virtual void end(std::uint64_t update) = 0;
};

// The losses of a run, at one of its updates.
struct LossRow {
  std::uint64_t update = 0;
  double units = 0;     // of the data that were learnt, from the beginning on
  double training = 0;  // the mean since the row before
  double validation = std::numeric_limits<double>::quiet_NaN();  // if there was one
};

// Is told them. What it throws ends the run.
class LossHistory {
 public:
  virtual ~LossHistory() = default;
  virtual void add(const LossRow& row) = 0;
};

// Where a checkpoint after so many updates is saved: {update} in a path becomes their number.
std::string checkpoint_at(const std::string& path, std::uint64_t update);

struct CharacterRun {
  // The file for the network of the best validation. One that is there is replaced when the run is done;
  // until then, and if the run is stopped or fails, its best network is in unfinished(model).
  std::string model;
  // The file for what a later run goes on from, see checkpoint_at; empty: none. With {update} there is one of the
  // beginning, too.
  std::string checkpoint;
  // The file for what a run without `checkpoint` can go on from, if it is interrupted; empty: none.
  std::string stopped;
  RunLog* log = nullptr;
  LossHistory* history = nullptr;
  std::string resume;  // such a file of an earlier run with the same `model`; empty: none
  double seconds = std::numeric_limits<double>::infinity();  // ends at the first validation behind these
  std::FILE* out = nullptr;                                  // for the progress; null: none
  const std::atomic<bool>* interrupted = nullptr;            // ends the run when it becomes true
  void (*warn)(const std::string& message) = nullptr;        // called if the loss rises; null: nobody
};

// What the ranks of a training tell each other.
class Ranks {
 public:
  explicit Ranks(const rnn_collective_t* collective) : collective_(collective) {}

  bool is_first() const { return collective_ == nullptr || collective_->rank == 0; }
  // What the first one gives. Throws std::runtime_error.
  std::uint64_t first(std::uint64_t value) const { return all(value)[0]; }
  // Throws std::runtime_error if the first one gives another value for what `name` says.
  void check_same(const std::string& name, std::uint64_t value) const;
  // Whether one of them gives true.
  bool any(bool here) const;
  // What all give, one behind the other. Throws std::runtime_error.
  std::vector<std::uint64_t> gather(const std::vector<std::uint64_t>& values) const;
  std::size_t rank() const {
    return collective_ == nullptr ? 0 : static_cast<std::size_t>(collective_->rank);
  }
  std::size_t count() const {
    return collective_ == nullptr ? 1 : static_cast<std::size_t>(collective_->ranks);
  }

 private:
  std::vector<std::uint64_t> all(std::uint64_t value) const;

  const rnn_collective_t* const collective_;  // null: there is one
};

// "model.unfinished.rnn" for "model.rnn".
std::string unfinished(const std::string& model);

struct CharacterResult {
  std::string model;          // the file that has the best network
  std::uint64_t updates = 0;  // of all runs that went on from each other
  double seconds = 0;
  double characters = 0;      // that this run was trained on
  std::uint64_t skipped = 0;  // updates, for rnn_train_options_t.skip_not_finite
  bool interrupted = false;
  std::string checkpoint;  // the last one that was saved; empty: none
};

// What a training is on, a text or other sequences; they are not copied.
struct TrainingData {
  rnn_sequences_t training;
  rnn_sequences_t validation;
  Metadata metadata;         // of its models
  std::uint64_t digest = 0;  // of what all ranks have read
  std::uint64_t updates_per_epoch = 1;
  double units_per_update = 0;
  std::string unit = "characters";  // the progress of these also has bits and the perplexity
  double guess = 1;                 // the loss of who does not know the inputs
};

class Training {
 public:
  // What is kept: start, what data point to and what options point to. A schedule for which options say no updates
  // ends with the plan. Of several ranks (options.collective) each has the sequences of its lanes, and the first one
  // alone reads and writes models and checkpoints, and shows the progress.
  Training(const rnn::Network& start, TrainingData data, const rnn_train_options_t& options)
      : start_(start), data_(std::move(data)), options_(options) {}

  // What suits the most, with a rate that falls along a cosine to 0.
  static rnn_train_options_t default_options(std::size_t batch);

  std::uint64_t updates_per_epoch() const { return data_.updates_per_epoch; }
  double units_per_update() const { return data_.units_per_update; }
  const std::string& unit() const { return data_.unit; }

  // As many updates as there is time for, from how long the first ones and a validation take.
  CharacterPlan plan_seconds(double seconds, std::uint64_t most_updates, std::uint64_t validations) const;

  CharacterResult run(const CharacterPlan& plan, const CharacterRun& files);

  // The mean loss. Of several ranks all call it, with all sequences.
  static rnn_evaluation_t evaluate(const rnn::Network& network, const rnn_sequences_t& sequences, int threads,
                                   int lanes = 1, const rnn_collective_t* collective = nullptr);

  // Of a run: the plan's end is its own.
  rnn_train_options_t options_for(const CharacterPlan& plan) const;

 private:
  double measure_update(double limit) const;

  const rnn::Network& start_;
  const TrainingData data_;
  const rnn_train_options_t options_;
};

// On a text, whose data are kept.
class CharacterTraining : public Training {
 public:
  CharacterTraining(const rnn::Network& start, const Vocabulary& vocabulary, const CharacterData& data,
                    const rnn_train_options_t& options);

  static rnn_train_options_t default_options(const CharacterData& data) {
    return Training::default_options(data.batch);
  }
  static rnn_evaluation_t evaluate(const rnn::Network& network, const Sequences& sequences, int threads,
                                   int lanes = 1, const rnn_collective_t* collective = nullptr) {
    return Training::evaluate(network, sequences.view(), threads, lanes, collective);
  }
};

// rnn train --log.
#include "log.h"

#include <filesystem>
#include <optional>
#include <stdexcept>

#include "../model_file.h"
#include "log_file.h"
#include "log_options.h"

namespace {

class TrainingLog final : public RunLog {
 public:
  TrainingLog(const Train& train, Json options) : train_(train), options_(std::move(options)) {
    if (!std::filesystem::exists(train_.log)) return;
    before_.emplace(train_.log);
    check_options();
  }

  void begin(rnn::Trainer& trainer) override {
    const LogRecord record = digests_.record(trainer);
    if (!before_) {
      writer_.emplace(train_.log, options_);
      return add(record);
    }
    next_ = before_->find(record.update);
    const std::string differs = differences(record, before_->records[next_], false);
    if (!differs.empty())
      throw std::runtime_error(before_->place(next_) + ": " + train_.resume +
                               " is not the state of this record: other " + differs);
    ++next_;
    writer_.emplace(*before_);
  }

  // What the log has already is compared: a run that was killed goes on from an older checkpoint.
  void go_on(rnn::Trainer& trainer, std::uint64_t update, bool may_end) override {
    if (before_ && next_ < before_->records.size()) {
      if (before_->records[next_].update != update) return;
      const std::string differs = differences(digests_.record(trainer), before_->records[next_], true);
      if (!differs.empty())
        throw std::runtime_error(before_->place(next_) + ": the run that goes on has other " + differs);
      ++next_;
      return;
    }
    if (may_end || update % train_.log_every == 0) add(digests_.record(trainer));
    if (may_end) writer_->sync();
  }

  void end(std::uint64_t update) override {
    if (!before_ || !before_->is_complete) writer_->end(update);
  }

 private:
  void check_options() const {
    for (const auto& [name, value] : options_.items()) {  // the shape is the checkpoint's
      const auto found = before_->options.find(name);
      if (found == before_->options.end() || *found != value)
        throw std::runtime_error(train_.log + " is of another training: " + name + " is " +
                                 (found != before_->options.end() ? shown(*found) : "missing") +
                                 " in its first line, and " + shown(value) + " here");
    }
  }
  static std::string shown(const Json& value) {
    const std::string text = value.dump(-1, ' ', true);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
  }
  void add(const LogRecord& record) { writer_->add(record); }

  const Train& train_;
  const Json options_;
  std::optional<LogFile> before_;  // that of the run that goes on
  std::size_t next_ = 0;           // of its records
  std::optional<LogWriter> writer_;
  TrainerDigests digests_;
};

}  // namespace

void add_log_options(CLI::App& command, Train& train) {
  CLI::Option* const log =
      command
          .add_option("--log", train.log,
                      "Write digests of options, data, weights, optimiser and states, for\n"
                      "rnn verify; with --resume go on in the log of the run before")
          ->check(not_empty())
          ->type_name("FILE");
  command
      .add_option("--log-every", train.log_every,
                  "Updates between two records of the log; there is one at each validation,\n"
                  "too")
      ->check(whole_number(1, kMostUpdates))
      ->capture_default_str()
      ->needs(log);
}

void check_log(const Train& train) {
  if (train.log.empty()) return;
  if (train.resume.empty() && std::filesystem::exists(train.log))
    throw std::runtime_error("--log: " + train.log + " is there already; with --resume a run goes on in it");
  check_writable(train.log);
}

std::unique_ptr<RunLog> open_log(const Train& train, const Vocabulary& vocabulary,
                                 const CharacterPlan& plan) {
  if (train.log.empty()) return nullptr;
  return std::make_unique<TrainingLog>(train, log_options_of(train, vocabulary, plan));
}

// rnn verify: a log, and the training that it is of.
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>

#include "../character_training.h"
#include "log_file.h"
#include "log_options.h"

namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

struct Verify {
  std::string log;
  std::string data;
  std::string checkpoint;
  std::uint64_t from = kNone;
  std::uint64_t to = kNone;
  int threads = 0;
  bool json = false;
};

// The first record of the log that the training does not have, if there is one.
struct Found {
  std::size_t first = 0, last = 0;  // records of the log
  std::optional<std::size_t> record;
  std::string differs;  // in which parts
};

// Does the updates again, and compares.
class Repetition {
 public:
  Repetition(const LogFile& log, const Verify& verify) : log_(log), verify_(verify), logged_(log.options) {}

  Found run() {
    const Vocabulary vocabulary = Vocabulary::parse(logged_.vocabulary.dump());
    std::vector<std::int32_t> text = encode(vocabulary, read_input(verify_.data), "the text");
    const CharacterData data = logged_.held_out > 0
                                   ? CharacterData(std::move(text), logged_.held_out, logged_.train.batch)
                                   : CharacterData(std::move(text), logged_.train.batch);
    const rnn::Network start = start_network(vocabulary);
    logged_.train.threads = verify_.threads;
    const CharacterTraining training(start, vocabulary, data, options_of(logged_.train, data));
    rnn_train_options_t options = training.options_for({logged_.updates, 1});
    options.progress = [](const rnn_progress_t* progress, void* self) {
      return static_cast<Repetition*>(self)->report(progress->update);
    };
    options.user = this;
    rnn::Trainer trainer(start, &options);
    trainer_ = &trainer;
    if (!verify_.checkpoint.empty()) trainer.load(verify_.checkpoint);
    begin();
    if (!found_.record && next_ <= found_.last) trainer.run(data.training.view());
    if (failure_) std::rethrow_exception(failure_);
    return found_;
  }

 private:
  rnn::Network start_network(const Vocabulary& vocabulary) const {
    if (!verify_.checkpoint.empty()) return rnn::Network::load(verify_.checkpoint);
    if (!logged_.has_shape)
      throw UsageError(log_.path +
                       " is of a training that began with the weights of a file: --checkpoint is needed");
    return logged_.train.shape.network(vocabulary.size(), vocabulary.size());
  }

  void begin() {
    const LogRecord record = digests_.record(*trainer_);
    if (verify_.from != kNone && verify_.from != record.update)
      throw UsageError("--from is " + std::to_string(verify_.from) + "; " +
                       (verify_.checkpoint.empty() ? "only from update 0 on there need be no --checkpoint"
                                                   : verify_.checkpoint + " is the state after update " +
                                                         std::to_string(record.update)));
    found_.first = log_.find(record.update);
    found_.last = verify_.to != kNone ? log_.find(verify_.to) : log_.records.size() - 1;
    if (found_.last < found_.first)
      throw UsageError("--to is " + std::to_string(verify_.to) + "; it may not be before --from, " +
                       std::to_string(record.update));
    next_ = found_.first;
    compare(record, false);
  }

  // Whether it is the same.
  bool compare(const LogRecord& record, bool with_data) {
    found_.differs = differences(record, log_.records[next_], with_data);
    if (!found_.differs.empty()) found_.record = next_;
    ++next_;
    return found_.differs.empty();
  }

  // Returns whether to stop.
  std::int32_t report(std::uint64_t update) noexcept {
    try {
      if (log_.records[next_].update != update) return 0;
      return !compare(digests_.record(*trainer_), true) || next_ > found_.last;
    } catch (...) {
      failure_ = std::current_exception();
      return 1;
    }
  }

  const LogFile& log_;
  const Verify& verify_;
  LoggedTraining logged_;
  rnn::Trainer* trainer_ = nullptr;
  TrainerDigests digests_;
  std::size_t next_ = 0;  // record of the log
  Found found_;
  std::exception_ptr failure_;
};

std::string updates_of(const LogFile& log, const Found& found) {
  const std::size_t record = *found.record;
  if (record == found.first) return "the state after update " + std::to_string(log.records[record].update);
  return "updates " + std::to_string(log.records[record - 1].update + 1) + " to " +
         std::to_string(log.records[record].update);
}

// What the first difference is of: what follows from it differs, too.
std::string cause_of(const Verify& verify, const Found& found) {
  const auto has = [&](const char* part) { return found.differs.find(part) != std::string::npos; };
  const bool is_loaded = *found.record == found.first && !verify.checkpoint.empty();
  if (has("options"))
    return "its options" + (is_loaded ? ", or the network of " + verify.checkpoint + "," : std::string()) +
           " are not those of the log's first line";
  if (has("data")) return "other data were read";
  if (*found.record > found.first) return "from the same options and data something else was computed";
  return is_loaded ? verify.checkpoint + " is not that state" : "the network at the beginning is another one";
}

void print_result(const Verify& verify, const LogFile& log, const std::optional<Found>& found) {
  const std::uint64_t first = log.records.front().update, last = log.records.back().update;
  if (verify.json) {
    Json result = {{"log", log.path},
                   {"records", log.records.size()},
                   {"first_update", first},
                   {"last_update", last},
                   {"complete", log.is_complete}};
    if (found) {
      result["from"] = log.records[found->first].update;
      result["to"] = log.records[found->last].update;
      result["same"] = !found->record;
      if (found->record) {
        result["line"] = *found->record + 2;
        result["update"] = log.records[*found->record].update;
        result["differs"] = found->differs;
      }
    }
    return print(result);
  }
  print("%s is as it was written: %zu records, of updates %llu to %llu%s\n", one_line(log.path).c_str(),
        log.records.size(), static_cast<unsigned long long>(first), static_cast<unsigned long long>(last),
        log.is_complete ? ", to the end" : "; the end is missing");
  if (found && !found->record)
    print("updates %llu to %llu repeated: all %zu records are the same\n",
          static_cast<unsigned long long>(log.records[found->first].update),
          static_cast<unsigned long long>(log.records[found->last].update), found->last - found->first + 1);
}

void run(const Verify& verify, const CLI::App& command) {
  for (const char* option : {"--checkpoint", "--from", "--to", "--threads"})
    check_effect(command, option, !verify.data.empty(), "nothing is repeated without --data");
  const LogFile log(verify.log);
  if (verify.data.empty()) return print_result(verify, log, std::nullopt);
  const Found found = Repetition(log, verify).run();
  if (verify.json || !found.record) print_result(verify, log, found);
  if (found.record)
    throw std::runtime_error(log.place(*found.record) + ", " + updates_of(log, found) + ": " +
                             cause_of(verify, found) + " (" + found.differs + ")");
}

}  // namespace

void add_verify(CLI::App& program) {
  const auto verify = std::make_shared<Verify>();
  CLI::App& command =
      *program.add_subcommand("verify", "Check the log of rnn train, and repeat a part of the training");
  command.footer(
      "Without --data only the log is checked: whether a line was changed, removed or moved. With it the\n"
      "training is repeated, on any CPU and any number of threads, from the checkpoint's update on, and its\n"
      "records are compared with the log's. The first one that differs is said, and in what: the options, "
      "the\n"
      "data, or what was computed from them. Exit status 1 if there is one.\n"
      "\n"
      "Examples:\n"
      "  rnn verify run.log\n"
      "  rnn verify run.log --data book.txt --checkpoint run.2000 --to 2100");
  command.add_option("log", verify->log, "The file that rnn train --log has written")
      ->required()
      ->type_name("FILE");
  command.add_option("--data", verify->data, "The text that was learnt; -: standard input")
      ->check(not_empty())
      ->type_name("FILE");
  command
      .add_option("--checkpoint", verify->checkpoint,
                  "Of rnn train, at an update of which the log has a record; without it the\n"
                  "training is repeated from its beginning")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  command.add_option("--from", verify->from, "The update of the checkpoint")
      ->check(whole_number(0, kMostUpdates));
  command.add_option("--to", verify->to, "An update of which the log has a record; default: the last")
      ->check(whole_number(0, kMostUpdates));
  add_threads_option(command, verify->threads);
  add_json_flag(command, verify->json);
  command.callback([verify, &command] { run(*verify, command); });
}

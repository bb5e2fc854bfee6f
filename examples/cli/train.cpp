// rnn train: a model of the characters of a text.
#include "train.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "history.h"
#include "kinds.h"
#include "log.h"
#include "ranks.h"
#include "text_parts.h"

namespace {

constexpr std::uint64_t kDefaultUpdates = 2000;
constexpr const char* kConverted = RNN_WITH_ONNX ? ".onnx and .h files" : ".h files";

std::atomic<bool> interrupted{false};
std::atomic<int> stop_signal{SIGINT};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait");

// The first signal ends the training, the second one the program. What is ignored stays so, for nohup.
void catch_interrupts() {
  constexpr auto stop = [](int signal) {
    stop_signal = signal;
    interrupted = true;
  };
#ifdef _WIN32
  for (const int signal : {SIGINT, SIGTERM, SIGBREAK}) std::signal(signal, stop);  // once
#else
  struct sigaction action = {};
  action.sa_handler = stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
#endif
}

CharacterData read_data(const Train& train, const Vocabulary& vocabulary, Text text) {
  std::vector<std::int32_t> indices = encode(vocabulary, std::move(text), "the text");
  const double part = held_out(train.validation);
  if (part > 0) return CharacterData(std::move(indices), part, train.batch);
  return CharacterData(std::move(indices), encode(vocabulary, read_text(train.validation), train.validation),
                       train.batch);
}

// What this rank needs of it.
CharacterData read_own_data(const Train& train, const Vocabulary& vocabulary, TextParts& parts) {
  const Characters text = parts.encoded_by(vocabulary);
  if (!parts.symbols().is_utf8()) note_bytes("the text");
  const double part = held_out(train.validation);
  if (part > 0) return CharacterData(text, part, train.batch, train.lanes, *ranks());
  return CharacterData(text, encode(vocabulary, read_text(train.validation), train.validation), train.batch,
                       train.lanes, *ranks());
}

const std::string& data_of(const Train& train) {
  return !train.csv.empty() ? train.csv : !train.labels.empty() ? train.labels : train.text;
}

const char* name_of_data(const Train& train) {
  return !train.csv.empty() ? "--csv" : !train.labels.empty() ? "--labels" : "the text";
}

// Empty: none.
std::string checkpoint_of(const Train& train) {
  return train.checkpoint.empty() ? train.resume : train.checkpoint;
}

// The checkpoint of a training that is stopped and has no other.
std::string stopped_checkpoint(const Train& train) {
  return std::filesystem::u8path(unfinished(train.model)).replace_extension(".checkpoint").string();
}

void check_lanes(const Train& train) {
  if (static_cast<std::size_t>(train.lanes) > train.batch)
    throw UsageError("--lanes is " + std::to_string(train.lanes) + "; it may be at most --batch, " +
                     std::to_string(train.batch));
  if (ranks() == nullptr) return;
  if (ranks()->ranks > train.lanes)
    throw UsageError("--lanes is " + std::to_string(train.lanes) + "; " + std::to_string(ranks()->ranks) +
                     " ranks need as many or more");
  if (!train.log.empty()) throw UsageError("--log is of one rank");
  if (train.text == "-")
    throw UsageError("several ranks need a file, since standard input is that of the first one alone");
}

void check_outputs(const Train& train) {
  try {
    check_model_path(train.model);
  } catch (const std::invalid_argument& error) {
    throw UsageError(std::string("--out: ") + error.what() + "; rnn convert makes " + kConverted + " of it");
  }
  const std::string& given = data_of(train);
  const std::string text = given == "-" ? "" : given;
  const std::string validation = held_out(train.validation) > 0 ? "" : train.validation;
  const std::string best = unfinished(train.model);
  const std::string stopped = checkpoint_of(train).empty() ? stopped_checkpoint(train) : "";
  const struct {
    const char* name;
    const std::string& path;
  } read[] = {{name_of_data(train), text}, {"--validation", validation}, {"--init", train.init}},
    written[] = {{"--out", train.model},
                 {"the unfinished model", best},
                 {"the checkpoint of a training that is stopped", stopped},
                 {"--checkpoint", train.checkpoint},
                 {"--log", train.log},
                 {"--history", train.history}};
  for (const auto& out : written)
    for (const auto& in : read) check_not_same(out.name, out.path, in.name, in.path);
  for (const std::string& model : {train.model, best}) {
    check_not_same("--out", model, "--resume", train.resume);
    check_not_same("--out", model, "--checkpoint", train.checkpoint);
    check_not_same("--out", model, "--log", train.log);
    check_not_same("--out", model, "--history", train.history);
  }
  check_writable(train.model);
  check_not_same("--history", train.history, "--resume", train.resume);
  check_not_same("--history", train.history, "--checkpoint", train.checkpoint);
  check_not_same("--history", train.history, "--log", train.log);
  if (!train.history.empty()) check_history(train.history, !train.resume.empty());
  check_not_same("--log", train.log, "--resume", train.resume);
  check_not_same("--log", train.log, "--checkpoint", train.checkpoint);
  if (const std::string checkpoint = checkpoint_of(train); !checkpoint.empty())
    check_writable(checkpoint_at(checkpoint, 0));
  check_log(train);
}

// That of --init, with the text's new characters; without --init the text's.
Vocabulary vocabulary_for(const Train& train, const Text& text) {
  if (train.init.empty()) return Vocabulary(text);
  const rnn::Network model = rnn::Network::load(train.init);
  check_text_model(model, train.init);
  const Vocabulary known = vocabulary_of(model, train.init);
  if (!known.has_bytes() && !text.is_utf8())
    throw std::runtime_error(train.init + " is of characters; the text is neither UTF-8 nor marked UTF-16");
  return train.keep_vocabulary ? known : known.extended(text);
}

std::size_t taps_of_inputs(const rnn_config_t& config) {
  const bool window = config.layer_count > 0 && config.layers[0].kind == RNN_LAYER_CONV1D;
  return window ? static_cast<std::size_t>(config.layers[0].kernel_size) : 1;
}

// A network of the same kind with more inputs and outputs: what they add is initialised as in a new one.
rnn::Network widened(const rnn::Network& network, std::int32_t size, std::uint64_t seed) {
  rnn_config_t config = network.config();
  std::vector<rnn_layer_t> layers(config.layers, config.layers + config.layer_count);
  config.input_size = size;
  config.seed = seed;
  if (layers.empty()) {
    config.output_size = size;
  } else {
    layers.back().size = size;
    config.layers = layers.data();
  }
  rnn::Network wide(config);
  for (std::size_t i = 0; i < network.parameter_count(); ++i) {
    const rnn_parameter_t from = network.parameter(i), to = wide.parameter(i);
    std::vector<float> old(from.rows * from.columns), values(to.rows * to.columns);
    network.get_parameter(from.name, old);
    wide.get_parameter(from.name, values);
    // The rows of a convolution over the inputs have these for each of its taps.
    const std::size_t taps = from.columns != to.columns ? taps_of_inputs(config) : 1;
    for (std::size_t part = 0; part < from.rows * taps; ++part)
      std::copy_n(old.data() + part * (from.columns / taps), from.columns / taps,
                  values.data() + part * (to.columns / taps));
    wide.set_parameter(from.name, values);
  }
  for (const std::string& key : network.metadata_keys())
    wide.set_metadata(key.c_str(), network.get_metadata(key.c_str()).c_str());
  return wide;
}

rnn::Network network_of_init(const Train& train, const CLI::App& command, const Vocabulary& vocabulary) {
  rnn::Network network = rnn::Network::load(train.init);
  rnn_config_t config = network.config();
  config.seed = train.shape.seed;  // may be another: it is of what is new
  check_shape(command, train.shape, config, train.init);
  const std::int32_t known = config.input_size, added = vocabulary.size() - known;
  if (added == 0) return network;
  note(train.init + " does not know " + std::to_string(added) +
       " of the text's characters, which are added: " + vocabulary.description_from(known));
  return widened(network, vocabulary.size(), train.shape.seed);
}

rnn::Network start_network(const Train& train, const CLI::App& command, const Vocabulary& vocabulary) {
  if (!train.init.empty() && train.resume.empty()) return network_of_init(train, command, vocabulary);
  if (train.resume.empty()) return train.shape.network(vocabulary.size(), vocabulary.size());
  rnn::Network network = rnn::Network::load(train.resume);
  check_shape(command, train.shape, network.config(), train.resume);
  if (const std::int32_t inputs = network.config().input_size; inputs != vocabulary.size())
    throw std::runtime_error("--resume: the text differs: " + train.resume + " is of " +
                             std::to_string(inputs) + " characters; the text has " +
                             std::to_string(vocabulary.size()));
  return network;
}

void check_schedule(const Train& train, const CLI::App& command) {
  for (const char* option :
       {"--schedule-factor", "--schedule-updates", "--schedule-start", "--schedule-by-epoch"})
    check_effect(command, option, train.schedule != "constant", "the schedule is constant");
  check_effect(command, "--schedule-factor", train.schedule_factor != 1, "the rate stays as it is");
  if (train.schedule == "constant" || train.schedule == "cosine") return;
  if (command.count("--schedule-factor") > 0 && train.schedule_factor == 0)
    throw UsageError("--schedule-factor: 0 is for --schedule cosine");
  if (train.schedule_updates == 0 && !train.schedule_by_epoch)
    throw UsageError("--schedule " + train.schedule + " needs --schedule-updates");
}

// Of a schedule that does not begin, or that makes no step, before the last update.
void check_schedule_effect(const Train& train, const CLI::App& command, const Training& training,
                           const CharacterPlan& plan) {
  const std::uint64_t unit = train.schedule_by_epoch ? training.updates_per_epoch() : 1;
  const std::int64_t last = static_cast<std::int64_t>((plan.updates - 1) / unit);
  const std::int64_t hold = train.schedule == "step" ? std::max(1, train.schedule_updates) : 1;
  const bool falls = train.schedule == "constant" || train.schedule_start + hold <= last;
  for (const char* option :
       {"--schedule-start", "--schedule-updates", "--schedule-by-epoch", "--schedule-factor", "--schedule"})
    check_effect(command, option, falls,
                 "the rate does not fall before the last of " + std::to_string(plan.updates) + " updates");
}

void check_network_effects(const Train& train, const CLI::App& command, const rnn_config_t& config) {
  check_effect(command, "--dropout", train.dropout == 0 || hidden_layers(config) > 1,
               "it acts between layers, and the network has one");
  check_effect(command, "--recurrent-dropout", train.recurrent_dropout == 0 || reads_state(config),
               "no layer has gates that read the state");
  check_effect(command, "--residual", config.num_layers > 1, "the network has one layer");
}

// What was asked for and can have no effect on this text and plan.
void check_effects(const Train& train, const CLI::App& command, const CharacterData& data,
                   const CharacterPlan& plan) {
  const auto noted = [&](const char* option, bool has_effect, const std::string& reason) {
    if (command.count(option) > 0 && !has_effect) note(option + (": " + reason));
  };
  const std::size_t steps = data.training.frames() / data.training.count();
  noted("--window", static_cast<std::size_t>(train.window) <= steps,
        "the pieces of the text have " + std::to_string(steps) +
            " characters, through all of which gradients flow");
  noted("--validations", train.validations <= plan.updates,
        "there are " + std::to_string(plan.updates) + " updates, and a validation after each");
  noted("--validation", held_out(train.validation) == 0 || !data.is_capped,
        "no more than 100000 characters are held out");
}

CharacterRun run_of(const Train& train) {
  CharacterRun run;
  run.model = train.model;
  run.resume = train.resume;
  run.checkpoint = checkpoint_of(train);
  run.stopped = run.checkpoint.empty() ? stopped_checkpoint(train) : "";
  if (train.seconds > 0) run.seconds = 1.1 * train.seconds;
  run.out = train.quiet || rank() != 0 ? nullptr : stderr;
  run.interrupted = &interrupted;
  run.warn = note;
  return run;
}

std::string quoted(const std::string& word) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-+./:,=@%", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  return "'" + CLI::detail::find_and_replace(word, "'", "'\\''") + "'";
}

// The command that goes on with a training that was stopped.
std::string going_on(const CLI::App& command, const CharacterPlan& plan, const std::string& checkpoint) {
  std::string arguments, options;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--resume" || name == "--seconds") continue;
    if (option->get_positional()) {
      arguments += " " + quoted(option->results().back());
      continue;
    }
    options += " " + name;
    if (option->get_expected_min() > 0) options += " " + quoted(option->results().back());
  }
  if (command.count("--seconds") > 0) options += " --updates " + std::to_string(plan.updates);
  return "rnn train" + arguments + options + " --resume " + quoted(checkpoint);
}

// A failure of a run that goes on, with the option that is another than in the run before.
std::string of_resumed(const std::string& message, const Train& train) {
  constexpr const char* kNames[][2] = {{"the saved batch_size is", "--batch"},
                                       {"the saved window is", "--window"},
                                       {"the saved lanes is", "--lanes"},
                                       {"the saved weights beside their average", "--average"},
                                       {"the trainer stands in the middle of", "the text, or --validation,"}};
  for (const auto& [text, name] : kNames)
    if (message.find(text) != message.npos)
      return "--resume: " + std::string(name) + " differs from that of the run in " + train.resume + ": " +
             message;
  return message;
}

CharacterResult train_or_resume(const Train& train, Training& training, const CharacterPlan& plan,
                                const CharacterRun& files) {
  if (train.resume.empty()) return training.run(plan, files);
  try {
    return training.run(plan, files);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw std::runtime_error(of_resumed(error.what(), train));
  }
}

void print_text(const Train& train, const std::string& unit, const CharacterResult& result,
                const Found& found) {
  print("%s after %llu updates, %.0fk %s/s\n", result.interrupted ? "interrupted" : "done",
        static_cast<unsigned long long>(result.updates), result.characters / result.seconds / 1000,
        unit.c_str());
  if (result.skipped > 0)
    print("skipped     %llu updates that were not finite\n", static_cast<unsigned long long>(result.skipped));
  print("training    %s\n", found.learnt.c_str());
  print("validation  %s\n", found.validation.c_str());
  print("saved in %s\n", one_line(result.model).c_str());
  if (result.model != train.model) print("kept %s as it was\n", one_line(train.model).c_str());
}

Found found_of(const Train& train, const CharacterData& data, const CharacterResult& result) {
  const rnn::Network model = rnn::Network::load(result.model);
  const auto evaluate = [&](const Sequences& sequences) {
    return CharacterTraining::evaluate(model, sequences, train.threads, train.lanes);
  };
  const rnn_evaluation_t learnt = evaluate(data.learnt), validation = evaluate(data.validation);
  return {text_of(learnt), text_of(validation), json_of(learnt), json_of(validation)};
}

}  // namespace

rnn::Network new_or_resumed(const Train& train, const CLI::App& command, std::int32_t inputs,
                            std::int32_t outputs) {
  if (train.resume.empty()) return train.shape.network(inputs, outputs);
  rnn::Network network = rnn::Network::load(train.resume);
  const rnn_config_t config = network.config();
  check_shape(command, train.shape, config, train.resume);
  if (config.input_size != inputs || network.output_size() != static_cast<std::size_t>(outputs))
    throw std::runtime_error("--resume: " + std::string(name_of_data(train)) + " differs: " + train.resume +
                             " has " + std::to_string(config.input_size) + " inputs and " +
                             std::to_string(network.output_size()) + " outputs; here there are " +
                             std::to_string(inputs) + " and " + std::to_string(outputs));
  return network;
}

void check_other_options(const Train& train, const CLI::App& command) {
  const std::string name = name_of_data(train);
  for (const char* option : {"--init", "--keep-vocabulary", "--log", "--log-every"})
    if (const CLI::Option* given = command.get_option_no_throw(option);
        given != nullptr && given->count() > 0)
      throw UsageError(option + (" is for a text, not for " + name));
  if (ranks() != nullptr) throw UsageError(name + " is of one rank");
  check_lanes(train);
  check_outputs(train);
  check_schedule(train, command);
}

CharacterResult carry_out(const Train& train, const CLI::App& command, const rnn::Network& start,
                          Training& training, const CharacterPlan& plan, RunLog* log) {
  check_schedule_effect(train, command, training, plan);
  check_network_effects(train, command, start.config());
  if (!train.quiet && rank() == 0) std::fprintf(stderr, "%s\n", summary(start.config()).c_str());
  CharacterRun files = run_of(train);
  files.log = log;
  std::optional<History> history;
  if (!train.history.empty() && rank() == 0) files.history = &history.emplace(train.history, training.unit());
  catch_interrupts();
  return train_or_resume(train, training, plan, files);
}

void show(const Train& train, const CLI::App& command, const std::string& unit, const CharacterPlan& plan,
          const CharacterResult& result, const Found& found) {
  const std::string next = result.interrupted ? going_on(command, plan, result.checkpoint) : "";
  if (!train.json) {
    print_text(train, unit, result, found);
    if (result.interrupted) print("to go on:   %s\n", one_line(next).c_str());
    return;
  }
  Json json = {{"model", result.model},
               {"updates", result.updates},
               {"skipped_updates", result.skipped},
               {"seconds", result.seconds},
               {unit + "_per_second", result.characters / result.seconds},
               {"interrupted", result.interrupted},
               {"training", found.learnt_json},
               {"validation", found.validation_json}};
  if (result.interrupted) json.update({{"checkpoint", result.checkpoint}, {"go_on", next}});
  print(json);
}

// Of several ranks not: whoever started them takes a status for a crash.
void end_stopped(const CharacterResult& result) {
  if (!result.interrupted || ranks() != nullptr) return;
  flush_output();
  throw Stopped(stop_signal);
}

CharacterPlan plan_of(const Train& train, const Training& training) {
  if (train.seconds > 0) return training.plan_seconds(train.seconds, kMostUpdates, train.validations);
  const std::uint64_t most_epochs = kMostUpdates / training.updates_per_epoch();
  if (train.epochs > most_epochs)
    throw UsageError("--epochs: " + std::to_string(train.epochs) + " are more than " +
                     std::to_string(kMostUpdates) + " updates");
  const std::uint64_t updates = train.updates > 0 ? train.updates : kDefaultUpdates;
  return plan_updates(train.epochs > 0 ? train.epochs * training.updates_per_epoch() : updates,
                      train.validations);
}

namespace {

void run(const Train& train, const CLI::App& command) {
  if (!train.csv.empty()) return train_series(train, command);
  if (!train.labels.empty()) return train_labels(train, command);
  if (train.text.empty()) throw UsageError("text is required, or --csv, or --labels");
  check_lanes(train);
  if (rank() == 0) check_outputs(train);
  check_effect(command, "--keep-vocabulary", !train.init.empty(), "it is for --init");
  check_schedule(train, command);
  std::optional<TextParts> parts;
  if (ranks() != nullptr) {
    parts.emplace(train.text, Ranks(ranks()));
    ranks()->own_sequences = 1;
  }
  Text text = parts ? parts->symbols() : read_input(train.text);
  const Vocabulary vocabulary = vocabulary_for(train, text);
  const CharacterData data =
      parts ? read_own_data(train, vocabulary, *parts) : read_data(train, vocabulary, std::move(text));
  const rnn::Network start = start_network(train, command, vocabulary);
  CharacterTraining training(start, vocabulary, data, options_of(train, data));
  const CharacterPlan plan = plan_of(train, training);
  check_effects(train, command, data, plan);
  const std::unique_ptr<RunLog> log = open_log(train, vocabulary, plan);
  const CharacterResult result = carry_out(train, command, start, training, plan, log.get());
  if (rank() == 0) show(train, command, training.unit(), plan, result, found_of(train, data, result));
  end_stopped(result);
}

}  // namespace

void add_train(CLI::App& program) {
  const auto train = std::make_shared<Train>();
  CLI::App& command =
      *program.add_subcommand("train", "Train a model of a text, of a series, or of labelled texts");
  command.footer(
      "A text is UTF-8, with or without a byte order mark, or UTF-16 with one. Of any other file the\n"
      "model's characters are the bytes.\n"
      "Ctrl-C ends the training after the update, as if it were done: the best model so far and a "
      "checkpoint\n"
      "are saved, and the command that goes on is shown. The exit status is then 130, but 0 with several\n"
      "ranks. A second one ends the program.\n"
      "\n"
      "Examples:\n"
      "  rnn train --csv sunspots.csv --target sunspots --horizon 5 -o sunspots.safetensors\n"
      "  rnn train --labels names.tsv -o names.safetensors\n"
      "  rnn train book.txt -o book.safetensors\n"
      "  rnn train book.txt --cell lstm --hidden 512 --layers 2 --dropout 0.2 --checkpoint book.checkpoint\n"
      "  rnn train book.txt --resume book.checkpoint --updates 8000\n"
      "  rnn train book.txt --history book.csv && rnn plot book.csv\n"
      "  gunzip <book.txt.gz | rnn train - --seconds 60");
  add_train_options(command, *train);
  add_threads_option(command, train->threads);
  command.add_flag("--quiet", train->quiet, "Show no progress");
  add_json_flag(command, train->json);
  command.callback([train, &command] { run(*train, command); });
}

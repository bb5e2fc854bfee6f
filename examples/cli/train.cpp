// rnn train: a model of the characters of a text.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "common.h"
#include "ranks.h"

namespace {

constexpr std::uint64_t kDefaultUpdates = 2000;
constexpr std::uint64_t kMostUpdates = 1 << 30;
constexpr const char* kConverted = RNN_WITH_ONNX ? ".onnx and .h files" : ".h files";

struct Train {
  std::string text;
  std::string model = "model.safetensors";
  std::string checkpoint;
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

const std::map<std::string, std::int32_t> kSchedules = {{"constant", RNN_SCHEDULE_CONSTANT},
                                                        {"step", RNN_SCHEDULE_STEP},
                                                        {"exponential", RNN_SCHEDULE_EXPONENTIAL},
                                                        {"cosine", RNN_SCHEDULE_COSINE}};

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait");

// The first signal ends the training, the second one the program. What is ignored stays so, for nohup.
void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

// The part of the text that --validation says to hold out; 0 if it is a file, such as ./0.1.
double held_out(const std::string& validation) {
  char* end = nullptr;
  const double part = std::strtod(validation.c_str(), &end);
  const bool is_number = end != validation.c_str() && *end == '\0';
  if (is_number && part > 0 && part < 1) return part;
  if (std::filesystem::exists(validation)) return 0;
  if (is_number) throw UsageError("--validation: " + validation + " must be between 0 and 1");
  throw std::runtime_error("--validation: there is no file " + validation + ", and it is not a number");
}

CharacterData read_data(const Train& train, const Vocabulary& vocabulary, Text text) {
  std::vector<std::int32_t> indices = encode(vocabulary, std::move(text), "the text");
  const double part = held_out(train.validation);
  if (part > 0) return CharacterData(std::move(indices), part, train.batch);
  return CharacterData(std::move(indices), encode(vocabulary, read_text(train.validation), train.validation),
                       train.batch);
}

// Empty: none.
std::string checkpoint_of(const Train& train) {
  return train.checkpoint.empty() ? train.resume : train.checkpoint;
}

void check_lanes(const Train& train) {
  if (static_cast<std::size_t>(train.lanes) > train.batch)
    throw UsageError("--lanes is " + std::to_string(train.lanes) + "; it may be at most --batch, " +
                     std::to_string(train.batch));
  if (ranks() == nullptr) return;
  if (ranks()->ranks > train.lanes)
    throw UsageError("--lanes is " + std::to_string(train.lanes) + "; " + std::to_string(ranks()->ranks) +
                     " ranks need as many or more");
  if (train.text == "-")
    throw UsageError("several ranks need a file, since standard input is that of the first one alone");
}

void check_outputs(const Train& train) {
  try {
    check_model_path(train.model);
  } catch (const std::invalid_argument& error) {
    throw UsageError(std::string("--out: ") + error.what() + "; rnn convert makes " + kConverted + " of it");
  }
  const std::string text = train.text == "-" ? "" : train.text;
  const std::string validation = held_out(train.validation) > 0 ? "" : train.validation;
  const std::string best = unfinished(train.model);
  const struct {
    const char* name;
    const std::string& path;
  } read[] = {{"the text", text}, {"--validation", validation}, {"--init", train.init}},
    written[] = {{"--out", train.model}, {"the unfinished model", best}, {"--checkpoint", train.checkpoint}};
  for (const auto& out : written)
    for (const auto& in : read) check_not_same(out.name, out.path, in.name, in.path);
  for (const std::string& model : {train.model, best}) {
    check_not_same("--out", model, "--resume", train.resume);
    check_not_same("--out", model, "--checkpoint", train.checkpoint);
  }
  check_writable(train.model);
  if (const std::string checkpoint = checkpoint_of(train); !checkpoint.empty()) check_writable(checkpoint);
}

// That of --init, with the text's new characters; without --init the text's.
Vocabulary vocabulary_for(const Train& train, const Text& text) {
  if (train.init.empty()) return Vocabulary(text);
  const Vocabulary known = vocabulary_of(rnn::Network::load(train.init), train.init);
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
  if (!train.init.empty()) return network_of_init(train, command, vocabulary);
  if (train.resume.empty()) return train.shape.network(vocabulary.size(), vocabulary.size());
  rnn::Network network = rnn::Network::load(train.resume);
  check_shape(command, train.shape, network.config(), train.resume);
  if (const std::int32_t inputs = network.config().input_size; inputs != vocabulary.size())
    throw std::runtime_error(train.resume + " is of " + std::to_string(inputs) +
                             " characters; the text has " + std::to_string(vocabulary.size()));
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
void check_schedule_effect(const Train& train, const CLI::App& command, const CharacterTraining& training,
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

// What was asked for and can have no effect on this network, text and plan.
void check_effects(const Train& train, const CLI::App& command, const rnn_config_t& config,
                   const CharacterData& data, const CharacterPlan& plan) {
  const auto noted = [&](const char* option, bool has_effect, const std::string& reason) {
    if (command.count(option) > 0 && !has_effect) note(option + (": " + reason));
  };
  check_effect(command, "--dropout", train.dropout == 0 || hidden_layers(config) > 1,
               "it acts between layers, and the network has one");
  check_effect(command, "--recurrent-dropout", train.recurrent_dropout == 0 || reads_state(config),
               "no layer has gates that read the state");
  check_effect(command, "--residual", config.num_layers > 1, "the network has one layer");
  const std::size_t steps = data.training.frames() / data.training.count();
  noted("--window", static_cast<std::size_t>(train.window) <= steps,
        "the pieces of the text have " + std::to_string(steps) +
            " characters, through all of which gradients flow");
  noted("--validations", train.validations <= plan.updates,
        "there are " + std::to_string(plan.updates) + " updates, and a validation after each");
  noted("--validation", held_out(train.validation) == 0 || !data.is_capped,
        "no more than 100000 characters are held out");
}

rnn_train_options_t options_of(const Train& train, const CharacterData& data) {
  rnn_train_options_t options = CharacterTraining::default_options(data);
  options.window = train.window;
  options.learning_rate = train.learning_rate;
  options.weight_decay = train.weight_decay;
  options.dropout = train.dropout;
  options.output_dropout = train.output_dropout;
  options.recurrent_dropout = train.recurrent_dropout;
  options.average = train.average;
  options.label_smoothing = train.label_smoothing;
  options.schedule = kSchedules.at(train.schedule);
  options.schedule_factor = train.schedule_factor;
  options.schedule_updates = train.schedule_updates;
  options.schedule_start = train.schedule_start;
  options.schedule_by_epoch = train.schedule_by_epoch;
  if (train.schedule != "constant" && train.schedule != "cosine" && train.schedule_updates == 0)
    options.schedule_updates = 1;  // an epoch
  options.skip_not_finite = train.skip_not_finite;
  options.seed = train.shape.seed;
  options.threads = train.threads;
  options.lanes = train.lanes;
  options.collective = ranks();
  return options;
}

CharacterPlan plan_of(const Train& train, const CharacterTraining& training) {
  if (train.seconds > 0) return training.plan_seconds(train.seconds, kMostUpdates, train.validations);
  const std::uint64_t most_epochs = kMostUpdates / training.updates_per_epoch();
  if (train.epochs > most_epochs)
    throw UsageError("--epochs: " + std::to_string(train.epochs) + " are more than " +
                     std::to_string(kMostUpdates) + " updates");
  const std::uint64_t updates = train.updates > 0 ? train.updates : kDefaultUpdates;
  return plan_updates(train.epochs > 0 ? train.epochs * training.updates_per_epoch() : updates,
                      train.validations);
}

CharacterRun run_of(const Train& train) {
  CharacterRun run;
  run.model = train.model;
  run.resume = train.resume;
  run.checkpoint = checkpoint_of(train);
  if (train.seconds > 0) run.seconds = 1.1 * train.seconds;
  run.out = train.quiet || rank() != 0 ? nullptr : stderr;
  run.interrupted = &interrupted;
  return run;
}

void print_text(const Train& train, const CharacterResult& result, const rnn_evaluation_t& learnt,
                const rnn_evaluation_t& validation) {
  print("%s after %llu updates, %.0fk characters/s\n", result.interrupted ? "interrupted" : "done",
        static_cast<unsigned long long>(result.updates), result.characters / result.seconds / 1000);
  if (result.skipped > 0)
    print("skipped     %llu updates that were not finite\n", static_cast<unsigned long long>(result.skipped));
  print("training    %s\n", text_of(learnt).c_str());
  print("validation  %s\n", text_of(validation).c_str());
  print("saved in %s\n", one_line(result.model).c_str());
  if (result.model != train.model) print("kept %s as it was\n", one_line(train.model).c_str());
}

void run(const Train& train, const CLI::App& command) {
  check_lanes(train);
  if (rank() == 0) check_outputs(train);
  check_effect(command, "--keep-vocabulary", !train.init.empty(), "it is for --init");
  check_schedule(train, command);
  Text text = read_input(train.text);
  const Vocabulary vocabulary = vocabulary_for(train, text);
  CharacterData data = read_data(train, vocabulary, std::move(text));
  if (ranks() != nullptr) {
    data.keep_own(train.lanes, *ranks());
    ranks()->own_sequences = 1;
  }
  const rnn::Network start = start_network(train, command, vocabulary);
  CharacterTraining training(start, vocabulary, data, options_of(train, data));
  const CharacterPlan plan = plan_of(train, training);
  check_schedule_effect(train, command, training, plan);
  check_effects(train, command, start.config(), data, plan);
  if (!train.quiet && rank() == 0) std::fprintf(stderr, "%s\n", summary(start.config()).c_str());
  catch_interrupts();
  const CharacterResult result = training.run(plan, run_of(train));
  if (rank() != 0) return;

  const rnn::Network model = rnn::Network::load(result.model);
  const auto evaluate = [&](const Sequences& sequences) {
    return CharacterTraining::evaluate(model, sequences, train.threads, train.lanes);
  };
  const rnn_evaluation_t learnt = evaluate(data.learnt), validation = evaluate(data.validation);
  if (!train.json) return print_text(train, result, learnt, validation);
  print({{"model", result.model},
         {"updates", result.updates},
         {"skipped_updates", result.skipped},
         {"seconds", result.seconds},
         {"characters_per_second", result.characters / result.seconds},
         {"interrupted", result.interrupted},
         {"training", json_of(learnt)},
         {"validation", json_of(validation)}});
}

void add_length_options(CLI::App& command, Train& train) {
  CLI::Option* updates =
      command.add_option("--updates", train.updates, "How long to train, about; default: 2000")
          ->check(whole_number(1, kMostUpdates));
  CLI::Option* epochs = command.add_option("--epochs", train.epochs, "The same in passes over the text")
                            ->check(whole_number(1, kMostUpdates))
                            ->excludes(updates);
  command.add_option("--seconds", train.seconds, "The same in time, about")
      ->check(number(0.1, 1e7))
      ->excludes(updates)
      ->excludes(epochs);
}

void add_file_options(CLI::App& command, Train& train) {
  command.add_option("text", train.text, "The file to learn; -: standard input")->required();
  command
      .add_option("-o,--out", train.model,
                  "Where to save the model of the best validation, .safetensors or .rnn.\n"
                  "A file that is there is replaced at the end of the training; until then,\n"
                  "and if it is stopped, the best model is in OUT.unfinished.SUFFIX")
      ->capture_default_str();
  command
      .add_option("--validation", train.validation,
                  "What tells which model is the best: a file, or the part of\n"
                  "the text (100000 characters at most) that is not learnt")
      ->capture_default_str();
  command
      .add_option("--checkpoint", train.checkpoint, "Where to save what --resume takes, at each validation")
      ->check(not_empty());
  CLI::Option* init =
      command
          .add_option("--init", train.init,
                      "Begin with the weights and the vocabulary of a model that rnn train has\n"
                      "saved, whose shape is kept. Characters that only the text has are added;\n"
                      "their weights are new")
          ->check(CLI::ExistingFile);
  command.add_flag("--keep-vocabulary", train.keep_vocabulary,
                   "With --init: characters that the model does not know are an error");
  command
      .add_option("--resume", train.resume,
                  "Go on from a checkpoint, with the same text, options and --out;\n"
                  "the model's shape is the checkpoint's, the learning rate that of\n"
                  "--learning-rate. Without --checkpoint the next ones replace it")
      ->check(CLI::ExistingFile)
      ->excludes(command.get_option("--seconds"))
      ->excludes(init);
}

void add_training_options(CLI::App& command, Train& train) {
  command.add_option("--validations", train.validations, "How often to validate")
      ->check(whole_number(1, kMostUpdates))
      ->capture_default_str();
  command.add_option("--batch", train.batch, "Pieces of the text that are read side by side")
      ->check(whole_number(1, 65536))
      ->capture_default_str();
  command.add_option("--window", train.window, "Characters through which gradients flow")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--learning-rate", train.learning_rate, "Of AdamW; falls by --schedule")
      ->check(number(1e-9, 100))
      ->capture_default_str();
  command.add_option("--weight-decay", train.weight_decay, "Of AdamW")
      ->check(number(0, 1000))
      ->capture_default_str();
  command
      .add_option("--lanes", train.lanes,
                  "A power of two: the parts of the batch whose gradients are computed apart\n"
                  "and then added, by threads and by ranks. The model depends on it, but not\n"
                  "on how many threads and ranks there are")
      ->check(power_of_two(1024))
      ->capture_default_str();
  command
      .add_option("--dropout", train.dropout, "Part of each layer's output that the next one does not see")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--output-dropout", train.output_dropout,
                  "Part of the last layer's output that the head does not see")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--recurrent-dropout", train.recurrent_dropout,
                  "Part of the state that the gates do not see, the same units all along a\n"
                  "piece of the text")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--label-smoothing", train.label_smoothing,
                  "Part of each target that is spread over all characters. The training loss\n"
                  "of the progress is with it; that of validation, which tells the best model,\n"
                  "and those at the end are without")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command.add_option("--average", train.average, "Decay of a moving average of the weights; 0: none")
      ->check(number(0, 0.999999))
      ->capture_default_str();
  command
      .add_option("--skip-not-finite", train.skip_not_finite,
                  "Skip so many updates in a row whose loss or gradient is not finite; one\n"
                  "more is an error")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
}

void add_schedule_options(CLI::App& command, Train& train) {
  command
      .add_option("--schedule", train.schedule,
                  "How the learning rate falls: constant, not at all; step, at once by a\n"
                  "factor after each --schedule-updates; exponential, the same bit by bit;\n"
                  "cosine, to that factor over all of them")
      ->check(CLI::IsMember(kSchedules))
      ->capture_default_str();
  command
      .add_option("--schedule-factor", train.schedule_factor, "The factor; default: 0 for cosine, else 0.1")
      ->check(number(0, 1));
  command
      .add_option("--schedule-updates", train.schedule_updates,
                  "How many; default for cosine: all that follow --schedule-start")
      ->check(CLI::Range(1, 1 << 30));
  command.add_option("--schedule-start", train.schedule_start, "Updates before the rate begins to fall")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  command.add_flag("--schedule-by-epoch", train.schedule_by_epoch,
                   "Count passes over the text, not updates, in these two options; of step\n"
                   "and exponential --schedule-updates is then 1 by default");
}

}  // namespace

void add_train(CLI::App& program) {
  const auto train = std::make_shared<Train>();
  CLI::App& command = *program.add_subcommand("train", "Train a model of the characters of a text");
  command.footer(
      "A text is UTF-8, with or without a byte order mark, or UTF-16 with one. Of any other file the\n"
      "model's characters are the bytes.\n"
      "Ctrl-C ends the training as if it were done: the best model so far is saved, and a\n"
      "checkpoint if there is to be one. A second one ends the program.");
  add_length_options(command, *train);
  add_file_options(command, *train);
  add_shape_options(command, train->shape);
  add_training_options(command, *train);
  add_schedule_options(command, *train);
  add_threads_option(command, train->threads);
  command.add_flag("--quiet", train->quiet, "Show no progress");
  add_json_flag(command, train->json);
  command.callback([train, &command] { run(*train, command); });
}

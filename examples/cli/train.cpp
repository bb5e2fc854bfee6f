// rnn train: a model of the characters of a text.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "../character_training.h"
#include "../text.h"
#include "common.h"

namespace {

constexpr std::uint64_t kDefaultUpdates = 2000;
constexpr std::uint64_t kMostUpdates = 1 << 30;

struct Train {
  std::string text;
  std::string model = "model.safetensors";
  std::string checkpoint;
  std::string resume;
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
  float average = 0;
  int threads = 0;
  bool quiet = false;
  bool json = false;
  Shape shape;
};

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

CharacterData read_data(const Train& train, const Vocabulary& vocabulary, const std::string& bytes) {
  const std::vector<std::int32_t> text = vocabulary.encode(bytes);
  const double part = held_out(train.validation);
  if (part > 0) return CharacterData(text, part, train.batch);
  return CharacterData(text, vocabulary.encode(read_text(train.validation), train.validation), train.batch);
}

// Empty: none.
std::string checkpoint_of(const Train& train) {
  return train.checkpoint.empty() ? train.resume : train.checkpoint;
}

// The library writes a new file beside the old one, which it then replaces.
void check_writable(const std::string& path) {
  namespace fs = std::filesystem;
  const bool exists = fs::exists(path);
  if (exists && !fs::is_regular_file(path))
    throw std::runtime_error("cannot write " + path + ": not a regular file");
  const fs::path folder = fs::weakly_canonical(path).parent_path() / ".";
  if ((exists && access(path.c_str(), W_OK) != 0) || access(folder.c_str(), W_OK) != 0)
    throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

void check_outputs(const Train& train) {
  const std::string suffix = std::filesystem::path(train.model).extension().string();
  if (suffix == ".onnx" || suffix == ".h")
    throw UsageError("--out: a model is a .safetensors or a .rnn file; rnn convert makes " + suffix +
                     " files of them");
  const std::string text = train.text == "-" ? "" : train.text;
  const std::string validation = held_out(train.validation) > 0 ? "" : train.validation;
  check_not_same("--out", train.model, "the text", text);
  check_not_same("--out", train.model, "--validation", validation);
  check_not_same("--out", train.model, "--resume", train.resume);
  check_not_same("--out", train.model, "--checkpoint", train.checkpoint);
  check_not_same("--checkpoint", train.checkpoint, "the text", text);
  check_not_same("--checkpoint", train.checkpoint, "--validation", validation);
  check_writable(train.model);
  if (const std::string checkpoint = checkpoint_of(train); !checkpoint.empty()) check_writable(checkpoint);
}

rnn::Network start_network(const Train& train, const CLI::App& command, const Vocabulary& vocabulary) {
  if (train.resume.empty()) return rnn::Network(train.shape.config(vocabulary.size(), vocabulary.size()));
  rnn::Network network = rnn::Network::load(train.resume);
  check_shape(command, train.shape, network.config(), train.resume);
  if (const std::int32_t inputs = network.config().input_size; inputs != vocabulary.size())
    throw std::runtime_error(train.resume + " is of " + std::to_string(inputs) +
                             " characters; the text has " + std::to_string(vocabulary.size()));
  return network;
}

rnn_train_options_t options_of(const Train& train, const CharacterData& data) {
  rnn_train_options_t options = CharacterTraining::default_options(data);
  options.window = train.window;
  options.learning_rate = train.learning_rate;
  options.weight_decay = train.weight_decay;
  options.dropout = train.dropout;
  options.average = train.average;
  options.seed = train.shape.seed;
  options.threads = train.threads;
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
  run.out = train.quiet ? nullptr : stderr;
  run.interrupted = &interrupted;
  return run;
}

void print_text(const Train& train, const CharacterResult& result, const rnn_evaluation_t& learnt,
                const rnn_evaluation_t& validation) {
  std::printf("%s after %llu updates, %.0fk characters/s\n", result.interrupted ? "interrupted" : "done",
              static_cast<unsigned long long>(result.updates), result.characters / result.seconds / 1000);
  std::printf("training    %s\n", text_of(learnt).c_str());
  std::printf("validation  %s\n", text_of(validation).c_str());
  std::printf("saved in %s\n", train.model.c_str());
}

void run(const Train& train, const CLI::App& command) {
  check_outputs(train);
  const std::string bytes = read_input(train.text);
  const Vocabulary vocabulary(bytes);
  const CharacterData data = read_data(train, vocabulary, bytes);
  const rnn::Network start = start_network(train, command, vocabulary);
  CharacterTraining training(start, vocabulary, data, options_of(train, data));
  const CharacterPlan plan = plan_of(train, training);
  if (!train.quiet) std::fprintf(stderr, "%s\n", summary(start.config()).c_str());
  catch_interrupts();
  const CharacterResult result = training.run(plan, run_of(train));

  const rnn::Network model = rnn::Network::load(train.model);
  const rnn_evaluation_t learnt = CharacterTraining::evaluate(model, data.learnt, train.threads);
  const rnn_evaluation_t validation = CharacterTraining::evaluate(model, data.validation, train.threads);
  if (!train.json) return print_text(train, result, learnt, validation);
  print({{"model", train.model},
         {"updates", result.updates},
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
                  "Where to save the model of the best validation, .safetensors or .rnn")
      ->capture_default_str();
  command
      .add_option("--validation", train.validation,
                  "What tells which model is the best: a file, or the part of\n"
                  "the text (100000 characters at most) that is not learnt")
      ->capture_default_str();
  command.add_option("--checkpoint", train.checkpoint,
                     "Where to save what --resume takes, at each validation");
  command
      .add_option("--resume", train.resume,
                  "Go on from a checkpoint, with the same text, options and --out;\n"
                  "the model's shape is the checkpoint's, the learning rate that of\n"
                  "--learning-rate. Without --checkpoint the next ones replace it")
      ->check(CLI::ExistingFile)
      ->excludes(command.get_option("--seconds"));
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
  command.add_option("--learning-rate", train.learning_rate, "Of AdamW; falls to a tenth along a cosine")
      ->check(number(1e-9, 100))
      ->capture_default_str();
  command.add_option("--weight-decay", train.weight_decay, "Of AdamW")
      ->check(number(0, 1000))
      ->capture_default_str();
  command
      .add_option("--dropout", train.dropout, "Part of each layer's output that the next one does not see")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command.add_option("--average", train.average, "Decay of a moving average of the weights; 0: none")
      ->check(number(0, 0.999999))
      ->capture_default_str();
}

}  // namespace

void add_train(CLI::App& program) {
  const auto train = std::make_shared<Train>();
  CLI::App& command = *program.add_subcommand("train", "Train a model of the characters of a text");
  command.footer(
      "Ctrl-C ends the training as if it were done: the best model so far is saved, and a\n"
      "checkpoint if there is to be one. A second one ends the program.");
  add_length_options(command, *train);
  add_file_options(command, *train);
  add_shape_options(command, train->shape);
  add_training_options(command, *train);
  add_threads_option(command, train->threads);
  command.add_flag("--quiet", train->quiet, "Show no progress");
  add_json_flag(command, train->json);
  command.callback([train, &command] { run(*train, command); });
}

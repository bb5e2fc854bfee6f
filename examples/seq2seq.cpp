// Sequence to sequence: read a string of digits, then say it backwards.
//
//   seq2seq [options]      --help lists them
//
// Two networks that know nothing of each other. The encoder reads the string. The decoder starts from the
// state in which the encoder ended; a mark tells it to begin, then it is given each digit that it has said,
// until it says the mark (Sutskever, Vinyals & Le 2014). In training the gradient goes the same way back:
//
//   digits -> encoder --- final state ---> decoder -> logits
//             encoder <-- its gradient --- decoder <- gradient of the loss
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <rnn/rnn.hpp>
#include <set>
#include <string>
#include <vector>

#include "command_line.h"
#include "progress.h"

namespace {

using Digits = std::vector<std::int32_t>;

constexpr std::int32_t kDigits = 10;
constexpr std::int32_t kMark = kDigits;  // begins and ends what the decoder says
constexpr std::size_t kShortest = 3;
constexpr std::size_t kLongest = 12;
constexpr std::size_t kShown = 5;
constexpr double kGoal = 0.99;

struct Options {
  std::string cell = "gru";
  int hidden = 128;
  int updates = 2000;
  int batch = 128;
  int tests = 2000;
  int threads = 0;
  float learning_rate = 0.01f;
  std::uint64_t seed = 1;
  bool check = false;
};

// Random strings of digits: some to test, and any number of others to learn.
class Strings {
 public:
  Strings(std::uint64_t seed, std::size_t tests) : random_(seed) {
    while (tests_.size() < tests) {
      tests_.push_back(next());
      reserved_.insert(tests_.back());
    }
  }

  const std::vector<Digits>& tests() const { return tests_; }

  Digits next() {
    for (;;) {
      Digits digits = draw();
      if (reserved_.count(digits) == 0) return digits;
    }
  }

 private:
  Digits draw() {
    Digits digits(kShortest + random_() % (kLongest - kShortest + 1));
    for (std::int32_t& digit : digits) digit = static_cast<std::int32_t>(random_() % kDigits);
    return digits;
  }

  std::mt19937_64 random_;
  std::vector<Digits> tests_;
  std::set<Digits> reserved_;  // the same
};

// What one of the two networks reads in an update, string after string, and what it is to say.
class Batch {
 public:
  void add_input(std::int32_t index) { indices_.push_back(index); }
  void add_class(std::int32_t index) { classes_.push_back(index); }
  void end_string() {
    lengths_.push_back(indices_.size() - ended_);
    ended_ = indices_.size();
  }

  std::size_t count() const { return lengths_.size(); }
  const std::vector<std::int32_t>& classes() const { return classes_; }
  rnn_sequences_t view() const {
    auto sequences = rnn::sized<rnn_sequences_t>();
    sequences.count = lengths_.size();
    sequences.frames = indices_.size();
    sequences.lengths = lengths_.data();
    sequences.indices = indices_.data();
    return sequences;
  }

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> indices_;
  std::vector<std::int32_t> classes_;
  std::size_t ended_ = 0;
};

void add_read(Batch& batch, const Digits& digits) {
  for (const std::int32_t digit : digits) batch.add_input(digit);
  batch.end_string();
}

// Teacher forcing: the decoder is given what it should have said, not what it said.
void add_said(Batch& batch, const Digits& digits) {
  batch.add_input(kMark);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    batch.add_class(*digit);
    batch.add_input(*digit);
  }
  batch.add_class(kMark);
  batch.end_string();
}

// Replace logits by the gradient of their mean cross-entropy, softmax(y) - onehot(class), and return the
// latter.
double cross_entropy(std::vector<float>& logits, const std::vector<std::int32_t>& classes) {
  const std::size_t outputs = logits.size() / classes.size();
  const double scale = 1.0 / static_cast<double>(classes.size());
  double loss = 0;
  for (std::size_t step = 0; step < classes.size(); ++step) {
    float* y = logits.data() + step * outputs;
    const auto wanted = static_cast<std::size_t>(classes[step]);
    const double largest = *std::max_element(y, y + outputs);
    double sum = 0;
    for (std::size_t k = 0; k < outputs; ++k) sum += std::exp(y[k] - largest);
    loss += std::log(sum) - (y[wanted] - largest);
    for (std::size_t k = 0; k < outputs; ++k)
      y[k] = static_cast<float>((std::exp(y[k] - largest) / sum - (k == wanted)) * scale);
  }
  return loss * scale;
}

rnn::Network create(const Options& options, std::int32_t inputs, std::int32_t outputs, std::uint64_t seed) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = cell_of(options.cell);
  config.input_size = inputs;
  config.hidden_size = options.hidden;
  config.output_size = outputs;
  config.seed = seed;
  return rnn::Network(config);
}

rnn::Trainer create_trainer(const Options& options, const rnn::Network& network) {
  auto train = rnn::sized<rnn_train_options_t>();
  train.learning_rate = options.learning_rate;
  train.clip_norm = 1;
  train.schedule = RNN_SCHEDULE_COSINE;
  train.schedule_updates = options.updates;
  train.warmup_updates = std::min(100, options.updates);
  train.threads = options.threads;
  return rnn::Trainer(network, &train);
}

// A network, and all that it takes to train it by gradients from elsewhere.
struct Learner {
  Learner(const Options& options, std::int32_t inputs, std::int32_t outputs, std::uint64_t seed)
      : network(create(options, inputs, outputs, seed)),
        tape(network, options.threads),
        trainer(create_trainer(options, network)) {}

  void update() {
    trainer.apply(tape);
    trainer.sync(network);
    tape.zero_gradients();
  }

  rnn::Network network;
  rnn::Tape tape;
  rnn::Trainer trainer;
};

class Reverser {
 public:
  explicit Reverser(const Options& options)
      : encoder_(options, kDigits, 0, 2 * options.seed),
        decoder_(options, kDigits + 1, kDigits + 1, 2 * options.seed + 1),
        state_size_(encoder_.network.state_size()) {}

  // One update of both networks; returns the loss before it.
  double learn(const std::vector<Digits>& strings) {
    Batch read, said;
    for (const Digits& digits : strings) {
      add_read(read, digits);
      add_said(said, digits);
    }
    states_.resize(strings.size() * state_size_);
    logits_.resize(said.classes().size() * (kDigits + 1));

    encoder_.tape.forward(encoder_.network, read.view(), nullptr, nullptr, states_.data());
    decoder_.tape.forward(decoder_.network, said.view(), states_.data(), logits_.data(), nullptr);
    const double loss = cross_entropy(logits_, said.classes());
    decoder_.tape.backward(logits_.data(), nullptr, nullptr, states_.data());
    encoder_.tape.backward(nullptr, states_.data(), nullptr, nullptr);
    decoder_.update();
    encoder_.update();
    return loss;
  }

  // What the decoder says, without the mark; at most one digit too many.
  Digits say(const Digits& digits) {
    std::vector<float> state(state_size_);
    encoder_.network.reset();
    for (const std::int32_t digit : digits) encoder_.network.step(digit, nullptr);
    encoder_.network.get_state(state);
    decoder_.network.set_state(state);

    auto options = rnn::sized<rnn_generate_options_t>();
    options.prompt = &kMark;
    options.prompt_count = 1;
    options.greedy = 1;
    options.stop = 1;
    options.stop_index = kMark;
    Digits said = decoder_.network.generate(options, digits.size() + 1);
    if (said.back() == kMark) said.pop_back();
    return said;
  }

 private:
  Learner encoder_;
  Learner decoder_;
  const std::size_t state_size_;
  std::vector<float> states_;  // of the encoder at its end, where the decoder starts; then their gradient
  std::vector<float> logits_;  // then their gradient
};

std::string text(const Digits& digits) {
  std::string text;
  for (const std::int32_t digit : digits) text += digit == kMark ? '|' : static_cast<char>('0' + digit);
  return text;
}

void train(Reverser& reverser, Strings& strings, const Options& options) {
  const double steps = options.batch * static_cast<double>(kShortest + kLongest + 1);  // of both networks
  Progress bar(static_cast<std::uint64_t>(options.updates), steps, "steps", stderr);
  std::vector<Digits> batch(static_cast<std::size_t>(options.batch));
  for (int update = 1; update <= options.updates; ++update) {
    std::generate(batch.begin(), batch.end(), [&] { return strings.next(); });
    const double loss = reverser.learn(batch);
    char remark[40];
    std::snprintf(remark, sizeof remark, "loss %.4f", loss);
    bar.show(static_cast<std::uint64_t>(update), remark, update == options.updates);
  }
}

// The fraction of the strings that are said backwards without a mistake. Shows some.
double test(Reverser& reverser, const std::vector<Digits>& strings) {
  std::size_t right = 0;
  std::size_t shown = 0;
  for (const Digits& digits : strings) {
    const Digits said = reverser.say(digits);
    const bool is_right = std::equal(said.begin(), said.end(), digits.rbegin(), digits.rend());
    right += is_right;
    if (shown == kShown) continue;
    std::printf("  %-*s -> %-*s  %s\n", static_cast<int>(kLongest), text(digits).c_str(),
                static_cast<int>(kLongest), text(said).c_str(), is_right ? "right" : "wrong");
    ++shown;
  }
  return static_cast<double>(right) / static_cast<double>(strings.size());
}

int run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  Strings strings(options.seed, static_cast<std::size_t>(options.tests));
  Reverser reverser(options);
  std::printf("Reverse %zu to %zu digits: encoder and decoder, %s, %d hidden units each\n", kShortest,
              kLongest, options.cell.c_str(), options.hidden);
  train(reverser, strings, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double accuracy = test(reverser, strings.tests());
  std::printf("%.2f %% of %d unseen strings right, after %d updates in %.1f s\n", 100 * accuracy,
              options.tests, options.updates, seconds.count());
  return options.check && accuracy < kGoal;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Train an encoder and a decoder to reverse strings of digits.");
  add_cell_option(app, options.cell);
  app.add_option("--hidden", options.hidden, "Hidden units")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--updates", options.updates, "How long to train")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Strings per update")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "Of Adam")->capture_default_str();
  app.add_option("--tests", options.tests, "Strings that are tested, and not learnt")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of weights and strings")->capture_default_str();
  add_threads_option(app, options.threads);
  app.add_flag("--check", options.check, "Exit status 1 if less than 99 % are right");
  return run_program("seq2seq", app, argc, argv, [&] { return run(options); });
}

// The adding problem (Hochreiter & Schmidhuber 1997): a long sequence of random numbers, of which two are
// marked; at its end the network says their sum. So it has to keep what it saw a hundred steps ago and more.
//
//   adding [options]      --help lists them
//
// In the form of Le, Jaitly & Hinton 2015, for two networks that are set up to keep what they have seen:
// their IRNN, a vanilla RNN of rectified linear units whose recurrent matrix starts as the identity; and an
// LSTM whose biases are those of Tallec & Ollivier 2018. Who always says 1 has a mean squared error of 1/6,
// the variance of the sum.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

#include "command_line.h"
#include "plot.h"

namespace {

constexpr std::size_t kChannels = 2;  // the number; 1 if it is marked, else 0
constexpr std::size_t kBatch = 64;
constexpr std::size_t kValidation = 500;
constexpr std::size_t kTest = 2000;
constexpr int kReportEvery = 100;  // updates
constexpr double kGoal = 0.01;     // mean squared error
constexpr double kEnough = 0.008;  // the validation's, to end with: other sequences may have a little more

struct Options {
  std::string network = "both";
  int length = 150;
  int hidden = 100;
  int updates = 10000;
  int threads = 0;
  std::uint64_t seed = 1;
  std::string plot;
  bool check = false;
};

float uniform(std::mt19937_64& random) { return static_cast<float>(random() >> 40) / (1 << 24); }  // 0..<1

// Sequences of one length, each with the sum of its two marked numbers.
class Batch {
 public:
  Batch(std::mt19937_64& random, std::size_t count, std::size_t length) : lengths_(count, length) {
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t start = inputs_.size();
      for (std::size_t step = 0; step < length; ++step) {
        inputs_.push_back(uniform(random));
        inputs_.push_back(0);
      }
      const std::size_t one = random() % length;
      const std::size_t other = (one + 1 + random() % (length - 1)) % length;
      float sum = 0;
      for (const std::size_t step : {one, other}) {
        sum += inputs_[start + step * kChannels];
        inputs_[start + step * kChannels + 1] = 1;
      }
      targets_.push_back(sum);
    }
  }

  rnn_sequences_t view() const {
    auto sequences = rnn::sized<rnn_sequences_t>();
    sequences.count = lengths_.size();
    sequences.frames = inputs_.size() / kChannels;
    sequences.lengths = lengths_.data();
    sequences.inputs = inputs_.data();
    sequences.targets = targets_.data();
    sequences.pooling = RNN_POOLING_LAST;  // one target for each sequence
    return sequences;
  }

  // The mean squared error of who always says 1.
  double naive_error() const {
    double sum = 0;
    for (const float target : targets_) sum += (target - 1) * (target - 1);
    return sum / static_cast<double>(targets_.size());
  }

 private:
  std::vector<std::size_t> lengths_;
  std::vector<float> inputs_;
  std::vector<float> targets_;
};

// Let the unit's memory last: with a forget gate of s(b), about 1 + exp(b) steps. Here that is anything from
// 2 steps to the whole sequence, and the input gates are closed as far as the forget gates are open.
void prolong_memory(rnn::Network& lstm, std::size_t hidden, std::size_t length, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> bias(4 * hidden);  // of the gates i, f, g, o
  lstm.get_parameter("bias_ih_l0", bias);
  for (std::size_t i = 0; i < hidden; ++i) {
    const float steps = 1 + uniform(random) * static_cast<float>(length - 2);
    bias[hidden + i] = std::log(steps);
    bias[i] = -bias[hidden + i];
  }
  lstm.set_parameter("bias_ih_l0", bias);
}

rnn::Network create_lstm(const Options& options) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = RNN_CELL_LSTM;
  config.input_size = kChannels;
  config.hidden_size = options.hidden;
  config.output_size = 1;
  config.seed = options.seed;
  rnn::Network lstm(config);
  prolong_memory(lstm, static_cast<std::size_t>(options.hidden), static_cast<std::size_t>(options.length),
                 options.seed);
  return lstm;
}

rnn::Network create_irnn(const Options& options) {
  auto config = rnn::sized<rnn_config_t>();
  config.flags = RNN_FLAG_RELU;
  config.input_size = kChannels;
  config.hidden_size = options.hidden;
  config.output_size = 1;
  config.init = RNN_INIT_UNIFORM;
  config.init_range = 0.05f;
  config.recurrent_init = RNN_INIT_IDENTITY;
  config.seed = options.seed;
  return rnn::Network(config);
}

rnn::Trainer create_trainer(const Options& options, const rnn::Network& network, bool is_lstm) {
  auto train = rnn::sized<rnn_train_options_t>();
  train.learning_rate = is_lstm ? 0.01f : 0.001f;
  train.clip_norm = 1;
  train.stateless_windows = 1;
  train.threads = options.threads;

  // Small changes of an IRNN's recurrent matrix grow with each step that it takes.
  auto recurrent = rnn::sized<rnn_parameter_group_t>();
  recurrent.pattern = "weight_hh_*";
  recurrent.learning_rate_factor = 0.1f;
  if (!is_lstm) {
    train.groups = &recurrent;
    train.group_count = 1;
  }
  return rnn::Trainer(network, &train);
}

double error(const rnn::Network& network, const Batch& batch, int threads) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.threads = threads;
  return network.evaluate(batch.view(), &options).loss;
}

// Train until the error of sequences that are not learnt is below the goal. Returns the error of others.
double solve(const Options& options, bool is_lstm, Curve& curve) {
  const auto start = std::chrono::steady_clock::now();
  const auto length = static_cast<std::size_t>(options.length);
  std::mt19937_64 random(options.seed);
  const Batch validation(random, kValidation, length);
  const Batch test(random, kTest, length);
  rnn::Network network = is_lstm ? create_lstm(options) : create_irnn(options);
  rnn::Trainer trainer = create_trainer(options, network, is_lstm);

  std::printf("%s, %d hidden units, %d steps; always saying 1 has an error of %.4f\n  update      error\n",
              curve.title.c_str(), options.hidden, options.length, validation.naive_error());
  int update = 0;
  for (bool is_solved = false; update < options.updates && !is_solved;) {
    trainer.update(Batch(random, kBatch, length).view());
    if (++update % kReportEvery != 0 && update != options.updates) continue;
    trainer.sync(network);
    curve.x.push_back(update);
    curve.y.push_back(error(network, validation, options.threads));
    std::printf("  %6d  %9.5f\n", update, curve.y.back());
    std::fflush(stdout);
    is_solved = curve.y.back() < kEnough;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double result = error(network, test, options.threads);
  std::printf("  %.5f on %zu other sequences, after %d updates in %.1f s\n", result, kTest, update,
              seconds.count());
  return result;
}

int run(const Options& options) {
  if (!options.plot.empty()) check_plot(options.plot);
  Plot plot{"The adding problem, " + std::to_string(options.length) + " steps",
            "update",
            "mean squared error",
            true,
            {}};
  bool is_solved = true;
  for (const bool is_lstm : {false, true}) {
    if (options.network == (is_lstm ? "irnn" : "lstm")) continue;
    plot.curves.push_back({is_lstm ? "LSTM" : "IRNN", {}, {}});
    is_solved = solve(options, is_lstm, plot.curves.back()) < kGoal && is_solved;
  }
  if (!options.plot.empty()) {
    write_plot(plot, options.plot);
    std::printf("The loss curve is in %s\n", options.plot.c_str());
  }
  return options.check && !is_solved;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Train an IRNN and an LSTM on the adding problem.");
  app.add_option("--network", options.network, "Which to train")
      ->check(CLI::IsMember({"irnn", "lstm", "both"}))
      ->capture_default_str();
  app.add_option("--length", options.length, "Steps of a sequence")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  app.add_option("--hidden", options.hidden, "Hidden units")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--updates", options.updates, "How many at most, of 64 sequences each")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of weights and sequences")->capture_default_str();
  add_threads_option(app, options.threads);
  app.add_option("--plot", options.plot, "Draw the loss curve into this SVG file, by gnuplot");
  app.add_flag("--check", options.check, "Exit status 1 if an error is not below 0.01");
  return run_program("adding", app, argc, argv, [&] { return run(options); });
}

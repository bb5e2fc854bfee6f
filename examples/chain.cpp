// Two networks in a chain learn what one network of two layers learns.
//
//   chain [options]      --help lists them
//
// Each knows nothing of the other. What the first puts out is what the second reads; the gradient of what the
// second has read is the gradient of what the first has put out:
//
//   x -> first -- y1 --> second -> y          step:     first.step(x, y1); second.step(y1, y);
//        first <- dy1 -- second <- dL/dy      training: two tapes, below
//
// So one of them may as well be another framework's.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

#include "command_line.h"

namespace {

constexpr std::int32_t kInputs = 3;
constexpr std::int32_t kHidden = 24;
constexpr std::int32_t kOutputs = 2;
constexpr std::size_t kSequences = 16;
constexpr std::size_t kUpdates = 100;
constexpr double kTolerance = 1e-6;

struct Options {
  std::string cell = "lstm";
  std::uint64_t seed = 1;
};

// Sequences of several lengths: noise, and its running means as the targets.
struct Data {
  explicit Data(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t n = 0; n < kSequences; ++n) {
      lengths.push_back(10 + random() % 30);
      float mean[kOutputs] = {};
      for (std::size_t step = 0; step < lengths.back(); ++step) {
        for (int i = 0; i < kInputs; ++i) inputs.push_back(static_cast<float>(random() % 1000) / 500 - 1);
        for (int k = 0; k < kOutputs; ++k)
          targets.push_back(mean[k] += 0.2f * (inputs[inputs.size() - kInputs + k] - mean[k]));
      }
    }
  }

  std::size_t frames() const { return inputs.size() / kInputs; }
  rnn_sequences_t view() const { return view(inputs); }
  rnn_sequences_t view(const std::vector<float>& other_inputs) const {
    auto sequences = rnn::sized<rnn_sequences_t>();
    sequences.count = lengths.size();
    sequences.frames = frames();
    sequences.lengths = lengths.data();
    sequences.inputs = other_inputs.data();
    sequences.targets = targets.data();
    return sequences;
  }

  std::vector<std::size_t> lengths;
  std::vector<float> inputs;
  std::vector<float> targets;
};

rnn::Network create(const Options& options, std::int32_t inputs, std::int32_t layers, std::int32_t outputs) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = cell_of(options.cell);
  config.input_size = inputs;
  config.hidden_size = kHidden;
  config.num_layers = layers;
  config.output_size = outputs;
  config.seed = options.seed;
  return rnn::Network(config);
}

rnn_train_options_t train_options() {
  auto options = rnn::sized<rnn_train_options_t>();
  options.learning_rate = 0.01f;
  options.stateless_windows = 1;
  return options;
}

std::vector<float> values(const rnn::Network& network, const std::string& name) {
  for (std::size_t i = 0; i < network.parameter_count(); ++i) {
    const rnn_parameter_t parameter = network.parameter(i);
    if (name != parameter.name) continue;
    std::vector<float> values(parameter.rows * parameter.columns);
    network.get_parameter(parameter.name, values);
    return values;
  }
  return {};
}

// The stacked network's name for a parameter of the first or second network: their layers are its layers 0
// and 1.
std::string stacked_name(std::string name, char layer) {
  const std::size_t place = name.rfind("_l0");
  if (place != std::string::npos) name[place + 2] = layer;
  return name;
}

void copy_weights(const rnn::Network& stacked, rnn::Network& part, char layer) {
  for (std::size_t i = 0; i < part.parameter_count(); ++i) {
    const std::string name = part.parameter(i).name;
    part.set_parameter(name.c_str(), values(stacked, stacked_name(name, layer)));
  }
}

// Two networks, a tape and a trainer for each.
class Chain {
 public:
  Chain(const Options& options, const rnn::Network& stacked)
      : first_(copy(create(options, kInputs, 1, 0), stacked, '0')),
        second_(copy(create(options, kHidden, 1, kOutputs), stacked, '1')),
        first_tape_(first_),
        second_tape_(second_),
        first_trainer_(first_, &kOptions),
        second_trainer_(second_, &kOptions) {}

  void update(const Data& data) {
    std::vector<float> between(data.frames() * kHidden), y(data.frames() * kOutputs);
    first_tape_.forward(first_, data.view(), nullptr, between.data(), nullptr);
    second_tape_.forward(second_, data.view(between), nullptr, y.data(), nullptr);

    // The gradient of the mean squared error with respect to y, in the place of y.
    const float scale = 2 * static_cast<float>(1.0 / static_cast<double>(y.size()));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = scale * (y[i] - data.targets[i]);

    second_tape_.backward(y.data(), nullptr, between.data(), nullptr);
    first_tape_.backward(between.data(), nullptr, nullptr, nullptr);
    apply(first_trainer_, first_tape_, first_);
    apply(second_trainer_, second_tape_, second_);
  }

  void step(const float* x, float* y) {
    float between[kHidden];
    first_.step(x, between);
    second_.step(between, y);
  }

  const rnn::Network& first() const { return first_; }
  const rnn::Network& second() const { return second_; }

 private:
  static rnn::Network copy(rnn::Network part, const rnn::Network& stacked, char layer) {
    copy_weights(stacked, part, layer);
    return part;
  }

  static void apply(rnn::Trainer& trainer, rnn::Tape& tape, rnn::Network& network) {
    trainer.apply(tape);
    trainer.sync(network);
    tape.zero_gradients();
  }

  static inline const rnn_train_options_t kOptions = train_options();

  rnn::Network first_;
  rnn::Network second_;
  rnn::Tape first_tape_;
  rnn::Tape second_tape_;
  rnn::Trainer first_trainer_;
  rnn::Trainer second_trainer_;
};

// The largest |a - b| / |b|.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) largest = std::max(largest, std::abs((double{a[i]} - b[i]) / b[i]));
  return largest;
}

double compare(const rnn::Network& part, const rnn::Network& stacked, char layer) {
  double largest = 0;
  for (std::size_t i = 0; i < part.parameter_count(); ++i) {
    const std::string name = part.parameter(i).name, other = stacked_name(name, layer);
    const double found = difference(values(part, name), values(stacked, other));
    std::printf("  %s network's %-12s  %-12s  %g\n", layer == '0' ? " first" : "second", name.c_str(),
                other.c_str(), found);
    largest = std::max(largest, found);
  }
  return largest;
}

// Of the outputs, step by step.
double compare_steps(Chain& chain, rnn::Network& stacked, const Data& data) {
  double largest = 0;
  for (std::size_t step = 0; step < data.lengths[0]; ++step) {
    std::vector<float> y(kOutputs), other(kOutputs);
    chain.step(data.inputs.data() + step * kInputs, y.data());
    stacked.step(data.inputs.data() + step * kInputs, other.data());
    largest = std::max(largest, difference(y, other));
  }
  return largest;
}

int run(const Options& options) {
  const Data data(options.seed);
  rnn::Network stacked = create(options, kInputs, 2, kOutputs);
  Chain chain(options, stacked);

  const rnn_train_options_t train = train_options();
  rnn::Trainer trainer(stacked, &train);
  std::printf("Two chained networks and one of two layers, %s, %zu updates\n", options.cell.c_str(),
              kUpdates);
  for (std::size_t update = 1; update <= kUpdates; ++update) {
    const rnn_progress_t progress = trainer.update(data.view());
    chain.update(data);
    if (update == 1 || update == kUpdates)
      std::printf("  loss before update %3zu: %.5f\n", update, progress.loss);
  }
  trainer.sync(stacked);

  std::printf("Largest relative differences\n");
  double largest = compare(chain.first(), stacked, '0');
  largest = std::max(largest, compare(chain.second(), stacked, '1'));
  const double stepped = compare_steps(chain, stacked, data);
  std::printf("  outputs, step by step %33g\n", stepped);
  largest = std::max(largest, stepped);
  std::printf(largest == 0 ? "The same to the last bit\n" : "The largest of all: %g\n", largest);
  return !(largest <= kTolerance);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Train two chained networks, and one of two layers, and compare their weights.");
  add_cell_option(app, options.cell);
  app.add_option("--seed", options.seed, "Of weights and data")->capture_default_str();
  return run_program("chain", app, argc, argv, [&] { return run(options); });
}

// Convert a network to compute with other numbers, and see what that costs.
//
//   convert FROM TO [options]      --help lists them
//
// With a text, FROM must be a model of its characters, such as charlm's: the bytes that occur in it are
// numbered in their order.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <rnn/rnn.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_line.h"
#include "text.h"

namespace {

const std::map<std::string, std::int32_t> kComputes = {
    {"f32", RNN_COMPUTE_F32}, {"bf16", RNN_COMPUTE_BF16}, {"int8", RNN_COMPUTE_INT8}};

struct Options {
  std::string from, to;
  std::int32_t compute = RNN_COMPUTE_INT8;
  std::string text;
  int threads = 0;
};

std::string name_of(std::int32_t compute) {
  for (const auto& [name, value] : kComputes)
    if (value == compute) return name;
  return "";
}

std::vector<std::int32_t> read_text(const std::string& path, const rnn::Network& network) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (text.size() < 2) throw std::runtime_error("cannot read a text of two characters or more from " + path);
  const Alphabet alphabet(text);
  const rnn_config_t config = network.config();
  if (config.input_size != alphabet.size() || config.output_size != alphabet.size())
    throw std::runtime_error(path + " has " + std::to_string(alphabet.size()) +
                             " different characters; the network has " + std::to_string(config.input_size) +
                             " inputs and " + std::to_string(config.output_size) + " outputs");
  return alphabet.encode(text);
}

double loss(const rnn::Network& network, const Sequences& sequences, int threads) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.threads = threads;
  return bits(network.evaluate(sequences.view(), &options).loss);
}

double microseconds_per_step(rnn::Network& network, const std::vector<std::int32_t>& text) {
  const std::size_t steps = std::min<std::size_t>(text.size(), 10000);
  std::vector<float> y(static_cast<std::size_t>(network.config().output_size));
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < steps; ++i) network.step(text[i], y.data());
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / static_cast<double>(steps);
}

void compare(rnn::Network& from, rnn::Network& to, const Options& options) {
  const std::vector<std::int32_t> text = read_text(options.text, from);
  Sequences sequences;
  sequences.add(text.data(), text.size());
  const double before = loss(from, sequences, options.threads), after = loss(to, sequences, options.threads);
  std::printf("%-5s  %.4f bits per character, %.2f us per step\n", name_of(from.config().compute).c_str(),
              before, microseconds_per_step(from, text));
  std::printf("%-5s  %.4f bits per character, %.2f us per step\n", name_of(to.config().compute).c_str(),
              after, microseconds_per_step(to, text));
  std::printf("the loss differs by %+.3f %%\n", 100 * (after / before - 1));
}

int run(const Options& options) {
  rnn::Network from = rnn::Network::load(options.from);
  rnn::Network to = from.convert(options.compute);
  if (!options.text.empty()) compare(from, to, options);
  to.save(options.to);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Convert a network to compute with other numbers.");
  app.add_option("from", options.from, "A network's file")->required();
  app.add_option("to", options.to, "Where to save the converted network")->required();
  app.add_option("--compute", options.compute, "What to compute with")
      ->transform(CLI::CheckedTransformer(kComputes))
      ->default_str("int8");
  app.add_option("--text", options.text, "Compare the losses of this text, and the times of a step");
  add_threads_option(app, options.threads);
  return run_program("convert", app, argc, argv, [&] { return run(options); });
}

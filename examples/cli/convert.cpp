// rnn convert: a model in another format, or computing with other numbers, and what that costs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "../character_training.h"
#include "../model_file.h"
#include "../text.h"
#include "common.h"

namespace {

struct Convert {
  std::string from;
  std::string to;
  std::string compute;
  std::string text;
  int threads = 0;
  bool json = false;
};

// Of the model before or after.
struct Side {
  std::string compute;
  rnn_evaluation_t evaluation;
  double microseconds;  // of a step
};

double microseconds_per_step(const rnn::Network& network, const std::vector<std::int32_t>& text) {
  rnn::Network stream = network.fork();
  const std::size_t steps = std::min<std::size_t>(text.size(), 10000);
  std::vector<float> y(static_cast<std::size_t>(network.config().output_size));
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < steps; ++i) stream.step(text[i], y.data());
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / static_cast<double>(steps);
}

Side measure(const rnn::Network& network, const std::vector<std::int32_t>& text, int threads) {
  Sequences sequences;
  sequences.add_pieces(text.data(), text.size(), kEvaluatedPiece);
  return {name_of_compute(network.config().compute), CharacterTraining::evaluate(network, sequences, threads),
          microseconds_per_step(network, text)};
}

void print_text(const Side& before, const Side& after, double change) {
  for (const Side* side : {&before, &after})
    std::printf("%-5s  %.4f bits per character, %.2f us per step\n", side->compute.c_str(),
                bits(side->evaluation.loss), side->microseconds);
  std::printf("the loss differs by %+.3f %%\n", 100 * change);
}

Json json_of(const Side& side) {
  Json json = {{"compute", side.compute}, {"microseconds_per_step", side.microseconds}};
  json.update(json_of(side.evaluation));
  return json;
}

void run(const Convert& convert) {
  const rnn::Network from = rnn::Network::load(convert.from);
  const rnn::Network to =
      from.convert(convert.compute.empty() ? from.config().compute : compute_of(convert.compute));
  if (convert.text.empty()) return to.save(convert.to);
  const std::vector<std::int32_t> text =
      vocabulary_of(from, convert.from).encode(read_input(convert.text), convert.text);
  if (text.size() < 2)
    throw std::runtime_error(convert.text + " has " + std::to_string(text.size()) +
                             " characters; it must have at least 2");
  const Side before = measure(from, text, convert.threads), after = measure(to, text, convert.threads);
  to.save(convert.to);
  const double change = after.evaluation.loss / before.evaluation.loss - 1;
  if (!convert.json) return print_text(before, after, change);
  print({{"before", json_of(before)}, {"after", json_of(after)}, {"relative_difference", change}});
}

}  // namespace

void add_convert(CLI::App& program) {
  const auto convert = std::make_shared<Convert>();
  CLI::App& command =
      *program.add_subcommand("convert", "Save a model in another format, or with other numbers");
  command.add_option("from", convert->from, "A model's file")->required();
  command.add_option("to", convert->to, "Where to save the converted model")->required();
  command
      .add_option("--to", convert->compute,
                  "What its products compute with: f32, bf16 or int8; default: as before")
      ->check(compute_names());
  CLI::Option* text =
      command.add_option("--text", convert->text, "Compare the losses of this text, and the times of a step");
  add_threads_option(command, convert->threads);
  command.add_flag("--json", convert->json, "Write the comparison as JSON")->needs(text);
  command.callback([convert] { run(*convert); });
}

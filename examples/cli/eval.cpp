// rnn eval: how well a model predicts a text.
#include <memory>
#include <utility>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "common.h"

namespace {

struct Eval {
  std::string model;
  std::string text;
  std::size_t piece = kEvaluatedPiece;
  int threads = 0;
  bool json = false;
};

void run(const Eval& eval) {
  const rnn::Network network = rnn::Network::load(eval.model);
  const Vocabulary vocabulary = vocabulary_of(network, eval.model);
  std::vector<std::int32_t> text = encode(vocabulary, read_input(eval.text), eval.text);
  check_length(text, eval.text);
  const Sequences sequences = Sequences::pieces(std::move(text), eval.piece);
  const rnn_evaluation_t evaluation = CharacterTraining::evaluate(network, sequences, eval.threads);
  if (!eval.json) {
    print("%s\n", text_of(evaluation).c_str());
    return;
  }
  Json json = {{"model", eval.model}, {"text", eval.text}};
  json.update(json_of(evaluation));
  print(json);
}

}  // namespace

void add_eval(CLI::App& program) {
  const auto eval = std::make_shared<Eval>();
  CLI::App& command =
      *program.add_subcommand("eval", "Measure how well a model of characters predicts a text");
  command.add_option("model", eval->model, "A model that rnn train has saved")->required()->type_name("FILE");
  command.add_option("text", eval->text, "A file; -: standard input")->required()->type_name("FILE");
  command
      .add_option("--piece", eval->piece,
                  "Characters that are read from the initial state on; 0: the whole text")
      ->check(whole_number(0, std::uint64_t{1} << 40))
      ->capture_default_str();
  add_threads_option(command, eval->threads);
  add_json_flag(command, eval->json);
  command.footer(
      "Examples:\n"
      "  rnn eval model.safetensors other.txt\n"
      "  gunzip <other.txt.gz | rnn eval model.safetensors -");
  command.callback([eval] { run(*eval); });
}

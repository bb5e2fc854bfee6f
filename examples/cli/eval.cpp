// rnn eval: how well a model predicts a text.
#include <memory>
#include <utility>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "common.h"
#include "kinds.h"
#include "labels.h"
#include "series.h"

namespace {

struct Eval {
  std::string model;
  std::string text;
  std::size_t piece = kEvaluatedPiece;
  int threads = 0;
  bool no_header = false;
  bool json = false;
};

void print_found(const Eval& eval, const std::string& text, const Json& found) {
  if (!eval.json) return print("%s\n", text.c_str());
  Json json = {{"model", eval.model}, {"text", eval.text}};
  json.update(found);
  print(json);
}

void evaluate_series(const Eval& eval, const rnn::Network& network) {
  const SeriesFormat format = SeriesFormat::of(network, eval.model);
  TableOptions options;
  options.has_header = !eval.no_header;
  options.names = format.names();
  const NumberTable table = read_table(eval.text, options);
  const auto horizon = static_cast<std::size_t>(format.horizon);
  if (table.rows() <= horizon)
    throw std::runtime_error(eval.text + " has " + std::to_string(table.rows()) + " rows; a horizon of " +
                             std::to_string(horizon) + " takes at least " + std::to_string(horizon + 1));
  SeriesData data;
  const std::size_t last = table.rows() - horizon;
  data.add(table, format, 0, last, 0, eval.text);
  const rnn_evaluation_t found = Training::evaluate(network, data.view(), eval.threads);
  const double persistence = persistence_error(table, format, 0, last, eval.text);
  print_found(eval, text_of_series(found, format, persistence), json_of_series(found, format, persistence));
}

void evaluate_labels(const Eval& eval, const rnn::Network& network) {
  const std::vector<std::string> labels = labels_of(network, eval.model);
  const LabelData data =
      data_of(LabelledTexts::read(eval.text, true), classifier_vocabulary(network, eval.model), labels);
  const rnn_evaluation_t found = Training::evaluate(network, data.view(), eval.threads);
  print_found(eval, text_of_labels(found), json_of_label_loss(found));
}

void run(const Eval& eval, const CLI::App& command) {
  const rnn::Network network = rnn::Network::load(eval.model);
  const ModelKind kind = kind_of(network);
  check_effect(command, "--no-header", kind == ModelKind::kSeries, "the model is not of a series");
  if (kind == ModelKind::kSeries || kind == ModelKind::kLabels) {
    check_effect(command, "--piece", false, "the model is of " + name_of_kind(kind));
    return kind == ModelKind::kSeries ? evaluate_series(eval, network) : evaluate_labels(eval, network);
  }
  const Vocabulary vocabulary = vocabulary_of(network, eval.model);
  std::vector<std::int32_t> text = encode(vocabulary, read_input(eval.text), eval.text);
  check_length(text, eval.text);
  const Sequences sequences = Sequences::pieces(std::move(text), eval.piece);
  const rnn_evaluation_t evaluation = CharacterTraining::evaluate(network, sequences, eval.threads);
  print_found(eval, text_of(evaluation), json_of(evaluation));
}

}  // namespace

void add_eval(CLI::App& program) {
  const auto eval = std::make_shared<Eval>();
  CLI::App& command =
      *program.add_subcommand("eval", "Measure how well a model predicts a text, a series or labels");
  command.add_option("model", eval->model, "A model that rnn train has saved")->required()->type_name("FILE");
  command
      .add_option("text", eval->text,
                  "A text; of a series its CSV; of labels as rnn train\n--labels; -: standard input")
      ->required()
      ->type_name("FILE");
  command
      .add_option("--piece", eval->piece,
                  "Characters that are read from the initial state on; 0: the whole text")
      ->check(whole_number(0, std::uint64_t{1} << 40))
      ->capture_default_str();
  command.add_flag("--no-header", eval->no_header, "Of a series: as in rnn train");
  add_threads_option(command, eval->threads);
  add_json_flag(command, eval->json);
  command.footer(
      "Examples:\n"
      "  rnn eval model.safetensors other.txt\n"
      "  rnn eval names.safetensors other.tsv\n"
      "  gunzip <other.txt.gz | rnn eval model.safetensors -");
  command.callback([eval, &command] { run(*eval, command); });
}

// rnn predict: what a model says of new data.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "../model_file.h"
#include "common.h"
#include "csv.h"
#include "kinds.h"
#include "labels.h"
#include "series.h"

namespace {

struct Predict {
  std::string model;
  std::string data;
  std::string out;
  bool rows = false;
  bool no_header = false;
  bool json = false;
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return text;
}

void write(const Predict& predict, const std::string& text) {
  if (predict.out.empty()) return write_output(text);
  std::ofstream file(predict.out, std::ios::binary);
  if (!(file << text) || !file.flush()) throw std::runtime_error("cannot write " + predict.out);
}

// A line of comma-separated values.
std::string line_of(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "" : ",") + csv_field(field);
  return line + "\n";
}

// Rows, with the names of their columns, as CSV or as an array of objects. The first `texts` columns are no numbers. A
// name that a column before has gets a _.
void write_rows(const Predict& predict, std::vector<std::string> names,
                const std::vector<std::vector<std::string>>& rows, std::size_t texts) {
  std::unordered_set<std::string> taken;
  for (std::string& name : names)
    while (!taken.insert(name).second) name += '_';
  if (!predict.json) {
    std::string text = line_of(names);
    for (const auto& row : rows) text += line_of(row);
    return write(predict, text);
  }
  Json all = Json::array();
  for (const auto& row : rows) {
    Json object;
    for (std::size_t c = 0; c < row.size(); ++c)
      object[names[c]] = c < texts ? Json(row[c]) : Json::parse(row[c]);
    all.push_back(object);
  }
  write(predict, printable_json(all.dump(2)) + "\n");
}

void check_finite(const std::vector<float>& values, const std::string& model) {
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
    throw std::runtime_error(model + " gives numbers that are not finite");
}

void predict_series(const Predict& predict, rnn::Network& network) {
  const SeriesFormat format = SeriesFormat::of(network, predict.model);
  TableOptions options;
  options.has_header = !predict.no_header;
  for (const SeriesColumn& column : format.inputs) options.names.push_back(column.name);
  const NumberTable table = read_table(predict.data, options);
  const std::vector<float> inputs = inputs_of(table, format, predict.data);
  const std::size_t rows = table.rows(), horizon = static_cast<std::size_t>(format.horizon);
  std::vector<float> outputs(rows * horizon);
  auto sequence = rnn::sized<rnn_sequences_t>();
  sequence.count = 1;
  sequence.frames = rows;
  sequence.lengths = &rows;
  sequence.inputs = inputs.data();
  network.forward(sequence, outputs.data());
  check_finite(outputs, predict.model);
  const auto value = [&](std::size_t row, std::size_t h) {
    return number(outputs[row * horizon + h] * format.target.scale + format.target.mean);
  };
  std::vector<std::vector<std::string>> found;
  if (!predict.rows) {
    for (std::size_t h = 0; h < horizon; ++h) found.push_back({std::to_string(h + 1), value(rows - 1, h)});
    return write_rows(predict, {"step", format.target.name}, found, 0);
  }
  std::vector<std::string> names = {"row"};
  for (std::size_t h = 0; h < horizon; ++h) names.push_back(format.target.name + "+" + std::to_string(h + 1));
  for (std::size_t row = 0; row < rows; ++row) {
    found.push_back({std::to_string(row + 1)});
    for (std::size_t h = 0; h < horizon; ++h) found.back().push_back(value(row, h));
  }
  write_rows(predict, names, found, 0);
}

void predict_labels(const Predict& predict, rnn::Network& network) {
  const std::vector<std::string> labels = labels_of(network, predict.model);
  const Vocabulary vocabulary = classifier_vocabulary(network, predict.model);
  const LabelledTexts texts = LabelledTexts::read(predict.data, false);
  LabelData data;
  for (std::size_t line = 0; line < texts.texts.size(); ++line) data.add(texts, line, vocabulary, 0);
  if (data.left_out() > 0)
    note(texts.name + ": " + std::to_string(data.left_out()) +
         " characters that the model does not know are left out");
  std::vector<float> outputs(texts.texts.size() * labels.size());
  auto options = rnn::sized<rnn_forward_options_t>();
  options.pooling = RNN_POOLING_LAST;
  rnn_sequences_t sequences = data.view();
  network.forward(sequences, outputs.data(), &options);
  check_finite(outputs, predict.model);
  std::vector<std::string> names = {"text", "label"};
  names.insert(names.end(), labels.begin(), labels.end());
  std::vector<std::vector<std::string>> rows;
  for (std::size_t line = 0; line < texts.texts.size(); ++line) {
    const float* const logits = outputs.data() + line * labels.size();
    const float* const largest = std::max_element(logits, logits + labels.size());
    double sum = 0;
    for (std::size_t c = 0; c < labels.size(); ++c)
      sum += std::exp(static_cast<double>(logits[c] - *largest));
    rows.push_back({texts.texts[line], labels[static_cast<std::size_t>(largest - logits)]});
    for (std::size_t c = 0; c < labels.size(); ++c)
      rows.back().push_back(number(std::exp(static_cast<double>(logits[c] - *largest)) / sum));
  }
  write_rows(predict, names, rows, 2);
}

void run(const Predict& predict, const CLI::App& command) {
  check_not_same("--out", predict.out, "the model", predict.model);
  if (predict.data != "-") check_not_same("--out", predict.out, "the data", predict.data);
  rnn::Network network = rnn::Network::load(predict.model);
  switch (kind_of(network)) {
    case ModelKind::kSeries:
      return predict_series(predict, network);
    case ModelKind::kLabels:
      check_effect(command, "--rows", false, "the model is of labelled texts");
      check_effect(command, "--no-header", false, "the model is of labelled texts");
      return predict_labels(predict, network);
    case ModelKind::kText:
      throw std::runtime_error(predict.model +
                               " is a model of the characters of a text; rnn sample and rnn eval are for it");
    case ModelKind::kOther:
      break;
  }
  throw std::runtime_error(predict.model +
                           (is_checkpoint(network, predict.model)
                                ? ": a checkpoint, from which rnn train --resume goes on, has no metadata"
                                : ": the model has no metadata of rnn train --csv or --labels"));
}

}  // namespace

void add_predict(CLI::App& program) {
  const auto predict = std::make_shared<Predict>();
  CLI::App& command = *program.add_subcommand("predict", "Forecast a series, or classify texts, as CSV");
  command.add_option("model", predict->model, "A model of rnn train --csv or --labels")
      ->required()
      ->type_name("FILE");
  command
      .add_option("data", predict->data,
                  "What is known of the series, with the columns that were learnt; or a text on\n"
                  "each line; -: standard input")
      ->required()
      ->type_name("FILE");
  command.add_option("-o,--out", predict->out, "Where to write; default: standard output")
      ->check(not_empty())
      ->type_name("FILE");
  command.add_flag("--rows", predict->rows,
                   "Of a series: the forecasts from each row on, not from the last one alone");
  command.add_flag("--no-header", predict->no_header, "Of a series: as in rnn train");
  add_json_flag(command, predict->json);
  command.footer(
      "Of a series it writes step, 1, 2, ... rows behind the last one, and the forecast; with --rows the "
      "number\n"
      "of each row and NAME+1, NAME+2, ..., which follow it. Of texts it writes the text, the most probable\n"
      "label, and the probability of each label in a column of its name. A name that is taken, as text, gets "
      "a _.\n"
      "\n"
      "Examples:\n"
      "  rnn predict sunspots.safetensors sunspots.csv\n"
      "  rnn predict names.safetensors names.txt -o labels.csv");
  command.callback([predict, &command] { run(*predict, command); });
}

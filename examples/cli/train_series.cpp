// rnn train --csv: forecasts of a series.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "../character_training.h"
#include "series.h"
#include "train.h"

namespace {

constexpr int kHidden = 32;            // unless --hidden says more: a series is short
constexpr std::size_t kWindows = 4;    // in a piece of the series, or more
constexpr std::size_t kWarmUp = 1000;  // rows before those that are validated, at most

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& name : CLI::detail::split(text, ',')) names.push_back(CLI::detail::trim_copy(name));
  return names;
}

// A column that rises by the same in each row says no more than the network's state does.
bool is_counter(const std::vector<double>& values) {
  const double step = values.size() < 3 ? 0 : values[1] - values[0];
  for (std::size_t i = 1; i < values.size(); ++i)
    if (values[i] - values[i - 1] != step) return false;
  return step != 0;
}

bool is_constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
}

// Of the rows that are learnt.
SeriesColumn column_of(const NumberTable& table, const std::string& name, std::size_t rows,
                       const std::string& path) {
  const std::vector<double>& all = table.column(name, path);
  const std::vector<double> values(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rows));
  SeriesColumn column;
  column.name = name;
  if (is_constant(values)) {  // by more than the rounding of a mean
    column.mean = values[0];
    return column;
  }
  const double count = static_cast<double>(rows);
  column.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - column.mean) * (value - column.mean);
  column.scale = std::sqrt(squares / count);
  if (!(column.scale > 0)) column.scale = 1;
  return column;
}

std::vector<std::string> input_names(const Train& train, const NumberTable& table) {
  if (!train.inputs.empty()) return split(train.inputs);
  std::vector<std::string> names;
  for (const std::string& name : table.names) {
    if (name != train.target && is_counter(table.column(name, train.csv)))
      note(train.csv + ": the column " + name +
           " only counts the rows, and is left out; --inputs can name it");
    else
      names.push_back(name);
  }
  return names;
}

// All that is read of a file, unless its numeric columns are to be found.
TableOptions table_options(const Train& train) {
  TableOptions options;
  options.has_header = !train.no_header;
  if (train.inputs.empty()) return options;
  options.names = split(train.inputs);
  if (std::find(options.names.begin(), options.names.end(), train.target) == options.names.end())
    options.names.push_back(train.target);
  return options;
}

// The rows of a file: those before `learnt` are learnt, those from there on validated.
struct Split {
  NumberTable table;
  std::size_t learnt;
};

Split read_split(const Train& train) {
  Split split{read_table(train.csv, table_options(train)), 0};
  split.table.column(train.target, train.csv);  // is there
  const std::size_t rows = split.table.rows();
  const double part = held_out(train.validation);
  const auto held = static_cast<std::size_t>(std::ceil(part * static_cast<double>(rows)));
  const auto horizon = static_cast<std::size_t>(train.horizon);
  if (part > 0 && held < horizon)
    throw std::runtime_error(train.csv + " has " + std::to_string(rows) + " rows, of which " +
                             std::to_string(held) + " are held out; a horizon of " + std::to_string(horizon) +
                             " takes as many at least");
  split.learnt = rows - held;
  if (split.learnt < horizon + 2)
    throw std::runtime_error(train.csv + " has " + std::to_string(split.learnt) +
                             " rows to learn; a horizon of " + std::to_string(horizon) + " takes at least " +
                             std::to_string(horizon + 2));
  return split;
}

SeriesFormat format_of(const Train& train, const Split& split) {
  SeriesFormat format;
  for (const std::string& name : input_names(train, split.table))
    format.inputs.push_back(column_of(split.table, name, split.learnt, train.csv));
  format.target = column_of(split.table, train.target, split.learnt, train.csv);
  format.horizon = train.horizon;
  if (format.inputs.empty())
    throw std::runtime_error(train.csv + " has no column to read; --inputs names some");
  const std::vector<double>& target = split.table.column(train.target, train.csv);
  const auto end = target.begin() + static_cast<std::ptrdiff_t>(split.learnt);
  if (std::all_of(target.begin(), end, [&](double value) { return value == target[0]; }))
    throw std::runtime_error(train.csv + ": " + train.target + " is the same in all rows that are learnt");
  return format;
}

// The rows that are learnt, in pieces of the same length that are read side by side; what is left over is the oldest.
SeriesData pieces_of(const Train& train, const Split& split, const SeriesFormat& format,
                     std::size_t& pieces) {
  const std::size_t steps = split.learnt - static_cast<std::size_t>(format.horizon);
  const std::size_t least = kWindows * static_cast<std::size_t>(train.window);
  pieces = std::clamp(steps / least, std::size_t{1}, train.batch);
  const std::size_t length = steps / pieces;
  SeriesData data;
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t first = steps - (pieces - i) * length;
    data.add(split.table, format, first, first + length, 0, train.csv);
  }
  return data;
}

// What is validated: a file, or the last rows, behind some that the network only reads.
struct Validation {
  SeriesData data;
  double persistence = 0;
};

Validation validation_of(const Train& train, const Split& split, const SeriesFormat& format) {
  Validation validation;
  const auto horizon = static_cast<std::size_t>(format.horizon);
  if (held_out(train.validation) > 0) {
    const std::size_t counted = split.learnt - 1, last = split.table.rows() - horizon;
    validation.data.add(split.table, format, counted - std::min(counted, kWarmUp), last, counted, train.csv);
    validation.persistence = persistence_error(split.table, format, counted, last, train.csv);
    return validation;
  }
  TableOptions options;
  options.has_header = !train.no_header;
  options.names = format.names();
  const NumberTable table = read_table(train.validation, options);
  if (table.rows() <= horizon)
    throw std::runtime_error(train.validation + " has " + std::to_string(table.rows()) +
                             " rows; a horizon of " + std::to_string(horizon) + " takes at least " +
                             std::to_string(horizon + 1));
  validation.data.add(table, format, 0, table.rows() - horizon, 0, train.validation);
  validation.persistence = persistence_error(table, format, 0, table.rows() - horizon, train.validation);
  return validation;
}

}  // namespace

void train_series(const Train& given, const CLI::App& command) {
  Train train = given;
  if (train.target.empty()) throw UsageError("--csv needs --target, the column to forecast");
  check_other_options(train, command);
  check_effect(command, "--label-smoothing", false, "a series has no labels");
  check_effect(command, "--embedding", false, "a series has no characters");
  if (command.count("--hidden") == 0) train.shape.hidden = kHidden;
  const Split split = read_split(train);
  const SeriesFormat format = format_of(train, split);
  std::size_t pieces = 0;
  const SeriesData learnt = pieces_of(train, split, format, pieces);
  const Validation validation = validation_of(train, split, format);

  TrainingData data;
  data.training = learnt.view();
  data.validation = validation.data.view();
  data.metadata = {{kSeriesKey, format.json()}};
  const std::size_t steps = learnt.frames() / pieces, window = static_cast<std::size_t>(train.window);
  data.updates_per_epoch = (steps + window - 1) / window;
  data.units_per_update = static_cast<double>(learnt.frames()) / static_cast<double>(data.updates_per_epoch);
  data.unit = "rows";

  const rnn::Network start =
      new_or_resumed(train, command, static_cast<std::int32_t>(format.inputs.size()), format.horizon);
  Training training(start, data, options_of(train, pieces));
  const CharacterPlan plan = plan_of(train, training);
  const CharacterResult result = carry_out(train, command, start, training, plan, nullptr);
  const rnn::Network model = rnn::Network::load(result.model);
  const auto evaluate = [&](const rnn_sequences_t& sequences) {
    return Training::evaluate(model, sequences, train.threads, train.lanes);
  };
  const rnn_evaluation_t of_learnt = evaluate(data.training), of_validation = evaluate(data.validation);
  const double before = persistence_error(split.table, format, 0,
                                          split.learnt - static_cast<std::size_t>(format.horizon), train.csv);
  show(train, command, data.unit, plan, result,
       {text_of_series(of_learnt, format, before),
        text_of_series(of_validation, format, validation.persistence),
        json_of_series(of_learnt, format, before),
        json_of_series(of_validation, format, validation.persistence)});
  end_stopped(result);
}

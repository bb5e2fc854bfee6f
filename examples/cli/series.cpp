#include "series.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <stdexcept>

#include "../model_file.h"

namespace {

Json json_of(const SeriesColumn& column) {
  return {{"name", column.name}, {"mean", column.mean}, {"scale", column.scale}};
}

SeriesColumn column_of(const Json& json) {
  SeriesColumn column{json.at("name"), json.at("mean"), json.at("scale")};
  constexpr double kMost = 1e31;  // those of a column have at most 1e30, but for rounding
  if (!(std::fabs(column.mean) < kMost) || !(column.scale > 0) || !(column.scale < kMost))
    throw std::invalid_argument("mean or scale");
  return column;
}

float standardised(double value, const SeriesColumn& column) {
  return static_cast<float>((value - column.mean) / column.scale);
}

}  // namespace

std::string SeriesFormat::json() const {
  Json all = {{"inputs", Json::array()}, {"target", json_of(target)}, {"horizon", horizon}};
  for (const SeriesColumn& column : inputs) all["inputs"].push_back(json_of(column));
  return all.dump();
}

SeriesFormat SeriesFormat::parse(const std::string& json, const std::string& path) {
  try {
    const Json all = Json::parse(json);
    SeriesFormat format;
    for (const Json& column : all.at("inputs")) format.inputs.push_back(column_of(column));
    format.target = column_of(all.at("target"));
    format.horizon = all.at("horizon");
    return format;
  } catch (const std::exception&) {
    throw std::invalid_argument(path + ": its metadata \"series\" is not as rnn train --csv writes it");
  }
}

SeriesFormat SeriesFormat::of(const rnn::Network& network, const std::string& path) {
  SeriesFormat format = parse(network.get_metadata(kSeriesKey), path);
  const auto inputs = static_cast<std::size_t>(network.config().input_size);
  if (format.horizon < 1 || format.inputs.size() != inputs ||
      network.output_size() != static_cast<std::size_t>(format.horizon))
    throw std::invalid_argument(
        path + ": its metadata \"series\" is of " + std::to_string(format.inputs.size()) +
        " inputs and a horizon of " + std::to_string(format.horizon) + "; the network has " +
        std::to_string(inputs) + " inputs and " + std::to_string(network.output_size()) + " outputs");
  return format;
}

std::vector<std::string> SeriesFormat::names() const {
  std::vector<std::string> names;
  for (const SeriesColumn& column : inputs) names.push_back(column.name);
  if (std::find(names.begin(), names.end(), target.name) == names.end()) names.push_back(target.name);
  return names;
}

std::vector<float> inputs_of(const NumberTable& table, const SeriesFormat& format, const std::string& path) {
  const std::size_t width = format.inputs.size();
  std::vector<float> inputs(table.rows() * width);
  for (std::size_t i = 0; i < width; ++i) {
    const std::vector<double>& values = table.column(format.inputs[i].name, path);
    for (std::size_t row = 0; row < values.size(); ++row)
      inputs[row * width + i] = standardised(values[row], format.inputs[i]);
  }
  return inputs;
}

void SeriesData::add(const NumberTable& table, const SeriesFormat& format, std::size_t first,
                     std::size_t last, std::size_t counted, const std::string& path) {
  const std::vector<double>& target = table.column(format.target.name, path);
  const std::vector<float> all = inputs_of(table, format, path);
  const std::size_t width = format.inputs.size(), horizon = static_cast<std::size_t>(format.horizon);
  lengths_.push_back(last - first);
  inputs_.insert(inputs_.end(), all.begin() + static_cast<std::ptrdiff_t>(first * width),
                 all.begin() + static_cast<std::ptrdiff_t>(last * width));
  for (std::size_t row = first; row < last; ++row) {
    weights_.push_back(row >= counted ? 1.0f : 0.0f);
    for (std::size_t h = 1; h <= horizon; ++h)
      targets_.push_back(standardised(target[row + h], format.target));
  }
}

std::size_t SeriesData::frames() const {
  return std::accumulate(lengths_.begin(), lengths_.end(), std::size_t{0});
}

rnn_sequences_t SeriesData::view() const {
  auto view = rnn::sized<rnn_sequences_t>();
  view.count = lengths_.size();
  view.frames = frames();
  view.lengths = lengths_.data();
  view.inputs = inputs_.data();
  view.targets = targets_.data();
  view.weights = weights_.data();
  return view;
}

double persistence_error(const NumberTable& table, const SeriesFormat& format, std::size_t first,
                         std::size_t last, const std::string& path) {
  const std::vector<double>& target = table.column(format.target.name, path);
  const std::size_t horizon = static_cast<std::size_t>(format.horizon);
  double sum = 0;
  for (std::size_t row = first; row < last; ++row)
    for (std::size_t h = 1; h <= horizon; ++h)
      sum += (target[row + h] - target[row]) * (target[row + h] - target[row]);
  return std::sqrt(sum / static_cast<double>((last - first) * horizon));
}

std::string text_of_series(const rnn_evaluation_t& evaluation, const SeriesFormat& format,
                           double persistence) {
  char text[256];
  std::snprintf(text, sizeof text,
                "root mean squared error %.6g over %.0f rows; %.6g if each value were as the row's",
                std::sqrt(evaluation.loss) * format.target.scale, evaluation.weight, persistence);
  return text;
}

Json json_of_series(const rnn_evaluation_t& evaluation, const SeriesFormat& format, double persistence) {
  return {{"rows", static_cast<std::uint64_t>(evaluation.weight)},
          {"loss", evaluation.loss},
          {"root_mean_squared_error", std::sqrt(evaluation.loss) * format.target.scale},
          {"persistence_error", persistence}};
}

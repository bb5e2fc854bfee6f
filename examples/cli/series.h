// Series of numbers: what rnn train --csv learns, and what its models are of.
#pragma once

#include <rnn/rnn.hpp>
#include <string>
#include <vector>

#include "common.h"
#include "csv.h"

// Where the metadata of a model holds it.
constexpr char kSeriesKey[] = "series";

// A column, of which a network has (value - mean) / scale.
struct SeriesColumn {
  std::string name;
  double mean = 0;
  double scale = 1;
};

struct SeriesFormat {
  std::vector<SeriesColumn> inputs;
  SeriesColumn target;
  int horizon = 1;

  std::string json() const;
  // Throws std::invalid_argument, in which `path` is the model's, if it is not what json() returns.
  static SeriesFormat parse(const std::string& json, const std::string& path);
  // That of the network in `path`. Throws std::invalid_argument also if it is none of these inputs and outputs.
  static SeriesFormat of(const rnn::Network& network, const std::string& path);

  // The inputs' names and, if it is not one of them, the target's.
  std::vector<std::string> names() const;
};

// Sequences of numbers, with the next values of the target for each step; a step may have none.
class SeriesData {
 public:
  // The rows first..last - 1 as one sequence. Steps before `counted` only warm up: their targets have no weight.
  void add(const NumberTable& table, const SeriesFormat& format, std::size_t first, std::size_t last,
           std::size_t counted, const std::string& path);

  std::size_t frames() const;
  rnn_sequences_t view() const;  // valid until this object changes

 private:
  std::vector<std::size_t> lengths_;
  std::vector<float> inputs_, targets_, weights_;
};

// The network's inputs of all rows.
std::vector<float> inputs_of(const NumberTable& table, const SeriesFormat& format, const std::string& path);

// The root mean squared error, in the target's unit, if each value is taken to be as the one `horizon` ... 1 rows before;
// of the steps first..last - 1.
double persistence_error(const NumberTable& table, const SeriesFormat& format, std::size_t first,
                         std::size_t last, const std::string& path);

std::string text_of_series(const rnn_evaluation_t& evaluation, const SeriesFormat& format,
                           double persistence);
Json json_of_series(const rnn_evaluation_t& evaluation, const SeriesFormat& format, double persistence);

// Networks of both sides with the same weights, and data for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/naive.h"
#include "rnn/rnn.hpp"

namespace bench {

// A cell as both sides and the names of benchmarks know it.
struct Cell {
  const char* name;
  std::int32_t id;
  naive::Cell naive;
  std::size_t gates;
};
constexpr Cell kCells[] = {{"vanilla", RNN_CELL_VANILLA, naive::Cell::vanilla, 1},
                           {"gru", RNN_CELL_GRU, naive::Cell::gru, 3},
                           {"lstm", RNN_CELL_LSTM, naive::Cell::lstm, 4}};

// The seed is fixed.
inline rnn::Network make_network(const Cell& cell, std::size_t inputs, std::size_t hidden,
                                 std::size_t outputs, std::size_t num_layers = 1) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = cell.id;
  config.input_size = static_cast<std::int32_t>(inputs);
  config.hidden_size = static_cast<std::int32_t>(hidden);
  config.output_size = static_cast<std::int32_t>(outputs);
  config.num_layers = static_cast<std::int32_t>(num_layers);
  config.seed = 1;
  return rnn::Network(config);
}

inline naive::Network naive_copy(const Cell& cell, const rnn::Network& network) {
  const rnn_config_t config = network.config();
  naive::Network copy(
      cell.naive, static_cast<std::size_t>(config.input_size), static_cast<std::size_t>(config.hidden_size),
      static_cast<std::size_t>(config.output_size), static_cast<std::size_t>(config.num_layers));
  std::size_t index = 0;
  for (std::vector<float>* values : copy.parameters())
    network.get_parameter(network.parameter(index++).name, *values);
  return copy;
}

inline rnn::Network library_copy(const naive::Network& network) {
  for (const Cell& cell : kCells) {
    if (cell.naive != network.cell) continue;
    rnn::Network copy =
        make_network(cell, network.inputs, network.hidden, network.outputs, network.layers.size());
    std::size_t index = 0;
    for (const std::vector<float>* values : network.parameters())
      copy.set_parameter(copy.parameter(index++).name, *values);
    return copy;
  }
  throw std::logic_error("kCells lacks a cell");
}

inline std::vector<float> uniform(std::size_t n, float low, float high) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> result(n);
  for (float& x : result) x = distribution(random);
  return result;
}

// A batch for a character model: sequences of the same length, the class of each step the next step's index.
struct Text {
  std::vector<std::int32_t> indices, classes;
  std::vector<std::size_t> lengths;

  Text(std::size_t characters, std::size_t count, std::size_t steps) : lengths(count, steps) {
    std::mt19937 random(1);
    for (std::size_t i = 0; i <= count * steps; ++i)
      indices.push_back(static_cast<std::int32_t>(random() % characters));
    classes.assign(indices.begin() + 1, indices.end());
    indices.pop_back();
  }

  Text(std::vector<std::int32_t> indices, std::vector<std::int32_t> classes, std::size_t count)
      : indices(std::move(indices)),
        classes(std::move(classes)),
        lengths(count, this->indices.size() / count) {}

  rnn_sequences_t sequences() const {
    auto result = rnn::sized<rnn_sequences_t>();
    result.count = lengths.size();
    result.frames = indices.size();
    result.lengths = lengths.data();
    result.indices = indices.data();
    result.classes = classes.data();
    return result;
  }
};

}  // namespace bench

// What the tests of whole networks share: every kind of network, random data, ways to run it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lib/network/network.h"
#include "tests/reference/reference.h"

namespace rnn {

// Every cell and option in several sizes, with values for the initial states, and random lists of layers.
// Bidirectional ones cannot step; in their lists, layers read in any direction.
std::vector<rnn_config_t> all_configs(bool bidirectional);
std::string describe(const rnn_config_t& config);

// Initialised; initial states, gains and all biases are numbers of their own.
Network make_network(const rnn_config_t& config);
reference::Network truth(const Network& network);

// Ragged sequences with resets, by value or by index, and states to start from.
struct Data {
  Data(const Weights& weights, std::size_t count, std::size_t longest, std::mt19937& random);
  Data(const Data&) = delete;
  const float* initial_states() const { return states.empty() ? nullptr : states.data(); }

  std::vector<std::size_t> lengths;
  std::size_t frames = 0;
  std::vector<float> inputs, states;
  std::vector<std::int32_t> indices;
  std::vector<std::uint8_t> resets;
  rnn_sequences_t sequences = {};
};

struct Results {
  std::vector<float> outputs, states, final_states;
};

Results run_whole(Network& network, const Data& data);
Results run_stepwise(const Network& network, const Data& data);
std::vector<float> run_pooled(Network& network, const Data& data, std::int32_t pooling);

}  // namespace rnn

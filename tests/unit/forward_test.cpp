// Whole sequences against the reference, for every kind of network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lib/network/error.h"
#include "tests/reference/lists.h"
#include "tests/unit/network_test.h"

namespace rnn {
namespace {

void expect_near(const std::vector<float>& values, const reference::Vector& exact, double bound,
                 const char* what) {
  ASSERT_EQ(values.size(), exact.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], exact[i], bound * std::max(1.0, std::fabs(exact[i]))) << what << ", element " << i;
}

void check(Network& network, const Data& data, std::int32_t pooling) {
  // Layer normalisation divides by a deviation that may be small, and so magnifies rounding errors.
  const reference::Network exact = truth(network);
  const double bound = exact.has(RNN_FLAG_LAYER_NORM) ? 1e-3 : 1e-5;
  const bool pools = reference::can_pool(network.weights().config(), pooling);
  reference::Sequences sequences = reference::convert(exact, data.sequences, data.initial_states());
  if (pools) sequences.pooling = pooling;
  const reference::Pass pass = reference::forward(exact, sequences);
  const Results results = run_whole(network, data);
  expect_near(results.outputs, pass.outputs, bound, "outputs");
  expect_near(results.states, pass.states, bound, "states");
  expect_near(results.final_states, pass.final_states, bound, "final states");
  if (pools) expect_near(run_pooled(network, data, pooling), pass.pooled, bound, "pooled");
}

void check_all(bool bidirectional) {
  std::mt19937 random(1);
  for (const rnn_config_t& config : all_configs(bidirectional)) {
    SCOPED_TRACE(describe(config));
    Network network = make_network(config);
    for (const std::int32_t pooling : {RNN_POOLING_LAST, RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
      const Data data(network.weights(), 1 + random() % 5, 12, random);
      check(network, data, pooling);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Forward, EveryNetworkIsNearTheReference) { check_all(false); }

TEST(Forward, EveryBidirectionalNetworkIsNearTheReference) { check_all(true); }

// More steps than a window holds, and more segments than are swept together. Over so many steps, layer
// normalisation magnifies rounding errors beyond what tells right from wrong.
TEST(Forward, ManyWindowsAndBlocks) {
  std::mt19937 random(2);
  for (const bool bidirectional : {false, true}) {
    for (const rnn_config_t& config : all_configs(bidirectional)) {
      const bool list = config.layers != nullptr;
      if (list ? config.seed % 8 != 0 : config.hidden_size != 17 || (config.flags & RNN_FLAG_RESIDUAL) == 0)
        continue;
      SCOPED_TRACE(describe(config));
      Network network = make_network(config);
      const Data few(network.weights(), 6, 700, random), many(network.weights(), 300, 4, random);
      if (!truth(network).has(RNN_FLAG_LAYER_NORM))
        check(network, few, RNN_POOLING_LAST + static_cast<std::int32_t>(random() % 3));
      check(network, many, RNN_POOLING_MEAN);
      if (HasFatalFailure()) return;
    }
  }
}

// What a sequence gives does not depend on the others of the call.
TEST(Forward, SequencesDoNotMix) {
  std::mt19937 random(3);
  for (const rnn_config_t& config : all_configs(true)) {
    if (config.layers == nullptr && config.hidden_size != 17) continue;
    SCOPED_TRACE(describe(config));
    Network network = make_network(config);
    const Weights& weights = network.weights();
    const std::size_t O = weights.output_size(), S = weights.state_size();
    const Data data(weights, 1 + random() % 9, 12, random);
    const Results together = run_whole(network, data);
    std::size_t first = 0;
    for (std::size_t n = 0; n < data.lengths.size(); first += data.lengths[n++]) {
      const std::size_t length = data.lengths[n];
      rnn_sequences_t one = data.sequences;
      one.count = 1;
      one.frames = length;
      one.lengths += n;
      if (one.inputs != nullptr) one.inputs += first * weights.input_size();
      if (one.indices != nullptr) one.indices += first;
      one.resets += first;
      std::vector<float> outputs(length * O), states(S);
      rnn_forward_options_t options = {};
      options.initial_states = data.states.empty() ? nullptr : &data.states[n * S];
      options.final_states = states.data();
      network.forward(one, options, outputs.data());
      ASSERT_TRUE(std::equal(outputs.begin(), outputs.end(), together.outputs.data() + first * O));
      ASSERT_TRUE(std::equal(states.begin(), states.end(), together.final_states.data() + n * S));
    }
  }
}

// The last output of a network that reads ahead alone is the one pooled by RNN_POOLING_LAST.
TEST(Forward, TheLastOutputHasTheSameBits) {
  std::mt19937 random(4);
  for (const rnn_config_t& config : all_configs(false)) {
    if (config.skip != 0) continue;
    SCOPED_TRACE(describe(config));
    Network network = make_network(config);
    const Data data(network.weights(), 1 + random() % 9, 12, random);
    const std::size_t O = network.weights().output_size();
    const std::vector<float> outputs = run_whole(network, data).outputs;
    const std::vector<float> last = run_pooled(network, data, RNN_POOLING_LAST);
    std::size_t end = 0;
    for (std::size_t n = 0; n < data.lengths.size(); ++n) {
      end += data.lengths[n];
      ASSERT_TRUE(std::equal(&last[n * O], &last[n * O] + O, &outputs[(end - 1) * O]));
    }
  }
}

TEST(Forward, StatefulContinuesTheStream) {
  std::mt19937 random(5);
  for (const rnn_config_t& config : all_configs(false)) {
    if (config.layers != nullptr ? config.input_size < 3 : config.hidden_size != 5) continue;
    SCOPED_TRACE(describe(config));
    Network whole = make_network(config), steps = whole;
    const Weights& weights = whole.weights();
    rnn_forward_options_t options = {};
    options.stateful = 1;
    std::vector<float> a(weights.state_size()), b(weights.state_size());
    for (int round = 0; round < 3; ++round) {
      const std::int32_t indices[] = {0, 2, 1, 1};
      const std::size_t length = 4;
      rnn_sequences_t in = {};
      in.count = 1;
      in.frames = length;
      in.lengths = &length;
      in.indices = indices;
      whole.forward(in, options, nullptr);
      for (const std::int32_t index : indices) steps.step(index, nullptr);
      whole.get_state(a.data());
      steps.get_state(b.data());
      ASSERT_EQ(a, b);
    }
  }
}

TEST(Forward, PoolingIsRefusedWithSkip) {
  rnn_config_t config = {};
  config.input_size = 3;
  config.hidden_size = 4;
  config.skip = 3;
  Network network = make_network(config);
  const std::int32_t index = 0;
  const std::size_t length = 1;
  rnn_sequences_t in = {};
  in.count = in.frames = 1;
  in.lengths = &length;
  in.indices = &index;
  rnn_forward_options_t options = {};
  for (options.pooling = RNN_POOLING_LAST; options.pooling <= RNN_POOLING_MAX; ++options.pooling) {
    try {
      network.forward(in, options, nullptr);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RNN_INVALID_ARGUMENT);
      EXPECT_EQ(error.what(),
                "options.pooling is " + std::to_string(options.pooling) +
                    " and the network's skip is 3; the pooling must be 0, since inputs are added to "
                    "the outputs of steps");
    }
  }
}

TEST(Forward, StatefulIsRefusedInBothDirections) {
  const std::vector<rnn_config_t> configs = all_configs(true);
  Network network = make_network(configs[0]);
  const std::int32_t index = 0;
  const std::size_t length = 1;
  rnn_sequences_t in = {};
  in.count = in.frames = 1;
  in.lengths = &length;
  in.indices = &index;
  rnn_forward_options_t options = {};
  options.stateful = 1;
  try {
    network.forward(in, options, nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(),
                 "options.stateful is 1; it must be 0, because a network with a reverse direction needs "
                 "whole sequences");
  }
}

}  // namespace
}  // namespace rnn

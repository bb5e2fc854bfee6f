// A stream: the same bits however it is run, and what it shares.
#include "lib/network/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <random>
#include <vector>

#include "tests/unit/network_test.h"

namespace rnn {
namespace {

Network make(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs, std::int32_t layers,
             bool initial = false) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  config.initial_state = initial ? RNN_INITIAL_FIXED : RNN_INITIAL_ZERO;
  return make_network(config);
}

TEST(Network, StepsHaveTheSameBitsAsWholeSequences) {
  std::mt19937 random(1);
  for (const rnn_config_t& config : all_configs(false)) {
    SCOPED_TRACE(describe(config));
    Network network = make_network(config);
    for (int round = 0; round < 3; ++round) {
      const Data data(network.weights(), 1 + random() % 9, 12, random);
      const Results stepwise = run_stepwise(network, data), whole = run_whole(network, data);
      ASSERT_EQ(whole.states, stepwise.states);
      ASSERT_EQ(whole.final_states, stepwise.final_states);
      ASSERT_EQ(whole.outputs, stepwise.outputs);
    }
  }
}

TEST(Network, StepManyHasTheSameBitsAsStep) {
  for (const rnn_config_t& config : all_configs(false)) {
    SCOPED_TRACE(describe(config));
    const Network network = make_network(config);
    const Weights& weights = network.weights();
    const std::size_t I = weights.input_size(), O = weights.output_size(), S = weights.state_size();
    std::vector<Network> alone, together;
    for (int i = 0; i < 70; ++i) {
      alone.emplace_back(network);
      together.emplace_back(network);
    }
    std::mt19937 random(3);
    for (int round = 0; round < 4; ++round) {
      // Another set at each call, in another order, so that the streams are at different times.
      std::vector<std::size_t> chosen;
      for (std::size_t i = 0; i < alone.size(); ++i)
        if (round == 0 || random() % 3 != 0) chosen.push_back(i);
      std::shuffle(chosen.begin(), chosen.end(), random);
      std::vector<Network*> streams;
      std::vector<float> x(chosen.size() * I), y(chosen.size() * O), expected(O), a(S), b(S);
      std::vector<std::int32_t> indices(chosen.size());
      for (float& value : x) value = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
      for (std::int32_t& index : indices) index = static_cast<std::int32_t>(random() % I);
      for (const std::size_t i : chosen) streams.push_back(&together[i]);
      const bool by_index = weights.has_embedding() || round % 2 == 1;
      Network::step_many(streams.data(), streams.size(), by_index ? nullptr : x.data(),
                         by_index ? indices.data() : nullptr, y.data());
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        Network& stream = alone[chosen[k]];
        if (by_index)
          stream.step(indices[k], expected.data());
        else
          stream.step(&x[k * I], expected.data());
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), &y[k * O])) << "stream " << k;
        stream.get_state(a.data());
        together[chosen[k]].get_state(b.data());
        ASSERT_EQ(a, b);
      }
    }
  }
}

TEST(Network, OutputsMayBeLeftOut) {
  Network a = make(3, 5, 2, 2), b = a;
  const float x[3] = {0.1f, -0.2f, 0.3f};
  float y[2];
  a.step(x, y);
  b.step(x, nullptr);
  std::vector<float> states[2] = {std::vector<float>(10), std::vector<float>(10)};
  a.get_state(states[0].data());
  b.get_state(states[1].data());
  EXPECT_EQ(states[0], states[1]);
}

// Changing the weights of one stream is not seen by those that shared them.
TEST(Network, SharedWeightsAreCopiedBeforeTheyAreWritten) {
  Network a = make(3, 5, 2, 1);
  const Weights* const before = &a.weights();
  a.change_weights([](Weights&) {});
  EXPECT_EQ(&a.weights(), before) << "not shared: no copy is needed";
  Network b = a;
  EXPECT_EQ(&b.weights(), before);
  const float first = a.weights().values()[0];
  b.change_weights([&](Weights& own) { own.values()[0] = first + 1; });
  const Weights* const own = &b.weights();
  EXPECT_NE(own, before);
  EXPECT_EQ(&a.weights(), before);
  EXPECT_EQ(a.weights().values()[0], first);
  EXPECT_EQ(b.weights().values()[0], first + 1);
  EXPECT_TRUE(a.weights_ref().unique());

  a.use(b.weights_ref());
  EXPECT_EQ(&a.weights(), own);
  EXPECT_FALSE(b.weights_ref().unique());
}

TEST(Network, AFailedChangeLeavesWeightsShared) {
  Network a = make(3, 5, 2, 1), b = a;
  const auto fail = [](Weights&) { throw std::bad_alloc(); };
  EXPECT_THROW(b.change_weights(fail), std::bad_alloc);
  EXPECT_EQ(&b.weights(), &a.weights());
  Network c = make(3, 5, 2, 1);
  const Weights* const own = &c.weights();
  EXPECT_THROW(c.change_weights(fail), std::bad_alloc);
  EXPECT_EQ(&c.weights(), own);
}

TEST(Network, ACopyHasAStateOfItsOwn) {
  Network a = make(3, 5, 2, 2, true);
  const float x[3] = {0.1f, -0.2f, 0.3f};
  std::vector<float> initial(10), one(10), two(10), copy(10);
  a.get_state(initial.data());
  a.step(x, nullptr);
  a.get_state(one.data());
  EXPECT_NE(initial, one);
  Network b = a;
  a.step(x, nullptr);
  b.get_state(copy.data());
  EXPECT_EQ(copy, one);
  b.step(x, nullptr);
  a.get_state(two.data());
  b.get_state(copy.data());
  EXPECT_EQ(copy, two);
  b.reset();
  b.get_state(copy.data());
  EXPECT_EQ(copy, initial);
}

}  // namespace
}  // namespace rnn

// A stream against the reference, and the same bits however it is run.
#include "lib/network/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "lib/network/init.h"
#include "tests/reference/reference.h"

namespace rnn {
namespace {

struct Size {
  std::int32_t I, H, O, L;
};
constexpr Size kSizes[] = {{1, 1, 0, 1},    {3, 5, 2, 1},     {7, 16, 0, 2},  {20, 17, 33, 3},
                           {2, 64, 1, 1},   {33, 31, 5, 2},   {65, 9, 10, 2}, {5, 130, 7, 1},
                           {16, 32, 16, 2}, {100, 48, 100, 1}};

Network make(const Size& size, bool initial, std::uint64_t seed) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = size.I;
  config.hidden_size = size.H;
  config.output_size = size.O;
  config.num_layers = size.L;
  config.seed = seed;
  config.initial_state = initial ? RNN_INITIAL_FIXED : RNN_INITIAL_ZERO;
  WeightsRef weights = WeightsRef::make(resolve(config), Allocator());
  initialize(weights.mutate());
  for (std::size_t l = 0; initial && l < weights->num_layers(); ++l) {
    std::vector<float> values(weights->hidden_size());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = 0.5f - static_cast<float>((i * 7 + l) % 11) / 10.0f;
    weights.mutate().set(*weights->find(Parameter::Kind::initial, l), values.data());
  }
  return Network(weights);
}

reference::Network truth(const Network& network) {
  const Weights& weights = network.weights();
  reference::Network result;
  result.inputs = weights.input_size();
  result.hidden = weights.hidden_size();
  result.outputs = weights.has_head() ? weights.output_size() : 0;
  result.layers = weights.num_layers();
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    std::vector<float> values(parameter.count());
    weights.get(parameter, values.data());
    result.parameters[parameter.name].assign(values.begin(), values.end());
  }
  return result;
}

// Ragged sequences with resets, by value or by index, and states to start from.
struct Data {
  Data(const Weights& weights, bool by_index, bool with_states, std::mt19937& random) {
    for (std::size_t n = 1 + random() % 9; n-- > 0;) lengths.push_back(1 + random() % 12);
    for (const std::size_t length : lengths) frames += length;
    const auto number = [&] { return static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f; };
    for (std::size_t f = 0; f < frames; ++f) {
      resets.push_back(random() % 6 == 0);
      if (by_index) indices.push_back(static_cast<std::int32_t>(random() % weights.input_size()));
      for (std::size_t i = 0; !by_index && i < weights.input_size(); ++i) inputs.push_back(number());
    }
    for (std::size_t i = 0; with_states && i < lengths.size() * weights.state_size(); ++i)
      states.push_back(number());
    sequences.struct_size = sizeof sequences;
    sequences.count = lengths.size();
    sequences.frames = frames;
    sequences.lengths = lengths.data();
    sequences.inputs = by_index ? nullptr : inputs.data();
    sequences.indices = by_index ? indices.data() : nullptr;
    sequences.resets = resets.data();
  }
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
  bool operator==(const Results& other) const {
    return outputs == other.outputs && states == other.states && final_states == other.final_states;
  }
};

Results room(const Weights& weights, const Data& data) {
  const std::size_t S = weights.state_size();
  return {std::vector<float>(data.frames * weights.output_size()), std::vector<float>(data.frames * S),
          std::vector<float>(data.lengths.size() * S)};
}

Results run_whole(Network& network, const Data& data) {
  Results results = room(network.weights(), data);
  rnn_forward_options_t options = {};
  options.struct_size = sizeof options;
  options.initial_states = data.initial_states();
  options.states = results.states.data();
  options.final_states = results.final_states.data();
  network.forward(data.sequences, options, results.outputs.data());
  return results;
}

Results run_stepwise(const Network& network, const Data& data) {
  const Weights& weights = network.weights();
  const std::size_t S = weights.state_size();
  Results results = room(weights, data);
  std::size_t f = 0;
  for (std::size_t n = 0; n < data.lengths.size(); ++n) {
    Network stream(network.weights_ref());
    if (!data.states.empty()) stream.set_state(&data.states[n * S]);
    for (std::size_t t = 0; t < data.lengths[n]; ++t, ++f) {
      if (data.resets[f] != 0) stream.reset();
      float* y = &results.outputs[f * weights.output_size()];
      if (data.indices.empty())
        stream.step(&data.inputs[f * weights.input_size()], y);
      else
        stream.step(data.indices[f], y);
      stream.get_state(&results.states[f * S]);
    }
    stream.get_state(&results.final_states[n * S]);
  }
  return results;
}

void expect_near(const std::vector<float>& values, const reference::Vector& exact, double bound) {
  ASSERT_EQ(values.size(), exact.size());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], exact[i], bound) << "element " << i;
}

template <class Body>
void for_all(const Body& body) {
  std::mt19937 random(1);
  for (const Size& size : kSizes) {
    for (int variant = 0; variant < 8; ++variant) {
      SCOPED_TRACE(testing::Message() << "I " << size.I << ", H " << size.H << ", O " << size.O << ", L "
                                      << size.L << ", variant " << variant);
      Network network = make(size, (variant & 1) != 0, 1);
      const Data data(network.weights(), (variant & 2) != 0, (variant & 4) != 0, random);
      body(network, data);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Network, ForwardIsNearTheReference) {
  for_all([](Network& network, const Data& data) {
    const Results results = run_whole(network, data);
    const reference::Network exact = truth(network);
    const reference::Pass pass =
        reference::forward(exact, reference::convert(exact, data.sequences, data.initial_states()));
    expect_near(results.outputs, pass.outputs, 2e-5);
    expect_near(results.states, pass.states, 1e-5);
    expect_near(results.final_states, pass.final_states, 1e-5);
  });
}

TEST(Network, StepsHaveTheSameBitsAsWholeSequences) {
  for_all([](Network& network, const Data& data) {
    const Results stepwise = run_stepwise(network, data);
    ASSERT_TRUE(run_whole(network, data) == stepwise);
  });
}

TEST(Network, StepManyHasTheSameBitsAsStep) {
  for (const Size& size : kSizes) {
    const Network network = make(size, true, 2);
    const Weights& weights = network.weights();
    const std::size_t I = weights.input_size(), O = weights.output_size(), S = weights.state_size();
    std::vector<Network> alone, together;
    for (int i = 0; i < 23; ++i) {
      alone.emplace_back(network);
      together.emplace_back(network);
    }
    std::mt19937 random(3);
    for (int round = 0; round < 6; ++round) {
      // Another set at each call, in another order, so that the streams are at different times.
      std::vector<std::size_t> chosen;
      for (std::size_t i = 0; i < alone.size(); ++i)
        if (random() % 3 != 0) chosen.push_back(i);
      std::shuffle(chosen.begin(), chosen.end(), random);
      std::vector<Network*> streams;
      std::vector<float> x(chosen.size() * I), y(chosen.size() * O), expected(O), a(S), b(S);
      std::vector<std::int32_t> indices(chosen.size());
      for (float& value : x) value = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
      for (std::int32_t& index : indices) index = static_cast<std::int32_t>(random() % I);
      for (const std::size_t i : chosen) streams.push_back(&together[i]);
      const bool by_index = round % 2 == 1;
      Network::step_many(streams.data(), streams.size(), by_index ? nullptr : x.data(),
                         by_index ? indices.data() : nullptr, y.data());
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        Network& stream = alone[chosen[k]];
        if (by_index)
          stream.step(indices[k], expected.data());
        else
          stream.step(&x[k * I], expected.data());
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), &y[k * O]))
            << "H " << size.H << ", stream " << k;
        stream.get_state(a.data());
        together[chosen[k]].get_state(b.data());
        ASSERT_EQ(a, b);
      }
    }
  }
}

TEST(Network, OutputsMayBeLeftOut) {
  Network a = make({3, 5, 2, 2}, false, 4), b = a;
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
  Network a = make({3, 5, 2, 1}, false, 5);
  const Weights* const before = &a.weights();
  EXPECT_EQ(&a.own_weights(), before) << "not shared: no copy is needed";
  Network b = a;
  EXPECT_EQ(&b.weights(), before);
  Weights& own = b.own_weights();
  EXPECT_NE(&own, before);
  EXPECT_EQ(&a.weights(), before);
  EXPECT_EQ(&b.weights(), &own);
  const float first = a.weights().values()[0];
  own.values()[0] = first + 1;
  EXPECT_EQ(a.weights().values()[0], first);
  EXPECT_TRUE(a.weights_ref().unique());
  EXPECT_EQ(&a.own_weights(), before);

  a.use(b.weights_ref());
  EXPECT_EQ(&a.weights(), &own);
  EXPECT_FALSE(b.weights_ref().unique());
}

TEST(Network, ACopyHasAStateOfItsOwn) {
  Network a = make({3, 5, 2, 2}, true, 6);
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

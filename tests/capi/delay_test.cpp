// rnn_set_delay: what it does to the state, to copies and to files, and what it refuses. That steps with a delay
// compute the formula is in step_test.cpp.
#include <algorithm>
#include <cmath>
#include <limits>

#include "layers.h"

namespace {

// 2 inputs, 2 outputs, all states that there are.
rnn_config_t mixed_list() {
  rnn_layer_t convolution = dense_layer(4, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = 3;
  convolution.dilation = 2;
  rnn_config_t c = list(2, {convolution, cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL),
                            cell_layer(RNN_CELL_LSTM, 6), dense_layer(2)});
  c.initial_state = RNN_INITIAL_TRAINED;
  return c;
}

rnn_config_t lstm() {
  rnn_config_t c = config(2, 8, 2);
  c.cell = RNN_CELL_LSTM;
  return c;
}

void set_delay(const Network& network, float delay) {
  ASSERT_EQ(rnn_set_delay(network.get(), delay), RNN_OK) << rnn_last_error();
}

float delay_of(const Network& network) {
  float delay = 0;
  EXPECT_EQ(rnn_get_delay(network.get(), &delay), RNN_OK) << rnn_last_error();
  return delay;
}

void set_state(const Network& network, const Floats& values) {
  ASSERT_EQ(rnn_set_state(network.get(), values.data(), values.size()), RNN_OK) << rnn_last_error();
}

// Outputs and states of the next steps, which show all of the past that they read. The stream has moved on.
Floats advance(const Network& network, size_t steps, uint32_t seed) {
  const Floats x = numbers(2 * steps, seed);
  Floats all;
  for (size_t t = 0; t < steps; ++t) {
    Floats y(2);
    EXPECT_EQ(rnn_step(network.get(), x.data() + 2 * t, y.data()), RNN_OK) << rnn_last_error();
    for (const Floats& part : {y, state(network)}) all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

Floats next(const Network& network) { return advance(fork(network), 20, 30); }

class Delay : public testing::TestWithParam<float> {
 protected:
  Delay() {
    set_parameter(network, "layers.1.initial_h", numbers(4, 40));
    set_parameter(network, "layers.2.initial_c", numbers(6, 41));
    EXPECT_EQ(rnn_reset(network.get()), RNN_OK);
  }

  const float delay = GetParam();
  const Network network = create(mixed_list());
};

TEST_P(Delay, IsWhatWasSet) {
  EXPECT_EQ(delay_of(network), 1);
  set_delay(network, delay);
  EXPECT_EQ(delay_of(network), delay);
}

TEST_P(Delay, KeepsTheState) {
  const Network cells = create(lstm());
  advance(cells, 5, 1);
  const Floats before = state(cells);
  set_delay(cells, delay);
  EXPECT_TRUE(same_bits(state(cells), before));
}

TEST_P(Delay, IsSetAsTheStateIs) {
  const Network other = fork(network);
  set_delay(other, delay);
  advance(network, 5, 1);
  set_state(other, state(network));
  set_delay(network, delay);
  EXPECT_TRUE(same_bits(next(network), next(other)));
  advance(network, 5, 2);
  set_state(other, state(network));
  EXPECT_FALSE(same_bits(next(network), next(other))) << "the past is that of other steps";
  set_delay(network, delay);
  EXPECT_TRUE(same_bits(next(network), next(other)));
  // And back.
  const Network plain = fork(network);
  set_delay(network, 1);
  set_delay(plain, 1);
  advance(plain, 3, 3);
  set_state(plain, state(network));
  EXPECT_TRUE(same_bits(next(network), next(plain)));
}

// Until the first step's own state comes back, steps read what was given; nothing else with these inputs.
TEST_P(Delay, HasAPastThatIsTheStateGiven) {
  set_delay(network, delay);
  advance(network, 3, 6);
  Floats given = numbers(state(network).size(), 9);
  std::fill_n(given.begin(), 8, 0.0f);  // of the convolution
  const Network plain = fork(network);
  set_delay(plain, 1);
  for (const Network* n : {&network, &plain}) set_state(*n, given);
  const float x[2] = {};
  Floats expected(2), y(2);
  ASSERT_EQ(rnn_step(plain.get(), x, expected.data()), RNN_OK);
  for (size_t t = 0; t < static_cast<size_t>(delay); ++t) {
    ASSERT_EQ(rnn_step(network.get(), x, y.data()), RNN_OK);
    EXPECT_TRUE(same_bits(y, expected)) << t;
  }
  ASSERT_EQ(rnn_step(network.get(), x, y.data()), RNN_OK);
  EXPECT_FALSE(same_bits(y, expected));
}

TEST_P(Delay, HasThePastOfTheInitialStateAfterAReset) {
  set_delay(network, delay);
  const Floats expected = next(network);
  const Floats initial = state(network);
  EXPECT_NE(initial, Floats(initial.size()));
  advance(network, 9, 1);
  EXPECT_FALSE(same_bits(next(network), expected));
  ASSERT_EQ(rnn_reset(network.get()), RNN_OK);
  EXPECT_TRUE(same_bits(state(network), initial));
  EXPECT_TRUE(same_bits(next(network), expected));
}

TEST_P(Delay, IsCopiedWithItsPast) {
  set_delay(network, delay);
  advance(network, 7, 1);
  rnn_t* out = nullptr;
  ASSERT_EQ(rnn_convert(network.get(), RNN_COMPUTE_F32, &out), RNN_OK) << rnn_last_error();
  const Network forked = fork(network), cloned = clone(network), converted(out);
  const Floats expected = advance(network, 12, 2);
  for (const Network* copy : {&forked, &cloned, &converted}) {
    EXPECT_EQ(delay_of(*copy), delay);
    EXPECT_TRUE(same_bits(advance(*copy, 12, 2), expected));
  }
}

TEST_P(Delay, StaysWithItsPastWhenWeightsAreSynchronised) {
  set_delay(network, delay);
  const Network changed = clone(network), other = fork(network);
  set_delay(changed, 1);
  set_parameter(changed, "layers.3.bias", {0.5f, -0.25f});
  for (const Network* n : {&network, &other}) advance(*n, 7, 1);
  ASSERT_EQ(rnn_sync(network.get(), changed.get()), RNN_OK);
  set_parameter(other, "layers.3.bias", {0.5f, -0.25f});
  EXPECT_EQ(delay_of(network), delay);
  EXPECT_EQ(delay_of(changed), 1);
  EXPECT_TRUE(same_bits(next(network), next(other)));
}

TEST_P(Delay, IsNotSaved) {
  const Network same = fork(network);
  set_delay(network, delay);
  const Network loaded = reload(network);
  EXPECT_EQ(delay_of(loaded), 1);
  EXPECT_TRUE(same_bits(next(loaded), next(same)));
}

TEST_P(Delay, IsThatOfARollout) {
  set_delay(network, delay);
  advance(network, 4, 1);
  const Network stream = fork(network);
  const Floats x = numbers(2, 5);
  Floats y(2 * 10), input = x, expected;
  ASSERT_EQ(rnn_rollout(network.get(), x.data(), 10, y.data()), RNN_OK) << rnn_last_error();
  for (int t = 0; t < 10; ++t) {
    Floats row(2);
    ASSERT_EQ(rnn_step(stream.get(), input.data(), row.data()), RNN_OK);
    expected.insert(expected.end(), row.begin(), row.end());
    input = row;
  }
  EXPECT_TRUE(same_bits(y, expected));
  EXPECT_TRUE(same_bits(next(network), next(stream)));
}

// In two calls as in one.
TEST_P(Delay, IsThatOfWhatIsGenerated) {
  rnn_config_t c = config(6, 20, 6, 2);
  c.cell = RNN_CELL_GRU;
  const Network one = create(c);
  set_delay(one, delay);
  const Network two = fork(one), steps = fork(one);
  auto options = sized<rnn_generate_options_t>();
  options.greedy = 1;
  int32_t prompt = 3;
  options.prompt = &prompt;
  options.prompt_count = 1;
  std::vector<int32_t> together(12), apart(12), stepped;
  size_t written = 0;
  ASSERT_EQ(rnn_generate(one.get(), &options, together.data(), 12, &written), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_generate(two.get(), &options, apart.data(), 5, &written), RNN_OK);
  prompt = apart[4];
  ASSERT_EQ(rnn_generate(two.get(), &options, apart.data() + 5, 7, &written), RNN_OK);
  EXPECT_EQ(together, apart);
  Floats y(6);
  int32_t index = 3;
  for (int t = 0; t < 12; ++t) {
    ASSERT_EQ(rnn_step_index(steps.get(), index, y.data()), RNN_OK);
    index = static_cast<int32_t>(std::max_element(y.begin(), y.end()) - y.begin());
    stepped.push_back(index);
  }
  EXPECT_EQ(together, stepped);
  for (const Network* n : {&one, &two}) EXPECT_TRUE(same_bits(state(*n), state(steps)));
  for (int t = 0; t < 9; ++t) {
    Floats a(6), b(6);
    ASSERT_EQ(rnn_step_index(one.get(), t % 6, a.data()), RNN_OK);
    ASSERT_EQ(rnn_step_index(steps.get(), t % 6, b.data()), RNN_OK);
    EXPECT_TRUE(same_bits(a, b));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Delay, testing::Values(2.0f, 5.0f, 1.0884354f, 1.5f, 3.75f, 7.25f),
                         [](const auto& info) {
                           std::string name = std::to_string(info.param);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

// Networks without a state know no past.
TEST(DelayOfDenseLayers, ChangesNothing) {
  const Network network = create(list(2, {dense_layer(4, RNN_ACTIVATION_TANH), dense_layer(2)}));
  const Network other = fork(network);
  set_delay(network, 4096);
  EXPECT_TRUE(same_bits(next(network), next(other)));
}

// Of a convolution, too, if its taps are at least 2 steps further apart.
TEST(DelayOfTwoOrMore, GivesTheStateThatWasSet) {
  const Network network = create(mixed_list());
  const Floats given = numbers(state(network).size(), 9);
  for (const float delay : {2.0f, 2.25f, 3.5f}) {
    set_delay(network, delay);
    set_state(network, given);
    EXPECT_TRUE(same_bits(state(network), given)) << delay;
  }
}

TEST(DelayRefused, OfNoUseOrTooLong) {
  const Network network = create(mixed_list());
  set_delay(network, 2.5f);
  advance(network, 5, 1);
  const Floats expected = next(network);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float delay = 42;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_set_delay(nullptr, 2));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_get_delay(nullptr, &delay));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is NULL", rnn_get_delay(network.get(), nullptr));
  EXPECT_EQ(delay, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is 0; it must be 1..4096", rnn_set_delay(network.get(), 0));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is -2; it must be 1..4096", rnn_set_delay(network.get(), -2));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is 0.99999994; it must be 1..4096",
               rnn_set_delay(network.get(), std::nextafter(1.0f, 0.0f)));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is 4096.00049; it must be 1..4096",
               rnn_set_delay(network.get(), std::nextafter(4096.0f, 5000.0f)));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is inf", rnn_set_delay(network.get(), kInfinity));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "delay is -inf", rnn_set_delay(network.get(), -kInfinity));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "nan; it must be 1..4096",
               rnn_set_delay(network.get(), std::numeric_limits<float>::quiet_NaN()));
  EXPECT_EQ(delay_of(network), 2.5f);
  EXPECT_TRUE(same_bits(next(network), expected));
  set_delay(network, 4096);
}

TEST(DelayRefused, OfNetworksThatReadWholeSequences) {
  rnn_config_t c = config(2, 4, 2);
  c.flags = RNN_FLAG_BIDIRECTIONAL;
  const Network both = create(c);
  const Network reverse =
      create(list(2, {cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_REVERSE), dense_layer(2)}));
  for (const Network* n : {&both, &reverse}) {
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "the network has a reverse direction", rnn_set_delay(n->get(), 2));
    EXPECT_EQ(delay_of(*n), 1);
  }
}

TEST(DelayRefused, WithPooling) {
  const Network network = create(mixed_list());
  set_delay(network, 1.5f);
  advance(network, 5, 1);
  const Floats expected = next(network);
  const Data data = float_data({4}, 2);
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  options.pooling = RNN_POOLING_MEAN;
  Floats y(2, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT,
               "options.pooling is 2; it must be 0 where steps have a delay, here of 1.5",
               rnn_forward(network.get(), &in, &options, y.data()));
  EXPECT_EQ(y, Floats(2, 42));
  EXPECT_TRUE(same_bits(next(network), expected));
}

}  // namespace

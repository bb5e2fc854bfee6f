// Networks that compute with bf16 and int8: near the floats', and as exact as they are.
#include <algorithm>
#include <cmath>
#include <limits>

#include "common.h"

namespace {

Network convert(const Network& network, int32_t compute) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_convert(network.get(), compute, &out), RNN_OK) << rnn_last_error();
  return Network(out);
}

constexpr int32_t kSteps = 12;

// Outputs of kSteps steps, [kSteps, O].
Floats step_all(rnn_t* network, const Floats& x) {
  const size_t inputs = static_cast<size_t>(config_of(network).input_size), outputs = outputs_of(network);
  Floats y(kSteps * outputs);
  for (size_t t = 0; t < kSteps; ++t)
    EXPECT_EQ(rnn_step(network, &x[t * inputs], &y[t * outputs]), RNN_OK) << rnn_last_error();
  return y;
}

float largest_difference(const Floats& a, const Floats& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

float largest(const Floats& a) { return largest_difference(a, Floats(a.size())); }

struct Kind {
  int32_t cell;
  uint32_t flags;
  int32_t projection;
};
constexpr Kind kKinds[] = {{RNN_CELL_VANILLA, 0, 0},
                           {RNN_CELL_VANILLA, RNN_FLAG_RELU, 0},
                           {RNN_CELL_GRU, 0, 0},
                           {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE, 0},
                           {RNN_CELL_LSTM, 0, 0},
                           {RNN_CELL_LSTM, RNN_FLAG_LAYER_NORM, 7},
                           {RNN_CELL_MIN_GRU, 0, 0},
                           {RNN_CELL_MIN_LSTM, 0, 0},
                           {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES, 0},
                           {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES, 0}};

rnn_config_t config_of(const Kind& kind, int32_t inputs, int32_t hidden, int32_t outputs, int32_t layers) {
  rnn_config_t c = config(inputs, hidden, outputs, layers);
  c.cell = kind.cell;
  c.flags = kind.flags;
  c.projection_size = std::min(kind.projection, hidden - 1);
  return c;
}

class Compute : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(All, Compute,
                         testing::Values(RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST));

TEST_P(Compute, IsNearTheFloats) {
  const float bound = GetParam() == RNN_COMPUTE_INT8 ? 0.08f : 0.03f;
  for (const Kind& kind : kKinds) {
    for (const int32_t hidden : {1, 9, 40, 130}) {
      if (hidden == 1 && kind.projection != 0) continue;
      const Network floats = create(config_of(kind, 5, hidden, 6, 2));
      const Network network = convert(floats, GetParam());
      const Floats x = numbers(kSteps * 5);
      const Floats expected = step_all(floats.get(), x), y = step_all(network.get(), x);
      EXPECT_LT(largest_difference(y, expected), bound * largest(expected))
          << "cell " << kind.cell << ", flags " << kind.flags << ", hidden " << hidden;
      if (hidden > 1) {
        EXPECT_GT(largest_difference(y, expected), 0.0f);
      }
    }
  }
}

TEST_P(Compute, OfAStreamDoesNotDependOnOthers) {
  for (const Kind& kind : kKinds) {
    rnn_config_t c = config_of(kind, 5, 37, 6, 2);
    c.compute = GetParam();
    const Network first = create(c);
    constexpr size_t kStreams = 9;
    std::vector<Network> forks;
    std::vector<rnn_t*> streams;
    std::vector<Floats> x, expected;
    std::vector<size_t> lengths(kStreams, kSteps);
    Floats all;
    for (size_t n = 0; n < kStreams; ++n) {
      forks.push_back(fork(first));
      streams.push_back(forks.back().get());
      x.push_back(numbers(kSteps * 5, static_cast<uint32_t>(n + 1)));
      all.insert(all.end(), x.back().begin(), x.back().end());
      expected.push_back(step_all(streams.back(), x.back()));
      EXPECT_EQ(rnn_reset(streams.back()), RNN_OK);
    }

    for (size_t t = 0; t < kSteps; ++t) {
      Floats inputs, y(kStreams * 6);
      for (const Floats& values : x)
        inputs.insert(inputs.end(), values.begin() + static_cast<std::ptrdiff_t>(t * 5),
                      values.begin() + static_cast<std::ptrdiff_t>(t * 5 + 5));
      ASSERT_EQ(rnn_step_many(streams.data(), kStreams, inputs.data(), y.data()), RNN_OK) << rnn_last_error();
      for (size_t n = 0; n < kStreams; ++n)
        EXPECT_TRUE(same_bits({&y[n * 6], &y[n * 6] + 6}, {&expected[n][t * 6], &expected[n][t * 6] + 6}));
    }

    auto sequences = sized<rnn_sequences_t>();
    sequences.count = kStreams;
    sequences.frames = kStreams * kSteps;
    sequences.lengths = lengths.data();
    sequences.inputs = all.data();
    Floats y(kStreams * kSteps * 6);
    ASSERT_EQ(rnn_forward(first.get(), &sequences, nullptr, y.data()), RNN_OK) << rnn_last_error();
    for (size_t n = 0; n < kStreams; ++n)
      EXPECT_TRUE(same_bits({&y[n * kSteps * 6], &y[n * kSteps * 6] + kSteps * 6}, expected[n]));
  }
}

TEST_P(Compute, OfABlockIsThatOfItsSteps) {
  constexpr size_t kBlock = 21;
  for (const Kind& kind : kKinds) {
    rnn_config_t c = config_of(kind, 40, 75, 6, 2);
    c.compute = GetParam();
    const Network in_turn = create(c), together = create(c);
    const Floats x = numbers(kBlock * 40);
    Floats y(kBlock * 6), expected(kBlock * 6);
    for (size_t t = 0; t < kBlock; ++t) {
      ASSERT_EQ(rnn_step(in_turn.get(), &x[t * 40], &expected[t * 6]), RNN_OK);
    }
    ASSERT_EQ(rnn_reserve_block(together.get(), kBlock), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_step_block(together.get(), x.data(), kBlock, y.data()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(y, expected)) << "cell " << kind.cell << ", flags " << kind.flags;
    EXPECT_TRUE(same_bits(state(together), state(in_turn))) << "cell " << kind.cell;
  }
}

TEST_P(Compute, OfAnIndexIsThatOfItsVector) {
  for (const Kind& kind : kKinds) {
    rnn_config_t c = config_of(kind, 5, 20, 6, 1);
    c.compute = GetParam();
    const Network by_index = create(c), by_vector = create(c);
    for (const int32_t index : {3, 0, 4, 4, 1}) {
      Floats x(5), y(6), expected(6);
      x[static_cast<size_t>(index)] = 1;
      ASSERT_EQ(rnn_step(by_vector.get(), x.data(), expected.data()), RNN_OK);
      ASSERT_EQ(rnn_step_index(by_index.get(), index, y.data()), RNN_OK) << rnn_last_error();
      EXPECT_TRUE(same_bits(y, expected));
    }
  }
}

TEST_P(Compute, ConvertsWithParametersAndState) {
  const Network floats = create(config(4, 24, 3, 2));
  step_all(floats.get(), numbers(kSteps * 4));
  const Network network = convert(floats, GetParam());
  EXPECT_EQ(::config_of(network.get()).compute, GetParam());
  EXPECT_TRUE(same_bits(weights(network), weights(floats)));
  EXPECT_TRUE(same_bits(state(network), state(floats)));

  const Network back = convert(network, RNN_COMPUTE_F32);
  const Floats x = numbers(kSteps * 4, 2);
  EXPECT_TRUE(same_bits(step_all(back.get(), x), step_all(floats.get(), x)));

  // What a change of a parameter does, too.
  const Floats changed(24 * 4, 0.25f);
  set_parameter(floats, "weight_ih_l0", changed);
  set_parameter(network, "weight_ih_l0", changed);
  const Network again = convert(floats, GetParam());
  EXPECT_EQ(rnn_reset(again.get()), RNN_OK);
  EXPECT_EQ(rnn_reset(network.get()), RNN_OK);
  EXPECT_TRUE(same_bits(step_all(network.get(), x), step_all(again.get(), x)));
}

TEST_P(Compute, SaturatesAtInfinityAndGoesOn) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Kind& kind : kKinds) {
    const bool bounded =
        kind.cell <= RNN_CELL_LSTM && (kind.flags & (RNN_FLAG_RELU | RNN_FLAG_LAYER_NORM)) == 0;
    if (!bounded) continue;
    for (const int32_t hidden : {9, 40, 130}) {
      const Network floats = create(config_of(kind, 2, hidden, 6, 2));
      const Network network = convert(floats, GetParam());
      Floats x = numbers(kSteps * 2);
      x[0] = infinity;
      x[3] = -infinity;
      const Floats expected = step_all(floats.get(), x), y = step_all(network.get(), x);
      EXPECT_TRUE(std::all_of(expected.begin(), expected.end(), [](float v) { return std::isfinite(v); }));
      EXPECT_LT(largest_difference(y, expected), 0.1f * largest(expected))
          << "cell " << kind.cell << ", flags " << kind.flags << ", hidden " << hidden;
      x[4] = std::nanf("");
      step_all(network.get(), x);
      EXPECT_TRUE(std::isnan(step_all(network.get(), Floats(kSteps * 2))[0]));
      EXPECT_EQ(rnn_reset(network.get()), RNN_OK);
      EXPECT_TRUE(std::isfinite(step_all(network.get(), Floats(kSteps * 2))[0]));
    }
  }
}

TEST_P(Compute, StaysInFiles) {
  rnn_config_t c = config(4, 24, 3);
  c.compute = GetParam();
  const Network network = create(c);
  const Network loaded = reload(network);
  EXPECT_EQ(::config_of(loaded.get()).compute, GetParam());
  const Floats x = numbers(kSteps * 4);
  EXPECT_TRUE(same_bits(step_all(loaded.get(), x), step_all(network.get(), x)));
}

TEST_P(Compute, RefusesBadInput) {
  const Network floats = create(config(4, 5, 3));
  rnn_t* out = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_convert(nullptr, GetParam(), &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_convert(floats.get(), GetParam(), nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "compute is 4; it must be 0", rnn_convert(floats.get(), 4, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "compute is -1; it must be 0", rnn_convert(floats.get(), -1, &out));
  EXPECT_EQ(out, nullptr);
  const Network network = convert(floats, GetParam());
  EXPECT_FAILS(RNN_MISMATCH, "compute of stream is ", rnn_sync(network.get(), floats.get()));
}

}  // namespace

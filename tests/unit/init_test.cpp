// What each initialisation promises in rnn.h.
#include "lib/network/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/unit/hash.h"

namespace rnn {
namespace {

constexpr std::int32_t I = 60, H = 120, O = 50;

WeightsRef make(std::int32_t init, std::int32_t recurrent_init, std::uint64_t seed = 1, float range = 0) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = I;
  config.hidden_size = H;
  config.output_size = O;
  config.num_layers = 2;
  config.init = init;
  config.recurrent_init = recurrent_init;
  config.init_range = range;
  config.seed = seed;
  config.initial_state = RNN_INITIAL_TRAINED;
  WeightsRef ref = WeightsRef::make(resolve(config), Allocator());
  initialize(ref.mutate());
  return ref;
}

std::vector<float> get(const WeightsRef& ref, const char* name) {
  const Parameter* parameter = ref->find(name);
  std::vector<float> values(parameter->count());
  ref->get(*parameter, values.data());
  return values;
}

std::vector<float> all(const WeightsRef& ref) {
  std::vector<float> values;
  for (std::size_t i = 0; i < ref->parameter_count(); ++i)
    for (const float value : get(ref, ref->parameter(i).name)) values.push_back(value);
  return values;
}

// Mean 0 and this variance, within five standard errors (kurtosis 1.8 for uniform, 3 for normal).
void expect_moments(const std::vector<float>& values, double variance, double kurtosis) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt((kurtosis - 1) / n));
}

void expect_uniform(const std::vector<float>& values, double limit) {
  float largest = 0;
  for (const float value : values) {
    ASSERT_LE(std::fabs(value), limit * (1 + 1e-7));
    largest = std::max(largest, std::fabs(value));
  }
  EXPECT_GT(largest, 0.99 * limit * (values.size() > 1000) + 0.8 * limit * (values.size() <= 1000));
  expect_moments(values, limit * limit / 3, 1.8);
}

void expect_normal(const std::vector<float>& values, double variance) { expect_moments(values, variance, 3); }

void expect_zero(const std::vector<float>& values) {
  for (const float value : values) {
    ASSERT_EQ(value, 0.0f);
    ASSERT_FALSE(std::signbit(value));
  }
}

TEST(Init, PyTorch) {
  const WeightsRef ref = make(0, 0);
  const double limit = 1 / std::sqrt(static_cast<double>(H));
  for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "weight_ih_l1", "weight_hh_l1",
                           "bias_ih_l1", "head.weight", "head.bias"})
    expect_uniform(get(ref, name), limit);
  expect_zero(get(ref, "initial_h_l0"));
}

TEST(Init, Uniform) {
  for (const float range : {0.0f, 0.3f}) {
    const WeightsRef ref = make(RNN_INIT_UNIFORM, 0, 1, range);
    for (const char* name : {"weight_ih_l0", "weight_hh_l1", "bias_ih_l0", "head.weight", "head.bias"})
      expect_uniform(get(ref, name), range == 0 ? 0.08 : range);
  }
}

TEST(Init, XavierAndKaimingHaveTheirVarianceAndNoBias) {
  const struct {
    std::int32_t init;
    bool normal;
    double (*variance)(double fan_in, double fan_out);
  } rules[] = {
      {RNN_INIT_XAVIER_UNIFORM, false, [](double in, double out) { return 2 / (in + out); }},
      {RNN_INIT_XAVIER_NORMAL, true, [](double in, double out) { return 2 / (in + out); }},
      {RNN_INIT_KAIMING_UNIFORM, false, [](double in, double) { return 2 / in; }},
      {RNN_INIT_KAIMING_NORMAL, true, [](double in, double) { return 2 / in; }},
  };
  for (const auto& rule : rules) {
    SCOPED_TRACE(rule.init);
    const WeightsRef ref = make(rule.init, 0);
    const auto check = [&](const char* name, double fan_in, double fan_out) {
      SCOPED_TRACE(name);
      const double variance = rule.variance(fan_in, fan_out);
      if (rule.normal)
        expect_normal(get(ref, name), variance);
      else
        expect_uniform(get(ref, name), std::sqrt(3 * variance));
    };
    check("weight_ih_l0", I, H);
    check("weight_ih_l1", H, H);
    check("weight_hh_l0", H, H);
    check("head.weight", H, O);
    for (const char* name : {"bias_ih_l0", "bias_ih_l1", "head.bias", "initial_h_l0"})
      expect_zero(get(ref, name));
  }
}

TEST(Init, OrthogonalIsOrthogonal) {
  const std::vector<float> w = get(make(0, RNN_INIT_ORTHOGONAL), "weight_hh_l0");
  double trace = 0;
  for (std::size_t i = 0; i < H; ++i) {
    trace += w[i * H + i];
    for (std::size_t j = 0; j <= i; ++j) {
      double rows = 0, columns = 0;
      for (std::size_t k = 0; k < H; ++k) {
        rows += static_cast<double>(w[i * H + k]) * w[j * H + k];
        columns += static_cast<double>(w[k * H + i]) * w[k * H + j];
      }
      ASSERT_NEAR(rows, i == j, 1e-6) << "rows " << i << ", " << j;
      ASSERT_NEAR(columns, i == j, 1e-6) << "columns " << i << ", " << j;
    }
  }
  // Of a random orthogonal matrix the trace has mean 0 and variance 1.
  EXPECT_LT(std::fabs(trace), 5);
}

TEST(Init, Identity) {
  const WeightsRef ref = make(RNN_INIT_XAVIER_NORMAL, RNN_INIT_IDENTITY);
  for (const char* name : {"weight_hh_l0", "weight_hh_l1"}) {
    const std::vector<float> w = get(ref, name);
    for (std::size_t i = 0; i < H; ++i)
      for (std::size_t j = 0; j < H; ++j) ASSERT_EQ(w[i * H + j], i == j ? 1.0f : 0.0f);
  }
}

WeightsRef make_lstm(std::int32_t init, std::int32_t recurrent_init, float forget_bias,
                     std::uint32_t flags = 0) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = RNN_CELL_LSTM;
  config.input_size = I;
  config.hidden_size = H;
  config.projection_size = 40;
  config.init = init;
  config.recurrent_init = recurrent_init;
  config.forget_bias = forget_bias;
  config.flags = flags;
  config.embedding_size = 80;
  if ((flags & RNN_FLAG_TIED_HEAD) != 0) {
    config.embedding_size = 40;
    config.output_size = I;
  }
  config.seed = 5;
  WeightsRef ref = WeightsRef::make(resolve(config), Allocator());
  initialize(ref.mutate());
  return ref;
}

// Each gate's block has the fans of its own shape.
TEST(Init, GatesAreInitialisedEachForItself) {
  const WeightsRef ref = make_lstm(RNN_INIT_XAVIER_UNIFORM, RNN_INIT_ORTHOGONAL, 0);
  const std::vector<float> w = get(ref, "weight_ih_l0");
  for (std::size_t gate = 0; gate < 4; ++gate) {
    const auto begin = w.begin() + static_cast<std::ptrdiff_t>(gate * H * 80);
    expect_uniform({begin, begin + H * 80}, std::sqrt(6.0 / (80 + H)));
  }
  expect_uniform(get(ref, "weight_hr_l0"), std::sqrt(6.0 / (40 + H)));
  expect_uniform(get(ref, "embedding.weight"), std::sqrt(6.0 / (80 + I)));

  // Higher than wide: the columns of each block are orthogonal.
  const std::vector<float> u = get(ref, "weight_hh_l0");
  for (std::size_t gate = 0; gate < 4; ++gate) {
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < H; ++k)
          sum += static_cast<double>(u[(gate * H + k) * 40 + i]) * u[(gate * H + k) * 40 + j];
        ASSERT_NEAR(sum, i == j, 1e-6);
      }
    }
  }
}

TEST(Init, ForgetBiasIsAdded) {
  const std::vector<float> zero = get(make_lstm(0, 0, 0), "bias_ih_l0");
  const std::vector<float> one = get(make_lstm(0, 0, 1), "bias_ih_l0");
  for (std::size_t i = 0; i < 4 * H; ++i) EXPECT_EQ(one[i], i / H == 1 ? zero[i] + 1 : zero[i]);
  const std::vector<float> alone = get(make_lstm(RNN_INIT_XAVIER_NORMAL, 0, 1.5f), "bias_ih_l0");
  for (std::size_t i = 0; i < 4 * H; ++i) EXPECT_EQ(alone[i], i / H == 1 ? 1.5f : 0.0f);
}

// Its gates are f, i, c.
TEST(Init, ForgetBiasOfAMinLstmIsAdded) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = RNN_CELL_MIN_LSTM;
  config.input_size = I;
  config.hidden_size = H;
  config.init = RNN_INIT_XAVIER_NORMAL;
  config.forget_bias = 1.5f;
  WeightsRef ref = WeightsRef::make(resolve(config), Allocator());
  initialize(ref.mutate());
  const std::vector<float> bias = get(ref, "bias_ih_l0");
  ASSERT_EQ(bias.size(), 3 * H);
  for (std::size_t i = 0; i < 3 * H; ++i) EXPECT_EQ(bias[i], i / H == 0 ? 1.5f : 0.0f);
}

TEST(Init, EmbeddingIsNormalUnlessItIsTheHead) {
  expect_normal(get(make_lstm(0, 0, 0), "embedding.weight"), 1);
  expect_uniform(get(make_lstm(0, 0, 0, RNN_FLAG_TIED_HEAD), "embedding.weight"), 1 / std::sqrt(double{H}));
}

TEST(Init, GainsAreOne) {
  const WeightsRef ref = make_lstm(0, 0, 0, RNN_FLAG_LAYER_NORM);
  for (const char* name : {"norm_ih_l0", "norm_hh_l0"})
    for (const float gain : get(ref, name)) ASSERT_EQ(gain, 1.0f);
}

TEST(Init, LayersAndSeedsDiffer) {
  const WeightsRef a = make(0, 0, 1), b = make(0, 0, 2);
  EXPECT_NE(get(a, "weight_hh_l0"), get(a, "weight_hh_l1"));
  EXPECT_NE(get(a, "weight_hh_l0"), get(b, "weight_hh_l0"));
  EXPECT_EQ(all(a), all(make(0, 0, 1)));
}

// The promise of rnn.h: same seed, same weights, on every machine and in every release.
TEST(Init, SameWeightsOnEveryMachine) {
  const struct {
    std::int32_t init;
    std::int32_t recurrent_init;
    std::uint64_t expected;
  } known[] = {
      {RNN_INIT_PYTORCH, 0, 0xbfed5fbb91ba0fe6},
      {RNN_INIT_XAVIER_UNIFORM, 0, 0x6221e638007229a8},
      {RNN_INIT_XAVIER_NORMAL, 0, 0xe6f6196efe1f853},
      {RNN_INIT_KAIMING_UNIFORM, 0, 0xc676aec3b341a446},
      {RNN_INIT_KAIMING_NORMAL, 0, 0x93d2adbfefb5a14c},
      {RNN_INIT_UNIFORM, RNN_INIT_IDENTITY, 0x5fc602f662497d92},
      {0, RNN_INIT_ORTHOGONAL, 0xac78a472585167a2},
  };
  for (const auto& k : known)
    EXPECT_EQ(hash(all(make(k.init, k.recurrent_init, 42))), k.expected)
        << k.init << ", " << k.recurrent_init;

  // And of a network with nearly all the parameters that there are.
  EXPECT_EQ(hash(all(make_lstm(0, RNN_INIT_ORTHOGONAL, 1, RNN_FLAG_LAYER_NORM | RNN_FLAG_BIDIRECTIONAL))),
            0x2448dc062d3e73ac);
  EXPECT_EQ(hash(all(make_lstm(RNN_INIT_XAVIER_NORMAL, 0, 1, RNN_FLAG_TIED_HEAD))), 0x9dbac1a1f81e13a7);
}

}  // namespace
}  // namespace rnn

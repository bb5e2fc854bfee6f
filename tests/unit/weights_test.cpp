// The layout of parameters, their packed copies, and who shares them.
#include "lib/network/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "lib/network/error.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;

rnn_config_t make_config(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs,
                         std::int32_t layers) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  return config;
}

WeightsRef make(const rnn_config_t& config) { return WeightsRef::make(resolve(config), Allocator()); }

// Random values in every parameter.
void fill(WeightsRef& ref, unsigned seed) {
  std::mt19937 random(seed);
  Weights& weights = ref.mutate();
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    std::vector<float> values(weights.parameter(i).count());
    for (float& value : values) value = static_cast<float>(random() % 1000) + 1;
    weights.set(weights.parameter(i), values.data());
  }
  weights.pack();
}

std::vector<std::string> names(const Weights& weights) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    list.push_back(p.name + std::string(" ") + std::to_string(p.rows) + " " + std::to_string(p.columns));
  }
  return list;
}

TEST(Weights, NamesAndShapesArePyTorchs) {
  rnn_config_t config = make_config(3, 5, 2, 2);
  EXPECT_EQ(
      names(*make(config)),
      (std::vector<std::string>{"weight_ih_l0 5 3", "weight_hh_l0 5 5", "bias_ih_l0 5 1", "weight_ih_l1 5 5",
                                "weight_hh_l1 5 5", "bias_ih_l1 5 1", "head.weight 2 5", "head.bias 2 1"}));
  config.num_layers = 1;
  config.output_size = 0;
  config.flags = RNN_NO_BIAS;
  config.initial_state = RNN_INITIAL_TRAINED;
  EXPECT_EQ(names(*make(config)),
            (std::vector<std::string>{"weight_ih_l0 5 3", "weight_hh_l0 5 5", "initial_h_l0 5 1"}));
  config.output_size = 4;
  EXPECT_EQ(names(*make(config)).back(), "head.weight 4 5");
}

TEST(Weights, Sizes) {
  const WeightsRef weights = make(make_config(3, 17, 0, 4));
  EXPECT_EQ(weights->width(), 32u);
  EXPECT_EQ(weights->output_size(), 17u);
  EXPECT_FALSE(weights->has_head());
  EXPECT_EQ(weights->state_size(), 68u);
  EXPECT_EQ(weights->state_vectors(), 4u);
  EXPECT_EQ(make(make_config(3, 17, 9, 1))->output_size(), 9u);
}

// Parameters are aligned, do not overlap, and what no parameter uses is zero, whatever was set.
TEST(Weights, LayoutIsPaddedWithZeros) {
  for (const std::int32_t hidden : {1, 15, 16, 17, 40}) {
    rnn_config_t config = make_config(7, hidden, 3, 2);
    config.initial_state = RNN_INITIAL_FIXED;
    WeightsRef ref = make(config);
    fill(ref, 1);
    std::vector<int> used(ref->value_count());
    for (std::size_t i = 0; i < ref->parameter_count(); ++i) {
      const Parameter& p = ref->parameter(i);
      EXPECT_EQ(p.offset % kernels::kPad, 0u) << p.name;
      const bool vector = p.kind == Kind::bias || p.kind == Kind::initial || p.kind == Kind::head_bias;
      EXPECT_EQ(p.stride, vector ? 1 : kernels::padded(p.columns)) << p.name;
      for (std::size_t r = 0; r < p.rows; ++r)
        for (std::size_t c = 0; c < p.columns; ++c) ++used.at(p.offset + r * p.stride + c);
    }
    for (std::size_t k = 0; k < used.size(); ++k) {
      ASSERT_LE(used[k], 1);
      ASSERT_EQ(used[k] == 0, ref->values()[k] == 0.0f) << k;
    }
  }
}

TEST(Weights, GetReturnsWhatWasSet) {
  WeightsRef ref = make(make_config(3, 5, 2, 2));
  for (std::size_t i = 0; i < ref->parameter_count(); ++i) {
    const Parameter& p = ref->parameter(i);
    std::vector<float> in(p.count()), out(p.count());
    for (std::size_t k = 0; k < in.size(); ++k) in[k] = static_cast<float>(k) + 0.5f;
    ref.mutate().set(p, in.data());
    ref->get(p, out.data());
    EXPECT_EQ(in, out) << p.name;
    EXPECT_EQ(ref->find(p.name), &p);
    EXPECT_EQ(ref->find(p.kind, p.layer), &p);
  }
  EXPECT_EQ(ref->find("weight_ih_l2"), nullptr);
  EXPECT_EQ(ref->find(""), nullptr);
  EXPECT_EQ(ref->find(Kind::initial, 0), nullptr);
}

// Column k of a packed matrix is what a one-hot input selects.
void expect_packed(const Weights& weights, const Parameter& p, const kernels::Panels& panels) {
  ASSERT_EQ(panels.rows, p.rows);
  ASSERT_EQ(panels.depth, p.columns);
  std::vector<float> values(p.count()), column(p.rows);
  weights.get(p, values.data());
  for (std::size_t k = 0; k < p.columns; ++k) {
    const auto index = static_cast<std::int32_t>(k);
    weights.table().gather(panels, 1, &index, {nullptr, 0, nullptr}, p.rows,
                           {column.data(), p.rows, nullptr});
    for (std::size_t r = 0; r < p.rows; ++r) ASSERT_EQ(column[r], values[r * p.columns + k]) << p.name;
  }
}

void expect_all_packed(const Weights& weights) {
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    expect_packed(weights, *weights.find(Kind::input, l), weights.layer(l).input);
    expect_packed(weights, *weights.find(Kind::recurrent, l), weights.layer(l).recurrent);
    const Parameter& bias = *weights.find(Kind::bias, l);
    EXPECT_EQ(weights.layer(l).bias, weights.values() + bias.offset);
  }
  expect_packed(weights, *weights.find(Kind::head, 0), weights.head());
  EXPECT_EQ(weights.head_bias(), weights.values() + weights.find(Kind::head_bias, 0)->offset);
}

TEST(Weights, PackedMatricesAreTheParameters) {
  WeightsRef ref = make(make_config(9, 70, 130, 3));
  fill(ref, 2);
  expect_all_packed(*ref);
  fill(ref, 3);
  expect_all_packed(*ref);

  WeightsRef by_jobs = make(make_config(9, 70, 130, 3));
  std::copy_n(ref->values(), ref->value_count(), by_jobs.mutate().values());
  for (std::size_t job = by_jobs->pack_jobs(); job-- > 0;) by_jobs.mutate().pack_job(job);
  expect_all_packed(*by_jobs);
}

TEST(Weights, WhatIsAbsentIsZero) {
  rnn_config_t config = make_config(3, 17, 40, 2);
  config.flags = RNN_NO_BIAS;
  const WeightsRef ref = make(config);
  for (std::size_t l = 0; l < 2; ++l) {
    for (std::size_t i = 0; i < ref->width(); ++i) {
      EXPECT_EQ(ref->layer(l).bias[i], 0.0f);
      EXPECT_EQ(ref->initial(0, l)[i], 0.0f);
    }
  }
  for (std::size_t i = 0; i < kernels::padded(40); ++i) EXPECT_EQ(ref->head_bias()[i], 0.0f);
}

TEST(Weights, InitialStates) {
  rnn_config_t config = make_config(3, 5, 0, 2);
  config.initial_state = RNN_INITIAL_TRAINED;
  WeightsRef ref = make(config);
  fill(ref, 4);
  for (std::size_t l = 0; l < 2; ++l)
    EXPECT_EQ(ref->initial(0, l), ref->values() + ref->find(Kind::initial, l)->offset);
}

TEST(Weights, ReferencesAreCounted) {
  WeightsRef a = make(make_config(3, 5, 2, 1));
  EXPECT_TRUE(a.unique());
  {
    const WeightsRef b = a;
    EXPECT_FALSE(a.unique());
    EXPECT_EQ(a.get(), b.get());
  }
  EXPECT_TRUE(a.unique());
  WeightsRef moved = std::move(a);
  EXPECT_TRUE(moved.unique());
  a = moved;
  EXPECT_FALSE(moved.unique());
  a = WeightsRef();
  EXPECT_TRUE(moved.unique());
}

TEST(Weights, ACopyIsEqualAndIndependent) {
  WeightsRef ref = make(make_config(3, 5, 2, 2));
  fill(ref, 5);
  WeightsRef copy = ref.copy();
  EXPECT_TRUE(ref.unique());
  EXPECT_TRUE(copy.unique());
  expect_all_packed(*copy);
  EXPECT_TRUE(std::equal(ref->values(), ref->values() + ref->value_count(), copy->values()));
  const float before = ref->values()[0];
  fill(copy, 6);
  EXPECT_EQ(ref->values()[0], before);
  expect_all_packed(*ref);
}

TEST(Config, DefaultsAreResolved) {
  const rnn_config_t resolved = resolve(make_config(3, 5, 0, 0));
  EXPECT_EQ(resolved.struct_size, sizeof(rnn_config_t));
  EXPECT_EQ(resolved.cell, RNN_CELL_VANILLA);
  EXPECT_EQ(resolved.num_layers, 1);
  EXPECT_EQ(resolved.init, RNN_INIT_PYTORCH);
  EXPECT_EQ(resolved.recurrent_init, RNN_INIT_PYTORCH);
  EXPECT_EQ(resolved.init_range, 0.08f);
  EXPECT_EQ(resolved.allocator, nullptr);
  rnn_config_t config = make_config(3, 5, 0, 0);
  config.init = RNN_INIT_XAVIER_NORMAL;
  EXPECT_EQ(resolve(config).recurrent_init, RNN_INIT_XAVIER_NORMAL);
}

TEST(Config, WhatIsOutOfRangeIsRefused) {
  const auto refused = [](auto change) {
    rnn_config_t config = make_config(3, 5, 2, 1);
    change(config);
    try {
      resolve(config);
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RNN_INVALID_ARGUMENT);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using C = rnn_config_t;
  EXPECT_EQ(refused([](C& c) { c.hidden_size = 0; }), "hidden_size is 0; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.hidden_size = -1; }), "hidden_size is -1; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.hidden_size = 65537; }), "hidden_size is 65537; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.input_size = 0; }), "input_size is 0; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.input_size = 65537; }), "input_size is 65537; it must be 1..65536");
  EXPECT_NE(refused([](C& c) { c.output_size = -1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.output_size = 65537; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.num_layers = -1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.num_layers = 65; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.cell = 99; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init = 99; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init = -1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init = RNN_INIT_ORTHOGONAL; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init = RNN_INIT_IDENTITY; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.recurrent_init = 9; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init_range = -1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init_range = std::numeric_limits<float>::infinity(); }), "accepted");
  EXPECT_NE(refused([](C& c) { c.init_range = std::numeric_limits<float>::quiet_NaN(); }), "accepted");
  EXPECT_NE(refused([](C& c) { c.initial_state = 3; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.compute = 1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.flags = 2; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.reserved = 1; }), "accepted");
  EXPECT_EQ(refused([](C& c) { c.num_layers = 64; }), "accepted");
}

TEST(Config, SameArchitecture) {
  const rnn_config_t base = resolve(make_config(3, 5, 2, 2));
  const auto same = [&](auto change) {
    rnn_config_t other = base;
    change(other);
    EXPECT_EQ(same_architecture(base, other), same_architecture(other, base));
    return same_architecture(base, other);
  };
  using C = rnn_config_t;
  EXPECT_TRUE(
      same([](C& c) { c.seed = 9, c.init = RNN_INIT_UNIFORM, c.recurrent_init = RNN_INIT_IDENTITY; }));
  EXPECT_FALSE(same([](C& c) { c.cell = 2; }));
  EXPECT_FALSE(same([](C& c) { c.input_size = 4; }));
  EXPECT_FALSE(same([](C& c) { c.hidden_size = 4; }));
  EXPECT_FALSE(same([](C& c) { c.output_size = 0; }));
  EXPECT_FALSE(same([](C& c) { c.num_layers = 1; }));
  EXPECT_FALSE(same([](C& c) { c.flags = RNN_NO_BIAS; }));
  EXPECT_FALSE(same([](C& c) { c.initial_state = RNN_INITIAL_FIXED; }));
}

}  // namespace
}  // namespace rnn

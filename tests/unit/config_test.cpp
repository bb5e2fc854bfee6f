// What a configuration may be, and when two are of the same architecture.
#include "lib/network/config.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "lib/network/error.h"

namespace rnn {
namespace {

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

std::string refused(const std::function<void(rnn_config_t&)>& change) {
  rnn_config_t config = make_config(3, 5, 2, 1);
  change(config);
  try {
    resolve(config);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_INVALID_ARGUMENT);
    return error.what();
  }
  return "accepted";
}

TEST(Config, WhatIsOutOfRangeIsRefused) {
  using C = rnn_config_t;
  EXPECT_EQ(refused([](C& c) { c.hidden_size = 0; }), "hidden_size is 0; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.hidden_size = -1; }), "hidden_size is -1; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.hidden_size = 65537; }), "hidden_size is 65537; it must be 1..65536");
  EXPECT_EQ(refused([](C& c) { c.input_size = 0; }), "input_size is 0; it must be 1..1048576");
  EXPECT_EQ(refused([](C& c) { c.input_size = 1048577; }), "input_size is 1048577; it must be 1..1048576");
  EXPECT_NE(refused([](C& c) { c.output_size = -1; }), "accepted");
  EXPECT_NE(refused([](C& c) { c.output_size = 1048577; }), "accepted");
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
  EXPECT_NE(refused([](C& c) { c.compute = 4; }), "accepted");
  EXPECT_EQ(refused([](C& c) { c.num_layers = 64; }), "accepted");
  EXPECT_EQ(refused([](C& c) { c.input_size = c.output_size = 1048576; }), "accepted");
}

TEST(Config, CombinationsThatDoNotGoTogetherAreRefused) {
  using C = rnn_config_t;
  EXPECT_EQ(refused([](C& c) { c.cell = 6; }),
            "cell is 6; it must be 1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU), 3 (RNN_CELL_LSTM), 4 "
            "(RNN_CELL_MIN_GRU) or 5 (RNN_CELL_MIN_LSTM)");
  EXPECT_EQ(
      refused([](C& c) { c.flags = 512 + 1; }),
      "flags is 513; it must be 0 or a sum of RNN_FLAG_NO_BIAS 1, RNN_FLAG_RELU 2, RNN_FLAG_RESET_BEFORE 4, "
      "RNN_FLAG_BIDIRECTIONAL 8, RNN_FLAG_RESIDUAL 16, RNN_FLAG_LAYER_NORM 32, RNN_FLAG_TIED_HEAD 64, "
      "RNN_FLAG_PEEPHOLES 128, "
      "RNN_FLAG_COUPLED_GATES 256");
  EXPECT_EQ(refused([](C& c) { c.cell = RNN_CELL_LSTM, c.flags = RNN_FLAG_RELU; }),
            "flags has RNN_FLAG_RELU and cell is 3; cell must then be 1 (RNN_CELL_VANILLA)");
  EXPECT_EQ(refused([](C& c) { c.flags = RNN_FLAG_RESET_BEFORE; }),
            "flags has RNN_FLAG_RESET_BEFORE and cell is 1; cell must then be 2 (RNN_CELL_GRU)");
  EXPECT_EQ(
      refused([](C& c) { c.cell = RNN_CELL_GRU, c.flags = RNN_FLAG_RESET_BEFORE | RNN_FLAG_LAYER_NORM; }),
      "flags has both RNN_FLAG_RESET_BEFORE and RNN_FLAG_LAYER_NORM; it may have one");

  EXPECT_EQ(refused([](C& c) { c.projection_size = 2; }),
            "projection_size is 2 and cell is 1; it must be 0 unless cell is 3 (RNN_CELL_LSTM)");
  for (const std::int32_t size : {-1, 5, 6})
    EXPECT_EQ(refused([size](C& c) { c.cell = RNN_CELL_LSTM, c.projection_size = size; }),
              "projection_size is " + std::to_string(size) + "; it must be 0..4, less than hidden_size");
  EXPECT_EQ(refused([](C& c) { c.cell = RNN_CELL_LSTM, c.projection_size = 4; }), "accepted");

  EXPECT_EQ(refused([](C& c) { c.embedding_size = -1; }), "embedding_size is -1; it must be 0..65536");
  EXPECT_EQ(refused([](C& c) { c.embedding_size = 65537; }), "embedding_size is 65537; it must be 0..65536");

  EXPECT_EQ(refused([](C& c) { c.forget_bias = 1; }),
            "forget_bias is 1 and cell is 1; it must be 0 unless cell is 3 (RNN_CELL_LSTM) or 5 "
            "(RNN_CELL_MIN_LSTM)");
  EXPECT_EQ(
      refused([](C& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = std::numeric_limits<float>::infinity(); }),
      "forget_bias is inf; it must be finite");
  EXPECT_EQ(refused([](C& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = 1, c.flags = RNN_FLAG_NO_BIAS; }),
            "forget_bias is 1; it must be 0 with RNN_FLAG_NO_BIAS");
  EXPECT_EQ(refused([](C& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = -1; }), "accepted");
  EXPECT_EQ(
      refused([](C& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = 1, c.flags = RNN_FLAG_COUPLED_GATES; }),
      "forget_bias is 1; it must be 0 with RNN_FLAG_COUPLED_GATES, by which the forget gate has no bias");
  EXPECT_EQ(refused([](C& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = 1, c.flags = RNN_FLAG_PEEPHOLES; }),
            "accepted");

  EXPECT_EQ(
      refused([](C& c) { c.flags = RNN_FLAG_TIED_HEAD; }),
      "embedding_size is 0; with RNN_FLAG_TIED_HEAD it must be 5, the width of the last layer's output");
  EXPECT_EQ(
      refused([](C& c) { c.flags = RNN_FLAG_TIED_HEAD | RNN_FLAG_BIDIRECTIONAL, c.embedding_size = 5; }),
      "embedding_size is 5; with RNN_FLAG_TIED_HEAD it must be 10, the width of the last layer's output");
  EXPECT_EQ(refused([](C& c) { c.flags = RNN_FLAG_TIED_HEAD, c.embedding_size = 5; }),
            "output_size is 2; with RNN_FLAG_TIED_HEAD it must be 3, the input_size");
  EXPECT_EQ(refused([](C& c) { c.flags = RNN_FLAG_TIED_HEAD, c.embedding_size = 5, c.output_size = 3; }),
            "accepted");
  EXPECT_EQ(refused([](C& c) { c.flags = RNN_FLAG_RESIDUAL; }), "accepted");
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
  EXPECT_FALSE(same([](C& c) { c.flags = RNN_FLAG_NO_BIAS; }));
  EXPECT_FALSE(same([](C& c) { c.projection_size = 2; }));
  EXPECT_FALSE(same([](C& c) { c.embedding_size = 2; }));
  EXPECT_FALSE(same([](C& c) { c.skip = 1; }));
  for (std::uint32_t flag = RNN_FLAG_NO_BIAS; flag <= RNN_FLAG_TIED_HEAD; flag *= 2)
    EXPECT_FALSE(same([flag](C& c) { c.flags = flag; })) << flag;
  EXPECT_TRUE(same([](C& c) { c.forget_bias = 1; }));
  EXPECT_FALSE(same([](C& c) { c.initial_state = RNN_INITIAL_FIXED; }));
}

TEST(Config, TheFirstDifferenceIsNamed) {
  const rnn_config_t base = resolve(make_config(3, 5, 2, 2));
  const auto difference = [&](const std::function<void(rnn_config_t&)>& change) -> std::string {
    rnn_config_t other = base;
    change(other);
    try {
      check_same_architecture(base, "rnn", other, "trainer");
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RNN_MISMATCH);
      return error.what();
    }
    return "none";
  };
  using C = rnn_config_t;
  EXPECT_EQ(difference([](C&) {}), "none");
  EXPECT_EQ(difference([](C& c) { c.hidden_size = 16, c.num_layers = 9; }),
            "hidden_size of rnn is 5, and of trainer 16; it must be the same");
  EXPECT_EQ(difference([](C& c) { c.flags = RNN_FLAG_LAYER_NORM; }),
            "RNN_FLAG_LAYER_NORM of rnn is 0, and of trainer 1; it must be the same");
  EXPECT_EQ(difference([](C& c) { c.initial_state = RNN_INITIAL_TRAINED; }),
            "initial_state of rnn is 0, and of trainer 2; both or neither must be stored");
}

}  // namespace
}  // namespace rnn

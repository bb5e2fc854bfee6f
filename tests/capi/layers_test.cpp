// Networks that are lists of layers: names, files, and everything that makes a network of another.
#include "layers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "common.h"
#include "scratch.h"

namespace {

using rnn::reference::text_of;

// Steps or whole sequences of any direction, by turns.
rnn_config_t random_list(uint32_t seed) {
  rnn::reference::ListKind kind;
  kind.whole = seed % 2 == 0;
  kind.widest = 20;
  return rnn::reference::random_list(seed, kind);
}

Data data_of(const rnn_config_t& c, uint32_t seed = 1) {
  const std::vector<size_t> lengths = {4, 1, 7};
  return c.embedding_size != 0 ? index_data(lengths, c.input_size, seed)
                               : float_data(lengths, static_cast<size_t>(c.input_size), seed);
}

// Outputs and states of whole sequences.
Floats run(const Network& network, const Data& data) {
  const size_t frames = data.frames(), outputs = outputs_of(network.get());
  Floats y(frames * outputs), states(frames * state(network).size());
  auto options = sized<rnn_forward_options_t>();
  options.states = states.data();
  const rnn_sequences_t in = data.get();
  EXPECT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  y.insert(y.end(), states.begin(), states.end());
  return y;
}

std::vector<std::string> shapes(const Network& network) {
  std::vector<std::string> result;
  for (const rnn_parameter_t& p : parameters(network.get()))
    result.push_back(p.name + std::string(" ") + std::to_string(p.rows) + " " + std::to_string(p.columns));
  return result;
}
using Shapes = std::vector<std::string>;

TEST(Layers, HaveNamesAndShapes) {
  rnn_config_t c = list(3, {dense_layer(4, RNN_ACTIVATION_PRELU), cell_layer(RNN_CELL_GRU, 5),
                            cell_layer(RNN_CELL_LSTM, 6, RNN_FLAG_LAYER_NORM, RNN_DIRECTION_FORWARD, 2),
                            cell_layer(RNN_CELL_VANILLA, 3, RNN_FLAG_NO_BIAS), dense_layer(2)});
  EXPECT_EQ(shapes(create(c)),
            (Shapes{"layers.0.weight 4 3", "layers.0.bias 4 1", "layers.0.slope 4 1",
                    "layers.1.weight_ih 15 4", "layers.1.weight_hh 15 5", "layers.1.bias_ih 15 1",
                    "layers.1.bias_hn 5 1", "layers.2.weight_ih 24 5", "layers.2.weight_hh 24 2",
                    "layers.2.weight_hr 2 6", "layers.2.bias_ih 24 1", "layers.2.norm_ih 24 1",
                    "layers.2.norm_hh 24 1", "layers.3.weight_ih 3 2", "layers.3.weight_hh 3 3",
                    "layers.4.weight 2 3", "layers.4.bias 2 1"}));
  EXPECT_EQ(state(create(c)).size(), 5u + 2 + 3 + 6);
  EXPECT_EQ(outputs_of(create(c).get()), 2u);

  c = list(3, {cell_layer(RNN_CELL_VANILLA, 2, 0, RNN_DIRECTION_SUM),
               cell_layer(RNN_CELL_VANILLA, 3, 0, RNN_DIRECTION_BOTH),
               cell_layer(RNN_CELL_VANILLA, 4, 0, RNN_DIRECTION_REVERSE)});
  c.initial_state = RNN_INITIAL_FIXED;
  const std::vector<std::string> names = shapes(create(c));
  const std::set<std::string> found(names.begin(), names.end());
  EXPECT_EQ(found.size(), 20u);
  for (const char* name :
       {"layers.0.weight_ih 2 3", "layers.0.weight_ih_reverse 2 3", "layers.0.initial_h_reverse 2 1",
        "layers.1.weight_ih 3 2", "layers.1.bias_ih_reverse 3 1", "layers.2.weight_ih_reverse 4 6",
        "layers.2.weight_hh_reverse 4 4", "layers.2.bias_ih_reverse 4 1", "layers.2.initial_h_reverse 4 1"})
    EXPECT_EQ(found.count(name), 1u) << name;
  EXPECT_EQ(state(create(c)).size(), 2u * 2 + 2 * 3 + 4);
  EXPECT_EQ(outputs_of(create(c).get()), 4u);
}

TEST(Layers, OfDenseAloneHaveNoState) {
  const Network network = create(list(2, {dense_layer(3, RNN_ACTIVATION_RELU), dense_layer(1)}));
  size_t size = 42;
  ASSERT_EQ(rnn_state_size(network.get(), &size), RNN_OK);
  EXPECT_EQ(size, 0u);
  set_parameter(network, "layers.0.weight", {1, 0, 0, 1, -1, -1});
  set_parameter(network, "layers.0.bias", {0, 0.5f, 0});
  set_parameter(network, "layers.1.weight", {1, 10, 100});
  set_parameter(network, "layers.1.bias", {-1});
  const float x[] = {2, -3};
  float y = 0;
  for (int t = 0; t < 2; ++t) {
    ASSERT_EQ(rnn_step(network.get(), x, &y), RNN_OK) << rnn_last_error();
    EXPECT_EQ(y, 2 + 100 - 1);
  }
  EXPECT_EQ(rnn_reset(network.get()), RNN_OK);
  EXPECT_EQ(rnn_get_state(network.get(), &y, 0), RNN_OK) << rnn_last_error();
  EXPECT_EQ(rnn_set_state(network.get(), &y, 0), RNN_OK) << rnn_last_error();
}

// What one cell has to keep during a step, another only may: each has room for its own.
TEST(Layers, KeepNoMoreThanThereIsRoomFor) {
  const int32_t size = 28;
  const Network network =
      create(list(3, {cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESET_BEFORE), dense_layer(size),
                      dense_layer(size, RNN_ACTIVATION_TANH, RNN_FLAG_RESIDUAL),
                      cell_layer(RNN_CELL_GRU, size, RNN_FLAG_RESIDUAL), dense_layer(2)}));
  constexpr size_t kCount = 300, kSteps = 3;  // more than are swept together
  const Data data = float_data(std::vector<size_t>(kCount, kSteps), 3, 1);
  const size_t S = state(network).size();
  Floats y(data.frames() * 2), states(kCount * S);
  auto options = sized<rnn_forward_options_t>();
  options.final_states = states.data();
  const rnn_sequences_t in = data.get();
  ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  Floats step(2);
  for (size_t n = 0; n < kCount; ++n) {
    ASSERT_EQ(rnn_reset(network.get()), RNN_OK);
    for (size_t t = n * kSteps; t < (n + 1) * kSteps; ++t) {
      ASSERT_EQ(rnn_step(network.get(), &data.inputs[3 * t], step.data()), RNN_OK);
      ASSERT_TRUE(same_bits(step, Floats(&y[2 * t], &y[2 * t + 2]))) << "sequence " << n;
    }
    ASSERT_TRUE(same_bits(state(network), Floats(&states[n * S], &states[n * S] + S))) << "sequence " << n;
  }

  const Network first = fork(network), second = fork(network);
  rnn_t* const streams[] = {first.get(), second.get()};
  for (rnn_t* stream : streams) ASSERT_EQ(rnn_reset(stream), RNN_OK);
  Floats both(4);
  for (size_t t = 0; t < kSteps; ++t) {
    Floats x(&data.inputs[3 * t], &data.inputs[3 * t] + 3);
    x.insert(x.end(), &data.inputs[3 * (kSteps + t)], &data.inputs[3 * (kSteps + t)] + 3);
    ASSERT_EQ(rnn_step_many(streams, 2, x.data(), both.data()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(Floats(&both[0], &both[0] + 2), Floats(&y[2 * t], &y[2 * t] + 2))) << t;
  }
}

// U(-1/sqrt(X), 1/sqrt(X)) of a dense layer's X inputs.
TEST(Layers, OfDenseStartAsLinear) {
  const Network network = create(list(100, {dense_layer(50, RNN_ACTIVATION_PRELU), dense_layer(40)}));
  for (const char* name : {"layers.0.weight", "layers.0.bias"}) {
    const Floats values = parameter(network, name);
    float most = 0;
    for (const float value : values) most = std::max(most, std::fabs(value));
    EXPECT_LE(most, 0.1f) << name;
    EXPECT_GT(most, 0.09f) << name;
  }
  EXPECT_EQ(parameter(network, "layers.0.slope"), Floats(50, 0.25f));
  const Floats values = parameter(network, "layers.1.weight");
  EXPECT_NEAR(*std::max_element(values.begin(), values.end()), 1 / std::sqrt(50.0f), 0.002f);
}

// By fan_in = columns and fan_out = rows, as every matrix; biases are zero, but those that begin as matrices do.
TEST(Layers, HaveEveryInitialisation) {
  constexpr float kIn = 60, kOut = 50;
  const float xavier = 6 / (kIn + kOut), kaiming = 6 / kIn;  // of uniform numbers, the square of the largest
  const struct {
    int32_t init;
    float deviation;
    bool biases;
  } cases[] = {{RNN_INIT_PYTORCH, std::sqrt(1 / kIn / 3), true},
               {RNN_INIT_XAVIER_UNIFORM, std::sqrt(xavier / 3), false},
               {RNN_INIT_XAVIER_NORMAL, std::sqrt(xavier / 3), false},
               {RNN_INIT_KAIMING_UNIFORM, std::sqrt(kaiming / 3), false},
               {RNN_INIT_KAIMING_NORMAL, std::sqrt(kaiming / 3), false},
               {RNN_INIT_UNIFORM, 0.5f / std::sqrt(3.0f), true}};
  for (const auto& one : cases) {
    rnn_config_t c = list(60, {dense_layer(50, RNN_ACTIVATION_PRELU), cell_layer(RNN_CELL_GRU, 20),
                               dense_layer(60, RNN_ACTIVATION_TANH), dense_layer(50)});
    c.init = one.init;
    c.recurrent_init = RNN_INIT_IDENTITY;
    if (one.init == RNN_INIT_UNIFORM) c.init_range = 0.5f;
    const Network network = create(c);
    for (const char* name : {"layers.0.weight", "layers.3.weight"}) {
      double squares = 0;
      const Floats values = parameter(network, name);
      for (const float value : values) squares += static_cast<double>(value) * value;
      const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
      EXPECT_NEAR(deviation / one.deviation, 1, 0.05) << name << ", init " << one.init;
    }
    for (const char* name : {"layers.0.bias", "layers.1.bias_ih", "layers.3.bias"}) {
      const Floats values = parameter(network, name);
      EXPECT_EQ(values != Floats(values.size()), one.biases) << name << ", init " << one.init;
    }
    EXPECT_EQ(parameter(network, "layers.0.slope"), Floats(50, 0.25f));
    const Floats recurrent = parameter(network, "layers.1.weight_hh");
    for (size_t i = 0; i < recurrent.size(); ++i)
      EXPECT_EQ(recurrent[i], i / 20 % 20 == i % 20 ? 1.0f : 0.0f);
  }
  rnn_config_t c =
      list(3, {dense_layer(4, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_LSTM, 5), dense_layer(2)});
  const Network without = create(c);
  c.forget_bias = 1;
  const Network with = create(c);
  const Floats a = parameter(without, "layers.1.bias_ih"), b = parameter(with, "layers.1.bias_ih");
  for (size_t i = 0; i < 20; ++i) EXPECT_FLOAT_EQ(b[i], a[i] + (i / 5 == 1 ? 1.0f : 0.0f)) << i;
  c = list(3, {dense_layer(4), dense_layer(2)});
  c.recurrent_init = RNN_INIT_ORTHOGONAL;
  rnn_t* out = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "recurrent_init is 7", rnn_create(&c, &out));
}

TEST(Layers, OfAConfigurationAreCopied) {
  Layers layers = {dense_layer(4, RNN_ACTIVATION_ELU, RNN_FLAG_NO_BIAS), cell_layer(RNN_CELL_GRU, 4)};
  auto c = sized<rnn_config_t>();
  c.input_size = 3;
  c.layers = layers.data();
  c.layer_count = layers.size();
  const Network network = create(c);
  layers.assign(2, rnn_layer_t());
  const rnn_config_t read = config_of(network.get());
  ASSERT_EQ(read.layer_count, 2u);
  EXPECT_EQ(read.cell, 0);
  EXPECT_EQ(read.hidden_size, 0);
  EXPECT_EQ(read.output_size, 0);
  EXPECT_EQ(read.num_layers, 0);
  EXPECT_EQ(read.flags, 0u);
  EXPECT_EQ(read.layers[0].struct_size, sizeof(rnn_layer_t));
  EXPECT_EQ(read.layers[0].kind, RNN_LAYER_DENSE);
  EXPECT_EQ(read.layers[0].size, 4);
  EXPECT_EQ(read.layers[0].activation, RNN_ACTIVATION_ELU);
  EXPECT_EQ(read.layers[0].flags, unsigned{RNN_FLAG_NO_BIAS});
  EXPECT_EQ(read.layers[0].alpha, 1.0f);
  EXPECT_EQ(read.layers[1].kind, RNN_CELL_GRU);
  // What was read creates the same network.
  rnn_config_t again = read;
  EXPECT_TRUE(same_bits(weights(create(again)), weights(network)));
}

// Of elements that a newer rnn.h has made larger.
TEST(Layers, MayBeLarger) {
  struct Larger {
    rnn_layer_t layer;
    int64_t more[2];
  };
  const rnn_config_t c = small_list();
  std::vector<Larger> layers;
  for (size_t l = 0; l < c.layer_count; ++l) {
    layers.push_back({c.layers[l], {0, 0}});
    layers.back().layer.struct_size = sizeof(Larger);
  }
  rnn_config_t larger = c;
  larger.layers = &layers[0].layer;
  EXPECT_TRUE(same_bits(weights(create(larger)), weights(create(c))));
  layers[2].more[1] = 1;
  rnn_t* out = nullptr;
  const std::string text = "layers[2] has the value 1 at byte " + std::to_string(sizeof(rnn_layer_t) + 8);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_create(&larger, &out));
}

// ---- A list that the other fields can say ------------------------------------------------------------

void expect_folds(const rnn_config_t& uniform, const Layers& layers) {
  rnn_config_t c = uniform;
  c.cell = c.hidden_size = c.output_size = c.num_layers = c.projection_size = 0;
  c.flags &= RNN_FLAG_TIED_HEAD;
  c = with_layers(c, layers);
  SCOPED_TRACE(text_of(c));
  const Network a = create(uniform), b = create(c);
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(shapes(a), shapes(b));
  EXPECT_TRUE(same_bits(weights(a), weights(b)));
  const Data data = data_of(uniform);
  EXPECT_TRUE(same_bits(run(a, data), run(b, data)));
  const rnn_config_t x = config_of(a.get()), y = config_of(b.get());
  EXPECT_EQ(y.layers, nullptr);
  EXPECT_EQ(y.layer_count, 0u);
  EXPECT_EQ(x.cell, y.cell);
  EXPECT_EQ(x.hidden_size, y.hidden_size);
  EXPECT_EQ(x.output_size, y.output_size);
  EXPECT_EQ(x.num_layers, y.num_layers);
  EXPECT_EQ(x.projection_size, y.projection_size);
  EXPECT_EQ(x.flags, y.flags);
  EXPECT_EQ(rnn_sync(a.get(), b.get()), RNN_OK) << rnn_last_error();
}

TEST(Layers, ThatAreAStackAreTheStack) {
  expect_folds(config(3, 4, 0), {cell_layer(RNN_CELL_VANILLA, 4)});
  expect_folds(config(3, 4, 2), {cell_layer(RNN_CELL_VANILLA, 4), dense_layer(2)});

  rnn_config_t c = config(3, 4, 2, 3);
  c.cell = RNN_CELL_GRU;
  c.flags = RNN_FLAG_NO_BIAS | RNN_FLAG_RESIDUAL | RNN_FLAG_RESET_BEFORE;
  const uint32_t own = RNN_FLAG_NO_BIAS | RNN_FLAG_RESET_BEFORE, residual = own | RNN_FLAG_RESIDUAL;
  expect_folds(
      c, {cell_layer(RNN_CELL_GRU, 4, own), cell_layer(RNN_CELL_GRU, 4, residual),
          cell_layer(RNN_CELL_GRU, 4, residual), dense_layer(2, RNN_ACTIVATION_NONE, RNN_FLAG_NO_BIAS)});

  c = config(6, 5, 6, 2);
  c.cell = RNN_CELL_LSTM;
  c.projection_size = 3;
  c.embedding_size = 6;
  c.forget_bias = 1;
  c.initial_state = RNN_INITIAL_TRAINED;
  c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_LAYER_NORM | RNN_FLAG_TIED_HEAD;
  const rnn_layer_t both = cell_layer(RNN_CELL_LSTM, 5, RNN_FLAG_LAYER_NORM, RNN_DIRECTION_BOTH, 3);
  expect_folds(c, {both, both, dense_layer(6)});

  c = config(3, 4, 2, 64);
  expect_folds(c, [] {
    Layers layers(64, cell_layer(RNN_CELL_VANILLA, 4));
    layers.push_back(dense_layer(2));
    return layers;
  }());
}

// And nearly: what one layer has is not what all have.
TEST(Layers, ThatAreNoStackKeepTheirNames) {
  const rnn_layer_t cell = cell_layer(RNN_CELL_GRU, 4);
  const Layers cases[] = {{cell, cell_layer(RNN_CELL_GRU, 5)},
                          {cell, cell_layer(RNN_CELL_LSTM, 4)},
                          {cell, cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_NO_BIAS)},
                          {cell, cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_BOTH)},
                          {cell, cell, cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL)},
                          {cell, cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL), cell},
                          {cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_REVERSE)},
                          {cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_SUM)},
                          {cell, dense_layer(2, RNN_ACTIVATION_TANH)},
                          {cell, dense_layer(4, RNN_ACTIVATION_NONE, RNN_FLAG_RESIDUAL)},
                          {cell, dense_layer(2, RNN_ACTIVATION_NONE, RNN_FLAG_NO_BIAS)},
                          {cell, dense_layer(2), dense_layer(2)},
                          {dense_layer(2)},
                          {dense_layer(3), dense_layer(2)},
                          Layers(65, cell)};
  for (const Layers& layers : cases) {
    const rnn_config_t c = list(3, layers);
    SCOPED_TRACE(text_of(c));
    const Network network = create(c);
    ASSERT_NE(network, nullptr);
    EXPECT_EQ(config_of(network.get()).layer_count, layers.size());
    EXPECT_EQ(std::string(parameters(network.get()).front().name).rfind("layers.0.", 0), 0u);
    const std::string last = "layers." + std::to_string(layers.size() - 1) + ".";
    EXPECT_EQ(std::string(parameters(network.get()).back().name).rfind(last, 0), 0u);
  }
}

// ---- What makes a network of another -----------------------------------------------------------------

TEST(Layers, ForksAndClonesGoOnAlike) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    const rnn_config_t c = random_list(seed);
    SCOPED_TRACE(text_of(c));
    const Network network = create(c);
    if (rnn::reference::can_step(c)) {
      ASSERT_EQ(rnn_step_index(network.get(), 0, nullptr), RNN_OK) << rnn_last_error();
    }
    const Network forked = fork(network), cloned = clone(network);
    const Data data = data_of(c);
    const Floats expected = run(network, data);
    for (const Network* other : {&forked, &cloned}) {
      EXPECT_TRUE(same_bits(state(*other), state(network)));
      EXPECT_TRUE(same_bits(weights(*other), weights(network)));
      EXPECT_TRUE(same_bits(run(*other, data), expected));
      EXPECT_EQ(text_of(config_of(other->get())), text_of(config_of(network.get())));
    }
    // Whose weights change has a copy.
    const rnn_parameter_t first = parameters(network.get())[0];
    set_parameter(forked, first.name, numbers(first.rows * first.columns, 9));
    EXPECT_TRUE(same_bits(run(network, data), expected));
    ASSERT_EQ(rnn_sync(network.get(), forked.get()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(run(network, data), run(forked, data)));
  }
}

TEST(Layers, OfAnotherArchitectureDoNotSync) {
  const Network network = create(small_list());
  const auto expect_mismatch = [&](size_t layer, auto change, const char* text) {
    const rnn_config_t c = small_list();
    Layers layers(c.layers, c.layers + c.layer_count);
    change(layers[layer]);
    EXPECT_FAILS(RNN_MISMATCH, text, rnn_sync(network.get(), create(list(3, layers)).get()));
  };
  expect_mismatch(
      3, [](auto& l) { l.size = 6; }, "layers[3].size of stream is 5, and of source 6");
  expect_mismatch(
      0, [](auto& l) { l.activation = RNN_ACTIVATION_SWISH; },
      "layers[0].activation of stream is 1, and of source 10");
  expect_mismatch(
      1, [](auto& l) { l.flags = 0; }, "layers[1].flags of stream is 16, and of source 0");
  expect_mismatch(
      2, [](auto& l) { l = cell_layer(RNN_CELL_LSTM, 4); }, "layers[2].kind of stream is 1");
  expect_mismatch(
      0, [](auto& l) { l = dense_layer(4, RNN_ACTIVATION_ELU, 0, 0.5f); }, "layers[0].activation");
  expect_mismatch(
      2, [](auto& l) { l.direction = RNN_DIRECTION_REVERSE; }, "layers[2].direction");
  expect_mismatch(
      2, [](auto& l) { l.zoneout_h = 0.5f; }, "layers[2].zoneout_h of stream is 0, and of source 0.5");
  const rnn_config_t same = small_list();
  Layers longer(same.layers, same.layers + same.layer_count);
  longer.push_back(dense_layer(5));
  EXPECT_FAILS(RNN_MISMATCH, "layer_count of stream is 4, and of source 5",
               rnn_sync(network.get(), create(list(3, longer)).get()));
  // A default that is written out is the same.
  const rnn_config_t a = list(3, {dense_layer(2, RNN_ACTIVATION_ELU)}),
                     b = list(3, {dense_layer(2, RNN_ACTIVATION_ELU, 0, 1.0f)}),
                     c = list(3, {dense_layer(2, RNN_ACTIVATION_ELU, 0, 2.0f)});
  EXPECT_EQ(rnn_sync(create(a).get(), create(b).get()), RNN_OK) << rnn_last_error();
  EXPECT_FAILS(RNN_MISMATCH, "layers[0].alpha of stream is 1, and of source 2",
               rnn_sync(create(a).get(), create(c).get()));
  EXPECT_FAILS(RNN_MISMATCH, "", rnn_sync(network.get(), create(config(3, 4, 5)).get()));
  EXPECT_FAILS(RNN_MISMATCH, "", rnn_sync(create(config(3, 4, 5)).get(), network.get()));
}

TEST(Layers, ComeBackFromFilesToTheBit) {
  const struct {
    int32_t format;
    const char* name;
  } formats[] = {{RNN_FORMAT_SAFETENSORS, "list.safetensors"}, {RNN_FORMAT_BINARY, "list.rnn"}};
  for (uint32_t seed = 1; seed <= 24; ++seed) {
    const rnn_config_t c = random_list(seed);
    SCOPED_TRACE(text_of(c));
    const Network network = create(c);
    ASSERT_EQ(rnn_set_metadata(network.get(), "rate", "48000"), RNN_OK);
    for (const rnn_parameter_t& p : parameters(network.get()))
      if (p.columns == 1) set_parameter(network, p.name, numbers(p.rows, seed));
    for (const auto& format : formats) {
      const std::string path = scratch_path(format.name);
      ASSERT_EQ(rnn_save(network.get(), path.c_str()), RNN_OK) << rnn_last_error();
      rnn_t* out = nullptr;
      const rnn_status_t status = rnn_load(path.c_str(), nullptr, &out);
      std::remove(path.c_str());
      ASSERT_EQ(status, RNN_OK) << rnn_last_error();
      const Network loaded(out);
      EXPECT_EQ(shapes(loaded), shapes(network));
      EXPECT_TRUE(same_bits(weights(loaded), weights(network)));
      EXPECT_EQ(text_of(config_of(out)), text_of(config_of(network.get())));
      EXPECT_EQ(config_of(out).flags, config_of(network.get()).flags);
      const Data data = data_of(c);
      EXPECT_TRUE(same_bits(run(loaded, data), run(network, data)));
      char value[8];
      size_t size = 0;
      ASSERT_EQ(rnn_get_metadata(out, "rate", value, sizeof value, &size), RNN_OK);
      EXPECT_STREQ(value, "48000");
      EXPECT_EQ(rnn_sync(network.get(), out), RNN_OK) << rnn_last_error();
    }
  }
}

TEST(Layers, ConvertToOtherNumbers) {
  int different = 0;
  for (const int32_t compute : {RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST}) {
    for (uint32_t seed = 1; seed <= 40; ++seed) {
      const rnn_config_t c = random_list(seed);
      SCOPED_TRACE(text_of(c));
      const Network floats = create(c);
      rnn_t* out = nullptr;
      ASSERT_EQ(rnn_convert(floats.get(), compute, &out), RNN_OK) << rnn_last_error();
      const Network network(out);
      EXPECT_TRUE(same_bits(weights(network), weights(floats)));
      EXPECT_EQ(config_of(out).compute, compute);
      EXPECT_EQ(text_of(config_of(out)), text_of(config_of(floats.get())));
      const Data data = data_of(c);
      const Floats expected = run(floats, data), y = run(network, data);
      float difference = 0, most = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        difference = std::max(difference, std::fabs(y[i] - expected[i]));
        most = std::max(most, std::fabs(expected[i]));
      }
      different += difference > 0;
      bool norm = false;
      for (size_t l = 0; l < c.layer_count; ++l) norm |= (c.layers[l].flags & RNN_FLAG_LAYER_NORM) != 0;
      EXPECT_LT(difference, (norm ? 0.5f : 0.1f) * std::max(most, 0.1f));
      // The same bits alone and together.
      if (!rnn::reference::can_step(c)) continue;
      const size_t outputs = outputs_of(out);
      const Network a = fork(network), b = fork(network);
      rnn_t* streams[] = {a.get(), b.get()};
      const int32_t index[] = {0, 0};
      Floats both(2 * outputs), alone(outputs);
      ASSERT_EQ(rnn_step_index(out, 0, alone.data()), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_step_many_index(streams, 2, index, both.data()), RNN_OK) << rnn_last_error();
      EXPECT_TRUE(
          same_bits(Floats(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(outputs)), alone));
      EXPECT_TRUE(same_bits(state(a), state(network)));
      EXPECT_TRUE(same_bits(state(b), state(network)));
    }
  }
  EXPECT_GT(different, 60);
}

// ---- Feeding outputs back ----------------------------------------------------------------------------

// A network's part that begins with layer `first`.
Network part_of(const Network& whole, int32_t inputs, const Layers& layers, size_t first) {
  Network part = create(list(inputs, layers));
  for (const rnn_parameter_t& p : parameters(part.get())) {
    const std::string name = p.name, rest = name.substr(name.find('.', 7));
    const size_t layer = first + std::stoul(name.substr(7));
    Floats values(p.rows * p.columns);
    const std::string from = "layers." + std::to_string(layer) + rest;
    EXPECT_EQ(rnn_get_parameter(whole.get(), from.c_str(), values.data(), values.size()), RNN_OK) << from;
    EXPECT_EQ(rnn_set_parameter(part.get(), p.name, values.data(), values.size()), RNN_OK) << name;
  }
  return part;
}

Floats pooled(const Network& network, Data data, int32_t pooling) {
  Floats y(data.lengths.size() * outputs_of(network.get()));
  auto options = sized<rnn_forward_options_t>();
  options.pooling = pooling;
  const rnn_sequences_t in = data.get();
  EXPECT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  return y;
}

// What the last cell or convolution gives is pooled, and the layers behind it read that.
TEST(Layers, OfDenseAtTheEndReadWhatIsPooled) {
  const Layers behind = {dense_layer(6, RNN_ACTIVATION_RELU),
                         dense_layer(6, RNN_ACTIVATION_TANH, RNN_FLAG_RESIDUAL), dense_layer(2)};
  rnn_layer_t convolution = dense_layer(5, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = convolution.dilation = 1;
  const rnn_layer_t first = dense_layer(4, RNN_ACTIVATION_TANH);
  for (const Layers& before :
       {Layers{first, cell_layer(RNN_CELL_GRU, 3, 0, RNN_DIRECTION_BOTH)},
        Layers{first, cell_layer(RNN_CELL_LSTM, 3), convolution}, Layers{convolution}}) {
    Layers all = before;
    all.insert(all.end(), behind.begin(), behind.end());
    const Network whole = create(list(3, all));
    const Network front = part_of(whole, 3, before, 0);
    const auto width = static_cast<int32_t>(outputs_of(front.get()));
    const Network rest = part_of(whole, width, behind, before.size());
    Data data = data_of(list(3, all));
    data.resets.resize(data.frames());
    data.resets[7] = 1;
    for (const int32_t pooling : {RNN_POOLING_LAST, RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
      const Floats x = pooled(front, data, pooling), y = pooled(whole, data, pooling);
      for (size_t n = 0; n < data.lengths.size(); ++n) {
        Floats expected(2);
        ASSERT_EQ(rnn_step(rest.get(), &x[n * static_cast<size_t>(width)], expected.data()), RNN_OK);
        EXPECT_TRUE(same_bits(expected, {y[2 * n], y[2 * n + 1]}))
            << text_of(list(3, all)) << ", " << pooling;
      }
    }
  }
}

// Where all layers are dense, it is those of the last one before the head.
TEST(Layers, OfDenseAloneArePooledBeforeTheHead) {
  const Layers all = {dense_layer(4, RNN_ACTIVATION_TANH), dense_layer(5, RNN_ACTIVATION_RELU),
                      dense_layer(2)};
  const Network whole = create(list(3, all));
  const Network front = part_of(whole, 3, {all[0], all[1]}, 0);
  const Data data = data_of(list(3, all));
  const Floats x = pooled(front, data, RNN_POOLING_MAX), y = pooled(whole, data, RNN_POOLING_MAX);
  Floats weight(10), bias(2);
  ASSERT_EQ(rnn_get_parameter(whole.get(), "layers.2.weight", weight.data(), 10), RNN_OK);
  ASSERT_EQ(rnn_get_parameter(whole.get(), "layers.2.bias", bias.data(), 2), RNN_OK);
  for (size_t n = 0; n < data.lengths.size(); ++n)
    for (size_t i = 0; i < 2; ++i) {
      float sum = bias[i];
      for (size_t j = 0; j < 5; ++j) sum += weight[i * 5 + j] * x[n * 5 + j];
      EXPECT_NEAR(y[n * 2 + i], sum, 1e-6);
    }
}

TEST(Layers, GenerateAndRollOut) {
  for (const int32_t activation : {RNN_ACTIVATION_NONE, RNN_ACTIVATION_SOFTMAX}) {
    const Network network =
        create(list(6, {dense_layer(5, RNN_ACTIVATION_GELU), cell_layer(RNN_CELL_LSTM, 7),
                        cell_layer(RNN_CELL_GRU, 7, RNN_FLAG_RESIDUAL), dense_layer(6, activation)}));
    const Network stream = fork(network), other = fork(network);
    const std::vector<int32_t> prompt = {3, 1};
    auto options = sized<rnn_generate_options_t>();
    options.prompt = prompt.data();
    options.prompt_count = prompt.size();
    options.greedy = 1;
    std::vector<int32_t> drawn(8);
    size_t written = 0;
    ASSERT_EQ(rnn_generate(network.get(), &options, drawn.data(), drawn.size(), &written), RNN_OK)
        << rnn_last_error();
    EXPECT_EQ(written, drawn.size());
    Floats y(6);
    for (const int32_t index : prompt) ASSERT_EQ(rnn_step_index(stream.get(), index, y.data()), RNN_OK);
    for (size_t t = 0; t < drawn.size(); ++t) {
      EXPECT_EQ(drawn[t], std::max_element(y.begin(), y.end()) - y.begin());
      if (t + 1 < drawn.size()) {
        ASSERT_EQ(rnn_step_index(stream.get(), drawn[t], y.data()), RNN_OK);
      }
    }
    EXPECT_TRUE(same_bits(state(network), state(stream)));

    Floats x = numbers(6), rolled(5 * 6), expected;
    ASSERT_EQ(rnn_rollout(network.get(), x.data(), 5, rolled.data()), RNN_OK) << rnn_last_error();
    for (int t = 0; t < 5; ++t) {
      ASSERT_EQ(rnn_step(stream.get(), x.data(), y.data()), RNN_OK);
      expected.insert(expected.end(), y.begin(), y.end());
      x = y;
    }
    EXPECT_TRUE(same_bits(rolled, expected));
  }
}

}  // namespace

// The reference itself, against numbers worked out by hand: everything else is compared with it.
#include "reference_test.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace rnn::reference {
namespace {

// One layer, I = 2, H = 1, O = 2.
Network small() {
  Network network;
  network.inputs = 2;
  network.layers = {cell(RNN_CELL_VANILLA, 1), dense(2)};
  network.parameters = {{"weight_ih_l0", {0.5, -1}}, {"weight_hh_l0", {2}},   {"bias_ih_l0", {0.25}},
                        {"head.weight", {1, -2}},    {"head.bias", {0.5, 0}}, {"initial_h_l0", {0.125}}};
  return network;
}

TEST(Reference, StepsByHand) {
  const Network network = small();
  Sequences sequences;
  sequences.lengths = {2, 1};
  sequences.inputs = {1, 0, 0, 1, 2, 2};
  const Pass pass = forward(network, sequences);
  const double h0 = std::tanh(0.5 + 2 * 0.125 + 0.25);
  const double h1 = std::tanh(-1 + 2 * h0 + 0.25);
  const double h2 = std::tanh(1 - 2 + 2 * 0.125 + 0.25);
  expect_near(pass.states, {h0, h1, h2});
  expect_near(pass.final_states, {h1, h2});
  expect_near(pass.outputs, {h0 + 0.5, -2 * h0, h1 + 0.5, -2 * h1, h2 + 0.5, -2 * h2});

  sequences.inputs.clear();
  sequences.indices = {0, 1, 1};
  sequences.resets = {0, 1, 0};
  sequences.initial_states = {-1, 0};
  const double a = std::tanh(0.5 - 2 + 0.25);
  const double b = std::tanh(-1 + 2 * 0.125 + 0.25);  // the reset leads to initial_h, not to the state given
  const double c = std::tanh(-1 + 0.25);
  expect_near(forward(network, sequences).states, {a, b, c});
}

TEST(Reference, LayersReadTheLayerBelowAtTheSameStep) {
  Network network = small();
  network.layers = {cell(RNN_CELL_VANILLA, 1), cell(RNN_CELL_VANILLA, 1)};
  network.parameters["weight_ih_l1"] = {3};
  network.parameters["weight_hh_l1"] = {-1};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {1, 0, 0, 1};
  const Pass pass = forward(network, sequences);
  const double h0 = std::tanh(1.0), h1 = std::tanh(-0.75 + 2 * h0);
  const double g0 = std::tanh(3 * h0), g1 = std::tanh(3 * h1 - g0);
  expect_near(pass.states, {h0, g0, h1, g1});
  expect_near(pass.outputs, {g0, g1});
  expect_near(pass.final_states, {h1, g1});
}

// I = H = 1; every gate with its own numbers, so that another order of the gates shows.
TEST(Reference, GruByHand) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_GRU, 1)};
  network.parameters = {{"weight_ih_l0", {0.5, -1, 2}},
                        {"weight_hh_l0", {1.5, 0.25, -3}},
                        {"bias_ih_l0", {0.1, -0.2, 0.3}},
                        {"bias_hn_l0", {0.7}},
                        {"initial_h_l0", {-0.5}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.8};
  const double r = sigmoid(0.4 - 0.75 + 0.1);
  const double z = sigmoid(-0.8 - 0.125 - 0.2);
  const double after = std::tanh(1.6 + 0.3 + r * (1.5 + 0.7));
  expect_near(forward(network, sequences).outputs, {(1 - z) * after - 0.5 * z});

  network.layers[0].flags = RNN_FLAG_RESET_BEFORE;
  network.parameters.erase("bias_hn_l0");
  const double before = std::tanh(1.6 + 0.3 - 3 * (r * -0.5));
  expect_near(forward(network, sequences).outputs, {(1 - z) * before - 0.5 * z});
}

// With two units the variants differ in more than where r stands: r scales the units before W_hn mixes them.
TEST(Reference, GruMixesUnitsAfterTheReset) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_GRU, 2, RNN_FLAG_RESET_BEFORE)};
  network.parameters = {{"weight_ih_l0", {1, -1, 0, 0, 0, 0}},
                        {"weight_hh_l0", {0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0}},
                        {"initial_h_l0", {0.25, 0.5}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {1};
  expect_near(forward(network, sequences).outputs,
              {(std::tanh(2 * sigmoid(-1) * 0.5) + 0.25) / 2, (std::tanh(3 * sigmoid(1) * 0.25) + 0.5) / 2});
}

Network small_lstm() {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_LSTM, 1)};
  network.parameters = {{"weight_ih_l0", {0.5, -1, 2, 0.75}},
                        {"weight_hh_l0", {1.5, 0.25, -3, 1}},
                        {"bias_ih_l0", {0.1, -0.2, 0.3, 0.4}},
                        {"initial_h_l0", {-0.5}},
                        {"initial_c_l0", {0.6}}};
  return network;
}

TEST(Reference, LstmByHand) {
  Network network = small_lstm();
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.8};
  const double i = sigmoid(0.4 - 0.75 + 0.1);
  const double f = sigmoid(-0.8 - 0.125 - 0.2);
  const double g = std::tanh(1.6 + 1.5 + 0.3);
  const double o = sigmoid(0.6 - 0.5 + 0.4);
  const double c = f * 0.6 + i * g;
  const double h = o * std::tanh(c);
  const Pass pass = forward(network, sequences);
  expect_near(pass.outputs, {h});
  expect_near(pass.states, {h, c});
  expect_near(pass.final_states, {h, c});

  sequences.initial_states = {-0.5, -2};
  expect_near(forward(network, sequences).states, {o * std::tanh(-2 * f + i * g), -2 * f + i * g});
}

// i and f read the cell before the step, o the one behind it.
TEST(Reference, PeepholesByHand) {
  Network network = small_lstm();
  network.layers[0].flags = RNN_FLAG_PEEPHOLES;
  network.parameters["peephole_i_l0"] = {0.3};
  network.parameters["peephole_f_l0"] = {-0.7};
  network.parameters["peephole_o_l0"] = {2};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.8};
  sequences.initial_states = {-0.5, -2};
  const double i = sigmoid(0.4 - 0.75 + 0.1 - 0.6), f = sigmoid(-0.8 - 0.125 - 0.2 + 1.4);
  const double c = f * -2 + i * std::tanh(1.6 + 1.5 + 0.3);
  const double h = sigmoid(0.6 - 0.5 + 0.4 + 2 * c) * std::tanh(c);
  expect_near(forward(network, sequences).states, {h, c});
}

TEST(Reference, CoupledGatesByHand) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_LSTM, 1, RNN_FLAG_COUPLED_GATES)};
  network.parameters = {
      {"weight_ih_l0", {0.5, 2, 0.75}}, {"weight_hh_l0", {1.5, -3, 1}}, {"bias_ih_l0", {0.1, 0.3, 0.4}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.8};
  sequences.initial_states = {-0.5, -2};
  const double i = sigmoid(0.4 - 0.75 + 0.1), g = std::tanh(1.6 + 1.5 + 0.3);
  const double c = (1 - i) * -2 + i * g;
  expect_near(forward(network, sequences).states, {sigmoid(0.6 - 0.5 + 0.4) * std::tanh(c), c});

  network.layers[0].flags |= RNN_FLAG_PEEPHOLES;
  network.parameters["peephole_i_l0"] = {0.3};
  network.parameters["peephole_o_l0"] = {2};
  const double j = sigmoid(0.4 - 0.75 + 0.1 - 0.6), d = (1 - j) * -2 + j * g;
  expect_near(forward(network, sequences).states, {sigmoid(0.6 - 0.5 + 0.4 + 2 * d) * std::tanh(d), d});
}

TEST(Reference, MinGruByHand) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_MIN_GRU, 2)};
  network.parameters = {{"weight_ih_l0", {1, 2, -1, 3}}, {"bias_ih_l0", {0.5, 0, 0.25, 1}}};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {0.5, -2};
  sequences.initial_states = {-1, 4};
  const double z0 = sigmoid(0.5 + 0.5), z1 = sigmoid(1);
  const double a0 = (1 - z0) * -1 + z0 * sigmoid(-0.5 + 0.25);
  const double a1 = (1 - z1) * 4 + z1 * (1.5 + 1 + 0.5);
  const double b0 = (1 - sigmoid(-1.5)) * a0 + sigmoid(-1.5) * (2 + 0.25 + 0.5);
  const double b1 = (1 - sigmoid(-4)) * a1 + sigmoid(-4) * sigmoid(-6 + 1);
  expect_near(forward(network, sequences).outputs, {a0, a1, b0, b1});
}

TEST(Reference, MinLstmByHand) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_MIN_LSTM, 1)};
  network.parameters = {{"weight_ih_l0", {1, -2, 3}}, {"bias_ih_l0", {0.5, 0, 0.25}}};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {0.5, -2};
  sequences.initial_states = {-1};
  const double f0 = sigmoid(1), i0 = sigmoid(-1), f1 = sigmoid(-1.5), i1 = sigmoid(4);
  const double a = (f0 * -1 + i0 * (1.75 + 0.5)) / (f0 + i0);
  const double b = (f1 * a + i1 * sigmoid(-5.75)) / (f1 + i1);
  expect_near(forward(network, sequences).outputs, {a, b});
}

// Two units projected to one: W_hh reads the projected h, c keeps its width, and the state is h, then c.
TEST(Reference, ProjectionByHand) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_LSTM, 2)};
  network.layers[0].projection = 1;
  network.parameters = {{"weight_ih_l0", {9, 9, -9, -9, 1, 2, 9, 9}},
                        {"weight_hh_l0", {0, 0, 0, 0, 3, -1, 0, 0}},
                        {"weight_hr_l0", {0.5, -2}}};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {1, 1};
  const Pass pass = forward(network, sequences);
  const double s = sigmoid(9);
  const double c0 = s * std::tanh(1.0), c1 = s * std::tanh(2.0);
  const double h = 0.5 * s * std::tanh(c0) - 2 * s * std::tanh(c1);
  const double e0 = sigmoid(-9) * c0 + s * std::tanh(1 + 3 * h), e1 = sigmoid(-9) * c1 + s * std::tanh(2 - h);
  const double k = 0.5 * s * std::tanh(e0) - 2 * s * std::tanh(e1);
  expect_near(pass.outputs, {h, k});
  expect_near(pass.states, {h, c0, c1, k, e0, e1});
}

TEST(Reference, Relu) {
  Network network = small();
  network.layers = {cell(RNN_CELL_VANILLA, 1, RNN_FLAG_RELU)};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {1, 0, 0, 3};
  expect_near(forward(network, sequences).outputs, {1, 0});  // 0.5 + 2 * 0.125 + 0.25; -3 + 2 + 0.25
}

TEST(Reference, LayerNormByHand) {
  // Mean 2, variance 2.
  const double d = std::sqrt(2 + 1e-5);
  expect_near(layer_norm({1, 4, 1}, {1, 2, -1}), {-1 / d, 2 * (2 / d), 1 / d});

  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_VANILLA, 2, RNN_FLAG_LAYER_NORM)};
  network.parameters = {{"weight_ih_l0", {3, 1}}, {"weight_hh_l0", {0, 2, 0, 0}}, {"bias_ih_l0", {0.5, -1}},
                        {"norm_ih_l0", {2, 3}},   {"norm_hh_l0", {5, 7}},         {"initial_h_l0", {0, 1}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {1};
  // W_ih x = [3, 1] and W_hh h = [2, 0], each with deviation 1; the bias comes after.
  const double n = 1 / std::sqrt(1 + 1e-5);
  expect_near(forward(network, sequences).outputs,
              {std::tanh(2 * n + 0.5 + 5 * n), std::tanh(-3 * n - 1 - 7 * n)});
}

Sequences ragged() {
  Sequences sequences;
  sequences.lengths = {3, 1, 2};
  sequences.inputs = {0.1, -0.7, 0.9, 0.4, -0.3, 0.6};
  return sequences;
}

// A backward strand is a forward network on reversed data, its initial state at the end; a reset before step
// t is one after it for those who come from the end.
TEST(Reference, BackwardStrandReadsReversedData) {
  Network both = small_lstm();
  Network backward = small_lstm();
  for (const auto& [name, values] : small_lstm().parameters) {
    Vector other = values;
    for (double& value : other) value = 0.3 - 0.8 * value;
    both.parameters[name + "_reverse"] = other;
    backward.parameters[name] = other;
  }
  both.layers[0].direction = RNN_DIRECTION_BOTH;

  Sequences sequences = ragged();
  sequences.resets = {0, 0, 1, 0, 1, 0};
  sequences.initial_states = {1, 2, 3, 4,  5,  6,
                              7, 8, 9, 10, 11, 12};  // h, h reverse, c, c reverse of each sequence
  const Pass pass = forward(both, sequences);

  Sequences ahead = sequences, reversed = sequences;
  ahead.initial_states = {1, 3, 5, 7, 9, 11};
  reversed.inputs = {0.9, -0.7, 0.1, 0.4, 0.6, -0.3};
  reversed.resets = {0, 1, 0, 0, 0, 0};
  reversed.initial_states = {2, 4, 6, 8, 10, 12};
  const Pass a = forward(small_lstm(), ahead), b = forward(backward, reversed);
  const std::size_t mirror[] = {2, 1, 0, 3, 5, 4};
  for (std::size_t t = 0; t < 6; ++t) {
    const std::size_t m = mirror[t];
    expect_near({pass.outputs[2 * t], pass.outputs[2 * t + 1]}, {a.outputs[t], b.outputs[m]});
    for (std::size_t part = 0; part < 2; ++part)
      expect_near({pass.states[4 * t + 2 * part], pass.states[4 * t + 2 * part + 1]},
                  {a.states[2 * t + part], b.states[2 * m + part]});
  }
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t part = 0; part < 2; ++part)
      expect_near({pass.final_states[4 * n + 2 * part], pass.final_states[4 * n + 2 * part + 1]},
                  {a.final_states[2 * n + part], b.final_states[2 * n + part]});
}

TEST(Reference, LayersReadBothDirections) {
  Network network;
  network.inputs = 1;
  network.layers = {cell(RNN_CELL_VANILLA, 1), cell(RNN_CELL_VANILLA, 1)};
  for (Layer& layer : network.layers) layer.direction = RNN_DIRECTION_BOTH;
  network.parameters = {{"weight_ih_l0", {1}},
                        {"weight_hh_l0", {0}},
                        {"weight_ih_l0_reverse", {2}},
                        {"weight_hh_l0_reverse", {0}},
                        {"weight_ih_l1", {3, 4}},
                        {"weight_hh_l1", {0}},
                        {"weight_ih_l1_reverse", {5, 6}},
                        {"weight_hh_l1_reverse", {0}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.5};
  const double f = std::tanh(0.5), b = std::tanh(1.0);
  const double g = std::tanh(3 * f + 4 * b), c = std::tanh(5 * f + 6 * b);
  expect_near(forward(network, sequences).outputs, {g, c});
  expect_near(forward(network, sequences).states, {f, b, g, c});

  // The sum is what the head reads; the state is that of the cell.
  network.layers[1].flags |= RNN_FLAG_RESIDUAL;
  expect_near(forward(network, sequences).outputs, {g + f, c + b});
  expect_near(forward(network, sequences).states, {f, b, g, c});

  // Both the weights and the residual connection of layer 1 read what dropout leaves.
  network.dropout = [](std::size_t layer, std::size_t, std::size_t column) {
    return layer == 0 && column == 0 ? 0.0 : 2.0;
  };
  expect_near(forward(network, sequences).outputs, {std::tanh(8 * b), std::tanh(12 * b) + 2 * b});
}

// What the head reads is dropped, not what the layer carries on; pooled, it is that of each sequence.
TEST(Reference, OutputDropoutByHand) {
  Network network;
  network.inputs = 1;
  network.layers.resize(2);
  network.layers[0].size = 2;
  network.layers[1].kind = RNN_LAYER_DENSE;
  network.layers[1].size = 1;
  network.parameters = {{"weight_ih_l0", {1, 2}}, {"weight_hh_l0", {0, 0, 0, 0}}, {"head.weight", {3, 5}}};
  Sequences sequences;
  sequences.lengths = {1, 2};
  sequences.inputs = {0.5, 0.25, -1};
  network.output_dropout = [](std::size_t row, std::size_t column) {
    return column == 0 ? 0.0 : static_cast<double>(row + 2);
  };
  const auto y = [](double x, double factor) { return 5 * factor * std::tanh(2 * x); };
  Pass pass = forward(network, sequences);
  expect_near(pass.outputs, {y(0.5, 2), y(0.25, 3), y(-1, 4)});
  expect_near(pass.states, {std::tanh(0.5), std::tanh(1.0), std::tanh(0.25), std::tanh(0.5), std::tanh(-1.0),
                            std::tanh(-2.0)});
  sequences.pooling = RNN_POOLING_LAST;
  expect_near(forward(network, sequences).pooled, {y(0.5, 2), y(-1, 3)});
}

TEST(Reference, PoolingByHand) {
  Network network = small_lstm();
  network.layers[0].direction = RNN_DIRECTION_BOTH;
  for (const auto& [name, values] : small_lstm().parameters) network.parameters[name + "_reverse"] = values;
  Sequences sequences = ragged();
  sequences.resets = {0, 1, 0, 0, 0, 0};  // the first sequence's last segment: steps 1 and 2
  const Vector y = forward(network, sequences).outputs;
  EXPECT_TRUE(forward(network, sequences).pooled.empty());

  sequences.pooling = RNN_POOLING_LAST;
  expect_near(forward(network, sequences).pooled, {y[4], y[3], y[6], y[7], y[10], y[9]});
  expect_near(forward(network, sequences).outputs, y);
  sequences.pooling = RNN_POOLING_MEAN;
  expect_near(forward(network, sequences).pooled,
              {(y[2] + y[4]) / 2, (y[3] + y[5]) / 2, y[6], y[7], (y[8] + y[10]) / 2, (y[9] + y[11]) / 2});
  sequences.pooling = RNN_POOLING_MAX;
  expect_near(forward(network, sequences).pooled, {std::max(y[2], y[4]), std::max(y[3], y[5]), y[6], y[7],
                                                   std::max(y[8], y[10]), std::max(y[9], y[11])});
}

TEST(Reference, EmbeddingAndTiedHead) {
  Network network;
  network.inputs = 3;
  network.embedding = 2;
  network.layers = {cell(RNN_CELL_VANILLA, 2), dense(3)};
  network.tied = true;
  network.parameters = {{"embedding.weight", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}},
                        {"weight_ih_l0", {1, 2, 3, 4}},
                        {"weight_hh_l0", {0, 0, 0, 0}},
                        {"head.bias", {1, 2, 3}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.indices = {1};
  const double a = std::tanh(0.3 + 0.8), b = std::tanh(0.9 + 1.6);
  expect_near(forward(network, sequences).outputs,
              {0.1 * a + 0.2 * b + 1, 0.3 * a + 0.4 * b + 2, 0.5 * a + 0.6 * b + 3});

  // Its gradient has both parts: of what is read, of what the head does with it.
  sequences.targets = {0, 0, 0};
  const Vector g = gradients(network, sequences, RNN_LOSS_SQUARED_ERROR).at("embedding.weight");
  const Vector y = forward(network, sequences).outputs;
  EXPECT_NEAR(g[0], 2 * y[0] * a / 3, 1e-8);
  const double d_a = 2 * (y[0] * 0.1 + y[1] * 0.3 + y[2] * 0.5) / 3 * (1 - a * a);
  const double d_b = 2 * (y[0] * 0.2 + y[1] * 0.4 + y[2] * 0.6) / 3 * (1 - b * b);
  EXPECT_NEAR(g[2], 2 * y[1] * a / 3 + 1 * d_a + 3 * d_b, 1e-8);
}

TEST(Reference, LossesByHand) {
  Network network = small();
  Sequences sequences;
  sequences.lengths = {2, 1};
  sequences.inputs = {1, 0, 0, 1, 2, 2};
  sequences.classes = {0, 1, 1};
  sequences.targets = {1, 0, 0, 1, 1, 1};
  sequences.weights = {1, 0, 3};
  const Vector y = forward(network, sequences).outputs;
  const auto log_p = [&](std::size_t m, std::size_t c) {
    return y[2 * m + c] - std::log(std::exp(y[2 * m]) + std::exp(y[2 * m + 1]));
  };
  const Evaluation e = evaluate(network, sequences, RNN_LOSS_CROSS_ENTROPY);
  EXPECT_NEAR(e.loss, (-log_p(0, 0) - 3 * log_p(2, 1)) / 4, 1e-15);
  EXPECT_EQ(e.weight, 4);
  EXPECT_EQ(e.accuracy, 1);
  EXPECT_NEAR(loss(network, sequences, RNN_LOSS_SQUARED_ERROR),
              ((std::pow(y[0] - 1, 2) + std::pow(y[1], 2)) / 2 +
               3 * (std::pow(y[4] - 1, 2) + std::pow(y[5] - 1, 2)) / 2) /
                  4,
              1e-15);
  EXPECT_NEAR(loss(network, sequences, RNN_LOSS_BINARY_CROSS_ENTROPY),
              ((-std::log(sigmoid(y[0])) - std::log(1 - sigmoid(y[1]))) / 2 +
               3 * (-std::log(sigmoid(y[4])) - std::log(sigmoid(y[5]))) / 2) /
                  4,
              1e-14);

  sequences.pooling = RNN_POOLING_LAST;
  sequences.classes = {1, 0};
  sequences.weights.clear();
  EXPECT_NEAR(loss(network, sequences, RNN_LOSS_CROSS_ENTROPY), (-log_p(1, 1) - log_p(2, 0)) / 2, 1e-15);
}

TEST(Reference, CentralDifferences) {
  Vector x = {1, 2};
  const Vector g = gradient(x, [&] { return x[0] * x[0] * x[1] + std::sin(x[1]); });
  EXPECT_NEAR(g[0], 4, 1e-9);
  EXPECT_NEAR(g[1], 1 + std::cos(2.0), 1e-9);
  EXPECT_EQ(x, (Vector{1, 2}));
}

TEST(Reference, Clipping) {
  Parameters g = {{"a", {3}}, {"b", {0, -4}}};
  EXPECT_EQ(norm(g), 5);
  clip(g, 10, 0);
  EXPECT_EQ(g.at("b")[1], -4);
  clip(g, 2.5, 1.75);
  EXPECT_EQ(g.at("a")[0], 1.5);
  EXPECT_EQ(g.at("b")[1], -1.75);
}

// Two updates of p = 1 with gradients 0.5 and -1, by hand.
double two_updates(Optimizer optimizer) {
  Parameters p = {{"p", {1}}};
  optimizer.update(p, {{"p", {0.5}}}, 0.1);
  optimizer.update(p, {{"p", {-1}}}, 0.1);
  return p.at("p")[0];
}

TEST(Reference, OptimizersByHand) {
  Optimizer o;
  o.rule = RNN_OPTIMIZER_SGD;
  EXPECT_NEAR(two_updates(o), 1 - 0.05 + 0.1, 1e-15);
  o.momentum = 0.9;  // velocities 0.5 and -0.55
  EXPECT_NEAR(two_updates(o), 1 - 0.05 + 0.055, 1e-15);
  o.nesterov = true;  // steps 0.5 + 0.45 and -1 - 0.495
  EXPECT_NEAR(two_updates(o), 1 - 0.095 + 0.1495, 1e-15);

  o = Optimizer();
  o.epsilon = 0;
  // Adam: the first step has the length of the rate; then m = 0.045 - 0.1, v = 0.999 * 0.00025 + 0.001.
  EXPECT_NEAR(two_updates(o), 1 - 0.1 + 0.1 * (0.055 / 0.19) / std::sqrt(0.00124975 / 0.001999), 1e-12);
  o.rule = RNN_OPTIMIZER_ADAMW;
  o.weight_decay = 0.5;
  EXPECT_NEAR(two_updates(o), (0.95 - 0.1) * 0.95 + 0.1 * (0.055 / 0.19) / std::sqrt(0.00124975 / 0.001999),
              1e-12);

  o = Optimizer();
  o.rule = RNN_OPTIMIZER_ADAGRAD;
  o.epsilon = 0;
  EXPECT_NEAR(two_updates(o), 1 - 0.1 + 0.1 / std::sqrt(1.25), 1e-15);
  o.rule = RNN_OPTIMIZER_RMSPROP;
  o.beta2 = 0.5;  // v = 0.125, then 0.5625
  EXPECT_NEAR(two_updates(o), 1 - 0.05 / std::sqrt(0.125) + 0.1 / 0.75, 1e-15);
}

}  // namespace
}  // namespace rnn::reference

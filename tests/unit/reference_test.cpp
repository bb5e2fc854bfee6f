// The reference itself, against numbers worked out by hand: everything else is compared with it.
#include "tests/reference/reference.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rnn::reference {
namespace {

void expect_near(const Vector& values, const Vector& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], 1e-15) << "element " << i;
}

// One layer, I = 2, H = 1, O = 2.
Network small() {
  Network network;
  network.inputs = 2;
  network.hidden = 1;
  network.outputs = 2;
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
  network.outputs = 0;
  network.layers = 2;
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
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
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

  sequences.target_per_sequence = true;
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
  o.rule = RNN_SGD;
  EXPECT_NEAR(two_updates(o), 1 - 0.05 + 0.1, 1e-15);
  o.momentum = 0.9;  // velocities 0.5 and -0.55
  EXPECT_NEAR(two_updates(o), 1 - 0.05 + 0.055, 1e-15);
  o.nesterov = true;  // steps 0.5 + 0.45 and -1 - 0.495
  EXPECT_NEAR(two_updates(o), 1 - 0.095 + 0.1495, 1e-15);

  o = Optimizer();
  o.epsilon = 0;
  // Adam: the first step has the length of the rate; then m = 0.045 - 0.1, v = 0.999 * 0.00025 + 0.001.
  EXPECT_NEAR(two_updates(o), 1 - 0.1 + 0.1 * (0.055 / 0.19) / std::sqrt(0.00124975 / 0.001999), 1e-12);
  o.rule = RNN_ADAMW;
  o.weight_decay = 0.5;
  EXPECT_NEAR(two_updates(o), (0.95 - 0.1) * 0.95 + 0.1 * (0.055 / 0.19) / std::sqrt(0.00124975 / 0.001999),
              1e-12);

  o = Optimizer();
  o.rule = RNN_ADAGRAD;
  o.epsilon = 0;
  EXPECT_NEAR(two_updates(o), 1 - 0.1 + 0.1 / std::sqrt(1.25), 1e-15);
  o.rule = RNN_RMSPROP;
  o.beta2 = 0.5;  // v = 0.125, then 0.5625
  EXPECT_NEAR(two_updates(o), 1 - 0.05 / std::sqrt(0.125) + 0.1 / 0.75, 1e-15);
}

}  // namespace
}  // namespace rnn::reference

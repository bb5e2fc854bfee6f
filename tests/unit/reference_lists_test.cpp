// The reference of lists of layers, against numbers worked out by hand, and the random lists of other tests.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "reference_test.h"
#include "tests/reference/lists.h"

namespace rnn::reference {
namespace {

// What each activation makes of -2, 0.5 and 3, worked out elsewhere.
TEST(Reference, ActivationsByHand) {
  const struct {
    Activation f;
    Vector expected;
  } cases[] = {{{RNN_ACTIVATION_NONE}, {-2, 0.5, 3}},
               {{RNN_ACTIVATION_TANH}, {-0.9640275800758169, 0.46211715726000976, 0.9950547536867305}},
               {{RNN_ACTIVATION_RELU}, {0, 0.5, 3}},
               {{RNN_ACTIVATION_SIGMOID}, {0.11920292202211755, 0.6224593312018546, 0.9525741268224334}},
               {{RNN_ACTIVATION_SOFTMAX}, {0.006188285272800036, 0.07538874796299667, 0.9184229667642033}},
               {{RNN_ACTIVATION_ELU}, {-0.8646647167633873, 0.5, 3}},
               {{RNN_ACTIVATION_ELU, 0.5}, {-0.43233235838169365, 0.5, 3}},
               {{RNN_ACTIVATION_LEAKY_RELU}, {-0.02, 0.5, 3}},
               {{RNN_ACTIVATION_LEAKY_RELU, 0.2}, {-0.4, 0.5, 3}},
               {{RNN_ACTIVATION_PRELU}, {-1.5, 0.5, 3}},
               {{RNN_ACTIVATION_SOFTSIGN}, {-2.0 / 3, 1.0 / 3, 0.75}},
               {{RNN_ACTIVATION_GELU}, {-0.04550026389635842, 0.34573123063700656, 2.9959503059051043}},
               {{RNN_ACTIVATION_SWISH}, {-0.2384058440442351, 0.3112296656009273, 2.8577223804673}},
               {{RNN_ACTIVATION_HARD_SIGMOID}, {0.1, 0.6, 1}},
               {{RNN_ACTIVATION_HARD_SIGMOID, 0.125, 0.25}, {0, 0.3125, 0.625}},
               {{RNN_ACTIVATION_HARD_SIGMOID, 0, 0.25}, {0.25, 0.25, 0.25}},
               {{RNN_ACTIVATION_SOFTPLUS}, {0.1269280110429726, 0.9740769841801067, 3.048587351573742}}};
  for (const auto& c : cases) {
    const Vector y = activate(c.f, {-2, 0.5, 3}, {0.75, 8, 9});
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(y[i], c.expected[i], 1e-14) << c.f.kind << ", " << i;
  }
}

// A dense layer, a cell that reads ahead and back with both h added, and a head.
TEST(Reference, ListByHand) {
  Network network;
  network.inputs = 1;
  network.is_list = true;
  network.layers = {dense(2, {RNN_ACTIVATION_TANH}), cell(RNN_CELL_VANILLA, 2, RNN_FLAG_RESIDUAL), dense(1)};
  network.layers[1].direction = RNN_DIRECTION_SUM;
  network.parameters = {{"layers.0.weight", {1, -2}},
                        {"layers.0.bias", {0.5, 0}},
                        {"layers.1.weight_ih", {1, 0, 0, 2}},
                        {"layers.1.weight_hh", {0.5, 0, 0, 0.25}},
                        {"layers.1.weight_ih_reverse", {0, 3, 4, 0}},
                        {"layers.1.weight_hh_reverse", {0, 1, 0, 0}},
                        {"layers.2.weight", {2, 10}},
                        {"layers.2.bias", {-1}}};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {0.25, -0.5};
  sequences.initial_states = {0.1, 0.2, 0.3, 0.4};
  const double a0 = std::tanh(0.75), b0 = std::tanh(-0.5), a1 = std::tanh(0.0), b1 = std::tanh(1.0);
  const double f0 = std::tanh(a0 + 0.05), g0 = std::tanh(2 * b0 + 0.05);
  const double f1 = std::tanh(a1 + 0.5 * f0), g1 = std::tanh(2 * b1 + 0.25 * g0);
  const double p1 = std::tanh(3 * b1 + 0.4), q1 = std::tanh(4 * a1);
  const double p0 = std::tanh(3 * b0 + q1), q0 = std::tanh(4 * a0);
  const auto head = [](double a, double b) { return 2 * a + 10 * b - 1; };
  const Pass pass = forward(network, sequences);
  EXPECT_EQ(network.state_size(), 4u);
  expect_near(pass.states, {f0, g0, p0, q0, f1, g1, p1, q1});
  expect_near(pass.final_states, {f1, g1, p0, q0});
  const double first = head(f0 + p0 + a0, g0 + q0 + b0), second = head(f1 + p1 + a1, g1 + q1 + b1);
  ASSERT_EQ(pass.outputs.size(), 2u);
  EXPECT_NEAR(pass.outputs[0], first, 1e-14);
  EXPECT_NEAR(pass.outputs[1], second, 1e-14);
  sequences.pooling = RNN_POOLING_MEAN;
  EXPECT_NEAR(forward(network, sequences).pooled.at(0), (first + second) / 2, 1e-14);

  // In reverse alone, the last output is that of the first step.
  network.layers[1].direction = RNN_DIRECTION_REVERSE;
  sequences.initial_states = {0.3, 0.4};
  sequences.pooling = RNN_POOLING_LAST;
  const Pass back = forward(network, sequences);
  expect_near(back.final_states, {p0, q0});
  EXPECT_NEAR(back.pooled.at(0), head(p0 + a0, q0 + b0), 1e-14);
}

// Two taps two steps apart, W [1, 2 X]: what was before the sequence is the state, here zero or given.
TEST(Reference, ConvolutionByHand) {
  Network network;
  network.inputs = 1;
  network.is_list = true;
  network.layers = {dense(1), cell(RNN_CELL_VANILLA, 1)};
  network.layers[0].taps = 2;
  network.layers[0].dilation = 2;
  network.parameters = {{"layers.0.weight", {10, 1}},
                        {"layers.0.bias", {0.5}},
                        {"layers.1.weight_ih", {0.01}},
                        {"layers.1.weight_hh", {0}}};
  Sequences sequences;
  sequences.lengths = {4};
  sequences.inputs = {1, 2, 3, 4};
  EXPECT_EQ(network.state_size(), 3u);
  const auto h = [](double z) { return std::tanh(0.01 * z); };
  const Vector y = {h(1.5), h(2.5), h(13.5), h(24.5)};
  expect_near(forward(network, sequences).outputs, y);
  expect_near(forward(network, sequences).states, {0, 1, y[0], 1, 2, y[1], 2, 3, y[2], 3, 4, y[3]});
  sequences.initial_states = {5, 6, 0};
  expect_near(forward(network, sequences).outputs, {h(51.5), h(62.5), y[2], y[3]});
  sequences.resets = {0, 0, 1, 0};
  expect_near(forward(network, sequences).outputs, {h(51.5), h(62.5), h(3.5), h(4.5)});
}

// A dense layer has no state; what is no head has its dropout behind it.
TEST(Reference, DenseAloneByHand) {
  Network network;
  network.inputs = 2;
  network.is_list = true;
  network.layers = {dense(1), dense(2, {RNN_ACTIVATION_PRELU})};
  network.parameters = {{"layers.0.weight", {2, -1}},
                        {"layers.1.weight", {1, -4}},
                        {"layers.1.bias", {0, 0.5}},
                        {"layers.1.slope", {0.25, 0.125}}};
  Sequences sequences;
  sequences.lengths = {1};
  sequences.inputs = {0.5, 0.25};
  EXPECT_EQ(network.state_size(), 0u);
  EXPECT_FALSE(network.has_head());
  const Pass pass = forward(network, sequences);
  expect_near(pass.outputs, {0.75, -2.5 * 0.125});
  EXPECT_TRUE(pass.states.empty());
  network.dropout = [](std::size_t layer, std::size_t, std::size_t) { return layer == 0 ? 2.0 : 100.0; };
  expect_near(forward(network, sequences).outputs, {1.5, -5.5 * 0.125});
}

// A stack says the same whether its layers are listed or not; only names differ.
TEST(Reference, AListOfEqualLayersIsAStack) {
  rnn_config_t config = {};
  config.cell = RNN_CELL_LSTM;
  config.input_size = 3;
  config.hidden_size = 4;
  config.projection_size = 2;
  config.num_layers = 2;
  config.output_size = 5;
  config.skip = 2;
  config.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
  const std::int32_t both = RNN_DIRECTION_BOTH;
  const rnn_config_t list =
      with_layers(config, {cell_layer(RNN_CELL_LSTM, 4, RNN_FLAG_LAYER_NORM, both, 2),
                           cell_layer(RNN_CELL_LSTM, 4, RNN_FLAG_LAYER_NORM | RNN_FLAG_RESIDUAL, both, 2),
                           dense_layer(5)});
  Network a = architecture(config), b = architecture(list);
  EXPECT_EQ(a.state_size(), 24u);
  EXPECT_EQ(a.output_size(), 5u);
  double value = 0;
  const auto add = [&](std::size_t layer, const char* name, bool reverse, std::size_t count) {
    Vector values(count);
    for (double& v : values) v = std::sin(value += 1);
    a.parameters[a.parameter_name(layer, name, reverse)] = values;
    b.parameters[b.parameter_name(layer, name, reverse)] = values;
  };
  for (const std::size_t layer : {0, 1}) {
    for (const bool reverse : {false, true}) {
      add(layer, "weight_ih", reverse, 16 * a.inputs_of(layer));
      add(layer, "weight_hh", reverse, 16 * 2);
      add(layer, "weight_hr", reverse, 2 * 4);
      for (const char* name : {"bias_ih", "norm_ih", "norm_hh"}) add(layer, name, reverse, 16);
      add(layer, "initial_h", reverse, 2);
      add(layer, "initial_c", reverse, 4);
    }
  }
  add(2, "weight", false, 5 * 4);
  add(2, "bias", false, 5);
  EXPECT_EQ(a.parameters.count("weight_hr_l1_reverse"), 1u);
  EXPECT_EQ(b.parameters.count("layers.1.weight_hr_reverse"), 1u);
  EXPECT_EQ(a.parameters.count("head.bias"), 1u);
  EXPECT_EQ(b.parameters.count("layers.2.bias"), 1u);
  Sequences sequences;
  sequences.lengths = {3, 2};
  for (int i = 0; i < 15; ++i) sequences.inputs.push_back(std::cos(i));
  sequences.resets = {0, 0, 1, 0, 0};
  const Pass pass_a = forward(a, sequences), pass_b = forward(b, sequences);
  EXPECT_EQ(pass_a.outputs, pass_b.outputs);
  EXPECT_EQ(pass_a.states, pass_b.states);
  EXPECT_EQ(pass_a.final_states, pass_b.final_states);
}

// Of a cell whose kinds of layers have activations of choice.
void count_activations(const Layer& layer, std::map<std::string, int>& counts) {
  const Activations& a = layer.activations;
  counts["clip"] += a.clip != 0;
  for (const Activation* f : {&a.gate, &a.new_gate, &a.output})
    counts["of a cell " + std::to_string(f->kind)]++;
}

// So that what the lists of other tests have, they have often.
TEST(Reference, RandomListsHaveEverything) {
  std::map<std::string, int> counts;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    ListKind kind;
    kind.whole = true;
    const rnn_config_t config = random_list(seed, kind);
    EXPECT_EQ(text_of(random_list(seed, kind)), text_of(config));
    const Network network = architecture(config);
    counts["layers " + std::to_string(config.layer_count)]++;
    counts["head"] += network.has_head();
    counts["tied"] += network.tied;
    counts["skip"] += network.skip != 0;
    counts["embedding"] += network.embedding != 0;
    counts["forget bias"] += config.forget_bias != 0;
    counts["no state"] += network.state_size() == 0;
    for (const Layer& layer : network.layers) {
      counts["kind " + std::to_string(layer.kind)]++;
      counts["direction " + std::to_string(layer.direction)]++;
      if (layer.is_dense())
        counts["activation " + std::to_string(layer.activation.kind)]++;
      else
        count_activations(layer, counts);
      counts["projection"] += layer.projection != 0;
      counts["zoneout of h"] += layer.zoneout_h != 0;
      counts["zoneout of c"] += layer.zoneout_c != 0;
      counts["residual"] += layer.has(RNN_FLAG_RESIDUAL);
      counts["layer norm"] += layer.has(RNN_FLAG_LAYER_NORM);
    }
    EXPECT_TRUE(can_step(random_list(seed)));
  }
  EXPECT_EQ(counts.size(), 4u + 6 + 7 + 4 + 16 + 3 + 2 + 14);
  for (const auto& [what, count] : counts) EXPECT_GE(count, 6) << what;
}

// z h + (1 - z) h', of an LSTM with h' from the c' that the cell computes; or h, or h'.
TEST(Reference, ZoneoutByHand) {
  Network network;
  network.inputs = 1;
  network.is_list = true;
  Layer layer;
  layer.kind = RNN_CELL_LSTM;
  layer.size = 1;
  layer.zoneout_h = 0.25;
  layer.zoneout_c = 0.5;
  network.layers = {layer};
  network.parameters = {{"layers.0.weight_ih", {0, 0, 0, 0}},
                        {"layers.0.weight_hh", {0, 0, 0, 0}},
                        {"layers.0.bias_ih", {0, 0, 1, 0}}};
  Sequences sequences;
  sequences.lengths = {2};
  sequences.inputs = {0, 0};
  sequences.initial_states = {0.5, 2};
  // Both gates are 1/2, and so is that of the output.
  const double g = std::tanh(1.0), c1 = 0.5 * 2 + 0.5 * g, c2 = 0.5 * (2 + c1) / 2 + 0.5 * g;
  const double h1 = 0.25 * 0.5 + 0.75 * 0.5 * std::tanh(c1), h2 = 0.25 * h1 + 0.75 * 0.5 * std::tanh(c2);
  Pass pass = forward(network, sequences);
  expect_near(pass.outputs, {h1, h2});
  expect_near(pass.final_states, {h2, 0.5 * (2 + c1) / 2 + 0.5 * c2});
  network.replaces = [](std::size_t, std::size_t state, std::size_t frame, std::size_t) {
    return state == frame;  // h in the first step, c in the second
  };
  pass = forward(network, sequences);
  expect_near(pass.outputs, {0.5 * std::tanh(c1), 0.5 * std::tanh(c1)});
  expect_near(pass.final_states, {0.5 * std::tanh(c1), c1});
}

}  // namespace
}  // namespace rnn::reference

// Models of RTNeural and Keras.
#include <cmath>
#include <vector>

#include "tests/formats/json_examples.h"
#include "tests/formats/json_test.h"
#include "tests/reference/keras.h"

using namespace rnn::reference;

namespace {

struct Layer {
  std::string type;
  std::size_t inputs;
  std::size_t units;
  keras::Weights weights;
  bool reset_after;
  std::string activation;
  keras::Normalization normalization;
  std::string recurrent_activation = {};

  keras::Functions functions() const {
    return {activation.empty() ? "tanh" : activation,
            recurrent_activation.empty() ? "sigmoid" : recurrent_activation};
  }
};

Layer random(Numbers& numbers, const std::string& type, std::size_t inputs, std::size_t units,
             bool bias = true, bool reset_after = true) {
  const std::size_t columns = units * (type == "lstm" ? 4 : type == "gru" ? 3 : 1);
  Layer layer{type, inputs, units, {numbers.vector(inputs * columns), {}, {}}, reset_after, {}, {}};
  if (type != "dense") layer.activation = "tanh", layer.weights.recurrent = numbers.vector(units * columns);
  if (bias) layer.weights.bias = numbers.vector(columns * (type == "gru" && reset_after ? 2 : 1));
  return layer;
}

Layer dense(Numbers& numbers, std::size_t inputs, std::size_t units, const std::string& activation,
            bool bias = true) {
  Layer layer = random(numbers, "dense", inputs, units, bias);
  layer.activation = activation;
  return layer;
}

Layer activation(const std::string& name, std::size_t width) {
  return {"activation", width, width, {}, false, name, {}};
}

Layer prelu(Numbers& numbers, std::size_t width, std::size_t slopes) {
  return {"prelu", width, width, {numbers.vector(slopes), {}, {}}, false, {}, {}};
}

Layer normalization(Numbers& numbers, std::size_t width, bool affine = true) {
  Layer layer{"batchnorm", width, width, {}, false, {}, {{}, {}, numbers.vector(width), {}, 1e-3}};
  for (const double value : numbers.vector(width))
    layer.normalization.variance.push_back(std::fabs(value) + 0.3);
  if (affine)
    layer.normalization.gamma = numbers.vector(width), layer.normalization.beta = numbers.vector(width);
  return layer;
}

std::string weights_of(const Layer& layer) {
  const keras::Weights& w = layer.weights;
  const keras::Normalization& n = layer.normalization;
  if (layer.type == "activation") return "";
  if (layer.type == "prelu") return "[" + list(w.kernel) + "]";
  if (layer.type == "batchnorm")
    return (n.gamma.empty() ? "" : list(n.gamma) + ", " + list(n.beta) + ", ") + list(n.mean) + ", " +
           list(n.variance);
  const std::size_t columns = w.kernel.size() / layer.inputs;
  std::string out = rows(w.kernel, columns);
  if (!w.recurrent.empty()) out += ", " + rows(w.recurrent, columns);
  if (!w.bias.empty()) out += ", " + (w.bias.size() == columns ? list(w.bias) : rows(w.bias, columns));
  return out;
}

std::string text(const Layer& layer) {
  std::string out = "{\"type\": \"" + layer.type + "\", \"activation\": \"" + layer.activation +
                    "\", \"shape\": [null, null, " + std::to_string(layer.units) + "], \"weights\": [" +
                    weights_of(layer) + "]";
  if (layer.type == "batchnorm") out += ", \"epsilon\": 0.001";
  if (!layer.recurrent_activation.empty())
    out += ", \"recurrent_activation\": \"" + layer.recurrent_activation + "\"";
  if (layer.type == "gru" && layer.weights.bias.empty())
    out += std::string(", \"reset_after\": ") + (layer.reset_after ? "true" : "false");
  return out + "}";
}

std::string file(const std::vector<Layer>& layers) {
  std::string out =
      "{\"in_shape\": [null, null, " + std::to_string(layers.front().inputs) + "], \"layers\": [";
  for (const Layer& layer : layers) out += (out.back() == '[' ? "" : ", ") + text(layer);
  return out + "]}";
}

// h and c are the layer's states.
Vector compute(const Layer& layer, const Vector& x, Vector& h, Vector& c) {
  if (layer.type == "lstm") return h = keras::lstm(layer.weights, x, h, c, layer.functions());
  if (layer.type == "gru") return h = keras::gru(layer.weights, x, h, layer.reset_after, layer.functions());
  if (layer.type == "batchnorm") return keras::normalize(layer.normalization, x);
  if (layer.type == "prelu") {
    Vector y = x;
    const Vector& slopes = layer.weights.kernel;
    for (std::size_t i = 0; i < y.size(); ++i) y[i] *= y[i] > 0 ? 1 : slopes[slopes.size() == 1 ? 0 : i];
    return y;
  }
  return keras::activate(layer.activation, layer.type == "dense" ? keras::dense(layer.weights, x) : x,
                         layer.activation == "leaky_relu" ? 0.2 : 1);
}

Vector run(const std::vector<Layer>& layers, const Vector& inputs) {
  std::vector<Vector> h, c;
  for (const Layer& layer : layers) h.emplace_back(layer.units), c.emplace_back(layer.units);
  Vector outputs;
  const std::size_t I = layers.front().inputs;
  for (std::size_t t = 0; t < inputs.size() / I; ++t) {
    Vector x = keras::gate(inputs, t, I);
    for (std::size_t l = 0; l < layers.size(); ++l) x = compute(layers[l], x, h[l], c[l]);
    outputs.insert(outputs.end(), x.begin(), x.end());
  }
  return outputs;
}

void expect_runs(const std::vector<Layer>& layers, Numbers& numbers) {
  SCOPED_TRACE(file(layers));
  const Vector inputs = numbers.vector(12 * layers.front().inputs);
  expect_outputs(file(layers), inputs, run(layers, inputs));
}

TEST(RTNeural, Outputs) {
  Numbers numbers(2);
  const auto make = [&](auto... arguments) { return random(numbers, arguments...); };
  const std::vector<Layer> cases[] = {
      {make("lstm", 1, 5), make("dense", 5, 1)},
      {make("lstm", 3, 4), make("lstm", 4, 4), make("dense", 4, 2)},
      {make("lstm", 2, 3, false), make("dense", 3, 2, false)},
      {make("lstm", 2, 3)},
      {make("gru", 1, 5), make("dense", 5, 1)},
      {make("gru", 3, 4), make("gru", 4, 4), make("dense", 4, 2)},
      {make("gru", 3, 4, true, false), make("gru", 4, 4, true, false), make("dense", 4, 2)},
      {make("gru", 2, 3, false), make("dense", 3, 2)},
      {make("gru", 2, 3, true, false), make("dense", 3, 2, false)},
      {make("gru", 2, 3, false, false), make("gru", 3, 3, false, false)},
      {make("gru", 2, 3), make("gru", 3, 3, false), make("dense", 3, 1)},
  };
  for (const std::vector<Layer>& layers : cases) expect_runs(layers, numbers);
}

TEST(RTNeural, Lists) {
  Numbers numbers(12);
  const auto make = [&](auto... arguments) { return random(numbers, arguments...); };
  const auto full = [&](auto... arguments) { return dense(numbers, arguments...); };
  const std::vector<Layer> cases[] = {
      {full(3, 4, ""), make("gru", 4, 4)},
      {full(1, 4, "tanh"), make("lstm", 4, 4), make("dense", 4, 1)},
      {make("gru", 1, 5), full(5, 4, "sigmoid"), full(4, 1, "")},
      {make("lstm", 1, 5), full(5, 1, "tanh")},
      {make("lstm", 1, 8), make("lstm", 8, 4), make("dense", 4, 1)},
      {make("gru", 2, 3), make("lstm", 3, 4), make("gru", 4, 3, true, false), make("dense", 3, 2)},
      {make("gru", 2, 3, false), full(3, 5, "relu", false), make("lstm", 5, 2, false)},
      {make("lstm", 2, 3, false), full(3, 4, "elu"), full(4, 4, "softsign", false), full(4, 3, "softmax")},
      {full(2, 3, "relu"), full(3, 4, "tanh"), full(4, 2, "")},
      {full(2, 3, "")},
  };
  for (const std::vector<Layer>& layers : cases) expect_runs(layers, numbers);
}

// An LSTM's activation is that of its cell gate and of c.
TEST(RTNeural, ActivationsOfCells) {
  Numbers numbers(14);
  for (const char* type : {"gru", "lstm"})
    for (const auto& [own, gates] :
         {std::pair{"relu", ""}, std::pair{"linear", "sigmoid"}, std::pair{"softsign", "tanh"},
          std::pair{"sigmoid", "softsign"}, std::pair{"elu", ""}, std::pair{"gelu", ""},
          std::pair{"softplus", ""}, std::pair{"", "tanh"}, std::pair{"silu", "tanh"}}) {
      Layer layer = random(numbers, type, 2, 4);
      layer.activation = own;
      layer.recurrent_activation = gates;
      expect_runs({layer, random(numbers, type, 4, 3), random(numbers, "dense", 3, 1)}, numbers);
    }
}

// What says what the cell does by itself is no list of layers.
TEST(RTNeural, UsualActivations) {
  Numbers numbers(15);
  Layer layer = random(numbers, "lstm", 2, 3);
  layer.activation = "tanh";
  layer.recurrent_activation = "sigmoid";
  EXPECT_EQ(parameter_names(load_memory(file({layer})).get())[0], "weight_ih_l0");
}

TEST(RTNeural, Activations) {
  Numbers numbers(13);
  for (const char* name : {"tanh", "relu", "sigmoid", "softmax", "elu", "leaky_relu", "softsign", "gelu",
                           "swish", "silu", "softplus", "linear", ""}) {
    expect_runs({random(numbers, "gru", 2, 3), dense(numbers, 3, 4, name), dense(numbers, 4, 4, name)},
                numbers);
    expect_runs({random(numbers, "gru", 2, 3), activation(name, 3), random(numbers, "dense", 3, 2)}, numbers);
    expect_runs({dense(numbers, 2, 3, ""), activation(name, 3), activation("tanh", 3)}, numbers);
  }
  expect_runs({random(numbers, "lstm", 2, 3), random(numbers, "dense", 3, 4), prelu(numbers, 4, 4)}, numbers);
  expect_runs({random(numbers, "lstm", 2, 3), random(numbers, "dense", 3, 4), prelu(numbers, 4, 1)}, numbers);
  expect_runs({random(numbers, "lstm", 2, 3), prelu(numbers, 3, 3), random(numbers, "dense", 3, 4)}, numbers);
}

// It becomes part of the matrix before it, or behind it, or is one.
TEST(RTNeural, Normalization) {
  Numbers numbers(14);
  const auto make = [&](auto... arguments) { return random(numbers, arguments...); };
  for (const bool affine : {true, false}) {
    const auto norm = [&](std::size_t width) { return normalization(numbers, width, affine); };
    const std::vector<Layer> cases[] = {
        {make("dense", 3, 4), norm(4), activation("tanh", 4), make("lstm", 4, 2)},
        {make("dense", 3, 4, false), norm(4), norm(4), make("gru", 4, 2, false)},
        {norm(3), make("lstm", 3, 4), norm(4), make("gru", 4, 3), norm(3), norm(3), make("dense", 3, 2)},
        {norm(3), make("gru", 3, 4, true, false), norm(4), make("gru", 4, 3, false, false)},
        {norm(3), make("dense", 3, 4), activation("relu", 4), norm(4), make("dense", 4, 2)},
        {make("gru", 3, 4), norm(4)},
        {make("gru", 3, 4), norm(4), activation("relu", 4), prelu(numbers, 4, 4)},
    };
    for (const std::vector<Layer>& layers : cases) expect_runs(layers, numbers);
  }
  const Rnn folded = load_memory(file({make("dense", 3, 4), normalization(numbers, 4), make("lstm", 4, 2)}));
  EXPECT_EQ(parameter_names(folded.get()),
            (std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight_ih",
                                      "layers.1.weight_hh", "layers.1.bias_ih"}));
}

TEST(RTNeural, Configuration) {
  Numbers numbers(3);
  const auto config = [&](const std::vector<Layer>& layers) {
    rnn_config_t out{};
    out.struct_size = sizeof out;
    EXPECT_EQ(rnn_get_config(load_memory(file(layers)).get(), &out), RNN_OK);
    return out;
  };
  EXPECT_EQ(config({random(numbers, "gru", 2, 3)}).flags, 0u);
  EXPECT_EQ(config({random(numbers, "gru", 2, 3, false)}).flags, std::uint32_t{RNN_FLAG_NO_BIAS});
  EXPECT_EQ(config({random(numbers, "gru", 2, 3, true, false)}).flags, std::uint32_t{RNN_FLAG_RESET_BEFORE});
  EXPECT_EQ(config({random(numbers, "lstm", 2, 3, false), random(numbers, "dense", 3, 2)}).flags, 0u);
}

// Matrices are told from transposed ones, and gates from each other, number by number.
TEST(RTNeural, Parameters) {
  const Rnn rnn = load_memory(
      "{\"in_shape\": [null, 2], \"layers\": [{\"type\": \"gru\", \"shape\": [null, 1], "
      "\"weights\": [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9]], [[10, 20, 30], [40, 50, 60]]]}, "
      "{\"type\": \"time-distributed-dense\", \"activation\": \"linear\", "
      "\"shape\": [2], \"weights\": [[[1, 2]], [3, 4]]}]}");
  EXPECT_EQ(parameter(rnn.get(), "weight_ih_l0"), (std::vector<float>{2, 5, 1, 4, 3, 6}));
  EXPECT_EQ(parameter(rnn.get(), "weight_hh_l0"), (std::vector<float>{8, 7, 9}));
  EXPECT_EQ(parameter(rnn.get(), "bias_ih_l0"), (std::vector<float>{70, 50, 30}));
  EXPECT_EQ(parameter(rnn.get(), "bias_hn_l0"), (std::vector<float>{60}));
  EXPECT_EQ(parameter(rnn.get(), "head.weight"), (std::vector<float>{1, 2}));
  EXPECT_EQ(parameter(rnn.get(), "head.bias"), (std::vector<float>{3, 4}));
}

TEST(RTNeural, Metadata) {
  const std::string text = replaced(
      kLstmJson, "\"in_skip\": 0",
      "\"in_skip\": 0, \"in_gain\": -3.5, \"out_gain\": 6, \"samplerate\": 48000, \"author\": \"me\", "
      "\"input_batch\": [1, 2, 3], \"metadata\": {\"samplerate\": \"44100\", \"esr\": 0.25}");
  EXPECT_EQ(try_load(text), RNN_OK) << rnn_last_error();
  EXPECT_EQ(metadata(text), (std::map<std::string, std::string>{{"in_gain", "-3.5"},
                                                                {"out_gain", "6"},
                                                                {"samplerate", "48000"},
                                                                {"author", "me"},
                                                                {"esr", "0.25"}}));
}

TEST(RTNeural, NoSkip) {
  const Rnn expected = load_memory(kLstmJson);
  for (const char* none : {"0", "0.0", "-0.0", "0e3", "false", "null"})
    expect_equal(
        load_memory(replaced(kLstmJson, "\"in_skip\": 0", std::string("\"in_skip\": ") + none)).get(),
        expected.get());
}

// y + x[0], as AIDA-X has it.
TEST(RTNeural, Skip) {
  Numbers numbers(6);
  const auto with_skip = [](const std::vector<Layer>& layers, const std::string& value) {
    return replaced(file(layers), "\"layers\"", "\"in_skip\": " + value + ", \"layers\"");
  };
  for (const char* type : {"lstm", "gru"}) {
    for (const std::size_t inputs : {1, 3}) {
      const std::vector<Layer> layers = {random(numbers, type, inputs, 5), random(numbers, "dense", 5, 1)};
      const Vector x = numbers.vector(12 * inputs);
      Vector y = run(layers, x);
      for (std::size_t t = 0; t < y.size(); ++t) y[t] += x[t * inputs];
      for (const char* value : {"1", "1.0", "true"}) expect_outputs(with_skip(layers, value), x, y);
    }
  }
  const std::vector<Layer> two = {random(numbers, "lstm", 1, 5), random(numbers, "dense", 5, 2)};
  EXPECT_EQ(try_load(with_skip(two, "1")), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: in_skip is 1 and there are 2 outputs; librnn reads it with 1");
}

TEST(RTNeural, SizesThatAreThereTwice) {
  const std::string recurrent = "\"activation\": \"\", ", dense = "\"activation\": \"linear\", ";
  std::string text = replaced(kLstmJson, recurrent, recurrent + "\"input_size\": 1, \"hidden_size\": 2, ");
  text = replaced(text, dense, dense + "\"input_size\": 2, \"output_size\": 1, ");
  expect_equal(load_memory(text).get(), load_memory(kLstmJson).get());
  const Refusal cases[] = {
      {"\"input_size\": 1", "\"input_size\": 3", "layers[0].input_size is 3; the weights are those of 1"},
      {"\"hidden_size\": 2", "\"hidden_size\": 1", "layers[0].hidden_size is 1; the weights are those of 2"},
      {"\"input_size\": 2", "\"input_size\": 1", "layers[1].input_size is 1; the weights are those of 2"},
      {"\"output_size\": 1", "\"output_size\": 4", "layers[1].output_size is 4; the weights are those of 1"},
      {"\"output_size\": 1", "\"output_size\": \"1\"",
       "layers[1].output_size is \"1\"; it must be an integer"},
  };
  for (const Refusal& refusal : cases) expect_refused(text, refusal);
}

TEST(RTNeural, Refuses) {
  ASSERT_EQ(try_load(kLstmJson), RNN_OK) << rnn_last_error();
  const char* known = "; librnn reads lstm, gru, dense, conv1d, activation, prelu and batchnorm layers";
  const auto unknown = [&](const char* begin) { return std::string("unsupported: ") + begin + known; };
  const std::string conv = unknown("layers[0] is \"conv2d\""), unnamed = unknown("layers[1] is \"unknown\"");
  const Refusal cases[] = {
      {"\"in_skip\": 0", "\"in_skip\": 2", "unsupported: in_skip is 2; librnn reads 0 and 1"},
      {"\"in_skip\": 0", "\"in_skip\": -1", "unsupported: in_skip is -1; librnn reads 0 and 1"},
      {"\"in_skip\": 0", "\"in_skip\": 0.5", "unsupported: in_skip is 0.5; librnn reads 0 and 1"},
      {"\"in_skip\": 0", "\"in_skip\": \"no\"", "in_skip is \"no\"; it must be a number"},
      {"\"in_shape\"", "\"shape\"", "in_shape is missing"},
      {"[null, null, 1]", "[null, null, null]", "in_shape[2] is null; it must be an integer, 1..1048576"},
      {"[null, null, 1]", "[null, null, 0]", "in_shape[2] is 0; it must be an integer, 1..1048576"},
      {"[null, null, 1]", "[1, 1, 1048577]",
       "unsupported: in_shape[2] is 1048577; it must be an integer, 1..1048576"},
      {"[null, null, 1]", "[1, 2]", "layers[0].weights[0] is an array of 1; it must be 2 rows of 8"},
      {"[null, null, 1]", "\"1\"", "in_shape is \"1\"; it must be an array"},
      {"\"layers\": [", "\"layers\": [7, ", "layers[0] is 7; it must be an object"},
      {"{\"type\": \"lstm\", ", "{", "layers[0].type is missing"},
      {"\"lstm\"", "\"conv2d\"", conv.c_str()},
      {"\"dense\"", "\"unknown\"", unnamed.c_str()},
      {"[3]]}]}", "[3]]}, {\"type\": \"dense\", \"shape\": [1], \"weights\": [[[1], [2]]]}]}",
       "layers[2].weights[0] is an array of 2; it must be 1 rows of 1"},
      {"[3]]}]}", "[3]]}, {\"type\": \"activation\", \"activation\": \"tanh\", \"shape\": [2]}]}",
       "layers[2].shape ends with 2; the layer reads 1 values"},
      {"[3]]}]}", "[3]]}, {\"type\": \"activation\", \"activation\": \"tanh\", \"weights\": [1]}]}",
       "layers[2].weights is an array of 1 numbers; it must be empty"},
      {"[3]]}]}", "[3]]}, {\"type\": \"prelu\", \"weights\": [[[1, 2]]]}]}",
       "layers[2].weights[0][0] has 2 values; it must be 1"},
      {"[3]]}]}", "[3]]}, {\"type\": \"prelu\", \"activation\": \"tanh\", \"weights\": [[[1]]]}]}",
       "unsupported: layers[2].activation is \"tanh\"; it must be \"\""},
      {"[3]]}]}", "[3]]}, {\"type\": \"batchnorm\", \"weights\": [[1], [1]]}]}",
       "layers[2].epsilon is missing"},
      {"[3]]}]}", "[3]]}, {\"type\": \"batchnorm\", \"epsilon\": -1, \"weights\": [[1], [1]]}]}",
       "layers[2].epsilon is -1; it must be 0 or more"},
      {"[3]]}]}", "[3]]}, {\"type\": \"batchnorm\", \"epsilon\": 0, \"weights\": [[1], [1], [1]]}]}",
       "layers[2].weights has 3 entries; it must have gamma, beta, mean and variance, or the last two"},
      {"[3]]}]}", "[3]]}, {\"type\": \"batchnorm\", \"epsilon\": 0, \"weights\": [[1], [1, 2]]}]}",
       "layers[2].weights[1] has 2 values; it must be 1"},
      {"[3]]}]}", "[3]]}, {\"type\": \"batchnorm\", \"epsilon\": 0, \"weights\": [[1], [-1]]}]}",
       "head.weight: value 0 is"},
      {"\"activation\": \"\"", "\"epsilon\": 0", "unsupported: layers[0].epsilon is unknown"},
      {"\"activation\": \"\"", "\"activation\": \"softmax\"",
       "unsupported: layers[0].activation is \"softmax\"; it must be one of none, linear, tanh, relu, "
       "sigmoid, elu"},
      {"\"activation\": \"\"", "\"recurrent_activation\": \"hard_sigmoid\"",
       "unsupported: layers[0].recurrent_activation is \"hard_sigmoid\"; it must be one of none, linear"},
      {"\"activation\": \"\"", "\"go_backwards\": true", "unsupported: layers[0].go_backwards is unknown"},
      {"\"linear\"", "\"selu\"",
       "unsupported: layers[1].activation is \"selu\"; it must be one of none, linear, tanh, "},
      {"\"linear\"", "\"hard_sigmoid\"",
       "unsupported: layers[1].activation is \"hard_sigmoid\"; it must be one of "},
      {"[null, null, 2]", "[null, null, 3]", "layers[0].weights[0][0] has 8 values; it must be 12"},
      {"[null, null, 2]", "[]", "layers[0].shape is an empty array; it must be an array of 1 or more"},
      {"[0, 1, 0, 1, 0, 1, 0, 1]", "[0, 1]", "layers[0].weights[2] has 2 values; it must be 8"},
      {"[8, 7, 6, 5, 4, 3, 2, 1]", "[8]", "layers[0].weights[1][1] has 1 values; it must be 8"},
      {"[8, 7, 6, 5, 4, 3, 2, 1]", "[8, null]",
       "layers[0].weights[1][1] is an array of 2; it must be an array of 8 numbers"},
      {", [0, 1, 0, 1, 0, 1, 0, 1]]", "], \"weights\": []", "layers[0].weights is there twice"},
      {", [0, 1, 0, 1, 0, 1, 0, 1]", ", [0], [0]",
       "layers[0].weights has 4 entries; it must have a kernel, a recurrent kernel and a bias"},
      {"[[[1], [2]], [3]]", "[]", "layers[1].weights has 0 entries; it must have a kernel and a bias"},
      {"[[[1], [2]], [3]]", "[1, 2]",
       "layers[1].weights is an array of 2 numbers; it must be an array of arrays"},
      {"[[[1], [2]], [3]]", "[[[1], [2], [3]], [3]]",
       "layers[1].weights[0] is an array of 3; it must be 2 rows of 1"},
      {"[[[1], [2]], [3]]", "[[[1], [2]], [3, 4]]", "layers[1].weights[1] has 2 values; it must be 1"},
      {"[[[1], [2]], [3]]", "[[[1], [2]], [1e39]]",
       "layers[1].weights[1][0] is a number that no float can hold"},
  };
  for (const Refusal& refusal : cases) expect_refused(kLstmJson, refusal);
  EXPECT_EQ(try_load("{\"in_shape\": [1], \"layers\": [null]}"), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("layers[0] is null; it must be an object");
  EXPECT_EQ(try_load("{\"in_shape\": [1], \"layers\": []}"), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("layers is an empty array; it must be an array of arrays or objects");
}

TEST(RTNeural, RefusesGru) {
  ASSERT_EQ(try_load(kGruJson), RNN_OK) << rnn_last_error();
  const Refusal cases[] = {
      {", [[7, 8, 9], [10, 11, 12]]", "", "layers[0].reset_after is missing; a gru without bias needs it"},
      {"\"shape\"", "\"reset_after\": false, \"shape\"",
       "layers[0].reset_after is false; its bias is of the other form"},
      {"\"shape\"", "\"reset_after\": 1, \"shape\"", "layers[0].reset_after is 1; it must be true or false"},
      {"[[7, 8, 9], [10, 11, 12]]", "[[7, 8, 9], [10, 11]]",
       "layers[0].weights[2][1] has 2 values; it must be 3"},
      {"[[7, 8, 9], [10, 11, 12]]", "[7, 8]",
       "layers[0].weights[2] is an array of 2 numbers; it must be 2 rows of 3"},
      {"[[7, 8, 9], [10, 11, 12]]", "[7, 8, 9, 10]", "layers[0].weights[2] has 4 values; it must be 3"},
  };
  for (const Refusal& refusal : cases) expect_refused(kGruJson, refusal);
}

TEST(RTNeural, TooManyLayers) {
  Numbers numbers(4);
  std::vector<Layer> layers;
  for (int i = 0; i < 256; ++i) layers.push_back(random(numbers, "lstm", 1, 1));
  EXPECT_EQ(try_load(file(layers)), RNN_OK) << rnn_last_error();
  layers.push_back(layers.back());
  EXPECT_EQ(try_load(file(layers)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: layers[256] is one too many; a network has at most 256");
}

// Against sums over the steps that the kernel sees; before the first are zeros.
TEST(RTNeural, ConvolutionsOverSteps) {
  Numbers numbers(15);
  for (const std::size_t dilation : {1, 2})
    for (const bool normal : {false, true}) {
      constexpr std::size_t kSteps = 12, K = 3, X = 2, O = 3;
      const Vector kernel = numbers.vector(K * X * O), bias = numbers.vector(O),
                   x = numbers.vector(kSteps * X);
      const Layer norm = normalization(numbers, X), lstm = random(numbers, "lstm", O, 2);
      std::string steps;
      for (std::size_t k = 0; k < K; ++k)
        steps +=
            (k > 0 ? "," : "") + rows(Vector(kernel.begin() + static_cast<std::ptrdiff_t>(k * X * O),
                                             kernel.begin() + static_cast<std::ptrdiff_t>((k + 1) * X * O)),
                                      O);
      const std::string conv =
          "{\"type\": \"conv1d\", \"activation\": \"tanh\", \"kernel_size\": [3], \"dilation\": [" +
          std::to_string(dilation) + "], \"groups\": 1, \"shape\": [3], \"weights\": [[" + steps + "], " +
          list(bias) + "]}";
      Vector h(2), c(2), expected;
      for (std::size_t t = 0; t < kSteps; ++t) {
        Vector sums = bias;
        for (std::size_t k = 0; k < K; ++k) {
          const std::size_t back = (K - 1 - k) * dilation;
          if (back > t) continue;
          Vector seen = keras::gate(x, t - back, X);
          if (normal) seen = keras::normalize(norm.normalization, seen);
          const auto first = kernel.begin() + static_cast<std::ptrdiff_t>(k * X * O);
          sums = sum(sums, keras::times(seen, Vector(first, first + static_cast<std::ptrdiff_t>(X * O))));
        }
        const Vector y = compute(lstm, keras::activate("tanh", sums), h, c);
        expected.insert(expected.end(), y.begin(), y.end());
      }
      expect_outputs("{\"in_shape\": [2], \"layers\": [" + (normal ? text(norm) + ", " : "") + conv + ", " +
                         text(lstm) + "]}",
                     x, expected);
    }
}

TEST(RTNeural, Convolutions) {
  const std::string text =
      "{\"in_shape\": [2], \"layers\": [{\"type\": \"conv1d\", \"activation\": \"\", \"kernel_size\": [1], "
      "\"dilation\": 1, \"groups\": 1, \"shape\": [3], \"weights\": [[[[1, 2, 3], [4, 5, 6]]], [7, 8, 9]]}, "
      "{\"type\": \"lstm\", \"shape\": [1], \"weights\": [[[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], [[1, "
      "2, 3, "
      "4]]]}]}";
  const Rnn rnn = load_memory(text);  // a single step: a dense layer
  EXPECT_EQ(parameter(rnn.get(), "layers.0.weight"), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(parameter(rnn.get(), "layers.0.bias"), (std::vector<float>{7, 8, 9}));
  const Refusal cases[] = {
      {"\"kernel_size\": [1]", "\"kernel_size\": [2]",
       "layers[0].weights[0] is an array of 1; it must have as many as kernel_size, 2"},
      {"\"kernel_size\": [1]", "\"kernel_size\": 0",
       "layers[0].kernel_size is 0; it must be an integer, 1..65536"},
      {"\"kernel_size\": [1], ", "", "layers[0].kernel_size is missing"},
      {"\"dilation\": 1", "\"dilation\": [0]", "layers[0].dilation[0] is 0; it must be an integer, 1..65536"},
      {"\"groups\": 1", "\"groups\": 2",
       "layers[0] has 2 groups, 2 inputs and 3 outputs; both must be multiples of it"},
      {"\"groups\": 1", "\"groups\": 0", "layers[0].groups is 0; it must be an integer, 1..65536"},
      {"\"groups\": 1", "\"stride\": 2", "unsupported: layers[0].stride is unknown"},
      {"[[[[1, 2, 3], [4, 5, 6]]], [7, 8, 9]]", "[]",
       "layers[0].weights has 0 entries; it must have a kernel and a bias"},
      {"[[1, 2, 3], [4, 5, 6]]", "[[1, 2, 3]]",
       "layers[0].weights[0][0] is an array of 1; it must be 2 rows of 3"},
      {"[7, 8, 9]", "[7]", "layers[0].weights[1] has 1 values; it must be 3"},
  };
  for (const Refusal& refusal : cases) expect_refused(text, refusal);
}

std::string convolution(const std::string& groups, const std::string& kernel) {
  return "{\"in_shape\": [4], \"layers\": [{\"type\": \"conv1d\", \"activation\": \"tanh\", "
         "\"kernel_size\": [2], \"dilation\": [3], \"groups\": " +
         groups + ", \"shape\": [2], \"weights\": [" + kernel + ", [1, -1]]}]}";
}

// An output reads the inputs of its group alone.
TEST(RTNeural, Groups) {
  const std::string grouped = convolution("2", "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]");
  expect_equal(
      load_memory(grouped).get(),
      load_memory(convolution("1", "[[[1, 0], [3, 0], [0, 2], [0, 4]], [[5, 0], [7, 0], [0, 6], [0, 8]]]"))
          .get());
  const Refusal cases[] = {
      {"\"groups\": 2", "\"groups\": 1", "layers[0].weights[0][0] is an array of 2; it must be 4 rows of 2"},
      {"\"in_shape\": [4]", "\"in_shape\": [5]",
       "layers[0] has 2 groups, 5 inputs and 2 outputs; both must be multiples of it"},
  };
  for (const Refusal& refusal : cases) expect_refused(grouped, refusal);
}

// A small file could ask for many zeros between the groups.
TEST(RTNeural, WideGroups) {
  const std::string text =
      "{\"in_shape\": [2048], \"layers\": [{\"type\": \"conv1d\", \"kernel_size\": 1, \"dilation\": 1, "
      "\"groups\": 2048, \"shape\": [2048], \"weights\": [[[" +
      list(Vector(2048)) + "]]]}]}";
  EXPECT_EQ(try_load(text), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: layers[0] would need a matrix of 2048 x 2048");
}

// Keras' InputLayer, as RTNeural's script writes it.
TEST(RTNeural, InputLayer) {
  const auto with = [](const std::string& layer) {
    return replaced(kLstmJson, "\"layers\": [", "\"layers\": [" + layer + ", ");
  };
  for (const char* shape : {"[[null, null, 1]]", "[null, null, 1]"})
    expect_equal(load_memory(with("{\"type\": \"unknown\", \"activation\": \"\", \"shape\": " +
                                  std::string(shape) + ", \"weights\": []}"))
                     .get(),
                 load_memory(kLstmJson).get());
  for (const char* other :
       {"\"shape\": [[null, null, 2]], \"weights\": []", "\"shape\": [1], \"weights\": [[1]]",
        "\"shape\": [1]", "\"weights\": []", "\"shape\": [1], \"weights\": [], \"activation\": \"tanh\""}) {
    EXPECT_EQ(try_load(with("{\"type\": \"unknown\", " + std::string(other) + "}")), RNN_UNSUPPORTED)
        << other;
    EXPECT_MESSAGE("unsupported: layers[0] is \"unknown\"; ");
  }
  EXPECT_EQ(
      try_load(replaced(kLstmJson, "{\"type\": \"dense\"",
                        "{\"type\": \"unknown\", \"shape\": [2], \"weights\": []}, {\"type\": \"dense\"")),
      RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: layers[1] is \"unknown\"; ");
}

TEST(RTNeural, OlderFiles) {
  const auto file = [](const char* inputs, const char* shape, const char* first, const char* second) {
    return std::string("{\"in_shape\": ") + inputs +
           ", \"layers\": [{\"type\": \"dense\", \"shape\": " + shape + ", \"weights\": " + first +
           ", \"activation\": \"tanh\"}, {\"type\": \"dense\", \"shape\": [1], \"weights\": " + second +
           "}]}";
  };
  const Rnn plain = load_memory(file("[1]", "[2]", "[[[1, 2]], [3, 4]]", "[[[5], [6]], [7]]"));
  expect_equal(load_memory(file("1", "2", "[[[[1, 2]]], [[3, 4]]]", "[[[[5], [6]]], [[7]]]")).get(),
               plain.get());
  expect_equal(
      load_memory(file("[[null, 1]]", "[[null, 2]]", "[[[1, 2]], [3, 4]]", "[[[5], [6]], [7]]")).get(),
      plain.get());
}

// What the weights were before an exporter scaled them.
TEST(RTNeural, FoldedActivations) {
  expect_equal(
      load_memory(replaced(kLstmJson, "\"linear\"",
                           "\"linear\", \"activation_fold\": {\"scale\": 0.5, \"source\": \"tanh\"}"))
          .get(),
      load_memory(kLstmJson).get());
}

// An activation of its own behind another one takes a matrix, which a small file could ask for many times.
TEST(RTNeural, WideActivations) {
  std::string text =
      "{\"in_shape\": [1], \"layers\": [{\"type\": \"dense\", \"activation\": \"tanh\", "
      "\"shape\": [4096], \"weights\": [[" +
      list(Vector(4096)) + "]]}";
  text += ", {\"type\": \"activation\", \"activation\": \"tanh\"}]}";
  EXPECT_EQ(try_load(text), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: layers[1] would need a matrix of 4096 x 4096");
}

}  // namespace

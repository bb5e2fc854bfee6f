// .nam files of Neural Amp Modeler.
#include "tests/reference/nam.h"

#include <cmath>

#include "tests/formats/json_examples.h"
#include "tests/formats/json_test.h"

using namespace rnn::reference;

namespace {

std::size_t count(const nam::Sizes& s) {
  const std::size_t H = s.hidden;
  return 4 * H * (s.inputs + H) + (s.layers - 1) * 8 * H * H + s.layers * 6 * H + s.outputs * (H + 1);
}

std::string file(const nam::Sizes& sizes, const Vector& weights, const std::string& channels) {
  return "{\"version\": \"0.5.4\", \"architecture\": \"LSTM\", \"config\": {\"input_size\": " +
         std::to_string(sizes.inputs) + ", \"hidden_size\": " + std::to_string(sizes.hidden) +
         ", \"num_layers\": " + std::to_string(sizes.layers) + channels + "}, \"weights\": " + list(weights) +
         ", \"sample_rate\": 48000.0}";
}

TEST(Nam, Outputs) {
  const std::pair<nam::Sizes, const char*> cases[] = {
      {{1, 3, 1, 1}, ""},
      {{1, 5, 2, 1}, ""},
      {{3, 4, 3, 2}, ", \"in_channels\": 3, \"out_channels\": 2"},
  };
  Numbers numbers(1);
  for (const auto& [sizes, channels] : cases) {
    const Vector weights = numbers.vector(count(sizes)), inputs = numbers.vector(12 * sizes.inputs);
    expect_outputs(file(sizes, weights, channels), inputs, nam::run(weights, sizes, inputs));
  }
}

TEST(Nam, StartsFromTheFilesState) {
  const nam::Sizes sizes{1, 2, 1, 1};
  Vector weights(count(sizes));
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(i);
  const Rnn rnn = load_memory(file(sizes, weights, ""));
  rnn_config_t config{};
  config.struct_size = sizeof config;
  ASSERT_EQ(rnn_get_config(rnn.get(), &config), RNN_OK);
  EXPECT_EQ(config.cell, RNN_CELL_LSTM);
  EXPECT_EQ(config.initial_state, RNN_INITIAL_FIXED);
  EXPECT_EQ(parameter(rnn.get(), "weight_ih_l0"), (std::vector<float>{0, 3, 6, 9, 12, 15, 18, 21}));
  EXPECT_EQ(parameter(rnn.get(), "initial_h_l0"), (std::vector<float>{32, 33}));
  EXPECT_EQ(parameter(rnn.get(), "initial_c_l0"), (std::vector<float>{34, 35}));
  EXPECT_EQ(parameter(rnn.get(), "head.bias"), (std::vector<float>{38}));
}

std::string network(const std::string& architecture, const std::string& config, const Vector& weights) {
  return "{\"version\": \"0.5.4\", \"architecture\": \"" + architecture + "\", \"config\": {" + config +
         "}, \"weights\": " + list(weights) + "}";
}

TEST(Nam, Linear) {
  Numbers numbers(3);
  for (const std::size_t K : {1, 4}) {
    for (const bool bias : {false, true}) {
      const Vector weights = numbers.vector(K + (bias ? 1 : 0)), x = numbers.vector(10);
      Vector y;
      for (std::size_t t = 0; t < x.size(); ++t) {
        y.push_back(bias ? weights[K] : 0);
        for (std::size_t k = 0; k < K && k <= t; ++k) y[t] += weights[k] * x[t - k];
      }
      const std::string config = "\"receptive_field\": " + std::to_string(K) + ", \"bias\": ";
      expect_outputs(
          network("Linear", config + (bias ? "true" : "false, \"implementation\": \"fft\""), weights), x, y);
    }
  }
}

TEST(Nam, ConvNet) {
  const struct {
    nam::ConvolutionSizes sizes;
    const char* more;
    double slope;  // of what is below 0; -1: tanh
    const char* activation;
  } cases[] = {
      {{1, 3, 1, 1, {1, 2, 4}, false}, "", -1, "\"Tanh\""},
      {{1, 3, 1, 1, {1, 3}, true}, "", 0, "\"ReLU\""},
      {{2, 4, 3, 2, {2, 1}, true},
       ", \"in_channels\": 2, \"out_channels\": 3, \"groups\": 2",
       0.01,
       "\"LeakyReLU\""},
      {{1, 2, 1, 1, {1}, false}, "", 0.25, "{\"type\": \"PReLU\", \"negative_slope\": 0.25}"},
  };
  Numbers numbers(4);
  for (const auto& c : cases) {
    const nam::ConvolutionSizes& s = c.sizes;
    Vector weights;
    std::string dilations;
    for (std::size_t l = 0; l < s.dilations.size(); ++l) {
      const Vector own = numbers.vector(s.channels * (l == 0 ? s.inputs : s.channels) / s.groups * 2 +
                                        (s.normal ? 4 * s.channels : s.channels));
      weights.insert(weights.end(), own.begin(), own.end());
      for (std::size_t i = 0; s.normal && i < s.channels; ++i) {
        double& variance = weights[weights.size() - 3 * s.channels + i];
        variance = variance * variance + 0.125;
      }
      if (s.normal) weights.push_back(0.03125);
      dilations += (l > 0 ? ", " : "") + std::to_string(s.dilations[l]);
    }
    const Vector head = numbers.vector(s.outputs * (s.channels + 1)), x = numbers.vector(15 * s.inputs);
    weights.insert(weights.end(), head.begin(), head.end());
    const auto f = [&](double v) { return c.slope < 0 ? std::tanh(v) : v > 0 ? v : c.slope * v; };
    expect_outputs(network("ConvNet",
                           "\"channels\": " + std::to_string(s.channels) + ", \"dilations\": [" + dilations +
                               "], \"batchnorm\": " + (s.normal ? "true" : "false") +
                               ", \"activation\": " + c.activation + c.more,
                           weights),
                   x, nam::run(weights, s, f, x));
  }
}

TEST(Nam, RefusesConvolutions) {
  const std::string linear = network("Linear", "\"receptive_field\": 2, \"bias\": true", {1, 2, 3});
  const Refusal linear_cases[] = {
      {"\"receptive_field\": 2", "\"receptive_field\": 3", "weights has 3 values; it must be 4"},
      {"\"receptive_field\": 2", "\"receptive_field\": 0",
       "config.receptive_field is 0; it must be an integer, 1..65536"},
      {"\"receptive_field\": 2", "\"receptive_field\": 65537",
       "unsupported: config.receptive_field is 65537; it must be an integer, 1..65536"},
      {"\"bias\": true", "\"in_channels\": 2, \"bias\": true",
       "config.in_channels is 2; the weights are those of 1"},
      {"\"bias\": true", "\"skip\": 2, \"bias\": true", "unsupported: config.skip is unknown"},
      {", \"bias\": true", "", "config.bias is missing"},
  };
  ASSERT_EQ(try_load(linear), RNN_OK) << rnn_last_error();
  for (const Refusal& refusal : linear_cases) expect_refused(linear, refusal);

  const std::string net = network(
      "ConvNet", "\"channels\": 1, \"dilations\": [1, 2], \"batchnorm\": false, \"activation\": \"Tanh\"",
      {1, 2, 3, 4, 5, 6, 7, 8});
  const Refusal cases[] = {
      {"[1, 2]", "[1]", "weights has 8 values; it must be 5"},
      {"[1, 2]", "[]", "config.dilations is empty; there must be one or more"},
      {"[1, 2]", "[1, 0]", "config.dilations[1] is 0; it must be an integer, 1..65536"},
      {"[1, 2]", "[1, 2.5]", "config.dilations[1] is 2.5; it must be an integer, 1..65536"},
      {"[1, 2]", "[1, 1e9]", "config.dilations[1] is 1e+09; it must be an integer, 1..65536"},
      {"\"channels\": 1", "\"channels\": 2", "weights has 8 values; it must be 19"},
      {"\"channels\": 1", "\"channels\": 3, \"groups\": 2",
       "config.groups is 2; in_channels and channels must be multiples of it"},
      {"\"channels\": 1", "\"channels\": 1, \"kernel\": 3", "unsupported: config.kernel is unknown"},
      {"false", "true", "weights has 8 values; it must be 16"},
      {"false", "0", "config.batchnorm is 0; it must be true or false"},
      {"\"Tanh\"", "\"Hardswish\"", "unsupported: config.activation is \"Hardswish\"; librnn reads Tanh, "},
      {"\"Tanh\"", "{\"type\": \"Tanh\", \"negative_slope\": 1}",
       "unsupported: config.activation.negative_slope is there with \"Tanh\""},
      {"\"Tanh\"", "{\"type\": \"PReLU\", \"negative_slopes\": [1]}",
       "unsupported: config.activation.negative_slopes is unknown"},
  };
  ASSERT_EQ(try_load(net), RNN_OK) << rnn_last_error();
  for (const Refusal& refusal : cases) expect_refused(net, refusal);
}

TEST(Nam, Metadata) {
  const std::string text =
      replaced(kNamJson, "\"loudness\": -37.5",
               "\"loudness\": -37.8406867980957, \"gain\": 0.5, \"sample_rate\": 1, \"checked\": true, "
               "\"validation_esr\": null, \"delays\": [1], \"data\": {\"at\": [1, null], \"of\": [2.5]}");
  EXPECT_EQ(try_load(text), RNN_OK) << rnn_last_error();
  EXPECT_EQ(metadata(text), (std::map<std::string, std::string>{{"version", "0.5.4"},
                                                                {"sample_rate", "48000.0"},
                                                                {"loudness", "-37.8406867980957"},
                                                                {"gain", "0.5"},
                                                                {"name", "A \"LSTM\""},
                                                                {"date", "{\"year\":2024}"},
                                                                {"data", "{\"at\":[1,null],\"of\":[2.5]}"},
                                                                {"checked", "true"}}));
}

// As Python's json writes it.
TEST(Nam, MetadataThatAreNoJson) {
  const std::string text = replaced(kNamJson, "\"loudness\": -37.5",
                                    "\"loudness\": NaN, \"validation_esr\": -Infinity, \"\": \"unnamed\"");
  const std::map<std::string, std::string> found = metadata(text);
  EXPECT_EQ(found.at("loudness"), "NaN");
  EXPECT_EQ(found.at("validation_esr"), "-Infinity");
  EXPECT_EQ(found.size(), 6u) << "what has no name is left out";
  EXPECT_EQ(try_load(replaced(kNamJson, "\"sample_rate\"", "\"\"")), RNN_OK) << rnn_last_error();
}

// The versions that Neural Amp Modeler itself reads.
TEST(Nam, Versions) {
  for (const char* version : {"0.5.0", "0.5.4", "0.6.0", "0.7.12"})
    EXPECT_EQ(try_load(replaced(kNamJson, "0.5.4", version)), RNN_OK) << version << ": " << rnn_last_error();
  for (const char* version : {"0.4.0", "0.4.9", "0.8.0", "1.5.0"}) {
    EXPECT_EQ(try_load(replaced(kNamJson, "0.5.4", version)), RNN_UNSUPPORTED);
    EXPECT_MESSAGE("unsupported: version is \"" + std::string(version) + "\"; librnn reads 0.5 to 0.7");
  }
  for (const char* version : {"", "0.5", "0.5.", "0.5.x", "0.5.4.1", " 0.5.4", "0.-5.4", "0.5.4\\u0000"}) {
    EXPECT_EQ(try_load(replaced(kNamJson, "0.5.4", version)), RNN_BAD_FORMAT) << version;
    EXPECT_MESSAGE("it must be three numbers with points between them");
  }
  expect_refused(kNamJson, {"\"version\"", "\"revision\"", "version is missing"});
  expect_refused(kNamJson, {"\"0.5.4\"", "0.5", "version is 0.5; it must be a string"});
}

TEST(Nam, Containers) {
  const std::string inside = std::string(kNamJson);
  EXPECT_EQ(
      try_load(
          "{\"version\": \"0.7.0\", \"architecture\": \"SlimmableContainer\", \"config\": {\"submodels\": "
          "[{\"max_value\": 1.0, \"model\": " +
          inside + "}]}, \"weights\": []}"),
      RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: architecture is \"SlimmableContainer\"; librnn reads \"LSTM\"");
}

TEST(Nam, Refuses) {
  ASSERT_EQ(try_load(kNamJson), RNN_OK) << rnn_last_error();
  const Refusal cases[] = {
      {"\"architecture\": \"LSTM\"", "\"architecture\": \"WaveNet\"",
       "unsupported: architecture is \"WaveNet\"; librnn reads \"LSTM\", \"Linear\" and \"ConvNet\""},
      {"\"architecture\": \"LSTM\"", "\"architecture\": 7", "architecture is 7; it must be a string"},
      {"\"config\"", "\"configuration\"", "config is missing"},
      {"\"weights\"", "\"weight\"", "weights is missing"},
      {"\"input_size\": 1, ", "", "config.input_size is missing"},
      {"\"input_size\": 1", "\"input_size\": 0", "config.input_size is 0; it must be an integer, 1..1048576"},
      {"\"hidden_size\": 1", "\"hidden_size\": 2", "weights has 16 values; it must be 39"},
      {"\"hidden_size\": 1", "\"hidden_size\": 65536", "weights has 16 values; it must be 17180590081"},
      {"\"hidden_size\": 1", "\"hidden_size\": -2",
       "config.hidden_size is -2; it must be an integer, 1..65536"},
      {"\"hidden_size\": 1", "\"hidden_size\": 1.0",
       "config.hidden_size is 1.0; it must be an integer, 1..65536"},
      {"\"num_layers\": 1", "\"num_layers\": 0", "config.num_layers is 0; it must be an integer, 1..64"},
      {"\"num_layers\": 1", "\"num_layers\": 65",
       "unsupported: config.num_layers is 65; it must be an integer, 1..64"},
      {"\"num_layers\": 1", "\"num_layers\": 2", "weights has 16 values; it must be 30"},
      {"\"num_layers\": 1", "\"num_layers\": 1, \"head\": 1", "unsupported: config.head is unknown"},
      {"\"in_channels\": 1", "\"in_channels\": 2", "config.in_channels is 2; the weights are those of 1"},
      {"\"out_channels\": 1", "\"out_channels\": 2", "weights has 16 values; it must be 18"},
      {"\"weights\": [", "\"weights\": [0,", "weights has 17 values; it must be 16"},
      {"\"weights\": [", "\"weights\": [null,",
       "weights is an array of 17; it must be an array of 16 numbers"},
      {"\"weights\": [1,", "\"weights\": [1e40,", "weights[0] is a number that no float can hold"},
  };
  for (const Refusal& refusal : cases) expect_refused(kNamJson, refusal);
}

}  // namespace

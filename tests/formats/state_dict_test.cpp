// PyTorch state dicts as JSON, and GuitarML's models.
#include <vector>

#include "tests/formats/json_examples.h"
#include "tests/formats/json_test.h"
#include "tests/reference/gru.h"
#include "tests/reference/lstm.h"
#include "tests/reference/vanilla.h"

using namespace rnn::reference;

namespace {

// A torch.nn.RNN, GRU or LSTM, with as many gates as it has.
struct Module {
  std::string prefix;
  std::size_t gates;
  std::size_t inputs;
  std::size_t hidden;
  std::size_t layers;
  bool bias;
  std::vector<Vector> values;  // of each layer weight_ih, weight_hh, bias_ih, bias_hh
};

Module random(Numbers& numbers, const std::string& prefix, std::size_t gates, std::size_t inputs,
              std::size_t hidden, std::size_t layers = 1, bool bias = true) {
  Module module{prefix, gates, inputs, hidden, layers, bias, {}};
  for (std::size_t l = 0; l < layers; ++l) {
    const std::size_t rows = gates * hidden;
    for (const std::size_t columns : {l == 0 ? inputs : hidden, hidden})
      module.values.push_back(numbers.vector(rows * columns));
    for (int i = 0; i < 2; ++i) module.values.push_back(bias ? numbers.vector(rows) : Vector(rows));
  }
  return module;
}

struct Linear {
  std::string prefix;
  Vector weight;
  Vector bias;  // empty: none
};

std::string text(const std::vector<Module>& modules, const Linear& linear) {
  std::string out = "{";
  const auto add = [&](const std::string& key, const std::string& value) {
    out += (out.size() > 1 ? ", \"" : "\"") + key + "\": " + value;
  };
  for (const Module& m : modules) {
    for (std::size_t l = 0; l < m.layers; ++l) {
      const std::string suffix = "_l" + std::to_string(l);
      const Vector* v = &m.values[4 * l];
      add(m.prefix + "weight_ih" + suffix, rows(v[0], l == 0 ? m.inputs : m.hidden));
      add(m.prefix + "weight_hh" + suffix, rows(v[1], m.hidden));
      if (m.bias) add(m.prefix + "bias_ih" + suffix, list(v[2]));
      if (m.bias) add(m.prefix + "bias_hh" + suffix, list(v[3]));
    }
  }
  if (!linear.weight.empty()) add(linear.prefix + "weight", rows(linear.weight, modules.back().hidden));
  if (!linear.bias.empty()) add(linear.prefix + "bias", list(linear.bias));
  return out + "}";
}

// By PyTorch's formulas, each bias where PyTorch has it.
Vector run(const std::vector<Module>& modules, const Linear& linear, const Vector& inputs) {
  std::vector<Vector> h, c;
  Vector outputs;
  const std::size_t I = modules.front().inputs;
  for (std::size_t t = 0; t < inputs.size() / I; ++t) {
    const auto begin = inputs.begin() + static_cast<std::ptrdiff_t>(t * I);
    Vector x(begin, begin + static_cast<std::ptrdiff_t>(I));
    std::size_t layer = 0;
    for (const Module& m : modules) {
      for (std::size_t l = 0; l < m.layers; ++l, ++layer) {
        if (t == 0) h.emplace_back(m.hidden), c.emplace_back(m.hidden);
        const Vector* p = &m.values[4 * l];
        const Vector v = sum(product(p[0], x), p[2]), u = sum(product(p[1], h[layer]), p[3]);
        h[layer] = m.gates == 1   ? vanilla(v, u)
                   : m.gates == 3 ? gru(v, u, Vector(m.hidden), h[layer])
                                  : lstm(v, u, c[layer]);
        x = h[layer];
      }
    }
    if (!linear.weight.empty()) x = product(linear.weight, x);
    if (!linear.bias.empty()) x = sum(x, linear.bias);
    outputs.insert(outputs.end(), x.begin(), x.end());
  }
  return outputs;
}

TEST(StateDict, Outputs) {
  Numbers numbers(5);
  const auto make = [&](auto... arguments) { return random(numbers, arguments...); };
  const Linear none{}, head{"dense.", numbers.vector(2 * 4), numbers.vector(2)},
      bare{"fc.", numbers.vector(4), {}};
  const std::pair<std::vector<Module>, Linear> cases[] = {
      {{make("lstm.", 4, 1, 4), make("lstm2.", 4, 4, 4, 3)}, head},
      {{make("gru.", 3, 2, 4, 2)}, head},
      {{make("rnn.", 1, 3, 4, 2)}, bare},
      {{make("", 3, 2, 4)}, none},
      {{make("net.gru.", 3, 2, 4, 1, false)}, bare},
      {{make("lstm.", 4, 2, 4, 2, false)}, head},
      {{make("a.", 3, 1, 4, 1, false), make("b.", 3, 4, 4)}, bare},
  };
  for (const auto& [modules, linear] : cases) {
    const std::string file = text(modules, linear);
    SCOPED_TRACE(file);
    const Vector inputs = numbers.vector(12 * modules.front().inputs);
    expect_outputs(file, inputs, run(modules, linear, inputs));
  }
}

TEST(StateDict, GuitarML) {
  const Module module{"rec.", 1, 1, 1, 1, true, {{0.5}, {-0.1f}, {1}, {2}}};
  const Vector inputs = {1, -1, 0.5};
  const std::string file = replaced(kGuitarMlJson, "\"state_dict\"", "\"samplerate\": 44100, \"state_dict\"");
  expect_outputs(file, inputs, run({module}, {"lin.", {3}, {4}}, inputs));
  EXPECT_EQ(metadata(file).at("samplerate"), "44100");

  const Refusal cases[] = {
      {"\"skip\": 0", "\"skip\": 2", "unsupported: model_data.skip is 2; librnn reads 0 and 1"},
      {"\"skip\": 0", "\"skip\": \"1\"", "model_data.skip is \"1\"; it must be a number"},
      {"\"unit_type\": \"RNN\"", "\"unit_type\": \"GRU\"",
       "model_data.unit_type is \"GRU\"; the weights are those of RNN"},
      {"\"unit_type\": \"RNN\"", "\"unit_type\": 1", "model_data.unit_type is 1; it must be a string"},
      {"\"input_size\": 1", "\"input_size\": 2", "model_data.input_size is 2; the weights are those of 1"},
      {"\"hidden_size\": 1", "\"hidden_size\": 3", "model_data.hidden_size is 3; the weights are those of 1"},
      {"\"output_size\": 1", "\"output_size\": 0", "model_data.output_size is 0; the weights are those of 1"},
      {"\"num_layers\": 1", "\"num_layers\": 2", "model_data.num_layers is 2; the weights are those of 1"},
      {"rec.weight_ih_l0", "rec.weight_ih",
       "module \"rec.\" has names of a cell (weight_ih) and of layers (weight_ih_l0)"},
      {"\"lin.bias\"", "\"x\": 1, \"lin.bias\"", "unsupported: tensor \"x\" is not part of this network"},
      {"[[0.5]]", "1", "state_dict.rec.weight_ih_l0 is 1; it must be an array of numbers"},
      {"\"model_data\": {", "\"model_data\": [{}], \"x\": {",
       "model_data is an array of 1; it must be an object"},
  };
  for (const Refusal& refusal : cases) expect_refused(kGuitarMlJson, refusal);
}

// y + x[0]
TEST(StateDict, GuitarMLSkip) {
  Numbers numbers(7);
  for (const std::size_t gates : {3, 4}) {
    const Module module = random(numbers, "rec.", gates, 1, 4);
    const auto model = [&](const std::string& skip, const Linear& linear) {
      const std::string unit = gates == 3 ? "GRU" : "LSTM";
      return "{\"model_data\": {\"unit_type\": \"" + unit + "\", \"skip\": " + skip +
             "}, \"state_dict\": " + text({module}, linear) + "}";
    };
    const Linear linear{"lin.", numbers.vector(4), numbers.vector(1)};
    const Vector x = numbers.vector(12);
    Vector y = run({module}, linear, x);
    expect_outputs(model("0", linear), x, y);
    for (std::size_t t = 0; t < y.size(); ++t) y[t] += x[t];
    for (const char* skip : {"1", "1.0", "true"}) expect_outputs(model(skip, linear), x, y);
    const Linear two{"lin.", numbers.vector(8), numbers.vector(2)};
    EXPECT_EQ(try_load(model("1", two)), RNN_UNSUPPORTED);
    EXPECT_MESSAGE("unsupported: model_data.skip is 1 and there are 2 outputs; librnn reads it with 1");
  }
}

TEST(StateDict, Parameters) {
  const Rnn rnn = load_memory(kStateDictJson);
  EXPECT_EQ(parameter(rnn.get(), "weight_ih_l0"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(parameter(rnn.get(), "bias_ih_l0"), (std::vector<float>{11, 22, 3}));
  EXPECT_EQ(parameter(rnn.get(), "bias_hn_l0"), (std::vector<float>{30}));
  EXPECT_EQ(parameter(rnn.get(), "head.weight"), (std::vector<float>{1, 2}));
  EXPECT_EQ(metadata(kStateDictJson), (std::map<std::string, std::string>{{"rate", "48000"}}));
}

TEST(StateDict, Refuses) {
  ASSERT_EQ(try_load(kStateDictJson), RNN_OK) << rnn_last_error();
  const Refusal cases[] = {
      {"\"gru.weight_hh_l0\"", "\"gru.weight_h_l0\"", "tensor gru.weight_hh_l0 is missing"},
      {"\"gru.weight_ih_l0\"", "\"gru.weight_i_l0\"", "tensor gru.weight_ih_l0 is missing"},
      {"[[1], [2], [3]]", "[[1], [2]]",
       "tensor gru.weight_hh_l0 has shape [2, 1]; its rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) times its"},
      {"[[1], [2], [3]]", "[1, 2, 3]", "tensor gru.weight_hh_l0 has shape [3]; it must be a matrix"},
      {"[[1], [2], [3]]", "[[], [], []]", "hidden_size is 0; it must be 1..65536"},
      {"[[1], [2], [3]]", "[[1], [2], [3, 4]]",
       "gru.weight_hh_l0[2] has shape [2]; it must be [1] as gru.weight_hh_l0[0]"},
      {"[[1], [2], [3]]", "[[1], [2], [\"3\"]]",
       "gru.weight_hh_l0[2][0] is \"3\"; it must be an array of numbers"},
      {"[[1, 2], [3, 4], [5, 6]]", "[[1, 2], [3, 4]]",
       "tensor gru.weight_ih_l0 has shape [2, 2]; it must be [3, 2]"},
      {"[[1, 2], [3, 4], [5, 6]]", "[[1, 2], [3], [5, 6]]",
       "gru.weight_ih_l0[1] has shape [1]; it must be [2] as gru.weight_ih_l0[0]"},
      {"[1, 2, 3]", "[1, 2]", "tensor gru.bias_ih_l0 has shape [2]; it must be [3]"},
      {"[10, 20, 30]", "null", "gru.bias_hh_l0 is null; it must be an array of numbers"},
      {"\"gru.bias_hh_l0\": [10, 20, 30], ", "", "tensor gru.bias_hh_l0 is missing; its shape would be [3]"},
      {"\"gru.bias_ih_l0\": [1, 2, 3], ", "", "tensor gru.bias_ih_l0 is missing; its shape would be [3]"},
      {"\"rate\"", "\"gru.bias_hh_l0\": [1, 2, 3], \"rate\"", "gru.bias_hh_l0 is there twice"},
      {"\"rate\"", "\"gru.weight_ih_l0_reverse\": [[1, 2], [3, 4], [5, 6]], \"rate\"",
       "tensor gru.weight_hh_l0_reverse is missing; its shape would be [3, 1]"},
      {"\"rate\"", "\"gru.weight_hr_l0\": [[1]], \"rate\"",
       "tensor gru.weight_hh_l0 has shape [3, 1]; with gru.weight_hr_l0 of [1, 1] its rows must be 4 times "
       "1"},
      {"\"rate\"", "\"gru.weight_ih_l2\": [[1]], \"rate\"",
       "tensor gru.weight_ih_l1 is missing; its shape would be [3, 1]"},
      {"\"rate\"", "\"conv.weight\": [[[1]], [[2]]], \"conv.bias\": [1, 2], \"rate\"",
       "unsupported: tensor \"conv.weight\" of shape [2, 1, 1] is not part of this network"},
      {"[[1], [2]],", "[[1, 2], [3, 4]],",
       "unsupported: tensor \"fc.weight\" of shape [2, 2] is not part of this network"},
      {"[[1], [2]],", "[],", "unsupported: tensor \"fc.weight\" of shape [0] is not part of this network"},
      {"[3, 4], \"rate\"", "[3, 4, 5], \"rate\"", "tensor fc.bias has shape [3]; it must be [2]"},
      {"\"rate\"",
       "\"gru2.weight_ih_l0\": [[1, 2], [3, 4], [5, 6]], \"gru2.weight_hh_l0\": [[1], [2], [3]], \"rate\"",
       "tensor gru2.weight_ih_l0 has shape [3, 2]; it must be [3, 1]"},
      {"\"rate\"", "\"b.weight_ih_l0\": [[1, 2]], \"b.weight_hh_l0\": [[1]], \"rate\"",
       "tensor b.weight_ih_l0 has shape [1, 2]; it must be [1, 1]"},
      {"\"rate\"", "\"x.weight_ih_l0\": null, \"rate\"", "tensor x.weight_hh_l0 is missing"},
      {"[3, 4], \"rate\"", "[3, 1e39], \"rate\"",
       "tensor fc.bias: value 1 is inf as a float; it must be finite"},
      {"\"rate\"", "\"probe.inputs\": [[1, 2]], \"rate\"",
       "tensor probe.outputs is missing; there is probe.inputs"},
  };
  for (const Refusal& refusal : cases) expect_refused(kStateDictJson, refusal);
}

}  // namespace

// State dicts of each kind that PyTorch's modules have, from each container that holds them: the same
// network, and what PyTorch's formulas give.
#include <utility>
#include <vector>

#include "tests/formats/json_test.h"
#include "tests/reference/gru.h"
#include "tests/reference/keras.h"
#include "tests/reference/lstm.h"
#include "tests/reference/vanilla.h"

using namespace rnn::reference;

namespace {

struct Values {
  std::vector<std::size_t> shape;
  Vector numbers;
};

using Dict = std::vector<std::pair<std::string, Values>>;  // in the order of the file

struct Kind {
  std::size_t gates = 4, inputs = 3, hidden = 4, layers = 1, outputs = 2;  // outputs 0: no Linear
  bool reverse = false, cell = false, bias = true, relu = false;
  std::size_t projection = 0;
  std::size_t symbols = 0;  // of an embedding of vectors of `inputs`
  std::string prefix = "net.rnn.";

  std::size_t width() const { return projection != 0 ? projection : hidden; }
  std::string name(const char* base, std::size_t layer, bool backward) const {
    return prefix + base + (cell ? "" : "_l" + std::to_string(layer)) + (backward ? "_reverse" : "");
  }
};

Dict make(const Kind& kind, Numbers& numbers) {
  Dict dict;
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    dict.push_back({name, {shape, numbers.vector(count)}});
  };
  const std::size_t rows = kind.gates * kind.hidden, directions = kind.reverse ? 2 : 1;
  if (kind.symbols != 0) add("tokens.weight", {kind.symbols, kind.inputs});
  for (std::size_t l = 0; l < kind.layers; ++l) {
    for (std::size_t d = 0; d < directions; ++d) {
      add(kind.name("weight_ih", l, d == 1), {rows, l == 0 ? kind.inputs : directions * kind.width()});
      add(kind.name("weight_hh", l, d == 1), {rows, kind.width()});
      if (kind.bias) add(kind.name("bias_ih", l, d == 1), {rows});
      if (kind.bias) add(kind.name("bias_hh", l, d == 1), {rows});
      if (kind.projection != 0) add(kind.name("weight_hr", l, d == 1), {kind.projection, kind.hidden});
    }
  }
  if (kind.outputs != 0) add("fc.weight", {kind.outputs, directions * kind.width()});
  if (kind.outputs != 0) add("fc.bias", {kind.outputs});
  return dict;
}

Vector find(const Dict& dict, const std::string& name, std::size_t otherwise) {
  for (const auto& [own, values] : dict)
    if (own == name) return values.numbers;
  return Vector(otherwise);
}

std::string nested(const Values& values) {
  return values.shape.size() == 2 ? rows(values.numbers, values.shape[1]) : list(values.numbers);
}

std::string json(const Dict& dict) {
  std::string text;
  for (const auto& [name, values] : dict)
    text += (text.empty() ? "{\"" : ", \"") + name + "\": " + nested(values);
  return text + "}";
}

std::string safetensors(const Dict& dict) {
  std::vector<HandTensor> tensors;
  for (const auto& [name, values] : dict)
    tensors.push_back(f32(name, values.shape, {values.numbers.begin(), values.numbers.end()}));
  return container(tensors);
}

// One direction of a layer, over all steps.
std::vector<Vector> run(const Kind& kind, const Dict& dict, std::size_t l, bool backward,
                        const std::vector<Vector>& x) {
  const std::size_t G = kind.gates * kind.hidden;
  const Vector input = find(dict, kind.name("weight_ih", l, backward), 0),
               recurrent = find(dict, kind.name("weight_hh", l, backward), 0),
               first = find(dict, kind.name("bias_ih", l, backward), G),
               second = find(dict, kind.name("bias_hh", l, backward), G),
               projection = find(dict, kind.name("weight_hr", l, backward), 0);
  Vector h(kind.width()), c(kind.hidden);
  std::vector<Vector> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t t = backward ? x.size() - 1 - i : i;
    const Vector v = sum(product(input, x[t]), first), u = sum(product(recurrent, h), second);
    Activations activations;
    if (kind.relu) activations.new_gate = {RNN_ACTIVATION_RELU};
    h = kind.gates == 1   ? vanilla(v, u, activations)
        : kind.gates == 3 ? gru(v, u, Vector(kind.hidden), h)
                          : lstm(v, u, c);
    if (kind.projection != 0) h = product(projection, h);
    y[t] = h;
  }
  return y;
}

std::vector<Vector> run(const Kind& kind, const Dict& dict, std::vector<Vector> x) {
  for (std::size_t l = 0; l < kind.layers; ++l) {
    std::vector<Vector> y = run(kind, dict, l, false, x);
    if (kind.reverse) {
      const std::vector<Vector> z = run(kind, dict, l, true, x);
      for (std::size_t t = 0; t < x.size(); ++t) y[t].insert(y[t].end(), z[t].begin(), z[t].end());
    }
    x = std::move(y);
  }
  for (Vector& step : x)
    if (kind.outputs != 0) step = sum(product(find(dict, "fc.weight", 0), step), find(dict, "fc.bias", 0));
  return x;
}

rnn_status_t load(const std::string& file, const rnn_load_options_t& options, Rnn& out) {
  rnn_t* rnn = nullptr;
  const rnn_status_t status = rnn_load_memory_as(file.data(), file.size(), &options, nullptr, &rnn);
  out.reset(rnn);
  return status;
}

rnn_load_options_t no_options() {
  rnn_load_options_t options{};
  options.struct_size = sizeof options;
  return options;
}

constexpr std::size_t kSteps = 7;

void expect_outputs(const Rnn& rnn, const Kind& kind, const Dict& dict, Numbers& numbers) {
  std::vector<Vector> x;
  std::vector<float> inputs;
  std::vector<std::int32_t> indices;
  for (std::size_t t = 0; t < kSteps; ++t) {
    if (kind.symbols == 0) {
      x.push_back(numbers.vector(kind.inputs));
      inputs.insert(inputs.end(), x[t].begin(), x[t].end());
      continue;
    }
    indices.push_back(static_cast<std::int32_t>((3 * t + 1) % kind.symbols));
    const Vector table = find(dict, "tokens.weight", 0);
    const auto row = table.begin() + static_cast<std::ptrdiff_t>(kind.inputs) * indices[t];
    x.emplace_back(row, row + static_cast<std::ptrdiff_t>(kind.inputs));
  }
  const std::size_t lengths[] = {kSteps};
  rnn_sequences_t in{};
  in.struct_size = sizeof in;
  in.count = 1;
  in.frames = kSteps;
  in.lengths = lengths;
  in.inputs = inputs.empty() ? nullptr : inputs.data();
  in.indices = indices.empty() ? nullptr : indices.data();
  const std::vector<Vector> expected = run(kind, dict, x);
  std::vector<float> y(kSteps * expected[0].size());
  ASSERT_EQ(rnn_forward(rnn.get(), &in, nullptr, y.data()), RNN_OK) << rnn_last_error();
  for (std::size_t t = 0; t < kSteps; ++t)
    for (std::size_t i = 0; i < expected[t].size(); ++i)
      EXPECT_NEAR(static_cast<double>(y[t * expected[t].size() + i]), expected[t][i], 2e-6) << "step " << t;
}

std::vector<Kind> kinds() {
  std::vector<Kind> kinds;
  for (const std::size_t gates : {1, 3, 4}) {
    const auto add = [&](const std::function<void(Kind&)>& change) {
      kinds.emplace_back().gates = gates;
      change(kinds.back());
    };
    add([](Kind&) {});
    add([](Kind& k) { k.layers = 2, k.prefix = "", k.outputs = 0; });
    add([](Kind& k) { k.reverse = true, k.layers = 2; });
    add([](Kind& k) { k.reverse = true, k.bias = false; });
    add([](Kind& k) { k.symbols = 9; });
    add([](Kind& k) { k.symbols = 5, k.reverse = true, k.outputs = 5; });
    add([](Kind& k) { k.cell = true; });
    add([](Kind& k) { k.cell = true, k.bias = false, k.symbols = 6, k.prefix = ""; });
  }
  kinds.emplace_back().projection = 2;
  kinds.emplace_back().projection = 3;
  kinds.back().reverse = true;
  kinds.back().layers = 2;
  kinds.back().symbols = 8;
  kinds.emplace_back().gates = 1;
  kinds.back().relu = true;
  kinds.back().layers = 2;
  return kinds;
}

TEST(Dict, OutputsFromEachContainer) {
  Numbers numbers(17);
  for (const Kind& kind : kinds()) {
    const Dict dict = make(kind, numbers);
    SCOPED_TRACE(json(dict));
    rnn_load_options_t options = no_options();
    if (kind.relu) options.flags = RNN_FLAG_RELU;
    Rnn text(nullptr, &rnn_destroy), binary(nullptr, &rnn_destroy);
    ASSERT_EQ(load(json(dict), options, text), RNN_OK) << rnn_last_error();
    ASSERT_EQ(load("{\"epoch\": 3, \"state_dict\": " + json(dict) + "}", options, text), RNN_OK)
        << rnn_last_error();
    ASSERT_EQ(load(safetensors(dict), options, binary), RNN_OK) << rnn_last_error();
    expect_equal(text.get(), binary.get());
    expect_outputs(text, kind, dict, numbers);
  }
}

// None is filled in: of whatever container, a tensor that is missing is named.
TEST(Dict, EachTensorIsNeeded) {
  Numbers numbers(18);
  for (Kind kind : kinds()) {
    kind.outputs = 0;
    kind.symbols = 0;
    const Dict dict = make(kind, numbers);
    if (dict.size() <= 2) continue;  // a module of one matrix could be anything
    for (std::size_t i = 0; i < dict.size(); ++i) {
      Dict fewer = dict;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      // A projection that all layers lack is none.
      if (kind.projection != 0 && !kind.reverse && dict[i].first.find("weight_hr") != std::string::npos)
        continue;
      for (const std::string& file : {json(fewer), safetensors(fewer)}) {
        EXPECT_EQ(try_load(file), RNN_BAD_FORMAT) << dict[i].first;
        EXPECT_MESSAGE("tensor " + dict[i].first + " is missing");
      }
    }
  }
}

TEST(Dict, ShapesOfOtherCellsAreNamed) {
  Numbers numbers(19);
  Kind kind;
  kind.layers = 2;
  kind.outputs = 0;
  const Dict dict = make(kind, numbers);
  for (std::size_t i = 0; i < dict.size(); ++i) {
    for (const std::size_t gates : {1, 3}) {
      if (dict[i].first == "net.rnn.weight_hh_l0") continue;  // says what the cell is
      Dict other = dict;
      Values& values = other[i].second;
      values.shape[0] = gates * kind.hidden;
      values.numbers.resize(values.numbers.size() / 4 * gates);
      for (const std::string& file : {json(other), safetensors(other)}) {
        EXPECT_EQ(try_load(file), RNN_BAD_FORMAT) << dict[i].first;
        EXPECT_MESSAGE("tensor " + dict[i].first + " has shape [" + std::to_string(gates * kind.hidden));
      }
    }
  }
}

TEST(Dict, OptionsChooseInEachContainer) {
  Numbers numbers(20);
  Kind kind, other;
  other.gates = 3;
  other.prefix = "aux.gru.";
  const Dict dict = make(kind, numbers);
  Dict both = make(other, numbers);
  both.erase(both.end() - 2, both.end());  // its Linear
  both.insert(both.end(), dict.begin(), dict.end());
  both.push_back({"second.weight", {{5, 4}, numbers.vector(20)}});
  rnn_load_options_t options = no_options();
  options.layers = "net.*";
  options.head = "fc.";
  Rnn expected = load_memory(safetensors(dict)), rnn(nullptr, &rnn_destroy);
  for (std::string file : {json(both), safetensors(both)}) {
    ASSERT_EQ(load(file, options, rnn), RNN_OK) << rnn_last_error();
    expect_equal(rnn.get(), expected.get());
  }
  // What stands elsewhere in JSON need not be a tensor.
  const std::string more = json(both);
  ASSERT_EQ(load("{\"state_dict\": " + more.substr(0, more.size() - 1) +
                     ", \"x.count\": 7, \"x.y\": [[1], [2, 3]], \"x.weight\": {}, \"z.weight\": [1, \"a\"]}}",
                 options, rnn),
            RNN_OK)
      << rnn_last_error();
  expect_equal(rnn.get(), expected.get());

  options.head = nullptr;
  for (const std::string& file : {json(both), safetensors(both)}) {
    EXPECT_EQ(load(file, options, rnn), RNN_INVALID_ARGUMENT);
    EXPECT_MESSAGE(
        "2 modules could be the head: \"fc.\", \"second.\"; options.head of rnn_load_as says which");
  }
  options.flags = RNN_FLAG_RELU;
  EXPECT_EQ(load(json(dict), options, rnn), RNN_INVALID_ARGUMENT);
  EXPECT_MESSAGE("options.flags has RNN_FLAG_RELU; the file holds an LSTM");
  options.layers = "x.";
  EXPECT_EQ(load(json(dict), options, rnn), RNN_INVALID_ARGUMENT);
  EXPECT_MESSAGE("options.layers is \"x.\"; what stands before \"weight_ih_l0\" in the file is \"net.rnn.\"");
}

TEST(Dict, OtherTypesArePassedOver) {
  Numbers numbers(21);
  const Dict dict = make(Kind(), numbers);
  std::vector<HandTensor> tensors;
  for (const auto& [name, values] : dict)
    tensors.push_back(f32(name, values.shape, {values.numbers.begin(), values.numbers.end()}));
  const Rnn expected = load_memory(container(tensors));
  const std::vector<HandTensor> network = tensors;
  for (const char* type : {"BOOL", "I8", "I16", "I32", "U8", "U32", "F8_E4M3", "C64", "X1"})
    tensors.push_back({std::string("attention.") + type, type, {3}, std::string(12, '\1')});
  tensors.push_back({"attention.i64", "I64", {2}, std::string(16, '\1')});
  rnn_load_options_t options = no_options();
  options.layers = "net.rnn.";
  Rnn rnn(nullptr, &rnn_destroy);
  ASSERT_EQ(load(container(tensors), options, rnn), RNN_OK) << rnn_last_error();
  expect_equal(rnn.get(), expected.get());
  options.layers = nullptr;
  EXPECT_EQ(load(container(tensors), options, rnn), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: tensor \"attention.BOOL\" of shape [3] is not part of this network");

  for (std::size_t i = 0; i < network.size(); ++i) {
    std::vector<HandTensor> one = network;
    one[i].type = "I32";
    options.layers = "net.rnn.";
    EXPECT_EQ(load(container(one), options, rnn), RNN_UNSUPPORTED);
    EXPECT_MESSAGE("unsupported: tensor \"" + one[i].name +
                   "\" has dtype \"I32\"; it must be F64, F32, F16 or BF16");
  }
}

TEST(Dict, ProbesInJson) {
  // h = tanh(x)
  const std::string network = "{\"weight_ih_l0\": [[1]], \"weight_hh_l0\": [[0]], ";
  EXPECT_EQ(try_load(network +
                     "\"probe.inputs\": [[0.5], [-0.5]], \"probe.outputs\": [[0.46211716], [-0.46211716]]}"),
            RNN_OK)
      << rnn_last_error();
  EXPECT_EQ(
      try_load(network + "\"probe.inputs\": [[0.5], [-0.5]], \"probe.outputs\": [[0.46211716], [0.3]]}"),
      RNN_BAD_FORMAT);
  EXPECT_MESSAGE("probe: step 1, the output: found -0.462117, expected 0.3, within 0.0001");
  const std::string table = network + "\"emb.weight\": [[0], [0.5], [1]], ";
  rnn_load_options_t options = no_options();
  options.embedding = "emb.";
  Rnn rnn(nullptr, &rnn_destroy);
  EXPECT_EQ(load(table + "\"probe.inputs\": [1], \"probe.outputs\": [[0.46211716]]}", options, rnn), RNN_OK)
      << rnn_last_error();
  EXPECT_EQ(load(table + "\"probe.inputs\": [2], \"probe.outputs\": [[0.46211716]]}", options, rnn),
            RNN_BAD_FORMAT);
  EXPECT_MESSAGE("probe: step 0, the output: found 0.761594, expected 0.462117");
  EXPECT_EQ(load(table + "\"probe.inputs\": [3], \"probe.outputs\": [[0.46211716]]}", options, rnn),
            RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor probe.inputs holds 3; it must be 0..2");
}

TEST(Dict, ModulesOfLayers) {
  Numbers numbers(22);
  Kind kind;
  kind.cell = true;
  kind.prefix = "0.";
  Dict dict = make(kind, numbers);
  dict.push_back({"0.weight_ih_l0", {{16, 3}, numbers.vector(48)}});
  EXPECT_EQ(try_load(json(dict)), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("module \"0.\" has names of a cell (weight_ih) and of layers (weight_ih_l0)");

  Kind many = Kind();
  many.gates = many.hidden = many.inputs = 1;
  many.outputs = 0;
  many.layers = 256;
  EXPECT_EQ(try_load(json(make(many, numbers))), RNN_OK) << rnn_last_error();
  many.layers = 257;
  EXPECT_EQ(try_load(json(make(many, numbers))), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: module \"net.rnn.\" has 257 layers; there may be 256");
  many.layers = 140;
  dict = make(many, numbers);
  many.prefix = "net.rnn2.";
  const Dict second = make(many, numbers);
  dict.insert(dict.end(), second.begin(), second.end());
  EXPECT_EQ(try_load(json(dict)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: there are more than 256 layers");
  many.reverse = true;
  many.layers = 1;
  const Dict third = make(many, numbers);
  dict = make(Kind(), numbers);
  dict.insert(dict.end(), third.begin(), third.end());
  EXPECT_EQ(try_load(json(dict)), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor net.rnn2.weight_ih_l0 has shape [1, 1]; it must be [1, 4]");
}

// ---- Several Linears ----

struct Part {
  Kind kind;           // of a recurrent module,
  std::string linear;  // or the name of a Linear,
  std::string function;
};

Part recurrent(const Kind& kind) { return {kind, {}, {}}; }
Part dense(const std::string& name, const std::string& function) { return {Kind(), name, function}; }

void add(Dict& dict, const Dict& more) { dict.insert(dict.end(), more.begin(), more.end()); }

Dict linear(const std::string& name, std::size_t inputs, std::size_t outputs, bool bias, Numbers& numbers) {
  Dict dict = {{name + ".weight", {{outputs, inputs}, numbers.vector(outputs * inputs)}}};
  if (bias) dict.push_back({name + ".bias", {{outputs}, numbers.vector(outputs)}});
  return dict;
}

Kind module(const std::string& prefix, std::size_t gates, std::size_t inputs, std::size_t hidden) {
  Kind kind;
  kind.prefix = prefix, kind.gates = gates, kind.inputs = inputs, kind.hidden = hidden, kind.outputs = 0;
  return kind;
}

std::vector<Vector> run(const std::vector<Part>& parts, const Dict& dict, std::vector<Vector> x) {
  for (const Part& part : parts) {
    if (part.linear.empty()) x = run(part.kind, dict, x);
    for (Vector& step : x) {
      if (part.linear.empty()) break;
      const Vector weight = find(dict, part.linear + ".weight", 0);
      step = product(weight, step);
      step = keras::activate(part.function, sum(step, find(dict, part.linear + ".bias", step.size())), 0.5);
    }
  }
  return x;
}

void expect_runs(const std::string& file, const std::vector<Part>& parts, const Dict& dict,
                 const rnn_load_options_t& options, std::size_t inputs, Numbers& numbers) {
  Rnn rnn(nullptr, &rnn_destroy);
  ASSERT_EQ(load(file, options, rnn), RNN_OK) << rnn_last_error();
  std::vector<Vector> x;
  for (std::size_t t = 0; t < kSteps; ++t) x.push_back(numbers.vector(inputs));
  const std::vector<Vector> expected = run(parts, dict, x);
  for (std::size_t t = 0; t < kSteps; ++t) {
    const std::vector<float> in(x[t].begin(), x[t].end());
    std::vector<float> y(expected[t].size() + 1, 1e9f);
    ASSERT_EQ(rnn_step(rnn.get(), in.data(), y.data()), RNN_OK);
    for (std::size_t i = 0; i < expected[t].size(); ++i)
      EXPECT_NEAR(static_cast<double>(y[i]), expected[t][i], 2e-6) << "step " << t;
    EXPECT_EQ(y.back(), 1e9f);
  }
}

// Names whose alphabetical order is another one.
TEST(Dict, Linears) {
  Numbers numbers(31);
  for (const bool bias : {true, false}) {
    const Kind first = module("rnn.", 3, 4, 5), second = module("net.", 4, 5, 2);
    Dict dict = linear("z", 3, 4, true, numbers);
    add(dict, make(first, numbers));
    add(dict, make(second, numbers));
    add(dict, linear("y", 2, 6, bias, numbers));
    add(dict, linear("x", 6, 3, bias, numbers));
    rnn_load_options_t options = no_options();
    const std::string last = bias ? "none" : "softmax";
    const std::string names = "tanh, elu(0.5)," + last;
    options.activations = names.c_str();
    expect_runs(json(dict),
                {dense("z", "tanh"), recurrent(first), recurrent(second), dense("y", "elu"),
                 dense("x", bias ? "" : last)},
                dict, options, 3, numbers);
  }
}

// Without a recurrent module.
TEST(Dict, LinearsAlone) {
  Numbers numbers(35);
  Dict dict = linear("z", 3, 4, true, numbers);
  rnn_load_options_t options = no_options();
  for (const char* only : {"tanh", "none"}) {
    options.activations = only;
    const std::vector<Part> parts = {dense("z", only == std::string("none") ? "" : only)};
    expect_runs(json(dict), parts, dict, options, 3, numbers);
    expect_runs(safetensors(dict), parts, dict, options, 3, numbers);
  }
  EXPECT_EQ(try_load(json(dict)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE(
      "weight_ih of a cell; Linears alone need options.activations; the file has \"z.weight\", \"z.bias\"");
  EXPECT_EQ(try_load(safetensors(dict)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("the file has \"z.bias\", \"z.weight\"");
  add(dict, linear("y", 4, 5, false, numbers));
  add(dict, linear("x", 5, 2, true, numbers));
  options.activations = "relu,tanh,none";
  expect_runs(json(dict), {dense("z", "relu"), dense("y", "tanh"), dense("x", "")}, dict, options, 3,
              numbers);
  Rnn rnn(nullptr, &rnn_destroy);
  options.flags = RNN_FLAG_RELU;
  EXPECT_EQ(load(json(dict), options, rnn), RNN_INVALID_ARGUMENT);
  EXPECT_MESSAGE("options.flags has RNN_FLAG_RELU; the file holds Linears");
  options = no_options();
  options.activations = "";
  EXPECT_EQ(load("{\"weight\": [[[1]]]}", options, rnn), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: the file has no Linear and no recurrent module");
}

TEST(Dict, EachActivation) {
  Numbers numbers(32);
  const Kind gru = module("rnn.", 3, 2, 3);
  Dict dict = make(gru, numbers);
  add(dict, linear("fc", 3, 4, true, numbers));
  for (const char* name : {"none", "linear", "tanh", "relu", "sigmoid", "softmax", "elu(0.5)",
                           "leaky_relu(0.5)", "softsign", "gelu", "swish", "silu", "softplus"}) {
    rnn_load_options_t options = no_options();
    options.activations = name;
    std::string own = name;
    own = own == "none" ? "" : own.substr(0, own.find('('));
    expect_runs(json(dict), {recurrent(gru), dense("fc", own)}, dict, options, 2, numbers);
    expect_runs(safetensors(dict), {recurrent(gru), dense("fc", own)}, dict, options, 2, numbers);
  }
  rnn_load_options_t options = no_options();
  options.activations = "none";
  Rnn plain(nullptr, &rnn_destroy);
  ASSERT_EQ(load(json(dict), options, plain), RNN_OK) << rnn_last_error();
  expect_equal(plain.get(), load_memory(json(dict)).get());
  // PyTorch's: x / 6 + 1 / 2
  dict[dict.size() - 2].second.numbers = Vector(12);
  dict.back().second.numbers = {0, 1.5, 3, -3};
  options.activations = "hard_sigmoid";
  Rnn hard(nullptr, &rnn_destroy);
  ASSERT_EQ(load(json(dict), options, hard), RNN_OK) << rnn_last_error();
  const std::vector<float> x(2);
  std::vector<float> y(4);
  ASSERT_EQ(rnn_step(hard.get(), x.data(), y.data()), RNN_OK);
  EXPECT_NEAR(static_cast<double>(y[1]), 0.75, 1e-6);
  EXPECT_NEAR(static_cast<double>(y[2] + y[3]), 1.0, 1e-6);
}

TEST(Dict, ModulesThatDiffer) {
  Numbers numbers(33);
  const Kind first = module("a.", 3, 2, 3), second = module("b.", 1, 3, 4), third = module("c.", 4, 4, 2);
  Dict dict = make(first, numbers);
  add(dict, make(second, numbers));
  add(dict, make(third, numbers));
  const std::vector<Part> parts = {recurrent(first), recurrent(second), recurrent(third)};
  expect_runs(json(dict), parts, dict, no_options(), 2, numbers);
  rnn_load_options_t options = no_options();
  options.activations = "";
  expect_runs(json(dict), parts, dict, options, 2, numbers);
  EXPECT_EQ(try_load(safetensors(dict)), RNN_INVALID_ARGUMENT);
}

// Safetensors are sorted by their names; the option says which order it is.
TEST(Dict, ModulesInAnOrder) {
  Numbers numbers(34);
  const Kind first = module("z.rnn.", 3, 2, 3), second = module("b.", 1, 3, 4), third = module("a.", 4, 4, 2);
  Dict dict = make(first, numbers);
  add(dict, make(second, numbers));
  add(dict, make(third, numbers));
  add(dict, linear("fc", 2, 3, true, numbers));
  const std::vector<Part> parts = {recurrent(first), recurrent(second), recurrent(third),
                                   dense("fc", "tanh")};
  rnn_load_options_t options = no_options();
  options.activations = "tanh";
  options.layers = "z.*, b.,a.";
  expect_runs(safetensors(dict), parts, dict, options, 2, numbers);
  expect_runs(json(dict), parts, dict, options, 2, numbers);
  const std::pair<const char*, const char*> cases[] = {
      {"z.*,c.",
       "options.layers has \"c.\"; what stands before \"weight_ih_l0\" in the file is \"a.\", \"b.\", "},
      {"z.*,?.", "2 modules could be the layers: \"a.\", \"b.\"; options.layers of rnn_load_as says which"},
      {"z.*,b.,b.", "options.layers is \"z.*,b.,b.\", which has module \"b.\" twice"},
      {"z.*,", "options.layers has \"\"; what stands"},
  };
  for (const auto& [layers, message] : cases) {
    options.layers = layers;
    Rnn rnn(nullptr, &rnn_destroy);
    EXPECT_EQ(load(safetensors(dict), options, rnn), RNN_INVALID_ARGUMENT) << layers;
    EXPECT_MESSAGE(message);
  }
  options.layers = "b.,z.*,a.";
  Rnn rnn(nullptr, &rnn_destroy);
  EXPECT_EQ(load(safetensors(dict), options, rnn), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor z.rnn.weight_ih_l0 has shape [9, 2]; it must be [9, 4]");
}

// AWD-LSTM, as its authors and as fastai save it: the decoder is the encoder's matrix, layers differ in width.
TEST(Dict, LanguageModels) {
  Numbers numbers(35);
  constexpr std::size_t kSymbols = 9, kWidth = 4;
  for (const bool fastai : {false, true})
    for (const bool bias : {false, true}) {
      const std::string top = fastai ? "0." : "", decoder = fastai ? "1.decoder" : "decoder";
      const Kind modules[] = {module(top + "rnns.0.module.", 4, kWidth, 6),
                              module(top + "rnns.1.module.", 4, 6, kWidth)};
      Dict dict, file = linear(top + "encoder", kWidth, kSymbols, false, numbers);
      const Values matrix = file[0].second;
      if (fastai) file.push_back({"0.encoder_dp.emb.weight", matrix});
      for (const Kind& kind : modules) {
        const Dict own = make(kind, numbers);
        add(dict, own);
        for (const auto& [name, values] : own) {
          const bool dropped = name == kind.prefix + "weight_hh_l0";
          const std::string wrapper = kind.prefix.substr(0, kind.prefix.size() - 7);
          file.push_back({dropped ? wrapper + "weight_hh_l0_raw" : name, values});
        }
      }
      Dict head = linear(decoder, kWidth, kSymbols, bias, numbers);
      head[0].second = matrix;
      add(dict, head);
      add(file, head);
      const std::vector<Part> parts = {recurrent(modules[0]), recurrent(modules[1]),
                                       dense(decoder, "linear")};
      std::vector<Vector> x;
      for (std::size_t t = 0; t < kSteps; ++t) x.push_back(keras::gate(matrix.numbers, t % kSymbols, kWidth));
      const std::vector<Vector> expected = run(parts, dict, x);
      for (const std::string& text : {json(file), safetensors(file)}) {
        const Rnn rnn = load_memory(text);
        for (std::size_t t = 0; t < kSteps; ++t) {
          std::vector<float> y(kSymbols);
          ASSERT_EQ(rnn_step_index(rnn.get(), static_cast<std::int32_t>(t % kSymbols), y.data()), RNN_OK);
          for (std::size_t i = 0; i < kSymbols; ++i)
            EXPECT_NEAR(static_cast<double>(y[i]), expected[t][i], 2e-6) << "step " << t;
        }
      }
      if (!fastai) continue;
      for (auto& [name, values] : file)
        if (name == "0.encoder_dp.emb.weight") values.numbers[5] += 1;
      EXPECT_NE(try_load(safetensors(file)), RNN_OK);  // no copy
    }
}

TEST(Dict, RefusesLinears) {
  Numbers numbers(34);
  const Kind gru = module("rnn.", 3, 2, 3);
  Dict dict = make(gru, numbers);
  add(dict, linear("a", 3, 4, true, numbers));
  add(dict, linear("b", 4, 1, true, numbers));
  EXPECT_EQ(try_load(json(dict)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE(
      "unsupported: \"a.\", \"b.\" could be Linears of the network; options.activations of rnn_load_as "
      "says ");
  const auto expect = [&](const std::string& file, const char* activations, rnn_status_t status,
                          const std::string& message) {
    rnn_load_options_t options = no_options();
    options.activations = activations;
    Rnn rnn(nullptr, &rnn_destroy);
    EXPECT_EQ(load(file, options, rnn), status) << activations;
    if (status != RNN_OK) {
      EXPECT_MESSAGE(message);
    }
  };
  expect(json(dict), "tanh,none", RNN_OK, "");
  expect(json(dict), "tanh", RNN_INVALID_ARGUMENT,
         "options.activations is \"tanh\", which is 1; there must be one for each of the 2 Linears in the "
         "file, ");
  expect(json(dict), "", RNN_INVALID_ARGUMENT,
         "options.activations is \"\", which is 0; there must be one for each");
  for (const char* wrong : {"tanh,", ",tanh", "tanh,selu", "tanh,elu(x)", "tanh,elu()", "tanh,elu(1",
                            "tanh,tanh(1)", "tanh,leaky_relu(nan)", "tanh none", " "})
    expect(json(dict), wrong, RNN_INVALID_ARGUMENT, "options.activations has \"");
  expect(safetensors(dict), "tanh,none", RNN_UNSUPPORTED,
         "unsupported: the file does not keep the order of its modules \"a.\", \"b.\"");
  std::swap(dict[dict.size() - 4], dict[dict.size() - 2]);
  std::swap(dict[dict.size() - 3], dict[dict.size() - 1]);
  expect(json(dict), "tanh,none", RNN_BAD_FORMAT, "tensor b.weight has shape [1, 4]; it must be [1, 3]");
  expect(save_memory(create().get()), "tanh", RNN_INVALID_ARGUMENT,
         "options.activations is given; this file says itself what network it holds");
}

}  // namespace

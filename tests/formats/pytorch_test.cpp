// State dicts of PyTorch modules under any names: which tensors are the network, and what is ambiguous.
#include <cstdint>
#include <tuple>

#include "tests/formats/formats_test.h"

namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<std::size_t>>>;

// With values 0.01, 0.02, ... in each tensor.
std::vector<HandTensor> fill(const Shapes& shapes) {
  std::vector<HandTensor> tensors;
  for (const auto& [name, shape] : shapes) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = 0.01f * static_cast<float>(i + 1);
    tensors.push_back(f32(name, shape, values));
  }
  return tensors;
}

// A torch.nn.LSTM(3, 4) or another width of inputs, and a torch.nn.Linear(4, 2).
Shapes lstm(const std::string& prefix, std::size_t inputs = 3) {
  return {{prefix + "weight_ih_l0", {16, inputs}},
          {prefix + "weight_hh_l0", {16, 4}},
          {prefix + "bias_ih_l0", {16}},
          {prefix + "bias_hh_l0", {16}}};
}

Shapes linear(const std::string& prefix, std::size_t inputs = 4, std::size_t outputs = 2) {
  return {{prefix + "weight", {outputs, inputs}}, {prefix + "bias", {outputs}}};
}

Shapes operator+(Shapes a, const Shapes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Options {
  const char *layers = nullptr, *head = nullptr, *embedding = nullptr;
  std::uint32_t flags = 0;
};

rnn_status_t load(const std::string& file, const Options& options, rnn_t** out) {
  rnn_load_options_t given{};
  given.struct_size = sizeof given;
  given.layers = options.layers;
  given.head = options.head;
  given.embedding = options.embedding;
  given.flags = options.flags;
  return rnn_load_memory_as(file.data(), file.size(), &given, nullptr, out);
}

Rnn load(const Shapes& shapes, const Options& options = {}) {
  rnn_t* rnn = nullptr;
  EXPECT_EQ(load(container(fill(shapes)), options, &rnn), RNN_OK) << rnn_last_error();
  return {rnn, &rnn_destroy};
}

void expect_refusal(const Shapes& shapes, const Options& options, rnn_status_t status,
                    const std::string& message) {
  rnn_t* rnn = nullptr;
  EXPECT_EQ(load(container(fill(shapes)), options, &rnn), status) << message;
  EXPECT_EQ(rnn, nullptr);
  EXPECT_MESSAGE(message);
}

// Cell, I, E, H, O, L.
using Sizes = std::tuple<int, int, int, int, int, int>;

Sizes sizes(const Rnn& rnn) {
  rnn_config_t c{};
  c.struct_size = sizeof c;
  EXPECT_EQ(rnn_get_config(rnn.get(), &c), RNN_OK);
  return {c.cell, c.input_size, c.embedding_size, c.hidden_size, c.output_size, c.num_layers};
}

std::uint32_t flags(const Rnn& rnn) {
  rnn_config_t c{};
  c.struct_size = sizeof c;
  EXPECT_EQ(rnn_get_config(rnn.get(), &c), RNN_OK);
  return c.flags;
}

TEST(PyTorch, FindsModulesOfAnyName) {
  for (const char* layers : {"", "rnn.", "lstm.", "encoder.rnn.", "module.model.lstm."}) {
    EXPECT_EQ(sizes(load(lstm(layers))), Sizes(RNN_CELL_LSTM, 3, 0, 4, 0, 1)) << layers;
    for (const char* head : {"fc.", "linear.", "decoder.", "out.", "encoder.rnn.fc.", "layers.1."}) {
      const Rnn rnn = load(lstm(layers) + linear(head));
      EXPECT_EQ(sizes(rnn), Sizes(RNN_CELL_LSTM, 3, 0, 4, 2, 1)) << layers << head;
      EXPECT_FLOAT_EQ(parameter(rnn.get(), "head.bias")[1], 0.02f);
      EXPECT_FLOAT_EQ(parameter(rnn.get(), "bias_ih_l0")[15], 0.32f);
    }
  }
  // The names of PyTorch's own example of a language model.
  const Shapes table = {{"encoder.weight", {50, 6}}};
  EXPECT_EQ(sizes(load(table + lstm("rnn.", 6) + linear("decoder.", 4, 50))),
            Sizes(RNN_CELL_LSTM, 50, 6, 4, 50, 1));
  // The same widths: the decoder has a bias, the embedding has none.
  EXPECT_EQ(sizes(load(Shapes{{"encoder.weight", {50, 4}}} + lstm("rnn.", 4) + linear("decoder.", 4, 50))),
            Sizes(RNN_CELL_LSTM, 50, 4, 4, 50, 1));
  // No biases at all, and the name decides.
  EXPECT_EQ(sizes(load(Shapes{{"word_emb.weight", {50, 4}}, {"fc.weight", {7, 4}}} + lstm("rnn.", 4))),
            Sizes(RNN_CELL_LSTM, 50, 4, 4, 7, 1));
}

TEST(PyTorch, BiasesThatOneModuleLacks) {
  Shapes bare = {{"rnn.weight_ih_l0", {12, 3}}, {"rnn.weight_hh_l0", {12, 4}}};
  const Rnn head = load(bare + linear("fc."));
  EXPECT_EQ(sizes(head), Sizes(RNN_CELL_GRU, 3, 0, 4, 2, 1));
  EXPECT_EQ(flags(head), 0u);
  EXPECT_EQ(parameter(head.get(), "bias_ih_l0"), std::vector<float>(12));
  EXPECT_EQ(parameter(head.get(), "bias_hn_l0"), std::vector<float>(4));
  EXPECT_FLOAT_EQ(parameter(head.get(), "head.bias")[0], 0.01f);

  const Rnn layers = load(lstm("rnn.") + Shapes{{"fc.weight", {2, 4}}});
  EXPECT_EQ(parameter(layers.get(), "head.bias"), std::vector<float>(2));
  EXPECT_FLOAT_EQ(parameter(layers.get(), "bias_ih_l0")[0], 0.02f);

  EXPECT_EQ(flags(load(bare + Shapes{{"fc.weight", {2, 4}}})), static_cast<std::uint32_t>(RNN_FLAG_NO_BIAS));
  Shapes some = lstm("rnn.");
  some.erase(some.begin() + 2);
  expect_refusal(some, {}, RNN_BAD_FORMAT, "tensor rnn.bias_ih_l0 is missing; its shape would be [16]");
}

TEST(PyTorch, Relu) {
  const Shapes rnn = {{"weight_ih_l0", {4, 3}}, {"weight_hh_l0", {4, 4}}};
  Options relu;
  relu.flags = RNN_FLAG_RELU;
  EXPECT_EQ(flags(load(rnn, relu)), static_cast<std::uint32_t>(RNN_FLAG_NO_BIAS | RNN_FLAG_RELU));
  EXPECT_EQ(flags(load(rnn)), static_cast<std::uint32_t>(RNN_FLAG_NO_BIAS));
  expect_refusal(lstm(""), relu, RNN_INVALID_ARGUMENT,
                 "options.flags has RNN_FLAG_RELU; the file holds an LSTM");
  relu.flags = RNN_FLAG_RELU | RNN_FLAG_RESIDUAL;
  expect_refusal(rnn, relu, RNN_INVALID_ARGUMENT, "options.flags is 18; it must be 0 or RNN_FLAG_RELU");
}

// AWD-LSTM's, of which W_hh is dropped from: the parameter is weight_hh_l0_raw, and weight_hh_l0 what was left of it.
TEST(PyTorch, WeightDrop) {
  const auto dropped = [](const std::string& prefix, const std::string& raw, bool stale) {
    Shapes shapes;
    for (const auto& [name, shape] : lstm(prefix, 4))
      if (stale || name != prefix + "weight_hh_l0") shapes.emplace_back(name, shape);
    shapes.emplace_back(raw + "weight_hh_l0_raw", std::vector<std::size_t>{16, 4});
    return shapes;
  };
  const Shapes modules = Shapes{{"encoder.weight", {9, 4}}} + linear("decoder.", 4, 9);
  const Rnn plain =
      load(lstm("rnns.0.", 4) + lstm("rnns.1.", 4) + modules, {nullptr, "decoder.", "encoder."});
  for (const bool stale : {false, true})
    for (const bool outside : {false, true}) {
      Shapes shapes = modules;
      for (const std::string place : {"rnns.0.", "rnns.1."})
        shapes = shapes + dropped(place + "module.", outside ? place : place + "module.", stale);
      std::vector<HandTensor> tensors = fill(shapes);
      for (HandTensor& tensor : tensors)  // what must not be read
        if (tensor.name.find("weight_hh_l0") != std::string::npos &&
            tensor.name.find("raw") == std::string::npos)
          tensor.data = bytes(std::vector<float>(16 * 4, 7.0f));
      rnn_t* rnn = nullptr;
      ASSERT_EQ(load(container(tensors), {nullptr, "decoder.", "encoder."}, &rnn), RNN_OK)
          << rnn_last_error();
      expect_equal(rnn, plain.get());
      rnn_destroy(rnn);
    }
}

TEST(PyTorch, StackOfModules) {
  Shapes many;
  for (int i = 0; i < 11; ++i) many = many + lstm("net.rnns." + std::to_string(i) + ".", i == 0 ? 3 : 4);
  rnn_config_t config{};
  config.struct_size = sizeof config;
  ASSERT_EQ(rnn_get_config(load(many).get(), &config), RNN_OK);
  EXPECT_EQ(config.num_layers, 11);
  EXPECT_EQ(config.input_size, 3);
  rnn_t* rnn = nullptr;
  for (const Shapes& other : {lstm("rnns.0.") + lstm("rnns.2.", 4), lstm("rnns.0.") + lstm("rnns.1.lstm.", 4),
                              lstm("a.rnns.0.") + lstm("b.rnns.1.", 4), lstm("rnns.x.") + lstm("rnns.1.", 4)})
    EXPECT_EQ(load(container(fill(other)), {}, &rnn), RNN_INVALID_ARGUMENT) << rnn_last_error();
}

TEST(PyTorch, RefusesWhatIsAmbiguous) {
  const Shapes two = lstm("encoder.rnn.") + lstm("decoder.rnn.") + linear("fc.");
  expect_refusal(
      two, {}, RNN_INVALID_ARGUMENT,
      "2 modules could be the layers: \"decoder.rnn.\", \"encoder.rnn.\"; options.layers of rnn_load_as "
      "says which");
  Options options;
  options.layers = "encoder.*";
  EXPECT_EQ(sizes(load(two, options)), Sizes(RNN_CELL_LSTM, 3, 0, 4, 2, 1));
  options.head = "";
  EXPECT_EQ(sizes(load(two, options)), Sizes(RNN_CELL_LSTM, 3, 0, 4, 0, 1));
  options.layers = "*.rnn.";
  expect_refusal(two, options, RNN_INVALID_ARGUMENT, "2 modules could be the layers");
  options.layers = "rnn.";
  expect_refusal(
      two, options, RNN_INVALID_ARGUMENT,
      "options.layers is \"rnn.\"; what stands before \"weight_ih_l0\" in the file is \"decoder.rnn.\", "
      "\"encoder.rnn.\"");

  const Shapes heads = lstm("rnn.") + linear("mean.") + linear("deviation.");
  expect_refusal(
      heads, {}, RNN_INVALID_ARGUMENT,
      "2 modules could be the head: \"deviation.\", \"mean.\"; options.head of rnn_load_as says which");
  options = {};
  options.head = "mean.";
  expect_refusal(heads, options, RNN_UNSUPPORTED,
                 "unsupported: tensor \"deviation.weight\" of shape [2, 4] is not part of this network");
  options.layers = "rnn.";
  EXPECT_EQ(sizes(load(heads, options)), Sizes(RNN_CELL_LSTM, 3, 0, 4, 2, 1));
  options.embedding = "x.";
  expect_refusal(lstm("rnn."), options, RNN_INVALID_ARGUMENT,
                 "options.head is \"mean.\"; what stands before \"weight\" in the file is nothing");
  options.embedding = nullptr;
  options.head = "median.";
  expect_refusal(
      heads, options, RNN_INVALID_ARGUMENT,
      "options.head is \"median.\"; what stands before \"weight\" in the file is \"deviation.\", \"mean.\"");

  const Shapes tables =
      Shapes{{"chars.weight", {5, 3}}, {"words.weight", {9, 3}}} + lstm("rnn.") + linear("fc.");
  expect_refusal(tables, {}, RNN_INVALID_ARGUMENT,
                 "2 modules could be the embedding: \"chars.\", \"words.\"");
  options = {};
  options.layers = "rnn.";
  options.embedding = "words.";
  EXPECT_EQ(sizes(load(tables, options)), Sizes(RNN_CELL_LSTM, 9, 3, 4, 2, 1));

  const Shapes either = Shapes{{"table.weight", {9, 4}}} + lstm("rnn.", 4);
  expect_refusal(either, {}, RNN_INVALID_ARGUMENT, "module \"table.\" could be the head or the embedding");
  options = {};
  options.head = "table.";
  EXPECT_EQ(sizes(load(either, options)), Sizes(RNN_CELL_LSTM, 4, 0, 4, 9, 1));
  options = {};
  options.embedding = "table.";
  options.head = "";
  EXPECT_EQ(sizes(load(either, options)), Sizes(RNN_CELL_LSTM, 9, 4, 4, 0, 1));
}

TEST(PyTorch, RefusesWhatIsLeft) {
  expect_refusal(lstm("rnn.") + linear("fc.", 5), {}, RNN_UNSUPPORTED,
                 "unsupported: tensor \"fc.weight\" of shape [2, 5] is not part of this network");
  expect_refusal(lstm("rnn.") + Shapes{{"norm.weight", {4}}}, {}, RNN_UNSUPPORTED,
                 "unsupported: tensor \"norm.weight\" of shape [4] is not part of this network");
  Options options;
  options.layers = "rnn.";
  EXPECT_EQ(sizes(load(lstm("rnn.") + Shapes{{"norm.weight", {4}}}, options)),
            Sizes(RNN_CELL_LSTM, 3, 0, 4, 0, 1));
  expect_refusal(lstm("rnn.") + Shapes{{"rnn.weight_ih_l2", {16, 4}}}, options, RNN_BAD_FORMAT,
                 "tensor rnn.weight_ih_l1 is missing; its shape would be [16, 4]");
  options.head = "";
  EXPECT_EQ(sizes(load(lstm("rnn.") + linear("head."), options)), Sizes(RNN_CELL_LSTM, 3, 0, 4, 0, 1));
  options.head = "fc.";
  expect_refusal(lstm("rnn.") + linear("fc.") + Shapes{{"fc.scale", {2}}}, options, RNN_UNSUPPORTED,
                 "unsupported: tensor \"fc.scale\" of shape [2] is not part of this network");
  options.layers = "";
  EXPECT_EQ(sizes(load(lstm("") + linear("fc.") + linear("other."), options)),
            Sizes(RNN_CELL_LSTM, 3, 0, 4, 2, 1));
  expect_refusal(lstm(std::string(201, 'x') + "."), {}, RNN_UNSUPPORTED,
                 "the name must be printable and short");
  expect_refusal(lstm("\\u0007."), {}, RNN_UNSUPPORTED, "the name must be printable and short");
}

TEST(PyTorch, OptionsAreForStateDictsAlone) {
  const std::string file = save_memory(create().get());
  rnn_t* rnn = nullptr;
  Options layers, head, embedding, relu;
  layers.layers = head.head = embedding.embedding = "x.";
  relu.flags = RNN_FLAG_RELU;
  for (const auto& [options, name] : {std::pair(layers, "layers"), std::pair(head, "head"),
                                      std::pair(embedding, "embedding"), std::pair(relu, "flags")}) {
    EXPECT_EQ(load(file, options, &rnn), RNN_INVALID_ARGUMENT);
    EXPECT_MESSAGE("options." + std::string(name) + " is given; this file says itself what network it holds");
  }
  EXPECT_EQ(load("{}", layers, &rnn), RNN_UNSUPPORTED);
}

// ---- A probe beside the tensors ----

TEST(PyTorch, Probe) {
  // h = tanh(x): one step of one.
  const std::vector<HandTensor> network = {f32("weight_ih_l0", {1, 1}, {1}),
                                           f32("weight_hh_l0", {1, 1}, {0})};
  const auto with = [&](const std::vector<HandTensor>& more) {
    std::vector<HandTensor> tensors = network;
    tensors.insert(tensors.end(), more.begin(), more.end());
    return container(tensors);
  };
  const HandTensor inputs = f32("probe.inputs", {2, 1}, {0.5f, -0.5f});
  EXPECT_EQ(try_load(with({inputs, f32("probe.outputs", {2, 1}, {0.46211716f, -0.46211716f})})), RNN_OK)
      << rnn_last_error();
  const auto refused = [&](const std::vector<HandTensor>& more, const char* message) {
    EXPECT_EQ(try_load(with(more)), RNN_BAD_FORMAT) << message;
    EXPECT_MESSAGE(message);
  };
  refused({inputs, f32("probe.outputs", {2, 1}, {0.46211716f, 0.3f})},
          "probe: step 1, the output: found -0.462117, expected 0.3, within 0.0001");
  refused({inputs}, "tensor probe.outputs is missing; there is probe.inputs");
  refused({f32("probe.outputs", {2, 1}, {0, 0})}, "tensor probe.inputs is missing; there is probe.outputs");
  refused({inputs, f32("probe.outputs", {2, 2}, {0, 0, 0, 0})},
          "tensor probe.outputs has shape [2, 2]; it must be [steps, 1]");
  refused({f32("probe.inputs", {2, 1, 1}, {0, 0}), f32("probe.outputs", {2, 1}, {0, 0})},
          "tensor probe.inputs has shape [2, 1, 1]; it must be [steps, 1]");
  refused({f32("probe.inputs", {2}, {0, 0.5f}), f32("probe.outputs", {2, 1}, {0, 0})},
          "tensor probe.inputs: value 1 is 0.5; indices must be whole numbers, 0..1048575");
  refused({f32("probe.inputs", {3, 1}, {0, 0, 0}), f32("probe.outputs", {2, 1}, {0, 0})},
          "probe: 3 inputs; they must be 2 steps of 1");
  refused({f32("probe.inputs", {0, 1}, {}), f32("probe.outputs", {0, 1}, {})},
          "probe: 0 outputs; they must be 1..4096 steps of 1");
  refused({f32("probe.inputs", {4097, 1}, std::vector<float>(4097)),
           f32("probe.outputs", {4097, 1}, std::vector<float>(4097))},
          "probe: 4097 outputs; they must be 1..4096 steps of 1");
  const float nan = std::stof("nan");
  refused({f32("probe.inputs", {1, 1}, {nan}), f32("probe.outputs", {1, 1}, {0})},
          "probe: a value is not finite");
  refused({{"probe.inputs", "I64", {1, 1}, bytes<std::int64_t>({0})}, f32("probe.outputs", {1, 1}, {0})},
          "tensor probe.inputs has shape [1, 1]; indices must be a vector");
  refused({{"probe.inputs", "I64", {1}, bytes<std::int64_t>({1})}, f32("probe.outputs", {1, 1}, {0})},
          "tensor probe.inputs holds 1; it must be 0..0");
  refused({{"probe.inputs", "I64", {1}, bytes<std::int64_t>({-1})}, f32("probe.outputs", {1, 1}, {0})},
          "tensor probe.inputs holds -1; it must be 0..0");

  std::vector<HandTensor> table = {f32("emb.weight", {3, 1}, {0, 0.5f, 1}), network[0], network[1],
                                   f32("probe.inputs", {1, 1}, {1}),
                                   f32("probe.outputs", {1, 1}, {0.46211716f})};
  Options options;
  options.embedding = "emb.";
  rnn_t* rnn = nullptr;
  EXPECT_EQ(load(container(table), options, &rnn), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor probe.inputs has shape [1, 1]; it must be [steps, 3]");
  table[3] = {"probe.inputs", "I64", {1}, bytes<std::int64_t>({1})};
  EXPECT_EQ(load(container(table), options, &rnn), RNN_OK) << rnn_last_error();
  rnn_destroy(rnn);
  table[3] = f32("probe.inputs", {1, 3}, {0, 1, 0});
  rnn = nullptr;
  EXPECT_EQ(load(container(table), options, &rnn), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("probe: the inputs are vectors; a network with an embedding reads indices");
}

// ---- Export ----

TEST(PyTorch, NamesOfModules) {
  const Rnn rnn = create([](rnn_config_t& c) {
    c.cell = RNN_CELL_GRU;
    c.embedding_size = 5;
    c.num_layers = 2;
  });
  const auto named = [](rnn_save_options_t& o) {
    o.layers = "encoder.gru.";
    o.head = "fc.";
    o.embedding = "tokens.";
  };
  for (const std::int32_t format : {RNN_FORMAT_SAFETENSORS, RNN_FORMAT_BINARY}) {
    const std::string file = save_as(rnn.get(), format, named);
    for (const char* name :
         {"encoder.gru.weight_ih_l1", "encoder.gru.bias_hh_l0", "fc.weight", "fc.bias", "tokens.weight"})
      EXPECT_NE(file.find(name), std::string::npos) << name;
    for (const char* name : {"head.weight", "embedding.weight", "bias_hn"})
      EXPECT_EQ(file.find(name), std::string::npos) << name;
    const Rnn loaded = load_memory(file);
    expect_equal(loaded.get(), rnn.get());
    EXPECT_EQ(save_memory(loaded.get()), save_memory(rnn.get())) << "names are not kept";
  }
  // Without our metadata, as PyTorch would write it.
  std::string file = save_as(rnn.get(), RNN_FORMAT_SAFETENSORS, named);
  for (std::size_t at; (at = file.find("\"rnn.")) != std::string::npos;) file[at + 1] = 'R';
  expect_equal(load_memory(save_memory(load_memory(file).get())).get(), load_memory(file).get());
  EXPECT_EQ(parameter(load_memory(file).get(), "bias_hn_l1"), parameter(rnn.get(), "bias_hn_l1"));
}

TEST(PyTorch, RefusesNames) {
  const Rnn rnn = create();
  const auto refused = [&](const std::function<void(rnn_save_options_t&)>& change, const char* message,
                           rnn_status_t status = RNN_INVALID_ARGUMENT) {
    save_as(rnn.get(), 0, change, status);
    EXPECT_MESSAGE(message);
  };
  refused([](auto& o) { o.layers = "rnn"; }, "options.layers is \"rnn\"; it must end with a point");
  refused([](auto& o) { o.head = ""; }, "options.head is \"\"; it must end with a point");
  refused([](auto& o) { o.embedding = ""; }, "options.embedding is \"\"; it must end with a point");
  refused([](auto& o) { o.head = "a b."; }, "options.head is \"a b.\"; it must be printable and short");
  refused([](auto& o) { o.head = "\x01."; }, "options.head is \"\\x01.\"; it must be printable and short");
  refused([](auto& o) { o.layers = "head."; },
          "options.layers, head and embedding are \"head.\", \"head.\" and \"embedding.\"; they must differ");
  refused([](auto& o) { o.format = -1; }, "options.format is -1; it must be RNN_FORMAT_..., 1..4, or 0");
  refused([](auto& o) { o.format = 5; }, "options.format is 5; it must be");
  refused([](auto& o) { o.without_probe = 2; }, "options.without_probe is 2; it must be 0 or 1");
  refused([](auto& o) { o.name = "x"; }, "options.name is \"x\"; it is for RNN_FORMAT_C alone");
  refused(
      [](auto& o) {
        o.format = RNN_FORMAT_ONNX;
        o.head = "fc.";
      },
      "options.head is \"fc.\"; it is for PyTorch's names, not for ONNX");
  for (const char* name : {"", "1a", "a-b", "a b", "\xc3\xa9"}) {
    refused(
        [&](auto& o) {
          o.format = RNN_FORMAT_C;
          o.name = name;
        },
        "it must be an identifier of C");
  }
  for (const char* name : {"while", "class", "xor", "co_yield", "main", "linux", "_Bool", "__asm", "NULL",
                           "size_t", "rnn_load"}) {
    refused(
        [&](auto& o) {
          o.format = RNN_FORMAT_C;
          o.name = name;
        },
        "it must be another name");
  }
  std::string file = save_as(rnn.get(), RNN_FORMAT_SAFETENSORS, [](auto& o) { o.layers = "rnn."; });
  file.replace(file.find("\"rnn.layers\":\"rnn.\""), 19, "\"rnn.layers\":\"r\\t.\"");
  EXPECT_EQ(try_load(file), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("metadata rnn.layers is \"r\\x09.\"; it must be printable and short");
}

TEST(PyTorch, FormatsBySuffix) {
  const Folder folder;
  const Rnn rnn = create();
  const auto begins = [&](const char* name, const std::string& text) {
    ASSERT_EQ(rnn_save_as(rnn.get(), (folder / name).c_str(), nullptr), RNN_OK) << rnn_last_error();
    EXPECT_EQ(contents(folder / name).substr(0, text.size()), text) << name;
  };
  begins("a.rnn", "\x89rnn");
  begins("a.h", "/* A network of librnn");
  begins("a.safetensors", save_memory(rnn.get()).substr(0, 20));
  EXPECT_EQ(rnn_save_as(rnn.get(), (folder / "a.pt").c_str(), nullptr), RNN_INVALID_ARGUMENT);
  EXPECT_MESSAGE("its suffix must be .safetensors, .onnx, .rnn or .h");
  rnn_save_options_t options{};
  options.struct_size = sizeof options;
  options.format = RNN_FORMAT_BINARY;
  ASSERT_EQ(rnn_save_as(rnn.get(), (folder / "a.pt").c_str(), &options), RNN_OK) << rnn_last_error();
  for (const char* name : {"a.rnn", "a.safetensors", "a.pt"}) {
    rnn_t* loaded = nullptr;
    ASSERT_EQ(rnn_load_as((folder / name).c_str(), nullptr, nullptr, &loaded), RNN_OK) << rnn_last_error();
    expect_equal(loaded, rnn.get());
    rnn_destroy(loaded);
  }
}

}  // namespace

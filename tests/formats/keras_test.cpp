// Files of Keras, made by hand: whole, damaged and hostile. tests/keras compares what h5py writes with Keras' formulas.
#include "tests/reference/keras.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/formats/formats_test.h"
#include "tests/formats/hdf5_by_hand.h"
#include "tests/formats/json_test.h"

using namespace rnn::reference;

namespace {

// GRU(2) of 3 features, and Dense(1).
struct Parts {
  Vector kernel, recurrent, bias, head, head_bias;
};

Parts parts() {
  Numbers numbers(1);
  return {numbers.vector(18), numbers.vector(12), numbers.vector(12), numbers.vector(2), numbers.vector(1)};
}

std::vector<float> floats(const Vector& values) { return {values.begin(), values.end()}; }

std::string config(const std::string& gru = "", const std::string& dense = "") {
  return "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": ["
         "{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"input_1\"}}, "
         "{\"class_name\": \"GRU\", \"config\": {\"name\": \"g\", \"units\": 2, \"activation\": \"tanh\", "
         "\"recurrent_activation\": \"sigmoid\", \"reset_after\": true, \"return_sequences\": true" +
         gru +
         "}}, "
         "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1, \"activation\": "
         "\"linear\"" +
         dense + "}}]}}";
}

using Links = std::vector<Hdf5File::Link>;

std::string legacy(const std::string& text,
                   const std::function<std::uint64_t(Hdf5File&, const Parts&)>& make_kernel = {}) {
  const Parts p = parts();
  Hdf5File f;
  const std::uint64_t kernel = make_kernel ? make_kernel(f, p) : f.dataset({3, 6}, floats(p.kernel));
  const std::uint64_t cell = f.group({{"bias:0", f.dataset({2, 6}, floats(p.bias))},
                                      {"kernel:0", kernel},
                                      {"recurrent_kernel:0", f.dataset({2, 6}, floats(p.recurrent))}});
  const std::uint64_t gru = f.group(
      {{"g", f.group({{"gru_cell", cell}})}},
      {Hdf5File::fixed("weight_names",
                       {"g/gru_cell/kernel:0", "g/gru_cell/recurrent_kernel:0", "g/gru_cell/bias:0"})});
  const std::uint64_t dense = f.group({{"d", f.group({{"bias:0", f.dataset({1}, floats(p.head_bias))},
                                                      {"kernel:0", f.dataset({2, 1}, floats(p.head))}})}},
                                      {Hdf5File::fixed("weight_names", {"d/kernel:0", "d/bias:0"})});
  const std::uint64_t weights = f.group({{"d", dense}, {"g", gru}});
  return f.file(f.group({{"model_weights", weights}},
                        {f.variable("model_config", text), f.variable("keras_version", "2.15.0")}));
}

std::string variables() {
  const Parts p = parts();
  Hdf5File f;
  const auto vars = [&](const Links& links) { return f.group({{"vars", f.group(links)}}); };
  const std::uint64_t cell = vars({{"0", f.dataset({3, 6}, floats(p.kernel))},
                                   {"1", f.dataset({2, 6}, floats(p.recurrent))},
                                   {"2", f.dataset({2, 6}, floats(p.bias))}});
  const std::uint64_t dense =
      vars({{"0", f.dataset({2, 1}, floats(p.head))}, {"1", f.dataset({1}, floats(p.head_bias))}});
  return f.file(f.group({{"layers", f.group({{"dense", dense}, {"gru", f.group({{"cell", cell}})}})}}));
}

std::string archive(const std::string& text) {
  return zip({{"metadata.json", "{\"keras_version\": \"3.9.0\"}"},
              {"config.json", text},
              {"model.weights.h5", variables()}});
}

Vector run(const Vector& inputs) {
  const Parts p = parts();
  Vector h(2), outputs;
  for (std::size_t t = 0; t < inputs.size() / 3; ++t) {
    h = keras::gru({p.kernel, p.recurrent, p.bias}, keras::gate(inputs, t, 3), h, true);
    outputs.push_back(keras::dense({p.head, {}, p.head_bias}, h)[0]);
  }
  return outputs;
}

TEST(Keras, Outputs) {
  Numbers numbers(5);
  const Vector inputs = numbers.vector(30);
  expect_outputs(legacy(config()), inputs, run(inputs));
  expect_outputs(archive(config()), inputs, run(inputs));
  EXPECT_EQ(metadata(legacy(config())), (std::map<std::string, std::string>{{"keras_version", "2.15.0"}}));
  EXPECT_EQ(metadata(archive(config())), (std::map<std::string, std::string>{{"keras_version", "3.9.0"}}));
}

TEST(Keras, FromAPath) {
  const Folder folder;
  put(folder / "x.h5", legacy(config()));
  rnn_t* rnn = nullptr;
  ASSERT_EQ(rnn_load((folder / "x.h5").c_str(), nullptr, &rnn), RNN_OK) << rnn_last_error();
  expect_equal(rnn, load_memory(legacy(config())).get());
  rnn_destroy(rnn);
}

TEST(Keras, LastStep) {
  const std::string text = replaced(config(), "\"return_sequences\": true", "\"return_sequences\": false");
  EXPECT_EQ(metadata(archive(text)).at("keras.pooling"), "last");
}

// Which layer is pooled, and that the others read what it is pooled to.
TEST(Keras, Pooling) {
  const auto layer = [](const std::string& kind) {
    return "{\"class_name\": \"Global" + kind +
           "Pooling1D\", \"config\": {\"name\": \"p\", \"data_format\": " +
           "\"channels_last\", \"keepdims\": false}}";
  };
  const std::string dense = "{\"class_name\": \"Dense\"";
  const Parts p = parts();
  Numbers numbers(5);
  const Vector inputs = numbers.vector(30);
  const std::vector<float> x = floats(inputs);
  for (const bool before : {true, false}) {
    for (const bool max : {true, false}) {
      std::string text = config("", before ? "" : ", \"use_bias\": true");
      if (before)
        text = replaced(text, dense, layer(max ? "Max" : "Average") + ", " + dense);
      else
        text = replaced(replaced(text, "\"linear\"", "\"tanh\""), "]}}",
                        ", " + layer(max ? "Max" : "Average") + "]}}");
      const Rnn rnn = load_memory(legacy(text));
      EXPECT_EQ(metadata(legacy(text)).at("keras.pooling"), max ? "max" : "mean");
      Vector h(2), pooled(before ? 2 : 1, max ? -9.0 : 0.0);
      for (std::size_t t = 0; t < 10; ++t) {
        h = keras::gru({p.kernel, p.recurrent, p.bias}, keras::gate(inputs, t, 3), h, true);
        const Vector y = before ? h : Vector{std::tanh(keras::dense({p.head, {}, p.head_bias}, h)[0])};
        for (std::size_t i = 0; i < y.size(); ++i)
          pooled[i] = max ? std::max(pooled[i], y[i]) : pooled[i] + y[i] / 10;
      }
      const double expected = before ? keras::dense({p.head, {}, p.head_bias}, pooled)[0] : pooled[0];
      const std::size_t length = 10;
      rnn_sequences_t in = {};
      in.struct_size = sizeof in;
      in.count = 1;
      in.frames = length;
      in.lengths = &length;
      in.inputs = x.data();
      rnn_forward_options_t options = {};
      options.struct_size = sizeof options;
      options.pooling = max ? RNN_POOLING_MAX : RNN_POOLING_MEAN;
      float y = 0;
      ASSERT_EQ(rnn_forward(rnn.get(), &in, &options, &y), RNN_OK) << rnn_last_error();
      EXPECT_NEAR(y, expected, 1e-6) << before << max;
    }
  }
}

TEST(Keras, CompactValues) {
  const std::string file = legacy(config(), [](Hdf5File& f, const Parts& p) {
    return f.header({{1, Hdf5File::space({3, 6})},
                     {3, Hdf5File::f32()},
                     {8, Hdf5File::compact(bytes(floats(p.kernel)))}});
  });
  expect_equal(load_memory(file).get(), load_memory(legacy(config())).get());
}

void expect_message(const std::string& file, const std::string& message) {
  const bool unsupported = message.rfind("unsupported: ", 0) == 0;
  EXPECT_EQ(try_load(file), unsupported ? RNN_UNSUPPORTED : RNN_BAD_FORMAT) << message;
  EXPECT_MESSAGE(message);
}

TEST(Keras, RefusesLayers) {
  const Refusal cases[] = {
      {"\"Dense\"", "\"Conv2D\"",
       "unsupported: layer \"d\" is \"Conv2D\"; librnn reads at most one Embedding, then "},
      {"\"linear\"", "\"selu\"",
       "unsupported: layer \"d\".activation is \"selu\"; it must be one of none, linear, tanh, "},
      {"\"sigmoid\"", "\"selu\"",
       "unsupported: layer \"g\".recurrent_activation is \"selu\"; it must be one of none, linear, tanh, "},
      {"\"tanh\"", "\"softmax\"",
       "unsupported: layer \"g\".activation is \"softmax\"; it must be one of none, "},
      {"\"reset_after\": true", "\"reset_after\": true, \"go_backwards\": true",
       "unsupported: layer \"g\" gives its outputs from the last step to the first; librnn gives them in the "
       "order "
       "of the inputs"},
      {"\"reset_after\": true", "\"reset_after\": true, \"tempo\": 3",
       "unsupported: layer \"g\" (GRU): config.layers[1].config.tempo is unknown"},
      {"\"Sequential\"", "\"Bert\"",
       "unsupported: the model is a \"Bert\"; librnn reads \"Sequential\" and "},
      {"\"reset_after\": true", "\"reset_after\": false",
       "\"g/g/gru_cell/bias:0\" has shape [2, 6]; it must be [6]"},
      {"\"units\": 2", "\"units\": 4", "\"g/g/gru_cell/kernel:0\" has shape [3, 6]; it must be [3, 12]"},
      {"\"units\": 2", "\"units\": 0", "config.layers[1].config.units is 0; it must be an integer, 1..65536"},
      {"\"activation\": \"linear\"", "\"use_bias\": false",
       "layer \"d\" (Dense) has 2 variables in the file; it must "
       "have 1"},
      {"\"name\": \"d\"", "\"name\": \"e\"",
       "layer \"e\" (Dense) has 0 variables in the file; it must have 2"},
      {"{\"class_name\": \"Dense\"", "{\"class_name\": \"Sequential\"",
       "unsupported: layer \"d\" is \"Sequential\"; librnn reads"},
  };
  for (const Refusal& refusal : cases)
    expect_message(legacy(replaced(config(), refusal.from, refusal.to)), refusal.message);
}

// Sequences that are read from their end.
TEST(Keras, RefusesOrders) {
  const auto layer = [](const std::string& name, const std::string& more) {
    return "{\"class_name\": \"SimpleRNN\", \"config\": {\"name\": \"" + name +
           "\", \"units\": 1, \"activation\": \"tanh\", \"use_bias\": false" + more + "}}";
  };
  const auto both = [&](const std::string& mode, const std::string& more) {
    return "{\"class_name\": \"Bidirectional\", \"config\": {\"name\": \"b\", \"merge_mode\": \"" + mode +
           "\", \"layer\": " + layer("inner", more) + "}}";
  };
  const auto file = [](const std::vector<std::string>& layers) {
    std::string text = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [";
    for (const std::string& entry : layers) text += (text.back() == '[' ? "" : ", ") + entry;
    Hdf5File f;
    const auto one = [&] { return f.dataset({1, 1}, {0.5f}); };
    const auto group = [&](std::size_t matrices) {
      Links links;
      std::vector<std::string> names;
      for (std::size_t i = 0; i < matrices; ++i) {
        names.push_back(std::string(1, static_cast<char>('0' + i)));
        links.push_back({names.back(), one()});
      }
      return f.group(links, {Hdf5File::fixed("weight_names", names)});
    };
    const std::uint64_t weights = f.group({{"b", group(4)}, {"r", group(2)}, {"s", group(2)}});
    return f.file(f.group({{"model_weights", weights}}, {f.variable("model_config", text + "]}}")}));
  };
  const std::string sequences = ", \"return_sequences\": true", backwards = ", \"go_backwards\": true";
  const std::string relu = "{\"class_name\": \"ReLU\", \"config\": {\"name\": \"relu\"}}";
  const auto pooling = [](const std::string& kind, const std::string& more = "") {
    return "{\"class_name\": \"Global" + kind + "Pooling1D\", \"config\": {\"name\": \"" + kind + "\"" +
           more + "}}";
  };
  EXPECT_EQ(try_load(file({layer("r", backwards)})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({layer("r", sequences), layer("s", backwards)})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({both("sum", sequences), relu})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({layer("r", backwards), relu})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({both("ave", ""), relu})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({layer("r", sequences + backwards), pooling("Max"), relu})), RNN_OK)
      << rnn_last_error();
  const std::pair<std::string, std::string> cases[] = {
      {file({layer("r", sequences + backwards)}),
       "unsupported: layer \"r\" gives its outputs from the last step to "},
      {file({layer("r", sequences + backwards), layer("s", sequences)}),
       "unsupported: layer \"r\" gives its outputs "},
      {file({layer("r", sequences + backwards), both("concat", sequences)}),
       "unsupported: layer \"b\" reads what layer \"r\" gives from the last step to the first"},
      {file({both("mul", sequences)}), "merge_mode is \"mul\"; it must be \"concat\", \"sum\" or \"ave\""},
      {file({both("concat", sequences + backwards)}), "go_backwards is true; it must be false"},
      {file({layer("r", ""), layer("s", "")}),
       "unsupported: layer \"s\" reads what layer \"r\" gives for a whole sequence"},
      {file({layer("r", sequences), pooling("Average"), pooling("Max")}),
       "unsupported: layer \"Max\" reads what layer \"Average\" gives for a whole sequence"},
      {file({pooling("Max"), layer("r", sequences)}),
       "unsupported: layer \"Max\" is \"GlobalMaxPooling1D\", before which there must be a layer with "
       "weights"},
      {file({layer("r", sequences), pooling("Max", ", \"keepdims\": true")}),
       "unsupported: layer \"Max\" (GlobalMaxPooling1D): config.layers[1].config.keepdims is true; it must "
       "be false"},
      {file({layer("r", sequences), pooling("Average", ", \"data_format\": \"channels_first\"")}),
       "config.layers[1].config.data_format is \"channels_first\"; it must be \"channels_last\""},
      {file({relu}),
       "unsupported: layer \"relu\" is \"ReLU\", before which there must be a layer with weights"},
      {file({}), ""},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_NE(try_load(text), RNN_OK) << message;
    EXPECT_MESSAGE(message);
  }
}

std::string convolution_file(int groups, const std::vector<std::uint64_t>& shape,
                             const std::vector<float>& kernel) {
  Hdf5File f;
  const std::uint64_t weights = f.group({{"k", f.dataset(shape, kernel)}, {"l", f.dataset({2}, {1, -1})}},
                                        {Hdf5File::fixed("weight_names", {"k", "l"})});
  const std::string text =
      "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": [{\"class_name\": "
      "\"Conv1D\", "
      "\"config\": {\"name\": \"c\", \"filters\": 2, \"kernel_size\": [2], \"padding\": \"causal\", "
      "\"dilation_rate\": [3], \"groups\": " +
      std::to_string(groups) + "}}]}}";
  return f.file(f.group({{"model_weights", f.group({{"c", weights}})}}, {f.variable("model_config", text)}));
}

// An output reads the inputs of its group alone.
TEST(Keras, Groups) {
  const std::vector<float> kernel = {1, 2, 3, 4, 5, 6, 7, 8};
  expect_equal(
      load_memory(convolution_file(2, {2, 2, 2}, kernel)).get(),
      load_memory(convolution_file(1, {2, 4, 2}, {1, 0, 3, 0, 0, 2, 0, 4, 5, 0, 7, 0, 0, 6, 0, 8})).get());
  expect_message(convolution_file(3, {2, 2, 2}, kernel),
                 "layer \"c\" has 3 groups, 6 inputs and 2 outputs; both must be multiples of it");
}

TEST(Keras, RefusesFunctions) {
  const auto with = [](const std::string& entry) {
    return legacy(replaced(config(), "{\"class_name\": \"Dense\"", entry + ", {\"class_name\": \"Dense\""));
  };
  const auto layer = [&](const std::string& kind, const std::string& own) {
    return with("{\"class_name\": \"" + kind + "\", \"config\": {\"name\": \"f\"" + own + "}}");
  };
  EXPECT_EQ(try_load(layer("ReLU", ", \"max_value\": null")), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(layer("Softmax", ", \"axis\": -1")), RNN_OK) << rnn_last_error();
  const std::string place = "unsupported: layer \"f\" ";
  expect_message(layer("ReLU", ", \"max_value\": 6.0"),
                 place + "(ReLU): config.layers[2].config.max_value is 6.0");
  expect_message(layer("ReLU", ", \"threshold\": 0.5"),
                 place + "(ReLU): config.layers[2].config.threshold is 0.5");
  expect_message(layer("Softmax", ", \"axis\": 1"), place + "(Softmax): config.layers[2].config.axis is 1");
  expect_message(layer("LeakyReLU", ", \"beta\": 1"),
                 place + "(LeakyReLU): config.layers[2].config.beta is unknown");
  expect_message(layer("Activation", ", \"activation\": \"mish\""),
                 "unsupported: layer \"f\".activation is \"mish\"");
  const std::string conv = ", \"filters\": 2, \"kernel_size\": [2], \"padding\": ";
  expect_message(layer("Conv1D", conv + "\"same\""),
                 place + "(Conv1D): config.layers[2].config.padding is \"same\"; it must be \"causal\"");
  expect_message(layer("Conv1D", conv + "\"causal\", \"strides\": [2]"),
                 place + "(Conv1D): config.layers[2].config.strides");
  expect_message(layer("Conv1D", conv + "\"causal\", \"data_format\": \"channels_first\""),
                 place + "(Conv1D): config.layers[2].config.data_format is \"channels_first\"");
  expect_message(layer("PReLU", ""), "layer \"f\" (PReLU) has 0 variables in the file; it must have 1");
  expect_message(layer("BatchNormalization", ", \"renorm\": true"),
                 place + "(BatchNormalization): config.layers[2].config.renorm is true; it must be false");
  expect_message(layer("BatchNormalization", ", \"epsilon\": -1"),
                 place + "(BatchNormalization): config.layers[2].config.epsilon is -1; it must be 0 or more");
  expect_message(layer("BatchNormalization", ", \"axis\": 3"),
                 "unsupported: config.layers[2].config.axis is 3");
}

// Keras 2 and 3 compute different ones; neither is said here.
TEST(Keras, HardSigmoid) {
  const std::string text = replaced(config(), "\"linear\"", "\"hard_sigmoid\"");
  for (const char* version : {"2.15.0", "3.10.0"}) {
    std::string file = legacy(text);
    file.replace(file.find("2.15.0"), 6, version);
    const Rnn rnn = load_memory(file);
    std::vector<float> x(3), y(1), wanted(1);
    const Vector linear = run(Vector(3));
    ASSERT_EQ(rnn_step(rnn.get(), x.data(), y.data()), RNN_OK);
    EXPECT_NEAR(static_cast<double>(y[0]), linear[0] / (version[0] == '2' ? 5 : 6) + 0.5, 1e-6);
  }
  std::string unknown = legacy(text);
  unknown.replace(unknown.find("2.15.0"), 6, "newest");
  expect_message(unknown,
                 "unsupported: layer \"d\".activation is \"hard_sigmoid\"; it must be one of none, linear, ");
}

// Of Keras 2's gates it was the default for long; no activation is "linear".
TEST(Keras, ActivationsOfCells) {
  const Parts p = parts();
  Numbers numbers(6);
  const Vector inputs = numbers.vector(30);
  const auto check = [&](const char* from, const char* to, const keras::Functions& functions) {
    Vector h(2), outputs;
    for (std::size_t t = 0; t < inputs.size() / 3; ++t) {
      h = keras::gru({p.kernel, p.recurrent, p.bias}, keras::gate(inputs, t, 3), h, true, functions);
      outputs.push_back(keras::dense({p.head, {}, p.head_bias}, h)[0]);
    }
    expect_outputs(legacy(replaced(config(), from, to)), inputs, outputs);
  };
  check("\"sigmoid\"", "\"hard_sigmoid\"", {"tanh", "hard_sigmoid"});
  check("\"tanh\"", "\"relu\"", {"relu", "sigmoid"});
  check("\"tanh\"", "null", {"linear", "sigmoid"});
}

TEST(Keras, RefusesBranches) {
  const std::string functional =
      "{\"class_name\": \"Functional\", \"config\": {\"input_layers\": [\"i\", 0, 0], \"output_layers\": "
      "[[\"d\", 0, "
      "0]], \"layers\": [{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"i\"}, \"inbound_nodes\": "
      "[]}, "
      "{\"class_name\": \"GRU\", \"config\": {\"name\": \"g\", \"units\": 2, \"activation\": \"tanh\", "
      "\"recurrent_activation\": \"sigmoid\", \"reset_after\": true, \"return_sequences\": true}, "
      "\"inbound_nodes\": "
      "[[[\"i\", 0, 0, {}]]]}, {\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1}, "
      "\"inbound_nodes\": [[[\"g\", 0, 0, {}]]]}]}}";
  expect_equal(load_memory(legacy(functional)).get(), load_memory(legacy(config())).get());
  const Refusal cases[] = {
      {"[[[\"g\", 0, 0, {}]]]", "[[[\"g\", 0, 0, {}], [\"i\", 0, 0, {}]]]",
       "unsupported: layer \"d\": config.layers[2].inbound_nodes refers to 2 layers; it must be 1"},
      {"[[[\"g\", 0, 0, {}]]]", "[[[\"i\", 0, 0, {}]]]",
       "unsupported: layer \"i\" is read by two layers, \"g\" and \"d\""},
      {"[[[\"g\", 0, 0, {}]]]", "[[[\"g\", 0, 1, {}]]]",
       "unsupported: config.layers[2].inbound_nodes[0][0] is of a layer that is used twice or gives several "
       "values"},
      {"[[\"d\", 0, 0]]", "[[\"g\", 0, 0]]",
       "unsupported: not all layers are between the input \"i\" and the output \"g\""},
      {"[[\"d\", 0, 0]]", "[[\"x\", 0, 0]]", "the layers lead from \"i\" to no output \"x\""},
      {"[[[\"i\", 0, 0, {}]]]", "[[[\"d\", 0, 0, {}]]]", "the layers lead from \"i\" to no output \"d\""},
  };
  for (const Refusal& refusal : cases)
    expect_message(legacy(replaced(functional, refusal.from, refusal.to)), refusal.message);
}

TEST(Keras, RefusesValues) {
  using Make = std::function<std::uint64_t(Hdf5File&, const Parts&)>;
  const auto with = [](std::vector<Hdf5File::Message> more) {
    return [=](Hdf5File& f, const Parts& p) {
      std::vector<Hdf5File::Message> messages = {
          {1, Hdf5File::space({3, 6})}, {3, Hdf5File::f32()}, {8, f.contiguous(bytes(floats(p.kernel)))}};
      for (const Hdf5File::Message& m : more) {
        bool known = false;
        for (Hdf5File::Message& own : messages)
          if (own.type == m.type) own = m, known = true;
        if (!known) messages.push_back(m);
      }
      return f.header(messages);
    };
  };
  const std::pair<Make, const char*> cases[] = {
      {with({{3, Hdf5File::i32()}}), "has integers of 4 bytes; it must have floats of 16, 32 or 64 bits"},
      {with({{11, std::string(16, '\0')}}), "unsupported: HDF5 with compressed values"},
      {with({{7, std::string(16, '\0')}}), "unsupported: HDF5 with values in another file"},
      {with({{8, std::string("\3\2\3", 3) + std::string(20, '\0')}}),
       "unsupported: HDF5 with values in chunks"},
      {with({{1, Hdf5File::space({3, 1u << 30})}}),
       "the HDF5 file has 72 bytes for shape [3, 1073741824] of F32"},
      {with({{1, Hdf5File::space({1ull << 40, 1ull << 40})}}), "whose product is too large"},
      {with({{8, std::string("\3\1", 2) + number(std::uint64_t{1} << 60) + number(std::uint64_t{72})}}),
       "a dataset's values are not within it"},
      {[](Hdf5File& f, const Parts&) { return f.group({}); }, "there is no dataset where one must be"},
      {[](Hdf5File&, const Parts&) { return Hdf5File::kSoft; },
       "unsupported: HDF5 link \"kernel:0\" is a soft or external"},
      {[](Hdf5File& f, const Parts& p) {
         std::vector<float> values = floats(p.kernel);
         values[3] = 1.0f / 0.0f;
         return f.dataset({3, 6}, values);
       },
       "weight_ih_l0: value"},
  };
  for (const auto& [make, message] : cases) {
    const std::string file = legacy(config(), make);
    EXPECT_EQ(try_load(file),
              std::string(message).rfind("unsupported", 0) == 0 || std::string(message).rfind("has", 0) == 0
                  ? RNN_UNSUPPORTED
                  : RNN_BAD_FORMAT)
        << message;
    EXPECT_MESSAGE(message);
  }
}

TEST(Keras, RefusesFiles) {
  Hdf5File weights;
  expect_message(weights.file(weights.group({})),
                 "unsupported: the file is HDF5 without a model of Keras; of save_weights");
  std::string newer = legacy(config());
  newer[8] = 2;
  expect_message(newer, "unsupported: HDF5 in a newer layout than h5py's default");
  expect_message(legacy("{"), "");
  expect_message(zip({{"config.json", config()}, {"model.weights.h5", "x"}}), "the HDF5 file is damaged");
  expect_message(zip({{"config.json", config()}, {"model.weights.h5", variables(), 8}}),
                 "unsupported: \"model.weights.h5\" of the ZIP archive is compressed");
}

std::string with_number(std::string file, const std::string& behind, std::size_t place, std::uint64_t value) {
  const std::string text = number(value);
  return file.replace(file.find(behind) + place, text.size(), text);
}

TEST(Keras, RefusesStructures) {
  const std::string file = legacy(config());
  // Of a collection of texts its size, and that of its first text.
  expect_message(with_number(file, "GCOL", 8, ~std::uint64_t{0}), "a collection of texts is not within it");
  expect_message(with_number(file, "GCOL", 24, ~std::uint64_t{31}), "a text is not in its collection");
  // Of a heap its size: names are within what precedes them.
  for (const std::uint64_t size : {0, 8}) {
    const std::string cut = with_number(file, "HEAP", 8, size);
    const Folder folder;
    put(folder / "x.h5", cut);
    rnn_t* rnn = nullptr;
    EXPECT_EQ(rnn_load((folder / "x.h5").c_str(), nullptr, &rnn), RNN_BAD_FORMAT) << size;
    EXPECT_MESSAGE("a name is not within its heap");
    expect_message(cut, "a name is not within its heap");
  }
  Hdf5File f;
  Hdf5File::Message shared = Hdf5File::fixed("model_config", {"x"});
  shared.flags = 2;
  const std::uint64_t empty = f.group({});
  expect_message(f.file(f.group({{"model_weights", empty}}, {shared})),
                 "unsupported: HDF5 with attributes that objects share");
}

// A header whose parts are one block, many times.
TEST(Keras, RefusesBlocksForMany) {
  const auto file = [](std::size_t times) {
    return legacy(config(), [=](Hdf5File& f, const Parts& p) {
      const std::uint64_t block = f.header(std::vector<Hdf5File::Message>(1000, {0x20, ""})) + 16;
      std::vector<Hdf5File::Message> messages(times, {16, number(block) + number(std::uint64_t{8000})});
      messages.push_back({1, Hdf5File::space({3, 6})});
      messages.push_back({3, Hdf5File::f32()});
      messages.push_back({8, f.contiguous(bytes(floats(p.kernel)))});
      return f.header(messages);
    });
  };
  EXPECT_EQ(try_load(file(1)), RNN_OK) << rnn_last_error();
  // 200 KB are fewer than may be read, but not what is kept of them.
  expect_message(file(25), "its parts refer to each other without end");
}

TEST(Keras, RefusesManyNames) {
  const auto file = [](const std::vector<Hdf5File::Message>& names) {
    Hdf5File f;
    const std::uint64_t one = f.dataset({1, 1}, {0.5f});
    const std::string layer =
        "{\"class_name\": \"SimpleRNN\", \"config\": {\"name\": \"s\", \"units\": 1, \"activation\": "
        "\"tanh\", "
        "\"use_bias\": false}}";
    return f.file(f.group(
        {{"model_weights", f.group({{"s", f.group({{"k", one}}, names)}})}},
        {f.variable("model_config", "{\"class_name\": \"Sequential\", \"config\": [" + layer + "]}")}));
  };
  const auto names = [](const std::string& attribute, std::size_t count) {
    return Hdf5File::fixed(attribute, std::vector<std::string>(count, "k"));
  };
  EXPECT_EQ(try_load(file({names("weight_names", 2)})), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(file({names("weight_names0", 1), names("weight_names1", 1)})), RNN_OK)
      << rnn_last_error();
  const char kMany[] = "layer \"s\" has more than 8 variables in the file";
  expect_message(file({names("weight_names", 9)}), kMany);
  expect_message(file({names("weight_names0", 8), names("weight_names1", 1)}), kMany);
}

// The kernel and the recurrent kernel of many layers are one dataset: memory is bounded by the file.
TEST(Keras, OneDatasetForMany) {
  const auto layers = [](std::size_t count) {
    std::string text = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [";
    for (std::size_t i = 0; i < count; ++i)
      text += std::string(i > 0 ? ", " : "") +
              "{\"class_name\": \"SimpleRNN\", \"config\": {\"name\": \"s\", \"units\": 64, \"activation\": "
              "\"tanh\", "
              "\"use_bias\": false, \"return_sequences\": true}}";
    Hdf5File f;
    const std::uint64_t one = f.dataset({64, 64}, std::vector<float>(64 * 64, 0.5f));
    const std::uint64_t group = f.group({{"k", one}}, {Hdf5File::fixed("weight_names", {"k", "k"})});
    return f.file(
        f.group({{"model_weights", f.group({{"s", group}})}}, {f.variable("model_config", text + "]}}")}));
  };
  expect_message(layers(1), "has values that other variables have, too");
  expect_message(layers(60), "has values that other variables have, too");
}

// What a damaged file gives is a status, whatever it is.
TEST(Keras, AnyByte) {
  const std::string file = legacy(config());
  for (std::size_t i = 0; i < file.size(); ++i)
    for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
      std::string damaged = file;
      damaged[i] = value;
      rnn_t* rnn = nullptr;
      const rnn_status_t status = rnn_load_memory(damaged.data(), damaged.size(), nullptr, &rnn);
      EXPECT_TRUE(status == RNN_OK || status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED)
          << i << " " << status;
      rnn_destroy(rnn);
    }
}

TEST(Keras, CutAnywhere) {
  const std::string file = legacy(config());
  for (std::size_t size = 8; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    rnn_t* rnn = nullptr;
    EXPECT_EQ(rnn_load_memory(cut.data(), cut.size(), nullptr, &rnn), RNN_BAD_FORMAT) << size;
    rnn_destroy(rnn);
  }
}

}  // namespace

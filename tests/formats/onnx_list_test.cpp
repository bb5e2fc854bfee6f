// Lists of layers as ONNX files: what we write comes back and computes the same.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "tests/formats/onnx_by_hand.h"
#include "tests/reference/lists.h"

namespace {

using rnn::reference::cell_layer;
using rnn::reference::dense_layer;

Rnn create(const rnn_config_t& config) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_create(&config, &out), RNN_OK) << rnn_last_error();
  return Rnn(out, &rnn_destroy);
}

rnn_config_t list(std::int32_t inputs, std::vector<rnn_layer_t> layers, std::int32_t skip = 0) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.skip = skip;
  return rnn::reference::with_layers(config, std::move(layers));
}

rnn_layer_t convolution(std::int32_t size, std::int32_t taps, std::int32_t dilation,
                        std::int32_t activation = RNN_ACTIVATION_NONE) {
  rnn_layer_t layer = dense_layer(size, activation);
  layer.kind = RNN_LAYER_CONV1D;
  layer.kernel_size = taps;
  layer.dilation = dilation;
  return layer;
}

// What the network makes of two sequences of some steps.
std::vector<float> outputs_of(rnn_t* rnn) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  EXPECT_EQ(rnn_get_config(rnn, &config), RNN_OK);
  const std::size_t lengths[] = {7, 3};
  const auto I = static_cast<std::size_t>(config.input_size);
  std::vector<float> inputs(10 * I);
  std::vector<std::int32_t> indices(10);
  std::uint32_t state = 1;
  const auto draw = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  for (float& value : inputs) value = static_cast<float>(draw()) * 0x1p-23f - 1.0f;
  for (std::int32_t& index : indices)
    index = static_cast<std::int32_t>(draw() % static_cast<std::uint32_t>(I));
  rnn_sequences_t sequences{};
  sequences.struct_size = sizeof sequences;
  sequences.count = 2;
  sequences.frames = 10;
  sequences.lengths = lengths;
  if (config.embedding_size != 0)
    sequences.indices = indices.data();
  else
    sequences.inputs = inputs.data();
  std::size_t O = 0;
  EXPECT_EQ(rnn_output_size(rnn, &O), RNN_OK);
  std::vector<float> outputs(10 * O);
  EXPECT_EQ(rnn_forward(rnn, &sequences, nullptr, outputs.data()), RNN_OK) << rnn_last_error();
  return outputs;
}

// An activation that ONNX's cells do not have.
bool has_no_name(const rnn_layer_t& layer) {
  const std::int32_t activations[] = {layer.activation, layer.gate_activation, layer.output_activation};
  return std::any_of(std::begin(activations), std::end(activations), [](std::int32_t activation) {
    return activation == RNN_ACTIVATION_GELU || activation == RNN_ACTIVATION_SWISH;
  });
}

bool can_be_written(const rnn_config_t& config) {
  return std::none_of(config.layers, config.layers + config.layer_count, [](const rnn_layer_t& layer) {
    return layer.projection_size != 0 || layer.zoneout_h != 0 || layer.zoneout_c != 0 ||
           (layer.flags & RNN_FLAG_LAYER_NORM) != 0 || (layer.kind <= RNN_CELL_LSTM && has_no_name(layer));
  });
}

// Several nodes compute its activation. The reader makes the linear ones a part of matrices, behind which no input can
// be added.
bool has_folded_activation(const rnn_config_t& config, std::uint32_t flags = 0) {
  return std::any_of(config.layers, config.layers + config.layer_count, [&](const rnn_layer_t& layer) {
    return layer.kind >= RNN_LAYER_DENSE && (layer.flags & flags) == flags &&
           (layer.activation == RNN_ACTIVATION_AFFINE || layer.activation == RNN_ACTIVATION_SCALED_TANH);
  });
}

// Biases that are not zero, other initial states, slopes.
void randomize(rnn_t* rnn, std::uint32_t seed) {
  for (const std::string& name : parameter_names(rnn)) {
    std::vector<float> values = parameter(rnn, name.c_str());
    for (float& value : values)
      value += static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 8) * 0x1p-25f;
    ASSERT_EQ(rnn_set_parameter(rnn, name.c_str(), values.data(), values.size()), RNN_OK) << rnn_last_error();
  }
}

TEST(OnnxList, RoundTrip) {
  int written = 0;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    rnn::reference::ListKind kind;
    kind.whole = seed % 2 == 0;
    kind.zoneout = seed % 8 == 1;
    const rnn_config_t config = rnn::reference::random_list(seed, kind);
    SCOPED_TRACE(rnn::reference::text_of(config));
    const Rnn network = create(config);
    randomize(network.get(), seed);
    if (!can_be_written(config)) {
      save_onnx(network.get(), RNN_UNSUPPORTED);
      continue;
    }
    const std::string file = save_onnx(network.get());
    if (has_folded_activation(config, RNN_FLAG_RESIDUAL)) continue;
    ++written;
    rnn_t* out = nullptr;
    ASSERT_EQ(rnn_load_memory(file.data(), file.size(), nullptr, &out), RNN_OK) << rnn_last_error();
    const Rnn loaded(out, &rnn_destroy);
    // Which other layers may give.
    const std::vector<float> expected = outputs_of(network.get()), found = outputs_of(loaded.get());
    if (!has_folded_activation(config)) {
      EXPECT_EQ(expected, found);
      continue;
    }
    ASSERT_EQ(expected.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-5f * (1 + std::fabs(expected[i]))) << i;
  }
  EXPECT_GT(written, 200);
}

rnn_layer_t custom(rnn_layer_t layer) {
  layer.clip = 2;
  layer.gate_activation = RNN_ACTIVATION_HARD_SIGMOID;
  layer.gate_alpha = 0.25f;
  layer.gate_beta = 0.375f;
  layer.activation = RNN_ACTIVATION_SOFTSIGN;
  if (layer.kind != RNN_CELL_LSTM) return layer;
  layer.output_activation = RNN_ACTIVATION_AFFINE;
  layer.output_alpha = 0.5f;
  return layer;
}

// All kinds of layers, and their names.
rnn_config_t long_list() {
  rnn_layer_t same = convolution(4, 3, 2, RNN_ACTIVATION_GELU), prelu = dense_layer(3, RNN_ACTIVATION_PRELU);
  same.flags |= RNN_FLAG_RESIDUAL;
  prelu.flags |= RNN_FLAG_RESIDUAL;
  return list(
      3,
      {dense_layer(4, RNN_ACTIVATION_ELU, 0, 0.5f), same, cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL),
       cell_layer(RNN_CELL_LSTM, 5, RNN_FLAG_PEEPHOLES, RNN_DIRECTION_SUM),
       cell_layer(RNN_CELL_VANILLA, 2, RNN_FLAG_RELU, RNN_DIRECTION_REVERSE),
       cell_layer(RNN_CELL_LSTM, 2, RNN_FLAG_COUPLED_GATES, RNN_DIRECTION_BOTH),
       custom(cell_layer(RNN_CELL_LSTM, 4, 0, RNN_DIRECTION_BOTH)), custom(cell_layer(RNN_CELL_GRU, 4)),
       dense_layer(3, RNN_ACTIVATION_SWISH), prelu, convolution(3, 2, 1, RNN_ACTIVATION_HARD_SIGMOID),
       dense_layer(2)},
      1);
}

TEST(OnnxList, TheSameLayersComeBack) {
  const Rnn network = create(long_list());
  randomize(network.get(), 5);
  expect_equal(network.get(), load_memory(save_onnx(network.get())).get());
}

TEST(OnnxList, StatesAreInputsAndOutputs) {
  const onnx::ModelProto model = parse(save_onnx(create(long_list()).get()));
  const auto text_of = [](const auto& values) {
    std::string text;
    for (const onnx::ValueInfoProto& value : values) {
      text += (text.empty() ? "" : ", ") + value.name() + " [";
      for (const auto& dim : value.type().tensor_type().shape().dim())
        text += dim.has_dim_param() ? dim.dim_param() + " " : std::to_string(dim.dim_value()) + " ";
      text.back() = ']';
    }
    return text;
  };
  EXPECT_EQ(text_of(model.graph().input()),
            "x [steps sequences 3], initial_past_l1 [4 states 4], initial_h_l2 [1 states 4], initial_h_l3 [2 "
            "states 5], "
            "initial_c_l3 [2 states 5], initial_h_l4 [1 states 2], initial_h_l5 [2 states 2], initial_c_l5 "
            "[2 states 2], "
            "initial_h_l6 [2 states 4], initial_c_l6 [2 states 4], initial_h_l7 [1 states 4], "
            "initial_past_l10 [1 states 3]");
  EXPECT_EQ(
      text_of(model.graph().output()),
      "y [steps sequences 2], final_past_l1 [4 sequences 4], final_h_l2 [1 sequences 4], final_h_l3 [2 "
      "sequences 5], "
      "final_c_l3 [2 sequences 5], final_h_l4 [1 sequences 2], final_h_l5 [2 sequences 2], "
      "final_c_l5 [2 sequences 2], final_h_l6 [2 sequences 4], final_c_l6 [2 sequences 4], final_h_l7 [1 "
      "sequences 4], final_past_l10 [1 sequences 3]");
}

TEST(OnnxList, CannotBeWritten) {
  const auto expect_refused = [](const rnn_layer_t& layer, const char* message) {
    save_onnx(create(list(3, {dense_layer(2, RNN_ACTIVATION_TANH), layer})).get(), RNN_UNSUPPORTED);
    EXPECT_MESSAGE(message);
  };
  rnn_layer_t gru = cell_layer(RNN_CELL_GRU, 2);
  gru.activation = RNN_ACTIVATION_SWISH;
  expect_refused(gru, "unsupported: layers[1].activation is 10, which the cells of ONNX do not have");
  gru.gate_activation = RNN_ACTIVATION_GELU;
  expect_refused(gru, "unsupported: layers[1].gate_activation is 9, which the cells of ONNX do not have");
  expect_refused(cell_layer(RNN_CELL_LSTM, 4, 0, RNN_DIRECTION_FORWARD, 2),
                 "unsupported: layers[1].projection_size is 2; ONNX has no projection");
  for (float rnn_layer_t::*rate : {&rnn_layer_t::zoneout_h, &rnn_layer_t::zoneout_c}) {
    rnn_layer_t zoned = cell_layer(RNN_CELL_LSTM, 4);
    zoned.*rate = 0.5f;
    expect_refused(zoned, rate == &rnn_layer_t::zoneout_h
                              ? "unsupported: layers[1].zoneout_h is 0.5; ONNX's cells have no zoneout"
                              : "unsupported: layers[1].zoneout_c is 0.5; ONNX's cells have no zoneout");
  }
  expect_refused(
      cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_LAYER_NORM),
      "unsupported: layers[1].flags has RNN_FLAG_LAYER_NORM; ONNX's cells have no layer normalisation");
}

// ---- minGRU and minLSTM ----

TEST(OnnxList, MinimalCells) {
  for (const std::int32_t cell : {RNN_CELL_MIN_GRU, RNN_CELL_MIN_LSTM})
    for (const std::int32_t direction :
         {RNN_DIRECTION_FORWARD, RNN_DIRECTION_REVERSE, RNN_DIRECTION_BOTH, RNN_DIRECTION_SUM}) {
      rnn_config_t config = list(3, {cell_layer(cell, 4, 0, direction), cell_layer(cell, 2), dense_layer(2)});
      config.initial_state = RNN_INITIAL_FIXED;
      const Rnn network = create(config);
      randomize(network.get(), 3);
      expect_equal(network.get(), load_memory(save_onnx(network.get())).get());
    }
}

// Nodes of a function are read if it is what librnn writes.
TEST(OnnxList, RefusesOtherFunctions) {
  const std::string file =
      save_onnx(create(list(3, {cell_layer(RNN_CELL_MIN_GRU, 4), dense_layer(2)})).get());
  const struct {
    std::function<void(onnx::ModelProto&)> spoil;
    const char* message;
  } cases[] = {
      {[](auto& model) { model.clear_functions(); },
       "unsupported: node \"layer_l0\" (MinGRU): of domain \"librnn\""},
      {[](auto& model) { model.mutable_functions(0)->mutable_node(3)->set_op_type("Tanh"); },
       "node \"layer_l0\" (MinGRU): of domain \"librnn\""},
      {[](auto& model) { find_named(model, "layer_l0").set_op_type("MinGRUReverse"); },
       "of domain \"librnn\""},
      {[](auto& model) { find_tensor(model, "W_l0").set_dims(0, 24); }, "tensor \"W_l0\" has 96 bytes"},
      {[](auto& model) { find_named(model, "layer_l0").set_input(1, "head.weight"); },
       "X has 3 features; W reads 4"},
      {[](auto& model) { find_named(model, "layer_l0").set_input(2, "head.bias"); },
       "B has shape [2]; it must be [8]"},
      {[](auto& model) { find_named(model, "layer_l0").set_input(3, "head.bias"); },
       "initial_h has shape [2]; it must be [1, 1, 4]"},
      {[](auto& model) { find_named(model, "layer_l0").set_input(0, "W_l0"); },
       "X must be the graph's input"},
      {[](auto& model) { find_named(model, "layer_l0").mutable_input()->RemoveLast(); },
       "input 3 is missing"},
  };
  for (const auto& c : cases) {
    onnx::ModelProto model = parse(file);
    c.spoil(model);
    EXPECT_NE(try_load(model.SerializeAsString()), RNN_OK) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

// ---- Refusals ----

struct Case {
  std::function<void(onnx::ModelProto&, onnx::NodeProto&)> spoil;  // and the Conv
  const char* message;
};

void set_numbers(onnx::NodeProto& node, const char* name, const std::vector<std::int64_t>& values) {
  auto& attributes = *node.mutable_attribute();
  for (int i = 0; i < attributes.size(); ++i)
    if (attributes[i].name() == name) attributes.DeleteSubrange(i--, 1);
  onnx::AttributeProto& attribute = *attributes.Add();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

void set_number(onnx::NodeProto& node, const char* name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void set_text(onnx::NodeProto& node, const char* name, const char* value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

// The Conv reads the sequence itself.
void without_past(onnx::ModelProto& model) { find_named(model, "channels_l0").set_input(0, "x"); }

TEST(OnnxList, RefusesConvolutions) {
  const Case cases[] = {
      {[](auto&, auto& conv) { set_numbers(conv, "strides", {2}); }, "strides are not 1"},
      {[](auto&, auto& conv) { set_numbers(conv, "kernel_shape", {2}); },
       "kernel_shape differs from the shape of W, [4, 3, 3]"},
      {[](auto&, auto& conv) {
         set_numbers(conv, "dilations", {2, 2});
       },
       "dilations has 2 numbers; it must have 1"},
      {[](auto&, auto& conv) { set_numbers(conv, "dilations", {0}); },
       "dilations are 0; kernel and dilation must be 1..65536"},
      {[](auto&, auto& conv) { set_numbers(conv, "dilations", {std::int64_t{1} << 62}); },
       "kernel and dilation must be 1..65536"},
      {[](auto&, auto& conv) {
         set_numbers(conv, "pads", {1, 0});
       },
       "it reads 4 steps beside its own, and there are 5 zeros before the sequence and 0 behind it; it must "
       "be causal"},
      {[](auto& model, auto& conv) {
         without_past(model);
         set_numbers(conv, "pads", {2, 2});
       },
       "there are 2 zeros before the sequence and 2 behind it; it must be causal"},
      {[](auto& model, auto& conv) {
         without_past(model);
         set_numbers(conv, "pads", {4, 4});
       },
       "node \"layer_l1\" (GRU): X has zeros before or steps behind the sequence"},
      {[](auto& model, auto& conv) {
         without_past(model);
         set_text(conv, "auto_pad", "SAME_LOWER");
       },
       "there are 2 zeros before the sequence and 2 behind it"},
      {[](auto&, auto& conv) { set_text(conv, "auto_pad", "SOME"); }, "auto_pad is \"SOME\""},
      {[](auto& model, auto&) {
         find_tensor(model, "weight_l0").set_dims(1, 9);
         find_tensor(model, "weight_l0").set_dims(2, 1);
       },
       "kernel_shape differs"},
      {[](auto& model, auto& conv) {
         conv.clear_attribute();
         find_tensor(model, "weight_l0").set_dims(1, 9);
         find_tensor(model, "weight_l0").set_dims(2, 1);
       },
       "W has shape [4, 9, 1], group is 1 and X has 3 features"},
      {[](auto&, auto& conv) { set_number(conv, "group", 3); }, "group is 3 and W has shape [4, 3, 3]"},
      {[](auto&, auto& conv) { set_number(conv, "group", 2); },
       "W has shape [4, 3, 3], group is 2 and X has 3 features"},
      {[](auto& model, auto&) { find_tensor(model, "bias_l0").set_dims(0, 1); },
       "tensor \"bias_l0\" has 16 bytes"},
      {[](auto&, auto& conv) { conv.set_input(0, "inputs_l0"); },
       "there are 0 zeros before the sequence and 0 behind it"},
      {[](auto&, auto& conv) { conv.set_input(0, "weight_l0"); }, "X is constant"},
      {[](auto&, auto& conv) { conv.set_input(1, "x"); }, "W is the graph's input \"x\""},
      {[](auto& model, auto&) {
         std::string& raw = *find_tensor(model, "initial_past_l0").mutable_raw_data();
         raw[3] = 0x3f;  // a half
       },
       "it may be of zeros and the steps of a sequence"},
      {[](auto& model, auto&) { model.mutable_graph()->mutable_output(0)->set_name("inputs_l0"); },
       "output \"inputs_l0\" comes from no network"},
  };
  for (const Case& c : cases) {
    onnx::ModelProto model =
        parse(save_onnx(create(list(3, {convolution(4, 3, 2), cell_layer(RNN_CELL_GRU, 2)})).get()));
    c.spoil(model, find_node(model, "Conv"));
    EXPECT_NE(try_load(model.SerializeAsString()), RNN_OK) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

TEST(OnnxList, RefusesSums) {
  const struct {
    std::function<void(onnx::ModelProto&)> spoil;
    const char* message;
  } cases[] = {
      {[](auto& model) { find_named(model, "y").set_input(1, "weight_l0"); }, "a constant of shape"},
      {[](auto& model) { find_named(model, "layer_l1").set_input(0, "y"); },
       "no node before it makes its input \"y\""},
      {[](auto& model) { find_named(model, "activation_l0").set_op_type("Erf"); },
       "node \"activation_l0\" (Erf): it may be a part of x (1 + Erf(x / sqrt(2))) / 2, no more"},
      {[](auto& model) { find_named(model, "sum_l2").set_input(0, "activation_l0"); },
       "it may add to a layer's output what the layer reads, no more"},
      {[](auto& model) { find_named(model, "sum_l2").set_input(0, "first inputs"); },
       "no node before it makes"},
  };
  rnn_layer_t same = dense_layer(4, RNN_ACTIVATION_TANH);
  same.flags |= RNN_FLAG_RESIDUAL;
  for (const auto& c : cases) {
    onnx::ModelProto model = parse(save_onnx(
        create(list(4,
                    {dense_layer(4, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 4), same, dense_layer(3)},
                    2))
            .get()));
    c.spoil(model);
    EXPECT_NE(try_load(model.SerializeAsString()), RNN_OK) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

// Inputs may be added at the end alone.
TEST(OnnxList, RefusesInputsInTheMiddle) {
  onnx::ModelProto model =
      parse(save_onnx(create(list(4, {cell_layer(RNN_CELL_GRU, 3), dense_layer(3)}, 2)).get()));
  append(model, "Tanh");
  EXPECT_EQ(try_load(model.SerializeAsString()), RNN_UNSUPPORTED);
  EXPECT_MESSAGE(
      "node \"y\" (Add): it adds some of the inputs before the last layer's output; it must be behind it");
}

TEST(OnnxList, RefusesPooling) {
  const std::string file =
      save_onnx(create(list(3, {cell_layer(RNN_CELL_GRU, 2), cell_layer(RNN_CELL_GRU, 3)})).get());
  const struct {
    std::vector<std::int64_t> axes;
    const char* message;
  } cases[] = {{{1}, "node \"added\" (ReduceMean): along axis 1, which is not that of the steps"},
               {{0, 2}, "along axis 2, which is not that of the steps"},
               {{}, "along other axes than that of the steps"},
               {{3}, "axis 3 is out of range"}};
  for (const auto& c : cases) {
    onnx::ModelProto model = parse(file);
    set_numbers(append(model, "ReduceMean"), "axes", c.axes);
    EXPECT_NE(try_load(model.SerializeAsString()), RNN_OK) << c.message;
    EXPECT_MESSAGE(c.message);
  }
  onnx::ModelProto model = parse(file);
  set_numbers(append(model, "ReduceMax"), "axes", {0});
  const Rnn rnn = load_memory(model.SerializeAsString());
  char value[8];
  std::size_t size = 0;
  ASSERT_EQ(rnn_get_metadata(rnn.get(), "onnx.pooling", value, sizeof value, &size), RNN_OK);
  EXPECT_STREQ(value, "max");
  find_named(model, "layer_l1").set_input(0, "y");  // which stands behind it
  EXPECT_EQ(try_load(model.SerializeAsString()), RNN_BAD_FORMAT);
}

}  // namespace

// ONNX files: what we write comes back, and what cannot be a network is refused.
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/formats/onnx_fields.h"
#include "tests/formats/formats_test.h"
#include "tests/formats/onnx_by_hand.h"

namespace {

constexpr std::uint32_t kDirections[] = {0, RNN_FLAG_BIDIRECTIONAL};
constexpr std::uint32_t kOptions[] = {0, RNN_FLAG_NO_BIAS, RNN_FLAG_RESIDUAL};

TEST(Onnx, RoundTrip) {
  struct Variant {
    std::int32_t cell;
    std::uint32_t flags;
  };
  const Variant variants[] = {{RNN_CELL_VANILLA, 0},
                              {RNN_CELL_VANILLA, RNN_FLAG_RELU},
                              {RNN_CELL_GRU, 0},
                              {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE},
                              {RNN_CELL_LSTM, 0},
                              {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES},
                              {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES},
                              {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES}};
  for (const Variant& v : variants)
    for (const std::int32_t layers : {1, 2, 3})
      for (const std::uint32_t flags : kDirections)
        for (const std::uint32_t more : kOptions)
          for (const std::int32_t outputs : {0, 1, 3}) {
            if (more == RNN_FLAG_RESIDUAL && layers == 1)
              continue;  // nothing tells it from a network without
            const Rnn rnn = create([&](rnn_config_t& c) {
              c.cell = v.cell;
              c.flags = v.flags | flags | more;
              c.num_layers = layers;
              c.output_size = outputs;
            });
            SCOPED_TRACE(testing::Message() << v.cell << " " << (v.flags | flags | more) << " layers "
                                            << layers << " outputs " << outputs);
            expect_same_network(rnn.get(), load_memory(save_onnx(rnn.get())).get());
          }
}

TEST(Onnx, InitialStates) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM})
    for (const std::uint32_t flags : kDirections) {
      const Rnn rnn = create([&](rnn_config_t& c) {
        c.cell = cell;
        c.flags = flags;
        c.num_layers = 2;
        c.initial_state = RNN_INITIAL_FIXED;
      });
      float value = 0.25f;
      for (const std::string& name : parameter_names(rnn.get())) {
        if (name.rfind("initial_", 0) != 0) continue;
        std::vector<float> values(4);
        for (float& v : values) v = value += 0.125f;
        ASSERT_EQ(rnn_set_parameter(rnn.get(), name.c_str(), values.data(), 4), RNN_OK);
      }
      expect_same_network(rnn.get(), load_memory(save_onnx(rnn.get())).get());
    }
}

TEST(Onnx, Embedding) {
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(RNN_FLAG_TIED_HEAD)}) {
    const Rnn rnn = create([&](rnn_config_t& c) {
      c.cell = RNN_CELL_GRU;
      c.input_size = c.output_size = 7;
      c.embedding_size = c.hidden_size;
      c.flags = flags;
    });
    expect_same_network(rnn.get(), load_memory(save_onnx(rnn.get())).get());
  }
}

TEST(Onnx, Metadata) {
  const Rnn rnn = create();
  ASSERT_EQ(rnn_set_metadata(rnn.get(), "sample rate", "48000"), RNN_OK) << rnn_last_error();
  const std::string file = save_onnx(rnn.get());
  const onnx::ModelProto model = parse(file);
  ASSERT_EQ(model.metadata_props_size(), 1);
  EXPECT_EQ(model.metadata_props(0).key(), "sample rate");
  EXPECT_EQ(model.metadata_props(0).value(), "48000");
  char value[8];
  std::size_t size = 0;
  ASSERT_EQ(rnn_get_metadata(load_memory(file).get(), "sample rate", value, sizeof value, &size), RNN_OK)
      << rnn_last_error();
  EXPECT_STREQ(value, "48000");
}

// Equal networks give equal bytes.
TEST(Onnx, Bytes) { EXPECT_EQ(save_onnx(create().get()), save_onnx(create().get())); }

TEST(Onnx, CannotBeWritten) {
  save_onnx(create([](rnn_config_t& c) {
              c.cell = RNN_CELL_LSTM;
              c.projection_size = 2;
            }).get(),
            RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: projection_size is 2; ONNX has no projection");
  save_onnx(create([](rnn_config_t& c) { c.flags = RNN_FLAG_LAYER_NORM; }).get(), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: flags has RNN_FLAG_LAYER_NORM; ONNX's cells have no layer normalisation");
}

// ---- Refusals ----

onnx::AttributeProto& attribute(onnx::ModelProto& model, const char* name,
                                onnx::AttributeProto::AttributeType type) {
  onnx::NodeProto& node = find_node(model, "LSTM");
  for (onnx::AttributeProto& found : *node.mutable_attribute())
    if (found.name() == name) return found;
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(name);
  added.set_type(type);
  return added;
}

void set_integer(onnx::ModelProto& model, const char* name, std::int64_t value) {
  attribute(model, name, onnx::AttributeProto::INT).set_i(value);
}

void set_text(onnx::ModelProto& model, const char* name, const char* value) {
  attribute(model, name, onnx::AttributeProto::STRING).set_s(value);
}

void add_floats(onnx::ModelProto& model, const char* name, std::initializer_list<std::int64_t> shape,
                float value) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  std::int64_t count = 1;
  for (const std::int64_t n : shape) {
    tensor.add_dims(n);
    count *= n;
  }
  for (std::int64_t i = 0; i < count; ++i) tensor.add_float_data(value);
}

// I 3, H 4, O 2, an LSTM of two layers.
void expect_refused(const OnnxCase& c) {
  onnx::ModelProto model = parse(save_onnx(create([](rnn_config_t& config) {
                                             config.cell = RNN_CELL_LSTM;
                                             config.num_layers = 2;
                                           }).get()));
  c.spoil(model);
  const rnn_status_t status = try_load(model.SerializeAsString());
  const bool unsupported = std::string(rnn_last_error()).find(": unsupported: ") != std::string::npos;
  EXPECT_EQ(status, unsupported ? RNN_UNSUPPORTED : RNN_BAD_FORMAT) << rnn_last_error();
  EXPECT_MESSAGE(c.message);
}

// P holds i, o, f. With input_forget f is 1 - i, whatever W, R, B and P say of it.
TEST(Onnx, PeepholesAndCoupledGates) {
  const Rnn plain = create([](rnn_config_t& c) { c.cell = RNN_CELL_LSTM; });
  onnx::ModelProto model = parse(save_onnx(plain.get()));
  add_floats(model, "P", {1, 12}, 0.5f);
  for (int k = 0; k < 12; ++k) find_tensor(model, "P").set_float_data(k, static_cast<float>(k));
  find_node(model, "LSTM").add_input("P");
  const Rnn peepholes = load_memory(model.SerializeAsString());
  EXPECT_EQ(parameter(peepholes.get(), "peephole_i_l0"), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(parameter(peepholes.get(), "peephole_o_l0"), (std::vector<float>{4, 5, 6, 7}));
  EXPECT_EQ(parameter(peepholes.get(), "peephole_f_l0"), (std::vector<float>{8, 9, 10, 11}));
  EXPECT_EQ(parameter(peepholes.get(), "weight_ih_l0"), parameter(plain.get(), "weight_ih_l0"));

  set_integer(model, "input_forget", 1);
  const Rnn coupled = load_memory(model.SerializeAsString());
  EXPECT_EQ(parameter_names(coupled.get()),
            (std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "peephole_i_l0",
                                      "peephole_o_l0", "head.weight", "head.bias"}));
  EXPECT_EQ(parameter(coupled.get(), "peephole_o_l0"), (std::vector<float>{4, 5, 6, 7}));
  for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"}) {
    std::vector<float> values = parameter(plain.get(), name);
    const auto gate = static_cast<std::ptrdiff_t>(values.size() / 4);
    values.erase(values.begin() + gate, values.begin() + 2 * gate);
    EXPECT_EQ(parameter(coupled.get(), name), values) << name;
  }
}

TEST(Onnx, ActivationsOfACell) {
  const Rnn plain = create([](rnn_config_t& c) { c.cell = RNN_CELL_LSTM; });
  onnx::ModelProto model = parse(save_onnx(plain.get()));
  for (const char* name : {"HardSigmoid", "softsign", "ScaledTanh"})
    attribute(model, "activations", onnx::AttributeProto::STRINGS).add_strings(name);
  for (const float alpha : {0.25f, 2.0f})
    attribute(model, "activation_alpha", onnx::AttributeProto::FLOATS).add_floats(alpha);
  attribute(model, "activation_beta", onnx::AttributeProto::FLOATS).add_floats(0.75f);
  attribute(model, "clip", onnx::AttributeProto::FLOAT).set_f(3);
  const Rnn rnn = load_memory(model.SerializeAsString());
  rnn_config_t config{};
  config.struct_size = sizeof config;
  ASSERT_EQ(rnn_get_config(rnn.get(), &config), RNN_OK);
  ASSERT_EQ(config.layer_count, 2u);
  const rnn_layer_t& layer = config.layers[0];
  EXPECT_EQ(layer.gate_activation, RNN_ACTIVATION_HARD_SIGMOID);
  EXPECT_EQ(layer.gate_alpha, 0.25f);
  EXPECT_EQ(layer.gate_beta, 0.75f);
  EXPECT_EQ(layer.activation, RNN_ACTIVATION_SOFTSIGN);
  EXPECT_EQ(layer.output_activation, RNN_ACTIVATION_SCALED_TANH);
  EXPECT_EQ(layer.output_alpha, 2.0f);
  EXPECT_EQ(layer.output_beta, 1.0f);
  EXPECT_EQ(layer.clip, 3.0f);
}

TEST(Onnx, NodesThatAreNoNetworkHere) {
  const OnnxCase cases[] = {
      {[](auto& m) { find_node(m, "Add").set_op_type("Pow"); },
       "unsupported: node \"head bias\" (Pow): no such operator here"},
      {[](auto& m) { find_node(m, "LSTM").set_domain("com.example"); },
       "unsupported: node \"layer_l0\" (LSTM): of domain \"com.example\""},
      {[](auto& m) { set_text(m, "direction", "sideways"); },
       "node \"layer_l0\" (LSTM): direction is \"sideways\"; it must be forward, reverse or bidirectional"},
      {[](auto& m) { attribute(m, "clip", onnx::AttributeProto::FLOAT).set_f(-2); },
       "node \"layer_l0\" (LSTM): clip is -2; it must be at least 0 and finite"},
      {[](auto& m) { set_integer(m, "invented", 1); },
       "unsupported: node \"layer_l0\" (LSTM): attribute \"invented\""},
      {[](auto& m) {
         for (const char* name : {"Sigmoid", "Tanh", "Gelu"})
           attribute(m, "activations", onnx::AttributeProto::STRINGS).add_strings(name);
       },
       "unsupported: node \"layer_l0\" (LSTM): activations has \"Gelu\"; each must be one of Tanh, Relu,"},
      {[](auto& m) { attribute(m, "activations", onnx::AttributeProto::STRINGS).add_strings("Tanh"); },
       "node \"layer_l0\" (LSTM): activations has 1 names; it must have 3"},
      {[](auto& m) {
         for (const char* name : {"HardSigmoid", "Tanh", "Tanh"})
           attribute(m, "activations", onnx::AttributeProto::STRINGS).add_strings(name);
         attribute(m, "activation_alpha", onnx::AttributeProto::FLOATS).add_floats(0);
         attribute(m, "activation_beta", onnx::AttributeProto::FLOATS).add_floats(0);
       },
       "activation_alpha and activation_beta of HardSigmoid are 0; one must not be"},
      {[](auto& m) {
         for (const char* name : {"Sigmoid", "Elu", "Tanh"})
           attribute(m, "activations", onnx::AttributeProto::STRINGS).add_strings(name);
         attribute(m, "activation_alpha", onnx::AttributeProto::FLOATS).add_floats(NAN);
       },
       "activation_alpha and activation_beta of Elu are nan and 0; they must be finite"},
      {[](auto& m) {
         add_floats(m, "P", {1, 16}, 0.5f);
         find_node(m, "LSTM").add_input("P");
       },
       "node \"layer_l0\" (LSTM): P has shape [1, 16]; it must be [1, 12]"},
      {[](auto& m) {
         add_floats(m, "h", {1, 2, 4}, 0.5f);
         find_tensor(m, "h").set_float_data(5, 0.25f);
         find_node(m, "LSTM").set_input(5, "h");
       },
       "initial_h differs between sequences; it must be the same for all"},
      {[](auto& m) { find_node(m, "LSTM").set_input(1, "x"); },
       "W is the graph's input \"x\", which is given when it is run; it must be a constant"},
      {[](auto& m) {
         m.mutable_graph()->add_input()->set_name("W");
         find_node(m, "LSTM").set_input(1, "W");
       },
       "unsupported: node \"layer_l0\" (LSTM): W is the graph's input \"W\", which is given when it is run; "
       "it must be "
       "a constant"},
      {[](auto& m) {
         find_node(m, "LSTM").clear_name();
         attribute(m, "clip", onnx::AttributeProto::FLOAT).set_f(-2);
       },
       "node #5 (LSTM) of \"y_l0\", \"final_h_l0\", \"final_c_l0\": clip is -2; it must be at least 0"},
      {[](auto& m) {
         onnx::NodeProto& added = *m.mutable_graph()->add_node();
         added.set_op_type("Dropout");
         added.add_input("y");
         added.add_output("kept");
         added.add_output("mask");
         m.mutable_graph()->add_output()->set_name("mask");
       },
       "unsupported: output \"mask\" cannot be followed"},
      {[](auto& m) { find_node(m, "Add").set_input(1, "joined_l1"); },
       "unsupported: node \"head bias\" (Add): it may add a constant, both directions of a layer, to a "
       "layer's "
       "output the layer's input"},
      {[](auto& m) { find_node(m, "MatMul").set_input(0, "x"); },
       "node \"head\" (MatMul): the matrix of shape [4, 2] reads 4 features; there are 3"},
      {[](auto& m) { find_tensor(m, "W_l0").set_data_location(onnx::TensorProto::EXTERNAL); },
       "unsupported: tensor \"W_l0\" has its values in another file; they must be in this one"},
      {[](auto& m) { find_tensor(m, "W_l0").set_data_type(onnx::TensorProto::INT16); },
       "unsupported: tensor \"W_l0\" is of data type 5; it must be FLOAT (1)"},
      {[](auto& m) { m.mutable_opset_import(0)->set_version(6); },
       "unsupported: opset 6; it must be 7 or newer"},
      {[](auto& m) { m.mutable_graph()->mutable_output(1)->set_name("head"); },
       "unsupported: output \"head\" beside another; a network has one"},
      {[](auto& m) {
         m.mutable_graph()->clear_output();
         m.mutable_graph()->add_output()->set_name("x");
       },
       "unsupported: output \"x\" comes from no network"},
  };
  for (const OnnxCase& c : cases) expect_refused(c);
}

// ---- Lists of layers ----

// Bit for bit where the head keeps its matrix.
TEST(Onnx, ActivationsBehindTheHead) {
  const Rnn plain = create([](rnn_config_t& c) { c.cell = RNN_CELL_GRU; });
  for (const char* type : {"Tanh", "Relu", "Sigmoid", "Softsign"}) {
    onnx::ModelProto model = parse(save_onnx(plain.get()));
    append(model, type);
    const Rnn rnn = load_memory(model.SerializeAsString());
    ASSERT_NE(rnn, nullptr) << rnn_last_error();
    EXPECT_EQ(parameter(rnn.get(), "layers.1.weight"), parameter(plain.get(), "head.weight"));
    EXPECT_EQ(parameter(rnn.get(), "layers.1.bias"), parameter(plain.get(), "head.bias"));
    const float x[] = {0.5f, -0.25f, 1.0f};
    float y[2], z[2];
    ASSERT_EQ(rnn_step(plain.get(), x, y), RNN_OK);
    ASSERT_EQ(rnn_step(rnn.get(), x, z), RNN_OK);
    ASSERT_EQ(rnn_reset(plain.get()), RNN_OK);
    for (std::size_t i = 0; i < 2; ++i) {
      const double v = static_cast<double>(y[i]), name = type[0];
      const double expected = name == 'T'      ? std::tanh(v)
                              : name == 'R'    ? std::max(v, 0.0)
                              : type[1] == 'i' ? 1 / (1 + std::exp(-v))
                                               : v / (1 + std::fabs(v));
      EXPECT_NEAR(static_cast<double>(z[i]), expected, 1e-6) << type;
    }
  }
}

TEST(Onnx, RefusesSteps) {
  const auto with = [](const std::string& type,
                       const std::function<void(onnx::ModelProto&, onnx::NodeProto&)>& change) {
    onnx::ModelProto model = parse(save_onnx(create().get()));
    change(model, append(model, type));
    return model.SerializeAsString();
  };
  const std::string place = "node \"added\" ";
  const std::pair<std::string, std::string> cases[] = {
      {with("Add",
            [](auto& m, auto& node) {
              add_constant(m, node, {3}, {1, 2, 3});
            }),
       "unsupported: " + place + "(Add): a constant of shape [3]; it must be of [2]"},
      {with("Mul",
            [](auto& m, auto& node) {
              add_constant(m, node, {2, 1}, {1, 2});
            }),
       "unsupported: " + place + "(Mul): a constant of shape [2, 1]; it must be of [2]"},
      {with("Mul", [](auto&, auto& node) { node.add_input("before"); }),
       "unsupported: " + place + "(Mul): of two values that are computed; it may be of x and Sigmoid(x)"},
      {with("Softmax",
            [](auto&, auto& node) {
              onnx::AttributeProto& axis = *node.add_attribute();
              axis.set_name("axis");
              axis.set_type(onnx::AttributeProto::INT);
              axis.set_i(0);
            }),
       "unsupported: " + place + "(Softmax): its axis must be the last, and that of the features"},
      {with("MatMul",
            [](auto& m, auto& node) {
              add_constant(m, node, {3, 1}, {1, 2, 3});
            }),
       place + "(MatMul): the matrix of shape [3, 1] reads 3 features; there are 2"},
      {with("BatchNormalization",
            [](auto& m, auto& node) {
              for (int i = 0; i < 4; ++i) add_constant(m, node, {2}, {1, 2});
            }),
       "unsupported: " + place +
           "(BatchNormalization): the features stand on axis 2 of X; they must be on axis 1"},
      {with("Gelu",
            [](auto&, auto& node) {
              onnx::AttributeProto& how = *node.add_attribute();
              how.set_name("approximate");
              how.set_type(onnx::AttributeProto::STRING);
              how.set_s("tanh");
            }),
       "unsupported: " + place + "(Gelu): it is approximate; it must be none"},
  };
  for (const auto& [file, message] : cases) {
    EXPECT_EQ(try_load(file), message.rfind("unsupported", 0) == 0 ? RNN_UNSUPPORTED : RNN_BAD_FORMAT)
        << message;
    EXPECT_MESSAGE(message);
  }
}

TEST(Onnx, Damaged) {
  const OnnxCase cases[] = {
      {[](auto& m) { find_node(m, "Transpose").mutable_attribute(0)->clear_ints(); },
       "node \"head matrix\" (Transpose): perm is []; it must be an order of 2 axes"},
      {[](auto& m) {
         auto& entry = *m.add_metadata_props();
         entry.set_key("rnn.seed");
       },
       "\"rnn.seed\": what begins with \"rnn.\" is librnn's own"},
      {[](auto& m) { find_tensor(m, "W_l0").set_dims(2, 5); },
       "tensor \"W_l0\" has 192 bytes; its shape needs 80 values of 4"},
      {[](auto& m) {
         find_tensor(m, "W_l0").set_dims(0, std::int64_t{1} << 40);
         find_tensor(m, "W_l0").set_dims(1, std::int64_t{1} << 40);
       },
       "is out of range"},
      {[](auto& m) { find_tensor(m, "W_l0").set_dims(0, -1); }, "shape [-1, 16, 3] is out of range"},
      {[](auto& m) {
         find_tensor(m, "R_l0").set_dims(0, 2);
         find_tensor(m, "R_l0").set_dims(1, 8);
       },
       "node \"layer_l0\" (LSTM): R has shape [2, 8, 4]; it must be [1, 16, 4]"},
      {[](auto& m) {
         find_tensor(m, "B_l0").set_dims(0, 2);
         find_tensor(m, "B_l0").set_dims(1, 16);
       },
       "node \"layer_l0\" (LSTM): B has shape [2, 16]; it must be [1, 32]"},
      {[](auto& m) { set_integer(m, "hidden_size", 5); }, "hidden_size is 5, W has shape [1, 16, 3]"},
      {[](auto& m) { find_node(m, "LSTM").set_input(0, "nowhere"); },
       "node \"layer_l0\" (LSTM): no node before it makes its input \"nowhere\""},
      {[](auto& m) { find_node(m, "MatMul").set_input(0, "y"); }, "no node before it makes"},
      {[](auto& m) { m.mutable_graph()->mutable_output(0)->set_name("nowhere"); },
       "no node makes the output \"nowhere\""},
      {[](auto& m) {
         std::string& raw = *find_tensor(m, "W_l0").mutable_raw_data();
         put(raw, 0, std::numeric_limits<float>::infinity());
       },
       "weight_ih_l0: value 0 is inf; it must be finite"},
  };
  for (const OnnxCase& c : cases) expect_refused(c);
}

// A layer that reads the same constants as another one does not take more memory than a file of its size may.
TEST(Onnx, Sizes) {
  onnx::ModelProto model = parse(save_onnx(create([](rnn_config_t& c) {
                                             c.cell = RNN_CELL_LSTM;
                                             c.hidden_size = 128;
                                             c.input_size = 128;
                                             c.output_size = 0;
                                           }).get()));
  const onnx::NodeProto layer = find_node(model, "LSTM"), squeeze = find_node(model, "Squeeze");
  model.mutable_graph()->mutable_node()->RemoveLast();
  std::string last = "joined_l0";
  for (int i = 0; i < 60; ++i) {
    const std::string suffix = std::to_string(i);
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node = layer;
    node.set_input(0, last);
    node.clear_output();
    node.add_output("again" + suffix);
    onnx::NodeProto& next = *model.mutable_graph()->add_node();
    next = squeeze;
    next.set_input(0, "again" + suffix);
    next.set_output(0, last = "next" + suffix);
  }
  model.mutable_graph()->mutable_output(0)->set_name(last);
  EXPECT_EQ(try_load(model.SerializeAsString()), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("are more than this file may ask for");

  // Each node doubles what it reads.
  model = parse(save_onnx(create([](rnn_config_t& c) { c.output_size = 0; }).get()));
  last = "joined_l0";
  for (int i = 0; i < 60; ++i) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node.set_op_type("Concat");
    node.add_input(last);
    node.add_input(last);
    node.add_output(last = "doubled" + std::to_string(i));
    onnx::AttributeProto& axis = *node.add_attribute();
    axis.set_name("axis");
    axis.set_type(onnx::AttributeProto::INT);
    axis.set_i(-1);
  }
  model.mutable_graph()->mutable_output(0)->set_name(last);
  EXPECT_EQ(try_load(model.SerializeAsString()), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("of more than 128 directions");

  // Two bytes of a file for each node.
  std::string graph;
  for (int i = 0; i < 200'000; ++i) graph += std::string("\x0a\x00", 2);
  std::string file = std::string("\x08\x07\x3a", 3);
  for (std::size_t n = graph.size(); n != 0; n >>= 7)
    file += static_cast<char>((n & 127) | (n > 127 ? 128 : 0));
  EXPECT_EQ(try_load(file + graph), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("the file has more than 100000 fields");
}

TEST(Onnx, Truncated) {
  const std::string file = save_onnx(create().get());
  for (std::size_t size = 4; size < file.size(); size += 7)
    EXPECT_NE(try_load(file.substr(0, size)), RNN_OK) << size;
}

// The table of messages in messages knows those of the ONNX that is installed.
void expect_in_table(const google::protobuf::Descriptor& descriptor, rnn::onnx_import::Message message,
                     std::set<std::string>& seen) {
  if (!seen.insert(descriptor.full_name()).second) return;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *descriptor.field(i);
    const rnn::onnx_import::Message held = rnn::onnx_import::message_in(message, field.number());
    EXPECT_EQ(held != rnn::onnx_import::Message::none, field.message_type() != nullptr) << field.full_name();
    if (field.message_type() != nullptr) expect_in_table(*field.message_type(), held, seen);
  }
}

TEST(Onnx, FieldsThatAreMessages) {
  std::set<std::string> seen;
  expect_in_table(*onnx::ModelProto::descriptor(), rnn::onnx_import::Message::model, seen);
  EXPECT_GE(seen.size(), 20u);
}

}  // namespace

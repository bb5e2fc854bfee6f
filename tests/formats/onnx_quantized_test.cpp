// ONNX files with weights of 8 bits, which become floats.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/formats/onnx_by_hand.h"

namespace {

struct Quantized {
  bool has_sign, by_channel;
};

onnx::TensorProto& add_tensor(onnx::ModelProto& model, const std::string& name, std::int32_t type,
                              const std::vector<std::int64_t>& shape) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t n : shape) tensor.add_dims(n);
  return tensor;
}

void remove_tensor(onnx::ModelProto& model, const std::string& name) {
  auto& tensors = *model.mutable_graph()->mutable_initializer();
  for (int i = 0; i < tensors.size(); ++i)
    if (tensors[i].name() == name) return tensors.DeleteSubrange(i, 1);
}

// A matrix [rows, columns] of 8 bits, and what it is as floats.
struct Matrix8 {
  std::size_t rows, columns;
  std::vector<int> values, zeros;
  std::vector<float> scales, floats;

  Matrix8(std::size_t n, std::size_t m, Quantized kind, int seed) : rows(n), columns(m) {
    const int least = kind.has_sign ? -128 : 0;
    const std::size_t parts = kind.by_channel ? rows : 1;
    for (std::size_t p = 0; p < parts; ++p) {
      scales.push_back(0.01f / static_cast<float>(p + 1));
      zeros.push_back(least + 120 + static_cast<int>(p % 7));
    }
    for (std::size_t i = 0; i < rows * columns; ++i) {
      values.push_back(least + static_cast<int>(i * 37 + static_cast<std::size_t>(seed)) % 256);
      const std::size_t part = kind.by_channel ? i / columns : 0;
      floats.push_back(static_cast<float>(values[i] - zeros[part]) * scales[part]);
    }
  }
};

// An LSTM of 3 inputs and 4 units whose matrices, in ONNX's order of gates, are these.
onnx::ModelProto lstm_of(const Matrix8& input, const Matrix8& recurrent) {
  onnx::ModelProto model = parse(save_onnx(create([](rnn_config_t& c) { c.cell = RNN_CELL_LSTM; }).get()));
  find_tensor(model, "W_l0").set_raw_data(bytes(input.floats));
  find_tensor(model, "R_l0").set_raw_data(bytes(recurrent.floats));
  return model;
}

constexpr Quantized kQuantized[] = {{true, false}, {false, false}, {true, true}, {false, true}};

TEST(OnnxQuantized, DequantizeLinear) {
  for (const Quantized kind : kQuantized) {
    const Matrix8 input(16, 3, kind, 1), recurrent(16, 4, kind, 2);
    onnx::ModelProto model = lstm_of(input, recurrent);
    const Rnn expected = load_memory(model.SerializeAsString());
    const auto type = kind.has_sign ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
    for (const auto& [name, matrix] : {std::pair("W_l0", &input), std::pair("R_l0", &recurrent)}) {
      const std::string base = name;
      remove_tensor(model, base);
      const std::vector<std::int64_t> parts =
          kind.by_channel ? std::vector<std::int64_t>{16} : std::vector<std::int64_t>{};
      onnx::TensorProto& values =
          add_tensor(model, base + "_8", type, {1, 16, static_cast<std::int64_t>(matrix->columns)});
      for (const int v : matrix->values) values.add_int32_data(v);
      onnx::TensorProto& scales = add_tensor(model, base + "_scale", onnx::TensorProto::FLOAT, parts);
      for (const float v : matrix->scales) scales.add_float_data(v);
      onnx::TensorProto& zeros = add_tensor(model, base + "_zero", type, parts);
      for (const int v : matrix->zeros) zeros.add_int32_data(v);
      auto& nodes = *model.mutable_graph()->mutable_node();
      onnx::NodeProto& node = *nodes.Add();
      node.set_op_type("DequantizeLinear");
      for (const char* end : {"_8", "_scale", "_zero"}) node.add_input(base + end);
      node.add_output(base);
      for (int i = nodes.size(); --i > 0;) nodes.SwapElements(i, i - 1);
    }
    expect_same_network(load_memory(model.SerializeAsString()).get(), expected.get());
  }
}

onnx::ModelProto dynamic_lstm(const Matrix8& input, const Matrix8& recurrent, Quantized kind) {
  onnx::ModelProto model = lstm_of(input, recurrent);
  const auto type = kind.has_sign ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
  onnx::NodeProto& node = find_node(model, "LSTM");
  node.set_op_type("DynamicQuantizeLSTM");
  node.set_domain("com.microsoft");
  while (node.input_size() < 8) node.add_input("");
  int place = 1;
  for (const auto& [name, matrix] : {std::pair("W_l0", &input), std::pair("R_l0", &recurrent)}) {
    const std::string base = name;
    onnx::TensorProto& values =
        add_tensor(model, base + "_8", type, {1, static_cast<std::int64_t>(matrix->columns), 16});
    std::string raw;
    for (std::size_t j = 0; j < matrix->columns; ++j)
      for (std::size_t i = 0; i < 16; ++i) raw += static_cast<char>(matrix->values[i * matrix->columns + j]);
    values.set_raw_data(raw);
    const std::vector<std::int64_t> parts =
        kind.by_channel ? std::vector<std::int64_t>{1, 16} : std::vector<std::int64_t>{1};
    onnx::TensorProto& scales = add_tensor(model, base + "_scale", onnx::TensorProto::FLOAT, parts);
    for (const float v : matrix->scales) scales.add_float_data(v);
    onnx::TensorProto& zeros = add_tensor(model, base + "_zero", type, parts);
    for (const int v : matrix->zeros) zeros.add_int32_data(v);
    node.set_input(place++, base + "_8");
    node.add_input(base + "_scale");
    node.add_input(base + "_zero");
  }
  return model;
}

TEST(OnnxQuantized, DynamicQuantizeLstm) {
  for (const Quantized kind : kQuantized) {
    const Matrix8 input(16, 3, kind, 1), recurrent(16, 4, kind, 2);
    const Rnn expected = load_memory(lstm_of(input, recurrent).SerializeAsString());
    expect_same_network(load_memory(dynamic_lstm(input, recurrent, kind).SerializeAsString()).get(),
                        expected.get());
  }
}

TEST(OnnxQuantized, RefusesQuantizedWeights) {
  const Matrix8 input(16, 3, kQuantized[2], 1), recurrent(16, 4, kQuantized[2], 2);
  const OnnxCase cases[] = {
      {[](auto& m) { find_tensor(m, "W_l0_scale").set_dims(1, 8); }, "tensor \"W_l0_scale\" has 16 values"},
      {[](auto& m) {
         find_tensor(m, "R_l0_zero").clear_dims();
         find_tensor(m, "R_l0_zero").add_dims(16);
       },
       "R has shape [1, 4, 16], its scale [1, 16] and its zero point [16]; they must be [1] or [1, 16]"},
      {[](auto& m) { find_node(m, "DynamicQuantizeLSTM").set_input(8, "x"); },
       "unsupported: node \"layer_l0\" (DynamicQuantizeLSTM): a scale is the graph's input \"x\""},
      {[](auto& m) { find_node(m, "DynamicQuantizeLSTM").set_input(1, "R_l0_8"); },
       "X has 3 features; W reads 4"},
      {[](auto& m) { find_node(m, "DynamicQuantizeLSTM").set_domain("other"); }, "of domain \"other\""},
      {[](auto& m) { find_node(m, "DynamicQuantizeLSTM").set_op_type("QAttention"); },
       "of domain \"com.microsoft\""},
  };
  for (const OnnxCase& c : cases) {
    onnx::ModelProto model = dynamic_lstm(input, recurrent, kQuantized[2]);
    c.spoil(model);
    const rnn_status_t status = try_load(model.SerializeAsString());
    EXPECT_TRUE(status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

// ---- Heads ----

// A network of one layer whose head, y = W h, is nodes of 8 bits: W is 1, 2, ... 8, in 4 rows.
onnx::ModelProto with_head(const std::function<void(onnx::ModelProto&)>& add) {
  onnx::ModelProto model = parse(save_onnx(create([](rnn_config_t& c) { c.output_size = 0; }).get()));
  onnx::GraphProto& graph = *model.mutable_graph();
  find_named(model, "y").set_output(0, "h");
  std::string raw;
  for (char value = 1; value <= 8; ++value) raw += value;
  add_tensor(model, "W", onnx::TensorProto::INT8, {4, 2}).set_raw_data(raw);
  for (const auto& [name, value] : {std::pair("scale", 0.5f), std::pair("other scale", 0.25f)})
    add_tensor(model, name, onnx::TensorProto::FLOAT, {}).add_float_data(value);
  for (const auto& [name, value] : {std::pair("zero", 0), std::pair("other zero", 1)})
    add_tensor(model, name, onnx::TensorProto::INT8, {}).add_int32_data(value);
  add(model);
  EXPECT_EQ(graph.output(0).name(), "y");
  return model;
}

onnx::NodeProto& add_node(onnx::ModelProto& model, const char* type, const std::vector<std::string>& inputs,
                          const std::vector<std::string>& outputs) {
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type(type);
  node.set_name(type);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

void add_dynamic(onnx::ModelProto& model) {
  add_node(model, "DynamicQuantizeLinear", {"h"}, {"q", "q scale", "q zero"});
  add_node(model, "MatMulInteger", {"q", "W", "q zero", "zero"}, {"sums"});
  add_node(model, "Mul", {"q scale", "scale"}, {"both scales"}).set_name("scales");
  add_node(model, "Mul", {"sums", "both scales"}, {"y"});
}

void add_static(onnx::ModelProto& model) {
  add_node(model, "QuantizeLinear", {"h", "scale", "zero"}, {"q"});
  add_node(model, "QLinearMatMul", {"q", "scale", "zero", "W", "scale", "other zero", "other scale", "zero"},
           {"product"});
  add_node(model, "DequantizeLinear", {"product", "other scale", "zero"}, {"y"});
}

TEST(OnnxQuantized, Heads) {
  const Rnn dynamic = load_memory(with_head(add_dynamic).SerializeAsString());
  EXPECT_EQ(parameter(dynamic.get(), "head.weight"),
            (std::vector<float>{0.5f, 1.5f, 2.5f, 3.5f, 1, 2, 3, 4}));
  const Rnn fixed = load_memory(with_head(add_static).SerializeAsString());
  EXPECT_EQ(parameter(fixed.get(), "head.weight"), (std::vector<float>{0, 1, 2, 3, 0.5f, 1.5f, 2.5f, 3.5f}));
}

// To even numbers, and to the range of the zero point's type.
TEST(OnnxQuantized, RoundsConstants) {
  const Rnn rnn =
      load_memory(with_head([](onnx::ModelProto& model) {
                    onnx::TensorProto& matrix = add_tensor(model, "M", onnx::TensorProto::FLOAT, {4, 2});
                    for (const float value : {0.25f, 0.75f, -0.25f, 100.0f, -100.0f, 3.1f, 1e30f, -1e30f})
                      matrix.add_float_data(value);
                    add_node(model, "QuantizeLinear", {"M", "scale", "zero"}, {"rounded"});
                    add_node(model, "DequantizeLinear", {"rounded", "scale", "zero"}, {"matrix"});
                    add_node(model, "MatMul", {"h", "matrix"}, {"y"});
                  }).SerializeAsString());
  EXPECT_EQ(parameter(rnn.get(), "head.weight"), (std::vector<float>{0, 0, -64, 63.5f, 1, 63.5f, 3, -64}));
}

TEST(OnnxQuantized, RefusesHeads) {
  const auto expect_refused = [](const std::function<void(onnx::ModelProto&)>& head,
                                 const std::function<void(onnx::ModelProto&)>& spoil, const char* message) {
    onnx::ModelProto model = with_head(head);
    spoil(model);
    EXPECT_EQ(try_load(model.SerializeAsString()), RNN_UNSUPPORTED) << message;
    EXPECT_MESSAGE(message);
  };
  expect_refused(
      add_dynamic, [](auto& m) { find_named(m, "MatMulInteger").set_input(2, "zero"); },
      "\"MatMulInteger\" (MatMulInteger): A and its zero point must be what one DynamicQuantizeLinear gives");
  expect_refused(
      add_dynamic, [](auto& m) { find_named(m, "MatMulInteger").set_input(1, "scale"); },
      "the second factor has shape []; it must be a matrix of integers");
  expect_refused(
      add_dynamic, [](auto& m) { find_named(m, "Mul").set_input(1, "scale"); },
      "\"Mul\" (Mul): of quantised values; it may be of sums of integers and their scale");
  expect_refused(
      add_dynamic, [](auto& m) { find_named(m, "scales").set_op_type("Add"); },
      "\"scales\" (Add): of something that is not a layer's output");
  expect_refused(
      add_dynamic, [](auto& m) { find_named(m, "DynamicQuantizeLinear").set_input(0, "W"); },
      "input 0 is constant; it must be what is computed");
  expect_refused(
      add_dynamic,
      [](auto& m) {
        m.mutable_graph()->clear_output();
        m.mutable_graph()->add_output()->set_name("sums");
      },
      "a graph without an output of the network");
  expect_refused(
      add_static, [](auto& m) { find_named(m, "DequantizeLinear").set_input(1, "scale"); },
      "\"DequantizeLinear\" (DequantizeLinear): with another scale or zero point than those that");
  expect_refused(
      add_static, [](auto& m) { find_named(m, "QLinearMatMul").set_input(2, "other zero"); },
      "\"QLinearMatMul\" (QLinearMatMul): with another scale or zero point");
  expect_refused(
      add_static, [](auto& m) { find_named(m, "DequantizeLinear").set_input(0, "h"); },
      "of what no QuantizeLinear gives");
  expect_refused(
      add_static, [](auto& m) { find_named(m, "DequantizeLinear").set_op_type("Tanh"); }, "(Tanh): ");
}

}  // namespace

// Making and changing ONNX files for tests.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/formats/formats_test.h"

inline std::string save_onnx(const rnn_t* rnn, rnn_status_t expected = RNN_OK) {
  return save_as(rnn, RNN_FORMAT_ONNX, {}, expected);
}

inline onnx::ModelProto parse(const std::string& file) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(file));
  return model;
}

inline onnx::NodeProto& find_node(onnx::ModelProto& model, const std::string& type) {
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node())
    if (node.op_type() == type) return node;
  throw std::out_of_range(type);
}

inline onnx::NodeProto& find_named(onnx::ModelProto& model, const std::string& name) {
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node())
    if (node.name() == name) return node;
  throw std::out_of_range(name);
}

inline onnx::TensorProto& find_tensor(onnx::ModelProto& model, const std::string& name) {
  for (onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer())
    if (tensor.name() == name) return tensor;
  throw std::out_of_range(name);
}

// What ends in y goes through this node, which gives y.
inline onnx::NodeProto& append(onnx::ModelProto& model, const std::string& type) {
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node())
    for (std::string& output : *node.mutable_output())
      if (output == "y") output = "before";
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type(type);
  node.set_name("added");
  node.add_input("before");
  node.add_output("y");
  return node;
}

inline void add_constant(onnx::ModelProto& model, onnx::NodeProto& node,
                         const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name("constant" + std::to_string(node.input_size()));
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t n : shape) tensor.add_dims(n);
  for (const float value : values) tensor.add_float_data(value);
  node.add_input(tensor.name());
}

// Of the configuration, what an ONNX file keeps.
inline void expect_same_network(const rnn_t* a, const rnn_t* b) {
  rnn_config_t config_a{}, config_b{};
  config_a.struct_size = config_b.struct_size = sizeof config_a;
  ASSERT_EQ(rnn_get_config(a, &config_a), RNN_OK);
  ASSERT_EQ(rnn_get_config(b, &config_b), RNN_OK);
  EXPECT_EQ(config_a.cell, config_b.cell);
  EXPECT_EQ(config_a.input_size, config_b.input_size);
  EXPECT_EQ(config_a.hidden_size, config_b.hidden_size);
  EXPECT_EQ(config_a.output_size, config_b.output_size);
  EXPECT_EQ(config_a.num_layers, config_b.num_layers);
  EXPECT_EQ(config_a.flags, config_b.flags);
  EXPECT_EQ(config_a.embedding_size, config_b.embedding_size);
  EXPECT_EQ(config_a.initial_state, config_b.initial_state);
  ASSERT_EQ(parameter_names(a), parameter_names(b));
  for (const std::string& name : parameter_names(a))
    EXPECT_EQ(bytes(parameter(a, name.c_str())), bytes(parameter(b, name.c_str()))) << name;
}

struct OnnxCase {
  std::function<void(onnx::ModelProto&)> spoil;
  const char* message;
};

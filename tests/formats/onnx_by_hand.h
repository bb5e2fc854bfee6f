// Making and changing ONNX files for tests.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
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

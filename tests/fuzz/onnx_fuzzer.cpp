// ONNX files. Bytes that change anywhere rarely leave a protobuf, so most changes are made to its fields.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

#include "tests/fuzz/attempt.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t capacity);

namespace {

class Mutator {
 public:
  Mutator(onnx::GraphProto& graph, unsigned seed) : graph_(graph), random_(seed) {}

  void mutate() {
    if (graph_.node_size() == 0) return;
    onnx::NodeProto& node = *graph_.mutable_node(below(graph_.node_size()));
    switch (below(10)) {
      case 0:
        graph_.add_node()->CopyFrom(node);
        return graph_.mutable_node()->SwapElements(graph_.node_size() - 1, below(graph_.node_size()));
      case 1:
        return graph_.mutable_node()->DeleteSubrange(below(graph_.node_size()), 1);
      case 2:
        return node.set_op_type(graph_.node(below(graph_.node_size())).op_type());
      case 3:
        return node.set_op_type(kTypes[below(std::size(kTypes))]);
      case 4:
        if (node.input_size() != 0) node.set_input(below(node.input_size()), name());
        return;
      case 5:
        return node.add_input(name());
      case 6:
        if (graph_.output_size() != 0) graph_.mutable_output(below(graph_.output_size()))->set_name(name());
        return;
      case 7:
        return change(node);
      default:
        if (graph_.initializer_size() != 0)
          change(*graph_.mutable_initializer(below(graph_.initializer_size())));
    }
  }

 private:
  static constexpr const char* kTypes[] = {
      "Add",           "Cast",      "Concat",   "Conv",  "DynamicQuantizeLinear",
      "Erf",           "Expand",    "Gather",   "Gemm",  "MatMul",
      "MatMulInteger", "Mul",       "OneHot",   "Pad",   "ReduceSum",
      "Reshape",       "Shape",     "Sigmoid",  "Slice", "Split",
      "Squeeze",       "Transpose", "Unsqueeze"};

  template <class Size>
  int below(Size size) {
    return static_cast<int>(random_() % static_cast<unsigned>(size));
  }

  std::int64_t number() {
    constexpr std::int64_t kNumbers[] = {0,         1,        2, 3, 4, -1, 8, 65536, std::int64_t{1} << 40,
                                         INT64_MAX, INT64_MIN};
    return kNumbers[below(std::size(kNumbers))];
  }

  // Of a value that may be there.
  std::string name() {
    if (below(2) == 0 && graph_.initializer_size() != 0)
      return graph_.initializer(below(graph_.initializer_size())).name();
    const onnx::NodeProto& node = graph_.node(below(graph_.node_size()));
    return node.output_size() != 0 ? node.output(below(node.output_size())) : "x";
  }

  void change(onnx::NodeProto& node) {
    if (node.attribute_size() == 0 || below(4) == 0) {
      constexpr const char* kNames[] = {"axis", "axes", "direction", "layout",   "to",     "transB",
                                        "perm", "pads", "dilations", "keepdims", "strides"};
      onnx::AttributeProto& added = *node.add_attribute();
      added.set_name(kNames[below(std::size(kNames))]);
      const bool several = added.name() == "axes" || added.name() == "perm" || added.name() == "pads" ||
                           added.name() == "dilations" || added.name() == "strides";
      added.set_type(several ? onnx::AttributeProto::INTS : onnx::AttributeProto::INT);
    }
    onnx::AttributeProto& attribute = *node.mutable_attribute(below(node.attribute_size()));
    if (attribute.type() == onnx::AttributeProto::INTS)
      attribute.add_ints(number());
    else if (attribute.type() == onnx::AttributeProto::STRING)
      attribute.set_s(below(2) == 0 ? "reverse" : "forward");
    else
      attribute.set_i(number());
  }

  void change(onnx::TensorProto& tensor) {
    if (tensor.data_type() == onnx::TensorProto::INT64 && tensor.raw_data().size() >= 8 && below(2) == 0) {
      const std::int64_t value = number();
      std::memcpy(tensor.mutable_raw_data()->data(), &value, sizeof value);
    } else if (tensor.dims_size() != 0 && below(2) == 0) {
      tensor.set_dims(below(tensor.dims_size()), number());
    } else if (tensor.dims_size() != 0) {
      tensor.mutable_dims()->SwapElements(0, below(tensor.dims_size()));
    }
  }

  onnx::GraphProto& graph_;
  std::minstd_rand random_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t capacity,
                                               unsigned seed) {
  onnx::ModelProto model;
  if (seed % 8 == 0 || !model.ParseFromArray(data, static_cast<int>(size)))
    return LLVMFuzzerMutate(data, size, capacity);
  Mutator mutator(*model.mutable_graph(), seed);
  for (unsigned i = 0; i <= seed % 3; ++i) mutator.mutate();
  const std::string file = model.SerializeAsString();
  if (file.size() > capacity) return LLVMFuzzerMutate(data, size, capacity);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) attempt(data, size);
  return 0;
}

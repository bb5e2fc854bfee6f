// ONNX Runtime, with a model made in memory: a node for each layer and one for the head. The states are
// inputs and outputs, bound in turns to two buffers, so that each run goes on from the one before.
#include <onnx/onnx_pb.h>
#include <onnxruntime_cxx_api.h>

#include <algorithm>

#include "bench/peers/peer.h"

namespace bench {
namespace {

using naive::Cell;
using Shape = std::vector<std::int64_t>;

Shape shape(std::initializer_list<std::size_t> sizes) { return Shape(sizes.begin(), sizes.end()); }

std::size_t count(const Shape& shape) {
  std::size_t result = 1;
  for (const std::int64_t n : shape) result *= static_cast<std::size_t>(n);
  return result;
}

std::string indexed(const char* name, std::size_t l) { return name + std::to_string(l); }

// ---- The model ------------------------------------------------------------------------------------------

// ONNX' gates i o f c and z r h, as numbers of ours: i f g o and r z n.
std::vector<std::size_t> gate_order(Cell cell) {
  if (cell == Cell::lstm) return {0, 3, 1, 2};
  if (cell == Cell::gru) return {1, 0, 2};
  return {0};
}

// Ours[G*H, columns] in ONNX' order of gates.
std::vector<float> reordered(Cell cell, const std::vector<float>& ours) {
  const std::vector<std::size_t> order = gate_order(cell);
  const std::size_t size = ours.size() / order.size();
  std::vector<float> result(ours.size());
  for (std::size_t g = 0; g < order.size(); ++g) std::copy_n(&ours[order[g] * size], size, &result[g * size]);
  return result;
}

// ONNX has two biases for each gate: ours is the first, and the second is zero but for the GRU's h, the last.
std::vector<float> biases(Cell cell, const naive::Layer& layer) {
  std::vector<float> result = reordered(cell, layer.bias);
  result.resize(2 * result.size());
  std::copy(layer.bias_hn.rbegin(), layer.bias_hn.rend(), result.rbegin());
  return result;
}

void declare(onnx::ValueInfoProto& value, const std::string& name, const Shape& shape) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t n : shape) type.mutable_shape()->add_dim()->set_dim_value(n);
}

template <class T>
void add_constant(onnx::GraphProto& graph, const std::string& name, onnx::TensorProto::DataType type,
                  const Shape& shape, const std::vector<T>& values) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t n : shape) tensor.add_dims(n);
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
}

void add_weights(onnx::GraphProto& graph, const std::string& name, const Shape& shape,
                 const std::vector<float>& values) {
  add_constant(graph, name, onnx::TensorProto::FLOAT, shape, values);
}

onnx::NodeProto& add_node(onnx::GraphProto& graph, const char* type, const std::vector<std::string>& inputs,
                          const std::vector<std::string>& outputs) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(type);
  for (const std::string& name : inputs) node.add_input(name);
  for (const std::string& name : outputs) node.add_output(name);
  return node;
}

void add_attribute(onnx::NodeProto& node, const char* name, std::size_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(static_cast<std::int64_t>(value));
}

// Reads x[T, N, I], h_in0[1, N, H] and c_in0, writes y0[T, 1, N, H], h_out0 and c_out0.
void add_layer(onnx::GraphProto& graph, const naive::Network& model, std::size_t l, const std::string& x,
               std::size_t N) {
  const naive::Layer& layer = model.layers[l];
  const std::size_t H = model.hidden, rows = layer.bias.size();
  add_weights(graph, indexed("w", l), shape({1, rows, layer.inputs}), reordered(model.cell, layer.w_ih));
  add_weights(graph, indexed("r", l), shape({1, rows, H}), reordered(model.cell, layer.w_hh));
  add_weights(graph, indexed("b", l), shape({1, 2 * rows}), biases(model.cell, layer));

  const std::string all_lengths;  // an empty name: not given
  std::vector<std::string> inputs = {x, indexed("w", l), indexed("r", l), indexed("b", l), all_lengths};
  std::vector<std::string> outputs = {indexed("y", l)};
  std::vector<const char*> states = {"h"};
  if (model.cell == Cell::lstm) states.push_back("c");
  for (const char* state : states) {
    inputs.push_back(indexed((std::string(state) + "_in").c_str(), l));
    outputs.push_back(indexed((std::string(state) + "_out").c_str(), l));
    declare(*graph.add_input(), inputs.back(), shape({1, N, H}));
    declare(*graph.add_output(), outputs.back(), shape({1, N, H}));
  }
  const char* type = model.cell == Cell::lstm ? "LSTM" : model.cell == Cell::gru ? "GRU" : "RNN";
  onnx::NodeProto& node = add_node(graph, type, inputs, outputs);
  add_attribute(node, "hidden_size", H);
  if (model.cell == Cell::gru) add_attribute(node, "linear_before_reset", 1);
}

// W_ho transposed, [H, O].
std::vector<float> head_columns(const naive::Network& model) {
  std::vector<float> result(model.w_ho.size());
  for (std::size_t i = 0; i < model.outputs; ++i)
    for (std::size_t j = 0; j < model.hidden; ++j)
      result[j * model.outputs + i] = model.w_ho[i * model.hidden + j];
  return result;
}

std::string make_model(const naive::Network& model, std::size_t T, std::size_t N) {
  onnx::ModelProto proto;
  proto.set_ir_version(onnx::IR_VERSION_2021_7_30);
  proto.add_opset_import()->set_version(14);
  onnx::GraphProto& graph = *proto.mutable_graph();
  graph.set_name("network");

  declare(*graph.add_input(), "x", shape({T, N, model.inputs}));
  if (model.layers.size() > 1) add_constant(graph, "directions", onnx::TensorProto::INT64, {1}, Shape{1});
  std::string x = "x";
  for (std::size_t l = 0; l < model.layers.size(); ++l) {
    if (l > 0) {
      add_node(graph, "Squeeze", {indexed("y", l - 1), "directions"}, {indexed("x", l)});
      x = indexed("x", l);
    }
    add_layer(graph, model, l, x, N);
  }
  add_weights(graph, "w_ho", shape({model.hidden, model.outputs}), head_columns(model));
  add_weights(graph, "bias_o", shape({model.outputs}), model.bias_o);
  // Measured 6 % faster for small networks than MatMul and Add.
  add_constant(graph, "rows", onnx::TensorProto::INT64, {2}, shape({T * N, model.hidden}));
  add_node(graph, "Reshape", {indexed("y", model.layers.size() - 1), "rows"}, {"h"});
  add_node(graph, "Gemm", {"h", "w_ho", "bias_o"}, {"y"});
  declare(*graph.add_output(), "y", shape({T * N, model.outputs}));
  return proto.SerializeAsString();
}

// ---- The runs -------------------------------------------------------------------------------------------

Ort::Env& environment() {
  static Ort::Env result(ORT_LOGGING_LEVEL_WARNING, "bench");
  return result;
}

Ort::Session make_session(const std::string& model, int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return Ort::Session(environment(), model.data(), model.size(), options);
}

// A tensor with memory of its own.
struct Tensor {
  explicit Tensor(const Shape& shape)
      : values(count(shape)),
        value(
            Ort::Value::CreateTensor<float>(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault),
                                            values.data(), values.size(), shape.data(), shape.size())) {}

  std::vector<float> values;
  Ort::Value value;
};

class Runs final : public Inference {
 public:
  Runs(const naive::Network& model, std::size_t T, std::size_t N, int threads)
      : session_(make_session(make_model(model, T, N), threads)),
        bindings_{Ort::IoBinding(session_), Ort::IoBinding(session_)},
        x_(shape({T, N, model.inputs})),
        y_(shape({T * N, model.outputs})) {
    for (Ort::IoBinding& binding : bindings_) {
      binding.BindInput("x", x_.value);
      binding.BindOutput("y", y_.value);
    }
    states_.reserve(4 * model.layers.size());
    for (std::size_t l = 0; l < model.layers.size(); ++l) {
      bind_state("h", l, shape({1, N, model.hidden}));
      if (model.cell == Cell::lstm) bind_state("c", l, shape({1, N, model.hidden}));
    }
  }

  void run(const float* x, float* y) override {
    std::copy_n(x, x_.values.size(), x_.values.begin());
    session_.Run(options_, bindings_[turn_]);
    std::copy(y_.values.begin(), y_.values.end(), y);
    turn_ = 1 - turn_;
  }

 private:
  // Each binding reads what the other one writes.
  void bind_state(const std::string& name, std::size_t l, const Shape& shape) {
    const std::string in = indexed((name + "_in").c_str(), l), out = indexed((name + "_out").c_str(), l);
    const Tensor& first = states_.emplace_back(shape);
    const Tensor& second = states_.emplace_back(shape);
    bindings_[0].BindInput(in.c_str(), first.value);
    bindings_[0].BindOutput(out.c_str(), second.value);
    bindings_[1].BindInput(in.c_str(), second.value);
    bindings_[1].BindOutput(out.c_str(), first.value);
  }

  Ort::Session session_;
  Ort::IoBinding bindings_[2];
  Ort::RunOptions options_;
  Tensor x_, y_;
  std::vector<Tensor> states_;
  int turn_ = 0;
};

std::unique_ptr<Inference> make_inference(const naive::Network& model, std::size_t T, std::size_t N,
                                          int threads) {
  return std::make_unique<Runs>(model, T, N, threads);
}

}  // namespace

std::vector<Peer> peers() {
  return {{"onnxruntime", "ONNX Runtime " + Ort::GetVersionString(), make_inference, nullptr, ""}};
}

}  // namespace bench

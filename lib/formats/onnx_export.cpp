#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/onnx.h"
#include "lib/formats/onnx_functions.h"
#include "lib/formats/onnx_minimal.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn {
namespace {

using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using Kind = Parameter::Kind;
using Names = std::vector<std::string>;

constexpr std::int64_t kOpset = 14;
constexpr std::int64_t kFunctionIrVersion = 8;  // the first with functions

// An axis whose length a run tells has a name instead.
struct Length {
  Length(const char* name_given) : name(name_given) {}
  Length(std::size_t length) : size(length) {}

  const char* name = nullptr;
  std::size_t size = 0;
};

// What ONNX computes a cell with, and which of our gates its are: z r h of a GRU, i o f c of an LSTM, where a
// coupled one has no f: zeros stand for it.
constexpr std::size_t kNoGate = static_cast<std::size_t>(-1);
struct Operator {
  std::int32_t cell;
  std::uint32_t variant;  // RNN_FLAG_COUPLED_GATES
  const char* type;
  std::size_t count;
  std::size_t gates[4];
};
constexpr Operator kOperators[] = {{RNN_CELL_VANILLA, 0, "RNN", 1, {0}},
                                   {RNN_CELL_GRU, 0, "GRU", 3, {1, 0, 2}},
                                   {RNN_CELL_LSTM, 0, "LSTM", 4, {0, 3, 1, 2}},
                                   {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES, "LSTM", 4, {0, 2, kNoGate, 1}}};

const Operator* find_operator(const cells::Cell& cell) {
  for (const Operator& op : kOperators)
    if (op.cell == cell.id && op.variant == (cell.variant & RNN_FLAG_COUPLED_GATES)) return &op;
  return nullptr;
}

const formats::OnnxFunction* find_function(kernels::ActivationKind kind) {
  for (const formats::OnnxFunction& function : formats::kOnnxFunctions)
    if (static_cast<kernels::ActivationKind>(function.activation) == kind) return &function;
  return nullptr;
}

// Of a cell that is not fused, in ONNX's order, each with the field of rnn_layer_t that it is.
struct CellActivation {
  const char* field;
  kernels::Activation activation;
};
std::vector<CellActivation> activations_of(const Layer& layer) {
  const auto& [gate, activation, output, clip] = layer.custom;
  std::vector<CellActivation> all;
  if (layer.cell->gates > 1) all.push_back({"gate_activation", gate});
  all.push_back({"activation", activation});
  if (layer.cell->states > 1) all.push_back({"output_activation", output});
  return all;
}

std::string indexed(const std::string& base, const Layer& layer) {
  return base + "_l" + std::to_string(layer.index);
}

class Exporter {
 public:
  explicit Exporter(const Weights& weights) : weights_(weights) {}

  void write(::onnx::ModelProto& model) {
    model_ = &model;
    graph_ = model.mutable_graph();
    GraphProto& graph = *graph_;
    graph.set_name("network");
    add_integers("one", {1});
    std::string x = add_input();
    for (std::size_t l = 0; l < weights_.num_layers(); ++l) x = add_layer(weights_.layer(l), x);
    add_output(x);
    for (const auto& [name, shape] : final_states_)
      declare(*graph.add_output(), name, TensorProto::FLOAT, shape);
  }

 private:
  using Lengths = std::vector<Length>;

  // ---- Pieces of a graph ----

  static void declare(::onnx::ValueInfoProto& value, const std::string& name, TensorProto::DataType type,
                      const Lengths& shape) {
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    for (const Length& length : shape) {
      auto& dim = *tensor.mutable_shape()->add_dim();
      if (length.name != nullptr)
        dim.set_dim_param(length.name);
      else
        dim.set_dim_value(static_cast<std::int64_t>(length.size));
    }
  }

  template <class T>
  void add_constant(const std::string& name, TensorProto::DataType type,
                    std::initializer_list<std::size_t> shape, const std::vector<T>& values) {
    TensorProto& tensor = *graph_->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::size_t n : shape) tensor.add_dims(static_cast<std::int64_t>(n));
    std::string raw(values.size() * sizeof(T), '\0');
    write_little_endian(values.data(), values.size(), raw.data());
    tensor.set_raw_data(std::move(raw));
  }

  void add_integers(const std::string& name, const std::vector<std::int64_t>& values) {
    add_constant(name, TensorProto::INT64, {values.size()}, values);
  }

  void add_floats(const std::string& name, std::initializer_list<std::size_t> shape,
                  const std::vector<float>& values) {
    add_constant(name, TensorProto::FLOAT, shape, values);
  }

  NodeProto& add_node(const char* type, const std::string& name, const Names& inputs, const Names& outputs) {
    NodeProto& node = *graph_->add_node();
    node.set_op_type(type);
    node.set_name(name);
    for (const std::string& input : inputs) node.add_input(input);
    for (const std::string& output : outputs) node.add_output(output);
    return node;
  }

  static ::onnx::AttributeProto& add_attribute(NodeProto& node, const char* name,
                                               ::onnx::AttributeProto::AttributeType type) {
    ::onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }

  static void add_integer(NodeProto& node, const char* name, std::size_t value) {
    add_attribute(node, name, ::onnx::AttributeProto::INT).set_i(static_cast<std::int64_t>(value));
  }

  static void add_numbers(NodeProto& node, const char* name, std::initializer_list<std::size_t> values) {
    ::onnx::AttributeProto& attribute = add_attribute(node, name, ::onnx::AttributeProto::INTS);
    for (const std::size_t value : values) attribute.add_ints(static_cast<std::int64_t>(value));
  }

  static void add_numbers(NodeProto& node, const char* name, const std::vector<float>& values) {
    ::onnx::AttributeProto& attribute = add_attribute(node, name, ::onnx::AttributeProto::FLOATS);
    for (const float value : values) attribute.add_floats(value);
  }

  static void add_texts(NodeProto& node, const char* name, const Names& values) {
    ::onnx::AttributeProto& attribute = add_attribute(node, name, ::onnx::AttributeProto::STRINGS);
    for (const std::string& value : values) attribute.add_strings(value);
  }

  static void add_float(NodeProto& node, const char* name, float value) {
    add_attribute(node, name, ::onnx::AttributeProto::FLOAT).set_f(value);
  }

  // A node of one output, which has its name.
  std::string apply(const char* type, const std::string& name, const Names& inputs) {
    add_node(type, name, inputs, {name});
    return name;
  }

  std::string transpose(const std::string& name, const std::string& x,
                        std::initializer_list<std::size_t> order) {
    add_numbers(add_node("Transpose", name, {x}, {name}), "perm", order);
    return name;
  }

  // Constants that several nodes read.
  std::string shared_integers(const std::string& name, const std::vector<std::int64_t>& values) {
    if (shared_.insert(name).second) add_integers(name, values);
    return name;
  }
  std::string shared_number(const std::string& name, float value) {
    if (shared_.insert(name).second) add_floats(name, {}, {value});
    return name;
  }

  // ---- Values ----

  std::vector<float> values_of(const Parameter& parameter) const {
    std::vector<float> values(parameter.count());
    weights_.get(parameter, values.data());
    return values;
  }

  static std::vector<float> reordered(const std::vector<float>& ours, const cells::Cell& cell) {
    const Operator& op = *find_operator(cell);
    const std::size_t block = ours.size() / cell.gates;
    std::vector<float> result(op.count * block);
    for (std::size_t g = 0; g < op.count; ++g)
      if (op.gates[g] != kNoGate) std::copy_n(&ours[op.gates[g] * block], block, &result[g * block]);
    return result;
  }

  // A matrix of all directions, reordered.
  std::vector<float> gates_of(Kind kind, const Layer& layer) const {
    std::vector<float> result;
    for (std::size_t d = 0; d < layer.directions; ++d) {
      const std::vector<float> values =
          reordered(values_of(*weights_.find(kind, layer.first_strand + d)), *layer.cell);
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  }

  // ONNX has two biases for each gate: of W x and of R h.
  std::vector<float> biases(const Layer& layer) const {
    std::vector<float> result;
    for (std::size_t d = 0; d < layer.directions; ++d) {
      for (const bool of_recurrent : {false, true}) {
        const std::vector<float> values =
            reordered(biases_of(layer, layer.first_strand + d, of_recurrent), *layer.cell);
        result.insert(result.end(), values.begin(), values.end());
      }
    }
    return result;
  }

  // Of all gates of a strand; zero where there is none.
  std::vector<float> biases_of(const Layer& layer, std::size_t strand, bool of_recurrent) const {
    std::vector<float> all(layer.gates());
    for (std::size_t i = 0; i < layer.cell->vector_count; ++i) {
      const Parameter& parameter = *weights_.find(Kind::vector, strand, i);
      if (!parameter.is_bias() || parameter.vector.of_recurrent != of_recurrent) continue;
      const std::vector<float> values = values_of(parameter);
      std::copy(values.begin(), values.end(), &all[parameter.vector.first_gate * layer.hidden]);
    }
    return all;
  }

  // A vector of the cell's, by its name; or null.
  const Parameter* find_vector(const Layer& layer, std::size_t strand, std::string_view name) const {
    for (std::size_t i = 0; i < layer.cell->vector_count; ++i)
      if (layer.cell->vectors[i].name == name) return weights_.find(Kind::vector, strand, i);
    return nullptr;
  }

  // Those of i, o and f, of all directions; zeros for a coupled f.
  std::vector<float> peepholes(const Layer& layer) const {
    std::vector<float> result;
    for (std::size_t d = 0; d < layer.directions; ++d)
      for (const char* name : {"peephole_i", "peephole_o", "peephole_f"}) {
        const Parameter* const parameter = find_vector(layer, layer.first_strand + d, name);
        const std::vector<float> values =
            parameter != nullptr ? values_of(*parameter) : std::vector<float>(layer.hidden);
        result.insert(result.end(), values.begin(), values.end());
      }
    return result;
  }

  // ---- Input, output and states ----

  // What the first layer reads.
  std::string add_input() {
    if (!weights_.has_embedding()) {
      declare(*graph_->add_input(), "x", TensorProto::FLOAT, {"steps", "sequences", weights_.input_size()});
      add_sequences("x");
      return "x";
    }
    declare(*graph_->add_input(), "indices", TensorProto::INT64, {"steps", "sequences"});
    add_floats("embedding.weight", {weights_.input_size(), weights_.layer(0).inputs},
               values_of(weights_.parameter(0)));
    add_node("Gather", "embedding", {"embedding.weight", "indices"}, {"embedded"});
    add_sequences("indices");
    return "embedded";
  }

  // The shape that a state's default is repeated to: [1, sequences, 1].
  void add_sequences(const std::string& input) {
    const auto has_state = [&](const Layer& layer) { return layer.cell->keeps_h || layer.has_window(); };
    bool states = false;
    for (std::size_t l = 0; l < weights_.num_layers(); ++l) states = states || has_state(weights_.layer(l));
    if (!states) return;
    add_node("Shape", "shape of the input", {input}, {"input shape"});
    add_node("Gather", "number of sequences", {"input shape", "one"}, {"sequences"});
    add_integer(add_node("Concat", "shape of a state", {"one", "sequences", "one"}, {"state shape"}), "axis",
                0);
  }

  // An initial state as an input with a default [length, 1, width], repeated for all sequences.
  std::string add_initial(const std::string& state, std::size_t length, std::size_t width,
                          const std::vector<float>& values) {
    const std::string name = "initial_" + state;
    declare(*graph_->add_input(), name, TensorProto::FLOAT, {length, "states", width});
    add_floats(name, {length, 1, width}, values);
    return apply("Expand", "all_" + name, {name, "state shape"});
  }

  std::string add_final(const std::string& state, std::size_t length, std::size_t width) {
    const std::string name = "final_" + state;
    final_states_.emplace_back(name, Lengths{length, "sequences", width});
    return name;
  }

  void add_output(std::string x) {
    declare(*graph_->add_output(), "y", TensorProto::FLOAT, {"steps", "sequences", weights_.output_size()});
    if (weights_.has_head()) {
      const bool tied = weights_.has(RNN_FLAG_TIED_HEAD);
      const Parameter* const bias = weights_.find(Kind::head_bias, 0);
      x = add_dense("head", x, tied ? "embedding.weight" : "head.weight",
                    tied ? nullptr : weights_.find(Kind::head, 0), bias);
    }
    if (weights_.skip() != 0)
      add_node("Add", "y", {x, skipped()}, {"y"});
    else
      add_node("Identity", "y", {x}, {"y"});
  }

  // The inputs that are added to the outputs, and zeros beside them.
  std::string skipped() {
    const std::size_t count = weights_.skip(), outputs = weights_.output_size();
    std::string x = "x";
    if (count < weights_.input_size()) {
      add_integers("skip", {static_cast<std::int64_t>(count)});
      x = apply("Slice", "first inputs",
                {x, shared_integers("zero", {0}), "skip", shared_integers("two", {2})});
    }
    if (count == outputs) return x;
    add_integers("zeros beside them", {0, 0, 0, 0, 0, static_cast<std::int64_t>(outputs - count)});
    return apply("Pad", "padded inputs", {x, "zeros beside them"});
  }

  // ---- Layers ----

  // Reads x [T, N, X]; returns what the next layer reads, [T, N, outputs].
  std::string add_layer(const Layer& layer, const std::string& x) {
    const std::string y = add_kind(layer, x);
    return layer.residual ? apply("Add", indexed("sum", layer), {x, y}) : y;
  }

  std::string add_kind(const Layer& layer, const std::string& x) {
    if (layer.cell->id == RNN_LAYER_DENSE) return add_function(layer, add_dense(layer, x));
    if (layer.cell->id == RNN_LAYER_CONV1D) return add_function(layer, add_convolution(layer, x));
    return find_minimal(layer.cell->id) != nullptr ? add_minimal(layer, x) : add_recurrent(layer, x);
  }

  std::string add_recurrent(const Layer& layer, const std::string& x) {
    const cells::Cell& cell = *layer.cell;
    const std::size_t D = layer.directions, H = layer.hidden, rows = find_operator(cell)->count * H;
    const std::string W = indexed("W", layer), R = indexed("R", layer), P = indexed("P", layer);
    add_floats(W, {D, rows, layer.inputs}, gates_of(Kind::input, layer));
    add_floats(R, {D, rows, H}, gates_of(Kind::recurrent, layer));
    std::string B;
    if (layer.bias) add_floats(B = indexed("B", layer), {D, 2 * rows}, biases(layer));
    Names inputs = {x, W, R, B, ""};
    Names outputs = {indexed("y", layer)};
    for (std::size_t state = 0; state < cell.states; ++state) {
      const std::string name = indexed(cells::kStateNames[state], layer);
      inputs.push_back(add_initial(name, D, H, initial_values(layer, state)));
      outputs.push_back(add_final(name, D, H));
    }
    if ((cell.variant & RNN_FLAG_PEEPHOLES) != 0) {
      add_floats(P, {D, 3 * H}, peepholes(layer));
      inputs.push_back(P);
    }
    add_settings(layer, add_node(find_operator(cell)->type, indexed("layer", layer), inputs, outputs));
    return join_directions(layer);
  }

  // A node for each direction.
  std::string add_minimal(const Layer& layer, const std::string& x) {
    const MinimalCell& cell = *find_minimal(layer.cell->id);
    const std::size_t D = layer.directions, H = layer.hidden;
    const std::string state = indexed("h", layer), last = add_final(state, D, H);
    Names initial = {add_initial(state, D, H, initial_values(layer, 0))}, y, h;
    if (D == 2) {
      const std::string both = initial[0];
      initial = {both + " forward", both + " reverse"};
      add_integer(add_node("Split", both + " of each", {both}, initial), "axis", 0);
    }
    for (std::size_t d = 0; d < D; ++d) {
      const std::size_t strand = layer.first_strand + d;
      const bool reverse = weights_.strand(strand).reverse;
      const std::string W = of_direction("W", layer, d), B = of_direction("B", layer, d);
      add_floats(W, {cell.gates * H, layer.inputs}, values_of(*weights_.find(Kind::input, strand)));
      const Parameter* const bias = weights_.find(Kind::vector, strand);
      add_floats(B, {cell.gates * H},
                 bias != nullptr ? values_of(*bias) : std::vector<float>(cell.gates * H));
      y.push_back(of_direction("y", layer, d));
      h.push_back(D == 1 ? last : of_direction("h", layer, d));
      const char* const type = reverse ? cell.reverse : cell.name;
      add_node(type, of_direction("layer", layer, d), {x, W, B, initial[d]}, {y[d], h[d]})
          .set_domain(kFunctionDomain);
      add_function_of(cell, reverse);
    }
    if (D == 1) return y[0];
    add_integer(add_node("Concat", last, h, {last}), "axis", 0);
    const std::string joined = indexed("joined", layer);
    if (layer.sums) return apply("Add", joined, y);
    add_integer(add_node("Concat", joined, y, {joined}), "axis", 2);
    return joined;
  }

  static std::string of_direction(const char* base, const Layer& layer, std::size_t direction) {
    return indexed(base, layer) + (direction == 0 ? "" : "_reverse");
  }

  // Once.
  void add_function_of(const MinimalCell& cell, bool reverse) {
    ::onnx::FunctionProto function = make_function(cell, reverse);
    for (const ::onnx::FunctionProto& known : model_->functions())
      if (known.name() == function.name()) return;
    if (model_->functions_size() == 0) {
      model_->set_ir_version(kFunctionIrVersion);
      auto& opset = *model_->add_opset_import();
      opset.set_domain(kFunctionDomain);
      opset.set_version(1);
    }
    *model_->add_functions() = std::move(function);
  }

  static void add_settings(const Layer& layer, NodeProto& node) {
    const cells::Cell& cell = *layer.cell;
    add_integer(node, "hidden_size", layer.hidden);
    if (layer.has_reverse())
      add_attribute(node, "direction", ::onnx::AttributeProto::STRING)
          .set_s(layer.directions == 2 ? "bidirectional" : "reverse");
    if (cell.id == RNN_CELL_GRU)
      add_integer(node, "linear_before_reset", cell.variant == RNN_FLAG_RESET_BEFORE ? 0 : 1);
    if ((cell.variant & RNN_FLAG_COUPLED_GATES) != 0) add_integer(node, "input_forget", 1);
    if (!cell.fused)
      add_activations(layer, node);
    else if (cell.variant == RNN_FLAG_RELU)
      add_texts(node, "activations", Names(layer.directions, "Relu"));
  }

  // Of all directions. The lists of numbers are of those that have them.
  static void add_activations(const Layer& layer, NodeProto& node) {
    Names names;
    std::vector<float> alphas, betas;
    for (std::size_t d = 0; d < layer.directions; ++d)
      for (const auto& [field, activation] : activations_of(layer)) {
        const formats::OnnxFunction& function = *find_function(activation.kind);
        names.push_back(function.name);
        if (function.has_alpha) alphas.push_back(activation.alpha);
        if (function.has_beta) betas.push_back(activation.beta);
      }
    add_texts(node, "activations", names);
    if (!alphas.empty()) add_numbers(node, "activation_alpha", alphas);
    if (!betas.empty()) add_numbers(node, "activation_beta", betas);
    if (std::isfinite(layer.custom.clip)) add_float(node, "clip", layer.custom.clip);
  }

  std::vector<float> initial_values(const Layer& layer, std::size_t state) const {
    std::vector<float> values;
    for (std::size_t d = 0; d < layer.directions; ++d) {
      const Parameter* initial = weights_.find(Kind::initial, layer.first_strand + d, state);
      const std::vector<float> one =
          initial != nullptr ? values_of(*initial) : std::vector<float>(layer.hidden, 0.0f);
      values.insert(values.end(), one.begin(), one.end());
    }
    return values;
  }

  // [T, D, N, H] as [T, N, D*H], or as [T, N, H], the sum of both.
  std::string join_directions(const Layer& layer) {
    const std::string y = indexed("y", layer), joined = indexed("joined", layer);
    if (layer.directions == 1) return apply("Squeeze", joined, {y, "one"});
    if (layer.sums) {
      add_integer(add_node("ReduceSum", joined, {y, "one"}, {joined}), "keepdims", 0);
      return joined;
    }
    const std::string moved = transpose(indexed("moved", layer), y, {0, 2, 1, 3});
    return apply("Reshape", joined, {moved, shared_integers("joined shape", {0, 0, -1})});
  }

  std::string add_dense(const Layer& layer, const std::string& x) {
    return add_dense(indexed("dense", layer), x, indexed("weight", layer),
                     weights_.find(Kind::input, layer.first_strand),
                     layer.bias ? weights_.find(Kind::vector, layer.first_strand) : nullptr);
  }

  // W x + b, where W is a parameter that becomes the constant `matrix`, or that constant.
  std::string add_dense(const std::string& name, const std::string& x, const std::string& matrix,
                        const Parameter* weight, const Parameter* bias) {
    if (weight != nullptr) add_floats(matrix, {weight->rows, weight->columns}, values_of(*weight));
    const std::string product = apply("MatMul", name, {x, transpose(name + " matrix", matrix, {1, 0})});
    if (bias == nullptr) return product;
    add_floats(name + ".bias", {bias->rows}, values_of(*bias));
    return apply("Add", name + " bias", {product, name + ".bias"});
  }

  // The past inputs, and behind them the sequence's own.
  std::string with_past(const Layer& layer, const std::string& x) {
    const std::size_t reach = layer.reach(), X = layer.inputs;
    if (reach == 0) return x;
    const std::string past =
        add_initial(indexed("past", layer), reach, X, std::vector<float>(reach * X, 0.0f));
    const std::string all = indexed("inputs", layer), start = indexed("start", layer);
    add_integer(add_node("Concat", all, {past, x}, {all}), "axis", 0);
    add_integers(start, {-static_cast<std::int64_t>(reach)});
    const std::string end = shared_integers("end", {std::numeric_limits<std::int64_t>::max()});
    add_node("Slice", indexed("last inputs", layer), {all, start, end, shared_integers("zero", {0})},
             {add_final(indexed("past", layer), reach, X)});
    return all;
  }

  std::string add_convolution(const Layer& layer, const std::string& x) {
    const Parameter& weight = *weights_.find(Kind::input, layer.first_strand);
    const std::size_t O = layer.hidden, X = layer.inputs, K = layer.taps;
    const std::vector<float> ours = values_of(weight);  // [O, K, X]
    std::vector<float> values(ours.size());
    for (std::size_t o = 0; o < O; ++o)
      for (std::size_t k = 0; k < K; ++k)
        for (std::size_t i = 0; i < X; ++i) values[(o * X + i) * K + k] = ours[(o * K + k) * X + i];
    const std::string name = indexed("conv", layer), W = indexed("weight", layer), B = indexed("bias", layer);
    add_floats(W, {O, X, K}, values);
    Names inputs = {transpose(indexed("channels", layer), with_past(layer, x), {1, 2, 0}), W};
    if (layer.bias) {
      add_floats(B, {O}, values_of(*weights_.find(Kind::vector, layer.first_strand)));
      inputs.push_back(B);
    }
    NodeProto& node = add_node("Conv", name, inputs, {name});
    add_numbers(node, "dilations", {layer.dilation});
    add_numbers(node, "kernel_shape", {K});
    return transpose(indexed("convolved", layer), name, {2, 0, 1});
  }

  // The activation of a dense layer or a convolution.
  std::string add_function(const Layer& layer, const std::string& x) {
    using Activation = kernels::ActivationKind;
    const std::string name = indexed("activation", layer);
    const auto with_numbers = [&](const char* type, bool beta) {
      NodeProto& node = add_node(type, name, {x}, {name});
      add_float(node, "alpha", layer.activation.alpha);
      if (beta) add_float(node, "beta", layer.activation.beta);
      return name;
    };
    switch (layer.activation.kind) {
      case Activation::tanh:
        return apply("Tanh", name, {x});
      case Activation::relu:
        return apply("Relu", name, {x});
      case Activation::sigmoid:
        return apply("Sigmoid", name, {x});
      case Activation::softmax:
        return apply("Softmax", name, {x});
      case Activation::elu:
        return with_numbers("Elu", false);
      case Activation::leaky_relu:
        return with_numbers("LeakyRelu", false);
      case Activation::prelu:
        add_floats(indexed("slope", layer), {layer.hidden},
                   values_of(*find_vector(layer, layer.first_strand, "slope")));
        return apply("PRelu", name, {x, indexed("slope", layer)});
      case Activation::softsign:
        return apply("Softsign", name, {x});
      case Activation::gelu:
        return gelu(layer, x);
      case Activation::swish:
        return apply("Mul", name, {x, apply("Sigmoid", indexed("sigmoid", layer), {x})});
      case Activation::hard_sigmoid:
        return with_numbers("HardSigmoid", true);
      case Activation::softplus:
        return apply("Softplus", name, {x});
      case Activation::thresholded_relu:
        return with_numbers("ThresholdedRelu", false);
      case Activation::affine:
        return affine(layer, x);
      case Activation::scaled_tanh:
        return scaled_tanh(layer, x);
      case Activation::none:
        return x;
    }
    return x;
  }

  std::string affine(const Layer& layer, const std::string& x) {
    const std::string scaled =
        apply("Mul", indexed("scaled", layer), {x, number("alpha", layer, layer.activation.alpha)});
    return apply("Add", indexed("activation", layer), {scaled, number("beta", layer, layer.activation.beta)});
  }

  std::string scaled_tanh(const Layer& layer, const std::string& x) {
    const std::string scaled =
        apply("Mul", indexed("scaled", layer), {x, number("beta", layer, layer.activation.beta)});
    const std::string tanh = apply("Tanh", indexed("tanh", layer), {scaled});
    return apply("Mul", indexed("activation", layer), {tanh, number("alpha", layer, layer.activation.alpha)});
  }

  std::string number(const char* name, const Layer& layer, float value) {
    const std::string constant = indexed(name, layer);
    add_floats(constant, {}, {value});
    return constant;
  }

  // x (1 + erf(x / sqrt(2))) / 2: the operator Gelu is younger than most programs that run these files.
  std::string gelu(const Layer& layer, const std::string& x) {
    const std::string scaled =
        apply("Mul", indexed("scaled", layer), {x, shared_number("sqrt(1/2)", 0.70710678118654752f)});
    const std::string erf = apply("Erf", indexed("erf", layer), {scaled});
    const std::string sum = apply("Add", indexed("erf + 1", layer), {erf, shared_number("1", 1.0f)});
    const std::string half = apply("Mul", indexed("half", layer), {x, shared_number("1/2", 0.5f)});
    return apply("Mul", indexed("activation", layer), {half, sum});
  }

  const Weights& weights_;
  ::onnx::ModelProto* model_ = nullptr;
  GraphProto* graph_ = nullptr;
  std::set<std::string> shared_;                               // constants
  std::vector<std::pair<std::string, Lengths>> final_states_;  // outputs
};

void check_activations(const Layer& layer, const std::string& place) {
  if (layer.cell->fused) return;
  for (const auto& [field, activation] : activations_of(layer))
    if (find_function(activation.kind) == nullptr)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s%s is %d, which the cells of ONNX do not have",
                  place.c_str(), field, static_cast<int>(activation.kind));
}

// What ONNX has no operator for, by the layer's name in a list.
void check(const Weights& weights) {
  for (std::size_t l = 0; l < weights.num_layers(); ++l) {
    const Layer& layer = weights.layer(l);
    const cells::Cell& cell = *layer.cell;
    const std::string place = weights.is_list() ? "layers[" + std::to_string(l) + "]." : "";
    if (cell.keeps_h && find_operator(cell) == nullptr && find_minimal(cell.id) == nullptr)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is %d (%s); ONNX has no operator for it",
                  weights.is_list() ? (place + "kind").c_str() : "cell", cell.id, cell.constant);
    check_activations(layer, place);
    if (layer.has_projection())
      throw Error(RNN_UNSUPPORTED, "unsupported: %sprojection_size is %zu; ONNX has no projection",
                  place.c_str(), layer.projected);
    for (std::size_t s = 0; s < cells::kMaxStates; ++s)
      if (layer.zoneout[s] != 0.0f)
        throw Error(RNN_UNSUPPORTED, "unsupported: %szoneout_%s is %g; ONNX's cells have no zoneout",
                    place.c_str(), cells::kStateNames[s], static_cast<double>(layer.zoneout[s]));
    if (layer.layer_norm)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %sflags has RNN_FLAG_LAYER_NORM; ONNX's cells have no layer normalisation",
                  place.c_str());
  }
}

}  // namespace

std::string write_onnx(const Weights& weights, const std::map<std::string, std::string>& metadata) {
  check(weights);
  ::onnx::ModelProto model;
  model.set_ir_version(::onnx::IR_VERSION_2020_5_8);
  model.set_producer_name("librnn");
  model.add_opset_import()->set_version(kOpset);
  for (const auto& [key, value] : metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  Exporter(weights).write(model);
  const std::size_t size = model.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw Error(RNN_UNSUPPORTED, "unsupported: an ONNX file of %zu bytes; a protobuf has at most %d", size,
                std::numeric_limits<std::int32_t>::max());
  return model.SerializeAsString();
}

}  // namespace rnn

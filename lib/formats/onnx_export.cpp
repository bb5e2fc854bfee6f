#include <onnx/onnx_pb.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <vector>

#include "lib/formats/onnx.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using Kind = Parameter::Kind;
using Names = std::vector<std::string>;

constexpr std::int64_t kOpset = 14;

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

std::string indexed(const char* base, std::size_t layer) { return base + ("_l" + std::to_string(layer)); }

class Exporter {
 public:
  explicit Exporter(const Weights& weights) : weights_(weights) {}

  void write(GraphProto& graph) {
    graph_ = &graph;
    graph.set_name("network");
    add_integers("second axis", {1});
    std::string x = add_input();
    for (std::size_t l = 0; l < weights_.num_layers(); ++l) x = add_layer(l, x);
    add_head(x);
    for (std::size_t l = 0; l < weights_.num_layers(); ++l)
      for (std::size_t state = 0; state < cell(l).states; ++state)
        declare(*graph.add_output(), state_name("final", state, l), TensorProto::FLOAT,
                {directions(), "sequences", hidden()});
  }

 private:
  std::size_t directions() const { return weights_.layer(0).directions; }
  std::size_t hidden() const { return weights_.layer(0).hidden; }
  const cells::Cell& cell(std::size_t layer) const { return *weights_.layer(layer).cell; }

  static std::string state_name(const char* which, std::size_t state, std::size_t layer) {
    return indexed((std::string(which) + "_" + cells::kStateNames[state]).c_str(), layer);
  }

  // ---- Pieces of a graph ----

  static void declare(::onnx::ValueInfoProto& value, const std::string& name, TensorProto::DataType type,
                      std::initializer_list<Length> shape) {
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
    tensor.set_raw_data(values.data(), values.size() * sizeof(T));
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

  // ---- Values ----

  std::vector<float> values_of(const Parameter& parameter) const {
    std::vector<float> values(parameter.count());
    weights_.get(parameter, values.data());
    return values;
  }

  std::vector<float> reordered(const std::vector<float>& ours, std::size_t layer) const {
    const Operator& op = *find_operator(cell(layer));
    const std::size_t block = ours.size() / cell(layer).gates;
    std::vector<float> result(op.count * block);
    for (std::size_t g = 0; g < op.count; ++g)
      if (op.gates[g] != kNoGate) std::copy_n(&ours[op.gates[g] * block], block, &result[g * block]);
    return result;
  }

  // A matrix of both directions, reordered.
  std::vector<float> gates_of(Kind kind, std::size_t layer) const {
    std::vector<float> result;
    for (std::size_t d = 0; d < directions(); ++d) {
      const std::vector<float> values =
          reordered(values_of(*weights_.find(kind, layer * directions() + d)), layer);
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  }

  // ONNX has two biases for each gate: of W x and of R h.
  std::vector<float> biases(std::size_t layer) const {
    std::vector<float> result;
    for (std::size_t d = 0; d < directions(); ++d) {
      for (const bool of_recurrent : {false, true}) {
        const std::vector<float> values =
            reordered(biases_of(layer, layer * directions() + d, of_recurrent), layer);
        result.insert(result.end(), values.begin(), values.end());
      }
    }
    return result;
  }

  // Of all gates of a strand; zero where there is none.
  std::vector<float> biases_of(std::size_t layer, std::size_t strand, bool of_recurrent) const {
    std::vector<float> all(weights_.layer(layer).gates());
    for (std::size_t i = 0; i < cell(layer).vector_count; ++i) {
      const Parameter& parameter = *weights_.find(Kind::vector, strand, i);
      if (!parameter.is_bias() || parameter.vector.of_recurrent != of_recurrent) continue;
      const std::vector<float> values = values_of(parameter);
      std::copy(values.begin(), values.end(),
                &all[parameter.vector.first_gate * weights_.layer(layer).hidden]);
    }
    return all;
  }

  // Those of i, o and f, of both directions; zeros for a coupled f.
  std::vector<float> peepholes(std::size_t layer) const {
    std::vector<float> result;
    for (const char* direction : {"", "_reverse"})
      for (const char* name : {"peephole_i", "peephole_o", "peephole_f"}) {
        if (result.size() == directions() * 3 * hidden()) break;
        const Parameter* const parameter = weights_.find((indexed(name, layer) + direction).c_str());
        const std::vector<float> values =
            parameter != nullptr ? values_of(*parameter) : std::vector<float>(hidden());
        result.insert(result.end(), values.begin(), values.end());
      }
    return result;
  }

  // ---- The network ----

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

  // The shape of the states.
  void add_sequences(const std::string& input) {
    add_node("Shape", "shape of the input", {input}, {"input shape"});
    add_node("Gather", "number of sequences", {"input shape", "second axis"}, {"sequences"});
    add_integers("directions", {static_cast<std::int64_t>(directions())});
    add_integers("hidden size", {static_cast<std::int64_t>(hidden())});
    add_integer(
        add_node("Concat", "shape of a state", {"directions", "sequences", "hidden size"}, {"state shape"}),
        "axis", 0);
  }

  // The initial state as an input with a default, repeated for all sequences.
  std::string add_initial(std::size_t state, std::size_t layer) {
    const std::string name = state_name("initial", state, layer),
                      all = state_name("all_initial", state, layer);
    std::vector<float> values;
    for (std::size_t d = 0; d < directions(); ++d) {
      const Parameter* initial = weights_.find(Kind::initial, layer * directions() + d, state);
      const std::vector<float> one =
          initial != nullptr ? values_of(*initial) : std::vector<float>(hidden(), 0.0f);
      values.insert(values.end(), one.begin(), one.end());
    }
    declare(*graph_->add_input(), name, TensorProto::FLOAT, {directions(), "states", hidden()});
    add_floats(name, {directions(), 1, hidden()}, values);
    add_node("Expand", all, {name, "state shape"}, {all});
    return all;
  }

  // Reads x [T, N, X]; returns what the next layer reads, [T, N, D*H].
  std::string add_layer(std::size_t l, const std::string& x) {
    const std::size_t rows = find_operator(cell(l))->count * hidden();
    add_floats(indexed("W", l), {directions(), rows, weights_.layer(l).inputs}, gates_of(Kind::input, l));
    add_floats(indexed("R", l), {directions(), rows, hidden()}, gates_of(Kind::recurrent, l));
    if (!weights_.has(RNN_FLAG_NO_BIAS)) add_floats(indexed("B", l), {directions(), 2 * rows}, biases(l));
    Names inputs = {x, indexed("W", l), indexed("R", l),
                    weights_.has(RNN_FLAG_NO_BIAS) ? "" : indexed("B", l), ""};
    Names outputs = {indexed("y", l)};
    for (std::size_t state = 0; state < cell(l).states; ++state) {
      inputs.push_back(add_initial(state, l));
      outputs.push_back(state_name("final", state, l));
    }
    if ((cell(l).variant & RNN_FLAG_PEEPHOLES) != 0) {
      add_floats(indexed("P", l), {directions(), 3 * hidden()}, peepholes(l));
      inputs.push_back(indexed("P", l));
    }
    NodeProto& node = add_node(find_operator(cell(l))->type, indexed("layer", l), inputs, outputs);
    add_integer(node, "hidden_size", hidden());
    if (directions() == 2)
      add_attribute(node, "direction", ::onnx::AttributeProto::STRING).set_s("bidirectional");
    if (cell(l).id == RNN_CELL_GRU)
      add_integer(node, "linear_before_reset", cell(l).variant == RNN_FLAG_RESET_BEFORE ? 0 : 1);
    if ((cell(l).variant & RNN_FLAG_COUPLED_GATES) != 0) add_integer(node, "input_forget", 1);
    if (cell(l).variant == RNN_FLAG_RELU) {
      ::onnx::AttributeProto& activations =
          add_attribute(node, "activations", ::onnx::AttributeProto::STRINGS);
      for (std::size_t d = 0; d < directions(); ++d) activations.add_strings("Relu");
    }
    return add_sum(l, x, join_directions(l));
  }

  // [T, D, N, H] as [T, N, D*H].
  std::string join_directions(std::size_t l) {
    const std::string y = indexed("y", l), joined = indexed("joined", l);
    if (directions() == 1) {
      add_node("Squeeze", joined, {y, "second axis"}, {joined});
      return joined;
    }
    const std::string moved = indexed("moved", l);
    auto& order =
        add_attribute(add_node("Transpose", moved, {y}, {moved}), "perm", ::onnx::AttributeProto::INTS);
    for (const int axis : {0, 2, 1, 3}) order.add_ints(axis);
    if (l == 0) add_integers("joined shape", {0, 0, -1});
    add_node("Reshape", joined, {moved, "joined shape"}, {joined});
    return joined;
  }

  std::string add_sum(std::size_t l, const std::string& x, const std::string& h) {
    if (!weights_.layer(l).residual) return h;
    const std::string sum = indexed("sum", l);
    add_node("Add", sum, {x, h}, {sum});
    return sum;
  }

  void add_head(const std::string& x) {
    declare(*graph_->add_output(), "y", TensorProto::FLOAT, {"steps", "sequences", weights_.output_size()});
    if (!weights_.has_head()) {
      add_node("Identity", "y", {x}, {"y"});
      return;
    }
    const std::string product = weights_.has(RNN_FLAG_NO_BIAS) ? "y" : "product";
    add_node("MatMul", "head", {x, add_head_matrix()}, {product});
    if (weights_.has(RNN_FLAG_NO_BIAS)) return;
    add_floats("head.bias", {weights_.output_size()}, values_of(*weights_.find(Kind::head_bias, 0)));
    add_node("Add", "head bias", {product, "head.bias"}, {"y"});
  }

  // W_ho transposed.
  std::string add_head_matrix() {
    const bool tied = weights_.has(RNN_FLAG_TIED_HEAD);
    const std::size_t rows = weights_.output_size(), columns = weights_.last_layer().outputs();
    if (!tied) add_floats("head.weight", {rows, columns}, values_of(*weights_.find(Kind::head, 0)));
    auto& order = add_attribute(
        add_node("Transpose", "head matrix", {tied ? "embedding.weight" : "head.weight"}, {"head matrix"}),
        "perm", ::onnx::AttributeProto::INTS);
    order.add_ints(1);
    order.add_ints(0);
    return "head matrix";
  }

  const Weights& weights_;
  GraphProto* graph_ = nullptr;
};

void check(const Weights& weights) {
  if (weights.is_list())
    throw Error(RNN_UNSUPPORTED,
                "unsupported: a list of %zu layers; librnn writes networks of equal cells and a head as ONNX",
                weights.config().layer_count);
  for (std::size_t l = 0; l < weights.num_layers(); ++l)
    if (const cells::Cell& cell = *weights.layer(l).cell; find_operator(cell) == nullptr)
      throw Error(RNN_UNSUPPORTED, "unsupported: cell is %d (%s); ONNX has no operator for it", cell.id,
                  cell.constant);
  if (weights.config().projection_size != 0)
    throw Error(RNN_UNSUPPORTED, "unsupported: projection_size is %d; ONNX has no projection",
                weights.config().projection_size);
  if (weights.has(RNN_FLAG_LAYER_NORM))
    throw Error(RNN_UNSUPPORTED,
                "unsupported: RNN_FLAG_LAYER_NORM; ONNX's cells have no layer normalisation");
  if (weights.skip() != 0)
    throw Error(RNN_UNSUPPORTED, "unsupported: skip is %zu; librnn writes networks without it as ONNX",
                weights.skip());
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
  Exporter(weights).write(*model.mutable_graph());
  const std::size_t size = model.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw Error(RNN_UNSUPPORTED, "unsupported: an ONNX file of %zu bytes; a protobuf has at most %d", size,
                std::numeric_limits<std::int32_t>::max());
  return model.SerializeAsString();
}

}  // namespace rnn

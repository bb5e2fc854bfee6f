// Follows an ONNX graph from its input to its outputs, node by node.
#pragma once

#include <onnx/onnx_pb.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/formats/functions.h"
#include "lib/formats/layer_model.h"
#include "lib/formats/onnx_value.h"

namespace rnn::onnx_import {

// Of a recurrent node.
struct Activations {
  // f of RNN, f and g of GRU, f, g and h of LSTM; none: the defaults.
  std::vector<formats::Function> functions = {};
  float clip = 0;  // 0: none

  bool operator==(const Activations& other) const {
    return functions == other.functions && clip == other.clip;
  }
};

// One direction of a recurrent node.
struct GraphStrand {
  std::string node;
  std::int32_t cell = 0;    // RNN_CELL_...
  std::uint32_t flags = 0;  // those of the cell
  Activations activations = {};
  std::size_t gates = 0;  // G, of the constants
  std::int64_t hidden_size = 0;
  std::int64_t input_size = 0;
  std::size_t direction = 0;          // which part of the constants is this one's
  Constant input;                     // [D, G*H, X]
  std::optional<Constant> recurrent;  // [D, G*H, H]
  std::optional<Constant> bias;       // [D, 2*G*H]
  std::optional<Constant> peepholes;  // [D, 3*H]  i o f
  std::optional<Constant> states[2];  // [D, 1, H]  initial; none: zero, or an input of the graph
  Content reads;
};

// What a node does with the features of each time step.
struct GraphStep {
  enum class Kind { product, convolution, affine, function, erf, sum, pooling };
  Kind kind = Kind::product;
  std::string node;
  Content reads;
  std::size_t width = 0;  // how many values it gives
  std::optional<Constant> weight =
      std::nullopt;  // product: [O, F] or, transposed, [F, O]; convolution: [O, F / group, K]
  bool transposed = false;
  std::int32_t dilation = 0, group = 1;
  bool is_bias = false;  // affine: the constant is added, no more
  std::optional<Constant> bias = std::nullopt;
  Affine affine = {};
  formats::Function function = {};
  Content added = {};       // sum: what comes before it,
  std::int64_t inputs = 0;  // or so many of the graph's inputs; -1: all
  std::int32_t pooling = 0;
};

// Values that a node quantises: by constants, or by what it finds itself.
struct Quantized {
  Content of;
  std::optional<Constant> scale, zero_point;
};

// x times a matrix of integers, without their scales.
struct IntegerProduct {
  std::size_t quantized;
  Flow x;
  Constant weight;  // [F, O]
  std::optional<Constant> zero_point;
};

// Of quantised values, perhaps times that of a matrix.
struct Scale {
  std::size_t quantized;
  std::optional<Constant> factor;
};

// What the nodes so far tell of the network.
struct Findings {
  std::vector<GraphStrand> strands;
  std::vector<GraphStep> steps;
  std::vector<Quantized> quantized;
  std::vector<IntegerProduct> products;
  std::vector<Scale> scales;
  std::optional<Constant> embedding;  // [V, E]
  std::int64_t depth = 0;             // of a OneHot node
  // Of the graph's input; Kind::input as long as no node has told.
  std::vector<Axis::Kind> input_axes = std::vector<Axis::Kind>(kMaxRank, Axis::Kind::input);
};

// What the nodes of a graph read, by name.
struct Scope {
  std::map<std::string, Value> values;
  std::set<std::string> inputs;      // values that are given when the graph is run
  std::set<std::string> unfollowed;  // outputs of nodes that the importer does not follow
};

// A node, its place in the graph, and what it reads. What it throws names the node.
class Node {
 public:
  Node(const ::onnx::NodeProto& proto, int place, const Scope& scope);

  const std::string& type() const noexcept { return proto_.op_type(); }
  std::string label()
      const;  // "node "name" (Type)", or of one without a name "node #3 (Type) of "output", "output""
  void check_attributes(const char* known) const;  // names with a space after each

  bool has(const char* attribute) const { return find(attribute, {}) != nullptr; }
  std::int64_t integer(const char* attribute, std::int64_t otherwise) const;
  float number(const char* attribute, float otherwise) const;
  std::string text(const char* attribute, const char* otherwise) const;
  std::vector<float> numbers(const char* attribute) const;
  std::vector<std::string> texts(const char* attribute) const;
  const ::onnx::AttributeProto* find(
      const char* attribute, std::initializer_list<::onnx::AttributeProto::AttributeType> types) const;

  std::size_t input_count() const noexcept { return static_cast<std::size_t>(proto_.input_size()); }
  std::size_t output_count() const noexcept { return static_cast<std::size_t>(proto_.output_size()); }
  const Value* optional_input(std::size_t i) const;  // or null
  const Value& input(std::size_t i) const;
  const Constant& constant(std::size_t i, const char* role) const;
  const Constant& floats(std::size_t i, const char* role) const;
  // Of a vector: from the attribute, as in older opsets, or from input i; null if there is neither.
  std::optional<Shape> integers(const char* attribute, std::size_t i) const;

 private:
  const ::onnx::NodeProto& proto_;
  const int place_;
  const Scope& scope_;
};

// x has steps, sequences and features on these axes, which tells of those of the graph's input.
void check_axes(const Flow& x, const Shape& order, Findings& findings);
// A step of a node, and x with it.
GraphStep make_step(GraphStep::Kind kind, const Node& node, std::size_t width);
Flow add_step(const Flow& x, GraphStep step, Findings& findings, Budget& budget);
// What is computed comes next: of a layer, or of the graph's input as numbers.
void check_readable(const Flow& x);
// W x, of W [F, O] or, not transposed, [O, F]; a bias may come.
Flow product(const Node& node, const Flow& x, const Constant& weight, bool transposed, Findings& findings,
             Budget& budget);
// With the bias that an operator of its own does not add.
Flow add_bias(const Node& node, const Flow& x, const Constant& bias, Findings& findings, Budget& budget);

// What a node makes; an output that it has but that is not here may not be read.
using Outputs = std::vector<std::optional<Value>>;

// See onnx_recurrent.cpp.
bool is_recurrent(const std::string& domain, const std::string& type);
Outputs read_recurrent(const Node& node, Findings& findings, Budget& budget);
// See onnx_minimal.cpp.
Outputs read_minimal(const Node& node, Findings& findings, Budget& budget);
// See onnx_steps.cpp: what does the same with each time step's features. Nothing for another type.
std::optional<Outputs> read_step(const Node& node, Findings& findings, Budget& budget);
// See onnx_quantized.cpp. Nothing for another type; and of a product by element nothing if it is of numbers.
std::optional<Outputs> read_quantized(const Node& node, Findings& findings, Budget& budget);
std::optional<Flow> multiply_quantized(const Node& node, Findings& findings, Budget& budget);
bool is_quantized_operator(const std::string& domain,
                           const std::string& type);  // of another domain than ONNX's
// See onnx_convolution.cpp.
Outputs read_convolution(const Node& node, Findings& findings, Budget& budget);
// See onnx_operators.cpp.
Outputs read_operator(const Node& node, Findings& findings, Budget& budget);

}  // namespace rnn::onnx_import

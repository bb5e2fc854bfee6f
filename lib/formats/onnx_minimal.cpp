#include "lib/formats/onnx_minimal.h"

#include <initializer_list>

#include "lib/formats/onnx_graph.h"
#include "lib/network/config.h"
#include "rnn/rnn.h"

namespace rnn {
namespace {

using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

constexpr std::int64_t kOpset = 14;

constexpr MinimalCell kCells[] = {{RNN_CELL_MIN_GRU, 2, "MinGRU", "MinGRUReverse"},
                                  {RNN_CELL_MIN_LSTM, 3, "MinLSTM", "MinLSTMReverse"}};

// ---- Writing ----

using Names = std::initializer_list<const char*>;

AttributeProto& add_attribute(NodeProto& node, const char* name, AttributeProto::AttributeType type) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

void add_numbers(NodeProto& node, const char* name, std::initializer_list<int> values) {
  AttributeProto& attribute = add_attribute(node, name, AttributeProto::INTS);
  for (const int value : values) attribute.add_ints(value);
}

template <class Graph>
NodeProto& add_node(Graph& graph, const char* type, Names inputs, Names outputs) {
  NodeProto& node = *graph.add_node();
  node.set_op_type(type);
  for (const char* input : inputs) node.add_input(input);
  for (const char* output : outputs) node.add_output(output);
  return node;
}

void add_number(FunctionProto& function, const char* name, float value) {
  NodeProto& node = add_node(function, "Constant", {}, {name});
  add_attribute(node, "value_float", AttributeProto::FLOAT).set_f(value);
}

// One step of the scan: h = keep h + gain.
GraphProto make_step() {
  GraphProto step;
  step.set_name("step");
  for (const char* input : {"h", "keep", "gain"}) step.add_input()->set_name(input);
  for (const char* output : {"next", "y"}) step.add_output()->set_name(output);
  for (auto* values : {step.mutable_input(), step.mutable_output()})
    for (auto& value : *values)
      value.mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::FLOAT);
  add_node(step, "Mul", {"keep", "h"}, {"kept"});
  add_node(step, "Add", {"kept", "gain"}, {"next"});
  add_node(step, "Identity", {"next"}, {"y"});
  return step;
}

// c = v + 1/2 for v >= 0, else sigmoid(v).
void add_positive(FunctionProto& function) {
  add_number(function, "half", 0.5f);
  add_node(function, "Sigmoid", {"v"}, {"sigmoid v"});
  add_node(function, "Min", {"sigmoid v", "half"}, {"below"});
  add_node(function, "Relu", {"v"}, {"above"});
  add_node(function, "Add", {"above", "below"}, {"c"});
}

// h' = (1 - z) h + z c, or f / (f + i) h + i / (f + i) c: what is kept, and what is new.
void add_gates(FunctionProto& function, std::int32_t cell) {
  if (cell == RNN_CELL_MIN_GRU) {
    add_attribute(add_node(function, "Split", {"sums"}, {"z sum", "v"}), "axis", AttributeProto::INT)
        .set_i(2);
    add_positive(function);
    add_node(function, "Sigmoid", {"z sum"}, {"share"});
    add_number(function, "unit", 1.0f);
    add_node(function, "Sub", {"unit", "share"}, {"keep"});
  } else {
    add_attribute(add_node(function, "Split", {"sums"}, {"f sum", "i sum", "v"}), "axis", AttributeProto::INT)
        .set_i(2);
    add_positive(function);
    add_node(function, "Sigmoid", {"f sum"}, {"f"});
    add_node(function, "Sigmoid", {"i sum"}, {"i"});
    add_node(function, "Add", {"f", "i"}, {"both"});
    add_node(function, "Div", {"f", "both"}, {"keep"});
    add_node(function, "Div", {"i", "both"}, {"share"});
  }
  add_node(function, "Mul", {"share", "c"}, {"gain"});
}

}  // namespace

const MinimalCell* find_minimal(std::int32_t cell) noexcept {
  for (const MinimalCell& known : kCells)
    if (known.cell == cell) return &known;
  return nullptr;
}

const MinimalCell* find_minimal(const std::string& function) noexcept {
  for (const MinimalCell& known : kCells)
    if (function == known.name || function == known.reverse) return &known;
  return nullptr;
}

FunctionProto make_function(const MinimalCell& cell, bool reverse) {
  FunctionProto function;
  function.set_domain(kFunctionDomain);
  function.set_name(reverse ? cell.reverse : cell.name);
  for (const char* input : {"X", "W", "B", "initial_h"}) function.add_input(input);
  for (const char* output : {"Y", "Y_h"}) function.add_output(output);
  function.add_opset_import()->set_version(kOpset);
  add_numbers(add_node(function, "Transpose", {"W"}, {"matrix"}), "perm", {1, 0});
  add_node(function, "MatMul", {"X", "matrix"}, {"product"});
  add_node(function, "Add", {"product", "B"}, {"sums"});
  add_gates(function, cell.cell);
  add_numbers(add_node(function, "Constant", {}, {"zero"}), "value_ints", {0});
  add_node(function, "Squeeze", {"initial_h", "zero"}, {"first"});
  NodeProto& scan = add_node(function, "Scan", {"first", "keep", "gain"}, {"last", "Y"});
  *add_attribute(scan, "body", AttributeProto::GRAPH).mutable_g() = make_step();
  add_attribute(scan, "num_scan_inputs", AttributeProto::INT).set_i(2);
  add_numbers(scan, "scan_input_directions", {reverse, reverse});
  add_numbers(scan, "scan_output_directions", {reverse});
  add_node(function, "Unsqueeze", {"last", "zero"}, {"Y_h"});
  return function;
}

// ---- Reading ----

namespace onnx_import {
namespace {

enum Input : std::size_t { kX, kW, kB, kInitialH };

void expect_shape(const Constant& constant, const char* role, const Shape& shape) {
  if (constant.shape != shape)
    throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be %s", role, to_string(constant.shape).c_str(),
                to_string(shape).c_str());
}

// The bias in the form of ONNX's operators, [1, 2*G*H], whose second half is that of a product with h.
Constant with_second(const Constant& bias) {
  std::vector<float> values = *bias.floats;
  values.resize(2 * values.size());
  return {{1, static_cast<std::int64_t>(values.size())},
          std::make_shared<const std::vector<float>>(std::move(values)),
          nullptr};
}

std::optional<Constant> read_initial(const Node& node, std::int64_t hidden) {
  if (const Flow* flow = std::get_if<Flow>(&node.input(kInitialH))) {
    if (flow->content.stage == Content::Stage::input) return std::nullopt;
    throw Error(RNN_UNSUPPORTED, "initial_h is computed; it must be constant or an input");
  }
  const Constant& given = node.floats(kInitialH, "initial_h");
  expect_shape(given, "initial_h", {1, 1, hidden});
  for (const float value : *given.floats)
    if (value != 0) return given;
  return std::nullopt;
}

}  // namespace

Outputs read_minimal(const Node& node, Findings& findings, Budget& budget) {
  const MinimalCell& cell = *find_minimal(node.type());
  const bool reverse = node.type() == cell.reverse;
  const auto G = static_cast<std::int64_t>(cell.gates);
  node.check_attributes("");
  const Flow* x = std::get_if<Flow>(&node.input(kX));
  if (x == nullptr || x->content.last || x->axes.size() != 3)
    throw Error(RNN_UNSUPPORTED, "X must be the graph's input or a layer's output, of 3 axes");
  check_readable(*x);
  const Constant& weight = node.floats(kW, "W");
  if (weight.shape.size() != 2 || weight.shape[0] < G || weight.shape[0] % G != 0 || weight.shape[1] < 1)
    throw Error(RNN_BAD_FORMAT, "W has shape %s; it must be [%jd H, X]", to_string(weight.shape).c_str(),
                std::intmax_t{G});
  const std::int64_t rows = weight.shape[0], hidden = rows / G, inputs = weight.shape[1];
  if (hidden > kMaxSize || inputs > kMaxClasses)
    throw Error(RNN_UNSUPPORTED, "W has shape %s; H must be at most %d and X %d",
                to_string(weight.shape).c_str(), kMaxSize, kMaxClasses);
  check_axes(*x, {0, 1, 2}, findings);
  if (x->axes[2].size != kUnknown && x->axes[2].size != inputs)
    throw Error(RNN_BAD_FORMAT, "X has %jd features; W reads %jd", std::intmax_t{x->axes[2].size},
                std::intmax_t{inputs});
  const Constant& bias = node.floats(kB, "B");
  expect_shape(bias, "B", {rows});
  budget.take(2 * bias.count() + x->content.strands.size());

  GraphStrand strand;
  strand.node = node.label();
  strand.cell = cell.cell;
  strand.gates = cell.gates;
  strand.hidden_size = hidden;
  strand.input_size = inputs;
  strand.input = {{1, rows, inputs}, weight.floats, nullptr};
  strand.bias = with_second(bias);
  strand.states[0] = read_initial(node, hidden);
  strand.reads = x->content;

  Content content;
  content.stage = Content::Stage::hidden;
  content.source = x->content.source;
  content.strands.push_back({findings.strands.size(), reverse});
  findings.strands.push_back(std::move(strand));
  const Axis steps{Axis::Kind::time, x->axes[0].size}, sequences{Axis::Kind::batch, x->axes[1].size},
      features{Axis::Kind::features, hidden};
  Flow y{content, {steps, sequences, features}};
  content.last = true;
  return {y, Flow{content, {{Axis::Kind::unit, 1}, sequences, features}}};
}

}  // namespace onnx_import
}  // namespace rnn

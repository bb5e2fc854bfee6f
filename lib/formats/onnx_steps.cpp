// Nodes that do the same with the features of each time step: dense layers, activations, normalisation.
#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/formats/onnx_graph.h"
#include "rnn/rnn.h"

namespace rnn::onnx_import {
namespace {

using Kind = Axis::Kind;
using Stage = Content::Stage;
using formats::Function;

const Flow* as_flow(const Value& value) { return std::get_if<Flow>(&value); }

bool is_apart(const Flow& flow) {
  return std::any_of(flow.axes.begin(), flow.axes.end(),
                     [](const Axis& axis) { return axis.kind == Kind::direction; });
}

// The number of features, which stand on this axis; negative: from the last one.
std::size_t features_of(const Flow& x, std::int64_t axis) {
  const Stage stage = x.content.stage;
  if (stage != Stage::embedded && stage != Stage::hidden && stage != Stage::step)
    throw Error(RNN_UNSUPPORTED, "of something that is no layer's output");
  const std::size_t at = x.axes.empty() || x.content.opaque ? 0 : find_axis(axis, x.axes.size());
  if (x.content.opaque || x.axes.empty() || is_apart(x) || x.axes[at].kind != Kind::features ||
      x.axes[at].size < 1)
    throw Error(RNN_UNSUPPORTED, "of something that is not a layer's output as [..., features]");
  return static_cast<std::size_t>(x.axes[at].size);
}

Flow add_step(const Flow& x, GraphStep step, Parts& parts, Budget& budget) {
  budget.take(step.affine.scale.size() * 2 + step.function.slopes.size() + x.content.strands.size() + 1);
  Flow result = x;
  step.reads = x.content;
  result.content.stage = Stage::step;
  result.content.step = parts.steps.size();
  result.content.residual = false;
  parts.steps.push_back(std::move(step));
  return result;
}

// ---- Dense layers ----

// y = x W; then a bias may come.
Flow product(const Node& node, const Flow& x, const Constant& weight, bool transposed, Parts& parts,
             Budget& budget) {
  const Stage stage = x.content.stage;
  if (stage == Stage::one_hot || x.content.opaque)
    throw Error(RNN_UNSUPPORTED, "of something that is neither the graph's input nor a layer's output");
  const bool is_input = stage == Stage::input;
  if (!weight.floats || weight.shape.size() != 2 || is_apart(x) || x.axes.empty() ||
      x.axes.back().kind != (is_input ? Kind::input : Kind::features))
    throw Error(RNN_UNSUPPORTED, "it must be a matrix of floats that is multiplied by the features");
  const std::int64_t reads = weight.shape[transposed ? 0 : 1], gives = weight.shape[transposed ? 1 : 0];
  if (reads != x.axes.back().size && !(is_input && x.axes.back().size == kUnknown))
    throw Error(RNN_BAD_FORMAT, "the matrix of shape %s reads %jd features; there are %jd",
                to_string(weight.shape).c_str(), std::intmax_t{reads}, std::intmax_t{x.axes.back().size});
  if (reads < 1 || gives < 1)
    throw Error(RNN_BAD_FORMAT, "the matrix has shape %s", to_string(weight.shape).c_str());
  GraphStep step{GraphStep::Kind::product, node.label(), {}, static_cast<std::size_t>(gives)};
  step.weight = weight;
  step.transposed = transposed;
  Flow result = add_step(x, std::move(step), parts, budget);
  result.axes.back() = {Kind::features, gives};
  return result;
}

// A constant for each of the features, or one for all.
std::vector<double> spread(const Constant& constant, std::size_t features, std::size_t rank) {
  const std::size_t n = constant.count();
  const bool row =
      n == features && !constant.shape.empty() && constant.shape.back() == static_cast<std::int64_t>(n);
  if (!constant.floats || (!row && n != 1) || constant.shape.size() > rank)
    throw Error(RNN_UNSUPPORTED, "a constant of shape %s; it must be of [%zu]",
                to_string(constant.shape).c_str(), features);
  std::vector<double> values(features);
  for (std::size_t i = 0; i < features; ++i) values[i] = static_cast<double>((*constant.floats)[row ? i : 0]);
  return values;
}

Flow with_bias(const Node& node, const Flow& x, const Constant& constant, Parts& parts, Budget& budget) {
  const std::size_t F = features_of(x, -1);
  GraphStep step{GraphStep::Kind::affine, node.label(), {}, F};
  step.is_bias = true;
  step.bias = constant;
  budget.take(2 * F);
  step.affine = {std::vector<double>(F, 1), spread(constant, F, x.axes.size())};
  return add_step(x, std::move(step), parts, budget);
}

Outputs read_matmul(const Node& node, Parts& parts, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "its first factor is constant; it must be what is computed");
  return {product(node, *x, node.constant(1, "the second factor"), true, parts, budget)};
}

Outputs read_gemm(const Node& node, Parts& parts, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "A is constant; it must be what is computed");
  if (node.integer("transA", 0) != 0 || node.number("alpha", 1) != 1 || node.number("beta", 1) != 1)
    throw Error(RNN_UNSUPPORTED, "transA must be 0, alpha 1 and beta 1");
  if (x->axes.size() != 2 && !x->content.opaque)
    throw Error(RNN_BAD_FORMAT, "A has %zu axes; it must have 2", x->axes.size());
  const Flow result = product(node, *x, node.constant(1, "B"), node.integer("transB", 0) == 0, parts, budget);
  if (node.optional_input(2) == nullptr) return {result};
  return {with_bias(node, result, node.constant(2, "C"), parts, budget)};
}

// ---- Sums and products by element ----

// The sum of a layer's output and what the layer reads.
Flow residual(const Flow& a, const Flow& b, const Parts& parts) {
  const auto adds = [&](const Flow& sum, const Flow& read) {
    const Content& content = sum.content;
    return content.stage == Stage::hidden && read.content.stage == Stage::hidden && !content.residual &&
           !content.opaque && !content.last && parts.strands[content.strands[0].index].reads == read.content;
  };
  if (a.axes != b.axes || (!adds(a, b) && !adds(b, a)))
    throw Error(RNN_UNSUPPORTED, "it may add a constant, or to a layer's output the layer's input");
  Flow result = adds(a, b) ? a : b;
  result.content.residual = true;
  return result;
}

Outputs read_add(const Node& node, Parts& parts, Budget& budget) {
  const Flow *a = as_flow(node.input(0)), *b = as_flow(node.input(1));
  if (a != nullptr && b != nullptr) return {residual(*a, *b, parts)};
  const Flow* flow = a != nullptr ? a : b;
  if (flow == nullptr) throw Error(RNN_UNSUPPORTED, "of constants");
  return {with_bias(node, *flow, node.constant(a != nullptr ? 1 : 0, "a term"), parts, budget)};
}

Flow apply(const Node& node, const Flow& x, Function function, std::size_t features, Parts& parts,
           Budget& budget) {
  GraphStep step{GraphStep::Kind::function, node.label(), {}, features};
  step.function = std::move(function);
  return add_step(x, std::move(step), parts, budget);
}

// x sigmoid(x) is a function of x.
Flow swish(const Node& node, const Flow& a, const Flow& b, Parts& parts, Budget& budget) {
  const auto is_sigmoid_of = [&](const Flow& y, const Flow& x) {
    if (y.content.stage != Stage::step) return false;
    const GraphStep& step = parts.steps[y.content.step];
    return step.kind == GraphStep::Kind::function && step.function.activation == RNN_ACTIVATION_SIGMOID &&
           step.reads == x.content;
  };
  const bool first = is_sigmoid_of(b, a);
  if (a.axes != b.axes || (!first && !is_sigmoid_of(a, b)))
    throw Error(RNN_UNSUPPORTED, "of two values that are computed; it may be of x and Sigmoid(x)");
  const Flow& x = first ? a : b;
  return apply(node, x, {RNN_ACTIVATION_SWISH, 0, 0, {}}, features_of(x, -1), parts, budget);
}

// Mul, Sub and Div of a constant.
Outputs read_affine(const Node& node, Parts& parts, Budget& budget) {
  const Flow *a = as_flow(node.input(0)), *b = as_flow(node.input(1));
  const bool is_product = node.type() == "Mul";
  if (a != nullptr && b != nullptr && is_product) return {swish(node, *a, *b, parts, budget)};
  if ((a == nullptr && b == nullptr) || (a != nullptr && b != nullptr))
    throw Error(RNN_UNSUPPORTED, "of two constants, or two values that are computed");
  if (a == nullptr && node.type() == "Div") throw Error(RNN_UNSUPPORTED, "by what is computed");
  const Flow& x = a != nullptr ? *a : *b;
  const std::size_t F = features_of(x, -1);
  budget.take(2 * F);
  const std::vector<double> values = spread(node.constant(a != nullptr ? 1 : 0, "a term"), F, x.axes.size());
  GraphStep step{GraphStep::Kind::affine, node.label(), {}, F};
  step.affine = {std::vector<double>(F, 1), std::vector<double>(F)};
  for (std::size_t i = 0; i < F; ++i) {
    if (is_product) step.affine.scale[i] = values[i];
    if (node.type() == "Div") step.affine.scale[i] = 1 / values[i];
    if (node.type() != "Sub") continue;
    step.affine.scale[i] = a != nullptr ? 1 : -1;
    step.affine.shift[i] = a != nullptr ? -values[i] : values[i];
  }
  return {add_step(x, std::move(step), parts, budget)};
}

Outputs read_normalization(const Node& node, Parts& parts, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "X is constant; it must be what is computed");
  if (node.integer("training_mode", 0) != 0) throw Error(RNN_UNSUPPORTED, "in training mode");
  if (x->axes.size() < 2)
    throw Error(RNN_UNSUPPORTED, "X has %zu axes; it must have 2 or more", x->axes.size());
  const std::size_t F = features_of(*x, 1);
  std::vector<double> parts_of[4];
  constexpr const char* kRoles[] = {"scale", "B", "input_mean", "input_var"};
  budget.take(4 * F);
  for (std::size_t i = 0; i < 4; ++i) {
    const Constant& constant = node.floats(i + 1, kRoles[i]);
    if (constant.shape != Shape{static_cast<std::int64_t>(F)})
      throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be [%zu]", kRoles[i],
                  to_string(constant.shape).c_str(), F);
    parts_of[i] = spread(constant, F, 1);
  }
  const auto epsilon = static_cast<double>(node.number("epsilon", 1e-5f));
  GraphStep step{GraphStep::Kind::affine, node.label(), {}, F};
  for (std::size_t i = 0; i < F; ++i) {
    const double scale = parts_of[0][i] / std::sqrt(parts_of[3][i] + epsilon);
    step.affine.scale.push_back(scale);
    step.affine.shift.push_back(parts_of[1][i] - scale * parts_of[2][i]);
  }
  return {add_step(*x, std::move(step), parts, budget)};
}

// ---- Activations ----

Function function_of(const Node& node, std::size_t features) {
  const std::string& type = node.type();
  if (type == "Tanh") return {RNN_ACTIVATION_TANH, 0, 0, {}};
  if (type == "Relu") return {RNN_ACTIVATION_RELU, 0, 0, {}};
  if (type == "Sigmoid") return {RNN_ACTIVATION_SIGMOID, 0, 0, {}};
  if (type == "Softsign") return {RNN_ACTIVATION_SOFTSIGN, 0, 0, {}};
  if (type == "Softplus") return {RNN_ACTIVATION_SOFTPLUS, 0, 0, {}};
  if (type == "Softmax") return {RNN_ACTIVATION_SOFTMAX, 0, 0, {}};
  if (type == "Elu") return formats::elu(static_cast<double>(node.number("alpha", 1)));
  if (type == "LeakyRelu") return formats::leaky_relu(static_cast<double>(node.number("alpha", 0.01f)));
  if (type == "HardSigmoid") {
    const float alpha = node.number("alpha", 0.2f), beta = node.number("beta", 0.5f);
    if (alpha == 0 && beta == 0)
      throw Error(RNN_UNSUPPORTED, "alpha and beta are 0; one of them must not be");
    return {RNN_ACTIVATION_HARD_SIGMOID, alpha, beta, {}};
  }
  if (type == "Gelu") {
    if (node.text("approximate", "none") != "none")
      throw Error(RNN_UNSUPPORTED, "it is approximate; it must be none");
    return {RNN_ACTIVATION_GELU, 0, 0, {}};
  }
  Function prelu{RNN_ACTIVATION_PRELU, 0, 0, {}};
  for (const double slope : spread(node.floats(1, "slope"), features, kMaxRank))
    prelu.slopes.push_back(static_cast<float>(slope));
  return prelu;
}

Outputs read_function(const Node& node, Parts& parts, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "of a constant");
  const std::size_t features = features_of(*x, node.type() == "Softmax" ? node.integer("axis", -1) : -1);
  if (node.type() == "Softmax" && x->axes.back().kind != Kind::features)
    throw Error(RNN_UNSUPPORTED, "its axis must be the last");
  budget.take(node.type() == "PRelu" ? features : 0);
  return {apply(node, *x, function_of(node, features), features, parts, budget)};
}

constexpr struct {
  const char* type;
  Outputs (*read)(const Node&, Parts&, Budget&);
  const char* attributes;
} kOperators[] = {
    {"Add", read_add, ""},
    {"BatchNormalization", read_normalization, "epsilon momentum spatial training_mode "},
    {"Div", read_affine, ""},
    {"Elu", read_function, "alpha "},
    {"Gelu", read_function, "approximate "},
    {"Gemm", read_gemm, "alpha beta transA transB "},
    {"HardSigmoid", read_function, "alpha beta "},
    {"LeakyRelu", read_function, "alpha "},
    {"MatMul", read_matmul, ""},
    {"Mul", read_affine, ""},
    {"PRelu", read_function, ""},
    {"Relu", read_function, ""},
    {"Sigmoid", read_function, ""},
    {"Softmax", read_function, "axis "},
    {"Softplus", read_function, ""},
    {"Softsign", read_function, ""},
    {"Sub", read_affine, ""},
    {"Tanh", read_function, ""},
};

}  // namespace

std::optional<Outputs> read_step(const Node& node, Parts& parts, Budget& budget) {
  for (const auto& known : kOperators) {
    if (node.type() != known.type) continue;
    node.check_attributes(known.attributes);
    return known.read(node, parts, budget);
  }
  return std::nullopt;
}

}  // namespace rnn::onnx_import

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

// The graph's input as features, which stand on its last axis.
Flow with_features(const Flow& x) {
  Flow result = x;
  const bool is_input = x.content.stage == Stage::input && !x.content.opaque && !x.axes.empty();
  if (is_input && x.axes.back().kind == Kind::input && x.axes.back().size > 0)
    result.axes.back().kind = Kind::features;
  return result;
}

// On which axis they stand; each step's are computed apart from the others'.
std::size_t features_axis(const Flow& x) {
  const auto at = std::find_if(x.axes.begin(), x.axes.end(),
                               [](const Axis& axis) { return axis.kind == Kind::features; });
  if (x.content.opaque || x.content.stage == Stage::one_hot || is_apart(x) || at == x.axes.end() ||
      at->size < 1)
    throw Error(RNN_UNSUPPORTED, "of something that is not a layer's output as [..., features]");
  check_readable(x);
  return static_cast<std::size_t>(at - x.axes.begin());
}

std::size_t features_of(const Flow& x) { return static_cast<std::size_t>(x.axes[features_axis(x)].size); }

}  // namespace

void check_readable(const Flow& x) {
  if (x.content.stage == Stage::one_hot || x.content.opaque)
    throw Error(RNN_UNSUPPORTED, "of something that is neither the graph's input nor a layer's output");
  if (!is_whole(x))
    throw Error(RNN_UNSUPPORTED,
                "of a sequence with zeros before or steps behind it, which a Conv alone may read");
}

void check_axes(const Flow& x, const Shape& order, Findings& findings) {
  constexpr Kind kRoles[] = {Kind::time, Kind::batch, Kind::features};
  for (std::size_t i = 0; i < 3; ++i) {
    const Axis& axis = x.axes[static_cast<std::size_t>(order[i])];
    const bool numbers = x.content.stage == Stage::input;
    const bool free = i < 2 || numbers;  // it may be the graph's input's, or of length 1
    if (axis.kind != kRoles[i] && !(free && (axis.kind == Kind::input || axis.kind == Kind::unit)))
      throw Error(RNN_UNSUPPORTED, "X has its axes in an order that it cannot be followed in");
    if (axis.kind != Kind::input) continue;
    Kind& told = findings.input_axes[static_cast<std::size_t>(axis.which)];
    if (told != Kind::input && told != kRoles[i])
      throw Error(RNN_UNSUPPORTED, "X is the graph's input with other axes than before");
    told = kRoles[i];
  }
}

GraphStep make_step(GraphStep::Kind kind, const Node& node, std::size_t width) {
  GraphStep step;
  step.kind = kind;
  step.node = node.label();
  step.width = width;
  return step;
}

Flow add_step(const Flow& x, GraphStep step, Findings& findings, Budget& budget) {
  budget.take(step.affine.scale.size() * 2 + step.function.slopes.size() + x.content.strands.size() + 1);
  Flow result = x;
  step.reads = x.content;
  result.content.stage = Stage::step;
  result.content.step = findings.steps.size();
  findings.steps.push_back(std::move(step));
  return result;
}

namespace {

// ---- Dense layers ----

}  // namespace

Flow product(const Node& node, const Flow& x, const Constant& weight, bool transposed, Findings& findings,
             Budget& budget) {
  check_readable(x);
  const bool is_input = x.content.stage == Stage::input;
  if (!weight.floats || weight.shape.size() != 2 || is_apart(x) || x.axes.empty() ||
      x.axes.back().kind != (is_input ? Kind::input : Kind::features))
    throw Error(RNN_UNSUPPORTED, "it must be a matrix of floats that is multiplied by the features");
  const std::int64_t reads = weight.shape[transposed ? 0 : 1], gives = weight.shape[transposed ? 1 : 0];
  if (reads != x.axes.back().size && !(is_input && x.axes.back().size == kUnknown))
    throw Error(RNN_BAD_FORMAT, "the matrix of shape %s reads %jd features; there are %jd",
                to_string(weight.shape).c_str(), std::intmax_t{reads}, std::intmax_t{x.axes.back().size});
  if (reads < 1 || gives < 1)
    throw Error(RNN_BAD_FORMAT, "the matrix has shape %s", to_string(weight.shape).c_str());
  GraphStep step = make_step(GraphStep::Kind::product, node, static_cast<std::size_t>(gives));
  step.weight = weight;
  step.transposed = transposed;
  Flow result = add_step(x, std::move(step), findings, budget);
  result.axes.back() = {Kind::features, gives};
  return result;
}

namespace {

// A constant for each of the features, which stand on an axis of so many, or one for all.
std::vector<double> spread(const Constant& constant, std::size_t features, std::size_t at, std::size_t rank) {
  const std::size_t n = constant.count(), own = constant.shape.size(), behind = rank - 1 - at;
  const bool each =
      n == features && own > behind && constant.shape[own - 1 - behind] == static_cast<std::int64_t>(n);
  if (!constant.floats || (!each && n != 1) || own > rank)
    throw Error(RNN_UNSUPPORTED, "a constant of shape %s; it must be of [%zu]",
                to_string(constant.shape).c_str(), features);
  std::vector<double> values(features);
  for (std::size_t i = 0; i < features; ++i)
    values[i] = static_cast<double>((*constant.floats)[each ? i : 0]);
  return values;
}

std::vector<double> spread(const Constant& constant, const Flow& x) {
  const std::size_t at = features_axis(x);
  return spread(constant, static_cast<std::size_t>(x.axes[at].size), at, x.axes.size());
}

// A constant that is added to the features.
Flow with_constant(const Node& node, const Flow& x, const Constant& constant, std::vector<double> values,
                   Findings& findings, Budget& budget) {
  const std::size_t F = values.size();
  GraphStep step = make_step(GraphStep::Kind::affine, node, F);
  step.is_bias = true;
  step.bias = constant;
  budget.take(2 * F);
  step.affine = {std::vector<double>(F, 1), std::move(values)};
  return add_step(x, std::move(step), findings, budget);
}

Outputs read_matmul(const Node& node, Findings& findings, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "its first factor is constant; it must be what is computed");
  return {product(node, *x, node.constant(1, "the second factor"), true, findings, budget)};
}

Outputs read_gemm(const Node& node, Findings& findings, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "A is constant; it must be what is computed");
  if (node.integer("transA", 0) != 0 || node.number("alpha", 1) != 1 || node.number("beta", 1) != 1)
    throw Error(RNN_UNSUPPORTED, "transA must be 0, alpha 1 and beta 1");
  if (x->axes.size() != 2 && !x->content.opaque)
    throw Error(RNN_BAD_FORMAT, "A has %zu axes; it must have 2", x->axes.size());
  const Flow result =
      product(node, *x, node.constant(1, "B"), node.integer("transB", 0) == 0, findings, budget);
  if (node.optional_input(2) == nullptr) return {result};
  const Constant& bias = node.constant(2, "C");
  return {with_constant(node, result, bias, spread(bias, result), findings, budget)};
}

// ---- Sums and products by element ----

// What the graph's input has there, as far as nodes have told.
Kind kind_of(const Axis& axis, const Findings& findings) {
  if (axis.kind != Kind::input) return axis.kind;
  const Kind told = findings.input_axes[static_cast<std::size_t>(axis.which)];
  return told == Kind::features ? Kind::input : told;
}

// Two values of the same shape; of an axis whose length is not known to both, it may be.
bool are_alike(const Flow& a, const Flow& b, const Findings& findings) {
  if (a.axes.size() != b.axes.size() || a.axes.empty()) return false;
  for (std::size_t i = 0; i < a.axes.size(); ++i) {
    const Axis &one = a.axes[i], &other = b.axes[i];
    const auto is_feature = [&](const Axis& axis) {
      return i + 1 == a.axes.size() &&
             (axis.kind == Kind::features || kind_of(axis, findings) == Kind::input);
    };
    const bool features = is_feature(one) && is_feature(other);
    if (!features && kind_of(one, findings) != kind_of(other, findings)) return false;
    if (one.size != other.size && one.size != kUnknown && other.size != kUnknown) return false;
  }
  return true;
}

const Content& read_by(const Content& content, const Findings& findings) {
  return content.stage == Stage::step ? findings.steps[content.step].reads
                                      : findings.strands[content.strands[0].index].reads;
}

// Whether y is made of x.
bool is_made_of(const Content& y, const Content& x, const Findings& findings, Budget& budget) {
  const Content* content = &y;
  while (content->stage == Stage::step || content->stage == Stage::hidden) {
    budget.take(1);
    content = &read_by(*content, findings);
    if (*content == x) return true;
  }
  return false;
}

// The h of a layer's two directions.
bool are_directions(const Content& a, const Content& b, const Findings& findings) {
  const auto is_one = [](const Content& content) {
    return content.stage == Stage::hidden && content.strands.size() == 1 && !content.opaque;
  };
  return is_one(a) && is_one(b) && a.strands[0].reverse != b.strands[0].reverse && a.last == b.last &&
         findings.strands[a.strands[0].index].reads == findings.strands[b.strands[0].index].reads;
}

// y + x, where y is made of x: a residual connection, or inputs that are added to the output.
Flow with_sum(const Node& node, const Flow& y, const Flow& x, Findings& findings, Budget& budget) {
  GraphStep step = make_step(GraphStep::Kind::sum, node, features_of(y));
  step.added = x.content;
  if (x.content.stage == Stage::input) step.inputs = x.content.inputs == 0 ? -1 : x.content.inputs;
  return add_step(y, std::move(step), findings, budget);
}

Outputs read_add(const Node& node, Findings& findings, Budget& budget) {
  const Flow *a = as_flow(node.input(0)), *b = as_flow(node.input(1));
  if (a == nullptr && b == nullptr)
    return {combine(node.constant(0, "A"), node.constant(1, "B"), '+', budget)};
  if (a == nullptr || b == nullptr) {
    const Flow x = with_features(a != nullptr ? *a : *b);
    const Constant& constant = node.constant(a != nullptr ? 1 : 0, "a term");
    return {with_constant(node, x, constant, spread(constant, x), findings, budget)};
  }
  const auto adds = [&](const Flow& y, const Flow& x) {
    const bool inputs = x.content.stage == Stage::input && (!x.content.opaque || x.content.inputs != 0);
    return !y.content.opaque && y.content.stage != Stage::input && is_whole(x) &&
           (inputs || (!x.content.opaque && is_made_of(y.content, x.content, findings, budget)));
  };
  if (are_alike(*a, *b, findings)) {
    if (are_directions(a->content, b->content, findings)) {
      Flow result = *a;
      result.content.sum = true;
      result.content.strands = {a->content.strands[0], b->content.strands[0]};
      if (result.content.strands[0].reverse) std::swap(result.content.strands[0], result.content.strands[1]);
      return {result};
    }
    if (adds(*a, *b)) return {with_sum(node, *a, *b, findings, budget)};
    if (adds(*b, *a)) return {with_sum(node, *b, *a, findings, budget)};
  }
  throw Error(RNN_UNSUPPORTED,
              "it may add a constant, both directions of a layer, to a layer's output the layer's input, or "
              "the graph's "
              "first inputs to its output");
}

Flow apply(const Node& node, const Flow& x, GraphStep::Kind kind, Function function, Findings& findings,
           Budget& budget) {
  GraphStep step = make_step(kind, node, features_of(x));
  step.function = std::move(function);
  return add_step(x, std::move(step), findings, budget);
}

// A value as scale x + shift of one before it.
struct Walked {
  Content content;
  double scale, shift;
};

// Back through steps that do the same with all features.
std::vector<Walked> walk_back(const Content& from, const Findings& findings) {
  constexpr std::size_t kMost = 8;
  const auto are_equal = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
  };
  std::vector<Walked> chain{{from, 1, 0}};
  chain[0].content.last = false;  // wherever the others were left out
  while (chain.size() < kMost && chain.back().content.stage == Stage::step) {
    const Walked last = chain.back();
    const GraphStep& step = findings.steps[last.content.step];
    const Affine& by = step.affine;
    if (step.kind != GraphStep::Kind::affine || !are_equal(by.scale) || !are_equal(by.shift)) break;
    chain.push_back({step.reads, last.scale * by.scale[0], last.scale * by.shift[0] + last.shift});
    chain.back().content.last = false;
  }
  return chain;
}

// What a product of two values is: an activation of what both are made of, and a factor.
struct Gated {
  Content of;
  std::int32_t activation;
  double factor;
};

// Of x, and Sigmoid(x) or 1 + Erf(x / sqrt(2)); each may be scaled.
std::optional<Gated> find_gated(const Content& value, const Content& gate, const Findings& findings) {
  constexpr double kTolerance = 1e-6;
  const auto is_near = [](double a, double b) { return std::abs(a - b) <= kTolerance * std::abs(b); };
  const std::vector<Walked> values = walk_back(value, findings), gates = walk_back(gate, findings);
  const Walked& last = gates.back();
  if (last.content.stage != Stage::step) return std::nullopt;
  const GraphStep& step = findings.steps[last.content.step];
  const bool erf = step.kind == GraphStep::Kind::erf;
  const bool sigmoid =
      step.kind == GraphStep::Kind::function && step.function.activation == RNN_ACTIVATION_SIGMOID;
  if (!(erf && is_near(last.shift, last.scale)) && !(sigmoid && last.shift == 0)) return std::nullopt;
  for (const Walked& read : walk_back(step.reads, findings))
    for (const Walked& x : values) {
      if (!(read.content == x.content) || read.shift != 0 || x.shift != 0) continue;
      if (sigmoid && read.scale == 1) return Gated{x.content, RNN_ACTIVATION_SWISH, last.scale * x.scale};
      if (erf && is_near(read.scale, std::sqrt(0.5)))
        return Gated{x.content, RNN_ACTIVATION_GELU, 2 * last.scale * x.scale};
    }
  return std::nullopt;
}

Flow multiply(const Node& node, const Flow& a, const Flow& b, Findings& findings, Budget& budget) {
  std::optional<Gated> gated;
  budget.take(features_of(a));  // which steps are compared by
  if (a.axes == b.axes && a.content.last == b.content.last) {
    gated = find_gated(a.content, b.content, findings);
    if (!gated) gated = find_gated(b.content, a.content, findings);
  }
  if (!gated)
    throw Error(RNN_UNSUPPORTED,
                "of two values that are computed; it may be of x and Sigmoid(x), or 1 + Erf(x / sqrt(2))");
  Flow x = a;
  x.content = gated->of;
  x.content.last = a.content.last;  // where both were cut behind it
  const Flow y = apply(node, x, GraphStep::Kind::function, {gated->activation, 0, 0, {}}, findings, budget);
  if (std::abs(gated->factor - 1) < 1e-6) return y;
  const std::size_t F = features_of(y);
  GraphStep step = make_step(GraphStep::Kind::affine, node, F);
  step.affine = {std::vector<double>(F, gated->factor), std::vector<double>(F)};
  return add_step(y, std::move(step), findings, budget);
}

// Mul, Sub and Div of a constant.
Outputs read_affine(const Node& node, Findings& findings, Budget& budget) {
  const Flow *a = as_flow(node.input(0)), *b = as_flow(node.input(1));
  const bool is_product = node.type() == "Mul";
  if (is_product)
    if (std::optional<Flow> result = multiply_quantized(node, findings, budget)) return {std::move(*result)};
  if (a != nullptr && b != nullptr && is_product)
    return {multiply(node, with_features(*a), with_features(*b), findings, budget)};
  if (a == nullptr && b == nullptr) {
    const char operation = is_product ? '*' : node.type() == "Sub" ? '-' : '/';
    return {combine(node.constant(0, "A"), node.constant(1, "B"), operation, budget)};
  }
  if (a != nullptr && b != nullptr) throw Error(RNN_UNSUPPORTED, "of two values that are computed");
  if (a == nullptr && node.type() == "Div") throw Error(RNN_UNSUPPORTED, "by what is computed");
  const Flow x = with_features(a != nullptr ? *a : *b);
  const std::size_t F = features_of(x);
  budget.take(2 * F);
  const std::vector<double> values = spread(node.constant(a != nullptr ? 1 : 0, "a term"), x);
  GraphStep step = make_step(GraphStep::Kind::affine, node, F);
  step.affine = {std::vector<double>(F, 1), std::vector<double>(F)};
  for (std::size_t i = 0; i < F; ++i) {
    if (is_product) step.affine.scale[i] = values[i];
    if (node.type() == "Div") step.affine.scale[i] = 1 / values[i];
    if (node.type() != "Sub") continue;
    step.affine.scale[i] = a != nullptr ? 1 : -1;
    step.affine.shift[i] = a != nullptr ? -values[i] : values[i];
  }
  return {add_step(x, std::move(step), findings, budget)};
}

Outputs read_normalization(const Node& node, Findings& findings, Budget& budget) {
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "X is constant; it must be what is computed");
  if (node.integer("training_mode", 0) != 0) throw Error(RNN_UNSUPPORTED, "in training mode");
  if (x->axes.size() < 2)
    throw Error(RNN_UNSUPPORTED, "X has %zu axes; it must have 2 or more", x->axes.size());
  const std::size_t F = features_of(*x);
  if (features_axis(*x) != 1)
    throw Error(RNN_UNSUPPORTED, "the features stand on axis %zu of X; they must be on axis 1",
                features_axis(*x));
  std::vector<double> parts_of[4];
  constexpr const char* kRoles[] = {"scale", "B", "input_mean", "input_var"};
  budget.take(4 * F);
  for (std::size_t i = 0; i < 4; ++i) {
    const Constant& constant = node.floats(i + 1, kRoles[i]);
    if (constant.shape != Shape{static_cast<std::int64_t>(F)})
      throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be [%zu]", kRoles[i],
                  to_string(constant.shape).c_str(), F);
    parts_of[i] = spread(constant, F, 0, 1);
  }
  const auto epsilon = static_cast<double>(node.number("epsilon", 1e-5f));
  GraphStep step = make_step(GraphStep::Kind::affine, node, F);
  for (std::size_t i = 0; i < F; ++i) {
    const double scale = parts_of[0][i] / std::sqrt(parts_of[3][i] + epsilon);
    step.affine.scale.push_back(scale);
    step.affine.shift.push_back(parts_of[1][i] - scale * parts_of[2][i]);
  }
  return {add_step(*x, std::move(step), findings, budget)};
}

// ---- Pooling ----

// The mean or the maximum over the steps.
Outputs read_pooling(const Node& node, Findings& findings, Budget& budget) {
  const bool global = node.type() == "GlobalAveragePool" || node.type() == "GlobalMaxPool";
  const Flow* x = as_flow(node.input(0));
  if (x == nullptr || x->content.last)
    throw Error(RNN_UNSUPPORTED, "of something that is not what a layer gives for all steps");
  const std::size_t rank = x->axes.size();
  GraphStep step = make_step(GraphStep::Kind::pooling, node, features_of(*x));
  step.pooling =
      node.type() == "ReduceMean" || node.type() == "GlobalAveragePool" ? RNN_POOLING_MEAN : RNN_POOLING_MAX;
  Shape axes;
  for (std::size_t i = 2; global && i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (!global) axes = node.integers("axes", 1).value_or(axes);
  std::size_t found = 0;
  std::vector<bool> drop(rank, false);
  for (const std::int64_t axis : axes) {
    const std::size_t at = find_axis(axis, rank);
    const Kind kind = kind_of(x->axes[at], findings);
    if (kind == Kind::time && !drop[at]) ++found;
    if (kind != Kind::time && x->axes[at].size != 1)
      throw Error(RNN_UNSUPPORTED, "along axis %zu, which is not that of the steps", at);
    drop[at] = true;
  }
  if (found != 1) throw Error(RNN_UNSUPPORTED, "along other axes than that of the steps");
  Flow y = add_step(*x, std::move(step), findings, budget);
  y.content.last = true;
  const bool keep = global || node.integer("keepdims", 1) != 0;
  for (std::size_t i = rank; i-- > 0;) {
    if (!drop[i]) continue;
    y.axes[i] = {Kind::unit, 1};
    if (!keep) y.axes.erase(y.axes.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {y};
}

// ---- Activations ----

Function function_of(const Node& node, const Flow& x) {
  const std::string& type = node.type();
  if (type == "Tanh") return {RNN_ACTIVATION_TANH, 0, 0, {}};
  if (type == "Relu") return {RNN_ACTIVATION_RELU, 0, 0, {}};
  if (type == "Sigmoid") return {RNN_ACTIVATION_SIGMOID, 0, 0, {}};
  if (type == "Softsign") return {RNN_ACTIVATION_SOFTSIGN, 0, 0, {}};
  if (type == "Softplus") return {RNN_ACTIVATION_SOFTPLUS, 0, 0, {}};
  if (type == "Softmax") return {RNN_ACTIVATION_SOFTMAX, 0, 0, {}};
  if (type == "Elu") return formats::elu(static_cast<double>(node.number("alpha", 1)));
  if (type == "ThresholdedRelu")
    return formats::thresholded_relu(static_cast<double>(node.number("alpha", 1)));
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
  for (const double slope : spread(node.floats(1, "slope"), x))
    prelu.slopes.push_back(static_cast<float>(slope));
  return prelu;
}

Outputs read_function(const Node& node, Findings& findings, Budget& budget) {
  const Flow* given = as_flow(node.input(0));
  if (given == nullptr) throw Error(RNN_UNSUPPORTED, "of a constant");
  const Flow x = with_features(*given);
  const std::size_t at = features_axis(x);
  if (node.type() == "Softmax" &&
      (find_axis(node.integer("axis", -1), x.axes.size()) != at || at + 1 != x.axes.size()))
    throw Error(RNN_UNSUPPORTED, "its axis must be the last, and that of the features");
  if (node.type() == "Erf") return {apply(node, x, GraphStep::Kind::erf, {}, findings, budget)};
  budget.take(node.type() == "PRelu" ? features_of(x) : 0);
  return {apply(node, x, GraphStep::Kind::function, function_of(node, x), findings, budget)};
}

constexpr struct {
  const char* type;
  Outputs (*read)(const Node&, Findings&, Budget&);
  const char* attributes;
} kOperators[] = {
    {"Add", read_add, ""},
    {"BatchNormalization", read_normalization, "epsilon momentum spatial training_mode "},
    {"Div", read_affine, ""},
    {"Elu", read_function, "alpha "},
    {"Erf", read_function, ""},
    {"Gelu", read_function, "approximate "},
    {"Gemm", read_gemm, "alpha beta transA transB "},
    {"GlobalAveragePool", read_pooling, ""},
    {"GlobalMaxPool", read_pooling, ""},
    {"HardSigmoid", read_function, "alpha beta "},
    {"LeakyRelu", read_function, "alpha "},
    {"ThresholdedRelu", read_function, "alpha "},
    {"MatMul", read_matmul, ""},
    {"Mul", read_affine, ""},
    {"PRelu", read_function, ""},
    {"ReduceMax", read_pooling, "axes keepdims noop_with_empty_axes "},
    {"ReduceMean", read_pooling, "axes keepdims noop_with_empty_axes "},
    {"Relu", read_function, ""},
    {"Sigmoid", read_function, ""},
    {"Softmax", read_function, "axis "},
    {"Softplus", read_function, ""},
    {"Softsign", read_function, ""},
    {"Sub", read_affine, ""},
    {"Tanh", read_function, ""},
};

}  // namespace

Flow add_bias(const Node& node, const Flow& x, const Constant& bias, Findings& findings, Budget& budget) {
  const std::size_t F = features_of(x);
  if (bias.shape != Shape{static_cast<std::int64_t>(F)})
    throw Error(RNN_BAD_FORMAT, "the bias has shape %s; it must be [%zu]", to_string(bias.shape).c_str(), F);
  return with_constant(node, x, bias, spread(bias, F, 0, 1), findings, budget);
}

std::optional<Outputs> read_step(const Node& node, Findings& findings, Budget& budget) {
  for (const auto& known : kOperators) {
    if (node.type() != known.type) continue;
    node.check_attributes(known.attributes);
    return known.read(node, findings, budget);
  }
  return std::nullopt;
}

}  // namespace rnn::onnx_import

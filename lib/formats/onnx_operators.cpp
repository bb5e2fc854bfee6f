// The nodes around the layers: constants, the embedding, and what exporters put between.
#include <algorithm>

#include "lib/formats/contents.h"
#include "lib/formats/onnx_graph.h"

namespace rnn::onnx_import {
namespace {

using ::onnx::AttributeProto;
using Kind = Axis::Kind;
using Stage = Content::Stage;

const Flow* as_flow(const Value& value) { return std::get_if<Flow>(&value); }

std::size_t rank_of(const Value& value) {
  const Flow* flow = as_flow(value);
  return flow != nullptr ? flow->axes.size() : std::get<Constant>(value).shape.size();
}

// ---- Constants ----

Outputs read_constant(const Node& node, Findings&, Budget& budget) {
  if (const auto* value = node.find("value", {AttributeProto::TENSOR})) return {read_tensor(value->t())};
  if (node.has("value_int")) return {make_integers({}, {node.integer("value_int", 0)})};
  if (const std::optional<Shape> values = node.integers("value_ints", 0))
    return {make_integers({static_cast<std::int64_t>(values->size())}, *values)};
  const auto* single = node.find("value_float", {AttributeProto::FLOAT});
  const auto* several = node.find("value_floats", {AttributeProto::FLOATS});
  if (single == nullptr && several == nullptr) throw Error(RNN_BAD_FORMAT, "it has no value");
  std::vector<float> values;
  if (single != nullptr)
    values = {single->f()};
  else
    values.assign(several->floats().begin(), several->floats().end());
  budget.take(values.size());
  const Shape shape = single != nullptr ? Shape{} : Shape{static_cast<std::int64_t>(values.size())};
  return {Constant{shape, std::make_shared<const std::vector<float>>(std::move(values)), nullptr}};
}

Outputs read_constant_of_shape(const Node& node, Findings&, Budget& budget) {
  Shape shape = node.integers("", 0).value_or(Shape{});
  Constant value{{1}, std::make_shared<const std::vector<float>>(1, 0.0f), nullptr};
  if (const auto* given = node.find("value", {AttributeProto::TENSOR})) value = read_tensor(given->t());
  if (value.count() != 1)
    throw Error(RNN_BAD_FORMAT, "value has %zu elements; it must have 1", value.count());
  value.shape = {1};
  return {expand(value, shape, budget)};
}

Outputs read_shape(const Node& node, Findings&, Budget& budget) {
  Shape sizes;
  if (const Flow* flow = as_flow(node.input(0))) {
    if (flow->content.opaque) throw Error(RNN_UNSUPPORTED, "of something that is neither x nor y");
    for (const Axis& axis : flow->axes) sizes.push_back(axis.size);
  } else {
    sizes = node.constant(0, "data").shape;
  }
  budget.take(sizes.size());
  return {make_integers({static_cast<std::int64_t>(sizes.size())}, sizes)};
}

Outputs read_expand(const Node& node, Findings&, Budget& budget) {
  const Constant& constant = node.constant(0, "input");
  return {expand(constant, node.integers("", 1).value_or(Shape{}), budget)};
}

// ---- The same values in another shape ----

Outputs read_identity(const Node& node, Findings&, Budget&) { return {node.input(0)}; }

Outputs read_dropout(const Node& node, Findings&, Budget&) {
  if (node.optional_input(2) != nullptr) {
    const Constant& training = node.constant(2, "training_mode");
    if (!training.integers || training.count() != 1 || training.integers->front() != 0)
      throw Error(RNN_UNSUPPORTED, "in training mode");
  }
  return {node.input(0)};
}

Outputs read_cast(const Node& node, Findings&, Budget& budget) {
  using ::onnx::TensorProto;
  const std::int64_t to = node.integer("to", 0);
  const bool floats = to == TensorProto::FLOAT || to == TensorProto::DOUBLE || to == TensorProto::FLOAT16 ||
                      to == TensorProto::BFLOAT16;
  if (!floats && to != TensorProto::INT64 && to != TensorProto::INT32)
    throw Error(RNN_UNSUPPORTED, "to data type %jd", std::intmax_t{to});
  if (const auto* constant = std::get_if<Constant>(&node.input(0)))
    return {floats ? to_floats(*constant, budget) : to_integers(*constant, budget)};
  if (!floats && as_flow(node.input(0))->content.stage != Stage::input)
    throw Error(RNN_UNSUPPORTED, "of floats to integers");
  return {node.input(0)};
}

Outputs read_transpose(const Node& node, Findings&, Budget& budget) {
  const std::size_t rank = rank_of(node.input(0));
  Shape order(rank);
  for (std::size_t i = 0; i < rank; ++i) order[i] = static_cast<std::int64_t>(rank - 1 - i);
  if (node.has("perm")) order = *node.integers("perm", 1);
  Shape sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool right = sorted.size() == rank;
  for (std::size_t i = 0; right && i < rank; ++i) right = sorted[i] == static_cast<std::int64_t>(i);
  if (!right)
    throw Error(RNN_BAD_FORMAT, "perm is %s; it must be an order of %zu axes", to_string(order).c_str(),
                rank);
  if (const Flow* flow = as_flow(node.input(0))) return {transpose(*flow, order)};
  return {transpose(node.constant(0, "data"), order, budget)};
}

// A constant without the axes, or with them.
Shape squeezed(const Constant& constant, const Shape& axes) {
  std::vector<bool> drop(constant.shape.size(), axes.empty());
  for (const std::int64_t axis : axes) drop[find_axis(axis, drop.size())] = true;
  Shape shape;
  for (std::size_t i = 0; i < drop.size(); ++i)
    if (!drop[i] || constant.shape[i] != 1) shape.push_back(constant.shape[i]);
  return shape;
}

Outputs read_squeeze(const Node& node, Findings&, Budget&) {
  const Shape axes = node.integers("axes", 1).value_or(Shape{});
  if (const Flow* flow = as_flow(node.input(0))) return {squeeze(*flow, axes)};
  const Constant& constant = node.constant(0, "data");
  return {reshape(constant, squeezed(constant, axes), true)};
}

Outputs read_unsqueeze(const Node& node, Findings&, Budget&) {
  const Shape axes = node.integers("axes", 1).value_or(Shape{});
  if (const Flow* flow = as_flow(node.input(0))) return {unsqueeze(*flow, axes)};
  const Constant& constant = node.constant(0, "data");
  Flow lengths;  // the lengths as axes
  for (const std::int64_t n : constant.shape) lengths.axes.push_back({Kind::input, n});
  Shape shape;
  for (const Axis& axis : unsqueeze(lengths, axes).axes) shape.push_back(axis.size);
  return {reshape(constant, shape, true)};
}

Outputs read_reshape(const Node& node, Findings&, Budget&) {
  const std::optional<Shape> shape = node.integers("shape", 1);
  if (!shape) throw Error(RNN_BAD_FORMAT, "it has no shape");
  const bool allow_zero = node.integer("allowzero", 0) != 0;
  if (const Flow* flow = as_flow(node.input(0))) return {reshape(*flow, *shape, allow_zero)};
  if (shape->size() > kMaxRank)
    throw Error(RNN_UNSUPPORTED, "%zu axes; there may be %zu", shape->size(), kMaxRank);
  return {reshape(node.constant(0, "data"), *shape, allow_zero)};
}

// ---- Findings ----

Outputs read_slice(const Node& node, Findings&, Budget& budget) {
  const std::optional<Shape> starts = node.integers("starts", 1), ends = node.integers("ends", 2);
  if (!starts || !ends || starts->size() != ends->size())
    throw Error(RNN_BAD_FORMAT, "it must have as many starts as ends");
  Shape axes(starts->size());
  for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
  axes = node.integers("axes", 3).value_or(axes);
  if (axes.size() != starts->size()) throw Error(RNN_BAD_FORMAT, "it must have as many axes as starts");
  for (const std::int64_t step : node.integers("steps", 4).value_or(Shape{}))
    if (step != 1) throw Error(RNN_UNSUPPORTED, "steps of %jd; they must be 1", std::intmax_t{step});
  Value result = node.input(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Range range{(*starts)[i], (*ends)[i]};
    if (range.start == kUnknown || range.end == kUnknown)
      throw Error(RNN_UNSUPPORTED, "bounds that are computed");
    const std::size_t axis = find_axis(axes[i], rank_of(result));
    if (const Flow* flow = as_flow(result)) {
      result = slice(*flow, axis, range);
      if (std::get<Flow>(result).content.opaque) break;
    } else {
      result = slice(std::get<Constant>(result), axis, range, budget);
    }
  }
  return {result};
}

Constant gathered(const Constant& constant, std::size_t axis, const Constant& indices, Budget& budget) {
  const std::size_t count = indices.integers->size();
  if (count > kMaxIntegers)
    throw Error(RNN_UNSUPPORTED, "%zu indices; there may be %zu", count, kMaxIntegers);
  std::vector<Constant> parts;
  for (const std::int64_t index : *indices.integers) {
    const std::size_t at = find_axis(index, static_cast<std::size_t>(constant.shape[axis]));
    const auto start = static_cast<std::int64_t>(at);
    parts.push_back(slice(constant, axis, {start, start + 1}, budget));
  }
  if (parts.empty()) throw Error(RNN_UNSUPPORTED, "no indices");
  Constant result = concat(parts, axis, budget);
  if (indices.shape.empty()) result.shape.erase(result.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return result;
}

// Rows of a table, which the graph's input selects.
Outputs read_embedding(const Constant& table, const Flow& indices, std::int64_t axis, Findings& findings) {
  if (!table.floats || table.shape.size() != 2 || axis != 0)
    throw Error(RNN_UNSUPPORTED, "on axis %jd of shape %s; an embedding is a matrix of floats",
                std::intmax_t{axis}, to_string(table.shape).c_str());
  if (indices.content.stage != Stage::input || indices.content.opaque)
    throw Error(RNN_UNSUPPORTED, "its indices must be the graph's input");
  if (findings.embedding) throw Error(RNN_UNSUPPORTED, "a second embedding");
  findings.embedding = table;
  Flow result = indices;
  result.content.stage = Stage::embedded;
  result.axes.push_back({Kind::features, table.shape[1]});
  return {result};
}

Outputs read_gather(const Node& node, Findings& findings, Budget& budget) {
  const std::int64_t axis = node.integer("axis", 0);
  const Flow* flow = as_flow(node.input(0));
  if (const Flow* indices = as_flow(node.input(1))) {
    if (flow != nullptr) throw Error(RNN_UNSUPPORTED, "its indices are computed; they must be constant");
    return read_embedding(node.constant(0, "data"), *indices, axis, findings);
  }
  const Constant& indices = node.constant(1, "indices");
  if (!indices.integers || indices.shape.size() > 1)
    throw Error(RNN_UNSUPPORTED, "with indices of shape %s; they must be integers, at most a vector",
                to_string(indices.shape).c_str());
  if (flow == nullptr) {
    const Constant& constant = node.constant(0, "data");
    return {gathered(constant, find_axis(axis, constant.shape.size()), indices, budget)};
  }
  if (!indices.shape.empty()) {
    if (flow->content.stage == Stage::input) return {make_opaque(*flow)};
    if (indices.count() != 1) throw Error(RNN_UNSUPPORTED, "several parts of one value");
  }
  Flow result = take(*flow, find_axis(axis, flow->axes.size()), indices.integers->front());
  if (!indices.shape.empty() && !result.content.opaque) result = unsqueeze(result, {axis});
  return {result};
}

Outputs read_split(const Node& node, Findings&, Budget& budget) {
  const std::size_t axis = find_axis(node.integer("axis", 0), rank_of(node.input(0)));
  const Flow* flow = as_flow(node.input(0));
  const std::int64_t size = flow != nullptr ? flow->axes[axis].size : node.constant(0, "data").shape[axis];
  const auto n = static_cast<std::int64_t>(node.output_count());
  Shape sizes;
  if (const std::optional<Shape> given = node.integers("split", 1)) {
    sizes = *given;
  } else if (size != kUnknown && n != 0) {  // the last part may be smaller
    const std::int64_t part = size / n + (size % n != 0 ? 1 : 0);
    sizes.assign(node.output_count(), part);
    sizes.back() = size - part * (n - 1);
  }
  if (sizes.size() != node.output_count() || size == kUnknown)
    throw Error(RNN_UNSUPPORTED, "into parts of unknown sizes");
  Outputs outputs;
  std::int64_t start = 0;
  for (const std::int64_t part : sizes) {
    if (part < 1 || part > size - start)
      throw Error(RNN_UNSUPPORTED, "of %jd into parts of %s", std::intmax_t{size}, to_string(sizes).c_str());
    const Range range{start, start + part};
    if (flow != nullptr)
      outputs.push_back(slice(*flow, axis, range));
    else
      outputs.push_back(slice(node.constant(0, "data"), axis, range, budget));
    start += part;
  }
  if (start != size)
    throw Error(RNN_UNSUPPORTED, "of %jd into parts of %s", std::intmax_t{size}, to_string(sizes).c_str());
  return outputs;
}

Outputs read_concat(const Node& node, Findings&, Budget& budget) {
  const std::size_t axis = find_axis(node.integer("axis", 0), rank_of(node.input(0)));
  if (node.input_count() > kMaxStrands) throw Error(RNN_UNSUPPORTED, "of %zu values", node.input_count());
  std::vector<Constant> constants;
  std::vector<Flow> flows;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    if (const Flow* flow = as_flow(node.input(i)))
      flows.push_back(*flow);
    else
      constants.push_back(node.constant(i, "an input"));
  }
  if (flows.empty()) return {concat(constants, axis, budget)};
  if (constants.empty()) return {concat(flows, axis)};
  const Constant& zeros = constants[0];
  const bool zero = zeros.floats && std::all_of(zeros.floats->begin(), zeros.floats->end(),
                                                [](float value) { return value == 0; });
  if (flows.size() != 1 || constants.size() != 1 || !zero || zeros.shape.size() != flows[0].axes.size())
    throw Error(RNN_UNSUPPORTED,
                "of constants and what is computed; it may be of zeros and the steps of a sequence");
  const bool before = as_flow(node.input(0)) == nullptr;
  return {pad(flows[0], axis, before ? zeros.shape[axis] : 0, before ? 0 : zeros.shape[axis])};
}

// Of zeros.
Outputs read_pad(const Node& node, Findings&, Budget&) {
  const Flow* flow = as_flow(node.input(0));
  if (flow == nullptr) throw Error(RNN_UNSUPPORTED, "of a constant");
  if (node.text("mode", "constant") != "constant")
    throw Error(RNN_UNSUPPORTED, "mode is %s; it must be constant",
                formats::quote(node.text("mode", "")).c_str());
  const Constant* value = node.optional_input(2) != nullptr ? &node.constant(2, "constant_value") : nullptr;
  const bool zero = value == nullptr || (value->floats && value->count() == 1 && value->floats->front() == 0);
  if (!zero || node.number("value", 0) != 0) throw Error(RNN_UNSUPPORTED, "with a value that is not 0");
  const std::optional<Shape> pads = node.integers("pads", 1);
  const std::size_t rank = flow->axes.size();
  Shape axes(rank);
  for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(i);
  axes = node.integers("axes", 3).value_or(axes);
  if (rank == 0 || !pads || pads->size() != 2 * axes.size())
    throw Error(rank == 0 ? RNN_UNSUPPORTED : RNN_BAD_FORMAT,
                "pads must have two numbers for each of its axes");
  Flow result = *flow;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t before = (*pads)[i], behind = (*pads)[axes.size() + i];
    if (before != 0 || behind != 0) result = pad(result, find_axis(axes[i], rank), before, behind);
  }
  return {result};
}

// Of both directions of a layer.
Outputs read_sum(const Node& node, Findings&, Budget&) {
  const Flow* flow = as_flow(node.input(0));
  const std::optional<Shape> axes = node.integers("axes", 1);
  if (flow == nullptr || flow->content.opaque || !axes || axes->size() != 1)
    throw Error(RNN_UNSUPPORTED, "it may add the two directions of a layer, no more");
  return {
      add_directions(*flow, find_axis(axes->front(), flow->axes.size()), node.integer("keepdims", 1) != 0)};
}

Outputs read_one_hot(const Node& node, Findings& findings, Budget&) {
  const Flow* flow = as_flow(node.input(0));
  const Constant &depth = node.constant(1, "depth"), &values = node.constant(2, "values");
  const auto value = [&](std::size_t i) {
    return values.floats ? (*values.floats)[i] : static_cast<float>((*values.integers)[i]);
  };
  if (flow == nullptr || flow->content.stage != Stage::input || flow->content.opaque)
    throw Error(RNN_UNSUPPORTED, "its indices must be the graph's input");
  const std::int64_t axis = node.integer("axis", -1);
  if (values.count() != 2 || value(0) != 0 || value(1) != 1 || depth.count() != 1 || !depth.integers ||
      (axis != -1 && axis != static_cast<std::int64_t>(flow->axes.size())))
    throw Error(RNN_UNSUPPORTED, "it must have 0 and 1 along a new last axis");
  if (findings.depth != 0) throw Error(RNN_UNSUPPORTED, "a second OneHot");
  findings.depth = depth.integers->front();
  Flow result = *flow;
  result.content.stage = Stage::one_hot;
  result.axes.push_back({Kind::features, findings.depth});
  return {result};
}

// ---- All ----

// All values of its first input, or some of them, so that what is opaque stays so; or others.
enum class Gives { all, some, other };

// Values of 8 bits and sums of integers are opaque, and have axes.
bool has_axes(const Content& content) {
  return content.form == Content::Form::quantized || content.form == Content::Form::product;
}

struct Operator {
  const char* type;
  Outputs (*read)(const Node&, Findings&, Budget&);
  const char* attributes;
  Gives gives;
};

constexpr Operator kOperators[] = {
    {"Cast", read_cast, "to saturate ", Gives::all},
    {"Concat", read_concat, "axis ", Gives::some},
    {"Constant", read_constant, "value value_int value_ints value_float value_floats ", Gives::other},
    {"ConstantOfShape", read_constant_of_shape, "value ", Gives::other},
    {"Conv", read_convolution, "auto_pad dilations group kernel_shape pads strides ", Gives::other},
    {"Dropout", read_dropout, "ratio seed ", Gives::some},
    {"Expand", read_expand, "", Gives::other},
    {"Gather", read_gather, "axis ", Gives::some},
    {"Identity", read_identity, "", Gives::all},
    {"OneHot", read_one_hot, "axis ", Gives::other},
    {"Pad", read_pad, "mode pads value ", Gives::other},
    {"ReduceSum", read_sum, "axes keepdims noop_with_empty_axes ", Gives::other},
    {"Reshape", read_reshape, "allowzero shape ", Gives::all},
    {"Shape", read_shape, "", Gives::other},
    {"Slice", read_slice, "axes starts ends ", Gives::some},
    {"Split", read_split, "axis split num_outputs ", Gives::some},
    {"Squeeze", read_squeeze, "axes ", Gives::all},
    {"Transpose", read_transpose, "perm ", Gives::all},
    {"Unsqueeze", read_unsqueeze, "axes ", Gives::all},
};

}  // namespace

Outputs read_operator(const Node& node, Findings& findings, Budget& budget) {
  for (const Operator& known : kOperators) {
    if (node.type() != known.type) continue;
    node.check_attributes(known.attributes);
    const Flow* first = known.gives != Gives::other ? as_flow(node.input(0)) : nullptr;
    const bool opaque = first != nullptr && first->content.opaque;
    if (opaque && !(known.gives == Gives::all && has_axes(first->content)))
      return Outputs(node.output_count(), Value(make_opaque(*first)));
    return known.read(node, findings, budget);
  }
  if (std::optional<Outputs> outputs = read_quantized(node, findings, budget)) return std::move(*outputs);
  if (std::optional<Outputs> outputs = read_step(node, findings, budget)) return std::move(*outputs);
  throw Error(RNN_UNSUPPORTED, "no such operator here");
}

}  // namespace rnn::onnx_import

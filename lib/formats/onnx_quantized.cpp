// Nodes that compute with 8 bits: their weights become floats, and what they round to 8 bits stays as it is.
#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/formats/onnx_graph.h"

namespace rnn::onnx_import {
namespace {

using Form = Content::Form;

constexpr char kMicrosoft[] = "com.microsoft", kDynamicMatmul[] = "DynamicQuantizeMatMul";

const Flow& computed(const Node& node, std::size_t i) {
  const Flow* flow = std::get_if<Flow>(&node.input(i));
  if (flow == nullptr) throw Error(RNN_UNSUPPORTED, "input %zu is constant; it must be what is computed", i);
  return *flow;
}

const Constant* optional_constant(const Node& node, std::size_t i, const char* role) {
  return node.optional_input(i) != nullptr ? &node.constant(i, role) : nullptr;
}

std::optional<Constant> copy_of(const Constant* constant) {
  if (constant == nullptr) return std::nullopt;
  return *constant;
}

// A scale, or a zero point, which is 0 where there is none.
bool are_equal(const std::optional<Constant>& a, const std::optional<Constant>& b) {
  const auto is_zero = [](const Constant& constant) {
    return constant.integers && std::all_of(constant.integers->begin(), constant.integers->end(),
                                            [](std::int64_t value) { return value == 0; });
  };
  if (!a || !b) return (!a || is_zero(*a)) && (!b || is_zero(*b));
  if (a->count() != b->count() || !a->floats != !b->floats) return false;
  return a->floats ? *a->floats == *b->floats : *a->integers == *b->integers;
}

Flow with_form(const Flow& flow, Form form, std::size_t index) {
  Flow result = flow;
  result.content.opaque = true;
  result.content.form = form;
  result.content.form_index = index;
  return result;
}

const Flow& expect_readable(const Flow& x) {
  check_readable(x);
  return x;
}

// The values that were quantised, on the axes that they have now.
Flow restored(const Flow& flow, const Findings& findings) {
  return {findings.quantized[flow.content.form_index].of, flow.axes};
}

Flow quantize(const Flow& x, const Constant* scale, const Constant* zero_point, Findings& findings) {
  findings.quantized.push_back({x.content, copy_of(scale), copy_of(zero_point)});
  return with_form(x, Form::quantized, findings.quantized.size() - 1);
}

// Quantised with this scale and zero point.
Flow dequantized(const Flow& flow, const Constant& scale, const Constant* zero_point,
                 const Findings& findings) {
  if (flow.content.form != Form::quantized) throw Error(RNN_UNSUPPORTED, "of what no QuantizeLinear gives");
  const Quantized& by = findings.quantized[flow.content.form_index];
  if (!by.scale || !are_equal(by.scale, scale) || !are_equal(by.zero_point, copy_of(zero_point)))
    throw Error(RNN_UNSUPPORTED,
                "with another scale or zero point than those that the values are quantised with");
  return restored(flow, findings);
}

const Constant& read_weight(const Node& node, std::size_t i) {
  const Constant& weight = node.constant(i, "the second factor");
  if (!weight.integers || weight.shape.size() != 2)
    throw Error(RNN_UNSUPPORTED, "the second factor has shape %s; it must be a matrix of integers",
                to_string(weight.shape).c_str());
  return weight;
}

Constant one() { return {{}, std::make_shared<const std::vector<float>>(1, 1.0f), nullptr}; }

// x as 8 bits, its scale and its zero point.
Outputs read_dynamic_quantize(const Node& node, Findings& findings, Budget&) {
  const Flow& x = expect_readable(computed(node, 0));
  const Flow quantized = quantize(x, nullptr, nullptr, findings);
  const std::size_t index = quantized.content.form_index;
  findings.scales.push_back({index, std::nullopt});
  return {quantized, with_form({x.content, {}}, Form::scale, findings.scales.size() - 1),
          with_form({x.content, {}}, Form::zero_point, index)};
}

// A constant as integers of the zero point's range. Ties go to even numbers.
Constant rounded(const Constant& values, const Constant& scale, const Constant* zero_point, std::size_t axis,
                 Budget& budget) {
  if (!values.floats || !scale.floats || (zero_point != nullptr && !zero_point->integers))
    throw Error(RNN_UNSUPPORTED, "of values that are no floats");
  const std::size_t scales = scale.count();
  const bool each = scales != 1;
  if ((each && static_cast<std::int64_t>(scales) != values.shape[axis]) ||
      (zero_point != nullptr && zero_point->count() != scales) || scales == 0)
    throw Error(RNN_BAD_FORMAT, "the scale has shape %s for values of shape %s",
                to_string(scale.shape).c_str(), to_string(values.shape).c_str());
  budget.take(values.count());
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < values.shape.size(); ++i)
    inner *= static_cast<std::size_t>(values.shape[i]);
  std::vector<std::int64_t> result(values.count());
  // A zero point says by its type which numbers there are; what it is read as does not.
  const bool has_sign = zero_point != nullptr && zero_point->has_sign;
  const std::int64_t least = has_sign ? -128 : 0, most = has_sign ? 127 : 255;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t at = each ? i / inner % scales : 0;
    const double value = std::nearbyint(static_cast<double>((*values.floats)[i] / (*scale.floats)[at]));
    const std::int64_t zero = zero_point != nullptr ? (*zero_point->integers)[at] : 0;
    result[i] = value >= -512 && value <= 512
                    ? std::clamp(static_cast<std::int64_t>(value) + zero, least, most)
                    : (value > 0 ? most : least);
  }
  return make_integers(values.shape, std::move(result));
}

Outputs read_quantize(const Node& node, Findings& findings, Budget& budget) {
  const Constant& scale = node.floats(1, "y_scale");
  const Constant* const zero_point = optional_constant(node, 2, "y_zero_point");
  if (const Constant* values = std::get_if<Constant>(&node.input(0))) {
    const std::size_t axis =
        scale.count() == 1 ? 0 : find_axis(node.integer("axis", 1), values->shape.size());
    return {rounded(*values, scale, zero_point, axis, budget)};
  }
  budget.take(2 * scale.count());
  return {quantize(expect_readable(computed(node, 0)), &scale, zero_point, findings)};
}

Outputs read_dequantize(const Node& node, Findings& findings, Budget& budget) {
  const Constant& scale = node.floats(1, "x_scale");
  const Constant* const zero_point = optional_constant(node, 2, "x_zero_point");
  if (node.integer("block_size", 0) != 0)
    throw Error(RNN_UNSUPPORTED, "block_size is %jd; it must be 0",
                std::intmax_t{node.integer("block_size", 0)});
  if (const Flow* flow = std::get_if<Flow>(&node.input(0)))
    return {dequantized(*flow, scale, zero_point, findings)};
  const Constant& values = node.constant(0, "x");
  const std::size_t axis = scale.count() == 1 ? 0 : find_axis(node.integer("axis", 1), values.shape.size());
  return {dequantize(values, {scale, zero_point, axis}, budget)};
}

// The sums of integers, which the scale of x and that of the matrix make what is computed.
Outputs read_matmul_integer(const Node& node, Findings& findings, Budget& budget) {
  const Flow& x = computed(node, 0);
  const Constant& weight = read_weight(node, 1);
  const Flow* const zero = node.optional_input(2) != nullptr ? std::get_if<Flow>(&node.input(2)) : nullptr;
  if (x.content.form != Form::quantized || zero == nullptr || zero->content.form != Form::zero_point ||
      zero->content.form_index != x.content.form_index || x.axes.empty())
    throw Error(RNN_UNSUPPORTED, "A and its zero point must be what one DynamicQuantizeLinear gives");
  budget.take(weight.shape[1] > 0 ? static_cast<std::size_t>(weight.shape[1]) : 1);
  findings.products.push_back({x.content.form_index, restored(x, findings), weight,
                               copy_of(optional_constant(node, 3, "b_zero_point"))});
  Flow result = with_form(x, Form::product, findings.products.size() - 1);
  result.axes.back() = {Axis::Kind::features, weight.shape[1]};
  return {result};
}

Outputs read_quantized_matmul(const Node& node, Findings& findings, Budget& budget) {
  const Flow x = dequantized(computed(node, 0), node.floats(1, "a_scale"),
                             optional_constant(node, 2, "a_zero_point"), findings);
  const Constant& scale = node.floats(4, "b_scale");
  const Constant weight =
      dequantize(read_weight(node, 3), {scale, optional_constant(node, 5, "b_zero_point"), 1}, budget);
  const Flow y = product(node, x, weight, true, findings, budget);
  return {quantize(y, &node.floats(6, "y_scale"), optional_constant(node, 7, "y_zero_point"), findings)};
}

// ONNX Runtime's DynamicQuantizeLinear, MatMulInteger and what is behind it in one.
Outputs read_dynamic_matmul(const Node& node, Findings& findings, Budget& budget) {
  const Constant& scale = node.floats(2, "b_scale");
  const Constant weight =
      dequantize(read_weight(node, 1), {scale, optional_constant(node, 3, "b_zero_point"), 1}, budget);
  const Flow y = product(node, computed(node, 0), weight, true, findings, budget);
  if (node.optional_input(4) == nullptr) return {y};
  return {add_bias(node, y, node.floats(4, "bias"), findings, budget)};
}

constexpr struct {
  const char* type;
  Outputs (*read)(const Node&, Findings&, Budget&);
  const char* attributes;
} kOperators[] = {
    {"DequantizeLinear", read_dequantize, "axis block_size "},
    {"DynamicQuantizeLinear", read_dynamic_quantize, ""},
    {kDynamicMatmul, read_dynamic_matmul, ""},
    {"MatMulInteger", read_matmul_integer, ""},
    {"QLinearMatMul", read_quantized_matmul, ""},
    {"QuantizeLinear", read_quantize, "axis saturate "},
};

}  // namespace

bool is_quantized_operator(const std::string& domain, const std::string& type) {
  return domain == kMicrosoft && type == kDynamicMatmul;
}

std::optional<Outputs> read_quantized(const Node& node, Findings& findings, Budget& budget) {
  for (const auto& known : kOperators) {
    if (node.type() != known.type) continue;
    node.check_attributes(known.attributes);
    return known.read(node, findings, budget);
  }
  return std::nullopt;
}

std::optional<Flow> multiply_quantized(const Node& node, Findings& findings, Budget& budget) {
  const Value *a = &node.input(0), *b = &node.input(1);
  const auto form_of = [](const Value* value) {
    const Flow* flow = std::get_if<Flow>(value);
    return flow != nullptr ? flow->content.form : Form::numbers;
  };
  if (form_of(a) == Form::numbers) std::swap(a, b);
  if (form_of(a) == Form::scale && form_of(b) == Form::product) std::swap(a, b);
  if (form_of(a) == Form::numbers) return std::nullopt;
  const Flow& flow = std::get<Flow>(*a);
  const std::size_t index = flow.content.form_index;
  const Constant* factor = std::get_if<Constant>(b);
  if (form_of(a) == Form::scale && factor != nullptr && factor->floats && !findings.scales[index].factor) {
    findings.scales.push_back({findings.scales[index].quantized, *factor});
    return with_form(flow, Form::scale, findings.scales.size() - 1);
  }
  if (form_of(a) != Form::product || form_of(b) != Form::scale)
    throw Error(RNN_UNSUPPORTED, "of quantised values; it may be of sums of integers and their scale");
  const IntegerProduct sums = findings.products[index];
  const Scale scale = findings.scales[std::get<Flow>(*b).content.form_index];
  if (sums.quantized != scale.quantized) throw Error(RNN_UNSUPPORTED, "by the scale of other values");
  const Constant weight = dequantize(
      sums.weight, {scale.factor ? *scale.factor : one(), sums.zero_point ? &*sums.zero_point : nullptr, 1},
      budget);
  Flow y = product(node, sums.x, weight, true, findings, budget);
  y.axes = flow.axes;
  return y;
}

}  // namespace rnn::onnx_import

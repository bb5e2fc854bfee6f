// Conv nodes that are causal convolutions over the steps.
#include <algorithm>
#include <utility>

#include "lib/formats/contents.h"
#include "lib/formats/onnx_graph.h"
#include "lib/network/config.h"

namespace rnn::onnx_import {
namespace {

using Kind = Axis::Kind;

// [N, C, ...]: the axis of the steps. The others but the first two have length 1.
std::size_t find_steps(const Flow& x) {
  std::size_t steps = x.axes.size() - 1;
  const auto is_unit = [](const Axis& axis) { return axis.size == 1 && axis.is_whole(); };
  for (std::size_t i = 2; i < x.axes.size(); ++i)
    if (!is_unit(x.axes[i])) steps = i;
  for (std::size_t i = 2; i < x.axes.size(); ++i)
    if (i != steps && !is_unit(x.axes[i]))
      throw Error(RNN_UNSUPPORTED, "of two or more dimensions; it must be a convolution over the steps");
  return steps;
}

// A list of numbers of an attribute, one for each dimension or two, all alike but those of the steps.
std::int64_t number_of(const Node& node, const char* attribute, std::size_t dimension, std::size_t count,
                       std::int64_t otherwise) {
  const Shape given = node.has(attribute) ? *node.integers(attribute, 0) : Shape(count, otherwise);
  if (given.size() != count)
    throw Error(RNN_BAD_FORMAT, "%s has %zu numbers; it must have %zu", attribute, given.size(), count);
  return given[dimension];
}

struct Pads {
  std::int64_t before, behind;
};

// Of a convolution that reaches so many steps back.
Pads read_pads(const Node& node, std::size_t dimension, std::size_t dimensions, std::int64_t reach) {
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic == "SAME_LOWER") return {reach - reach / 2, reach / 2};
  if (automatic == "SAME_UPPER") return {reach / 2, reach - reach / 2};
  if (automatic != "NOTSET" && automatic != "VALID")
    throw Error(RNN_BAD_FORMAT, "auto_pad is %s", formats::quote(automatic).c_str());
  if (automatic == "VALID") return {0, 0};
  return {number_of(node, "pads", dimension, 2 * dimensions, 0),
          number_of(node, "pads", dimensions + dimension, 2 * dimensions, 0)};
}

void check_sizes(const Constant& weight, std::int64_t taps, std::int64_t dilation) {
  if (taps < 1 || taps > kMaxSize || dilation < 1 || dilation > kMaxSize)
    throw Error(RNN_UNSUPPORTED, "W has shape %s and dilations are %jd; kernel and dilation must be 1..%d",
                to_string(weight.shape).c_str(), std::intmax_t{dilation}, kMaxSize);
}

std::int64_t read_group(const Node& node, const Constant& weight) {
  const std::int64_t group = node.integer("group", 1);
  if (group < 1 || group > kMaxSize || weight.shape[0] % group != 0)
    throw Error(RNN_BAD_FORMAT, "group is %jd and W has shape %s", std::intmax_t{group},
                to_string(weight.shape).c_str());
  return group;
}

}  // namespace

Outputs read_convolution(const Node& node, Findings& findings, Budget& budget) {
  const Flow* x = std::get_if<Flow>(&node.input(0));
  if (x == nullptr) throw Error(RNN_UNSUPPORTED, "X is constant; it must be what is computed");
  const std::size_t rank = x->axes.size();
  if (x->content.opaque || x->content.last || x->content.stage == Content::Stage::one_hot || rank < 3)
    throw Error(RNN_UNSUPPORTED,
                "X must be the graph's input or a layer's output as [sequences, features, steps]");
  const std::size_t steps = find_steps(*x), dimensions = rank - 2;
  const Constant& weight = node.floats(1, "W");
  if (weight.shape.size() != rank)
    throw Error(RNN_BAD_FORMAT, "W has shape %s; it must have %zu axes", to_string(weight.shape).c_str(),
                rank);
  for (std::size_t i = 0; i < dimensions; ++i) {
    if (number_of(node, "strides", i, dimensions, 1) != 1) throw Error(RNN_UNSUPPORTED, "strides are not 1");
    if (number_of(node, "kernel_shape", i, dimensions, weight.shape[2 + i]) != weight.shape[2 + i])
      throw Error(RNN_BAD_FORMAT, "kernel_shape differs from the shape of W, %s",
                  to_string(weight.shape).c_str());
    const bool none = weight.shape[2 + i] == 1 && read_pads(node, i, dimensions, 0).before == 0 &&
                      read_pads(node, i, dimensions, 0).behind == 0;
    if (2 + i != steps && !none)
      throw Error(RNN_UNSUPPORTED, "of two or more dimensions; it must be a convolution over the steps");
  }
  const std::int64_t gives = weight.shape[0], taps = weight.shape[steps];
  const std::int64_t group = read_group(node, weight), reads = weight.shape[1] * group;
  const std::int64_t dilation = number_of(node, "dilations", steps - 2, dimensions, 1);
  check_sizes(weight, taps, dilation);
  const std::int64_t found = x->axes[1].size;
  if (gives < 1 || reads < 1 || (found != kUnknown && found != reads))
    throw Error(RNN_BAD_FORMAT, "W has shape %s, group is %jd and X has %jd features",
                to_string(weight.shape).c_str(), std::intmax_t{group}, std::intmax_t{found});
  check_axes(*x, {static_cast<std::int64_t>(steps), 0, 1}, findings);

  const std::int64_t reach = (taps - 1) * dilation;
  const Pads pads = read_pads(node, steps - 2, dimensions, reach);
  const Axis& time = x->axes[steps];
  Axis result{Kind::time, time.size, 0, 0, 0};
  const bool overflow = __builtin_add_overflow(time.behind, pads.behind, &result.behind);
  if (pads.before < 0 || time.before != reach - pads.before || overflow || result.behind < 0)
    throw Error(RNN_UNSUPPORTED,
                "it reads %jd steps beside its own, and there are %jd zeros before the sequence and %jd "
                "behind it; it "
                "must be causal: (kernel - 1) dilation zeros before the sequence, of pads, Pad or Concat",
                std::intmax_t{reach}, std::intmax_t{time.before} + pads.before, std::intmax_t{result.behind});

  GraphStep step = make_step(GraphStep::Kind::convolution, node, static_cast<std::size_t>(gives));
  step.weight = Constant{{gives, weight.shape[1], taps}, weight.floats, nullptr};
  step.dilation = static_cast<std::int32_t>(dilation);
  step.group = static_cast<std::int32_t>(group);
  Flow y = add_step(*x, std::move(step), findings, budget);
  y.axes[0] = {Kind::batch, x->axes[0].size};
  y.axes[1] = {Kind::features, gives};
  y.axes[steps] = result;
  if (node.optional_input(2) == nullptr) return {y};
  const std::int64_t behind = std::exchange(y.axes[steps].behind, 0);
  y = add_bias(node, y, node.floats(2, "B"), findings, budget);
  y.axes[steps].behind = behind;
  return {y};
}

}  // namespace rnn::onnx_import

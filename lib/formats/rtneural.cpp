// {"in_shape": [..., I], "layers": [{"type", "activation", "shape": [..., size], "weights": [...]}, ...]}, as
// RTNeural reads it and its scripts write it from Keras: keras_layers.h says how weights lie. A bias that a layer does
// not have is absent from them. Besides, a layer can be
//
//   conv1d      [[[kernel]], bias], kernel_size, dilation, groups
//   activation  of what it reads; no weights
//   prelu       [[[slopes]]], one for all or one for each element
//   batchnorm   [gamma, beta, mean, variance], or [mean, variance]
//
// A first layer "unknown" without weights is Keras' InputLayer. Older files have a width alone for a shape, and the
// weights of dense layers in lists of one. AIDA-X's files have "in_skip", by which the input is added to the output.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/formats/keras_layers.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using json::Value;
using keras::Kind;
using keras::Layer;
using keras::Weights;

constexpr char kKnown[] = "librnn reads lstm, gru, dense, conv1d, activation, prelu and batchnorm layers";

std::string choice(const Value& layer, const char* key) {
  const std::optional<Value> found = layer.find(key);
  return found ? std::string(found->string()) : "";
}

// What is not understood could change the output. activation_fold says of weights what they were before.
void check_keys(const Value& layer) {
  layer.each_member([&](std::string_view key, const Value& value) {
    for (const char* known : {"type", "activation", "recurrent_activation", "reset_after", "shape", "weights",
                              "name", "input_size", "hidden_size", "output_size", "activation_fold"})
      if (key == known) return;
    const std::string_view type = layer.at("type").string();
    if (key == "epsilon" && type == "batchnorm") return;
    if ((key == "kernel_size" || key == "dilation" || key == "groups") && type == "conv1d") return;
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is unknown", value.path().c_str());
  });
}

// Which form of GRU it is the biases say, and without them "reset_after".
bool read_reset_after(const Value& layer, const Value& weights) {
  const std::optional<Value> stated = layer.find("reset_after");
  if (!stated && weights.size() == 2)
    throw Error(RNN_BAD_FORMAT, "%s.reset_after is missing; a gru without bias needs it",
                layer.path().c_str());
  const bool two = weights.size() == 3 && weights.element(2).size() == 2;
  const bool after = weights.size() == 3 ? two : stated->boolean();
  if (stated && stated->boolean() != after)
    throw Error(RNN_BAD_FORMAT, "%s is %s; its bias is of the other form", stated->path().c_str(),
                stated->describe().c_str());
  return after;
}

void read_recurrent(const Value& value, Layer& layer) {
  keras::set_functions(layer, choice(value, "activation"), choice(value, "recurrent_activation"),
                       formats::kKeras);
  const Value weights = value.at("weights");
  const auto X = static_cast<std::size_t>(layer.inputs), H = static_cast<std::size_t>(layer.units);
  const std::size_t columns = keras::gate_count(layer.cell) * H;
  if (weights.size() != 2 && weights.size() != 3)
    throw Error(RNN_BAD_FORMAT, "%s has %zu entries; it must have a kernel, a recurrent kernel and a bias",
                weights.path().c_str(), weights.size());
  Weights& own = layer.weights[0];
  own.kernel = weights.element(0).matrix(X, columns);
  own.recurrent = weights.element(1).matrix(H, columns);
  if (layer.cell == RNN_CELL_GRU) layer.reset_after = read_reset_after(value, weights);
  if (weights.size() == 2) return;
  const Value bias = weights.element(2);
  const bool two = layer.cell == RNN_CELL_GRU && layer.reset_after;
  own.bias = two ? bias.matrix(2, columns) : bias.vector(columns);
}

// What is in a list of one.
Value unwrapped(const Value& list) {
  return list.kind() == json::Kind::array && list.size() == 1 ? list.element(0) : list;
}

void read_dense(const Value& value, Layer& layer) {
  const Value weights = value.at("weights");
  if (weights.size() != 1 && weights.size() != 2)
    throw Error(RNN_BAD_FORMAT, "%s has %zu entries; it must have a kernel and a bias",
                weights.path().c_str(), weights.size());
  const auto X = static_cast<std::size_t>(layer.inputs), O = static_cast<std::size_t>(layer.units);
  const Value kernel = weights.element(0), inner = unwrapped(kernel);
  layer.weights[0].kernel = (inner.kind() == json::Kind::array ? inner : kernel).matrix(X, O);
  if (weights.size() == 2) layer.weights[0].bias = unwrapped(weights.element(1)).vector(O);
}

// A number alone, or in a list of one.
std::int32_t single(const Value& value) {
  return value.kind() == json::Kind::number ? value.integer(1, kMaxSize) : value.last_integer(1, kMaxSize);
}

// [..., size], [[..., size]] or the size alone.
std::int32_t width_of(const Value& shape, std::int32_t most) {
  if (shape.kind() == json::Kind::number) return shape.integer(1, most);
  const bool nested = shape.kind() == json::Kind::array && shape.size() == 1 && !shape.element(0).is_null();
  return (nested ? shape.element(0) : shape).last_integer(1, most);
}

void read_convolution(const Value& value, Layer& layer) {
  layer.kernel_size = single(value.at("kernel_size"));
  layer.dilation = single(value.at("dilation"));
  if (const std::optional<Value> groups = value.find("groups")) layer.groups = single(*groups);
  const Value weights = value.at("weights");
  if (weights.size() != 1 && weights.size() != 2)
    throw Error(RNN_BAD_FORMAT, "%s has %zu entries; it must have a kernel and a bias",
                weights.path().c_str(), weights.size());
  const Value kernel = weights.element(0);
  const auto X = static_cast<std::size_t>(keras::group_inputs(layer)),
             O = static_cast<std::size_t>(layer.units);
  if (kernel.size() != static_cast<std::size_t>(layer.kernel_size))
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must have as many as kernel_size, %d", kernel.path().c_str(),
                kernel.describe().c_str(), layer.kernel_size);
  kernel.each([&](std::size_t, const Value& step) {
    const std::vector<float> values = step.matrix(X, O);
    layer.weights[0].kernel.insert(layer.weights[0].kernel.end(), values.begin(), values.end());
  });
  if (weights.size() == 2) layer.weights[0].bias = weights.element(1).vector(O);
}

void read_activation(const Value& value) {
  const std::optional<Value> weights = value.find("weights");
  if (weights && weights->size() != 0)
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be empty", weights->path().c_str(),
                weights->describe().c_str());
}

void read_prelu(const Value& value, Layer& layer) {
  const Value slopes = value.at("weights").element(0).element(0);
  layer.function.activation = RNN_ACTIVATION_PRELU;
  layer.function.slopes = slopes.vector(slopes.size() == 1 ? 1 : static_cast<std::size_t>(layer.inputs));
}

void read_normalization(const Value& value, Layer& layer) {
  keras::Normalization& own = layer.normalization;
  own.epsilon = value.at("epsilon").number();
  if (!(own.epsilon >= 0))
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be 0 or more", value.at("epsilon").path().c_str(),
                value.at("epsilon").describe().c_str());
  const Value weights = value.at("weights");
  if (weights.size() != 2 && weights.size() != 4)
    throw Error(RNN_BAD_FORMAT,
                "%s has %zu entries; it must have gamma, beta, mean and variance, or the last two",
                weights.path().c_str(), weights.size());
  std::vector<std::vector<float>*> parts = {&own.gamma, &own.beta, &own.mean, &own.variance};
  if (weights.size() == 2) parts = {&own.mean, &own.variance};
  for (std::size_t i = 0; i < parts.size(); ++i)
    *parts[i] = weights.element(i).vector(static_cast<std::size_t>(layer.inputs));
}

Kind kind_of(const std::string& type) {
  return type == "lstm" || type == "gru"                       ? Kind::recurrent
         : type == "dense" || type == "time-distributed-dense" ? Kind::dense
         : type == "conv1d"                                    ? Kind::convolution
         : type == "activation" || type == "prelu"             ? Kind::activation
         : type == "batchnorm"                                 ? Kind::normalization
                                                               : Kind::other;
}

// What gives as many values as it reads may say how many these are.
std::int32_t read_width(const Value& value, const Layer& layer) {
  const std::optional<Value> shape = value.find("shape");
  if (shape && width_of(*shape, kMaxClasses) != layer.inputs)
    throw Error(RNN_BAD_FORMAT, "%s ends with %d; the layer reads %d values", shape->path().c_str(),
                width_of(*shape, kMaxClasses), layer.inputs);
  return layer.inputs;
}

Layer read_layer(const Value& value, std::int32_t inputs) {
  Layer layer;
  layer.place = value.path();
  layer.type = value.at("type").string();
  layer.inputs = inputs;
  layer.kind = kind_of(layer.type);
  if (layer.kind == Kind::other) keras::refuse(layer, kKnown);
  check_keys(value);
  const bool keeps_width = layer.kind == Kind::activation || layer.kind == Kind::normalization;
  layer.units = keeps_width
                    ? read_width(value, layer)
                    : width_of(value.at("shape"), layer.kind == Kind::recurrent ? kMaxSize : kMaxClasses);
  check_size(value, "input_size", layer.inputs);
  check_size(value, "hidden_size", layer.units);
  check_size(value, "output_size", layer.units);
  if (layer.kind == Kind::recurrent) {
    layer.cell = layer.type == "gru" ? RNN_CELL_GRU : RNN_CELL_LSTM;
    read_recurrent(value, layer);
    return layer;
  }
  const bool has_function = layer.type != "prelu" && layer.kind != Kind::normalization;
  const std::string activation = choice(value, "activation");
  const std::optional<formats::Function> function = formats::find_function(activation, formats::kKeras);
  if (!function || (!has_function && function->activation != RNN_ACTIVATION_NONE))
    keras::refuse_function(layer, activation, has_function ? nullptr : "\"\"");
  layer.function = *function;
  if (layer.kind == Kind::dense) read_dense(value, layer);
  if (layer.kind == Kind::convolution) read_convolution(value, layer);
  if (layer.type == "activation") read_activation(value);
  if (layer.type == "prelu") read_prelu(value, layer);
  if (layer.kind == Kind::normalization) read_normalization(value, layer);
  return layer;
}

// Keras' InputLayer, whose type RTNeural's script does not know.
bool is_input(const Value& layer, std::int32_t inputs) {
  const std::optional<Value> shape = layer.find("shape"), weights = layer.find("weights");
  return layer.at("type").string() == "unknown" && choice(layer, "activation").empty() && shape && weights &&
         weights->size() == 0 && width_of(*shape, kMaxClasses) == inputs;
}

}  // namespace

Model read_layers(const Value& root) {
  std::vector<keras::Layer> layers;
  std::int32_t width = width_of(root.at("in_shape"), kMaxClasses);
  root.at("layers").each([&](std::size_t i, const Value& value) {
    if (i == 0 && is_input(value, width)) return;
    layers.push_back(read_layer(value, width));
    width = layers.back().outputs();
  });
  check_skip(root, "in_skip", width);
  Model model = keras::make_model(std::move(layers), kKnown);
  model.config.skip = read_skip(root, "in_skip");
  model.metadata = read_metadata(root, {"in_shape", "layers", "in_skip"});
  return model;
}

}  // namespace rnn

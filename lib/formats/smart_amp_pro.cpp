// SmartAmpPro's models: {"conv1d": {...}, "conv1d_1": {...}, "lstm": {...}, "dense": {...}, "input_size": N,
// "conv1d_stride": S, "conv1d_1_stride": S'}, each layer of Keras with "kernel:0" and "bias:0". An output is computed
// from the last N inputs alone: both convolutions go over these with their strides, with zeros on both sides
// (padding="same"), until a single step is left, and of that the LSTM computes one step from zeros.
//
// The convolutions have no activation, and so are one, of N steps. An LSTM starts from zeros at every step if its
// forget gate is shut and no gate reads h.
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "lib/formats/json_kinds.h"
#include "lib/formats/layer_model.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using json::Value;

constexpr float kShut = -1000.0f;  // a bias whose sigmoid is 0
constexpr std::size_t kLeastWindow = 1 << 16;

// A Conv1D with a stride. What it gives for `inputs` steps of [channels] is [outputs, filters].
struct Convolution {
  std::size_t stride, channels, filters, taps;
  std::vector<float> kernel;  // [taps, channels, filters]
  std::vector<float> bias;    // [filters]

  std::size_t outputs(std::size_t inputs) const noexcept { return (inputs + stride - 1) / stride; }
  // Zeros before the first input.
  std::size_t left(std::size_t inputs) const noexcept {
    const std::size_t covered = (outputs(inputs) - 1) * stride + taps;
    return covered > inputs ? (covered - inputs) / 2 : 0;
  }
  double weight(std::size_t tap, std::size_t channel, std::size_t filter) const {
    return static_cast<double>(kernel[(tap * channels + channel) * filters + filter]);
  }
};

std::size_t count(const Value& object, const char* key) {
  return static_cast<std::size_t>(object.at(key).integer(1, kMaxSize));
}

Convolution read_convolution(const Value& root, const char* name, std::size_t channels) {
  const Value layer = root.at(name), kernel = layer.at("kernel:0"), bias = layer.at("bias:0");
  Convolution out{
      count(root, (std::string(name) + "_stride").c_str()), channels, bias.size(), kernel.size(), {}, {}};
  out.bias = bias.vector(out.filters);
  kernel.each([&](std::size_t, const Value& tap) {
    const std::vector<float> values = tap.matrix(channels, out.filters);
    out.kernel.insert(out.kernel.end(), values.begin(), values.end());
  });
  if (out.filters == 0 || out.taps == 0)
    throw Error(RNN_BAD_FORMAT, "%s has %zu steps and %zu filters; there must be one or more",
                kernel.path().c_str(), out.taps, out.filters);
  return out;
}

// y = weight x + bias, of the x [window] that end at the present step.
struct Window {
  std::vector<float> weight;  // [filters, window]
  std::vector<float> bias;    // [filters]
};

Window combine(const Convolution& first, const Convolution& second, std::size_t window) {
  const std::size_t steps = first.outputs(window), before = first.left(window), above = second.left(steps);
  std::vector<double> weight(second.filters * window), bias(second.bias.begin(), second.bias.end());
  for (std::size_t tap = 0; tap < second.taps; ++tap) {
    if (tap < above || tap - above >= steps) continue;
    const std::size_t begin = (tap - above) * first.stride;
    for (std::size_t f = 0; f < second.filters; ++f)
      for (std::size_t c = 0; c < first.filters; ++c) {
        const double scale = second.weight(tap, c, f);
        bias[f] += scale * static_cast<double>(first.bias[c]);
        for (std::size_t i = 0; i < first.taps; ++i)
          if (begin + i >= before && begin + i - before < window)
            weight[f * window + begin + i - before] += scale * first.weight(i, 0, c);
      }
  }
  return {{weight.begin(), weight.end()}, {bias.begin(), bias.end()}};
}

// How many values it gives.
std::size_t add_window(const Value& root, LayerModel& list) {
  const Convolution first = read_convolution(root, "conv1d", 1);
  const Convolution second = read_convolution(root, "conv1d_1", first.filters);
  const Value size = root.at("input_size");
  const std::size_t window = count(root, "input_size"), steps = second.outputs(first.outputs(window));
  if (steps != 1)
    throw Error(RNN_UNSUPPORTED,
                "unsupported: %s is %zu, and with their strides the convolutions make %zu steps of that; the "
                "file has "
                "the LSTM for one",
                size.path().c_str(), window, steps);
  if (second.filters * window > std::max(kLeastWindow, first.kernel.size() + second.kernel.size()))
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %zu, which would need a matrix of %zu x %zu",
                size.path().c_str(), window, second.filters, window);
  Window all = combine(first, second, window);
  rnn_layer_t layer{};
  layer.kind = RNN_LAYER_CONV1D;
  layer.size = static_cast<std::int32_t>(second.filters);
  layer.kernel_size = static_cast<std::int32_t>(window);
  layer.dilation = 1;
  list.model.config.input_size = 1;
  list.add_dense("conv1d", layer, std::move(all.weight), std::move(all.bias));
  return second.filters;
}

// Gates i, f, g, o: ours.
std::size_t add_lstm(const Value& root, LayerModel& list, std::size_t inputs) {
  const Value layer = root.at("lstm"), bias = layer.at("bias:0");
  const std::size_t rows = bias.size(), H = rows / 4;
  if (rows == 0 || rows % 4 != 0)
    throw Error(RNN_BAD_FORMAT, "%s has %zu values; it must have 4 for each unit", bias.path().c_str(), rows);
  const std::vector<float> kernel = layer.at("kernel:0").matrix(inputs, rows);
  LayerModel::Parameters own;
  std::vector<float>& weight = own["weight_ih"];
  weight.resize(rows * inputs);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t j = 0; j < inputs && row / H != 1; ++j)
      weight[row * inputs + j] = kernel[j * rows + row];
  own["weight_hh"].resize(rows * H);
  own["bias_ih"] = bias.vector(rows);
  std::fill_n(own["bias_ih"].begin() + static_cast<std::ptrdiff_t>(H), H, kShut);
  rnn_layer_t lstm{};
  lstm.kind = RNN_CELL_LSTM;
  lstm.size = static_cast<std::int32_t>(H);
  list.add_recurrent("lstm", lstm, {std::move(own)});
  return H;
}

void add_dense(const Value& root, LayerModel& list, std::size_t inputs) {
  const Value layer = root.at("dense");
  rnn_layer_t dense{};
  dense.kind = RNN_LAYER_DENSE;
  dense.size = 1;
  list.add_dense("dense", dense, layer.at("kernel:0").matrix(inputs, 1), layer.at("bias:0").vector(1));
}

// A layer that is not known would change the output.
void check_layers(const Value& root) {
  root.each_member([&](std::string_view key, const Value& value) {
    if (value.kind() != json::Kind::object) return;
    for (const char* known : {"conv1d", "conv1d_1", "lstm", "dense", "metadata"})
      if (key == known) return;
    throw Error(RNN_UNSUPPORTED, "unsupported: layer %s is unknown", value.path().c_str());
  });
}

}  // namespace

Model read_smart_amp_pro(const Value& root) {
  check_layers(root);
  LayerModel list;
  const std::size_t filters = add_window(root, list), units = add_lstm(root, list, filters);
  add_dense(root, list, units);
  Model model = std::move(list).build("dense");
  model.metadata = read_metadata(
      root, {"conv1d", "conv1d_1", "lstm", "dense", "input_size", "conv1d_stride", "conv1d_1_stride"});
  return model;
}

}  // namespace rnn

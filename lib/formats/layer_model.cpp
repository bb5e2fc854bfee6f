#include "lib/formats/layer_model.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lib/cells/cell.h"
#include "lib/network/config.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"

namespace rnn {
namespace {

constexpr std::size_t kLeastAdded = 1 << 20;
constexpr std::string_view kReverse = "_reverse";

rnn_config_t resolve_list(rnn_config_t config, const std::vector<rnn_layer_t>& layers) {
  config.struct_size = sizeof config;
  config.layers = layers.data();
  config.layer_count = layers.size();
  try {
    return resolve(config);
  } catch (const Error& error) {
    throw Error(RNN_UNSUPPORTED, "unsupported: configuration: %s", error.what());
  }
}

// "weight_ih_reverse" of layer 2 is "weight_ih_l2_reverse".
std::string uniform_name(const std::string& name, std::size_t layer) {
  const bool reverse =
      name.size() > kReverse.size() && name.compare(name.size() - kReverse.size(), name.npos, kReverse) == 0;
  const std::string base = reverse ? name.substr(0, name.size() - kReverse.size()) : name;
  return base + "_l" + std::to_string(layer) + (reverse ? std::string(kReverse) : "");
}

bool is_zero(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value == 0; });
}

void multiply(float& value, double scale) { value = static_cast<float>(static_cast<double>(value) * scale); }

// W x + b, then y.
void apply_behind(const Affine& y, std::vector<float>& weight, std::vector<float>& bias) {
  const std::size_t columns = weight.size() / y.scale.size();
  for (std::size_t i = 0; i < weight.size(); ++i) multiply(weight[i], y.scale[i / columns]);
  if (bias.empty() && is_zero(y.shift)) return;
  bias.resize(y.scale.size());
  for (std::size_t i = 0; i < bias.size(); ++i)
    bias[i] = static_cast<float>(static_cast<double>(bias[i]) * y.scale[i] + y.shift[i]);
}

// y, then W y + b.
void apply_before(const Affine& y, std::vector<float>& weight, std::vector<float>& bias) {
  const std::size_t columns = y.scale.size(), rows = weight.size() / columns;
  const bool shifts = !is_zero(y.shift);
  if (shifts) bias.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      float& value = weight[row * columns + j];
      sum += static_cast<double>(value) * y.shift[j];
      multiply(value, y.scale[j]);
    }
    if (shifts) bias[row] = static_cast<float>(static_cast<double>(bias[row]) + sum);
  }
}

}  // namespace

Affine Affine::after(const Affine& first) const {
  if (first.empty()) return *this;
  Affine both = *this;
  for (std::size_t i = 0; i < scale.size(); ++i) {
    both.scale[i] *= first.scale[i];
    both.shift[i] += scale[i] * first.shift[i];
  }
  return both;
}

bool Affine::is_identity() const noexcept {
  return std::all_of(scale.begin(), scale.end(), [](double value) { return value == 1; }) && is_zero(shift);
}

void LayerModel::add(const std::string& place, const rnn_layer_t& layer, Parameters parameters) {
  if (count() == kMaxListed)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is one too many; a network has at most %zu", place.c_str(),
                kMaxListed);
  for (const auto& [name, values] : parameters) held_ += values.size();
  layers_.push_back(layer);
  layers_.back().struct_size = sizeof layer;
  parameters_.push_back(std::move(parameters));
  pending_ = {};
}

void LayerModel::add_recurrent(const std::string& place, rnn_layer_t layer,
                               std::vector<Parameters> directions) {
  Parameters all;
  for (std::size_t d = 0; d < directions.size(); ++d) {
    Parameters& own = directions[d];
    if (!pending_.empty()) {
      std::vector<float> bias = std::move(own["bias_ih"]);
      apply_before(pending_, own["weight_ih"], bias);
      own["bias_ih"] = std::move(bias);
    }
    const bool reverse = d == 1 || layer.direction == RNN_DIRECTION_REVERSE;
    for (auto& [name, values] : own)
      if (!values.empty()) all[name + std::string(reverse ? kReverse : "")] = std::move(values);
  }
  add(place, layer, std::move(all));
  is_open_ = false;
}

void LayerModel::add_dense(const std::string& place, rnn_layer_t layer, std::vector<float> weight,
                           std::vector<float> bias) {
  // The steps before the first are zeros behind the affine map, not before it.
  if (!pending_.empty() && layer.kind == RNN_LAYER_CONV1D) add_diagonal(place, {}, pending_.scale.size());
  if (!pending_.empty()) apply_before(pending_, weight, bias);
  Parameters own;
  own["weight"] = std::move(weight);
  if (!bias.empty()) own["bias"] = std::move(bias);
  add(place, layer, std::move(own));
  is_open_ = true;
}

void LayerModel::add_grouped(const std::string& place, const rnn_layer_t& layer, std::vector<float> weight,
                             std::vector<float> bias, std::size_t groups) {
  if (groups == 1) return add_dense(place, layer, std::move(weight), std::move(bias));
  const auto rows = static_cast<std::size_t>(layer.size);
  const std::size_t taps = static_cast<std::size_t>(std::max(layer.kernel_size, std::int32_t{1}));
  const std::size_t reads = weight.size() / rows / taps, columns = taps * reads * groups;
  count_added(place, rows, columns);
  std::vector<float> whole(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t group = row / (rows / groups);
    for (std::size_t k = 0; k < taps; ++k)
      std::copy_n(weight.data() + (row * taps + k) * reads, reads,
                  whole.data() + row * columns + (k * groups + group) * reads);
  }
  const std::size_t held = held_ + weight.size();
  add_dense(place, layer, std::move(whole), std::move(bias));
  held_ = held;
}

void LayerModel::add_function(const std::string& place, formats::Function function, std::size_t width) {
  if (function.activation == RNN_ACTIVATION_NONE) return;
  if (is_open_)
    set_function(std::move(function));
  else
    add_diagonal(place, std::move(function), width);
}

void LayerModel::set_function(formats::Function function) {
  rnn_layer_t& layer = layers_.back();
  layer.activation = function.activation;
  layer.alpha = function.alpha;
  layer.beta = function.beta;
  if (function.slopes.size() == 1)
    function.slopes.resize(static_cast<std::size_t>(layer.size), function.slopes[0]);
  if (!function.slopes.empty()) parameters_.back()["slope"] = std::move(function.slopes);
  is_open_ = false;
}

// A small file may not ask for large matrices.
void LayerModel::count_added(const std::string& place, std::size_t rows, std::size_t columns) {
  added_ += rows * columns;
  if (added_ > std::max(held_, kLeastAdded))
    throw Error(RNN_UNSUPPORTED, "unsupported: %s would need a matrix of %zu x %zu", place.c_str(), rows,
                columns);
}

// What no matrix can take in is a dense layer of its own.
void LayerModel::add_diagonal(const std::string& place, formats::Function function, std::size_t width) {
  count_added(place, width, width);
  std::vector<float> weight(width * width);
  for (std::size_t i = 0; i < width; ++i) weight[i * width + i] = 1.0f;
  rnn_layer_t layer{};
  layer.kind = RNN_LAYER_DENSE;
  layer.size = static_cast<std::int32_t>(width);
  const std::size_t held = held_;
  add_dense(place, layer, std::move(weight), {});
  held_ = held;
  if (function.activation != RNN_ACTIVATION_NONE) set_function(std::move(function));
}

void LayerModel::add_affine(const Affine& affine) {
  if (!is_open_) {
    pending_ = affine.after(pending_);
    if (pending_.is_identity()) pending_ = {};
    return;
  }
  Parameters& own = parameters_.back();
  std::vector<float> bias = std::move(own["bias"]);
  apply_behind(affine, own["weight"], bias);
  own["bias"] = std::move(bias);
  if (own["bias"].empty()) own.erase("bias");
}

void LayerModel::close(const std::string& place, std::size_t width) {
  if (!pending_.empty() || width != 0) add_diagonal(place, {}, width != 0 ? width : pending_.scale.size());
  is_open_ = false;
}

bool LayerModel::add_residual() {
  if (!pending_.empty()) return false;
  layers_.back().flags |= RNN_FLAG_RESIDUAL;
  is_open_ = false;
  return true;
}

// An affine map may also be behind a mean; behind a maximum if it does not turn the order round.
void LayerModel::end_steps(const std::string& place, std::int32_t pooling, std::size_t width) {
  const bool turns =
      std::any_of(pending_.scale.begin(), pending_.scale.end(), [](double s) { return s < 0; });
  if (layers_.empty() || (pooling == RNN_POOLING_MAX && turns)) add_diagonal(place, {}, width);
  rnn_layer_t& layer = layers_.back();
  if (layer.kind == RNN_LAYER_DENSE) {
    layer.kind = RNN_LAYER_CONV1D;
    layer.kernel_size = layer.dilation = 1;
  }
  is_open_ = false;
}

void LayerModel::tie_head() {
  model.config.flags |= RNN_FLAG_TIED_HEAD;
  parameters_.back().erase("weight");
  is_open_ = false;
}

// All layers have biases, or none has: what lacks it while others have it gets zeros, which is the same.
void LayerModel::settle_biases() {
  const auto is_tied = [&](std::size_t l) {
    return (model.config.flags & RNN_FLAG_TIED_HEAD) != 0 && l + 1 == layers_.size();
  };
  bool biases = false;
  for (const Parameters& own : parameters_)
    for (const auto& entry : own) biases = biases || entry.first.rfind("bias", 0) == 0;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    rnn_layer_t& layer = layers_[l];
    if (!biases) {
      layer.flags |= RNN_FLAG_NO_BIAS;
      continue;
    }
    Parameters& own = parameters_[l];
    const cells::Cell& cell = *cells::find(layer);
    for (const std::string& way : {std::string(), std::string(kReverse)}) {
      if (own.count(cell.input + way) == 0 && !(is_tied(l) && way.empty())) continue;
      for (std::size_t i = 0; i < cell.vector_count; ++i)
        if (cell.vectors[i].start == cells::Vector::Start::bias)
          own[cell.vectors[i].name + way].resize(cell.vectors[i].gates *
                                                 static_cast<std::size_t>(layer.size));
    }
  }
}

Model LayerModel::build(const std::string& place) && {
  if (!pending_.empty()) add_diagonal(place, {}, pending_.scale.size());
  settle_biases();
  const rnn_config_t config = resolve_list(model.config, layers_);
  const bool is_list = config.layers != nullptr;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const bool dense = layers_[l].kind == RNN_LAYER_DENSE;
    for (auto& [name, values] : parameters_[l])
      model.parameters[is_list ? "layers." + std::to_string(l) + "." + name
                       : dense ? "head." + name
                               : uniform_name(name, l)] = std::move(values);
  }
  if (is_list)
    model.layers = std::move(layers_);
  else
    model.config = config;
  return std::move(model);
}

}  // namespace rnn

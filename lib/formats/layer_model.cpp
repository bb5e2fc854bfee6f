#include "lib/formats/layer_model.h"

#include <string_view>
#include <utility>

#include "lib/network/config.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

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
  constexpr std::string_view kReverse = "_reverse";
  const bool reverse =
      name.size() > kReverse.size() && name.compare(name.size() - kReverse.size(), name.npos, kReverse) == 0;
  const std::string base = reverse ? name.substr(0, name.size() - kReverse.size()) : name;
  return base + "_l" + std::to_string(layer) + (reverse ? std::string(kReverse) : "");
}

}  // namespace

void LayerModel::add(const rnn_layer_t& layer) {
  layers_.push_back(layer);
  layers_.back().struct_size = sizeof layer;
  parameters_.emplace_back();
}

Model LayerModel::build() && {
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

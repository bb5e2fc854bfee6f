// What a network is.
#include <algorithm>

#include "tests/reference/reference.h"

namespace rnn::reference {
namespace {

Activations activations_of(const rnn_layer_t& given) {
  Activations a;
  if (given.gate_activation != 0) a.gate = {given.gate_activation, given.gate_alpha, given.gate_beta};
  if (given.activation != 0) a.new_gate = {given.activation, given.alpha, given.beta};
  if (given.output_activation != 0)
    a.output = {given.output_activation, given.output_alpha, given.output_beta};
  a.clip = given.clip;
  return a;
}

Layer layer_of(const rnn_layer_t& given) {
  Layer layer;
  layer.kind = given.kind;
  layer.flags = given.flags;
  layer.size = static_cast<std::size_t>(given.size);
  layer.projection = static_cast<std::size_t>(given.projection_size);
  layer.direction = given.direction;
  layer.activation = {given.activation, given.alpha, given.beta};
  layer.activations = activations_of(given);
  layer.zoneout_h = static_cast<double>(given.zoneout_h);
  layer.zoneout_c = static_cast<double>(given.zoneout_c);
  if (given.kind != RNN_LAYER_CONV1D) return layer;
  layer.taps = static_cast<std::size_t>(given.kernel_size);
  layer.dilation = static_cast<std::size_t>(given.dilation);
  return layer;
}

// The stack that the fields beside the list stand for.
std::vector<Layer> stack(const rnn_config_t& config) {
  Layer layer;
  layer.kind = config.cell != 0 ? config.cell : RNN_CELL_VANILLA;
  layer.flags = config.flags;
  layer.size = static_cast<std::size_t>(config.hidden_size);
  layer.projection = static_cast<std::size_t>(config.projection_size);
  layer.direction = layer.has(RNN_FLAG_BIDIRECTIONAL) ? RNN_DIRECTION_BOTH : RNN_DIRECTION_FORWARD;
  std::vector<Layer> layers(static_cast<std::size_t>(std::max(config.num_layers, 1)), layer);
  layers.front().flags &= ~static_cast<std::uint32_t>(RNN_FLAG_RESIDUAL);
  if (config.output_size == 0) return layers;
  Layer head;
  head.kind = RNN_LAYER_DENSE;
  head.size = static_cast<std::size_t>(config.output_size);
  layers.push_back(head);
  return layers;
}

}  // namespace

bool Layer::has_kinks() const {
  if (is_dense()) return activation.has_kinks();
  return kind == RNN_CELL_MIN_GRU || kind == RNN_CELL_MIN_LSTM || has(RNN_FLAG_RELU) ||
         activations.has_kinks();
}

bool Network::has_head() const {
  const Layer& last = layers.back();
  return layers.size() > 1 && last.kind == RNN_LAYER_DENSE && last.activation.kind == RNN_ACTIVATION_NONE &&
         !last.has(RNN_FLAG_RESIDUAL);
}

std::size_t Network::before_pooling() const {
  for (std::size_t l = layers.size(); l > 0; --l)
    if (layers[l - 1].kind != RNN_LAYER_DENSE) return l;
  return body();
}

std::size_t Network::inputs_of(std::size_t layer) const {
  if (layer > 0) return layers[layer - 1].outputs();
  return embedding != 0 ? embedding : inputs;
}

std::size_t Network::h_size(std::size_t layer) const {
  return layers[layer].is_dense() ? layers[layer].reach() * inputs_of(layer) : layers[layer].width();
}

std::size_t Network::state_size() const {
  std::size_t size = 0;
  for (std::size_t l = 0; l < layers.size(); ++l)
    size += layers[l].directions() * (h_size(l) + layers[l].c_size());
  return size;
}

std::string Network::parameter_name(std::size_t layer, const std::string& name, bool reverse) const {
  const std::string suffix = reverse ? "_reverse" : "";
  if (is_list) return "layers." + std::to_string(layer) + "." + name + suffix;
  if (layer >= body()) return "head." + name;
  return name + "_l" + std::to_string(layer) + suffix;
}

bool Network::has(std::uint32_t flag) const {
  return std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) { return layer.has(flag); });
}

bool Network::has_weight_hh() const {
  return std::any_of(layers.begin(), layers.end(), [](const Layer& layer) { return layer.has_weight_hh(); });
}

bool Network::has_zoneout() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const Layer& layer) { return layer.zoneout_h != 0 || layer.zoneout_c != 0; });
}

bool Network::has_kinks() const {
  return std::any_of(layers.begin(), layers.end(), [](const Layer& layer) { return layer.has_kinks(); });
}

Network architecture(const rnn_config_t& config) {
  Network network;
  network.inputs = static_cast<std::size_t>(config.input_size);
  network.embedding = static_cast<std::size_t>(config.embedding_size);
  network.skip = static_cast<std::size_t>(config.skip);
  network.tied = (config.flags & RNN_FLAG_TIED_HEAD) != 0;
  network.is_list = config.layers != nullptr;
  if (network.is_list)
    for (std::size_t l = 0; l < config.layer_count; ++l) network.layers.push_back(layer_of(config.layers[l]));
  else
    network.layers = stack(config);
  return network;
}

}  // namespace rnn::reference

#include "lib/network/layer.h"

#include <limits>

#include "lib/network/layer_list.h"

namespace rnn {
namespace {

using kernels::Activation;
using kernels::ActivationKind;

Activation activation_of(std::int32_t given, float alpha, float beta, ActivationKind own) noexcept {
  return {given != RNN_ACTIVATION_NONE ? static_cast<ActivationKind>(given) : own, alpha, beta};
}

kernels::Activations custom_of(const rnn_layer_t& given, const cells::Cell& cell) noexcept {
  return {activation_of(given.gate_activation, given.gate_alpha, given.gate_beta, ActivationKind::sigmoid),
          activation_of(given.activation, given.alpha, given.beta, cell.activation),
          activation_of(given.output_activation, given.output_alpha, given.output_beta, ActivationKind::tanh),
          given.clip != 0.0f ? given.clip : std::numeric_limits<float>::infinity()};
}

}  // namespace

Buffer<Layer> make_layers(const rnn_config_t& config, const Allocator& allocator) {
  Buffer<Layer> layers(allocator, layer_count(config) - (ends_in_head(config) ? 1 : 0));
  std::size_t strands = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const rnn_layer_t given = layer_at(config, l);
    Layer& layer = layers[l];
    layer.cell = cells::find(given);
    layer.activation = activation_of(given.activation, given.alpha, given.beta, ActivationKind::none);
    layer.custom = custom_of(given, *layer.cell);
    layer.zoneout[0] = given.zoneout_h;
    layer.zoneout[1] = given.zoneout_c;
    layer.index = l;
    layer.first_strand = strands;
    layer.inputs = layer_inputs(config, l);
    layer.taps = given.kernel_size != 0 ? static_cast<std::size_t>(given.kernel_size) : 1;
    layer.dilation = static_cast<std::size_t>(given.dilation);
    layer.hidden = static_cast<std::size_t>(given.size);
    layer.projected =
        given.projection_size != 0 ? static_cast<std::size_t>(given.projection_size) : layer.hidden;
    layer.sums = given.direction == RNN_DIRECTION_SUM;
    layer.directions = layer.sums || given.direction == RNN_DIRECTION_BOTH ? 2 : 1;
    layer.reverse = given.direction == RNN_DIRECTION_REVERSE;
    layer.residual = (given.flags & RNN_FLAG_RESIDUAL) != 0;
    layer.layer_norm = (given.flags & RNN_FLAG_LAYER_NORM) != 0;
    layer.bias = (given.flags & RNN_FLAG_NO_BIAS) == 0;
    strands += layer.directions;
  }
  return layers;
}

Head make_head(const rnn_config_t& config) noexcept {
  if (!ends_in_head(config)) return {0, 0, false};
  const std::size_t index = layer_count(config) - 1;
  const rnn_layer_t layer = layer_at(config, index);
  return {static_cast<std::size_t>(layer.size), index, (layer.flags & RNN_FLAG_NO_BIAS) == 0};
}

}  // namespace rnn

#include "lib/formats/model.h"

#include <cmath>
#include <cstdint>

#include "lib/cells/cell.h"
#include "lib/formats/contents.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using formats::quote;

rnn_config_t check_config(const Model& model) {
  rnn_config_t config = model.config;
  config.struct_size = sizeof config;
  if (!model.layers.empty()) {
    config.layers = model.layers.data();
    config.layer_count = model.layers.size();
  }
  try {
    return resolve(config);
  } catch (const Error& error) {
    throw Error(RNN_UNSUPPORTED, "unsupported: configuration: %s", error.what());
  }
}

// The weights are laid out only when the model holds about as many numbers as they will.
void check_size(const rnn_config_t& config, const Model& model) {
  const Buffer<Layer> layers = make_layers(config, Allocator());
  std::uint64_t least = 0, width = 0;
  for (const Layer& layer : layers) {
    const std::uint64_t recurrent = layer.cell->recurrent_gates() * layer.hidden * layer.projected;
    least += layer.directions * (recurrent + layer.gates() * layer.columns());
    width = layer.outputs();
  }
  least += make_head(config).outputs * width;
  std::uint64_t held = 0;
  for (const auto& [name, values] : model.parameters) held += values.size();
  if (held < least)
    throw Error(RNN_BAD_FORMAT, "the model holds %ju numbers; a network of its sizes has %ju or more",
                std::uintmax_t{held}, std::uintmax_t{least});
}

const std::vector<float>& expect(const Model& model, const Parameter& parameter) {
  const auto found = model.parameters.find(parameter.name);
  if (found == model.parameters.end()) throw Error(RNN_BAD_FORMAT, "%s is missing", parameter.name);
  const std::vector<float>& values = found->second;
  if (values.size() != parameter.count())
    throw Error(RNN_BAD_FORMAT, "%s has %zu values; it must have %zu x %zu", parameter.name, values.size(),
                parameter.rows, parameter.columns);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(RNN_BAD_FORMAT, "%s: value %zu is %g; it must be finite", parameter.name, i,
                  static_cast<double>(values[i]));
  return values;
}

}  // namespace

void set_metadata(Weights& weights, const Metadata::Pairs& pairs) {
  for (const auto& [key, value] : pairs) {
    try {
      Metadata::check(key, value);
    } catch (const Error& error) {
      throw Error(RNN_BAD_FORMAT, "metadata %s: %s", quote(key).c_str(), error.what());
    }
  }
  weights.metadata().assign(weights.allocator(), pairs);
}

WeightsRef build(const Model& model, const Allocator& allocator) {
  const rnn_config_t config = check_config(model);
  check_size(config, model);
  WeightsRef ref = WeightsRef::make(config, allocator);
  Weights& weights = ref.mutate();
  for (const auto& [name, values] : model.parameters)
    if (weights.find(name.c_str()) == nullptr)
      throw Error(RNN_BAD_FORMAT, "%s is not part of this network", quote(name).c_str());
  for (std::size_t i = 0; i < weights.parameter_count(); ++i)
    weights.set(weights.parameter(i), expect(model, weights.parameter(i)).data());
  weights.pack();
  set_metadata(weights, {model.metadata.begin(), model.metadata.end()});
  if (model.probe) check_probe(ref, *model.probe);
  return ref;
}

}  // namespace rnn

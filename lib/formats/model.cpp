#include "lib/formats/model.h"

#include <cmath>
#include <cstdint>

#include "lib/cells/cell.h"
#include "lib/formats/contents.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using formats::quote;

rnn_config_t check_config(rnn_config_t config) {
  config.struct_size = sizeof config;
  try {
    return resolve(config);
  } catch (const Error& error) {
    throw Error(RNN_UNSUPPORTED, "unsupported: configuration: %s", error.what());
  }
}

// The weights are laid out only when the model holds about as many numbers as they will.
void check_size(const rnn_config_t& config, const Model& model) {
  const auto size = [](std::int32_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t strands =
      size(config.num_layers) * ((config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? 2 : 1);
  const std::uint64_t width = size(config.projection_size != 0 ? config.projection_size : config.hidden_size);
  const std::uint64_t read = size(config.embedding_size != 0 ? config.embedding_size : config.input_size);
  const cells::Cell& cell = *cells::find(config.cell, config.flags & cells::kVariants);
  const std::uint64_t least = strands * cell.recurrent_gates() * size(config.hidden_size) * width +
                              cell.gates * size(config.hidden_size) * read + size(config.output_size) * width;
  std::uint64_t held = 0;
  for (const auto& [name, values] : model.parameters) held += values.size();
  if (held < least)
    throw Error(RNN_BAD_FORMAT, "the model holds %ju numbers; a network of its sizes has more than %ju",
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
  const rnn_config_t config = check_config(model.config);
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

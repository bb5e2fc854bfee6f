#include <algorithm>

#include "lib/network/init.h"
#include "tests/reference/lists.h"
#include "tests/unit/network_test.h"

namespace rnn {
namespace {

struct Kind {
  const char* name;
  std::int32_t cell;
  std::uint32_t flags;
  bool projection;
};
constexpr Kind kKinds[] = {
    {"vanilla", RNN_CELL_VANILLA, 0, false},
    {"relu", RNN_CELL_VANILLA, RNN_FLAG_RELU, false},
    {"gru", RNN_CELL_GRU, 0, false},
    {"gru, reset before", RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE, false},
    {"lstm", RNN_CELL_LSTM, 0, false},
    {"lstm with projection", RNN_CELL_LSTM, 0, true},
    {"mingru", RNN_CELL_MIN_GRU, 0, false},
    {"minlstm", RNN_CELL_MIN_LSTM, 0, false},
    {"lstm with peepholes", RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES, false},
    {"coupled lstm", RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES, true},
    {"coupled lstm with peepholes", RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES, false}};

constexpr std::uint32_t kVariants =
    RNN_FLAG_RELU | RNN_FLAG_RESET_BEFORE | RNN_FLAG_PEEPHOLES | RNN_FLAG_COUPLED_GATES;

// Layer normalisation is of all gates of one product with W_hh.
bool can_normalize(const Kind& kind) {
  return kind.flags != RNN_FLAG_RESET_BEFORE && kind.cell != RNN_CELL_MIN_GRU &&
         kind.cell != RNN_CELL_MIN_LSTM;
}

struct Size {
  std::int32_t I, H, O, L;
};
constexpr Size kSizes[] = {{1, 1, 0, 1},    {2, 20, 1, 1},  {3, 5, 2, 3},   {7, 16, 0, 2},
                           {20, 17, 33, 3}, {65, 40, 7, 2}, {5, 130, 40, 1}};

float number(std::mt19937& random) {
  return static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
}

rnn_config_t make_config(const Kind& kind, const Size& size, std::uint32_t options, bool embedding) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = kind.cell;
  config.input_size = size.I;
  config.hidden_size = size.H;
  config.output_size = size.O;
  config.num_layers = size.L;
  config.flags = kind.flags | options;
  config.projection_size = kind.projection && size.H > 1 ? std::max(1, size.H * 2 / 5) : 0;
  config.embedding_size = embedding ? 9 : 0;
  config.initial_state = size.H % 2 != 0 ? RNN_INITIAL_FIXED : RNN_INITIAL_ZERO;
  config.seed = 1;
  return config;
}

// Of the same network with its head tied.
rnn_config_t tie_head(rnn_config_t config) {
  config.flags |= RNN_FLAG_TIED_HEAD;
  config.output_size = config.input_size;
  config.embedding_size = (config.projection_size != 0 ? config.projection_size : config.hidden_size) *
                          ((config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? 2 : 1);
  return config;
}

// Of the same network that adds inputs to its outputs: as many as can be, or one.
rnn_config_t add_skip(rnn_config_t config) {
  const std::int32_t width = (config.projection_size != 0 ? config.projection_size : config.hidden_size) *
                             ((config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? 2 : 1);
  const std::int32_t most = std::min(config.input_size, config.output_size != 0 ? config.output_size : width);
  config.skip = config.hidden_size % 2 != 0 ? 1 : most;
  return config;
}

Results room(const Weights& weights, const Data& data) {
  const std::size_t S = weights.state_size();
  return {std::vector<float>(data.frames * weights.output_size()), std::vector<float>(data.frames * S),
          std::vector<float>(data.lengths.size() * S)};
}

}  // namespace

std::vector<rnn_config_t> all_configs(bool bidirectional) {
  std::vector<rnn_config_t> configs;
  const std::uint32_t both = bidirectional ? RNN_FLAG_BIDIRECTIONAL : 0;
  for (const Kind& kind : kKinds) {
    for (const Size& size : kSizes) {
      configs.push_back(make_config(kind, size, both, false));
      configs.push_back(add_skip(make_config(kind, size, both, false)));
      configs.push_back(make_config(kind, size, both | RNN_FLAG_RESIDUAL | RNN_FLAG_NO_BIAS, true));
      configs.push_back(tie_head(make_config(kind, size, both | RNN_FLAG_RESIDUAL, true)));
      if (!can_normalize(kind)) continue;
      configs.push_back(make_config(kind, size, both | RNN_FLAG_LAYER_NORM, true));
      configs.push_back(make_config(kind, size, both | RNN_FLAG_LAYER_NORM | RNN_FLAG_RESIDUAL, false));
      configs.push_back(
          add_skip(make_config(kind, size, both | RNN_FLAG_LAYER_NORM | RNN_FLAG_RESIDUAL, false)));
    }
  }
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    reference::ListKind kind;
    kind.whole = bidirectional;
    kind.widest = seed % 4 == 0 ? 70 : 20;
    configs.push_back(reference::random_list(seed, kind));
  }
  return configs;
}

std::string describe(const rnn_config_t& c) {
  if (c.layers != nullptr) return reference::text_of(c);
  std::string text;
  for (const Kind& kind : kKinds)
    if (kind.cell == c.cell && (c.flags & kVariants) == kind.flags &&
        kind.projection <= (c.projection_size != 0))
      text = kind.name;
  const auto add = [&](const char* name, std::int32_t size) { text += name + std::to_string(size); };
  add(", I ", c.input_size);
  add(", H ", c.hidden_size);
  add(", O ", c.output_size);
  add(", L ", c.num_layers);
  add(", P ", c.projection_size);
  add(", E ", c.embedding_size);
  add(", skip ", c.skip);
  add(", flags ", static_cast<std::int32_t>(c.flags));
  return text;
}

Network make_network(const rnn_config_t& config) {
  WeightsRef weights = WeightsRef::make(resolve(config), Allocator());
  initialize(weights.mutate());
  std::mt19937 random(static_cast<unsigned>(config.hidden_size));
  for (std::size_t i = 0; i < weights->parameter_count(); ++i) {
    const Parameter& parameter = weights->parameter(i);
    if (parameter.is_matrix()) continue;
    std::vector<float> values(parameter.count());
    weights->get(parameter, values.data());
    for (float& value : values) value += 0.3f * number(random);
    weights.mutate().set(parameter, values.data());
  }
  return Network(weights);
}

reference::Network truth(const Network& network) {
  const Weights& weights = network.weights();
  reference::Network result = reference::architecture(weights.config());
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    std::vector<float> values(parameter.count());
    weights.get(parameter, values.data());
    result.parameters[parameter.name].assign(values.begin(), values.end());
  }
  return result;
}

Data::Data(const Weights& weights, std::size_t count, std::size_t longest, std::mt19937& random) {
  const bool by_index = weights.has_embedding() || random() % 2 == 0;
  const bool with_states = random() % 2 == 0;
  for (std::size_t n = count; n-- > 0;) lengths.push_back(1 + random() % longest);
  for (const std::size_t length : lengths) frames += length;
  for (std::size_t f = 0; f < frames; ++f) {
    resets.push_back(random() % (longest / 2) == 0);
    if (by_index) indices.push_back(static_cast<std::int32_t>(random() % weights.input_size()));
    for (std::size_t i = 0; !by_index && i < weights.input_size(); ++i) inputs.push_back(number(random));
  }
  for (std::size_t i = 0; with_states && i < lengths.size() * weights.state_size(); ++i)
    states.push_back(number(random));
  sequences.struct_size = sizeof sequences;
  sequences.count = lengths.size();
  sequences.frames = frames;
  sequences.lengths = lengths.data();
  sequences.inputs = by_index ? nullptr : inputs.data();
  sequences.indices = by_index ? indices.data() : nullptr;
  sequences.resets = resets.data();
}

Results run_whole(Network& network, const Data& data) {
  Results results = room(network.weights(), data);
  rnn_forward_options_t options = {};
  options.struct_size = sizeof options;
  options.initial_states = data.initial_states();
  options.states = results.states.data();
  options.final_states = results.final_states.data();
  network.forward(data.sequences, options, results.outputs.data());
  return results;
}

Results run_stepwise(const Network& network, const Data& data) {
  const Weights& weights = network.weights();
  const std::size_t S = weights.state_size();
  Results results = room(weights, data);
  std::size_t f = 0;
  for (std::size_t n = 0; n < data.lengths.size(); ++n) {
    Network stream(network.weights_ref());
    if (!data.states.empty()) stream.set_state(&data.states[n * S]);
    for (std::size_t t = 0; t < data.lengths[n]; ++t, ++f) {
      if (data.resets[f] != 0) stream.reset();
      float* y = &results.outputs[f * weights.output_size()];
      if (data.indices.empty())
        stream.step(&data.inputs[f * weights.input_size()], y);
      else
        stream.step(data.indices[f], y);
      stream.get_state(results.states.data() + f * S);
    }
    stream.get_state(results.final_states.data() + n * S);
  }
  return results;
}

std::vector<float> run_pooled(Network& network, const Data& data, std::int32_t pooling) {
  std::vector<float> outputs(data.lengths.size() * network.weights().output_size());
  rnn_forward_options_t options = {};
  options.struct_size = sizeof options;
  options.initial_states = data.initial_states();
  options.pooling = pooling;
  network.forward(data.sequences, options, outputs.data());
  return outputs;
}

}  // namespace rnn

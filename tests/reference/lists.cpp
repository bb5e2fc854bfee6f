#include "tests/reference/lists.h"

#include <algorithm>
#include <deque>
#include <random>

#include "tests/reference/reference.h"

namespace rnn::reference {
namespace {

constexpr const char* kCells[] = {"", "vanilla", "GRU", "LSTM", "minGRU", "minLSTM"};
constexpr const char* kActivations[] = {
    "none",     "tanh", "relu",  "sigmoid",      "softmax",  "elu",    "leaky relu",  "prelu",
    "softsign", "gelu", "swish", "hard sigmoid", "softplus", "affine", "scaled tanh", "thresholded relu"};
constexpr const char* kDirections[] = {"", ", reverse", ", both", ", sum"};

// What is drawn does not depend on the standard library, nor on the order in which a compiler evaluates arguments.
class Maker {
 public:
  Maker(std::uint32_t seed, const ListKind& kind)
      : random_(seed), zoneouts_(seed + 0x5bd1e995u), kind_(kind) {}

  rnn_config_t make() {
    rnn_config_t config = {};
    config.struct_size = sizeof config;
    config.input_size = size();
    config.seed = random_();
    config.initial_state = pick(3);
    if (kind_.embedding && chance(4)) config.embedding_size = size();
    width_ = config.embedding_size != 0 ? config.embedding_size : config.input_size;
    const bool head = chance(2);
    const std::int32_t count = 1 + pick(head ? 3 : 4);
    for (std::int32_t l = 0; l < count; ++l) add(chance(2) ? cell() : chance(2) ? dense() : convolution());
    if (head) finish(config);
    config = with_layers(config, layers_);
    if (config.embedding_size == 0 && chance(3)) config.skip = 1 + pick(std::min(config.input_size, width_));
    if (has_forget_bias() && chance(3)) config.forget_bias = 1;
    return config;
  }

 private:
  std::int32_t pick(std::int32_t n) {
    return static_cast<std::int32_t>(random_() % static_cast<unsigned>(n));
  }
  bool chance(std::int32_t n) { return pick(n) == 0; }
  std::int32_t size() { return 1 + pick(kind_.widest); }

  // Of an activation that has them, in eighths.
  void give_numbers(std::int32_t f, float& alpha, float& beta, std::int32_t most_alpha,
                    std::int32_t most_beta) {
    if (chance(2)) return;
    const bool two =
        f == RNN_ACTIVATION_HARD_SIGMOID || f == RNN_ACTIVATION_AFFINE || f == RNN_ACTIVATION_SCALED_TANH;
    if (two || f == RNN_ACTIVATION_ELU || f == RNN_ACTIVATION_LEAKY_RELU ||
        f == RNN_ACTIVATION_THRESHOLDED_RELU)
      alpha = 0.125f * static_cast<float>(1 + pick(most_alpha));
    if (two) beta = 0.125f * static_cast<float>(pick(most_beta + 1));
  }

  rnn_layer_t dense() {
    const std::int32_t activation = pick(RNN_ACTIVATION_THRESHOLDED_RELU + 1);
    rnn_layer_t layer = dense_layer(size(), activation);
    give_numbers(layer.activation, layer.alpha, layer.beta, 12, 6);
    return layer;
  }

  // Of a cell.
  void give_activation(std::int32_t& activation, float& alpha, float& beta) {
    activation = pick(RNN_ACTIVATION_THRESHOLDED_RELU + 1);
    if (activation == RNN_ACTIVATION_SOFTMAX || activation == RNN_ACTIVATION_PRELU) activation = 0;
    give_numbers(activation, alpha, beta, 4, 2);
  }

  // Gates stay below 1, coupled ones also above 0, so that no state grows without end.
  void customize(rnn_layer_t& layer) {
    if ((layer.flags & RNN_FLAG_RELU) == 0) give_activation(layer.activation, layer.alpha, layer.beta);
    if (layer.kind == RNN_CELL_LSTM)
      give_activation(layer.output_activation, layer.output_alpha, layer.output_beta);
    if (layer.kind != RNN_CELL_VANILLA)
      give_activation(layer.gate_activation, layer.gate_alpha, layer.gate_beta);
    if ((layer.flags & RNN_FLAG_COUPLED_GATES) != 0) {
      layer.gate_activation = RNN_ACTIVATION_HARD_SIGMOID;
      give_numbers(layer.gate_activation, layer.gate_alpha, layer.gate_beta, 4, 2);
    }
    if (chance(2) || layer.gate_activation != 0) layer.clip = 0.125f * static_cast<float>(1 + pick(4));
  }

  rnn_layer_t convolution() {
    rnn_layer_t layer = dense();
    layer.kind = RNN_LAYER_CONV1D;
    layer.kernel_size = 1 + pick(4);
    layer.dilation = 1 + pick(3);
    return layer;
  }

  rnn_layer_t cell() {
    const std::int32_t units = size();
    rnn_layer_t layer = cell_layer(1 + pick(5), units);
    if (kind_.whole) layer.direction = pick(4);
    if (layer.kind == RNN_CELL_VANILLA && chance(3)) layer.flags |= RNN_FLAG_RELU;
    if (layer.kind == RNN_CELL_GRU && chance(3)) layer.flags |= RNN_FLAG_RESET_BEFORE;
    if (layer.kind == RNN_CELL_LSTM && chance(3)) layer.flags |= RNN_FLAG_PEEPHOLES;
    if (layer.kind == RNN_CELL_LSTM && chance(3)) layer.flags |= RNN_FLAG_COUPLED_GATES;
    if (layer.kind <= RNN_CELL_LSTM && chance(2)) customize(layer);
    const bool joint = (layer.flags & RNN_FLAG_RESET_BEFORE) == 0 && layer.kind <= RNN_CELL_LSTM;
    if (joint && chance(5)) {
      layer.flags |= RNN_FLAG_LAYER_NORM;
      layer.size += 3;
    }
    if (layer.kind == RNN_CELL_LSTM && layer.size > 1 && chance(2))
      layer.projection_size = 1 + pick(layer.size - 1);
    if (layer.kind <= RNN_CELL_LSTM && kind_.zoneout) zone_out(layer);
    return layer;
  }

  // Of h, of c, of both or of neither.
  void zone_out(rnn_layer_t& layer) {
    const auto which = zoneouts_() % 5;
    const float rate = 0.125f * static_cast<float>(1 + zoneouts_() % 6);
    if (which == 1 || which == 2) layer.zoneout_h = rate;
    if ((which == 2 || which == 3) && layer.kind == RNN_CELL_LSTM) layer.zoneout_c = 0.875f - rate;
  }

  void add(rnn_layer_t layer) {
    if (chance(4)) layer.flags |= RNN_FLAG_NO_BIAS;
    if (!layers_.empty() && chance(2)) {
      // As wide as what it reads, unless layer normalisation had too few numbers to divide by their deviation.
      const std::int32_t directions = layer.direction == RNN_DIRECTION_BOTH ? 2 : 1;
      const bool narrow = (layer.flags & RNN_FLAG_LAYER_NORM) != 0 && width_ / directions < 4;
      if (width_ % directions == 0 && !narrow) {
        (layer.projection_size != 0 ? layer.projection_size : layer.size) = width_ / directions;
        if (layer.projection_size != 0) layer.size = std::max(layer.size, layer.projection_size + 1);
        layer.flags |= RNN_FLAG_RESIDUAL;
      }
    }
    put(layer);
  }

  void put(const rnn_layer_t& layer) {
    layers_.push_back(layer);
    const std::int32_t width = layer.projection_size != 0 ? layer.projection_size : layer.size;
    width_ = layer.direction == RNN_DIRECTION_BOTH ? 2 * width : width;
  }

  // A head, which may have the embedding as its matrix.
  void finish(rnn_config_t& config) {
    const std::int32_t flags = chance(4) ? RNN_FLAG_NO_BIAS : 0;
    rnn_layer_t head = dense_layer(size(), RNN_ACTIVATION_NONE, flags);
    if (config.embedding_size != 0 && chance(2) && layers_.size() > 1) {
      config.flags = RNN_FLAG_TIED_HEAD;
      config.embedding_size = width_;
      head.size = config.input_size;
    }
    put(head);
  }

  bool has_forget_bias() const {
    bool found = false;
    for (const rnn_layer_t& layer : layers_) {
      const bool coupled = (layer.flags & RNN_FLAG_COUPLED_GATES) != 0;
      if ((layer.kind != RNN_CELL_LSTM || coupled) && layer.kind != RNN_CELL_MIN_LSTM) continue;
      if ((layer.flags & RNN_FLAG_NO_BIAS) != 0) return false;
      found = true;
    }
    return found;
  }

  std::mt19937 random_, zoneouts_;
  const ListKind& kind_;
  std::vector<rnn_layer_t> layers_;
  std::int32_t width_ = 0;  // of what the next layer reads
};

std::string text_of(const char* of, std::int32_t activation, float alpha, float beta) {
  if (activation == RNN_ACTIVATION_NONE) return "";
  std::string text = std::string(of) + kActivations[activation];
  for (const float number : {alpha, beta})
    if (number != 0) text += " " + std::to_string(number);
  return text;
}

std::string text_of(const rnn_layer_t& layer) {
  const std::string kind = layer.kind == RNN_LAYER_DENSE    ? "dense"
                           : layer.kind == RNN_LAYER_CONV1D ? "conv1d"
                                                            : kCells[layer.kind];
  std::string text = kind + " " + std::to_string(layer.size);
  if (layer.kind == RNN_LAYER_CONV1D)
    text += " of " + std::to_string(layer.kernel_size) + " by " + std::to_string(layer.dilation);
  if (layer.projection_size != 0) text += " to " + std::to_string(layer.projection_size);
  text += kDirections[layer.direction];
  text += text_of(", ", layer.activation, layer.alpha, layer.beta);
  text += text_of(", gates ", layer.gate_activation, layer.gate_alpha, layer.gate_beta);
  text += text_of(", output ", layer.output_activation, layer.output_alpha, layer.output_beta);
  if (layer.clip != 0) text += ", clip " + std::to_string(layer.clip);
  if (layer.zoneout_h != 0) text += ", zoneout of h " + std::to_string(layer.zoneout_h);
  if (layer.zoneout_c != 0) text += ", zoneout of c " + std::to_string(layer.zoneout_c);
  const struct {
    std::uint32_t flag;
    const char* name;
  } flags[] = {{RNN_FLAG_NO_BIAS, "no bias"},       {RNN_FLAG_RELU, "ReLU"},
               {RNN_FLAG_RESET_BEFORE, "before"},   {RNN_FLAG_RESIDUAL, "residual"},
               {RNN_FLAG_LAYER_NORM, "layer norm"}, {RNN_FLAG_PEEPHOLES, "peepholes"},
               {RNN_FLAG_COUPLED_GATES, "coupled"}};
  for (const auto& flag : flags)
    if ((layer.flags & flag.flag) != 0) text += std::string(", ") + flag.name;
  return "[" + text + "]";
}

}  // namespace

rnn_config_t with_layers(rnn_config_t config, std::vector<rnn_layer_t> layers) {
  static std::deque<std::vector<rnn_layer_t>> all;
  all.push_back(std::move(layers));
  config.layers = all.back().data();
  config.layer_count = all.back().size();
  return config;
}

rnn_layer_t cell_layer(std::int32_t kind, std::int32_t size, std::uint32_t flags, std::int32_t direction,
                       std::int32_t projection) {
  rnn_layer_t layer = {};
  layer.struct_size = sizeof layer;
  layer.kind = kind;
  layer.size = size;
  layer.flags = flags;
  layer.direction = direction;
  layer.projection_size = projection;
  return layer;
}

rnn_layer_t dense_layer(std::int32_t size, std::int32_t activation, std::uint32_t flags, float alpha,
                        float beta) {
  rnn_layer_t layer = cell_layer(RNN_LAYER_DENSE, size, flags);
  layer.activation = activation;
  layer.alpha = alpha;
  layer.beta = beta;
  return layer;
}

rnn_config_t random_list(std::uint32_t seed, const ListKind& kind) { return Maker(seed, kind).make(); }

bool can_step(const rnn_config_t& config) {
  const Network network = architecture(config);
  return std::all_of(network.layers.begin(), network.layers.end(),
                     [](const Layer& layer) { return layer.direction == RNN_DIRECTION_FORWARD; });
}

bool can_pool(const rnn_config_t& config, std::int32_t pooling) {
  if (pooling == RNN_POOLING_NONE) return true;
  const Network network = architecture(config);
  const bool sum = network.layers[network.before_pooling() - 1].direction == RNN_DIRECTION_SUM;
  return config.skip == 0 && !(sum && pooling == RNN_POOLING_LAST);
}

std::string text_of(const rnn_config_t& config) {
  std::string text = "I " + std::to_string(config.input_size) + ", E " +
                     std::to_string(config.embedding_size) + ", skip " + std::to_string(config.skip) +
                     ", initial state " + std::to_string(config.initial_state) + ",";
  if ((config.flags & RNN_FLAG_TIED_HEAD) != 0) text += " tied,";
  for (std::size_t l = 0; l < config.layer_count; ++l) text += " " + text_of(config.layers[l]);
  return text;
}

}  // namespace rnn::reference

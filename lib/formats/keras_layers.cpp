#include "lib/formats/keras_layers.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn::keras {
namespace {

using formats::quote;

struct Gates {
  std::int32_t cell;
  std::size_t count;
  std::array<std::size_t, 4> source;  // our gate g is Keras' gate source[g]
};

constexpr Gates kGates[] = {
    {RNN_CELL_VANILLA, 1, {0}}, {RNN_CELL_GRU, 3, {1, 0, 2}}, {RNN_CELL_LSTM, 4, {0, 1, 2, 3}}};
constexpr Gates kPlain = {0, 1, {0}};

const Gates& gates_of(std::int32_t cell) noexcept {
  return *std::find_if(std::begin(kGates), std::end(kGates),
                       [=](const Gates& gates) { return gates.cell == cell; });
}

// [columns, rows] to [rows, columns], where rows of size H are gates in another order.
std::vector<float> transposed(const std::vector<float>& kernel, std::size_t columns, std::size_t H,
                              const Gates& gates) {
  const std::size_t rows = gates.count * H;
  std::vector<float> out(kernel.size());
  for (std::size_t g = 0; g < gates.count; ++g)
    for (std::size_t h = 0; h < H; ++h)
      for (std::size_t j = 0; j < columns; ++j)
        out[(g * H + h) * columns + j] = kernel[j * rows + gates.source[g] * H + h];
  return out;
}

void check_choice(const Layer& layer, const char* key, const std::string& choice, const char* only) {
  if (!choice.empty() && choice != only)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s.%s is %s; it must be %s or \"\"", layer.place.c_str(), key,
                quote(choice).c_str(), quote(only).c_str());
}

// The network of uniform layers that a configuration says.
class Uniform {
 public:
  Uniform(std::vector<Layer> layers, const char* known) : layers_(std::move(layers)), known_(known) {
    for (const Layer& layer : layers_)
      for (const Weights& weights : layer.weights) biases_ = biases_ || !weights.bias.empty();
    for (Layer& layer : layers_) add(layer);
    if (config_.num_layers == 0)
      throw Error(RNN_UNSUPPORTED, "unsupported: there is no recurrent layer; %s", known_);
    if (!biases_) config_.flags |= RNN_FLAG_NO_BIAS;
  }

  Model model;

 private:
  void add(Layer& layer) {
    if (config_.output_size != 0) refuse(layer, known_);
    switch (layer.kind) {
      case Kind::embedding:
        if (config_.input_size != 0) refuse(layer, known_);
        config_.input_size = layer.inputs;
        config_.embedding_size = layer.units;
        model.parameters["embedding.weight"] = std::move(layer.weights[0].kernel);
        break;
      case Kind::recurrent:
        add_recurrent(layer);
        break;
      case Kind::dense:
        if (config_.num_layers == 0) refuse(layer, known_);
        add_dense(layer);
        break;
      case Kind::other:
        refuse(layer, known_);
    }
  }

  void add_recurrent(const Layer& layer) {
    const bool relu = layer.cell == RNN_CELL_VANILLA && layer.activation == "relu";
    if (!relu) check_choice(layer, "activation", layer.activation, "tanh");
    check_choice(layer, "recurrent_activation", layer.recurrent_activation, "sigmoid");
    if (last_step_)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s reads what a layer before it gives for its last step alone",
                  layer.place.c_str());
    last_step_ = layer.last_step;
    if (last_step_) model.metadata["keras.pooling"] = "last";
    if (config_.num_layers == kMaxModelLayers)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is one too many; a network has at most %d",
                  layer.place.c_str(), kMaxModelLayers);
    const bool before = layer.cell == RNN_CELL_GRU && !layer.reset_after;
    const std::uint32_t flags = (relu ? RNN_FLAG_RELU : 0) | (before ? RNN_FLAG_RESET_BEFORE : 0) |
                                (layer.bidirectional ? RNN_FLAG_BIDIRECTIONAL : 0);
    if (config_.num_layers == 0) {
      if (config_.input_size == 0) config_.input_size = layer.inputs;
      config_.cell = layer.cell;
      config_.hidden_size = layer.units;
      config_.flags = flags;
    }
    check_uniform(layer, flags);
    for (std::size_t d = 0; d < (layer.bidirectional ? 2u : 1u); ++d) add_strand(layer, d);
    ++config_.num_layers;
  }

  // All as the first.
  void check_uniform(const Layer& layer, std::uint32_t flags) const {
    if (config_.cell != layer.cell)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; all recurrent layers must be of one type",
                  layer.place.c_str(), quote(layer.type).c_str());
    if (config_.hidden_size != layer.units)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s has %d units; all recurrent layers must have %d as the first",
                  layer.place.c_str(), layer.units, config_.hidden_size);
    const std::uint32_t differ = config_.flags ^ flags;
    if (differ != 0)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s differs from the first layer in %s", layer.place.c_str(),
                  (differ & RNN_FLAG_RESET_BEFORE) != 0 ? "reset_after"
                  : (differ & RNN_FLAG_RELU) != 0       ? "activation"
                                                        : "directions");
  }

  void add_strand(const Layer& layer, std::size_t d) {
    const Weights& weights = layer.weights[d];
    const Gates& gates = gates_of(layer.cell);
    const auto X = static_cast<std::size_t>(layer.inputs), H = static_cast<std::size_t>(layer.units);
    const std::string suffix = "_l" + std::to_string(config_.num_layers) + (d == 1 ? "_reverse" : "");
    model.parameters["weight_ih" + suffix] = transposed(weights.kernel, X, H, gates);
    model.parameters["weight_hh" + suffix] = transposed(weights.recurrent, H, H, gates);
    if (!biases_) return;
    std::vector<float>& sum = model.parameters["bias_ih" + suffix];
    const bool two = layer.cell == RNN_CELL_GRU && layer.reset_after;
    const std::size_t rows = gates.count * H;
    std::vector<float> bias =
        weights.bias;  // what lacks it while others have it gets zeros, which is the same
    bias.resize(two ? 2 * rows : rows);
    const auto second = bias.begin() + static_cast<std::ptrdiff_t>(rows);
    sum = transposed({bias.begin(), second}, 1, H, gates);
    if (!two) return;
    const std::vector<float> recurrent = transposed({second, bias.end()}, 1, H, gates);
    for (std::size_t i = 0; i < 2 * H; ++i) sum[i] += recurrent[i];
    model.parameters["bias_hn" + suffix].assign(recurrent.begin() + static_cast<std::ptrdiff_t>(2 * H),
                                                recurrent.end());
  }

  void add_dense(const Layer& layer) {
    check_choice(layer, "activation", layer.activation, "linear");
    const auto X = static_cast<std::size_t>(layer.inputs), O = static_cast<std::size_t>(layer.units);
    config_.output_size = layer.units;
    model.parameters["head.weight"] = transposed(layer.weights[0].kernel, X, O, kPlain);
    if (!biases_) return;
    std::vector<float>& bias = model.parameters["head.bias"] = layer.weights[0].bias;
    bias.resize(O);
  }

  std::vector<Layer> layers_;
  const char* known_;
  bool biases_ = false;     // any layer has some
  bool last_step_ = false;  // the layer before gives no sequence
  rnn_config_t& config_ = model.config;
};

}  // namespace

std::size_t gate_count(std::int32_t cell) noexcept { return gates_of(cell).count; }

Model make_model(std::vector<Layer> layers, const char* known) {
  return std::move(Uniform(std::move(layers), known).model);
}

void refuse(const Layer& layer, const char* known) {
  throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; %s", layer.place.c_str(), quote(layer.type).c_str(),
              known);
}

}  // namespace rnn::keras

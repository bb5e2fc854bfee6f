#include "lib/formats/keras_layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/formats/layer_model.h"
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

Affine affine_of(const Normalization& normalization) {
  Affine affine;
  for (std::size_t i = 0; i < normalization.mean.size(); ++i) {
    const double gamma = normalization.gamma.empty() ? 1 : static_cast<double>(normalization.gamma[i]);
    const double beta = normalization.beta.empty() ? 0 : static_cast<double>(normalization.beta[i]);
    const double scale =
        gamma / std::sqrt(static_cast<double>(normalization.variance[i]) + normalization.epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(beta - scale * static_cast<double>(normalization.mean[i]));
  }
  return affine;
}

// The network of layers that a configuration says.
class Chain {
 public:
  explicit Chain(const char* known) : known_(known) {}

  void add(Layer layer) {
    if (layer.kind == Kind::other || (layer.kind == Kind::embedding && width_ != 0)) refuse(layer, known_);
    if (width_ == 0) config_.input_size = layer.inputs;
    if (layer.kind == Kind::embedding) add_embedding(layer);
    if (layer.kind == Kind::recurrent) add_recurrent(layer);
    if (layer.kind == Kind::dense || layer.kind == Kind::convolution) add_dense(layer);
    if (layer.kind == Kind::activation) list_.add_function(layer.place, std::move(layer.function), width_);
    if (layer.kind == Kind::normalization) add_normalization(layer);
    if (layer.kind == Kind::pooling) add_pooling(layer);
    width_ = static_cast<std::size_t>(layer.outputs());
    place_ = std::move(layer.place);
  }

  Model build() && {
    if (width_ == 0) throw Error(RNN_UNSUPPORTED, "unsupported: there is no layer; %s", known_);
    if (!pooled_by_ && is_reversed_)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s gives its outputs from the last step to the first; librnn gives them in "
                  "the order of the inputs",
                  turned_.c_str());
    return std::move(list_).build(place_);
  }

 private:
  void add_embedding(Layer& layer) {
    config_.embedding_size = layer.units;
    list_.model.parameters["embedding.weight"] = std::move(layer.weights[0].kernel);
  }

  void add_recurrent(const Layer& layer) {
    const bool relu = layer.cell == RNN_CELL_VANILLA && layer.function.activation == RNN_ACTIVATION_RELU;
    check_not_pooled(layer);
    const bool before = layer.cell == RNN_CELL_GRU && !layer.reset_after;
    rnn_layer_t own{};
    own.kind = layer.cell;
    own.size = layer.units;
    own.direction = direction_of(layer);
    own.flags = (relu ? RNN_FLAG_RELU : 0) | (before ? RNN_FLAG_RESET_BEFORE : 0);
    own.activation = relu ? RNN_ACTIVATION_NONE : layer.function.activation;
    own.alpha = layer.function.alpha;
    own.beta = layer.function.beta;
    own.gate_activation = layer.gate_function.activation;
    own.gate_alpha = layer.gate_function.alpha;
    own.gate_beta = layer.gate_function.beta;
    if (layer.cell == RNN_CELL_LSTM) {
      own.output_activation = own.activation;
      own.output_alpha = own.alpha;
      own.output_beta = own.beta;
    }
    std::vector<LayerModel::Parameters> directions = {direction(layer, 0)};
    if (layer.is_bidirectional()) directions.push_back(direction(layer, 1));
    list_.add_recurrent(layer.place, own, std::move(directions));
    if (layer.last_step) pool(layer, "last");
    merge(layer);
  }

  // The last steps of both directions are different ones, which a matrix adds behind the pooling.
  void merge(const Layer& layer) {
    if (layer.merge != Merge::sum && layer.merge != Merge::mean) return;
    const auto H = static_cast<std::size_t>(layer.units);
    const double scale = layer.merge == Merge::mean ? 0.5 : 1;
    if (!layer.last_step) {
      if (scale != 1) list_.add_affine({std::vector<double>(H, scale), std::vector<double>(H)});
      return;
    }
    std::vector<float> weight(2 * H * H);
    for (std::size_t i = 0; i < H; ++i)
      weight[i * 2 * H + i] = weight[i * 2 * H + H + i] = static_cast<float>(scale);
    rnn_layer_t own{};
    own.kind = RNN_LAYER_DENSE;
    own.size = layer.units;
    list_.add_dense(layer.place, own, std::move(weight), {});
  }

  // A layer that reads backwards hands on the sequence in that order.
  std::int32_t direction_of(const Layer& layer) {
    if (layer.is_bidirectional()) {
      check_not_reversed(layer);
      const bool beside = layer.merge == Merge::concatenation || layer.last_step;
      return beside ? RNN_DIRECTION_BOTH : RNN_DIRECTION_SUM;
    }
    if (layer.backwards) {
      is_reversed_ = !is_reversed_;
      turned_ = layer.place;
    }
    return is_reversed_ ? RNN_DIRECTION_REVERSE : RNN_DIRECTION_FORWARD;
  }

  void check_not_reversed(const Layer& layer) const {
    if (is_reversed_)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s reads what %s gives from the last step to the first",
                  layer.place.c_str(), turned_.c_str());
  }

  void add_pooling(const Layer& layer) {
    check_not_pooled(layer);
    list_.end_steps(layer.place, layer.pooling, width_);
    pool(layer, layer.pooling == RNN_POOLING_MEAN ? "mean" : "max");
  }

  void pool(const Layer& layer, const char* pooling) {
    pooled_by_ = layer.place;
    list_.model.metadata["keras.pooling"] = pooling;
  }

  static LayerModel::Parameters direction(const Layer& layer, std::size_t d) {
    const Weights& weights = layer.weights[d];
    const Gates& gates = gates_of(layer.cell);
    const auto X = static_cast<std::size_t>(layer.inputs), H = static_cast<std::size_t>(layer.units);
    LayerModel::Parameters own;
    own["weight_ih"] = transposed(weights.kernel, X, H, gates);
    own["weight_hh"] = transposed(weights.recurrent, H, H, gates);
    if (weights.bias.empty()) return own;
    const bool two = layer.cell == RNN_CELL_GRU && layer.reset_after;
    const auto rows = static_cast<std::ptrdiff_t>(gates.count * H), last = static_cast<std::ptrdiff_t>(2 * H);
    const auto second = weights.bias.begin() + rows;
    std::vector<float> sum = transposed({weights.bias.begin(), second}, 1, H, gates);
    if (two) {
      const std::vector<float> recurrent = transposed({second, weights.bias.end()}, 1, H, gates);
      for (std::size_t i = 0; i < 2 * H; ++i) sum[i] += recurrent[i];
      own["bias_hn"].assign(recurrent.begin() + last, recurrent.end());
    }
    own["bias_ih"] = std::move(sum);
    return own;
  }

  // A convolution's matrix is [O, K X]; one of a single step is a dense layer.
  void add_dense(Layer& layer) {
    const auto groups = static_cast<std::size_t>(layer.groups);
    const auto X =
        static_cast<std::size_t>(layer.inputs) / groups * static_cast<std::size_t>(layer.kernel_size);
    const auto O = static_cast<std::size_t>(layer.units);
    rnn_layer_t own{};
    own.kind = RNN_LAYER_DENSE;
    own.size = layer.units;
    if (layer.kernel_size > 1) {
      check_not_reversed(layer);
      check_not_pooled(layer);
      own.kind = RNN_LAYER_CONV1D;
      own.kernel_size = layer.kernel_size;
      own.dilation = layer.dilation;
    }
    list_.add_grouped(layer.place, own, transposed(layer.weights[0].kernel, X, O, kPlain),
                      std::move(layer.weights[0].bias), groups);
    list_.add_function(layer.place, std::move(layer.function), O);
  }

  void check_not_pooled(const Layer& layer) const {
    if (pooled_by_)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s reads what %s gives for a whole sequence",
                  layer.place.c_str(), pooled_by_->c_str());
  }

  void add_normalization(const Layer& layer) {
    const std::int32_t axis = layer.normalization.axis;
    if (axis != -1 && axis != (pooled_by_ ? 1 : 2))
      throw Error(RNN_UNSUPPORTED, "unsupported: %s normalises axis %d; it must be the last",
                  layer.place.c_str(), axis);
    list_.add_affine(affine_of(layer.normalization));
  }

  const char* known_;
  LayerModel list_;
  rnn_config_t& config_ = list_.model.config;
  std::size_t width_ = 0;                 // of what the layers so far give; 0: there are none
  std::string place_;                     // of the last one
  bool is_reversed_ = false;              // what the last layer gives is in the other order of steps,
  std::string turned_;                    // since that layer
  std::optional<std::string> pooled_by_;  // what gives one vector for a sequence
};

}  // namespace

std::size_t gate_count(std::int32_t cell) noexcept { return gates_of(cell).count; }

Model make_model(std::vector<Layer> layers, const char* known) {
  Chain chain(known);
  for (Layer& layer : layers) chain.add(std::move(layer));
  return std::move(chain).build();
}

std::int32_t group_inputs(const Layer& layer) {
  if (layer.inputs % layer.groups != 0 || layer.units % layer.groups != 0)
    throw Error(RNN_BAD_FORMAT, "%s has %d groups, %d inputs and %d outputs; both must be multiples of it",
                layer.place.c_str(), layer.groups, layer.inputs, layer.units);
  return layer.inputs / layer.groups;
}

void refuse(const Layer& layer, const char* known) {
  throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; %s", layer.place.c_str(), quote(layer.type).c_str(),
              known);
}

void refuse_function(const Layer& layer, const std::string& name, const char* wanted) {
  throw Error(RNN_UNSUPPORTED, "unsupported: %s.activation is %s; it must be %s", layer.place.c_str(),
              quote(name).c_str(),
              wanted != nullptr ? wanted : ("one of " + formats::function_names()).c_str());
}

void set_functions(Layer& layer, const std::string& activation, const std::string& recurrent_activation,
                   const formats::Conventions& conventions) {
  const auto find = [&](const char* key, const std::string& name, std::int32_t usual) {
    const std::optional<Function> function = formats::find_cell_function(name, usual, conventions);
    if (!function)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s.%s is %s; it must be one of %s", layer.place.c_str(), key,
                  quote(name).c_str(), formats::cell_function_names().c_str());
    return *function;
  };
  layer.function = find("activation", activation, RNN_ACTIVATION_TANH);
  if (layer.cell != RNN_CELL_VANILLA)
    layer.gate_function = find("recurrent_activation", recurrent_activation, RNN_ACTIVATION_SIGMOID);
}

}  // namespace rnn::keras

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
#include "lib/network/layer_list.h"

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

// y[i] = scale[i] x[i] + shift[i]; empty: y = x.
struct Affine {
  std::vector<double> scale, shift;

  bool empty() const noexcept { return scale.empty(); }

  static Affine of(const Normalization& normalization) {
    Affine affine;
    for (std::size_t i = 0; i < normalization.mean.size(); ++i) {
      const double gamma = normalization.gamma.empty() ? 1 : static_cast<double>(normalization.gamma[i]);
      const double beta = normalization.beta.empty() ? 0 : static_cast<double>(normalization.beta[i]);
      const double variance = static_cast<double>(normalization.variance[i]);
      const double scale = gamma / std::sqrt(variance + normalization.epsilon);
      affine.scale.push_back(scale);
      affine.shift.push_back(beta - scale * static_cast<double>(normalization.mean[i]));
    }
    return affine;
  }

  // What comes before this.
  Affine after(const Affine& first) const {
    if (first.empty()) return *this;
    Affine both = *this;
    for (std::size_t i = 0; i < scale.size(); ++i) {
      both.scale[i] *= first.scale[i];
      both.shift[i] += scale[i] * first.shift[i];
    }
    return both;
  }

  // A vector, or vectors in rows.
  void apply_to_columns(std::vector<float>& values) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t j = i % scale.size();
      values[i] = static_cast<float>(static_cast<double>(values[i]) * scale[j] + shift[j]);
    }
  }
  // W x + b before this.
  void apply_behind(std::vector<float>& weight, std::vector<float>& bias) const {
    const std::size_t columns = weight.size() / scale.size();
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = static_cast<float>(static_cast<double>(weight[i]) * scale[i / columns]);
    apply_to_columns(bias);
  }
  // W x + b behind this.
  void apply_before(std::vector<float>& weight, std::vector<float>& bias) const {
    const std::size_t columns = scale.size();
    for (std::size_t row = 0; row < weight.size() / columns; ++row) {
      double sum = static_cast<double>(bias[row]);
      for (std::size_t j = 0; j < columns; ++j) {
        float& value = weight[row * columns + j];
        sum += static_cast<double>(value) * shift[j];
        value = static_cast<float>(static_cast<double>(value) * scale[j]);
      }
      bias[row] = static_cast<float>(sum);
    }
  }
};

// The network of layers that a configuration says.
class Chain {
 public:
  Chain(const std::vector<Layer>& layers, const char* known) : known_(known) {
    for (const Layer& layer : layers) {
      biases_ = biases_ || layer.kind == Kind::normalization;
      for (const Weights& weights : layer.weights) biases_ = biases_ || !weights.bias.empty();
    }
  }

  void add(Layer layer) {
    if (list_.count() == kMaxListed)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is one too many; a network has at most %zu",
                  layer.place.c_str(), kMaxListed);
    if (layer.kind == Kind::other || (layer.kind == Kind::embedding && width_ != 0)) refuse(layer, known_);
    if (width_ == 0) config_.input_size = layer.inputs;
    for (const Weights& weights : layer.weights) held_ += weights.kernel.size() + weights.recurrent.size();
    if (layer.kind == Kind::embedding) add_embedding(layer);
    if (layer.kind == Kind::recurrent) add_recurrent(layer);
    if (layer.kind == Kind::dense || layer.kind == Kind::convolution) add_dense(layer);
    if (layer.kind == Kind::activation) add_function(layer, std::move(layer.function));
    if (layer.kind == Kind::normalization) add_normalization(layer);
    width_ = static_cast<std::size_t>(layer.outputs());
    place_ = std::move(layer.place);
  }

  Model build() && {
    if (!pending_.empty()) add_diagonal(place_, {});
    if (list_.count() == 0)
      throw Error(RNN_UNSUPPORTED, "unsupported: there is no layer that computes; %s", known_);
    check_order();
    return std::move(list_).build();
  }

 private:
  void add_embedding(Layer& layer) {
    config_.embedding_size = layer.units;
    list_.model.parameters["embedding.weight"] = std::move(layer.weights[0].kernel);
  }

  void add_recurrent(const Layer& layer) {
    const bool relu = layer.cell == RNN_CELL_VANILLA && layer.activation == "relu";
    if (!relu) check_choice(layer, "activation", layer.activation, "tanh");
    check_choice(layer, "recurrent_activation", layer.recurrent_activation, "sigmoid");
    if (pooled_)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s reads what a layer before it gives for its last step alone",
                  layer.place.c_str());
    const bool before = layer.cell == RNN_CELL_GRU && !layer.reset_after;
    rnn_layer_t own{};
    own.kind = layer.cell;
    own.size = layer.units;
    own.direction = direction_of(layer);
    own.flags = (relu ? RNN_FLAG_RELU : 0) | (before ? RNN_FLAG_RESET_BEFORE : 0) | no_bias();
    list_.add(own);
    for (std::size_t d = 0; d < (layer.is_bidirectional() ? 2u : 1u); ++d) add_strand(layer, d);
    pending_ = {};
    if (layer.merge == Merge::mean) {
      pending_.scale.assign(static_cast<std::size_t>(layer.units), 0.5);
      pending_.shift.assign(pending_.scale.size(), 0);
    }
    is_open_ = false;
    if (layer.last_step) pool(layer);
  }

  // A layer that reads backwards hands on the sequence in that order.
  std::int32_t direction_of(const Layer& layer) {
    if (layer.is_bidirectional() && is_reversed_)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s reads what %s gives from the last step to the first",
                  layer.place.c_str(), turned_.c_str());
    if (layer.is_bidirectional())
      return layer.merge == Merge::concatenation ? RNN_DIRECTION_BOTH : RNN_DIRECTION_SUM;
    if (layer.backwards) {
      is_reversed_ = !is_reversed_;
      turned_ = layer.place;
    }
    return is_reversed_ ? RNN_DIRECTION_REVERSE : RNN_DIRECTION_FORWARD;
  }

  void pool(const Layer& layer) {
    if (layer.is_bidirectional() && layer.merge != Merge::concatenation)
      throw Error(
          RNN_UNSUPPORTED,
          "unsupported: %s gives one value of the last steps of both directions; librnn gives them side by "
          "side",
          layer.place.c_str());
    pooled_ = Pooled{list_.count() - 1, list_.last().direction, layer.place};
    list_.model.metadata["keras.pooling"] = "last";
  }

  // What is pooled at the end must be what the file's layer gives.
  void check_order() const {
    if (!pooled_ && is_reversed_)
      throw Error(
          RNN_UNSUPPORTED,
          "unsupported: %s gives its outputs from the last step to the first; librnn gives them in the order "
          "of the inputs",
          turned_.c_str());
    if (!pooled_ || pooled_->direction == RNN_DIRECTION_FORWARD) return;
    const std::size_t behind = list_.count() - 1 - pooled_->index;
    if (behind > 1 || (behind == 1 && list_.last().activation != RNN_ACTIVATION_NONE))
      throw Error(
          RNN_UNSUPPORTED,
          "unsupported: %s reads its sequence backwards and gives its last step alone; behind it may be at "
          "most one dense layer, without activation",
          pooled_->place.c_str());
  }

  void add_strand(const Layer& layer, std::size_t d) {
    const Weights& weights = layer.weights[d];
    const Gates& gates = gates_of(layer.cell);
    const auto X = static_cast<std::size_t>(layer.inputs), H = static_cast<std::size_t>(layer.units);
    const bool reverse = d == 1 || list_.last().direction == RNN_DIRECTION_REVERSE;
    const std::string suffix = reverse ? "_reverse" : "";
    LayerModel::Parameters& own = list_.last_parameters();
    std::vector<float>& input = own["weight_ih" + suffix] = transposed(weights.kernel, X, H, gates);
    own["weight_hh" + suffix] = transposed(weights.recurrent, H, H, gates);
    const bool two = layer.cell == RNN_CELL_GRU && layer.reset_after;
    const std::size_t rows = gates.count * H;
    std::vector<float> bias =
        weights.bias;  // what lacks it while others have it gets zeros, which is the same
    bias.resize(two ? 2 * rows : rows);
    const auto second = bias.begin() + static_cast<std::ptrdiff_t>(rows);
    std::vector<float> sum = transposed({bias.begin(), second}, 1, H, gates);
    if (!pending_.empty()) pending_.apply_before(input, sum);
    if (!biases_) return;
    if (two) {
      const std::vector<float> recurrent = transposed({second, bias.end()}, 1, H, gates);
      for (std::size_t i = 0; i < 2 * H; ++i) sum[i] += recurrent[i];
      own["bias_hn" + suffix].assign(recurrent.begin() + static_cast<std::ptrdiff_t>(2 * H), recurrent.end());
    }
    own["bias_ih" + suffix] = std::move(sum);
  }

  // A convolution's matrix is [O, K X]; one of a single step is a dense layer.
  void add_dense(Layer& layer) {
    if (layer.kernel_size > 1) check_convolution(layer);
    const auto X = static_cast<std::size_t>(layer.inputs) * static_cast<std::size_t>(layer.kernel_size);
    const auto O = static_cast<std::size_t>(layer.units);
    std::vector<float> weight = transposed(layer.weights[0].kernel, X, O, kPlain);
    std::vector<float> bias = std::move(layer.weights[0].bias);
    bias.resize(O);
    if (!pending_.empty()) pending_.apply_before(weight, bias);
    pending_ = {};
    push_dense(O, std::move(weight), std::move(bias));
    add_function(layer, std::move(layer.function));
  }

  void check_convolution(const Layer& layer) const {
    throw Error(RNN_UNSUPPORTED, "unsupported: %s has kernel_size %d; it must be 1", layer.place.c_str(),
                layer.kernel_size);
  }

  void push_dense(std::size_t size, std::vector<float> weight, std::vector<float> bias) {
    rnn_layer_t own{};
    own.kind = RNN_LAYER_DENSE;
    own.size = static_cast<std::int32_t>(size);
    own.flags = no_bias();
    list_.add(own);
    list_.last_parameters()["weight"] = std::move(weight);
    if (biases_) list_.last_parameters()["bias"] = std::move(bias);
    is_open_ = true;
  }

  void add_function(const Layer& layer, Function function) {
    if (function.activation == RNN_ACTIVATION_NONE) return;
    if (is_open_)
      set_function(std::move(function));
    else
      add_diagonal(layer.place, std::move(function));
  }

  void set_function(Function function) {
    list_.last().activation = function.activation;
    list_.last().alpha = function.alpha;
    list_.last().beta = function.beta;
    const auto size = static_cast<std::size_t>(list_.last().size);
    if (function.slopes.size() == 1) function.slopes.resize(size, function.slopes[0]);
    if (!function.slopes.empty()) list_.last_parameters()["slope"] = std::move(function.slopes);
    is_open_ = false;
  }

  // What no matrix can take in is a dense layer of its own.
  void add_diagonal(const std::string& place, Function function) {
    const std::size_t size = pending_.empty() ? width_ : pending_.scale.size();
    diagonals_ += size * size;
    if (diagonals_ > std::max(held_, kLeastDiagonals))
      throw Error(RNN_UNSUPPORTED, "unsupported: %s would need a matrix of %zu x %zu", place.c_str(), size,
                  size);
    std::vector<float> weight(size * size), bias(size);
    for (std::size_t i = 0; i < size; ++i) {
      weight[i * size + i] = pending_.empty() ? 1.0f : static_cast<float>(pending_.scale[i]);
      bias[i] = pending_.empty() ? 0.0f : static_cast<float>(pending_.shift[i]);
    }
    pending_ = {};
    push_dense(size, std::move(weight), std::move(bias));
    if (function.activation != RNN_ACTIVATION_NONE) set_function(std::move(function));
  }

  void add_normalization(const Layer& layer) {
    const std::int32_t axis = layer.normalization.axis;
    if (axis != -1 && axis != (pooled_ ? 1 : 2))
      throw Error(RNN_UNSUPPORTED, "unsupported: %s normalises axis %d; it must be the last",
                  layer.place.c_str(), axis);
    const Affine affine = Affine::of(layer.normalization);
    if (is_open_)
      affine.apply_behind(list_.last_parameters()["weight"], list_.last_parameters()["bias"]);
    else if (list_.count() == 0 && config_.embedding_size != 0)
      affine.apply_to_columns(list_.model.parameters["embedding.weight"]);
    else
      pending_ = affine.after(pending_);
  }

  std::uint32_t no_bias() const noexcept { return biases_ ? 0 : RNN_FLAG_NO_BIAS; }

  static constexpr std::size_t kLeastDiagonals = 1 << 16;

  struct Pooled {  // the layer that gives its last step alone
    std::size_t index;
    std::int32_t direction;
    std::string place;
  };

  const char* known_;
  LayerModel list_;
  rnn_config_t& config_ = list_.model.config;
  std::size_t width_ = 0;     // of what the layers so far give; 0: there are none
  std::string place_;         // of the last one
  bool biases_ = false;       // any layer has some
  bool is_open_ = false;      // the last layer is W x + b, and may still change
  Affine pending_;            // of what the last layer gives, to be part of what reads it
  bool is_reversed_ = false;  // what the last layer gives is in the other order of steps,
  std::string turned_;        // since that layer
  std::optional<Pooled> pooled_;
  std::size_t held_ = 0, diagonals_ = 0;  // numbers of matrices
};

}  // namespace

std::size_t gate_count(std::int32_t cell) noexcept { return gates_of(cell).count; }

Model make_model(std::vector<Layer> layers, const char* known) {
  Chain chain(layers, known);
  for (Layer& layer : layers) chain.add(std::move(layer));
  return std::move(chain).build();
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

}  // namespace rnn::keras

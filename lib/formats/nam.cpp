// .nam of Neural Amp Modeler: {"version", "architecture", "config": {...}, "weights": [...]}. The weights are one list:
//
//   LSTM     for each layer  W [4H, X + H], gates i, f, g, o (ours), each row that of the input, then of h;
//                            b [4H]; h [H] and c [H], the state it starts from
//            the head        W [O, H], b [O]
//   Linear   the response to an impulse [receptive_field], the first step's first; b [1] with "bias"
//   ConvNet  for each of the dilations  W [C, X / groups, 2], the older step first; b [C], or with "batchnorm" mean,
//                                       variance, gamma, beta [C] and epsilon [1]; then the activation
//            the head                   W [O, C], b [O]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>

#include "lib/formats/json_kinds.h"
#include "lib/formats/layer_model.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using json::Value;

// "0.5.4": what the list of weights holds is settled by the first two numbers.
void check_version(const Value& version) {
  const std::string text(version.string());
  int major = 0, minor = 0, patch = 0, read = 0;
  if (text.find_first_not_of("0123456789.") != std::string::npos ||
      std::sscanf(text.c_str(), "%2d.%2d.%4d%n", &major, &minor, &patch, &read) != 3 ||
      static_cast<std::size_t>(read) != text.size())
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be three numbers with points between them",
                version.path().c_str(), version.describe().c_str());
  if (major != 0 || minor < 5 || minor > 7)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; librnn reads 0.5 to 0.7", version.path().c_str(),
                version.describe().c_str());
}

void check_keys(const Value& object, std::initializer_list<std::string_view> known) {
  object.each_member([&](std::string_view key, const Value& value) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is unknown", value.path().c_str());
  });
}

std::size_t at(const Value& object, const char* key, std::int32_t most) {
  return static_cast<std::size_t>(object.at(key).integer(1, most));
}

std::size_t at_or_1(const Value& object, const char* key, std::int32_t most) {
  return object.find(key) ? at(object, key, most) : 1;
}

// The weights, from their start.
class WeightsReader {
 public:
  WeightsReader(const Value& weights, std::size_t count) : values_(weights.vector(count)) {}

  std::vector<float> take(std::size_t count) {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(used_);
    used_ += count;
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  void append(std::size_t count, std::vector<float>& to) {
    const std::vector<float> values = take(count);
    to.insert(to.end(), values.begin(), values.end());
  }

 private:
  std::vector<float> values_;
  std::size_t used_ = 0;
};

// ---- LSTM ----

rnn_config_t read_config(const Value& config) {
  check_keys(config, {"input_size", "hidden_size", "num_layers", "in_channels", "out_channels"});
  rnn_config_t out{};
  out.cell = RNN_CELL_LSTM;
  out.input_size = config.at("input_size").integer(1, kMaxClasses);
  out.hidden_size = config.at("hidden_size").integer(1, kMaxSize);
  out.num_layers = config.at("num_layers").integer(1, kMaxLayers);
  out.initial_state = RNN_INITIAL_FIXED;
  if (config.find("in_channels")) check_size(config, "in_channels", out.input_size);
  out.output_size = static_cast<std::int32_t>(at_or_1(config, "out_channels", kMaxClasses));
  return out;
}

Model read_lstm(const Value& config, const Value& weights) {
  Model model;
  model.config = read_config(config);
  const auto size = [](std::int32_t value) { return static_cast<std::size_t>(value); };
  const std::size_t I = size(model.config.input_size), H = size(model.config.hidden_size),
                    O = size(model.config.output_size), L = size(model.config.num_layers);
  WeightsReader reader(weights, 4 * H * (I + H) + (L - 1) * 4 * H * 2 * H + L * 6 * H + O * (H + 1));
  for (std::size_t l = 0; l < L; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    std::vector<float>& input = model.parameters["weight_ih" + suffix];
    std::vector<float>& recurrent = model.parameters["weight_hh" + suffix];
    for (std::size_t row = 0; row < 4 * H; ++row) {
      reader.append(l == 0 ? I : H, input);
      reader.append(H, recurrent);
    }
    model.parameters["bias_ih" + suffix] = reader.take(4 * H);
    model.parameters["initial_h" + suffix] = reader.take(H);
    model.parameters["initial_c" + suffix] = reader.take(H);
  }
  model.parameters["head.weight"] = reader.take(O * H);
  model.parameters["head.bias"] = reader.take(O);
  return model;
}

// ---- Convolutions ----

rnn_layer_t convolution(std::size_t size, std::size_t kernel_size, std::int32_t dilation) {
  rnn_layer_t layer{};
  layer.kind = kernel_size > 1 ? RNN_LAYER_CONV1D : RNN_LAYER_DENSE;
  layer.size = static_cast<std::int32_t>(size);
  if (kernel_size == 1) return layer;
  layer.kernel_size = static_cast<std::int32_t>(kernel_size);
  layer.dilation = dilation;
  return layer;
}

// "implementation" says how it is computed, not what.
Model read_linear(const Value& config, const Value& weights) {
  check_keys(config, {"receptive_field", "bias", "implementation", "in_channels", "out_channels"});
  for (const char* key : {"in_channels", "out_channels"}) check_size(config, key, 1);
  const std::size_t K = at(config, "receptive_field", kMaxSize);
  const bool bias = config.at("bias").boolean();
  WeightsReader reader(weights, K + (bias ? 1 : 0));
  std::vector<float> response = reader.take(K);
  std::reverse(response.begin(), response.end());
  LayerModel list;
  list.model.config.input_size = 1;
  list.add_dense("the convolution", convolution(1, K, 1), std::move(response),
                 bias ? reader.take(1) : std::vector<float>());
  return std::move(list).build("the convolution");
}

// By its name alone, or {"type": name, "negative_slope": number}.
formats::Function read_function(const Value& activation) {
  const bool named = activation.kind() == json::Kind::string;
  if (!named) check_keys(activation, {"type", "negative_slope"});
  const Value type = named ? activation : activation.at("type");
  const std::optional<Value> slope = named ? std::nullopt : activation.find("negative_slope");
  const std::string_view name = type.string();
  if (name == "LeakyReLU" || name == "PReLU") return formats::leaky_relu(slope ? slope->number() : 0.01);
  if (slope)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is there with %s", slope->path().c_str(),
                type.describe().c_str());
  constexpr std::pair<std::string_view, const char*> kNames[] = {
      {"Tanh", "tanh"}, {"ReLU", "relu"}, {"Sigmoid", "sigmoid"}, {"SiLU", "silu"}, {"Softsign", "softsign"}};
  for (const auto& [theirs, ours] : kNames)
    if (name == theirs) return *formats::find_function(ours, formats::kPyTorch);
  throw Error(RNN_UNSUPPORTED,
              "unsupported: %s is %s; librnn reads Tanh, ReLU, LeakyReLU, PReLU, Sigmoid, SiLU and Softsign",
              type.path().c_str(), type.describe().c_str());
}

std::vector<std::int32_t> read_dilations(const Value& dilations) {
  if (dilations.size() == 0)
    throw Error(RNN_BAD_FORMAT, "%s is empty; there must be one or more", dilations.path().c_str());
  std::vector<std::int32_t> out;
  for (const float value : dilations.vector(dilations.size())) {
    if (!(value >= 1 && value <= static_cast<float>(kMaxSize)) || value != std::floor(value))
      throw Error(RNN_BAD_FORMAT, "%s[%zu] is %g; it must be an integer, 1..%d", dilations.path().c_str(),
                  out.size(), static_cast<double>(value), kMaxSize);
    out.push_back(static_cast<std::int32_t>(value));
  }
  return out;
}

class ConvNet {
 public:
  explicit ConvNet(const Value& config)
      : dilations_(read_dilations(config.at("dilations"))),
        inputs_(at_or_1(config, "in_channels", kMaxClasses)),
        outputs_(at_or_1(config, "out_channels", kMaxClasses)),
        channels_(at(config, "channels", kMaxSize)),
        groups_(at_or_1(config, "groups", kMaxSize)),
        normal_(config.at("batchnorm").boolean()),
        function_(read_function(config.at("activation"))) {
    check_keys(config,
               {"dilations", "in_channels", "out_channels", "channels", "groups", "batchnorm", "activation"});
    if (inputs_ % groups_ != 0 || channels_ % groups_ != 0)
      throw Error(RNN_BAD_FORMAT, "config.groups is %zu; in_channels and channels must be multiples of it",
                  groups_);
  }

  Model read(const Value& weights) && {
    WeightsReader reader(weights, count());
    list_.model.config.input_size = static_cast<std::int32_t>(inputs_);
    std::string place;
    for (std::size_t l = 0; l < dilations_.size(); ++l) {
      place = "config.dilations[" + std::to_string(l) + "]";
      add_block(place, reader, l == 0 ? inputs_ : channels_, dilations_[l]);
    }
    std::vector<float> head = reader.take(outputs_ * channels_);
    list_.add_dense("the head", convolution(outputs_, 1, 1), std::move(head), reader.take(outputs_));
    return std::move(list_).build("the head");
  }

 private:
  std::size_t count() const {
    const std::size_t own = normal_ ? 4 * channels_ + 1 : channels_;
    std::size_t count = outputs_ * (channels_ + 1);
    for (std::size_t l = 0; l < dilations_.size(); ++l)
      count += channels_ * ((l == 0 ? inputs_ : channels_) / groups_) * 2 + own;
    return count;
  }

  void add_block(const std::string& place, WeightsReader& reader, std::size_t inputs, std::int32_t dilation) {
    const std::size_t X = inputs / groups_;
    const std::vector<float> taken = reader.take(channels_ * X * 2);
    std::vector<float> weight(taken.size());  // [C, 2, X / groups]
    for (std::size_t row = 0; row < channels_; ++row)
      for (std::size_t i = 0; i < X; ++i)
        for (std::size_t k = 0; k < 2; ++k) weight[(row * 2 + k) * X + i] = taken[(row * X + i) * 2 + k];
    list_.add_grouped(place, convolution(channels_, 2, dilation), std::move(weight),
                      normal_ ? std::vector<float>() : reader.take(channels_), groups_);
    if (normal_) list_.add_affine(read_normalization(reader));
    list_.add_function(place, function_, channels_);
  }

  Affine read_normalization(WeightsReader& reader) const {
    const std::vector<float> mean = reader.take(channels_), variance = reader.take(channels_),
                             gamma = reader.take(channels_), beta = reader.take(channels_);
    const auto epsilon = static_cast<double>(reader.take(1)[0]);
    Affine affine;
    for (std::size_t i = 0; i < channels_; ++i) {
      const double scale =
          static_cast<double>(gamma[i]) / std::sqrt(static_cast<double>(variance[i]) + epsilon);
      affine.scale.push_back(scale);
      affine.shift.push_back(static_cast<double>(beta[i]) - scale * static_cast<double>(mean[i]));
    }
    return affine;
  }

  const std::vector<std::int32_t> dilations_;
  const std::size_t inputs_, outputs_, channels_, groups_;
  const bool normal_;
  const formats::Function function_;
  LayerModel list_;
};

Model read_network(std::string_view name, const Value& config, const Value& weights) {
  if (name == "Linear") return read_linear(config, weights);
  if (name == "ConvNet") return ConvNet(config).read(weights);
  return read_lstm(config, weights);
}

}  // namespace

Model read_nam(const Value& root) {
  const Value architecture = root.at("architecture");
  const std::string_view name = architecture.string();
  if (name != "LSTM" && name != "Linear" && name != "ConvNet")
    throw Error(RNN_UNSUPPORTED,
                "unsupported: architecture is %s; librnn reads \"LSTM\", \"Linear\" and \"ConvNet\"",
                architecture.describe().c_str());
  check_version(root.at("version"));
  Model model = read_network(name, root.at("config"), root.at("weights"));
  model.metadata = read_metadata(root, {"architecture", "config", "weights"});
  return model;
}

}  // namespace rnn

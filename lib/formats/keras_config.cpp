#include "lib/formats/keras_config.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn::keras {
namespace {

using formats::quote;
using json::Value;
using JsonKind = json::Kind;

// What a layer says that does not change what it computes once it is trained.
constexpr std::string_view kHarmless[] = {"name",
                                          "trainable",
                                          "dtype",
                                          "batch_input_shape",
                                          "batch_shape",
                                          "build_config",
                                          "seed",
                                          "input_dtype",
                                          "input_length",
                                          "dropout",
                                          "recurrent_dropout",
                                          "implementation",
                                          "unroll",
                                          "stateful",
                                          "time_major",
                                          "unit_forget_bias",
                                          "zero_output_for_mask",
                                          "use_cudnn",
                                          "activity_regularizer"};
constexpr std::string_view kHarmlessEnds[] = {"_initializer", "_regularizer", "_constraint"};

// Layers that give what they read once training is over.
constexpr std::string_view kPassing[] = {
    "InputLayer",      "Dropout",      "SpatialDropout1D",       "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity"};

bool is_one_of(std::string_view text, const std::string_view* begin, const std::string_view* end) {
  return std::find(begin, end, text) != end;
}

// As Keras makes the names of a file's groups: SimpleRNN is simple_rnn, and a second one simple_rnn_1.
std::string snake_case(std::string_view name) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool word = i > 0 && is_upper(name[i]) &&
                      (is_lower(name[i - 1]) || (i + 1 < name.size() && is_lower(name[i + 1])));
    if (word) out += '_';
    out += is_upper(name[i]) ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return out;
}

// A layer's entry among a model's layers.
class Reader {
 public:
  Reader(const Value& entry, const std::string& class_name, const formats::Conventions& conventions)
      : config_(entry.at("config")), conventions_(conventions) {
    out_.name = config_.at("name").string();
    out_.layer.place = "layer " + quote(out_.name);
    out_.layer.type = class_name;
  }

  // None of a layer that passes what it reads.
  std::optional<ConfiguredLayer> read() && {
    const std::string& type = out_.layer.type;
    if (is_one_of(type, std::begin(kPassing), std::end(kPassing))) return std::nullopt;
    if (type == "Embedding")
      read_embedding();
    else if (type == "Dense")
      read_dense(config_);
    else if (cell_of(type) != 0)
      read_recurrent(config_);
    else if (type == "Bidirectional")
      read_bidirectional();
    else if (type == "TimeDistributed")
      read_distributed();
    else if (type == "Conv1D")
      read_convolution();
    else if (type == "BatchNormalization")
      read_normalization();
    else if (type == "GlobalAveragePooling1D" || type == "GlobalMaxPooling1D")
      read_pooling();
    else if (!read_function())
      refuse(out_.layer, kLayers);
    if (out_.layer.kind == Kind::activation && out_.layer.function.activation == RNN_ACTIVATION_NONE)
      return std::nullopt;
    return std::move(out_);
  }

 private:
  static std::int32_t cell_of(std::string_view type) {
    return type == "SimpleRNN" ? RNN_CELL_VANILLA
           : type == "GRU"     ? RNN_CELL_GRU
           : type == "LSTM"    ? RNN_CELL_LSTM
                               : 0;
  }

  [[noreturn]] void refuse_value(const Value& value, const char* wanted) const {
    throw Error(RNN_UNSUPPORTED, "unsupported: %s (%s): %s is %s; it must be %s", out_.layer.place.c_str(),
                out_.layer.type.c_str(), value.path().c_str(), value.describe().c_str(), wanted);
  }

  static bool is_true(const Value& config, const char* key, bool otherwise = false) {
    const std::optional<Value> value = config.find(key);
    return value ? value->boolean() : otherwise;
  }

  void expect_false(const Value& config, const char* key) const {
    if (is_true(config, key)) refuse_value(config.at(key), "false");
  }

  // Its name, alone or as Keras 3 may wrap it.
  std::string function(const Value& config, const char* key) const {
    const std::optional<Value> found = config.find(key);
    if (!found) return "linear";
    if (found->kind() == JsonKind::string) return std::string(found->string());
    if (found->kind() == JsonKind::object) {
      const std::optional<Value> name = found->find("config");
      if (name && name->kind() == JsonKind::string && found->find("class_name"))
        return std::string(name->string());
    }
    refuse_value(*found, "the name of a function");
  }

  Function known_function(const Value& config) const {
    const std::string name = function(config, "activation");
    const std::optional<Function> known = formats::find_function(name, conventions_);
    if (!known) refuse_function(out_.layer, name);
    return *known;
  }

  // A number, alone or as Keras 2 may wrap it.
  static double number(const Value& config, const char* key, double otherwise) {
    const std::optional<Value> found = config.find(key);
    if (!found) return otherwise;
    const std::optional<Value> inner =
        found->kind() == JsonKind::object ? found->find("value") : std::nullopt;
    return inner ? inner->number() : found->number();
  }

  // The function of a layer that is nothing else; none of another layer.
  std::optional<Function> layer_function() const {
    const std::string& type = out_.layer.type;
    if (type == "Activation") {
      check_keys(config_, {"activation"});
      return known_function(config_);
    }
    if (type == "LeakyReLU") {
      check_keys(config_, {"alpha", "negative_slope"});
      return formats::leaky_relu(number(config_, "negative_slope", number(config_, "alpha", 0.3)));
    }
    if (type == "ELU") {
      check_keys(config_, {"alpha"});
      return formats::elu(number(config_, "alpha", 1));
    }
    if (type == "PReLU") {
      check_keys(config_, {"shared_axes"});
      return Function{RNN_ACTIVATION_PRELU, 0, 0, {}};
    }
    if (type == "ReLU") {
      check_keys(config_, {"max_value", "negative_slope", "threshold"});
      if (const std::optional<Value> most = config_.find("max_value")) refuse_value(*most, "null");
      if (number(config_, "threshold", 0) != 0) refuse_value(config_.at("threshold"), "0");
      return formats::leaky_relu(number(config_, "negative_slope", 0));
    }
    if (type == "Softmax") {
      check_keys(config_, {"axis"});
      if (number(config_, "axis", -1) != -1) refuse_value(config_.at("axis"), "-1");
      return Function{RNN_ACTIVATION_SOFTMAX, 0, 0, {}};
    }
    return std::nullopt;
  }

  bool read_function() {
    const std::optional<Function> function = layer_function();
    if (!function) return false;
    out_.layer.kind = Kind::activation;
    out_.layer.function = *function;
    out_.has_bias = false;
    return true;
  }

  // What is not understood could change the output; null is what is not there.
  void check_keys(const Value& config, std::initializer_list<std::string_view> known) const {
    config.each_member([&](std::string_view key, const Value& value) {
      if (value.is_null() || is_one_of(key, std::begin(kHarmless), std::end(kHarmless)) ||
          is_one_of(key, known.begin(), known.end()))
        return;
      for (const std::string_view end : kHarmlessEnds)
        if (key.size() > end.size() && key.substr(key.size() - end.size()) == end) return;
      throw Error(RNN_UNSUPPORTED, "unsupported: %s (%s): %s is unknown", out_.layer.place.c_str(),
                  out_.layer.type.c_str(), value.path().c_str());
    });
  }

  void read_embedding() {
    check_keys(config_, {"input_dim", "output_dim", "mask_zero", "sparse"});
    expect_false(config_, "mask_zero");
    out_.layer.kind = Kind::embedding;
    out_.layer.inputs = config_.at("input_dim").integer(1, kMaxClasses);
    out_.layer.units = config_.at("output_dim").integer(1, kMaxSize);
    out_.has_bias = false;
  }

  void read_dense(const Value& config) {
    check_keys(config, {"units", "activation", "use_bias", "input_dim"});
    out_.layer.kind = Kind::dense;
    out_.layer.units = config.at("units").integer(1, kMaxClasses);
    out_.layer.function = known_function(config);
    out_.has_bias = is_true(config, "use_bias", true);
  }

  // A number alone, or in a list of one.
  static std::int32_t single(const Value& config, const char* key, std::int32_t most) {
    const std::optional<Value> found = config.find(key);
    if (!found) return 1;
    return found->kind() == JsonKind::number ? found->integer(1, most) : found->last_integer(1, most);
  }

  void read_convolution() {
    check_keys(config_, {"filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
                         "groups", "activation", "use_bias"});
    Layer& layer = out_.layer;
    layer.kind = Kind::convolution;
    layer.units = config_.at("filters").integer(1, kMaxSize);
    layer.kernel_size = single(config_, "kernel_size", kMaxSize);
    layer.dilation = single(config_, "dilation_rate", kMaxSize);
    const std::optional<Value> padding = config_.find("padding");
    if (layer.kernel_size > 1 && (!padding || padding->string() != "causal"))
      refuse_value(padding ? *padding : config_, "\"causal\"");
    check_format();
    if (single(config_, "strides", kMaxSize) != 1) refuse_value(config_.at("strides"), "1");
    layer.groups = single(config_, "groups", kMaxSize);
    layer.function = known_function(config_);
    out_.has_bias = is_true(config_, "use_bias", true);
  }

  void check_format() const {
    const std::optional<Value> format = config_.find("data_format");
    if (format && format->string() != "channels_last") refuse_value(*format, "\"channels_last\"");
  }

  void read_pooling() {
    check_keys(config_, {"data_format", "keepdims"});
    check_format();
    expect_false(config_, "keepdims");
    out_.layer.kind = Kind::pooling;
    out_.layer.pooling = out_.layer.type == "GlobalMaxPooling1D" ? RNN_POOLING_MAX : RNN_POOLING_MEAN;
    out_.has_bias = false;
  }

  void read_normalization() {
    check_keys(config_, {"axis", "momentum", "epsilon", "center", "scale", "fused", "renorm",
                         "renorm_clipping", "renorm_momentum", "synchronized", "virtual_batch_size"});
    expect_false(config_, "renorm");
    out_.layer.kind = Kind::normalization;
    Normalization& own = out_.layer.normalization;
    own.epsilon = number(config_, "epsilon", 1e-3);
    if (!(own.epsilon >= 0)) refuse_value(config_.at("epsilon"), "0 or more");
    if (const std::optional<Value> axis = config_.find("axis")) {
      if (axis->kind() == JsonKind::number)
        own.axis = axis->integer(-1, 2);
      else if (axis->size() == 1)
        own.axis = axis->last_integer(-1, 2);
      else
        refuse_value(*axis, "-1");
    }
    out_.has_scale = is_true(config_, "scale", true);
    out_.has_center = is_true(config_, "center", true);
    out_.has_bias = false;
  }

  void read_recurrent(const Value& config) {
    check_keys(config, {"units", "activation", "recurrent_activation", "use_bias", "reset_after",
                        "return_sequences", "return_state", "go_backwards", "input_dim"});
    expect_false(config, "return_state");
    out_.layer.backwards = is_true(config, "go_backwards");
    Layer& layer = out_.layer;
    layer.kind = Kind::recurrent;
    layer.cell = cell_of(layer.type);
    layer.units = config.at("units").integer(1, kMaxSize);
    const bool gates = layer.cell != RNN_CELL_VANILLA;
    set_functions(layer, function(config, "activation"),
                  gates ? function(config, "recurrent_activation") : "", conventions_);
    // The default of Keras 2.0, whose files do not say it.
    layer.reset_after = layer.cell == RNN_CELL_GRU && is_true(config, "reset_after");
    layer.last_step = !is_true(config, "return_sequences");
    out_.has_bias = is_true(config, "use_bias", true);
  }

  void read_distributed() {
    check_keys(config_, {"layer"});
    const Value inner = config_.at("layer");
    if (inner.at("class_name").string() != "Dense") refuse_value(inner.at("class_name"), "\"Dense\"");
    read_dense(inner.at("config"));
    out_.distributed = true;
  }

  void read_bidirectional() {
    check_keys(config_, {"layer", "backward_layer", "merge_mode"});
    const std::string outer = out_.layer.type;
    const std::optional<Value> mode = config_.find("merge_mode");
    const std::string_view name = mode ? mode->string() : "";
    const Merge merge = name == "concat" ? Merge::concatenation
                        : name == "sum"  ? Merge::sum
                        : name == "ave"  ? Merge::mean
                                         : Merge::none;
    if (merge == Merge::none) refuse_value(mode ? *mode : config_, "\"concat\", \"sum\" or \"ave\"");
    const Value inner = config_.at("layer");
    out_.layer.type = inner.at("class_name").string();
    if (cell_of(out_.layer.type) == 0) {
      out_.layer.type = outer;
      refuse_value(inner.at("class_name"), "\"SimpleRNN\", \"GRU\" or \"LSTM\"");
    }
    read_recurrent(inner.at("config"));
    expect_false(inner.at("config"), "go_backwards");
    if (const std::optional<Value> backward = config_.find("backward_layer"))
      check_backward(inner, *backward);
    out_.layer.merge = merge;
  }

  // The layer for the other direction, where it is said, must be the same but for that.
  void check_backward(const Value& forward, const Value& backward) const {
    const Value a = forward.at("config"), b = backward.at("config");
    if (backward.at("class_name").string() != forward.at("class_name").string())
      refuse_value(backward.at("class_name"), "that of the forward layer");
    if (!is_true(b, "go_backwards")) refuse_value(backward, "a layer that goes backwards");
    for (const char* key : {"units", "use_bias", "reset_after", "return_sequences", "return_state"}) {
      const std::optional<Value> one = a.find(key), other = b.find(key);
      if (one.has_value() != other.has_value() || (one && one->as_text() != other->as_text()))
        refuse_value(backward, "the same as the forward layer but for go_backwards");
    }
    for (const char* key : {"activation", "recurrent_activation"})
      if (function(a, key) != function(b, key))
        refuse_value(backward, "the same as the forward layer but for go_backwards");
  }

  const Value config_;
  const formats::Conventions& conventions_;
  ConfiguredLayer out_;
};

// ---- The order of layers ----

// Which layers an entry of inbound_nodes, or input_layers and output_layers, refers to: ["name", node, tensor, ...],
// in whatever lists and objects.
void add_references(const Value& value, std::vector<std::string>& found) {
  if (value.kind() == JsonKind::object)
    value.each_member([&](std::string_view, const Value& member) { add_references(member, found); });
  if (value.kind() != JsonKind::array || value.size() == 0) return;
  const Value first = value.element(0);
  if (first.kind() != JsonKind::string || value.size() < 3) {
    value.each([&](std::size_t, const Value& element) { add_references(element, found); });
    return;
  }
  std::string name(first.string());
  std::size_t numbers = 0;
  value.each([&](std::size_t i, const Value& element) {
    if ((i == 1 || i == 2) && element.kind() == JsonKind::number && element.number() == 0) ++numbers;
    if (i > 2) add_references(element, found);
  });
  if (numbers != 2)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is of a layer that is used twice or gives several values",
                value.path().c_str());
  found.push_back(std::move(name));
}

// `reader` says in a message what refers to it.
std::string only_reference(const Value& value, const std::string& reader) {
  std::vector<std::string> found;
  add_references(value, found);
  if (found.size() != 1)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s%s refers to %zu layers; it must be 1", reader.c_str(),
                value.path().c_str(), found.size());
  return found.front();
}

// Of a Functional model: each layer reads one layer, from the input to the output.
std::vector<std::size_t> find_chain(const Value& config, const std::vector<Value>& entries,
                                    const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> readers;  // by what they read
  std::string input = only_reference(config.at("input_layers"), "");
  std::size_t count = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Value nodes = entries[i].at("inbound_nodes");
    if (nodes.size() == 0) continue;
    const auto [place, is_new] = readers.emplace(only_reference(nodes, "layer " + quote(names[i]) + ": "), i);
    if (!is_new)
      throw Error(RNN_UNSUPPORTED, "unsupported: layer %s is read by two layers, %s and %s",
                  quote(place->first).c_str(), quote(names[place->second]).c_str(), quote(names[i]).c_str());
    ++count;
  }
  const std::string output = only_reference(config.at("output_layers"), "");
  std::vector<std::size_t> chain;
  for (std::string at = input; at != output; at = names[chain.back()]) {
    const auto next = readers.find(at);
    if (next == readers.end() || chain.size() == count)
      throw Error(RNN_BAD_FORMAT, "the layers lead from %s to no output %s", quote(input).c_str(),
                  quote(output).c_str());
    chain.push_back(next->second);
  }
  if (chain.size() != count)
    throw Error(RNN_UNSUPPORTED, "unsupported: not all layers are between the input %s and the output %s",
                quote(input).c_str(), quote(output).c_str());
  return chain;
}

}  // namespace

std::vector<ConfiguredLayer> read_config(const Value& model, const formats::Conventions& conventions) {
  const std::string type(model.at("class_name").string());
  const Value config = model.at("config");
  const bool is_list = config.kind() == JsonKind::array;  // of Keras before 2.2.3
  if (type != "Sequential" && type != "Functional" && type != "Model")
    throw Error(RNN_UNSUPPORTED,
                "unsupported: the model is a %s; librnn reads \"Sequential\" and \"Functional\"",
                quote(type).c_str());
  std::vector<Value> entries;
  std::vector<std::string> names, paths;
  std::map<std::string, std::size_t> counts;
  (is_list ? config : config.at("layers")).each([&](std::size_t, const Value& entry) {
    entries.push_back(entry);
    names.emplace_back(entry.at("config").at("name").string());
    const std::string name = snake_case(entry.at("class_name").string());
    const std::size_t count = counts[name]++;
    paths.push_back(count == 0 ? name : name + "_" + std::to_string(count));
  });
  std::vector<std::size_t> order;
  if (type == "Sequential")
    for (std::size_t i = 0; i < entries.size(); ++i) order.push_back(i);
  else
    order = find_chain(config, entries, names);
  std::vector<ConfiguredLayer> layers;
  for (const std::size_t i : order) {
    std::optional<ConfiguredLayer> layer =
        Reader(entries[i], std::string(entries[i].at("class_name").string()), conventions).read();
    if (!layer) continue;
    layer->path = paths[i];
    layers.push_back(std::move(*layer));
  }
  return layers;
}

}  // namespace rnn::keras

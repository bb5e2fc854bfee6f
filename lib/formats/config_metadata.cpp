#include "lib/formats/config_metadata.h"

#include <charconv>
#include <cstdint>
#include <string>

#include "lib/cells/cell.h"
#include "lib/formats/decimal.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"

namespace rnn::formats {
namespace {

constexpr char kFormatKey[] = "rnn.format";
constexpr char kFormat[] = "1";

struct Name {
  std::int32_t value;
  const char* name;
};

constexpr Name kInits[] = {{RNN_INIT_PYTORCH, "pytorch"},
                           {RNN_INIT_XAVIER_UNIFORM, "xavier_uniform"},
                           {RNN_INIT_XAVIER_NORMAL, "xavier_normal"},
                           {RNN_INIT_KAIMING_UNIFORM, "kaiming_uniform"},
                           {RNN_INIT_KAIMING_NORMAL, "kaiming_normal"},
                           {RNN_INIT_UNIFORM, "uniform"},
                           {RNN_INIT_ORTHOGONAL, "orthogonal"},
                           {RNN_INIT_IDENTITY, "identity"}};
constexpr Name kInitialStates[] = {
    {RNN_INITIAL_ZERO, "zero"}, {RNN_INITIAL_FIXED, "fixed"}, {RNN_INITIAL_TRAINED, "trained"}};
constexpr Name kComputes[] = {{RNN_COMPUTE_F32, "f32"},
                              {RNN_COMPUTE_BF16, "bf16"},
                              {RNN_COMPUTE_INT8, "int8"},
                              {RNN_COMPUTE_BF16_FAST, "bf16_fast"}};
constexpr Name kBooleans[] = {{1, "true"}, {0, "false"}};
constexpr Name kActivations[] = {{RNN_ACTIVATION_NONE, "none"},
                                 {RNN_ACTIVATION_TANH, "tanh"},
                                 {RNN_ACTIVATION_RELU, "relu"},
                                 {RNN_ACTIVATION_SIGMOID, "sigmoid"},
                                 {RNN_ACTIVATION_SOFTMAX, "softmax"},
                                 {RNN_ACTIVATION_ELU, "elu"},
                                 {RNN_ACTIVATION_LEAKY_RELU, "leaky_relu"},
                                 {RNN_ACTIVATION_PRELU, "prelu"},
                                 {RNN_ACTIVATION_SOFTSIGN, "softsign"},
                                 {RNN_ACTIVATION_GELU, "gelu"},
                                 {RNN_ACTIVATION_SWISH, "swish"},
                                 {RNN_ACTIVATION_HARD_SIGMOID, "hard_sigmoid"},
                                 {RNN_ACTIVATION_SOFTPLUS, "softplus"},
                                 {RNN_ACTIVATION_AFFINE, "affine"},
                                 {RNN_ACTIVATION_SCALED_TANH, "scaled_tanh"},
                                 {RNN_ACTIVATION_THRESHOLDED_RELU, "thresholded_relu"}};
constexpr Name kDirections[] = {{RNN_DIRECTION_FORWARD, "forward"},
                                {RNN_DIRECTION_REVERSE, "reverse"},
                                {RNN_DIRECTION_BOTH, "both"},
                                {RNN_DIRECTION_SUM, "sum"}};

// Visits the fields of a configuration in the order in which they stand in the file.
template <class Visitor, class Layer>
void visit_layer(Visitor& visitor, Layer& layer, std::size_t index) {
  const std::string place = "rnn.layer." + std::to_string(index) + ".";
  auto key = [text = std::string(), &place](const char* field) mutable {
    text = place + field;
    return text.c_str();
  };
  visitor.cell(key("kind"), layer.kind, layer.flags);
  visitor.number(key("size"), layer.size);
  visitor.choice(key("activation"), layer.activation, kActivations);
  visitor.option(key("alpha"), layer.alpha);
  visitor.option(key("beta"), layer.beta);
  visitor.choice(key("direction"), layer.direction, kDirections);
  visitor.option(key("projection_size"), layer.projection_size);
  visitor.option(key("kernel_size"), layer.kernel_size);
  visitor.option(key("dilation"), layer.dilation);
  visitor.option_choice(key("gate_activation"), layer.gate_activation, kActivations);
  visitor.option(key("gate_alpha"), layer.gate_alpha);
  visitor.option(key("gate_beta"), layer.gate_beta);
  visitor.option_choice(key("output_activation"), layer.output_activation, kActivations);
  visitor.option(key("output_alpha"), layer.output_alpha);
  visitor.option(key("output_beta"), layer.output_beta);
  visitor.option(key("clip"), layer.clip);
  visitor.option(key("zoneout_h"), layer.zoneout_h);
  visitor.option(key("zoneout_c"), layer.zoneout_c);
  visitor.flag(key("bias"), layer.flags, RNN_FLAG_NO_BIAS, true);
  visitor.option_flag(key("residual"), layer.flags, RNN_FLAG_RESIDUAL);
  visitor.option_flag(key("layer_norm"), layer.flags, RNN_FLAG_LAYER_NORM);
}

template <class Visitor, class Config>
void visit(Visitor& visitor, Config& config) {
  if (visitor.is_list(config)) {
    visitor.number("rnn.input_size", config.input_size);
    visitor.visit_layers("rnn.layer_count", config);
  } else {
    visitor.cell("rnn.cell", config.cell, config.flags);
    visitor.number("rnn.input_size", config.input_size);
    visitor.number("rnn.hidden_size", config.hidden_size);
    visitor.number("rnn.output_size", config.output_size);
    visitor.number("rnn.num_layers", config.num_layers);
    visitor.flag("rnn.bias", config.flags, RNN_FLAG_NO_BIAS, true);
  }
  visitor.choice("rnn.initial_state", config.initial_state, kInitialStates);
  visitor.choice("rnn.init", config.init, kInits);
  visitor.choice("rnn.recurrent_init", config.recurrent_init, kInits);
  visitor.number("rnn.init_range", config.init_range);
  visitor.number("rnn.seed", config.seed);
  visitor.choice("rnn.compute", config.compute, kComputes);
  visitor.option("rnn.projection_size", config.projection_size);
  visitor.option("rnn.embedding_size", config.embedding_size);
  visitor.option("rnn.forget_bias", config.forget_bias);
  visitor.option("rnn.skip", config.skip);
  visitor.option_flag("rnn.bidirectional", config.flags, RNN_FLAG_BIDIRECTIONAL);
  visitor.option_flag("rnn.residual", config.flags, RNN_FLAG_RESIDUAL);
  visitor.option_flag("rnn.layer_norm", config.flags, RNN_FLAG_LAYER_NORM);
  visitor.option_flag("rnn.tied_head", config.flags, RNN_FLAG_TIED_HEAD);
}

// What begins with option is in the file only where it is not zero.
struct ConfigWriter {
  Writer& writer;

  bool is_list(const rnn_config_t& config) const { return config.layers != nullptr; }

  void visit_layers(const char* key, const rnn_config_t& config) {
    number(key, config.layer_count);
    for (std::size_t l = 0; l < config.layer_count; ++l) visit_layer(*this, config.layers[l], l);
  }

  void cell(const char* key, std::int32_t id, std::uint32_t flags) {
    writer.metadata(key, cells::find(id, flags)->name);
  }

  template <class T>
  void number(const char* key, T value) {
    char text[32];  // the shortest that reads back as the same number, whatever the locale
    const std::to_chars_result result = std::to_chars(text, text + sizeof text, value);
    writer.metadata(key, std::string(text, result.ptr));
  }

  template <class T, std::size_t n>
  void choice(const char* key, T value, const Name (&names)[n]) {
    for (const Name& name : names)
      if (static_cast<T>(name.value) == value) return writer.metadata(key, name.name);
  }

  void flag(const char* key, std::uint32_t flags, std::uint32_t flag, bool inverted) {
    choice(key, std::int32_t{((flags & flag) != 0) != inverted}, kBooleans);
  }

  template <class T>
  void option(const char* key, T value) {
    if (value != 0) number(key, value);
  }

  template <std::size_t n>
  void option_choice(const char* key, std::int32_t value, const Name (&names)[n]) {
    if (value != 0) choice(key, value, names);
  }

  void option_flag(const char* key, std::uint32_t flags, std::uint32_t flag) {
    if ((flags & flag) != 0) this->flag(key, flags, flag, false);
  }
};

struct ConfigReader {
  const Contents& contents;
  std::vector<rnn_layer_t>& layers;

  const std::string& text(const char* key) {
    const std::string* found = contents.find_metadata(key);
    if (found == nullptr) throw Error(RNN_BAD_FORMAT, "metadata %s is missing", key);
    return *found;
  }

  bool has(const char* key) const { return contents.find_metadata(key) != nullptr; }

  bool is_list(const rnn_config_t&) const { return has("rnn.layer_count"); }

  void visit_layers(const char* key, rnn_config_t& config) {
    number(key, config.layer_count);
    if (config.layer_count < 1 || config.layer_count > kMaxListed)
      throw Error(RNN_BAD_FORMAT, "metadata %s is %zu; it must be 1..%zu", key, config.layer_count,
                  kMaxListed);
    layers.assign(config.layer_count, rnn_layer_t{});
    for (std::size_t l = 0; l < config.layer_count; ++l) visit_layer(*this, layers[l], l);
    config.layers = layers.data();
  }

  void cell(const char* key, std::int32_t& id, std::uint32_t& flags) {
    const std::string& name = text(key);
    const cells::Cell* cell = cells::find(name.c_str());
    if (cell == nullptr || name != cell->name)  // a zero byte may hide more
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; no such cell", key, quote(name).c_str());
    id = cell->id;
    flags |= cell->variant;
  }

  template <class T>
  void number(const char* key, T& value) {
    const std::string& s = text(key);
    if (!read_number(s, value))
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be a number in range", key, quote(s).c_str());
  }

  template <class T, std::size_t n>
  void choice(const char* key, T& value, const Name (&names)[n]) {
    const std::string& s = text(key);
    std::string all;
    for (const Name& name : names) {
      if (s == name.name) {
        value = static_cast<T>(name.value);
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(name.name);
    }
    throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be one of %s", key, quote(s).c_str(),
                all.c_str());
  }

  void flag(const char* key, std::uint32_t& flags, std::uint32_t flag, bool inverted) {
    std::int32_t value = 0;
    choice(key, value, kBooleans);
    if ((value != 0) != inverted) flags |= flag;
  }

  template <class T>
  void option(const char* key, T& value) {
    if (has(key)) number(key, value);
  }

  template <std::size_t n>
  void option_choice(const char* key, std::int32_t& value, const Name (&names)[n]) {
    if (has(key)) choice(key, value, names);
  }

  void option_flag(const char* key, std::uint32_t& flags, std::uint32_t flag) {
    if (has(key)) this->flag(key, flags, flag, false);
  }
};

}  // namespace

bool has_config(const Contents& contents) { return contents.find_metadata(kFormatKey) != nullptr; }

void write_config(const rnn_config_t& config, Writer& writer) {
  writer.metadata(kFormatKey, kFormat);
  ConfigWriter visitor{writer};
  visit(visitor, config);
}

rnn_config_t read_config(const Contents& contents, std::vector<rnn_layer_t>& layers) {
  ConfigReader reader{contents, layers};
  if (const std::string& format = reader.text(kFormatKey); format != kFormat)
    throw Error(RNN_BAD_FORMAT, "metadata %s is %s; this library reads %s", kFormatKey, quote(format).c_str(),
                kFormat);
  rnn_config_t config{};
  visit(reader, config);
  return config;
}

}  // namespace rnn::formats

#include "layers.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace {

struct Name {
  std::int32_t value;
  const char* name;
};

constexpr Name kKinds[] = {{RNN_CELL_VANILLA, "vanilla"},  {RNN_CELL_GRU, "gru"},
                           {RNN_CELL_LSTM, "lstm"},        {RNN_CELL_MIN_GRU, "mingru"},
                           {RNN_CELL_MIN_LSTM, "minlstm"}, {RNN_LAYER_DENSE, "dense"},
                           {RNN_LAYER_CONV1D, "conv1d"}};
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

// A set of kinds: bit i is the one at place i of kKinds.
using Kinds = unsigned;
constexpr Kinds kNoLayer = 0, kVanilla = 1, kGru = 2, kLstm = 4, kDense = 32, kConvolution = 64;
constexpr Kinds kJoint = kVanilla | kGru | kLstm, kGated = kGru | kLstm;
constexpr Kinds kActivated = kJoint | kDense | kConvolution, kAll = 127;

struct Flag {
  std::uint32_t value;
  const char* name;
  Kinds kinds;
};

constexpr Flag kFlags[] = {{RNN_FLAG_NO_BIAS, "no_bias", kAll},
                           {RNN_FLAG_RELU, "relu", kVanilla},
                           {RNN_FLAG_RESET_BEFORE, "reset_before", kGru},
                           {RNN_FLAG_BIDIRECTIONAL, "bidirectional", kNoLayer},
                           {RNN_FLAG_RESIDUAL, "residual", kAll},
                           {RNN_FLAG_LAYER_NORM, "layer_norm", kJoint},
                           {RNN_FLAG_TIED_HEAD, "tied_head", kNoLayer},
                           {RNN_FLAG_PEEPHOLES, "peepholes", kLstm},
                           {RNN_FLAG_COUPLED_GATES, "coupled_gates", kLstm}};

struct Number {
  const char* name;
  std::int32_t rnn_layer_t::*field;
  Kinds kinds;
};

constexpr Number kNumbers[] = {{"kernel", &rnn_layer_t::kernel_size, kConvolution},
                               {"dilation", &rnn_layer_t::dilation, kConvolution},
                               {"projection", &rnn_layer_t::projection_size, kLstm}};

// Activations of a cell that are not that of h or of the new or cell gate.
constexpr Number kActivationsOf[] = {{"gates", &rnn_layer_t::gate_activation, kGated},
                                     {"output", &rnn_layer_t::output_activation, kLstm}};

struct Real {
  const char* name;
  float rnn_layer_t::*field;
  Kinds kinds;
};

constexpr Real kReals[] = {{"alpha", &rnn_layer_t::alpha, kActivated},
                           {"beta", &rnn_layer_t::beta, kActivated},
                           {"gate_alpha", &rnn_layer_t::gate_alpha, kGated},
                           {"gate_beta", &rnn_layer_t::gate_beta, kGated},
                           {"output_alpha", &rnn_layer_t::output_alpha, kLstm},
                           {"output_beta", &rnn_layer_t::output_beta, kLstm},
                           {"clip", &rnn_layer_t::clip, kJoint},
                           {"zoneout_h", &rnn_layer_t::zoneout_h, kJoint},
                           {"zoneout_c", &rnn_layer_t::zoneout_c, kLstm}};

template <std::size_t n>
std::string name_in(const Name (&names)[n], std::int32_t value) {
  for (const Name& name : names)
    if (name.value == value) return name.name;
  return std::to_string(value);  // of a library that is newer than this program
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    const std::string part = text.substr(begin, end == text.npos ? end : end - begin);
    const std::size_t first = part.find_first_not_of(" \t\n");
    parts.push_back(first == part.npos ? "" : part.substr(first, part.find_last_not_of(" \t\n") + 1 - first));
    if (end == text.npos) return parts;
    begin = end + 1;
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + names[i];
  return text;
}

// One layer; its messages begin with its number, from 1 on, and its text.
class Reader {
 public:
  Reader(std::size_t number, const std::string& text) : parts_(split(text, ':')) {
    place_ = "layer " + std::to_string(number) + ", \"" + text + "\": ";
  }

  rnn_layer_t read() {
    layer_.struct_size = sizeof layer_;
    read_kind();
    if (parts_.size() < 2 || parts_[1].empty()) fail("its size is missing, as in " + parts_[0] + ":64");
    layer_.size = whole_number("size", parts_[1]);
    if (kind_ == kConvolution) layer_.kernel_size = layer_.dilation = 1;
    for (std::size_t i = 2; i < parts_.size(); ++i) read_part(parts_[i]);
    return layer_;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw std::invalid_argument(place_ + message); }

  void read_kind() {
    std::vector<std::string> names;
    for (const Name& kind : kKinds) {
      if (parts_[0] == kind.name) {
        layer_.kind = kind.value;
        kind_ = 1u << (&kind - kKinds);
      }
      names.push_back(kind.name);
    }
    if (kind_ == 0) fail("the kind is \"" + parts_[0] + "\"; it must be " + joined(names));
  }

  std::int32_t whole_number(const std::string& name, const std::string& text) const {
    char* end = nullptr;
    const long value = std::strtol(text.c_str(), &end, 10);
    constexpr long kMost = 65536;
    if (end == text.c_str() || *end != '\0' || value < 1 || value > kMost)
      fail(name + " is \"" + text + "\"; it must be a whole number, 1.." + std::to_string(kMost));
    return static_cast<std::int32_t>(value);
  }

  void read_part(const std::string& part) {
    if (std::find(seen_.begin(), seen_.end(), part.substr(0, part.find('='))) != seen_.end())
      fail(part.substr(0, part.find('=')) + " is there twice");
    seen_.push_back(part.substr(0, part.find('=')));
    if (read_number(part) || read_real(part) || read_flag(part) || read_activation_of(part) ||
        read_activation(part))
      return;
    fail("it has \"" + part + "\"; behind " + parts_[0] + " and its size may be " + allowed());
  }

  // "kernel=3"
  bool read_number(const std::string& part) {
    for (const Number& number : kNumbers) {
      const std::string start = number.name + std::string("=");
      if ((number.kinds & kind_) == 0 || part.compare(0, start.size(), start) != 0) continue;
      layer_.*number.field = whole_number(number.name, part.substr(start.size()));
      return true;
    }
    return false;
  }

  bool read_real(const std::string& part) {
    for (const Real& real : kReals) {
      const std::string start = real.name + std::string("=");
      if ((real.kinds & kind_) == 0 || part.compare(0, start.size(), start) != 0) continue;
      const std::string text = part.substr(start.size());
      char* end = nullptr;
      layer_.*real.field = std::strtof(text.c_str(), &end);
      if (end == text.c_str() || *end != '\0')
        fail(real.name + (" is \"" + text + "\"; it must be a number"));
      return true;
    }
    return false;
  }

  bool read_flag(const std::string& part) {
    for (const Flag& flag : kFlags) {
      if ((flag.kinds & kind_) == 0 || part != flag.name) continue;
      layer_.flags |= flag.value;
      return true;
    }
    return false;
  }

  // "gates=hard_sigmoid"
  bool read_activation_of(const std::string& part) {
    for (const Number& number : kActivationsOf) {
      const std::string start = number.name + std::string("=");
      if ((number.kinds & kind_) == 0 || part.compare(0, start.size(), start) != 0) continue;
      for (const Name& activation : kActivations)
        if (part.substr(start.size()) == activation.name) {
          layer_.*number.field = activation.value;
          return true;
        }
      std::vector<std::string> names;
      for (const Name& activation : kActivations) names.push_back(activation.name);
      fail(number.name + (" is \"" + part.substr(start.size()) + "\"; it must be ") + joined(names));
    }
    return false;
  }

  bool read_activation(const std::string& part) {
    if ((kActivated & kind_) == 0) return false;
    for (const Name& activation : kActivations) {
      if (part != activation.name) continue;
      if (layer_.activation != 0)
        fail("it has two activations, " + name_of_activation(layer_.activation) + " and " + part);
      layer_.activation = activation.value;
      return true;
    }
    return false;
  }

  std::string allowed() const {
    std::vector<std::string> names;
    for (const Number& number : kNumbers)
      if ((number.kinds & kind_) != 0) names.push_back(number.name + std::string("=N"));
    for (const Flag& flag : kFlags)
      if ((flag.kinds & kind_) != 0) names.push_back(flag.name);
    for (const Name& activation : kActivations)
      if ((kActivated & kind_) != 0) names.push_back(activation.name);
    for (const Number& number : kActivationsOf)
      if ((number.kinds & kind_) != 0) names.push_back(number.name + std::string("=NAME"));
    for (const Real& real : kReals)
      if ((real.kinds & kind_) != 0) names.push_back(real.name + std::string("=X"));
    return joined(names);
  }

  std::vector<std::string> parts_, seen_;
  std::string place_;
  Kinds kind_ = 0;
  rnn_layer_t layer_ = {};
};

}  // namespace

std::vector<rnn_layer_t> read_layers(const std::string& text) {
  std::vector<rnn_layer_t> layers;
  for (const std::string& part : split(text, ',')) layers.push_back(Reader(layers.size() + 1, part).read());
  return layers;
}

std::string text_of(const rnn_layer_t& layer) {
  std::string text = name_of_kind(layer.kind) + ":" + std::to_string(layer.size);
  const auto add = [&text](const std::string& part) { text += ":" + part; };
  for (const Number& number : kNumbers)
    if (layer.*number.field != (layer.kind == RNN_LAYER_CONV1D && (number.kinds & kConvolution) != 0 ? 1 : 0))
      add(number.name + ("=" + std::to_string(layer.*number.field)));
  if (layer.direction != RNN_DIRECTION_FORWARD) add(name_of_direction(layer.direction));
  for (const std::string& name : names_of_flags(layer.flags)) add(name);
  if (layer.activation != RNN_ACTIVATION_NONE) add(name_of_activation(layer.activation));
  for (const Number& number : kActivationsOf)
    if (layer.*number.field != RNN_ACTIVATION_NONE)
      add(number.name + ("=" + name_of_activation(layer.*number.field)));
  for (const Real& real : kReals) {
    char number[32];
    std::snprintf(number, sizeof number, "%s=%g", real.name, static_cast<double>(layer.*real.field));
    if (layer.*real.field != 0) add(number);
  }
  return text;
}

std::string hidden_layers_of(const rnn_config_t& config) {
  std::string text;
  if (config.layer_count > 0) {
    for (std::size_t l = 0; l + 1 < config.layer_count; ++l)
      text += (l == 0 ? "" : ",") + text_of(config.layers[l]);
    return text;
  }
  constexpr std::uint32_t kOfNetwork = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_TIED_HEAD;
  rnn_layer_t layer = {};
  layer.kind = config.cell;
  layer.size = config.hidden_size;
  layer.projection_size = config.projection_size;
  if ((config.flags & RNN_FLAG_BIDIRECTIONAL) != 0) layer.direction = RNN_DIRECTION_BOTH;
  for (std::int32_t l = 0; l < config.num_layers; ++l) {
    layer.flags = config.flags & ~kOfNetwork & ~(l == 0 ? std::uint32_t{RNN_FLAG_RESIDUAL} : 0u);
    text += (l == 0 ? "" : ",") + text_of(layer);
  }
  return text;
}

std::string name_of_kind(std::int32_t kind) { return name_in(kKinds, kind); }
std::string name_of_activation(std::int32_t activation) { return name_in(kActivations, activation); }
std::string name_of_direction(std::int32_t direction) { return name_in(kDirections, direction); }

std::vector<std::string> names_of_flags(std::uint32_t flags) {
  std::vector<std::string> names;
  for (const Flag& flag : kFlags)
    if ((flags & flag.value) != 0) names.push_back(flag.name);
  return names;
}

std::vector<std::string> cell_names() {
  std::vector<std::string> names;
  for (const Name& kind : kKinds)
    if (kind.value < RNN_LAYER_DENSE) names.push_back(kind.name);
  return names;
}

std::int32_t cell_of(const std::string& name) {
  for (const Name& kind : kKinds)
    if (kind.name == name && kind.value < RNN_LAYER_DENSE) return kind.value;
  throw std::invalid_argument("unknown cell " + name);
}

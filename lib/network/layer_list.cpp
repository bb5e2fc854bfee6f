#include "lib/network/layer_list.h"

#include <cmath>

#include "lib/cells/cell.h"
#include "lib/network/config.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

// The numbers that an activation has, and their values where both are 0.
struct Numbers {
  std::int32_t activation;
  bool has_alpha, has_beta;
  float alpha, beta;
};
constexpr Numbers kNumbers[] = {{RNN_ACTIVATION_ELU, true, false, 1.0f, 0.0f},
                                {RNN_ACTIVATION_LEAKY_RELU, true, false, 0.01f, 0.0f},
                                {RNN_ACTIVATION_HARD_SIGMOID, true, true, 0.2f, 0.5f},
                                {RNN_ACTIVATION_AFFINE, true, true, 1.0f, 0.0f},
                                {RNN_ACTIVATION_SCALED_TANH, true, true, 1.0f, 1.0f},
                                {RNN_ACTIVATION_THRESHOLDED_RELU, true, false, 1.0f, 0.0f}};

Numbers numbers_of(std::int32_t activation) noexcept {
  for (const Numbers& numbers : kNumbers)
    if (numbers.activation == activation) return numbers;
  return {activation, false, false, 0.0f, 0.0f};
}

bool is_cell(const rnn_layer_t& layer) noexcept { return layer.kind < RNN_LAYER_DENSE; }

// The activation that a cell has anyway becomes 0.
void resolve_activation(std::int32_t& activation, float& alpha, float& beta, std::int32_t own) noexcept {
  if (activation == own) activation = RNN_ACTIVATION_NONE;
  if (alpha != 0.0f || beta != 0.0f) return;
  const Numbers numbers = numbers_of(activation);
  alpha = numbers.alpha;
  beta = numbers.beta;
}

rnn_layer_t resolve(rnn_layer_t layer) noexcept {
  layer.struct_size = sizeof layer;
  std::int32_t own = RNN_ACTIVATION_NONE;
  if (is_cell(layer)) {
    if (const cells::Cell* other = cells::find_variant(layer)) {
      layer.flags |= other->variant;
      layer.activation = RNN_ACTIVATION_NONE;
    }
    own = static_cast<std::int32_t>(cells::find(layer.kind, layer.flags)->activation);
  }
  resolve_activation(layer.activation, layer.alpha, layer.beta, own);
  resolve_activation(layer.gate_activation, layer.gate_alpha, layer.gate_beta, RNN_ACTIVATION_SIGMOID);
  resolve_activation(layer.output_activation, layer.output_alpha, layer.output_beta, RNN_ACTIVATION_TANH);
  return layer;
}

// Of a resolved layer: its cell has other activations than its own, a clip or zoneout, which lists alone have.
bool is_custom(const rnn_layer_t& layer) noexcept {
  return cells::find(layer) == cells::find(layer.kind, layer.flags)->custom || layer.zoneout_h != 0.0f ||
         layer.zoneout_c != 0.0f;
}

bool is_head(const rnn_layer_t& layer) noexcept {
  return layer.kind == RNN_LAYER_DENSE && layer.activation == RNN_ACTIVATION_NONE &&
         (layer.flags & RNN_FLAG_RESIDUAL) == 0;
}

// One layer of a list, by the names of its fields.
class Checker {
 public:
  Checker(const rnn_config_t& config, std::size_t index)
      : config_(config), index_(index), layer_(config.layers[index]) {}

  void check() const {
    const bool cell = is_cell(layer_);
    const cells::Cell* const plain = cells::find(layer_.kind, 0);
    if (plain == nullptr)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %s", name("kind").c_str(), layer_.kind,
                  name_cells([](const cells::Cell&) { return true; }).c_str());
    const bool head = index_ > 0 && index_ + 1 == config_.layer_count && is_head(layer_);
    check_range("size", layer_.size, 1, head ? kMaxClasses : kMaxSize);
    const bool custom = plain->custom != nullptr;
    check_activation({"activation", "alpha", "beta"}, layer_.activation, layer_.alpha, layer_.beta,
                     custom || !cell);
    check_activation({"gate_activation", "gate_alpha", "gate_beta"}, layer_.gate_activation,
                     layer_.gate_alpha, layer_.gate_beta, custom && plain->gates > 1);
    check_activation({"output_activation", "output_alpha", "output_beta"}, layer_.output_activation,
                     layer_.output_alpha, layer_.output_beta, custom && plain->states > 1);
    check_clip(custom);
    check_zoneout("zoneout_h", layer_.zoneout_h, custom);
    check_zoneout("zoneout_c", layer_.zoneout_c, custom && plain->states > 1);
    check_range("direction", layer_.direction, 0, cell ? RNN_DIRECTION_SUM : 0);
    const LayerFields fields{name("kind"), name("size"), name("flags"), name("projection_size")};
    constexpr std::uint32_t kOfAll = RNN_FLAG_NO_BIAS | RNN_FLAG_RESIDUAL;
    check_flags(layer_, cell ? kOfAll | cells::kVariants | RNN_FLAG_LAYER_NORM : kOfAll, fields);
    if (cell)
      check_projection(layer_, fields);
    else
      check_range("projection_size", layer_.projection_size, 0, 0);
    if (layer_.reserved != 0)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be 0", name("reserved").c_str(), layer_.reserved);
    check_window();
    check_own_activation(*plain);
    check_residual();
  }

 private:
  std::string name(const char* field) const { return "layers[" + std::to_string(index_) + "]." + field; }

  void check_range(const char* field, std::int32_t value, std::int32_t lowest, std::int32_t highest) const {
    if (value >= lowest && value <= highest) return;
    if (lowest == highest)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %d and %s is %d; it must then be %d", name(field).c_str(),
                  value, name("kind").c_str(), layer_.kind, lowest);
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %d..%d", name(field).c_str(), value, lowest,
                highest);
  }

  // The fields of an activation.
  struct Fields {
    const char *activation, *alpha, *beta;
  };

  void check_activation(const Fields& fields, std::int32_t activation, float alpha, float beta,
                        bool allowed) const {
    check_range(fields.activation, activation, 0, allowed ? RNN_ACTIVATION_THRESHOLDED_RELU : 0);
    if (is_cell(layer_) && (activation == RNN_ACTIVATION_SOFTMAX || activation == RNN_ACTIVATION_PRELU))
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s is %d and %s is %d, a cell; it must then be neither %d (RNN_ACTIVATION_SOFTMAX) nor %d "
                  "(RNN_ACTIVATION_PRELU)",
                  name(fields.activation).c_str(), activation, name("kind").c_str(), layer_.kind,
                  RNN_ACTIVATION_SOFTMAX, RNN_ACTIVATION_PRELU);
    const Numbers numbers = numbers_of(activation);
    check_number(fields.alpha, alpha, numbers.has_alpha, fields.activation, activation);
    check_number(fields.beta, beta, numbers.has_beta, fields.activation, activation);
  }

  void check_number(const char* field, float value, bool used, const char* of,
                    std::int32_t activation) const {
    if (!std::isfinite(value))
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g; it must be finite", name(field).c_str(),
                  static_cast<double>(value));
    if (value != 0.0f && !used)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g and %s is %d, which has none; it must then be 0",
                  name(field).c_str(), static_cast<double>(value), name(of).c_str(), activation);
  }

  void check_own_activation(const cells::Cell& plain) const {
    if (layer_.activation != RNN_ACTIVATION_NONE &&
        cells::find(layer_.kind, layer_.flags)->activation != plain.activation)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %d and %s has RNN_FLAG_RELU; it may have one",
                  name("activation").c_str(), layer_.activation, name("flags").c_str());
  }

  void check_clip(bool allowed) const {
    if (!(layer_.clip >= 0.0f) || !std::isfinite(layer_.clip))
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g; it must be at least 0 and finite", name("clip").c_str(),
                  static_cast<double>(layer_.clip));
    if (layer_.clip != 0.0f && !allowed)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g and %s is %d; it must then be 0", name("clip").c_str(),
                  static_cast<double>(layer_.clip), name("kind").c_str(), layer_.kind);
  }

  void check_zoneout(const char* field, float rate, bool allowed) const {
    if (!(rate >= 0.0f && rate < 1.0f))
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g; it must be at least 0 and less than 1",
                  name(field).c_str(), static_cast<double>(rate));
    if (rate != 0.0f && !allowed)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %g and %s is %d; it must then be 0", name(field).c_str(),
                  static_cast<double>(rate), name("kind").c_str(), layer_.kind);
  }

  void check_window() const {
    const bool window = layer_.kind == RNN_LAYER_CONV1D;
    check_range("kernel_size", layer_.kernel_size, window ? 1 : 0, window ? kMaxSize : 0);
    check_range("dilation", layer_.dilation, window ? 1 : 0, window ? kMaxSize : 0);
    if (!window) return;
    const auto taps = static_cast<std::size_t>(layer_.kernel_size);
    const std::size_t reach = (taps - 1) * static_cast<std::size_t>(layer_.dilation);
    const std::size_t inputs = layer_inputs(config_, index_);
    if (taps > kMaxWindow / inputs)
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s is %d and the layer has %zu inputs; their product must be at most %zu",
                  name("kernel_size").c_str(), layer_.kernel_size, inputs, kMaxWindow);
    if (reach > kMaxWindow / inputs)
      throw Error(
          RNN_INVALID_ARGUMENT,
          "%s is %d, %s %d, and the layer has %zu inputs; (kernel_size - 1) dilation inputs must be at "
          "most %zu",
          name("kernel_size").c_str(), layer_.kernel_size, name("dilation").c_str(), layer_.dilation, inputs,
          kMaxWindow);
  }

  void check_residual() const {
    if ((layer_.flags & RNN_FLAG_RESIDUAL) == 0) return;
    if (index_ == 0)
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s has RNN_FLAG_RESIDUAL; the first layer may not have it, whose input is the network's",
                  name("flags").c_str());
    const std::size_t inputs = layer_inputs(config_, index_), outputs = layer_outputs(layer_);
    if (inputs != outputs)
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s has RNN_FLAG_RESIDUAL, and the layer has %zu inputs and %zu outputs; they must be as "
                  "many",
                  name("flags").c_str(), inputs, outputs);
  }

  const rnn_config_t& config_;
  std::size_t index_;
  const rnn_layer_t& layer_;
};

}  // namespace

std::string name_cells(const std::function<bool(const cells::Cell&)>& fits) {
  std::string names;
  std::int32_t last = 0;
  std::size_t comma = 0;  // before the last name
  for (const cells::Cell* cell : cells::all()) {
    if (cell->id == last || !fits(*cell)) continue;
    last = cell->id;
    comma = names.size();
    names += (comma == 0 ? "" : ", ") + std::to_string(cell->id) + " (" + cell->constant + ")";
  }
  return comma == 0 ? names : names.replace(comma, 2, " or ");
}

void check_flags(const rnn_layer_t& layer, std::uint32_t allowed, const LayerFields& fields) {
  std::string names;
  for (const FlagName& flag : kFlags)
    if ((allowed & flag.value) != 0)
      names += (names.empty() ? "" : ", ") + std::string(flag.name) + " " + std::to_string(flag.value);
  if ((layer.flags & ~allowed) != 0)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %u; it must be 0 or a sum of %s", fields.flags.c_str(),
                layer.flags, names.c_str());
  if (!is_cell(layer)) return;
  for (const FlagName& flag : kFlags) {
    if ((layer.flags & flag.value & cells::kVariants) == 0 || cells::find(layer.kind, flag.value) != nullptr)
      continue;
    throw Error(RNN_INVALID_ARGUMENT, "%s has %s and %s is %d; %s must then be %s", fields.flags.c_str(),
                flag.name, fields.kind.c_str(), layer.kind, fields.kind.c_str(),
                name_cells([&](const cells::Cell& cell) { return cell.variant == flag.value; }).c_str());
  }
  if ((layer.flags & RNN_FLAG_LAYER_NORM) == 0) return;
  const cells::Cell& cell = *cells::find(layer);
  if (cell.recurrent_gates() == 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s has RNN_FLAG_LAYER_NORM and %s is %d (%s), which has no weight_hh; %s must then be %s",
                fields.flags.c_str(), fields.kind.c_str(), layer.kind, cell.constant, fields.kind.c_str(),
                name_cells([](const cells::Cell& c) { return c.is_joint(); }).c_str());
  if (!cell.is_joint())
    throw Error(RNN_INVALID_ARGUMENT,
                "%s has both RNN_FLAG_RESET_BEFORE and RNN_FLAG_LAYER_NORM; it may have one",
                fields.flags.c_str());
}

void check_projection(const rnn_layer_t& layer, const LayerFields& fields) {
  const std::int32_t size = layer.projection_size;
  if (size == 0) return;
  if (!cells::find(layer)->can_project)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d and %s is %d; it must be 0 unless %s is %s",
                fields.projection_size.c_str(), size, fields.kind.c_str(), layer.kind, fields.kind.c_str(),
                name_cells([](const cells::Cell& cell) { return cell.can_project; }).c_str());
  if (size < 0 || size >= layer.size)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be 0..%d, less than %s",
                fields.projection_size.c_str(), size, layer.size - 1, fields.size.c_str());
}

void check_layer_count(const rnn_config_t& config) {
  if (config.layer_count < 1 || config.layer_count > kMaxListed)
    throw Error(RNN_INVALID_ARGUMENT, "layer_count is %zu; it must be 1..%zu with layers", config.layer_count,
                kMaxListed);
}

void check_layers(const rnn_config_t& config) {
  check_layer_count(config);
  const struct {
    const char* name;
    std::int32_t value;
  } uniform[] = {{"cell", config.cell},
                 {"hidden_size", config.hidden_size},
                 {"output_size", config.output_size},
                 {"num_layers", config.num_layers},
                 {"projection_size", config.projection_size}};
  for (const auto& field : uniform)
    if (field.value != 0)
      throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be 0 with layers, which say it", field.name,
                  field.value);
  if ((config.flags & ~static_cast<std::uint32_t>(RNN_FLAG_TIED_HEAD)) != 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "flags is %u; with layers, which have flags of their own, it must be 0 or %u "
                "(RNN_FLAG_TIED_HEAD)",
                config.flags, static_cast<unsigned>(RNN_FLAG_TIED_HEAD));
  for (std::size_t l = 0; l < config.layer_count; ++l) Checker(config, l).check();
  if ((config.flags & RNN_FLAG_TIED_HEAD) != 0 && !ends_in_head(config))
    throw Error(RNN_INVALID_ARGUMENT,
                "flags has RNN_FLAG_TIED_HEAD, and the last of %zu layers is no head; it must be one, which "
                "is a dense layer without activation behind others",
                config.layer_count);
}

void fold_layers(rnn_config_t& config) noexcept {
  const bool head = ends_in_head(config);
  const std::size_t count = config.layer_count - (head ? 1 : 0);
  const rnn_layer_t first = layer_at(config, 0);
  if (!is_cell(first) || is_custom(first) || count > kMaxLayers) return;
  if (first.direction != RNN_DIRECTION_FORWARD && first.direction != RNN_DIRECTION_BOTH) return;
  const std::uint32_t residual = count > 1 ? layer_at(config, 1).flags & RNN_FLAG_RESIDUAL : 0;
  for (std::size_t l = 1; l < count; ++l) {
    const rnn_layer_t layer = layer_at(config, l);
    if (layer.kind != first.kind || is_custom(layer) || layer.size != first.size ||
        layer.direction != first.direction || layer.projection_size != first.projection_size ||
        layer.flags != (first.flags | residual))
      return;
  }
  const rnn_layer_t last = layer_at(config, config.layer_count - 1);
  if (head && (last.flags ^ first.flags) & RNN_FLAG_NO_BIAS) return;
  config.cell = first.kind;
  config.hidden_size = first.size;
  config.num_layers = static_cast<std::int32_t>(count);
  config.output_size = head ? last.size : 0;
  config.projection_size = first.projection_size;
  config.flags |= first.flags | residual;
  if (first.direction == RNN_DIRECTION_BOTH) config.flags |= RNN_FLAG_BIDIRECTIONAL;
  config.layers = nullptr;
  config.layer_count = 0;
}

std::size_t layer_count(const rnn_config_t& config) noexcept {
  if (config.layers != nullptr) return config.layer_count;
  return static_cast<std::size_t>(config.num_layers) + (config.output_size != 0 ? 1 : 0);
}

rnn_layer_t layer_at(const rnn_config_t& config, std::size_t index) noexcept {
  if (config.layers != nullptr) return resolve(config.layers[index]);
  rnn_layer_t layer{};
  if (index == static_cast<std::size_t>(config.num_layers)) {
    layer.kind = RNN_LAYER_DENSE;
    layer.size = config.output_size;
    layer.flags = config.flags & RNN_FLAG_NO_BIAS;
    return resolve(layer);
  }
  constexpr std::uint32_t kOfNetwork = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_TIED_HEAD;
  const std::uint32_t without = index == 0 ? kOfNetwork | RNN_FLAG_RESIDUAL : kOfNetwork;
  layer.kind = config.cell;
  layer.size = config.hidden_size;
  layer.direction = (config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? RNN_DIRECTION_BOTH : RNN_DIRECTION_FORWARD;
  layer.projection_size = config.projection_size;
  layer.flags = config.flags & ~without;
  return resolve(layer);
}

bool ends_in_head(const rnn_config_t& config) noexcept {
  const std::size_t count = layer_count(config);
  return count > 1 && is_head(layer_at(config, count - 1));
}

std::size_t layers_before_pooling(const rnn_config_t& config) noexcept {
  std::size_t count = layer_count(config);
  while (count > 0 && layer_at(config, count - 1).kind == RNN_LAYER_DENSE) --count;
  return count > 0 ? count : layer_count(config) - (ends_in_head(config) ? 1 : 0);
}

std::size_t layer_inputs(const rnn_config_t& config, std::size_t index) noexcept {
  if (index > 0) return layer_outputs(layer_at(config, index - 1));
  return static_cast<std::size_t>(config.embedding_size != 0 ? config.embedding_size : config.input_size);
}

std::size_t layer_outputs(const rnn_layer_t& layer) noexcept {
  const auto width =
      static_cast<std::size_t>(layer.projection_size != 0 ? layer.projection_size : layer.size);
  return layer.direction == RNN_DIRECTION_BOTH ? 2 * width : width;
}

}  // namespace rnn

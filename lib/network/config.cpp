#include "lib/network/config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "lib/cells/cell.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"

namespace rnn {
namespace {

constexpr float kInitRange = 0.08f;

void check_range(const char* name, std::int32_t value, std::int32_t lowest, std::int32_t highest) {
  if (value < lowest || value > highest)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %d..%d", name, value, lowest, highest);
}

void default_to(std::int32_t& field, std::int32_t value) noexcept {
  if (field == 0) field = value;
}

void check_cell(std::int32_t cell) {
  const cells::Cell* const found = cells::find(cell, 0);
  if (found == nullptr || !found->keeps_h)
    throw Error(RNN_INVALID_ARGUMENT, "cell is %d; it must be %s", cell,
                name_cells([](const cells::Cell& c) { return c.keeps_h; }).c_str());
}

void check_init(std::int32_t init) {
  if (init == RNN_INIT_ORTHOGONAL || init == RNN_INIT_IDENTITY)
    throw Error(RNN_INVALID_ARGUMENT, "init is %d, which only recurrent_init can be; it must be 0..%d", init,
                RNN_INIT_UNIFORM);
  check_range("init", init, 0, RNN_INIT_UNIFORM);
}

void check_uniform(const rnn_config_t& config) {
  rnn_layer_t layer{};
  layer.kind = config.cell;
  layer.size = config.hidden_size;
  layer.projection_size = config.projection_size;
  layer.flags = config.flags;
  const LayerFields fields{"cell", "hidden_size", "flags", "projection_size"};
  std::uint32_t all = 0;
  for (const FlagName& flag : kFlags) all |= flag.value;
  check_flags(layer, all, fields);
  check_projection(layer, fields);
}

// The layers that have a forget gate have its bias.
void check_forget_bias(const rnn_config_t& config) {
  const auto bias = static_cast<double>(config.forget_bias);
  if (bias == 0) return;
  if (!std::isfinite(bias)) throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g; it must be finite", bias);
  bool found = false, coupled = false;
  for (std::size_t l = 0; l < layer_count(config); ++l) {
    const rnn_layer_t layer = layer_at(config, l);
    coupled = coupled || (layer.flags & RNN_FLAG_COUPLED_GATES) != 0;
    if (cells::find(layer)->forget_gate == cells::kNone) continue;
    found = true;
    if ((layer.flags & RNN_FLAG_NO_BIAS) != 0)
      throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g; it must be 0 with RNN_FLAG_NO_BIAS", bias);
  }
  if (found) return;
  if (coupled)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "forget_bias is %g; it must be 0 with RNN_FLAG_COUPLED_GATES, by which the forget gate has no bias",
        bias);
  const std::string names =
      name_cells([](const cells::Cell& cell) { return cell.forget_gate != cells::kNone; });
  if (config.layers != nullptr)
    throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g; it must be 0 unless the kind of a layer is %s",
                bias, names.c_str());
  throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g and cell is %d; it must be 0 unless cell is %s", bias,
              config.cell, names.c_str());
}

// Of the outputs of the last layer before the head, and of the network.
std::size_t last_width(const rnn_config_t& config) noexcept {
  return layer_outputs(layer_at(config, layer_count(config) - (ends_in_head(config) ? 2 : 1)));
}
std::size_t network_outputs(const rnn_config_t& config) noexcept {
  return layer_outputs(layer_at(config, layer_count(config) - 1));
}

void check_tied_head(const rnn_config_t& config) {
  if ((config.flags & RNN_FLAG_TIED_HEAD) == 0) return;
  const std::size_t width = last_width(config), outputs = network_outputs(config);
  if (static_cast<std::size_t>(config.embedding_size) != width)
    throw Error(RNN_INVALID_ARGUMENT,
                "embedding_size is %d; with RNN_FLAG_TIED_HEAD it must be %zu, the width of "
                "the last layer's output",
                config.embedding_size, width);
  if (config.layers != nullptr && outputs != static_cast<std::size_t>(config.input_size))
    throw Error(RNN_INVALID_ARGUMENT,
                "layers[%zu].size is %zu; with RNN_FLAG_TIED_HEAD it must be %d, the input_size",
                config.layer_count - 1, outputs, config.input_size);
  if (config.layers == nullptr && config.output_size != config.input_size)
    throw Error(RNN_INVALID_ARGUMENT,
                "output_size is %d; with RNN_FLAG_TIED_HEAD it must be %d, the input_size",
                config.output_size, config.input_size);
}

void check_skip(const rnn_config_t& config) {
  if (config.reserved != 0)
    throw Error(RNN_INVALID_ARGUMENT, "reserved is %d; it must be 0", config.reserved);
  if (config.skip == 0) return;
  if (config.embedding_size != 0)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "skip is %d and embedding_size is %d; one of them must be 0, since an embedding reads indices "
        "and not inputs that could be added to outputs",
        config.skip, config.embedding_size);
  const auto outputs = static_cast<std::int32_t>(network_outputs(config));
  const std::int32_t most = std::min(config.input_size, outputs);
  if (config.skip < 0 || config.skip > most)
    throw Error(RNN_INVALID_ARGUMENT,
                "skip is %d; it must be 0..%d, the lesser of %d (inputs) and %d (outputs)", config.skip, most,
                config.input_size, outputs);
}

// The first difference that matters.
struct Difference {
  std::string name;  // empty: there is none
  double a;
  double b;
};

template <class Field>
struct Compared {
  const char* name;
  Field a;
  Field b;
};

// The first flag that only one of both has.
const FlagName* find_flag(std::uint32_t a, std::uint32_t b) noexcept {
  for (const FlagName& flag : kFlags)
    if (((a ^ b) & flag.value) != 0) return &flag;
  return nullptr;
}

Difference find_difference(const rnn_layer_t& a, const rnn_layer_t& b, const std::string& place) {
  const Compared<double> fields[] = {
      {"kind", double(a.kind), double(b.kind)},
      {"size", double(a.size), double(b.size)},
      {"activation", double(a.activation), double(b.activation)},
      {"direction", double(a.direction), double(b.direction)},
      {"projection_size", double(a.projection_size), double(b.projection_size)},
      {"flags", double(a.flags), double(b.flags)},
      {"alpha", double(a.alpha), double(b.alpha)},
      {"beta", double(a.beta), double(b.beta)},
      {"kernel_size", double(a.kernel_size), double(b.kernel_size)},
      {"dilation", double(a.dilation), double(b.dilation)},
      {"gate_activation", double(a.gate_activation), double(b.gate_activation)},
      {"output_activation", double(a.output_activation), double(b.output_activation)},
      {"gate_alpha", double(a.gate_alpha), double(b.gate_alpha)},
      {"gate_beta", double(a.gate_beta), double(b.gate_beta)},
      {"output_alpha", double(a.output_alpha), double(b.output_alpha)},
      {"output_beta", double(a.output_beta), double(b.output_beta)},
      {"clip", double(a.clip), double(b.clip)},
      {"zoneout_h", double(a.zoneout_h), double(b.zoneout_h)},
      {"zoneout_c", double(a.zoneout_c), double(b.zoneout_c)}};
  for (const Compared<double>& field : fields)
    if (field.a != field.b) return {place + "." + field.name, field.a, field.b};
  return {};
}

Difference find_difference(const rnn_config_t& a, const rnn_config_t& b) {
  const Compared<std::int32_t> sizes[] = {{"cell", a.cell, b.cell},
                                          {"input_size", a.input_size, b.input_size},
                                          {"hidden_size", a.hidden_size, b.hidden_size},
                                          {"output_size", a.output_size, b.output_size},
                                          {"num_layers", a.num_layers, b.num_layers},
                                          {"projection_size", a.projection_size, b.projection_size},
                                          {"embedding_size", a.embedding_size, b.embedding_size},
                                          {"skip", a.skip, b.skip},
                                          {"compute", a.compute, b.compute}};
  for (const Compared<std::int32_t>& size : sizes)
    if (size.a != size.b) return {size.name, double(size.a), double(size.b)};
  if (const FlagName* flag = find_flag(a.flags, b.flags))
    return {flag->name, double((a.flags & flag->value) != 0), double((b.flags & flag->value) != 0)};
  if ((a.initial_state == RNN_INITIAL_ZERO) != (b.initial_state == RNN_INITIAL_ZERO))
    return {"initial_state", double(a.initial_state), double(b.initial_state)};
  if (a.layer_count != b.layer_count) return {"layer_count", double(a.layer_count), double(b.layer_count)};
  for (std::size_t l = 0; l < a.layer_count; ++l) {
    const std::string place = "layers[" + std::to_string(l) + "]";
    Difference found = find_difference(layer_at(a, l), layer_at(b, l), place);
    if (!found.name.empty()) return found;
  }
  return {};
}

}  // namespace

void check_compute(std::int32_t compute) {
  if (compute < RNN_COMPUTE_F32 || compute > RNN_COMPUTE_BF16_FAST)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "compute is %d; it must be %d (RNN_COMPUTE_F32), %d (RNN_COMPUTE_BF16), %d (RNN_COMPUTE_INT8) or %d "
        "(RNN_COMPUTE_BF16_FAST)",
        compute, RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST);
}

rnn_config_t resolve(const rnn_config_t& config) {
  rnn_config_t resolved = config;
  resolved.struct_size = sizeof resolved;
  resolved.allocator = nullptr;

  if (config.layers == nullptr && config.layer_count != 0)
    throw Error(RNN_INVALID_ARGUMENT, "layers is NULL and layer_count is %zu; it must then be 0",
                config.layer_count);
  if (config.layers == nullptr) {
    default_to(resolved.cell, RNN_CELL_VANILLA);
    check_cell(resolved.cell);
  }
  check_range("input_size", config.input_size, 1, kMaxClasses);
  if (config.layers == nullptr) {
    check_range("hidden_size", config.hidden_size, 1, kMaxSize);
    check_range("output_size", config.output_size, 0, kMaxClasses);
    check_range("num_layers", config.num_layers, 0, kMaxLayers);
    default_to(resolved.num_layers, 1);
  }

  check_init(config.init);
  default_to(resolved.init, RNN_INIT_PYTORCH);
  check_range("recurrent_init", config.recurrent_init, 0, RNN_INIT_IDENTITY);
  default_to(resolved.recurrent_init, resolved.init);
  if (!std::isfinite(config.init_range) || config.init_range < 0.0f)
    throw Error(RNN_INVALID_ARGUMENT, "init_range is %g; it must be finite and > 0, or 0 for the default",
                static_cast<double>(config.init_range));
  if (config.init_range == 0.0f) resolved.init_range = kInitRange;

  check_range("initial_state", config.initial_state, RNN_INITIAL_ZERO, RNN_INITIAL_TRAINED);
  check_compute(config.compute);
  check_range("embedding_size", config.embedding_size, 0, kMaxSize);
  if (config.layers != nullptr)
    check_layers(config);
  else
    check_uniform(resolved);
  check_forget_bias(resolved);
  check_tied_head(resolved);
  check_skip(resolved);
  if (config.layers != nullptr) fold_layers(resolved);
  return resolved;
}

void check_effects(const rnn_config_t& config) {
  bool recurrent = false;
  for (std::size_t l = 0; l < layer_count(config); ++l)
    recurrent = recurrent || cells::find(layer_at(config, l))->recurrent_gates() > 0;
  if (config.recurrent_init != config.init && !recurrent)
    throw Error(RNN_INVALID_ARGUMENT,
                "recurrent_init is %d and no layer has a weight_hh; it must be 0 or as init",
                config.recurrent_init);
  const bool uniform = config.init == RNN_INIT_UNIFORM || config.recurrent_init == RNN_INIT_UNIFORM;
  if (!uniform && config.init_range != kInitRange)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "init_range is %g, init is %d and recurrent_init is %d; it needs one of %d (RNN_INIT_UNIFORM)",
        static_cast<double>(config.init_range), config.init, config.recurrent_init, RNN_INIT_UNIFORM);
}

bool same_architecture(const rnn_config_t& a, const rnn_config_t& b) {
  return find_difference(a, b).name.empty();
}

void check_same_architecture(const rnn_config_t& a, const char* a_name, const rnn_config_t& b,
                             const char* b_name) {
  const Difference found = find_difference(a, b);
  if (found.name.empty()) return;
  const bool initial = found.name == "initial_state";
  throw Error(RNN_MISMATCH, "%s of %s is %.9g, and of %s %.9g; %s", found.name.c_str(), a_name, found.a,
              b_name, found.b, initial ? "both or neither must be stored" : "it must be the same");
}

}  // namespace rnn

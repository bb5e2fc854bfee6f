#include "lib/network/config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/cells/cell.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

constexpr std::int32_t kMaxLayers = 64;
constexpr float kInitRange = 0.08f;

struct Flag {
  std::uint32_t value;
  const char* name;
};

constexpr Flag kFlags[] = {
    {RNN_FLAG_NO_BIAS, "RNN_FLAG_NO_BIAS"},           {RNN_FLAG_RELU, "RNN_FLAG_RELU"},
    {RNN_FLAG_RESET_BEFORE, "RNN_FLAG_RESET_BEFORE"}, {RNN_FLAG_BIDIRECTIONAL, "RNN_FLAG_BIDIRECTIONAL"},
    {RNN_FLAG_RESIDUAL, "RNN_FLAG_RESIDUAL"},         {RNN_FLAG_LAYER_NORM, "RNN_FLAG_LAYER_NORM"},
    {RNN_FLAG_TIED_HEAD, "RNN_FLAG_TIED_HEAD"}};

void check_range(const char* name, std::int32_t value, std::int32_t lowest, std::int32_t highest) {
  if (value < lowest || value > highest)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %d..%d", name, value, lowest, highest);
}

void default_to(std::int32_t& field, std::int32_t value) noexcept {
  if (field == 0) field = value;
}

// "1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU) or 3 (RNN_CELL_LSTM)": the cells of which one variant fits.
template <class Fits>
std::string name_cells(const Fits& fits) {
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

void check_cell(std::int32_t cell) {
  if (cells::find(cell, 0) == nullptr)
    throw Error(RNN_INVALID_ARGUMENT, "cell is %d; it must be %s", cell,
                name_cells([](const cells::Cell&) { return true; }).c_str());
}

void check_init(std::int32_t init) {
  if (init == RNN_INIT_ORTHOGONAL || init == RNN_INIT_IDENTITY)
    throw Error(RNN_INVALID_ARGUMENT, "init is %d, which only recurrent_init can be; it must be 0..%d", init,
                RNN_INIT_UNIFORM);
  check_range("init", init, 0, RNN_INIT_UNIFORM);
}

// Where the cell is resolved and has all its flags.
const cells::Cell& cell_of(const rnn_config_t& config) noexcept {
  return *cells::find(config.cell, config.flags & cells::kVariants);
}

// Of a configuration whose cell is resolved.
void check_flags(const rnn_config_t& config) {
  std::uint32_t known = 0;
  std::string names;
  for (const Flag& flag : kFlags) {
    known |= flag.value;
    names += (names.empty() ? "" : ", ") + std::string(flag.name) + " " + std::to_string(flag.value);
  }
  if ((config.flags & ~known) != 0)
    throw Error(RNN_INVALID_ARGUMENT, "flags is %u; it must be 0 or a sum of %s", config.flags,
                names.c_str());
  for (const Flag& flag : kFlags) {
    if ((config.flags & flag.value & cells::kVariants) == 0 ||
        cells::find(config.cell, flag.value) != nullptr)
      continue;
    throw Error(RNN_INVALID_ARGUMENT, "flags has %s and cell is %d; cell must then be %s", flag.name,
                config.cell,
                name_cells([&](const cells::Cell& cell) { return cell.variant == flag.value; }).c_str());
  }
  if ((config.flags & RNN_FLAG_LAYER_NORM) == 0) return;
  if (cell_of(config).recurrent_gates() == 0)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "flags has RNN_FLAG_LAYER_NORM and cell is %d (%s), which has no weight_hh; cell must then be %s",
        config.cell, cell_of(config).constant,
        name_cells([](const cells::Cell& cell) { return cell.is_joint(); }).c_str());
  if (!cell_of(config).is_joint())
    throw Error(RNN_INVALID_ARGUMENT,
                "flags has both RNN_FLAG_RESET_BEFORE and RNN_FLAG_LAYER_NORM; it may have one");
}

void check_projection(const rnn_config_t& config) {
  const std::int32_t size = config.projection_size;
  if (size == 0) return;
  if (!cell_of(config).can_project)
    throw Error(RNN_INVALID_ARGUMENT, "projection_size is %d and cell is %d; it must be 0 unless cell is %s",
                size, config.cell,
                name_cells([](const cells::Cell& cell) { return cell.can_project; }).c_str());
  if (size < 0 || size >= config.hidden_size)
    throw Error(RNN_INVALID_ARGUMENT, "projection_size is %d; it must be 0..%d, less than hidden_size", size,
                config.hidden_size - 1);
}

void check_forget_bias(const rnn_config_t& config) {
  const auto bias = static_cast<double>(config.forget_bias);
  if (bias == 0) return;
  if (!std::isfinite(bias)) throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g; it must be finite", bias);
  if (cell_of(config).forget_gate == cells::kNone)
    throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g and cell is %d; it must be 0 unless cell is %s",
                bias, config.cell,
                name_cells([](const cells::Cell& cell) { return cell.forget_gate != cells::kNone; }).c_str());
  if ((config.flags & RNN_FLAG_NO_BIAS) != 0)
    throw Error(RNN_INVALID_ARGUMENT, "forget_bias is %g; it must be 0 with RNN_FLAG_NO_BIAS", bias);
}

// Of each layer's output.
std::int32_t layer_width(const rnn_config_t& config) noexcept {
  const std::int32_t directions = (config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? 2 : 1;
  return directions * (config.projection_size != 0 ? config.projection_size : config.hidden_size);
}

void check_tied_head(const rnn_config_t& config) {
  if ((config.flags & RNN_FLAG_TIED_HEAD) == 0) return;
  const std::int32_t width = layer_width(config);
  if (config.embedding_size != width)
    throw Error(RNN_INVALID_ARGUMENT,
                "embedding_size is %d; with RNN_FLAG_TIED_HEAD it must be %d, the width of "
                "the last layer's output",
                config.embedding_size, width);
  if (config.output_size != config.input_size)
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
  const std::int32_t outputs = config.output_size != 0 ? config.output_size : layer_width(config);
  const std::int32_t most = std::min(config.input_size, outputs);
  if (config.skip < 0 || config.skip > most)
    throw Error(RNN_INVALID_ARGUMENT,
                "skip is %d; it must be 0..%d, the lesser of %d (inputs) and %d (outputs)", config.skip, most,
                config.input_size, outputs);
}

// The first difference that matters.
struct Difference {
  const char* name;
  std::int32_t a;
  std::int32_t b;
};

Difference find_difference(const rnn_config_t& a, const rnn_config_t& b) noexcept {
  const Difference sizes[] = {{"cell", a.cell, b.cell},
                              {"input_size", a.input_size, b.input_size},
                              {"hidden_size", a.hidden_size, b.hidden_size},
                              {"output_size", a.output_size, b.output_size},
                              {"num_layers", a.num_layers, b.num_layers},
                              {"projection_size", a.projection_size, b.projection_size},
                              {"embedding_size", a.embedding_size, b.embedding_size},
                              {"skip", a.skip, b.skip},
                              {"compute", a.compute, b.compute}};
  for (const Difference& size : sizes)
    if (size.a != size.b) return size;
  for (const Flag& flag : kFlags)
    if (((a.flags ^ b.flags) & flag.value) != 0)
      return {flag.name, (a.flags & flag.value) != 0, (b.flags & flag.value) != 0};
  if ((a.initial_state == RNN_INITIAL_ZERO) != (b.initial_state == RNN_INITIAL_ZERO))
    return {"initial_state", a.initial_state, b.initial_state};
  return {nullptr, 0, 0};
}

}  // namespace

void check_compute(std::int32_t compute) {
  if (compute < RNN_COMPUTE_F32 || compute > RNN_COMPUTE_INT8)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "compute is %d; it must be %d (RNN_COMPUTE_F32), %d (RNN_COMPUTE_BF16) or %d (RNN_COMPUTE_INT8)",
        compute, RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8);
}

rnn_config_t resolve(const rnn_config_t& config) {
  rnn_config_t resolved = config;
  resolved.struct_size = sizeof resolved;
  resolved.allocator = nullptr;

  default_to(resolved.cell, RNN_CELL_VANILLA);
  check_cell(resolved.cell);
  check_range("input_size", config.input_size, 1, kMaxClasses);
  check_range("hidden_size", config.hidden_size, 1, kMaxSize);
  check_range("output_size", config.output_size, 0, kMaxClasses);
  check_range("num_layers", config.num_layers, 0, kMaxLayers);
  default_to(resolved.num_layers, 1);

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
  check_flags(resolved);
  check_projection(resolved);
  check_range("embedding_size", config.embedding_size, 0, kMaxSize);
  check_forget_bias(resolved);
  check_tied_head(resolved);
  check_skip(resolved);
  return resolved;
}

void check_effects(const rnn_config_t& config) {
  if (config.recurrent_init != config.init && cell_of(config).recurrent_gates() == 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "recurrent_init is %d and cell is %d (%s), which has no weight_hh; it must be 0 or as init",
                config.recurrent_init, config.cell, cell_of(config).constant);
  const bool uniform = config.init == RNN_INIT_UNIFORM || config.recurrent_init == RNN_INIT_UNIFORM;
  if (!uniform && config.init_range != kInitRange)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "init_range is %g, init is %d and recurrent_init is %d; it needs one of %d (RNN_INIT_UNIFORM)",
        static_cast<double>(config.init_range), config.init, config.recurrent_init, RNN_INIT_UNIFORM);
}

bool same_architecture(const rnn_config_t& a, const rnn_config_t& b) noexcept {
  return find_difference(a, b).name == nullptr;
}

void check_same_architecture(const rnn_config_t& a, const char* a_name, const rnn_config_t& b,
                             const char* b_name) {
  const Difference found = find_difference(a, b);
  if (found.name == nullptr) return;
  const bool initial = found.name == std::string_view("initial_state");
  throw Error(RNN_MISMATCH, "%s of %s is %d, and of %s %d; %s", found.name, a_name, found.a, b_name, found.b,
              initial ? "both or neither must be stored" : "it must be the same");
}

}  // namespace rnn

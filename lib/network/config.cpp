#include "lib/network/config.h"

#include <cmath>
#include <cstdint>

#include "lib/cells/cell.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

constexpr std::int32_t kMaxSize = 65536;
constexpr std::int32_t kMaxLayers = 64;
constexpr float kInitRange = 0.08f;

void check_range(const char* name, std::int32_t value, std::int32_t lowest, std::int32_t highest) {
  if (value < lowest || value > highest)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %d..%d", name, value, lowest, highest);
}

void default_to(std::int32_t& field, std::int32_t value) noexcept {
  if (field == 0) field = value;
}

void check_init(std::int32_t init) {
  if (init == RNN_INIT_ORTHOGONAL || init == RNN_INIT_IDENTITY)
    throw Error(RNN_INVALID_ARGUMENT, "init is %d, which only recurrent_init can be; it must be 0..%d", init,
                RNN_INIT_UNIFORM);
  check_range("init", init, 0, RNN_INIT_UNIFORM);
}

}  // namespace

rnn_config_t resolve(const rnn_config_t& config) {
  rnn_config_t resolved = config;
  resolved.struct_size = sizeof resolved;
  resolved.allocator = nullptr;

  default_to(resolved.cell, RNN_CELL_VANILLA);
  if (cells::find(resolved.cell) == nullptr)
    throw Error(RNN_INVALID_ARGUMENT, "cell is %d; it must be %d (RNN_CELL_VANILLA)", config.cell,
                RNN_CELL_VANILLA);
  check_range("input_size", config.input_size, 1, kMaxSize);
  check_range("hidden_size", config.hidden_size, 1, kMaxSize);
  check_range("output_size", config.output_size, 0, kMaxSize);
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
  if (config.compute != RNN_COMPUTE_F32)
    throw Error(RNN_INVALID_ARGUMENT, "compute is %d; it must be %d (RNN_COMPUTE_F32)", config.compute,
                RNN_COMPUTE_F32);
  if ((config.flags & ~std::uint32_t{RNN_NO_BIAS}) != 0)
    throw Error(RNN_INVALID_ARGUMENT, "flags is 0x%x; it must be 0 or 0x%x (RNN_NO_BIAS)",
                static_cast<unsigned>(config.flags), static_cast<unsigned>(RNN_NO_BIAS));
  if (config.reserved != 0)
    throw Error(RNN_INVALID_ARGUMENT, "reserved is %u; it must be 0", static_cast<unsigned>(config.reserved));
  return resolved;
}

bool same_architecture(const rnn_config_t& a, const rnn_config_t& b) noexcept {
  return a.cell == b.cell && a.input_size == b.input_size && a.hidden_size == b.hidden_size &&
         a.output_size == b.output_size && a.num_layers == b.num_layers &&
         (a.flags & RNN_NO_BIAS) == (b.flags & RNN_NO_BIAS) &&
         (a.initial_state == RNN_INITIAL_ZERO) == (b.initial_state == RNN_INITIAL_ZERO);
}

}  // namespace rnn

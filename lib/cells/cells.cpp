#include <cstdint>
#include <cstring>
#include <iterator>

#include "lib/cells/cell.h"
#include "lib/cells/dense.h"
#include "lib/cells/gru.h"
#include "lib/cells/lstm.h"
#include "lib/cells/mingru.h"
#include "lib/cells/minlstm.h"
#include "lib/cells/vanilla.h"
#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

const Cell* const kCells[] = {&vanilla, &relu,          &gru,          &gru_reset_before,
                              &lstm,    &lstm_peephole, &lstm_coupled, &lstm_coupled_peephole,
                              &mingru,  &minlstm,       &dense,        &conv1d};

}  // namespace

const std::uint32_t kVariants =
    RNN_FLAG_RELU | RNN_FLAG_RESET_BEFORE | RNN_FLAG_PEEPHOLES | RNN_FLAG_COUPLED_GATES;

CellList all() { return {std::begin(kCells), std::end(kCells)}; }

const Cell* find(std::int32_t id, std::uint32_t flags) {
  for (const Cell* cell : kCells)
    if (cell->id == id && cell->variant == (flags & kVariants)) return cell;
  return nullptr;
}

const Cell* find(const rnn_layer_t& layer) {
  const bool has_slopes = layer.activation == RNN_ACTIVATION_PRELU;
  if (layer.kind == RNN_LAYER_DENSE) return has_slopes ? &dense_prelu : &dense;
  if (layer.kind == RNN_LAYER_CONV1D) return has_slopes ? &conv1d_prelu : &conv1d;
  const Cell* const cell = find(layer.kind, layer.flags);
  const bool custom = layer.activation != RNN_ACTIVATION_NONE ||
                      layer.gate_activation != RNN_ACTIVATION_NONE ||
                      layer.output_activation != RNN_ACTIVATION_NONE || layer.clip != 0.0f;
  return custom && cell != nullptr ? cell->custom : cell;
}

const Cell* find_variant(const rnn_layer_t& layer) {
  const Cell* const cell = find(layer.kind, layer.flags);
  const auto activation = static_cast<kernels::ActivationKind>(layer.activation);
  for (const Cell* other : kCells)
    if (other->id == layer.kind && other->activation == activation && other->activation != cell->activation &&
        (other->variant & cell->variant) == cell->variant)
      return other;
  return nullptr;
}

const Cell* find(const char* name) {
  for (const Cell* cell : kCells)
    if (std::strcmp(cell->name, name) == 0) return cell;
  return nullptr;
}

}  // namespace rnn::cells

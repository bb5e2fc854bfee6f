#include "lib/training/transposed.h"

#include <utility>

#include "lib/kernels/float_mode.h"

namespace rnn {

using Kind = Parameter::Kind;

TransposedWeights::TransposedWeights(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), strands_(weights.strands()), threads_(threads) {}

// Those of the lowest layer's inputs may be large: they get no room until they are asked for.
void TransposedWeights::reserve(const Weights& weights, bool with_inputs) {
  PackedMatrices matrices(allocator_, strands_ * kPlaces + 1);
  const auto place = [&](std::size_t i, std::size_t matrix, std::size_t first_row, std::size_t rows,
                         std::size_t first_column = 0) {
    const kernels::Panels panels{nullptr, weights.parameter(i).columns, rows, 0};
    matrices[matrix] = {i, first_row, first_column, true, panels, nullptr};
  };
  const auto place_products = [&](std::size_t i) {
    const Layer& layer = *weights.strand(weights.parameter(i).strand).layer;
    for (std::size_t stage = 0, row = 0; stage < layer.cell->stage_count; ++stage) {
      const std::size_t rows = layer.cell->stages[stage].gates * layer.hidden;
      if (rows == 0) continue;
      const std::size_t first_column = stage == 0 && layer.kept_leads() ? rows - layer.hidden : 0;
      place(i, weights.parameter(i).strand * kPlaces + kProducts + stage, row, rows, first_column);
      row += rows;
    }
  };
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    const std::size_t strand = p.strand * kPlaces;
    if (p.kind == Kind::recurrent) {
      place_products(i);
    } else if (p.kind == Kind::projection) {
      place(i, strand + kProjection, 0, p.rows);
    } else if (p.kind == Kind::input && (with_inputs || weights.strand(p.strand).layer->index > 0)) {
      place(i, strand + kInput, 0, p.rows);
    } else if (with_head_ && p.kind == (weights.has(RNN_FLAG_TIED_HEAD) ? Kind::embedding : Kind::head)) {
      place(i, strands_ * kPlaces, 0, p.rows);
    }
  }

  matrices.place(allocator_, weights);
  matrices_ = std::move(matrices);
  reserved_ = true;
  with_inputs_ = with_inputs;
}

void TransposedWeights::pack(const Weights& weights, bool with_inputs) {
  with_inputs = with_inputs || weights.has_embedding();
  if (!reserved_ || (with_inputs && !with_inputs_)) reserve(weights, with_inputs);
  const kernels::FloatMode mode;
  threads_.run(Threads::kPacking * static_cast<double>(weights.value_count()), jobs(),
               [&](std::size_t job) { pack_job(weights, job); });
}

cells::BackwardWeights TransposedWeights::strand(std::size_t strand) const noexcept {
  cells::BackwardWeights weights{};
  for (std::size_t stage = 0; stage < cells::kMaxStages; ++stage)
    weights.products[stage] = at(strand, kProducts + stage).panels;
  weights.projection = at(strand, kProjection).panels;
  return weights;
}

}  // namespace rnn

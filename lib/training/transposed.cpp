#include "lib/training/transposed.h"

#include <utility>

#include "lib/training/workspace.h"

namespace rnn {

using Kind = Parameter::Kind;

TransposedWeights::TransposedWeights(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), strands_(weights.strands()), threads_(threads) {}

// Those of the lowest layer's inputs may be large: they get no room until they are asked for.
void TransposedWeights::reserve(const Weights& weights, bool with_inputs) {
  const cells::Cell& cell = weights.cell();
  const bool inner_first = Dimensions(weights).inner_first();
  PackedMatrices matrices(allocator_, strands_ * kPlaces + 1);
  const auto place = [&](std::size_t i, std::size_t matrix, std::size_t first_row, std::size_t rows,
                         std::size_t first_column = 0) {
    const kernels::Panels panels{nullptr, weights.parameter(i).columns, rows, 0};
    matrices[matrix] = {i, first_row, first_column, true, panels, nullptr};
  };
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    const std::size_t strand = p.strand * kPlaces;
    if (p.kind == Kind::recurrent) {
      const std::size_t joint = cell.candidate ? p.rows - weights.hidden_size() : p.rows;
      place(i, strand + kRecurrent, 0, joint, inner_first ? p.rows - weights.hidden_size() : 0);
      if (cell.candidate) place(i, strand + kCandidate, joint, p.rows - joint);
    } else if (p.kind == Kind::projection) {
      place(i, strand + kProjection, 0, p.rows);
    } else if (p.kind == Kind::input && (with_inputs || p.strand >= weights.directions())) {
      place(i, strand + kInput, 0, p.rows);
    } else if (with_head_ && p.kind == (weights.has(RNN_TIED_HEAD) ? Kind::embedding : Kind::head)) {
      place(i, strands_ * kPlaces, 0, p.rows);
    }
  }

  matrices.place(allocator_, weights.table());
  matrices_ = std::move(matrices);
  reserved_ = true;
  with_inputs_ = with_inputs;
}

void TransposedWeights::pack(const Weights& weights, bool with_inputs) {
  with_inputs = with_inputs || weights.has_embedding();
  if (!reserved_ || (with_inputs && !with_inputs_)) reserve(weights, with_inputs);
  threads_.run(Threads::kPacking * static_cast<double>(weights.value_count()), jobs(),
               [&](std::size_t job) { pack_job(weights, job); });
}

cells::BackwardWeights TransposedWeights::strand(const Weights& weights, std::size_t strand) const noexcept {
  return {at(strand, kRecurrent).panels, at(strand, kCandidate).panels, at(strand, kProjection).panels,
          weights.strand(strand).norm_recurrent};
}

}  // namespace rnn

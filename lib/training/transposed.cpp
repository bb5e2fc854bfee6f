#include "lib/training/transposed.h"

#include "lib/kernels/pack.h"

namespace rnn {

using Kind = Parameter::Kind;

TransposedWeights::TransposedWeights(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), threads_(threads) {}

// Those of the lowest layer's inputs may be large: they get no room until they are asked for.
void TransposedWeights::reserve(const Weights& weights, bool with_inputs) {
  const cells::Cell& cell = weights.cell();
  const bool inner_first = cell.own_sum && !weights.has(RNN_LAYER_NORM);
  Buffer<PackedMatrix> matrices(allocator_, weights.strands() * kPlaces + 1);
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
    } else if (p.kind == (weights.has(RNN_TIED_HEAD) ? Kind::embedding : Kind::head)) {
      place(i, weights.strands() * kPlaces, 0, p.rows);
    }
  }

  std::size_t used = 0;
  for (const PackedMatrix& m : matrices)
    if (m.panels.rows > 0) used += kernels::padded(kernels::packed_size(weights.table(), m.panels));
  Buffer<float> packed(allocator_, used);
  used = 0;
  for (PackedMatrix& m : matrices) {
    if (m.panels.rows == 0) continue;
    m.panels.data = m.data = packed.data() + used;
    used += kernels::padded(kernels::packed_size(weights.table(), m.panels));
  }
  matrices_.swap(matrices);
  packed_.swap(packed);
  reserved_ = true;
  with_inputs_ = with_inputs;
}

void TransposedWeights::pack(const Weights& weights, bool with_inputs) {
  with_inputs = with_inputs || weights.has_embedding();
  if (!reserved_ || (with_inputs && !with_inputs_)) reserve(weights, with_inputs);
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const PackedMatrix& m = matrices_[i];
    const bool lowest = i % kPlaces == kInput && i < weights.directions() * kPlaces;
    if (m.panels.rows == 0 || (lowest && !with_inputs)) continue;
    const Parameter& p = weights.parameter(m.parameter);
    const float* values = weights.values() + p.offset;
    threads_.run(Threads::kPacking * static_cast<double>(m.panels.rows * m.panels.depth),
                 kernels::panel_count(weights.table(), m.panels),
                 [&](std::size_t panel) { pack_panels(weights.table(), p, values, m, panel, panel + 1); });
  }
}

cells::BackwardWeights TransposedWeights::strand(const Weights& weights, std::size_t strand) const noexcept {
  return {at(strand, kRecurrent).panels, at(strand, kCandidate).panels, at(strand, kProjection).panels,
          weights.strand(strand).norm_recurrent};
}

}  // namespace rnn

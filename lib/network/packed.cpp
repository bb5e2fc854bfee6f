#include "lib/network/packed.h"

#include <algorithm>
#include <new>
#include <utility>

#include "lib/kernels/pack.h"
#include "lib/network/weights.h"

namespace rnn {

PackedMatrices::PackedMatrices(const Allocator& allocator, std::size_t count) : matrices_(allocator, count) {}

void PackedMatrices::place(const Allocator& allocator, const Weights& weights) {
  const kernels::Table& table = weights.table();
  Buffer<std::size_t> offsets(allocator, matrices_.size());
  std::size_t jobs = 0, size = 0;
  for (std::size_t m = 0; m < matrices_.size(); ++m) {
    const kernels::Panels& panels = matrices_[m].panels;
    checked_product(panels.rows + (panels.gates + 1) * table.panel, panels.depth + kernels::kPad);
    const std::size_t room = kernels::padded(kernels::packed_size(table, panels));
    if (room > static_cast<std::size_t>(-1) - size) throw std::bad_alloc();
    jobs += kernels::panel_count(table, panels);
    offsets[m] = size;
    size += room;
  }
  packed_ = Buffer<float>(allocator, size);
  jobs_ = Buffer<Job>(allocator, jobs);
  Job* job = jobs_.data();
  for (std::size_t m = 0; m < matrices_.size(); ++m) {
    PackedMatrix& matrix = matrices_[m];
    if (matrix.panels.rows == 0) continue;
    matrix.panels.data = matrix.data = packed_.data() + offsets[m];
    const Parameter& p = weights.parameter(matrix.parameter);
    kernels::PackSource source{nullptr, p.stride, 1, matrix.first_column};
    if (matrix.transposed) std::swap(source.row_stride, source.column_stride);
    const std::size_t offset = p.offset + matrix.first_row * p.stride;
    for (std::size_t i = 0; i < kernels::panel_count(table, matrix.panels); ++i)
      *job++ = {kernels::find_panel(table, matrix.panels, source, i), offset, matrix.data};
  }
}

void PackedMatrices::pack(const Weights& weights, std::size_t job) noexcept {
  const Job& j = jobs_[job];
  kernels::pack(weights.table().format, j.panel, weights.values() + j.offset, j.packed);
}

void PackedMatrices::copy(const PackedMatrices& others) noexcept {
  std::copy(others.packed_.begin(), others.packed_.end(), packed_.begin());
}

}  // namespace rnn

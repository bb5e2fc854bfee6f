#include "lib/network/packed.h"

#include <algorithm>
#include <new>
#include <utility>

#include "lib/kernels/pack.h"
#include "lib/network/weights.h"

namespace rnn {

PackedMatrices::PackedMatrices(const Allocator& allocator, std::size_t count)
    : matrices_(allocator, count), job_ends_(allocator, count) {}

void PackedMatrices::place(const Allocator& allocator, const kernels::Table& table) {
  const std::size_t count = matrices_.size();
  Buffer<std::size_t> offsets(allocator, count);
  std::size_t jobs = 0, size = 0;
  for (std::size_t m = 0; m < count; ++m) {
    const kernels::Panels& panels = matrices_[m].panels;
    checked_product(panels.rows + (panels.gates + 1) * table.panel, panels.depth + kernels::kPad);
    const std::size_t room = kernels::padded(kernels::packed_size(table, panels));
    if (room > static_cast<std::size_t>(-1) - size) throw std::bad_alloc();
    job_ends_[m] = jobs += kernels::panel_count(table, panels);
    offsets[m] = size;
    size += room;
  }
  packed_ = Buffer<float>(allocator, size);
  for (std::size_t m = 0; m < count; ++m) {
    PackedMatrix& matrix = matrices_[m];
    if (matrix.panels.rows > 0) matrix.panels.data = matrix.data = packed_.data() + offsets[m];
  }
}

void PackedMatrices::pack(const Weights& weights, std::size_t job) noexcept {
  const std::size_t* end = std::upper_bound(job_ends_.begin(), job_ends_.end(), job);
  const std::size_t panel = job - (end == job_ends_.begin() ? 0 : end[-1]);
  const PackedMatrix& matrix = matrices_[static_cast<std::size_t>(end - job_ends_.begin())];
  const Parameter& p = weights.parameter(matrix.parameter);
  kernels::PackSource source{weights.values() + p.offset + matrix.first_row * p.stride, p.stride, 1,
                             matrix.first_column};
  if (matrix.transposed) std::swap(source.row_stride, source.column_stride);
  kernels::pack(weights.table(), matrix.panels, source, panel, panel + 1, matrix.data);
}

void PackedMatrices::copy(const PackedMatrices& others) noexcept {
  std::copy(others.packed_.begin(), others.packed_.end(), packed_.begin());
}

}  // namespace rnn

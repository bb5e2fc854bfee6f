#include "lib/kernels/pack.h"

namespace rnn::kernels {
namespace {

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace

std::size_t packed_size(const Table& table, std::size_t rows, std::size_t depth) {
  return round_up(rows, table.panel) * depth;
}

std::size_t panel_count(const Table& table, std::size_t rows) { return (rows + table.panel - 1) / table.panel; }

void pack(const Table& table, std::size_t rows, std::size_t depth, const float* w, std::size_t row_stride,
          std::size_t column_stride, std::size_t first, std::size_t last, float* packed) {
  for (std::size_t panel = first; panel < last; ++panel) {
    const std::size_t row = panel * table.panel;
    const std::size_t used = rows - row < table.panel ? rows - row : table.panel;
    const std::size_t width = round_up(used, table.lanes);
    const float* source = w + row * row_stride;
    float* target = packed + row * depth;
    for (std::size_t k = 0; k < depth; ++k, source += column_stride, target += width) {
      for (std::size_t i = 0; i < used; ++i) target[i] = source[i * row_stride];
      for (std::size_t i = used; i < width; ++i) target[i] = 0.0f;
    }
  }
}

}  // namespace rnn::kernels

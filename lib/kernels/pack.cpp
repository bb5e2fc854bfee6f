#include "lib/kernels/pack.h"

namespace rnn::kernels {
namespace {

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

bool is_grouped(const Panels& w) { return w.gates > 1; }

// How a matrix is cut: panels of `panel` rows, or of as many units with a row for each gate, and behind them
// perhaps a narrow one.
struct Cut {
  std::size_t gates;
  std::size_t rows;   // of one gate
  std::size_t panel;  // of one gate
  std::size_t wide;   // rows of one gate that are not in the narrow panel

  Cut(const Table& table, const Panels& w)
      : gates(is_grouped(w) ? w.gates : 1),
        rows(w.rows / gates),
        panel(is_grouped(w) ? table.lanes : table.panel),
        wide(rows) {
    const std::size_t rest = rows % table.lanes;
    if (table.narrow < table.lanes && rest <= table.narrow) wide -= rest;
  }
  std::size_t wide_panels() const { return (wide + panel - 1) / panel; }
};

// Of a panel, of slots.
std::size_t columns(const Table& table, const Panels& w) { return (w.depth + table.pack - 1) / table.pack; }

// Rows of a panel: of W and the slots of a column.
struct Column {
  const float* source;
  std::size_t row_stride;
  std::size_t used;
  float* target;
  std::size_t width;
};

void fill_with_zeros(const Column& c) {
  for (std::size_t i = c.used; i < c.width; ++i) c.target[i] = 0.0f;
}

void store_f32(const Column& c) {
  for (std::size_t i = 0; i < c.used; ++i) c.target[i] = c.source[i * c.row_stride];
  fill_with_zeros(c);
}

// Two numbers to a slot, or the last and a zero.
void store_bf16(const Column& c, std::size_t column_stride, bool both) {
  for (std::size_t i = 0; i < c.used; ++i) {
    const float* const source = c.source + i * c.row_stride;
    const std::uint32_t slot = bf16_bits(source[0]) | (both ? bf16_bits(source[column_stride]) << 16 : 0u);
    std::memcpy(c.target + i, &slot, sizeof slot);
  }
  fill_with_zeros(c);
}

}  // namespace

std::size_t packed_size(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return (round_up(cut.wide, table.lanes) + round_up(cut.rows - cut.wide, table.narrow)) * cut.gates *
         columns(table, w);
}

std::size_t panel_count(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return cut.wide_panels() + (cut.wide < cut.rows ? 1 : 0);
}

void pack(const Table& table, const Panels& w, const float* values, std::size_t row_stride,
          std::size_t column_stride, std::size_t first, std::size_t last, float* packed) {
  const Cut cut(table, w);
  for (std::size_t panel = first; panel < last; ++panel) {
    const bool narrow = panel == cut.wide_panels();
    const std::size_t row = narrow ? cut.wide : panel * cut.panel;
    const std::size_t end = narrow ? cut.rows : cut.wide;
    const std::size_t used = end - row < cut.panel ? end - row : cut.panel;
    const std::size_t width = round_up(used, narrow ? table.narrow : table.lanes);
    float* target = packed + row * cut.gates * columns(table, w);
    for (std::size_t k = 0; k < w.depth; k += table.pack) {
      for (std::size_t g = 0; g < cut.gates; ++g, target += width) {
        const float* const source = values + (g * cut.rows + row) * row_stride + k * column_stride;
        const Column column{source, row_stride, used, target, width};
        if (table.format == Format::f32)
          store_f32(column);
        else
          store_bf16(column, column_stride, k + 1 < w.depth);
      }
    }
  }
}

}  // namespace rnn::kernels

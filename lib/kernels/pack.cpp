#include "lib/kernels/pack.h"

namespace rnn::kernels {
namespace {

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

bool is_grouped(const Panels& w) { return w.gates > 1; }

// How a matrix is cut: panels of `panel` rows, or of as many units with a row for each gate.
struct Cut {
  std::size_t gates;
  std::size_t rows;   // of one gate
  std::size_t panel;  // of one gate

  Cut(const Table& table, const Panels& w)
      : gates(is_grouped(w) ? w.gates : 1),
        rows(w.rows / gates),
        panel(is_grouped(w) ? table.lanes : table.panel) {}
};

}  // namespace

std::size_t packed_size(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return round_up(cut.rows, cut.panel) * cut.gates * w.depth;
}

std::size_t panel_count(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return (cut.rows + cut.panel - 1) / cut.panel;
}

void pack(const Table& table, const Panels& w, const float* values, std::size_t row_stride,
          std::size_t column_stride, std::size_t first, std::size_t last, float* packed) {
  const Cut cut(table, w);
  for (std::size_t panel = first; panel < last; ++panel) {
    const std::size_t row = panel * cut.panel;
    const std::size_t used = cut.rows - row < cut.panel ? cut.rows - row : cut.panel;
    const std::size_t width = round_up(used, table.lanes);
    float* target = packed + row * cut.gates * w.depth;
    for (std::size_t k = 0; k < w.depth; ++k) {
      for (std::size_t g = 0; g < cut.gates; ++g, target += width) {
        const float* const source = values + (g * cut.rows + row) * row_stride + k * column_stride;
        for (std::size_t i = 0; i < used; ++i) target[i] = source[i * row_stride];
        for (std::size_t i = used; i < width; ++i) target[i] = 0.0f;
      }
    }
  }
}

}  // namespace rnn::kernels

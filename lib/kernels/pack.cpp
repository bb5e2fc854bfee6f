#include "lib/kernels/pack.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "lib/kernels/simd-inl.h"

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

// Of a panel: of slots, and what is behind them.
std::size_t columns(const Table& table, const Panels& w) {
  return round_up((w.depth + table.pack - 1) / table.pack, table.block) +
         (table.format == Format::int8 ? 2 : 0);
}

// Column k of gate g, whose rows are row_stride apart, of a panel whose first row is at `values`.
inline const float* column(const PackPanel& p, const float* values, std::size_t g, std::size_t k) {
  std::size_t c = p.first_column + k;
  if (c >= p.depth) c -= p.depth;
  return values + g * p.gate_stride + c * p.column_stride;
}
inline float element(const PackPanel& p, const float* values, std::size_t g, std::size_t i, std::size_t k) {
  return column(p, values, g, k)[i * p.row_stride];
}

using Four = Vec<Baseline>;

// Four rows of four columns.
struct Square {
  Four a, b, c, d;
};

inline Square load_transposed(const float* p, std::size_t stride) {
  const Four a = Four::load_unaligned(p), b = Four::load_unaligned(p + stride);
  const Four c = Four::load_unaligned(p + 2 * stride), d = Four::load_unaligned(p + 3 * stride);
  const Four ac = zip_lo(a, c), bd = zip_lo(b, d);
  const Four ac_high = zip_hi(a, c), bd_high = zip_hi(b, d);
  return {zip_lo(ac, bd), zip_hi(ac, bd), zip_lo(ac_high, bd_high), zip_hi(ac_high, bd_high)};
}

// to[j * to_stride + i] = from[i * from_stride + j], i and j < 4.
inline void transpose(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  const Square s = load_transposed(from, from_stride);
  s.a.store_unaligned(to);
  s.b.store_unaligned(to + to_stride);
  s.c.store_unaligned(to + 2 * to_stride);
  s.d.store_unaligned(to + 3 * to_stride);
}

inline void add(const Four& x, float* y) { (Four::load_unaligned(y) + x).store_unaligned(y); }

// Calls visit(i) for fours [i, i + 4) that cover 0..n-1, the last two of which may overlap; n >= 4.
template <class Visit>
void for_fours(std::size_t n, const Visit& visit) {
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) visit(i);
  if (i < n) visit(n - 4);
}

// The rows of a column of one gate. No loop for a few: it would take longer than they do.
inline void pack_column(const float* from, std::size_t stride, std::size_t used, float* to) {
  if (used >= 4 && stride == 1) {
    for_fours(used, [&](std::size_t i) { Four::load_unaligned(from + i).store_unaligned(to + i); });
  } else if (used >= 4) {
    for_fours(used, [&](std::size_t i) {
      for (std::size_t j = 0; j < 4; ++j) to[i + j] = from[(i + j) * stride];
    });
  } else {
    to[0] = from[0];
    if (used > 1) to[1] = from[stride];
    if (used > 2) to[2] = from[2 * stride];
  }
}

// The rows of one gate by fours of columns, which stand side by side in W.
inline void pack_fours(const float* from, std::size_t stride, std::size_t used, std::size_t depth, float* to,
                       std::size_t height) {
  for_fours(depth, [&](std::size_t k) {
    for_fours(used,
              [&](std::size_t i) { transpose(from + i * stride + k, stride, to + k * height + i, height); });
  });
}

void pack_f32(const PackPanel& p, const float* values, float* target) {
  const std::size_t stride = p.row_stride, used = p.used,
                    width = p.width;  // in registers, whatever is stored
  if (used >= 4 && p.depth >= 4 && p.column_stride == 1 && p.first_column == 0) {
    for (std::size_t g = 0; g < p.gates; ++g)
      pack_fours(values + g * p.gate_stride, stride, used, p.depth, target + g * width, p.gates * width);
    return;
  }
  for (std::size_t k = 0; k < p.depth; ++k)
    for (std::size_t g = 0; g < p.gates; ++g, target += width)
      pack_column(column(p, values, g, k), stride, used, target);
}

// By value, like the next one: likewise.
void pack_bf16(PackPanel p, const float* values, float* target) {
  for (std::size_t k = 0; k < p.depth; k += 2) {
    const bool both = k + 1 < p.depth;
    const std::uint32_t upper = both ? 0xffff0000u : 0u;
    for (std::size_t g = 0; g < p.gates; ++g, target += p.width) {
      const float* const first = column(p, values, g, k);
      const float* const second = both ? column(p, values, g, k + 1) : first;
      for (std::size_t i = 0; i < p.used; ++i) {
        const std::size_t at = i * p.row_stride;
        const std::uint32_t slot = bf16_bits(first[at]) | (bf16_bits(second[at]) << 16 & upper);
        std::memcpy(target + i, &slot, sizeof slot);
      }
    }
  }
}

// The largest magnitude of row i of gate g; a NaN if there is one.
float largest_of_row(const PackPanel& p, const float* values, std::size_t g, std::size_t i) {
  float largest = 0.0f;
  for (std::size_t k = 0; k < p.depth; ++k) {
    const float magnitude = std::fabs(element(p, values, g, i, k));
    if (!(magnitude <= largest)) largest = magnitude;
    if (std::isnan(largest)) break;
  }
  return largest;
}

// Whatever the rounding, no number wraps around.
std::int32_t clamp8(long number) {
  return static_cast<std::int32_t>(number < -127 ? -127 : number > 127 ? 127 : number);
}

// Row by row: its slots, its scale and the sum of its numbers.
void pack_int8(PackPanel p, const float* values, float* packed) {
  const std::size_t columns = (p.depth + 3) / 4, height = p.gates * p.width;
  for (std::size_t g = 0; g < p.gates; ++g) {
    for (std::size_t i = 0; i < p.width; ++i) {
      float* const target = packed + g * p.width + i;
      const float largest = i < p.used ? largest_of_row(p, values, g, i) : 0.0f;
      const bool usable = largest >= 0x1p-100f && largest <= std::numeric_limits<float>::max();
      const float inverse = usable ? 127.0f / largest : 0.0f, scale = largest / 127.0f;
      std::int32_t sum = 0;
      for (std::size_t c = 0; c < columns; ++c) {
        std::uint32_t slot = 0;
        for (std::size_t k = 4 * c; usable && k < p.depth && k < 4 * c + 4; ++k) {
          static constexpr unsigned shifts[] = {0, 16, 8, 24};  // the order of a slot
          const std::int32_t number = clamp8(std::lrint(element(p, values, g, i, k) * inverse));
          sum += number;
          slot |= (static_cast<std::uint32_t>(number) & 255u) << shifts[k % 4];
        }
        std::memcpy(target + c * height, &slot, sizeof slot);
      }
      sum *= 128;
      target[columns * height] = scale;
      std::memcpy(target + (columns + 1) * height, &sum, sizeof sum);
    }
  }
}

}  // namespace

std::size_t packed_size(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return (round_up(cut.wide, table.lanes) + round_up(cut.rows - cut.wide, table.narrow)) * cut.gates *
         columns(table, w);
}

Panels slice(const Table& table, const Panels& w, std::size_t first, std::size_t last) {
  return {w.data + first * columns(table, w), last - first, w.depth, w.gates};
}

std::size_t panel_count(const Table& table, const Panels& w) {
  const Cut cut(table, w);
  return cut.wide_panels() + (cut.wide < cut.rows ? 1 : 0);
}

PackPanel find_panel(const Table& table, const Panels& w, const PackSource& source, std::size_t panel) {
  const Cut cut(table, w);
  const bool narrow = panel == cut.wide_panels();
  const std::size_t row = narrow ? cut.wide : panel * cut.panel;
  const std::size_t end = narrow ? cut.rows : cut.wide;
  PackPanel p;
  p.row_stride = source.row_stride;
  p.column_stride = source.column_stride;
  p.first_column = source.first_column;
  p.first = row * source.row_stride;
  p.gate_stride = cut.rows * source.row_stride;
  p.gates = cut.gates;
  p.depth = w.depth;
  p.used = end - row < cut.panel ? end - row : cut.panel;
  p.width = round_up(p.used, narrow ? table.narrow : table.lanes);
  p.slot = row * cut.gates * columns(table, w);
  return p;
}

void pack(Format format, const PackPanel& panel, const float* values, float* packed) {
  values += panel.first;
  packed += panel.slot;
  switch (format) {
    case Format::f32:
      return pack_f32(panel, values, packed);
    case Format::bf16:
      return pack_bf16(panel, values, packed);
    case Format::int8:
      return pack_int8(panel, values, packed);
  }
}

void pack(const Table& table, const Panels& w, const PackSource& source, std::size_t first, std::size_t last,
          float* packed) {
  for (std::size_t panel = first; panel < last; ++panel)
    pack(table.format, find_panel(table, w, source, panel), source.values, packed);
}

void add_transposed(std::size_t rows, std::size_t columns, const float* x, std::size_t x_stride, float* y,
                    std::size_t y_stride) {
  constexpr std::size_t line = 16;  // of y in the cache
  for (std::size_t first = 0; first < rows; first += line) {
    const std::size_t last = first + line < rows ? first + line : rows;
    std::size_t j = 0;
    for (; j + 4 <= columns; j += 4) {
      float* const to = y + j * y_stride;
      std::size_t i = first;
      for (; i + 4 <= last; i += 4) {
        const Square s = load_transposed(x + i * x_stride + j, x_stride);
        add(s.a, to + i);
        add(s.b, to + y_stride + i);
        add(s.c, to + 2 * y_stride + i);
        add(s.d, to + 3 * y_stride + i);
      }
      for (; i < last; ++i)
        for (std::size_t n = 0; n < 4; ++n) to[n * y_stride + i] += x[i * x_stride + j + n];
    }
    for (; j < columns; ++j)
      for (std::size_t i = first; i < last; ++i) y[j * y_stride + i] += x[i * x_stride + j];
  }
}

}  // namespace rnn::kernels

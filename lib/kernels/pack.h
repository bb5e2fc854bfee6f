// Packed weights: see Panels. A plain matrix W[rows, depth] is cut into panels of `panel` rows; the last
// panel has as many whole vectors of `lanes` rows as it needs. A matrix grouped by gates is cut into panels
// of `lanes` units. Where `narrow` rows (units) take what whole vectors leave, they are a panel of their own
// behind the others. A panel is stored column by column, a column of slots after the other. Rows (units)
// beyond W's are zero, which they have to be before they are packed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/kernels/table.h"

namespace rnn::kernels {

// Slots of 32 bits that the packed matrix takes; its panels start 64-byte aligned if it does where vectors of
// this table have 16 lanes. The data of `w` is not looked at.
std::size_t packed_size(const Table& table, const Panels& w);

// Rows [first, last) of a plain matrix. They are whole panels, but for those that end with the matrix.
Panels slice(const Table& table, const Panels& w, std::size_t first, std::size_t last);

// Number of panels, each of which may be packed by a task of its own.
std::size_t panel_count(const Table& table, const Panels& w);

// Where column k of a matrix is: element i at values[i * row_stride + c * column_stride], c = first_column +
// k, less the depth if it is not below it. Strides exchanged are the transposed matrix.
struct PackSource {
  const float* values;
  std::size_t row_stride, column_stride;
  std::size_t first_column;
};

// Pack panels [first, last) of the matrix to `packed`.
void pack(const Table& table, const Panels& w, const PackSource& source, std::size_t first, std::size_t last,
          float* packed);

// One panel, for those that pack it again and again: of a small matrix, most of the time would go into finding
// this out.
struct PackPanel {
  std::size_t row_stride, column_stride, first_column;  // as PackSource has them
  std::size_t first;                                    // value: its first row's
  std::size_t gate_stride;                              // from a gate's values to the next gate's
  std::size_t gates, depth;                             // as Panels has them, but at least one gate
  std::size_t used, width;                              // rows of each gate, and how many there is room for
  std::size_t slot;                                     // of the packed matrix, where it starts
};
PackPanel find_panel(const Table& table, const Panels& w, const PackSource& source, std::size_t panel);
void pack(Format format, const PackPanel& panel, const float* values, float* packed);

// y[j, i] += x[i, j] for i < rows and j < columns.
void add_transposed(std::size_t rows, std::size_t columns, const float* x, std::size_t x_stride, float* y,
                    std::size_t y_stride);

// The bits of the nearest bf16, of two the even one; subnormals become zeros, a NaN stays one.
inline std::uint32_t bf16_bits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const std::uint32_t number = magnitude < 0x00800000u ? bits >> 16 & 0x8000u : nearest;
  return magnitude > 0x7f800000u ? bits >> 16 | 0x40u : number;
}

}  // namespace rnn::kernels

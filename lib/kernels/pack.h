// Packed weights. W[rows, depth] is cut into panels of `panel` rows; the last panel has as many whole
// vectors of `lanes` rows as it needs. A panel is stored column by column: the `width` elements of
// column 0, then those of column 1, ... Rows beyond W's are zero.
#pragma once

#include <cstddef>

#include "lib/kernels/table.h"

namespace rnn::kernels {

// Floats that the packed matrix takes; whole panels, so that every panel starts 64-byte aligned.
std::size_t packed_size(const Table& table, std::size_t rows, std::size_t depth);

// Number of panels, each of which may be packed by a task of its own.
std::size_t panel_count(const Table& table, std::size_t rows);

// Pack panels [first, last) of w, whose element (i, k) is at w[i * row_stride + k * column_stride]: strides
// exchanged pack the transposed matrix.
void pack(const Table& table, std::size_t rows, std::size_t depth, const float* w, std::size_t row_stride,
          std::size_t column_stride, std::size_t first, std::size_t last, float* packed);

}  // namespace rnn::kernels

// Sums over the rows of a pass, whose error would grow with their number.
#pragma once

#include <algorithm>
#include <cstddef>

#include "lib/kernels/table.h"

namespace rnn {

// A sum over more rows is made of blocks of kernels::kApartRows, from its first row on, which are added in order.
constexpr std::size_t kLongRows = 256;

// out[columns] += the sum of `rows` rows, of which add(first, count, to) adds some to `to`, also to what pads columns.
constexpr std::size_t kSumColumns = 96;
template <class Add>
void add_apart(const kernels::Table& table, std::size_t rows, std::size_t columns, float* out,
               const Add& add) noexcept {
  for (std::size_t first = 0; first < rows; first += kernels::kApartRows) {
    float sums[kSumColumns];
    std::fill_n(sums, kernels::padded(columns), 0.0f);
    add(first, std::min(kernels::kApartRows, rows - first), sums);
    table.add(1, columns, {out, 0, nullptr}, {sums, 0, nullptr}, {out, 0, nullptr});
  }
}

}  // namespace rnn

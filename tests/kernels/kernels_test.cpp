#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {

std::vector<const Table*> tables(Format format) {
  const TableList list = all(format);
  return {list.begin, list.end};
}

void fill_rows(float* rows, std::size_t count, std::size_t n, std::size_t stride, std::mt19937& random) {
  for (std::size_t m = 0; m < count; ++m) {
    const std::vector<float> row = randoms(n, random);
    std::copy(row.begin(), row.end(), rows + m * stride);
    if (m + 1 < count) std::fill(rows + m * stride + n, rows + (m + 1) * stride, 0.0f);
  }
}

Spread::Spread(float* b, std::size_t count, std::size_t s, bool by_pointer, std::mt19937& random)
    : base(b), stride(s) {
  if (!by_pointer) return;
  for (std::size_t m = 0; m < count; ++m) pointers.push_back(base + m * stride);
  std::shuffle(pointers.begin(), pointers.end(), random);
}

bool same_bits(const float* a, const float* b, std::size_t n) {
  return std::memcmp(a, b, n * sizeof(float)) == 0;
}

}  // namespace rnn::kernels

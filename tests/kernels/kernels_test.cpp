#include "tests/kernels/kernels_test.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

namespace rnn::kernels {

std::vector<const Table*> tables(Format format) {
  const TableList list = all(format);
  return {list.begin, list.end};
}

Edge::Edge(std::size_t capacity) : capacity_(capacity) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t used = (capacity * sizeof(float) + page - 1) / page * page;
  bytes_ = used + page;
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  char* end = static_cast<char*>(memory_) + used;
  if (mprotect(end, page, std::getenv("RNN_TEST_SOFT_EDGE") != nullptr ? PROT_READ : PROT_NONE) != 0)
    throw std::bad_alloc();
  end_ = reinterpret_cast<float*>(end);
}

Edge::~Edge() { munmap(memory_, bytes_); }

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

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {

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

}  // namespace rnn::kernels

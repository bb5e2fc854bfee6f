#include <windows.h>

#include <cstdlib>
#include <new>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {

Edge::Edge(std::size_t capacity) : capacity_(capacity) {
  constexpr std::size_t kPage = 4096;
  const std::size_t used = (capacity * sizeof(float) + kPage - 1) / kPage * kPage;
  bytes_ = used + kPage;
  memory_ = VirtualAlloc(nullptr, bytes_, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (memory_ == nullptr) throw std::bad_alloc();
  char* const end = static_cast<char*>(memory_) + used;
  const DWORD rights = std::getenv("RNN_TEST_SOFT_EDGE") != nullptr ? PAGE_READONLY : PAGE_NOACCESS;
  DWORD before = 0;
  if (!VirtualProtect(end, kPage, rights, &before)) throw std::bad_alloc();
  end_ = reinterpret_cast<float*>(end);
}

Edge::~Edge() { VirtualFree(memory_, 0, MEM_RELEASE); }

}  // namespace rnn::kernels

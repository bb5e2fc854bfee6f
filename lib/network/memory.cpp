#include "lib/network/memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <limits>

namespace rnn {
namespace {

// What fills a huge page begins with one, and Linux is asked to make it of them: rows of large matrices lie
// more pages apart than the processor remembers.
constexpr std::size_t kHugePage = std::size_t{1} << 21;

std::align_val_t alignment_of(std::size_t size, std::size_t alignment) {
  return std::align_val_t{size < kHugePage ? alignment : std::max(alignment, kHugePage)};
}

void* allocate_by_runtime(std::size_t size, std::size_t alignment, void*) {
  void* const memory = ::operator new(size, alignment_of(size, alignment), std::nothrow);
#if defined(__linux__)
  if (memory != nullptr && size >= kHugePage) madvise(memory, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return memory;
}

void deallocate_by_runtime(void* memory, std::size_t size, std::size_t alignment, void*) {
  ::operator delete(memory, alignment_of(size, alignment));
}

}  // namespace

Allocator::Allocator() noexcept
    : functions_{sizeof(rnn_allocator_t), &allocate_by_runtime, &deallocate_by_runtime, nullptr} {}

void* Allocator::allocate(std::size_t size, std::size_t alignment) const {
  void* memory = functions_.allocate(size, alignment, functions_.user);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Allocator::deallocate(void* memory, std::size_t size, std::size_t alignment) const noexcept {
  functions_.deallocate(memory, size, alignment, functions_.user);
}

std::size_t checked_product(std::size_t a, std::size_t b) {
  if (b != 0 && a > std::numeric_limits<std::size_t>::max() / b) throw std::bad_alloc();
  return a * b;
}

std::size_t checked_sum(std::size_t a, std::size_t b) {
  if (a > std::numeric_limits<std::size_t>::max() - b) throw std::bad_alloc();
  return a + b;
}

}  // namespace rnn

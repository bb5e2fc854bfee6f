#include "lib/network/memory.h"

#include <limits>

namespace rnn {
namespace {

void* allocate_by_runtime(std::size_t size, std::size_t alignment, void*) {
  return ::operator new (size, std::align_val_t{alignment}, std::nothrow);
}

void deallocate_by_runtime(void* memory, std::size_t, std::size_t alignment, void*) {
  ::operator delete (memory, std::align_val_t{alignment});
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

}  // namespace rnn

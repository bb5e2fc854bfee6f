// Memory through the caller's allocation functions, and the one array type that the library keeps.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "rnn/rnn.h"

namespace rnn {

// A copy of the caller's allocation functions, or of the C++ runtime's.
class Allocator {
 public:
  Allocator() noexcept;  // the C++ runtime
  explicit Allocator(const rnn_allocator_t& functions) noexcept : functions_(functions) {}

  void* allocate(std::size_t size, std::size_t alignment) const;  // throws std::bad_alloc
  void deallocate(void* memory, std::size_t size, std::size_t alignment) const noexcept;

  template <class T, class... Arguments>
  T* make(Arguments&&... arguments) const {
    void* memory = allocate(sizeof(T), alignof(T));
    try {
      return new (memory) T(std::forward<Arguments>(arguments)...);
    } catch (...) {
      deallocate(memory, sizeof(T), alignof(T));
      throw;
    }
  }

  template <class T>
  void destroy(T* object) const noexcept {
    const Allocator self = *this;  // the object may own this allocator
    object->~T();
    self.deallocate(object, sizeof(T), alignof(T));
  }

 private:
  rnn_allocator_t functions_;
};

// An array of n zero-initialised elements, 64-byte aligned. Multiplying sizes is checked.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr std::size_t kAlignment = 64;

  Buffer() = default;
  Buffer(const Allocator& allocator, std::size_t n);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer();

  // Make room for n elements if there is less; the contents are zero afterwards where room was made, and
  // otherwise as they were.
  void reserve(const Allocator& allocator, std::size_t n) {
    if (n > size_) *this = Buffer(allocator, n);
  }
  void swap(Buffer& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

 private:
  Allocator allocator_;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

template <class T>
Buffer<T>::Buffer(const Allocator& allocator, std::size_t n) : allocator_(allocator) {
  if (n == 0) return;
  if (n > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
  data_ = static_cast<T*>(allocator_.allocate(n * sizeof(T), kAlignment));
  std::uninitialized_value_construct_n(data_, n);
  size_ = n;
}

template <class T>
Buffer<T>::~Buffer() {
  if (data_ != nullptr) allocator_.deallocate(data_, size_ * sizeof(T), kAlignment);
}

// a * b and a + b, or std::bad_alloc where they overflow.
std::size_t checked_product(std::size_t a, std::size_t b);
std::size_t checked_sum(std::size_t a, std::size_t b);

}  // namespace rnn

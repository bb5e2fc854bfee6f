// Numbers as files and messages hold them, little-endian, on every CPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace rnn {

constexpr bool kIsLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
static_assert(kIsLittleEndian || __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, "numbers have another byte order");

// From little-endian numbers to this CPU's or back, in place.
template <class T>
void swap_little_endian(T* values, std::size_t count) noexcept {
  static_assert(std::is_arithmetic_v<T>);
  if constexpr (!kIsLittleEndian && sizeof(T) > 1) {
    for (std::size_t i = 0; i < count; ++i) {
      unsigned char bytes[sizeof(T)];
      std::memcpy(bytes, values + i, sizeof(T));
      std::reverse(bytes, bytes + sizeof(T));
      std::memcpy(values + i, bytes, sizeof(T));
    }
  }
}

// Of bytes of any alignment.
template <class T>
void read_little_endian(const void* bytes, T* values, std::size_t count) noexcept {
  if (count > 0) std::memcpy(values, bytes, count * sizeof(T));
  swap_little_endian(values, count);
}
template <class T>
T read_little_endian(const void* bytes) noexcept {
  T value;
  read_little_endian(bytes, &value, 1);
  return value;
}
template <class T>
void write_little_endian(const T* values, std::size_t count, void* bytes) noexcept {
  static_assert(std::is_arithmetic_v<T>);
  if constexpr (kIsLittleEndian || sizeof(T) == 1) {
    if (count > 0) std::memcpy(bytes, values, count * sizeof(T));
  } else {
    auto* out = static_cast<unsigned char*>(bytes);
    for (std::size_t i = 0; i < count; ++i, out += sizeof(T)) {
      std::memcpy(out, values + i, sizeof(T));
      std::reverse(out, out + sizeof(T));
    }
  }
}

}  // namespace rnn

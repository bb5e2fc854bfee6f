// A hash of the bits of numbers, to pin what must be the same on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/network/little_endian.h"

namespace rnn {

// FNV-1a of the bytes, 64 bits, little-endian.
template <class T>
std::uint64_t hash(const T* values, std::size_t n) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < n; ++i) {
    unsigned char bytes[sizeof(T)];
    write_little_endian(&values[i], 1, bytes);
    for (const unsigned char byte : bytes) h = (h ^ byte) * 0x100000001b3;
  }
  return h;
}

template <class T>
std::uint64_t hash(const std::vector<T>& values) {
  return hash(values.data(), values.size());
}

}  // namespace rnn

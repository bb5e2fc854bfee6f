// The safetensors container: an 8-byte little-endian length, a JSON header of that length, then the tensors'
// values, little-endian and row-major, without gaps.
#pragma once

#include <cstddef>

#include "lib/formats/contents.h"

namespace rnn::formats::safetensors {

// True if the file begins like one, be it cut off or damaged behind that.
inline bool recognise(const void* memory, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(memory);
  return size > 8 && bytes[8] == '{' && bytes[7] == 0;  // no JSON has a zero
}

Contents read(const Source& source);

std::size_t size(const Writer& writer);          // bytes of the file
void write(const Writer& writer, void* memory);  // [size] bytes

}  // namespace rnn::formats::safetensors

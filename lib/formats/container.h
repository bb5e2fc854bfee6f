// The containers that hold the same contents, by RNN_FORMAT_SAFETENSORS and RNN_FORMAT_BINARY; a build
// without formats has only the second.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lib/formats/contents.h"
#include "rnn/rnn.h"

namespace rnn::formats {

// What is written where nobody says.
#if RNN_WITH_FORMATS
constexpr std::int32_t kDefaultContainer = RNN_FORMAT_SAFETENSORS;
#else
constexpr std::int32_t kDefaultContainer = RNN_FORMAT_BINARY;
#endif

// By how much of its beginning a file is recognised, before the rest is read.
constexpr std::size_t kHead = 4096;
inline ByteRange head_of(const Source& source) {
  return ByteRange(source, 0, std::min(source.size(), kHead));
}

// The container that a file begins like, or 0.
std::int32_t recognise(const void* memory, std::size_t size) noexcept;

// The source outlives the contents.
Contents read(const Source& source, std::int32_t container);

// Throw Error(RNN_UNSUPPORTED) where this build has no such container.
std::size_t size(const Writer& writer, std::int32_t container);
void write(const Writer& writer, std::int32_t container, void* memory);

// Write a file of the default container; see write_file.
void save(const Writer& writer, const char* path);

}  // namespace rnn::formats

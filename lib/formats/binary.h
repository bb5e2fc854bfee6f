// librnn's own container, for programs that shall not need JSON: all numbers little-endian,
//
//   8 bytes   89 72 6e 6e 0d 0a 1a 0a, which text conversion would damage
//   u32       version, 1
//   u32       CRC-32 (of zlib) of all bytes behind it
//   u64       size of the file
//   u64       where the data begin
//   u32, u32  numbers of metadata and of tensors
//   metadata  u32 and u32, the sizes of key and value; key; value
//   tensors   u32 type (1 F64, 2 F32, 3 F16, 4 BF16, 5 U64, 6 I64); u32 rank; u32 size of the name;
//             u64 extents[rank]; u64 where its values begin; name
//   data      row-major; each tensor's begins at the next multiple of 64 bytes, the gaps are 0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/formats/contents.h"

namespace rnn::formats::binary {

bool recognise(const void* memory, std::size_t size) noexcept;  // by the first 8 bytes

// The checksum is that of a first pass over the whole source, which takes no memory.
Contents read(const Source& source);

std::size_t size(const Writer& writer);          // bytes of the file
void write(const Writer& writer, void* memory);  // [size] bytes

// The CRC-32 that stands in a file of these bytes, 16 at least.
std::uint32_t checksum(const Source& source);

// The same file as an array `name` in C99 or C++ with a comment before it.
std::string c_source(const Writer& writer, std::string_view name, std::string_view comment);

}  // namespace rnn::formats::binary

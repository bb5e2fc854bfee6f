// The CRC-32 of zlib, ZIP and PNG: polynomial 0xedb88320, reflected.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/formats/source.h"

namespace rnn::formats {

// Of bytes [offset, offset + count), which are read some at a time.
std::uint32_t crc32(const Source& source, std::size_t offset, std::size_t count);

}  // namespace rnn::formats

#include "lib/formats/crc32.h"

#include <algorithm>
#include <array>

namespace rnn::formats {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = make_table();

}  // namespace

std::uint32_t crc32(const Source& source, std::size_t offset, std::size_t count) {
  constexpr std::size_t kBytesAtOnce = std::size_t{1} << 16;
  std::uint32_t crc = 0xffffffffu;
  for (const std::size_t end = offset + count; offset < end; offset += kBytesAtOnce) {
    const ByteRange bytes(source, offset, std::min(kBytesAtOnce, end - offset));
    for (std::size_t i = 0; i < bytes.size(); ++i) crc = kTable[(crc ^ bytes.data()[i]) & 255] ^ (crc >> 8);
  }
  return ~crc;
}

}  // namespace rnn::formats

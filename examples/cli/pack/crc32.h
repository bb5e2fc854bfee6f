// The CRC-32 of zlib, PNG and ZIP: polynomial 0xEDB88320, reflected.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pack {

constexpr std::array<std::uint32_t, 256> make_crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

inline constexpr std::array<std::uint32_t, 256> kCrc32Table = make_crc32_table();

// Of bytes behind others, whose own is `before`.
template <class Byte>
constexpr std::uint32_t crc32(const Byte* bytes, std::size_t count, std::uint32_t before = 0) {
  std::uint32_t crc = ~before;
  for (std::size_t i = 0; i < count; ++i)
    crc = kCrc32Table[(crc ^ static_cast<std::uint8_t>(bytes[i])) & 255] ^ (crc >> 8);
  return ~crc;
}

static_assert(crc32("123456789", 9) == 0xCBF43926u, "its check value");
static_assert(crc32("6789", 4, crc32("12345", 5)) == 0xCBF43926u, "in parts");

}  // namespace pack

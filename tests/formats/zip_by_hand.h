// ZIP archives by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/formats/crc32.h"
#include "lib/network/little_endian.h"

// The bytes of a number.
template <class T>
std::string number(T value) {
  std::string bytes(sizeof value, '\0');
  rnn::write_little_endian(&value, 1, bytes.data());
  return bytes;
}

struct ZipEntry {
  std::string name, data;
  std::uint16_t method = 0;
};

// Stored entries, the directory and the end record; with zip64 the places of data stand in ZIP64 fields.
inline std::string zip(const std::vector<ZipEntry>& entries, bool zip64 = false) {
  std::string file, directory;
  for (const ZipEntry& e : entries) {
    const std::uint32_t crc =
        rnn::formats::crc32(rnn::MemorySource(e.data.data(), e.data.size()), 0, e.data.size());
    const auto size = static_cast<std::uint32_t>(e.data.size());
    const auto place = static_cast<std::uint32_t>(file.size());
    const auto name_size = static_cast<std::uint16_t>(e.name.size());
    const std::string middle = number(std::uint16_t{0}) + number(e.method) + number(std::uint32_t{0}) +
                               number(crc) + number(size) + number(size) + number(name_size);
    std::string extra;
    if (zip64) extra = number(std::uint16_t{1}) + number(std::uint16_t{8}) + number(std::uint64_t{place});
    directory += "PK\1\2" + number(std::uint16_t{0}) + number(std::uint16_t{0}) + middle +
                 number(static_cast<std::uint16_t>(extra.size())) + std::string(10, '\0') +
                 number(zip64 ? 0xffffffffu : place) + e.name + extra;
    file += "PK\3\4" + number(std::uint16_t{0}) + middle + number(std::uint16_t{3}) + e.name + "pad" + e.data;
  }
  const auto first = static_cast<std::uint32_t>(file.size());
  const auto count = static_cast<std::uint16_t>(entries.size());
  file += directory;
  if (zip64) {
    const std::uint64_t record = file.size();
    file += "PK\6\6" + number(std::uint64_t{44}) + std::string(12, '\0') + number(std::uint64_t{count}) +
            number(std::uint64_t{count}) + number(std::uint64_t{directory.size()}) +
            number(std::uint64_t{first});
    file += "PK\6\7" + number(std::uint32_t{0}) + number(record) + number(std::uint32_t{1});
  }
  return file + "PK\5\6" + number(std::uint32_t{0}) + number(count) + number(count) +
         number(static_cast<std::uint32_t>(directory.size())) + number(zip64 ? 0xffffffffu : first) +
         number(std::uint16_t{0});
}

#include "archive.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "crc32.h"
#include "model.h"
#include "range_coder.h"

namespace pack {
namespace {

constexpr std::uint8_t kMagic[] = {0x8A, 'R', 'N', 'N', 'P', '\r', '\n', 0x1A};
constexpr int kVersion = 1;
constexpr std::size_t kHeader = 16, kBlockHeader = 12;
constexpr std::size_t kMostPlain = 1 << 16;

using Bytes = std::vector<std::uint8_t>;

void put(std::uint8_t* place, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) place[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint32_t get(const std::uint8_t* place) {
  return place[0] | std::uint32_t{place[1]} << 8 | std::uint32_t{place[2]} << 16 |
         std::uint32_t{place[3]} << 24;
}

void write_block_header(Output& out, std::size_t plain, std::size_t coded, std::uint32_t sum) {
  std::uint8_t header[kBlockHeader];
  put(header, static_cast<std::uint32_t>(plain));
  put(header + 4, static_cast<std::uint32_t>(coded));
  put(header + 8, sum);
  out.write(header, sizeof header);
}

template <class Code>
void for_each_bit(std::uint8_t byte, const Code& code) {
  for (int i = 7; i >= 0; --i) code(byte >> i & 1);
}

Bytes encode(Model& model, const Bytes& plain) {
  RangeEncoder encoder;
  for (const std::uint8_t byte : plain)
    for_each_bit(byte, [&](int bit) {
      encoder.encode(bit, model.predict());
      model.update(bit);
    });
  return encoder.finish();
}

Bytes decode(Model& model, const Bytes& coded, std::size_t size) {
  RangeDecoder decoder(coded.data(), coded.size());
  Bytes plain(size);
  for (std::uint8_t& byte : plain)
    for (int i = 0; i < 8; ++i) {
      const int bit = decoder.decode(model.predict());
      model.update(bit);
      byte = static_cast<std::uint8_t>(byte << 1 | bit);
    }
  return plain;
}

void learn(Model& model, const Bytes& plain) {
  for (const std::uint8_t byte : plain)
    for_each_bit(byte, [&](int bit) {
      model.predict();
      model.update(bit);
    });
}

int read_header(Input& in) {
  std::uint8_t header[kHeader];
  const std::size_t size = in.read(header, sizeof header);
  if (size < sizeof kMagic || std::memcmp(header, kMagic, sizeof kMagic) != 0)
    throw std::runtime_error(in.name() + " is no archive of rnn pack");
  if (size < sizeof header) throw std::runtime_error(in.name() + " is damaged: it ends in its header");
  if (get(header + 12) != crc32(header, 12))
    throw std::runtime_error(in.name() + " is damaged: its header has another checksum");
  const int version = header[8], preset = header[9];
  if (version != kVersion)
    throw std::runtime_error(in.name() + " has version " + std::to_string(version) +
                             " of the format; this program reads version " + std::to_string(kVersion));
  if (preset < 1 || preset > kPresets)
    throw std::runtime_error(in.name() + " was packed with preset " + std::to_string(preset) +
                             ", whose network this program does not have; it has those of 1 to " +
                             std::to_string(kPresets));
  if (header[10] != 0 || header[11] != 0)
    throw std::runtime_error(in.name() + " was packed with options that this program does not know");
  return preset;
}

}  // namespace

void pack(Input& in, Output& out, int preset, int threads) {
  Model model(preset, threads);
  std::uint8_t header[kHeader] = {};
  std::copy(std::begin(kMagic), std::end(kMagic), header);
  header[8] = kVersion;
  header[9] = static_cast<std::uint8_t>(preset);
  put(header + 12, crc32(header, 12));
  out.write(header, sizeof header);
  std::uint32_t sum = 0;
  for (;;) {
    Bytes plain(kMostPlain);
    plain.resize(in.read(plain.data(), plain.size()));
    if (plain.empty()) break;
    sum = crc32(plain.data(), plain.size(), sum);
    const Bytes coded = encode(model, plain);
    const Bytes& written = coded.empty() || coded.size() >= plain.size() ? plain : coded;
    write_block_header(out, plain.size(), written.size(), crc32(written.data(), written.size(), sum));
    out.write(written.data(), written.size());
  }
  write_block_header(out, 0, 0, sum);
}

void unpack(Input& in, Output& out, int threads) {
  Model model(read_header(in), threads);
  std::uint32_t sum = 0;
  for (;;) {
    const std::uint64_t place = in.count();
    const auto damaged = [&](const char* what) {
      return Damaged(in.name() + " is damaged in what begins at byte " + std::to_string(place) + ": " + what);
    };
    std::uint8_t header[kBlockHeader];
    if (in.read(header, sizeof header) < sizeof header) throw damaged("it ends too early");
    const std::size_t size = get(header), coded_size = get(header + 4);
    const std::uint32_t expected = get(header + 8);
    if (size == 0) {
      if (coded_size != 0 || expected != sum) throw damaged("another checksum");
      std::uint8_t more;
      if (in.read(&more, 1) != 0) throw Damaged(in.name() + " goes on behind the end of the archive");
      return;
    }
    if (size > kMostPlain || coded_size == 0 || coded_size > size) throw damaged("sizes that no block has");
    Bytes coded(coded_size);
    if (in.read(coded.data(), coded_size) < coded_size) throw damaged("it ends too early");
    if (coded_size == size) learn(model, coded);
    const Bytes plain = coded_size == size ? coded : decode(model, coded, size);
    sum = crc32(plain.data(), size, sum);
    if (crc32(coded.data(), coded_size, sum) != expected) throw damaged("another checksum");
    out.write(plain.data(), size);
  }
}

}  // namespace pack

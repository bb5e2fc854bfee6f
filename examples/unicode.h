// The characters of Unicode, as the numbers that are their codes, in UTF-8 and UTF-16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

constexpr std::uint32_t kUnicode = 0x110000;  // codes from here on are bytes
constexpr std::uint32_t kNone = kUnicode + 256;
constexpr char kMark[] = "\xef\xbb\xbf";  // the byte order mark

// The bytes of the character that begins with `lead`; 0: none does.
inline std::size_t encoded_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // goes on with a character, or takes more bytes than it has to
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

// The code of the character at `place`, or of the byte that is not part of one; `place` moves behind it.
inline std::uint32_t next_code(const std::string& text, std::size_t& place) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(place);
  const std::size_t size = encoded_size(static_cast<unsigned char>(lead));
  if (size == 1) return ++place, lead;
  const bool fits = size != 0 && size <= text.size() - place;
  std::uint32_t code = fits ? lead & (0x7fu >> size) : kUnicode;
  for (std::size_t i = 1; fits && i < size; ++i)
    code =
        (byte(place + i) & 0xc0) == 0x80 && code < kUnicode ? code << 6 | (byte(place + i) & 0x3f) : kUnicode;
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (!fits || code >= kUnicode || code < kSmallest[size] || is_surrogate) return ++place, kUnicode + lead;
  place += size;
  return code;
}

inline std::uint32_t code_of_byte(char byte) { return kUnicode + static_cast<unsigned char>(byte); }

// In UTF-8, or the byte.
inline std::string encoded(std::uint32_t code) {
  if (code >= kUnicode) return std::string(1, static_cast<char>(code - kUnicode));
  std::string bytes;
  const auto add = [&](std::uint32_t byte) { bytes.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
  }
  if (code >= 0x80) add(0x80 | (code & 0x3f));
  return bytes;
}

// use(code) for each symbol of a text.
template <class Use>
void each_code(const std::string& text, bool is_of_bytes, const Use& use) {
  if (is_of_bytes)
    for (const char byte : text) use(code_of_byte(byte));
  else
    for (std::size_t place = 0; place < text.size();) use(next_code(text, place));
}

// UTF-16 that comes in parts of whole units.
class Utf16 {
 public:
  explicit Utf16(bool is_big_endian) : is_big_endian_(is_big_endian) {}

  // Whether a text begins with the mark of UTF-16, and not with that of UTF-32.
  static bool marks(const std::string& text) {
    return is_little(text) || text.compare(0, 2, "\xfe\xff") == 0;
  }
  static bool is_little(const std::string& text) {
    return text.compare(0, 2, "\xff\xfe") == 0 && text.compare(2, 2, std::string(2, '\0')) != 0;
  }

  // use(code) for each character that ends in the part. False: it is no UTF-16.
  template <class Use>
  bool read(const std::string& part, const Use& use) {
    for (std::size_t i = 0; i + 1 < part.size(); i += 2) {
      const std::uint32_t unit = unit_at(part, i);
      const bool is_low = unit >= 0xdc00 && unit < 0xe000;
      if (is_low != (high_ != 0)) return false;
      if (unit >= 0xd800 && unit < 0xdc00) {
        high_ = unit;
        continue;
      }
      use(is_low ? 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00) : unit);
      high_ = 0;
    }
    return part.size() % 2 == 0;
  }

  // Whether no character is begun.
  bool ended() const { return high_ == 0; }

 private:
  std::uint32_t unit_at(const std::string& part, std::size_t i) const {
    const std::uint32_t first = static_cast<unsigned char>(part[i]);
    const std::uint32_t second = static_cast<unsigned char>(part[i + 1]);
    return is_big_endian_ ? first << 8 | second : second << 8 | first;
  }

  const bool is_big_endian_;
  std::uint32_t high_ = 0;  // the first unit of a pair
};

#include "lib/network/metadata.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/network/error.h"

namespace rnn {
namespace {

// The length of the UTF-8 sequence at the front of `text`; 0 if there is none. (Unicode 15, table 3-7.)
std::size_t sequence(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto trails = [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i)
      if ((byte(i) & 0xc0u) != 0x80) return false;
    return true;
  };
  const unsigned lead = byte(0), second = byte(1);
  if (lead != 0 && lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return trails(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && second < 0xa0, surrogate = lead == 0xed && second > 0x9f;
    return trails(1, 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && second < 0x90, beyond = lead == 0xf4 && second > 0x8f;
    return trails(1, 3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

void check_text(std::string_view text, const char* what) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence(text.substr(at));
    if (length == 0)
      throw Error(RNN_INVALID_ARGUMENT, "the %s is not UTF-8 text: byte %zu is 0x%02x", what, at,
                  static_cast<unsigned>(static_cast<unsigned char>(text[at])));
    at += length;
  }
}

// Copies text and a zero byte behind it to `next`; returns where it stands.
const char* append(std::string_view text, char*& next) noexcept {
  const char* const copied = next;
  next = std::copy(text.begin(), text.end(), next);
  *next++ = '\0';
  return copied;
}

}  // namespace

const char* Metadata::find(std::string_view key) const noexcept {
  const Pair* pair =
      std::lower_bound(pairs_.begin(), pairs_.end(), key,
                       [](const Pair& p, std::string_view k) { return std::string_view(p.key) < k; });
  return pair != pairs_.end() && pair->key == key ? pair->value : nullptr;
}

void Metadata::set(const Allocator& allocator, std::string_view key, std::string_view value) {
  if (key.empty()) throw Error(RNN_INVALID_ARGUMENT, "the key is empty");
  if (key.substr(0, std::strlen(kReserved)) == kReserved)
    throw Error(RNN_INVALID_ARGUMENT, "what begins with \"%s\" is the library's own", kReserved);
  check_text(key, "key");
  check_text(value, "value");
  assign(allocator, *this, key, &value);
}

void Metadata::remove(const Allocator& allocator, std::string_view key) {
  if (find(key) != nullptr) assign(allocator, *this, key, nullptr);
}

void Metadata::copy(const Allocator& allocator, const Metadata& other) {
  assign(allocator, other, "", nullptr);
}

void Metadata::assign(const Allocator& allocator, const Metadata& other, std::string_view key,
                      const std::string_view* value) {
  std::size_t size = value != nullptr ? key.size() + value->size() + 2 : 0;
  std::size_t count = value != nullptr ? 1 : 0;
  for (const Pair& pair : other.pairs_) {
    if (pair.key == key) continue;
    size += std::strlen(pair.key) + std::strlen(pair.value) + 2;
    ++count;
  }
  Buffer<char> text(allocator, size);
  Buffer<Pair> pairs(allocator, count);
  char* next = text.data();
  Pair* out = pairs.data();
  const auto add = [&](std::string_view k, std::string_view v) {
    const char* const copied = append(k, next);
    *out++ = {copied, append(v, next)};
  };
  bool placed = value == nullptr;
  for (const Pair& pair : other.pairs_) {
    if (!placed && key <= pair.key) {
      add(key, *value);
      placed = true;
    }
    if (pair.key != key) add(pair.key, pair.value);
  }
  if (!placed) add(key, *value);
  text_ = std::move(text);
  pairs_ = std::move(pairs);
}

}  // namespace rnn

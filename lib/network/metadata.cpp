#include "lib/network/metadata.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/network/error.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

void check_text(std::string_view text, const char* what) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_sequence(text.substr(at));
    if (length == 0)
      throw Error(RNN_INVALID_ARGUMENT, "%s is not UTF-8 text: byte %zu is 0x%02x", what, at,
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

void Metadata::check(std::string_view key, std::string_view value) {
  if (key.empty()) throw Error(RNN_INVALID_ARGUMENT, "key is empty");
  if (key.substr(0, std::strlen(kReserved)) == kReserved)
    throw Error(RNN_INVALID_ARGUMENT, "key begins with \"%s\"; such keys are the library's own", kReserved);
  check_text(key, "key");
  check_text(value, "value");
}

const char* Metadata::find(std::string_view key) const noexcept {
  const auto before = [](const Pair& pair, std::string_view wanted) { return pair.key < wanted; };
  const Pair* pair = std::lower_bound(pairs_.begin(), pairs_.end(), key, before);
  return pair != pairs_.end() && pair->key == key ? pair->value : nullptr;
}

void Metadata::set(const Allocator& allocator, std::string_view key, std::string_view value) {
  Pairs pairs = all_but(key);
  const Pairs::value_type added(key, value);
  pairs.insert(std::upper_bound(pairs.begin(), pairs.end(), added), added);
  assign(allocator, pairs);
}

void Metadata::remove(const Allocator& allocator, std::string_view key) {
  if (find(key) != nullptr) assign(allocator, all_but(key));
}

Metadata::Pairs Metadata::all_but(std::string_view key) const {
  Pairs pairs;
  for (const Pair& pair : pairs_)
    if (pair.key != key) pairs.emplace_back(pair.key, pair.value);
  return pairs;
}

void Metadata::assign(const Allocator& allocator, const Pairs& pairs) {
  std::size_t size = 0;
  for (const auto& [key, value] : pairs) size += key.size() + value.size() + 2;
  Buffer<char> text(allocator, size);
  Buffer<Pair> copies(allocator, pairs.size());
  char* next = text.data();
  Pair* copy = copies.data();
  for (const auto& [key, value] : pairs) {
    copy->key = append(key, next);
    copy++->value = append(value, next);
  }
  text_ = std::move(text);
  pairs_ = std::move(copies);
}

}  // namespace rnn

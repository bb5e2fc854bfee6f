// Free-form text that belongs to weights: pairs of a key and a value, sorted by key.
#pragma once

#include <cstddef>
#include <string_view>

#include "lib/network/memory.h"

namespace rnn {

class Metadata {
 public:
  std::size_t count() const noexcept { return pairs_.size(); }
  const char* key(std::size_t index) const noexcept { return pairs_[index].key; }
  const char* value(std::size_t index) const noexcept { return pairs_[index].value; }
  const char* find(std::string_view key) const noexcept;  // its value, or null

  // Keys of files that begin with this hold what is no text of the caller's.
  static constexpr char kReserved[] = "rnn.";

  // Neither may contain a zero byte, both must be UTF-8, and the key not reserved. Throws
  // Error(RNN_INVALID_ARGUMENT) or std::bad_alloc, and then has changed nothing.
  void set(const Allocator& allocator, std::string_view key, std::string_view value);
  void remove(const Allocator& allocator, std::string_view key);  // if it is there
  void copy(const Allocator& allocator, const Metadata& other);

 private:
  struct Pair {
    const char* key;  // both in text_
    const char* value;
  };

  // All pairs of `other` but that of `key`, and if value is not null, this one.
  void assign(const Allocator& allocator, const Metadata& other, std::string_view key,
              const std::string_view* value);

  Buffer<char> text_;
  Buffer<Pair> pairs_;
};

}  // namespace rnn

// Free-form text that belongs to weights: pairs of a key and a value, sorted by key.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/network/memory.h"

namespace rnn {

class Metadata {
 public:
  using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

  // Keys of files that begin with this hold what is no text of the caller's.
  static constexpr char kReserved[] = "rnn.";

  // Neither may contain a zero byte, both must be UTF-8, and the key not empty or reserved. Throws
  // Error(RNN_INVALID_ARGUMENT).
  static void check(std::string_view key, std::string_view value);

  std::size_t count() const noexcept { return pairs_.size(); }
  const char* key(std::size_t index) const noexcept { return pairs_[index].key; }
  const char* value(std::size_t index) const noexcept { return pairs_[index].value; }
  const char* find(std::string_view key) const noexcept;  // its value, or null

  // Checked pairs. Throw std::bad_alloc, and then have changed nothing.
  void set(const Allocator& allocator, std::string_view key, std::string_view value);
  void remove(const Allocator& allocator, std::string_view key);  // if it is there
  void assign(const Allocator& allocator, const Pairs& pairs);    // sorted by key, all different
  void copy(const Allocator& allocator, const Metadata& other) { assign(allocator, other.all_but({})); }

 private:
  struct Pair {
    const char* key;  // both in text_
    const char* value;
  };

  Pairs all_but(std::string_view key) const;

  Buffer<char> text_;
  Buffer<Pair> pairs_;
};

}  // namespace rnn

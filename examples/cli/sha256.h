// SHA-256 (FIPS 180-4), of Nettle.
#pragma once

#include <nettle/sha2.h>

#include <cstddef>
#include <string>

class Sha256 {
 public:
  Sha256() { sha256_init(&state_); }

  void add(const void* bytes, std::size_t size) {
    sha256_update(&state_, size, static_cast<const unsigned char*>(bytes));
  }
  void add(const std::string& text) { add(text.data(), text.size()); }
  // Of what was added so far, in hexadecimal.
  std::string hex() const;

  static constexpr std::size_t kHexDigits = 64;

 private:
  sha256_ctx state_;
};

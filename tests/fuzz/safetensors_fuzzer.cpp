// Safetensors files.
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/fuzz/attempt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  attempt(data, size);

  // Mutations change the header's length without its count: once more with the count set right.
  constexpr std::size_t kLengthSize = 8;
  std::string repaired(reinterpret_cast<const char*>(data), size);
  const std::size_t end = repaired.rfind("}}");
  if (end == std::string::npos || end < kLengthSize) return 0;
  const std::uint64_t length = end + 2 - kLengthSize;
  std::memcpy(repaired.data(), &length, sizeof length);
  attempt(repaired.data(), repaired.size());
  return 0;
}

// librnn's binary files.
#include <cstdint>
#include <cstring>
#include <string>

#include "lib/formats/binary.h"
#include "tests/fuzz/attempt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  attempt(data, size);

  // No mutation hits the checksum: once more with it and the size set right.
  constexpr std::size_t kChecksum = 12, kSize = 16, kFront = 40;
  if (size < kFront) return 0;
  std::string repaired(reinterpret_cast<const char*>(data), size);
  const std::uint64_t length = size;
  std::memcpy(&repaired[kSize], &length, sizeof length);
  const std::uint32_t checksum = rnn::formats::binary::checksum(repaired.data(), size);
  std::memcpy(&repaired[kChecksum], &checksum, sizeof checksum);
  attempt(repaired.data(), repaired.size());
  return 0;
}

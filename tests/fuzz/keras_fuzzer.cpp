// Keras' .h5.
#include <cstdint>

#include "tests/fuzz/attempt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) attempt(data, size);
  return 0;
}

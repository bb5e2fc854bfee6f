// .nam files of Neural Amp Modeler.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/fuzz/attempt.h"

namespace {

// The number after a key, if it is small.
std::size_t size_of(const std::string& text, const char* key) {
  const std::size_t place = text.find(key);
  const std::size_t digits =
      place == std::string::npos ? place : text.find_first_not_of("\": ", place + std::strlen(key));
  const long value = digits == std::string::npos ? 1 : std::strtol(&text[digits], nullptr, 10);
  return value >= 0 && value <= 8 ? static_cast<std::size_t>(value) : 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  attempt(data, size);

  // Mutations change the sizes without the weights: once more with as many of them as the sizes ask for.
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t begin = text.rfind('['), end = text.rfind(']');
  if (begin == std::string::npos || end == std::string::npos || begin > end) return 0;
  const std::size_t I = size_of(text, "input_size"), H = size_of(text, "hidden_size");
  const std::size_t L = size_of(text, "num_layers"), O = size_of(text, "out_channels");
  std::size_t count = O * (H + 1);
  for (std::size_t l = 0; l < L; ++l) count += 4 * H * ((l == 0 ? I : H) + H) + 6 * H;
  std::string weights;
  for (std::size_t i = 0; i < count; ++i) weights += i == 0 ? "0.5" : ",-1";
  const std::string repaired = text.substr(0, begin + 1) + weights + text.substr(end);
  attempt(repaired.data(), repaired.size());
  return 0;
}

// Whatever bytes a file holds, loading it ends with a status; what was loaded saves, loads again and steps.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "rnn/rnn.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string saved(const rnn_t* rnn) {
  std::size_t size = 0;
  require(rnn_save_memory(rnn, nullptr, 0, &size) == RNN_OK);
  std::string file(size, '\0');
  require(rnn_save_memory(rnn, file.data(), size, &size) == RNN_OK);
  return file;
}

rnn_t* load(const void* data, std::size_t size) {
  rnn_t* rnn = nullptr;
  const rnn_status_t status = rnn_load_memory(data, size, nullptr, &rnn);
  require(status == RNN_OK || status == RNN_BAD_FORMAT);
  require((status == RNN_OK) == (rnn != nullptr));
  return rnn;
}

void attempt(const void* data, std::size_t size) {
  rnn_t* rnn = load(data, size);
  if (rnn == nullptr) return;
  const std::string file = saved(rnn);
  rnn_t* again = load(file.data(), file.size());
  require(again != nullptr && saved(again) == file);

  rnn_config_t config{};
  config.struct_size = sizeof config;
  require(rnn_get_config(again, &config) == RNN_OK);
  const auto outputs =
      static_cast<std::size_t>(config.output_size > 0 ? config.output_size : config.hidden_size);
  std::vector<float> y(outputs);
  require(rnn_step_index(again, 0, y.data()) == RNN_OK);
  rnn_destroy(again);
  rnn_destroy(rnn);
}

}  // namespace

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

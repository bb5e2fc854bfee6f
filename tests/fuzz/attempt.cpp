#include "tests/fuzz/attempt.h"

#include <cstdlib>
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
  require(status == RNN_OK || status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED ||
          status == RNN_INVALID_ARGUMENT);  // of several modules, options would have to say which
  require((status == RNN_OK) == (rnn != nullptr));
  return rnn;
}

}  // namespace

void attempt(const void* data, std::size_t size) {
  rnn_t* rnn = load(data, size);
  if (rnn == nullptr) return;
  const std::string file = saved(rnn);
  rnn_t* again = load(file.data(), file.size());
  require(again != nullptr && saved(again) == file);

  rnn_config_t config{};
  config.struct_size = sizeof config;
  require(rnn_get_config(again, &config) == RNN_OK);
  std::size_t outputs = 0;
  require(rnn_output_size(again, &outputs) == RNN_OK);
  std::vector<float> y(outputs);
  bool ahead = (config.flags & RNN_FLAG_BIDIRECTIONAL) == 0;
  for (std::size_t l = 0; l < config.layer_count; ++l)
    ahead = ahead && config.layers[l].direction == RNN_DIRECTION_FORWARD;
  if (ahead) require(rnn_step_index(again, 0, y.data()) == RNN_OK);
  rnn_destroy(again);
  rnn_destroy(rnn);
}

// A plugin that trains: what unload loads and unloads.
#include <rnn/rnn.h>

#include <cstddef>
#include <cstdint>
#include <vector>

// Whether a network could be trained on so many threads, none: not at all.
extern "C" __attribute__((visibility("default"))) bool guest_run(std::int32_t threads) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = RNN_CELL_LSTM;
  config.input_size = 20;
  config.hidden_size = 64;
  config.output_size = 20;
  rnn_t* network = nullptr;
  if (rnn_create(&config, &network) != RNN_OK) return false;

  rnn_status_t status = RNN_OK;
  if (threads != 0) {  // enough work for several
    constexpr std::size_t kSequences = 32, kSteps = 16;
    const std::vector<std::size_t> lengths(kSequences, kSteps);
    const std::vector<std::int32_t> indices(kSequences * kSteps, 3);
    rnn_sequences_t data = {};
    data.struct_size = sizeof data;
    data.count = kSequences;
    data.frames = kSequences * kSteps;
    data.lengths = lengths.data();
    data.indices = data.classes = indices.data();
    rnn_train_options_t options = {};
    options.struct_size = sizeof options;
    options.threads = threads;
    status = rnn_train(network, &data, &options);
  }
  const float x[20] = {1.0f};
  float y[20];
  if (status == RNN_OK) status = rnn_step(network, x, y);
  rnn_step(nullptr, x, y);  // this thread has a message of its own
  rnn_destroy(network);
  return status == RNN_OK && rnn_last_error()[0] != '\0';
}

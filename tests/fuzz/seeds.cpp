// Writes small right files for a fuzzer to begin with into the folder given.
#include <cstdio>
#include <string>

#include "rnn/rnn.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: seeds FOLDER\n"), 2;
  for (int i = 0; i < 8; ++i) {
    rnn_config_t config{};
    config.struct_size = sizeof config;
    config.input_size = 1 + i % 3;
    config.hidden_size = 1 + i / 3;
    config.output_size = i % 2 == 0 ? 1 : 0;
    config.num_layers = 1 + i / 4;
    config.initial_state = i % 3;
    config.flags = i % 4 == 3 ? RNN_NO_BIAS : 0;
    rnn_t* rnn = nullptr;
    const std::string path = std::string(argv[1]) + "/seed" + std::to_string(i);
    if (rnn_create(&config, &rnn) != RNN_OK || rnn_save(rnn, path.c_str()) != RNN_OK)
      return std::fprintf(stderr, "%s\n", rnn_last_error()), 1;
    rnn_destroy(rnn);
  }
  return 0;
}

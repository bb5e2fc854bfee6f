// A network's configuration as metadata of a file: "rnn.cell" = "lstm", "rnn.hidden_size" = "16", ...
#pragma once

#include "lib/formats/contents.h"
#include "rnn/rnn.h"

namespace rnn::formats {

// True if the file states a configuration.
bool has_config(const Contents& contents);

void write_config(const rnn_config_t& config, Writer& writer);

// As it is stated, unchecked; throws Error(RNN_BAD_FORMAT).
rnn_config_t read_config(const Contents& contents);

}  // namespace rnn::formats

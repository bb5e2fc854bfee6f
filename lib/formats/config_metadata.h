// A network's configuration as metadata of a file: "rnn.cell" = "lstm", "rnn.hidden_size" = "16", ...; of a
// list of layers, "rnn.layer_count" = "2", "rnn.layer.0.kind" = "lstm", "rnn.layer.0.size" = "16", ...
#pragma once

#include <vector>

#include "lib/formats/contents.h"
#include "rnn/rnn.h"

namespace rnn::formats {

// True if the file states a configuration.
bool has_config(const Contents& contents);

void write_config(const rnn_config_t& config, Writer& writer);

// As it is stated, unchecked; a list of layers points to `layers`. Throws Error(RNN_BAD_FORMAT).
rnn_config_t read_config(const Contents& contents, std::vector<rnn_layer_t>& layers);

}  // namespace rnn::formats

// A network as a file of another library describes it, in librnn's names, before it is built.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/formats/probe.h"
#include "lib/network/weights.h"

namespace rnn {

struct Model {
  rnn_config_t config{};            // zero is the default; without `layers`, which are
  std::vector<rnn_layer_t> layers;  // the network's, if it is a list
  // Row-major, by the names of rnn_parameter_t. A bias is the sum of those that the file has; the other
  // library's gates are in the order of RNN_CELL_...
  std::map<std::string, std::vector<float>> parameters;
  std::map<std::string, std::string> metadata;  // what the file says beside the network: a sample rate
  std::optional<Probe> probe;                   // what the other library gives
};

// Throws Error(RNN_BAD_FORMAT) where the configuration is wrong, or a parameter is missing, of another size,
// not finite, or left over, or the network does not give what the probe says. Takes no more memory than a
// small multiple of the model's.
WeightsRef build(const Model& model, const Allocator& allocator);

// The metadata of a file, sorted; throws Error(RNN_BAD_FORMAT) where they are no text for a network.
void set_metadata(Weights& weights, const Metadata::Pairs& pairs);

}  // namespace rnn

// What a Keras model's configuration in JSON says of its layers.
#pragma once

#include <string>
#include <vector>

#include "lib/formats/json_value.h"
#include "lib/formats/keras_layers.h"

namespace rnn::keras {

// A layer that computes something, and where files keep its variables.
struct ConfiguredLayer {
  Layer
      layer;  // without sizes of inputs (but an Embedding's) and without weights; what gives as many values as it
              // reads has no units
  std::string name;          // its own
  std::string path;          // among the layers of a .keras file: "gru_1"
  bool distributed = false;  // in a TimeDistributed
  bool has_bias = true;
  bool has_scale = false, has_center = false;  // of a normalization
};

// The layers in the order in which data pass them, each of which reads the one before: of a Sequential or a Functional
// model, {"class_name", "config"}. conventions: of its version. Throws as keras.h says.
std::vector<ConfiguredLayer> read_config(const json::Value& model, const formats::Conventions& conventions);

}  // namespace rnn::keras

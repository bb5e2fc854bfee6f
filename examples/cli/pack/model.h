// What packer and unpacker predict the data with, bit by bit: the mixer of contexts with the network as one of its inputs.
#pragma once

#include <memory>

#include "context_mixer.h"
#include "network_predictor.h"

namespace pack {

constexpr int kPresets = 5;
constexpr int kDefaultPreset = 3;

class Model {
 public:
  Model(int preset, int threads);

  // Of a one.
  int predict() { return mixer_.predict(); }
  void update(int bit) {
    mixer_.update(bit);
    byte_ = byte_ << 1 | static_cast<unsigned>(bit);
    if (byte_ < 256) return;
    network_.update(static_cast<std::uint8_t>(byte_));
    mixer_.set_bytes(network_.frequencies());
    byte_ = 1;
  }

 private:
  ContextMixer mixer_;
  NetworkPredictor network_;
  unsigned byte_ = 1;  // the bits of the byte so far behind a one
};

}  // namespace pack

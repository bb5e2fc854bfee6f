// Networks of other libraries as JSON: models of RTNeural and Keras (also as AIDA-X writes them), PyTorch
// state dicts (also as GuitarML writes them), and the LSTM of Neural Amp Modeler, .nam.
#pragma once

#include <cstddef>

#include "lib/formats/model.h"

namespace rnn {

// Whether the first byte that is not blank is {.
bool is_json(const void* memory, std::size_t size) noexcept;

// The kind is recognised by the keys of the outermost object. Throws Error(RNN_BAD_FORMAT).
Model read_json_model(const void* memory, std::size_t size);

}  // namespace rnn

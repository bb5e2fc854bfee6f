// Networks of other libraries as JSON: models of RTNeural and Keras (also as AIDA-X writes them), PyTorch
// state dicts (also as GuitarML writes them), and the LSTM of Neural Amp Modeler, .nam.
#pragma once

#include <cstddef>
#include <variant>

#include "lib/formats/contents.h"
#include "lib/formats/model.h"

namespace rnn {

// Whether the first byte that is not blank is {, behind a byte order mark or not.
bool is_json(const void* memory, std::size_t size) noexcept;

// A network, or the contents of a state dict, which options may choose from. The kind is recognised by the
// keys of the outermost object. Throws Error(RNN_BAD_FORMAT or RNN_UNSUPPORTED).
std::variant<Model, formats::Contents> read_json(const void* memory, std::size_t size);

}  // namespace rnn

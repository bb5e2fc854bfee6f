// The kinds of JSON that read_json_model knows, and what they share. Each throws Error(RNN_BAD_FORMAT).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "lib/formats/json_value.h"
#include "lib/formats/model.h"
#include "lib/network/config.h"

namespace rnn {

constexpr std::int32_t kMaxModelLayers = 64;

// rtneural.cpp: {"in_shape", "layers"}
Model read_layers(const json::Value& root);
// state_dict.cpp: {"lstm.weight_ih_l0", ...}, or the same in {"state_dict"}
Model read_state_dict(const json::Value& root);
// nam.cpp: {"architecture", "config", "weights"}
Model read_nam(const json::Value& root);

// Whether the object is a state dict, with layer 0 of some recurrent module.
bool is_state_dict(const json::Value& object);

// Add to the model what the outermost object says beside the network: of it, without these keys, and of its
// object "metadata". Lists, such as test signals, are left out.
void read_metadata(const json::Value& root, std::initializer_list<std::string_view> without, Model& model);

// Unless absent or 0, it would add the network's input to its output.
void refuse_skip(const json::Value& object, std::string_view key);

// Biases that some layers or the head lack become zero; if all lack them the network has none.
void complete_biases(Model& model);

}  // namespace rnn

// The kinds of JSON that read_json knows, and what they share. Each throws Error(RNN_BAD_FORMAT), and where
// librnn cannot compute the network, Error(RNN_UNSUPPORTED) with a message that begins with "unsupported: ".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "lib/formats/contents.h"
#include "lib/formats/json_value.h"
#include "lib/formats/model.h"
#include "lib/network/config.h"

namespace rnn {

// rtneural.cpp: {"in_shape", "layers"}
Model read_layers(const json::Value& root);
// state_dict.cpp: {"lstm.weight_ih_l0", ...}, or the same in {"state_dict"}; numbers: all of the tree's
formats::Contents read_state_dict(const json::Value& root, const Source& numbers);
// nam.cpp: {"architecture", "config", "weights"}
Model read_nam(const json::Value& root);
// smart_amp_pro.cpp: {"conv1d", "conv1d_1", "lstm", "dense", "conv1d_stride", ...}
Model read_smart_amp_pro(const json::Value& root);

// Whether the object is a state dict, with a tensor of some recurrent module or a "weight" of another one.
bool is_state_dict(const json::Value& object);

// What the outermost object says beside the network: of it, without these keys, and of its object "metadata".
// Left out are lists, such as test signals, and what has no name.
std::map<std::string, std::string> read_metadata(const json::Value& root,
                                                 std::initializer_list<std::string_view> without);

// What repeats a size must be the same. Absent: not said.
void check_size(const json::Value& object, std::string_view key, std::int32_t size);

// rnn_config_t.skip: 1 where the file says 1, true or 1.0, and 0 where it says 0, false or nothing.
std::int32_t read_skip(const json::Value& object, std::string_view key);
// With several outputs, programs differ in which of them it is added to.
void check_skip(const json::Value& object, std::string_view key, std::int32_t outputs);

}  // namespace rnn

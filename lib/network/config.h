// A network's configuration: checked, its defaults resolved.
#pragma once

#include <cstdint>

#include "rnn/rnn.h"

namespace rnn {

constexpr std::int32_t kMaxSize = 65536;       // of vectors within a network
constexpr std::int32_t kMaxClasses = 1 << 20;  // of inputs and outputs
constexpr std::int32_t kMaxLayers = 64;        // rnn_config_t::num_layers

// Check the caller's configuration and resolve its defaults (struct_size included). A list of layers that the
// other fields can stand for becomes them; another one stays where the caller has it. The allocator is not
// looked at, and null in the result. Throws Error(RNN_INVALID_ARGUMENT); its message begins with a field's name.
rnn_config_t resolve(const rnn_config_t& config);

// Refuse fields that have no effect on a new network; a file may hold them. config: resolved. Throws as
// resolve() does.
void check_effects(const rnn_config_t& config);

// Throws Error(RNN_INVALID_ARGUMENT) unless it is one of RNN_COMPUTE_...
void check_compute(std::int32_t compute);

// True if weights of one configuration fit a network of the other: cell, sizes, layers, flags, kind of
// initial state (stored or zero), compute. Both are resolved.
bool same_architecture(const rnn_config_t& a, const rnn_config_t& b);

// Throws Error(RNN_MISMATCH) that names the first difference where these are not the same architecture.
void check_same_architecture(const rnn_config_t& a, const char* a_name, const rnn_config_t& b,
                             const char* b_name);

}  // namespace rnn

// Lists of layers on the command line: "conv1d:16:kernel=3:relu,gru:128,dense:64:tanh".
#pragma once

#include <rnn/rnn.h>

#include <cstdint>
#include <string>
#include <vector>

// The kind and the size of each layer and, behind further colons, what else it has. Throws std::invalid_argument, which
// names the layer and the part of it that is wrong.
std::vector<rnn_layer_t> read_layers(const std::string& text);

// As read_layers takes it.
std::string text_of(const rnn_layer_t& layer);

// The layers before the head, whatever fields of the configuration say them.
std::string hidden_layers_of(const rnn_config_t& config);

// The names of constants; of one that this program does not know, its number.
std::string name_of_kind(std::int32_t kind);
std::string name_of_activation(std::int32_t activation);
std::string name_of_direction(std::int32_t direction);
std::vector<std::string> names_of_flags(std::uint32_t flags);

// Of the cells, without layers of other kinds.
std::vector<std::string> cell_names();
std::int32_t cell_of(const std::string& name);

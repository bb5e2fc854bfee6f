// Networks that know the characters which their inputs and outputs stand for.
#pragma once

#include <rnn/rnn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "text.h"

// Where the metadata of a network holds its vocabulary.
constexpr char kVocabularyKey[] = "vocabulary";

// Throws std::invalid_argument unless the path's suffix is .safetensors or .rnn (binary).
void check_model_path(const std::string& path);

// Throws std::runtime_error if the file cannot be written, so that it is known before there is something to
// write.
void check_writable(const std::string& path);

// Keys and their values.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Save the network with these in its metadata, in the format of the path's suffix.
void save_model(const rnn::Network& network, const Metadata& metadata, const std::string& path);

// Whether the network's file is one that rnn_trainer_save has written: a training run that holds the network.
bool is_checkpoint(const rnn::Network& network, const std::string& path);

bool has_metadata(const rnn::Network& network, const std::string& key);

// That of the model in `path`. Throws std::invalid_argument if it has none, or one of another size.
Vocabulary vocabulary_of(const rnn::Network& network, const std::string& path);

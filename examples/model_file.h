// Networks that know the characters which their inputs and outputs stand for.
#pragma once

#include <rnn/rnn.hpp>
#include <string>

#include "text.h"

// Where the metadata of a network holds its vocabulary.
constexpr char kVocabularyKey[] = "vocabulary";

// Save the network with the vocabulary in its metadata: a binary file if the path ends in ".rnn", else safetensors.
void save_model(const rnn::Network& network, const Vocabulary& vocabulary, const std::string& path);

bool has_vocabulary(const rnn::Network& network);

// That of the model in `path`. Throws std::invalid_argument if it has none, or one of another size.
Vocabulary vocabulary_of(const rnn::Network& network, const std::string& path);

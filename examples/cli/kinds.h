// What a model is of, as its metadata say.
#pragma once

#include <rnn/rnn.hpp>
#include <string>

enum class ModelKind { kText, kLabels, kSeries, kOther };

ModelKind kind_of(const rnn::Network& network);

// "a text", "labelled texts", "a series", or empty.
std::string name_of_kind(ModelKind kind);

// Throws std::runtime_error, which says which commands are for it, unless the model in `path` is of a text. One without any
// metadata passes.
void check_text_model(const rnn::Network& network, const std::string& path);

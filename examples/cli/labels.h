// Texts with labels: what rnn train --labels learns, and what its models are of.
#pragma once

#include <cstdint>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

#include "../text.h"
#include "common.h"

// Where the metadata of a model holds the names of its classes.
constexpr char kLabelsKey[] = "labels";

// A line "label<tab>text" each.
struct LabelledTexts {
  std::vector<std::string> labels;
  std::vector<std::string> texts;
  std::string name;  // of the file

  // Throws std::runtime_error, which names the line. Without labels a line is a text.
  static LabelledTexts read(const std::string& path, bool has_labels);
};

// As a JSON array of strings. Throws std::invalid_argument, in which `path` is the model's, if they are none, or not as
// many as the network has outputs.
std::string json_of_labels(const std::vector<std::string>& labels);
std::vector<std::string> labels_of(const rnn::Network& network, const std::string& path);

// The characters of a classifier, whose outputs are labels.
Vocabulary classifier_vocabulary(const rnn::Network& network, const std::string& path);

// Sequences of characters, each with its class.
class LabelData {
 public:
  // Characters that are not in the vocabulary are left out, and counted. Throws std::runtime_error, which names the line,
  // if nothing is left.
  void add(const LabelledTexts& texts, std::size_t line, const Vocabulary& vocabulary, std::int32_t label);

  std::size_t count() const { return lengths_.size(); }
  std::size_t frames() const { return indices_.size(); }
  std::size_t left_out() const { return left_out_; }
  rnn_sequences_t view() const;  // valid until this object changes

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> indices_, classes_;
  std::size_t left_out_ = 0;
};

// All lines, with labels that are among these. Throws std::runtime_error, which names the line.
LabelData data_of(const LabelledTexts& texts, const Vocabulary& vocabulary,
                  const std::vector<std::string>& labels);

std::string text_of_labels(const rnn_evaluation_t& evaluation);
Json json_of_label_loss(const rnn_evaluation_t& evaluation);

// A language model of a text: learn to predict each character from those before it, then write more.
#pragma once

#include <cstdint>
#include <string>

#include "text.h"

struct LanguageModelOptions {
  Text text;
  std::string prefix;        // of the sample; empty: the first word of the text
  std::string out;           // the file for the model
  std::int32_t cell = 0;     // RNN_CELL_...; 0: vanilla
  std::int32_t compute = 0;  // RNN_COMPUTE_...
  int hidden = 256;
  int layers = 2;
  int embedding = 0;  // 0: none
  int threads = 0;    // 0: all
  float dropout = 0;
  double seconds = 45;
  double temperature = 0.7;
  std::uint64_t seed = 1;
};

// Train on the text, keep the weights that predict its held-out pieces best, save them, load them again and
// print a sample. Throws std::exception.
void show_language_model(const LanguageModelOptions& options);

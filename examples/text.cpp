#include "text.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

Alphabet::Alphabet(const std::string& text) {
  bool occurs[256] = {};
  for (const char c : text) occurs[static_cast<unsigned char>(c)] = true;
  for (int byte = 0; byte < 256; ++byte) {
    index_[byte] = occurs[byte] ? size() : -1;
    if (occurs[byte]) bytes_.push_back(static_cast<char>(byte));
  }
}

std::vector<std::int32_t> Alphabet::encode(const std::string& text) const {
  std::vector<std::int32_t> indices;
  indices.reserve(text.size());
  for (const char c : text) {
    indices.push_back(index_[static_cast<unsigned char>(c)]);
    if (indices.back() < 0)
      throw std::invalid_argument("the character '" + printable({c}) + "' does not occur in the text");
  }
  return indices;
}

std::string Alphabet::decode(const std::vector<std::int32_t>& indices) const {
  std::string text;
  for (const std::int32_t index : indices) text.push_back(bytes_.at(static_cast<std::size_t>(index)));
  return text;
}

void Sequences::add(const std::int32_t* text, std::size_t size) {
  lengths_.push_back(size - 1);
  inputs_.insert(inputs_.end(), text, text + size - 1);
  classes_.insert(classes_.end(), text + 1, text + size);
}

rnn_sequences_t Sequences::view() const {
  auto sequences = rnn::sized<rnn_sequences_t>();
  sequences.count = count();
  sequences.frames = frames();
  sequences.lengths = lengths_.data();
  sequences.indices = inputs_.data();
  sequences.classes = classes_.data();
  return sequences;
}

double bits(double nats) { return nats / std::log(2.0); }

std::string printable(std::string text) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == 127; };
  std::replace_if(text.begin(), text.end(), is_control, '.');
  return text;
}

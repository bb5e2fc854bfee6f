// Text as the network sees it: characters are bytes, numbered, and each is the input that predicts the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

// The bytes that occur in a text, in their order, as indices 0, 1, ...
class Alphabet {
 public:
  explicit Alphabet(const std::string& text);

  std::int32_t size() const { return static_cast<std::int32_t>(bytes_.size()); }

  // Throws std::invalid_argument if a byte is not in the alphabet.
  std::vector<std::int32_t> encode(const std::string& text) const;
  std::string decode(const std::vector<std::int32_t>& indices) const;

 private:
  std::string bytes_;
  std::int32_t index_[256];  // -1: not in the alphabet
};

// Sequences of characters, each with the character that follows it as its class.
class Sequences {
 public:
  // size >= 2 characters, of which the last is only predicted.
  void add(const std::int32_t* text, std::size_t size);

  std::size_t count() const { return lengths_.size(); }
  std::size_t frames() const { return inputs_.size(); }

  // For the library; valid until this object changes.
  rnn_sequences_t view() const;

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> inputs_;
  std::vector<std::int32_t> classes_;
};

// A loss in nats, as the library gives it, in bits.
double bits(double nats);

// For the terminal: a dot instead of each control character but the newline.
std::string printable(std::string text);

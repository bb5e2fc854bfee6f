// Text as the network sees it: its characters, numbered; each is the input that predicts the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

// The characters that occur in a text, in their order, as indices 0, 1, ... They are Unicode's; a byte that
// is not part of one, as in a text that is not UTF-8, is a character of its own.
class Vocabulary {
 public:
  explicit Vocabulary(const std::string& text);

  // For a model's metadata: a JSON array, of strings with a character each and of numbers, the bytes.
  std::string json() const;
  // Of what json() has returned, or such an array in another order. Throws std::invalid_argument.
  static Vocabulary parse(const std::string& json);

  std::int32_t size() const { return static_cast<std::int32_t>(codes_.size()); }

  // Throws std::invalid_argument, in which `name` is what the text is called, if a character is not in the
  // vocabulary.
  std::vector<std::int32_t> encode(const std::string& text, const std::string& name = "the text") const;

  // UTF-8: the replacement character stands for single bytes.
  std::string decode(const std::vector<std::int32_t>& indices) const;

 private:
  explicit Vocabulary(std::vector<std::uint32_t> codes);

  std::vector<std::uint32_t> codes_;  // in a text's vocabulary ascending, single bytes behind Unicode's
  std::vector<std::int32_t> index_;   // of a code; -1: not in the vocabulary
};

// Sequences of characters, each with the character that follows it as its class.
class Sequences {
 public:
  // size >= 2 characters, of which the last is only predicted.
  void add(const std::int32_t* text, std::size_t size);

  // The same characters, in sequences of at most about `piece` of them; 0: in one.
  void add_pieces(const std::int32_t* text, std::size_t size, std::size_t piece);

  std::size_t count() const { return lengths_.size(); }
  std::size_t frames() const { return inputs_.size(); }

  // For the library; valid until this object changes.
  rnn_sequences_t view() const;

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> inputs_;
  std::vector<std::int32_t> classes_;
};

// Throws std::invalid_argument, in which `name` is what the text is called, if it has nothing to predict.
void check_length(const std::vector<std::int32_t>& text, const std::string& name);

// The bytes of a file. Throws std::runtime_error.
std::string read_text(const std::string& path);

// The first `count` characters, or all.
std::string first_characters(const std::string& text, std::size_t count);

// A loss in nats, as the library gives it, in bits.
double bits(double nats);

// For the terminal, in UTF-8: a dot instead of each control character but the newline.
std::string printable(const std::string& text);

// The same for JSON: an escape instead of each.
std::string printable_json(const std::string& json);

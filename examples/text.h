// Text as the network sees it: its characters, numbered; each is the input that predicts the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

// What a file says: UTF-8, decoded from UTF-8, with or without a byte order mark, or from UTF-16 with one. A
// file that is none of them is its bytes. Held in parts, which are let go one by one when it is encoded.
class Text {
 public:
  Text() = default;
  explicit Text(const std::string& bytes) : Text(std::vector<std::string>{bytes}) {}
  static Text read(std::istream& file);
  // Of these symbols of another text, by their codes; a byte that is not part of a character is none of a UTF-8 text.
  static Text of_symbols(const std::vector<std::uint32_t>& codes);

  bool is_utf8() const { return is_utf8_; }
  std::size_t bytes() const;
  std::size_t characters() const;  // if it is UTF-8
  // Each ends between two characters.
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  friend class Vocabulary;
  explicit Text(std::vector<std::string> parts);

  std::vector<std::string> parts_;
  bool is_utf8_ = true;
};

// The symbols that occur in a text, in their order, as indices 0, 1, ...: its characters, Unicode's, or its
// bytes if it is not UTF-8.
class Vocabulary {
 public:
  explicit Vocabulary(const Text& text);

  // For a model's metadata: a JSON array, of strings with a character each or of numbers, the bytes.
  std::string json() const;
  // Of what json() has returned, or such an array in another order, or of both kinds: then a byte is one that
  // is not part of a character. Throws std::invalid_argument.
  static Vocabulary parse(const std::string& json);

  // With the symbols of the text that are new behind these.
  Vocabulary extended(const Text& text) const;

  std::int32_t size() const { return static_cast<std::int32_t>(codes_.size()); }
  // Whether a symbol is a byte: what is decoded need not be UTF-8.
  bool has_bytes() const;
  // Whether all are: then a text is its bytes, although it is UTF-8.
  bool is_of_bytes() const { return is_of_bytes_; }
  // Whether all symbols of a text are in it.
  bool knows(const Text& text) const;

  // The first few symbols from `first` on, for a message: "'x' (U+0078), 'y' (U+0079), ...".
  std::string description_from(std::int32_t first) const;

  // Throws std::invalid_argument, in which `name` is what the text is called, if a symbol of it is not in the
  // vocabulary.
  std::vector<std::int32_t> encode(Text text, const std::string& name = "the text") const;
  std::vector<std::int32_t> encode(const std::string& text, const std::string& name = "the text") const;
  // Appends a part of a text; `place`, of its first symbol, becomes that of the next part.
  struct Place {
    std::string name;
    std::size_t line = 1, column = 1;
  };
  void encode(const std::string& part, Place& place, std::vector<std::int32_t>& indices) const;

  // The bytes of a text, UTF-8 unless has_bytes().
  std::string decode(const std::vector<std::int32_t>& indices) const;

 private:
  explicit Vocabulary(std::vector<std::uint32_t> codes);

  std::vector<std::uint32_t> codes_;  // in a text's vocabulary ascending
  std::vector<std::int32_t> index_;   // of a code; -1: not in the vocabulary
  bool is_of_bytes_;                  // all of them are
};

// Sequences of characters, each with the character that follows it as its class.
class Sequences {
 public:
  Sequences() = default;
  // The whole text, in sequences of at most about `piece` characters; 0: in one.
  static Sequences pieces(std::vector<std::int32_t> text, std::size_t piece);
  // The text cut into `count` sequences of one length; what is left over at its end is left out.
  static Sequences rows(std::vector<std::int32_t> text, std::size_t count);

  // size >= 2 characters, of which the last is only predicted. Not behind a whole text.
  void add(const std::int32_t* text, std::size_t size);

  // The same characters, in sequences of at most about `piece` of them; 0: in one.
  void add_pieces(const std::int32_t* text, std::size_t size, std::size_t piece);

  std::size_t count() const { return lengths_.size(); }
  std::size_t frames() const;

  // For the library; valid until this object changes.
  rnn_sequences_t view() const;

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> inputs_;
  std::vector<std::int32_t> classes_;  // empty: inputs_ from its second element on
};

// Throws std::invalid_argument, in which `name` is what the text is called, if it has nothing to predict.
void check_length(const std::vector<std::int32_t>& text, const std::string& name);

// Throws std::runtime_error.
Text read_text(const std::string& path);

// The first `count` characters, or all.
std::string first_characters(const std::string& text, std::size_t count);

// A loss in nats, as the library gives it, in bits.
double bits(double nats);

// For the terminal, in UTF-8: an escape, \x1B or \u{202E}, instead of each byte that is not part of a
// character and of what a terminal may obey: control characters but the newline and the tab, and what changes
// the direction of writing.
std::string printable(const std::string& text);

// The same for JSON, which stays the same JSON.
std::string printable_json(const std::string& json);

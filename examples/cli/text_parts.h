// A text that several ranks read: each reads a share, to know its symbols, and then what it needs to learn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../character_training.h"
#include "../text.h"

// All ranks create it and use it alike. As a Text it is UTF-8, UTF-16 with a byte order mark, or bytes, whichever the
// whole file is. Throws std::runtime_error, also where the file is another than the one whose share a rank has read.
class TextParts {
 public:
  // Reads the share. The file is a regular one; all ranks have it.
  TextParts(std::string path, const Ranks& ranks);

  // A text of the same symbols.
  Text symbols() const { return Text::of_symbols(codes_); }

  // The text's symbols in a vocabulary; both are kept. Throws std::invalid_argument for the first symbol that is not in it.
  Characters encoded_by(const Vocabulary& vocabulary);

 private:
  struct Block {
    std::uint64_t symbols = 0;  // that begin in it; bytes that are not part of a character count alone
    std::uint64_t bytes = 0;    // of these, in UTF-8
    std::uint64_t digest = 0;   // of what the file has there
  };
  using Use = std::function<void(std::size_t block, const std::string& text, std::uint64_t digest)>;

  std::size_t first_of(std::size_t rank) const;
  void each_block(std::size_t first, std::size_t end, const Use& use) const;
  std::string text_of(std::size_t block, const std::string& bytes, std::size_t offset) const;
  std::string utf16_text(const std::string& bytes, std::size_t begin, std::size_t end) const;
  bool scan();
  void complain_of_unknown(const Vocabulary& vocabulary) const;
  void check(std::size_t block, std::uint64_t digest) const;
  std::vector<std::int32_t> read(const Vocabulary& vocabulary, std::size_t first, std::size_t count) const;

  const std::string path_;
  const Ranks ranks_;
  std::size_t size_ = 0;        // of the file
  std::size_t block_size_ = 0;  // even
  std::string head_;            // the file's first bytes
  bool is_utf16_ = false;
  bool has_mark_ = false;
  std::vector<Block> blocks_;
  std::vector<std::uint32_t> codes_;
  std::vector<std::size_t> starts_;  // [blocks + 1], of the symbols in the vocabulary of encoded_by
};

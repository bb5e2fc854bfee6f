#include "text_parts.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <utility>

#include "../unicode.h"

namespace {

constexpr std::size_t kSmallestBlock = 4096;  // bytes
constexpr std::size_t kMostBlocks = 65536;    // of which all ranks know all
constexpr std::size_t kRead = 1 << 20;        // bytes at a time
constexpr std::size_t kAround = 4;  // bytes before and behind, in which a character may begin and end

// FNV-1a.
std::uint64_t digest_of(const char* bytes, std::size_t size) {
  std::uint64_t digest = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < size; ++i)
    digest = (digest ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3;
  return digest;
}

// Where the first character at `place` or behind it begins, in UTF-8 or in what is none.
std::size_t next_begin(const std::string& bytes, std::size_t place) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, place); ++back) {
    std::size_t at = place - back;
    if ((static_cast<unsigned char>(bytes[at]) & 0xc0) == 0x80) continue;
    next_code(bytes, at);
    return std::max(at, place);
  }
  return place;
}

}  // namespace

TextParts::TextParts(std::string path, const Ranks& ranks) : path_(std::move(path)), ranks_(ranks) {
  const std::filesystem::path file_path = std::filesystem::u8path(path_);
  if (std::filesystem::is_directory(file_path)) throw std::runtime_error(path_ + " is a directory");
  if (std::filesystem::exists(file_path) && !std::filesystem::is_regular_file(file_path))
    throw std::runtime_error(path_ + " is not a regular file, of which several ranks can each read a part");
  errno = 0;
  std::ifstream file(path_, std::ios::binary | std::ios::ate);
  if (!file.is_open())
    throw std::runtime_error("cannot read " + path_ +
                             (errno != 0 ? std::string(": ") + std::strerror(errno) : ""));
  size_ = static_cast<std::size_t>(file.tellg());
  head_.resize(std::min<std::size_t>(size_, kAround));
  file.seekg(0);
  file.read(head_.data(), static_cast<std::streamsize>(head_.size()));
  ranks_.check_same("the text", size_);
  ranks_.check_same("the text", digest_of(head_.data(), head_.size()));

  block_size_ = kSmallestBlock;
  while (size_ / block_size_ >= kMostBlocks) block_size_ *= 2;
  blocks_.resize((size_ + block_size_ - 1) / block_size_);
  is_utf16_ = Utf16::marks(head_);
  has_mark_ = is_utf16_ || head_.compare(0, 3, kMark) == 0;
  if (scan() || !has_mark_) return;
  is_utf16_ = has_mark_ = false;  // it is no mark, but bytes as the others
  scan();
}

// The first block of a rank's share.
std::size_t TextParts::first_of(std::size_t rank) const { return rank * blocks_.size() / ranks_.count(); }

void TextParts::each_block(std::size_t first, std::size_t end, const Use& use) const {
  std::ifstream file(path_, std::ios::binary);
  const std::size_t most = std::max<std::size_t>(1, kRead / block_size_);
  for (std::size_t block = first; block < end;) {
    const std::size_t next = std::min(end, block + most);
    const std::size_t offset = block * block_size_ - (block > 0 ? kAround : 0);
    std::string bytes(std::min(size_, next * block_size_ + kAround) - offset, '\0');
    errno = 0;
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file)
      throw std::runtime_error(
          "cannot read " + path_ +
          (errno != 0 ? std::string(": ") + std::strerror(errno) : ": it is shorter than it was"));
    for (; block < next; ++block) {
      const std::size_t begin = block * block_size_ - offset;
      const std::uint64_t digest =
          digest_of(bytes.data() + begin, std::min(block_size_, bytes.size() - begin));
      use(block, text_of(block, bytes, offset), digest);
    }
  }
}

// The characters that begin in the block, in UTF-8, of bytes from an offset on. Bytes that are no characters stay.
std::string TextParts::text_of(std::size_t block, const std::string& bytes, std::size_t offset) const {
  const std::size_t begin = block * block_size_ - offset;
  const std::size_t end = std::min(size_ - offset, begin + block_size_);
  std::string text;
  if (is_utf16_) {
    text = utf16_text(bytes, begin, end);
  } else {
    const std::size_t from = next_begin(bytes, begin);
    text = bytes.substr(from, next_begin(bytes, end) - from);
  }
  return block == 0 && has_mark_ ? text.substr(std::strlen(kMark)) : text;
}

std::string TextParts::utf16_text(const std::string& bytes, std::size_t begin, std::size_t end) const {
  const bool is_little = Utf16::is_little(head_);
  // Behind the second unit of a pair whose first is before `place`.
  const auto whole = [&](std::size_t place) {
    if (place < 2) return place;
    const auto high = static_cast<unsigned char>(bytes[place - (is_little ? 1 : 2)]);
    return std::min(bytes.size(), (high & 0xfc) == 0xd8 ? place + 2 : place);
  };
  Utf16 reader(!is_little);
  std::string text;
  const std::size_t from = whole(begin);
  const bool is_valid =
      reader.read(bytes.substr(from, whole(end) - from), [&](std::uint32_t code) { text += encoded(code); });
  if (!is_valid || !reader.ended()) text += '\xff';  // which UTF-8 has not either
  return text;
}

// Reads this rank's share and gathers what all have found. Returns whether the text is UTF-8 or UTF-16.
bool TextParts::scan() {
  std::vector<std::uint64_t> found;
  std::vector<bool> occurs(kNone);
  each_block(first_of(ranks_.rank()), first_of(ranks_.rank() + 1),
             [&](std::size_t, const std::string& text, std::uint64_t digest) {
               std::uint64_t symbols = 0;
               each_code(text, false, [&](std::uint32_t code) {
                 occurs[code] = true;
                 ++symbols;
               });
               found.insert(found.end(), {symbols, text.size(), digest});
             });
  found = ranks_.gather(found);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i] = {found[3 * i], found[3 * i + 1], found[3 * i + 2]};

  std::vector<std::uint64_t> codes;
  for (std::uint32_t code = 0; code < occurs.size(); ++code)
    if (occurs[code]) codes.push_back(code);
  codes = ranks_.gather(codes);
  const std::set<std::uint64_t> all(codes.begin(), codes.end());
  codes_.assign(all.begin(), all.end());
  return codes_.empty() || codes_.back() < kUnicode;
}

Characters TextParts::encoded_by(const Vocabulary& vocabulary) {
  if (!vocabulary.knows(symbols())) complain_of_unknown(vocabulary);
  starts_.assign(1, 0);
  for (const Block& block : blocks_)
    starts_.push_back(starts_.back() + (vocabulary.is_of_bytes() ? block.bytes : block.symbols));
  return {starts_.back(), [this, &vocabulary](std::size_t first, std::size_t count) {
            return read(vocabulary, first, count);
          }};
}

// As one rank would, which has read all up to there.
void TextParts::complain_of_unknown(const Vocabulary& vocabulary) const {
  Vocabulary::Place place{"the text"};
  each_block(0, blocks_.size(), [&](std::size_t block, const std::string& text, std::uint64_t digest) {
    check(block, digest);
    std::vector<std::int32_t> indices;
    vocabulary.encode(text, place, indices);
  });
}

void TextParts::check(std::size_t block, std::uint64_t digest) const {
  if (digest == blocks_[block].digest) return;
  std::size_t rank = 0;
  while (first_of(rank + 1) <= block) ++rank;
  if (rank == ranks_.rank()) throw std::runtime_error(path_ + " has changed while it was read");
  throw std::runtime_error("the text is not the same as on rank " + std::to_string(rank));
}

std::vector<std::int32_t> TextParts::read(const Vocabulary& vocabulary, std::size_t first,
                                          std::size_t count) const {
  const auto number = [&](auto place) { return static_cast<std::size_t>(place - starts_.begin()); };
  const std::size_t block = number(std::upper_bound(starts_.begin(), starts_.end(), first)) - 1;
  const std::size_t end = number(std::lower_bound(starts_.begin(), starts_.end(), first + count));
  std::vector<std::int32_t> indices;
  each_block(block, end, [&](std::size_t i, const std::string& text, std::uint64_t digest) {
    check(i, digest);
    Vocabulary::Place place{"the text"};
    vocabulary.encode(text, place, indices);
  });
  indices.erase(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(first - starts_[block]));
  indices.resize(count);
  return indices;
}

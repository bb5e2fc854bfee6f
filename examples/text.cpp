#include "text.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "unicode.h"

namespace {

constexpr std::size_t kPart = 1 << 20;  // bytes of a text that are read at a time

bool is_utf8(const std::string& text) {
  for (std::size_t place = 0; place < text.size();)
    if (next_code(text, place) >= kUnicode) return false;
  return true;
}

// The bytes at the end that begin a character but do not finish it.
std::size_t unfinished(const std::string& text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) != 0x80) return encoded_size(byte) > back ? back : 0;
  }
  return 0;
}

// To UTF-8, if they are UTF-16.
void decode_utf16(std::vector<std::string>& parts) {
  const bool is_big_endian = !Utf16::is_little(parts[0]);
  Utf16 reader(is_big_endian);
  for (const std::string& part : parts)
    if (!reader.read(part, [](std::uint32_t) {})) return;
  if (!reader.ended()) return;
  for (std::string& part : parts) {
    std::string decoded;
    reader.read(part, [&](std::uint32_t code) { decoded += encoded(code); });
    part.swap(decoded);
  }
}

bool is_control(std::uint32_t code) { return code < ' ' || (code >= 0x7f && code < 0xa0); }

// Marks, embeddings, overrides and isolates that change the direction of writing, other ends of a line, and
// the byte order mark.
bool is_hidden_control(std::uint32_t code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

bool needs_escape(std::uint32_t code) {
  return (is_control(code) && code != '\n' && code != '\t') || is_hidden_control(code) || code >= kUnicode;
}

// As the library's messages have it.
std::string escape(std::uint32_t code) {
  char text[16];
  const std::uint32_t byte = code >= kUnicode ? code - kUnicode : code;
  std::snprintf(text, sizeof text, code < 0x80 || code >= kUnicode ? "\\x%02X" : "\\u{%X}", byte);
  return text;
}

std::string escape_json(std::uint32_t code) {
  char text[16];
  std::snprintf(text, sizeof text, "\\u%04x", code);
  return text;
}

// For messages: 0xE9, U+000A, 'x' (U+0078).
std::string name_of(std::uint32_t code) {
  char number[32];
  const bool is_byte = code >= kUnicode;
  std::snprintf(number, sizeof number, is_byte ? "0x%02X" : "U+%04X", is_byte ? code - kUnicode : code);
  if (is_byte || is_control(code) || needs_escape(code)) return number;
  return "'" + encoded(code) + "' (" + number + ")";
}

std::string description(std::uint32_t code) {
  return (code >= kUnicode ? "the byte " : "the character ") + name_of(code);
}

std::string escaped(const std::string& text, std::string (*escape)(std::uint32_t code)) {
  std::string shown;
  each_code(text, false,
            [&](std::uint32_t code) { shown += needs_escape(code) ? escape(code) : encoded(code); });
  return shown;
}

// By code, whether it occurs in a text.
std::vector<bool> occurring(const Text& text, bool is_of_bytes) {
  std::vector<bool> occurs(kNone);
  for (const std::string& part : text.parts())
    each_code(part, is_of_bytes, [&](std::uint32_t code) { occurs[code] = true; });
  return occurs;
}

// Of an element of a vocabulary; kNone: it is none.
std::uint32_t parse_code(const nlohmann::json& element) {
  if (element.is_number_unsigned() && element.get<std::uint64_t>() < 256)
    return kUnicode + element.get<std::uint32_t>();
  const std::string text = element.is_string() ? element.get<std::string>() : std::string();
  std::size_t place = 0;
  const std::uint32_t code = text.empty() ? kUnicode : next_code(text, place);
  return code >= kUnicode || place != text.size() ? kNone : code;
}

}  // namespace

Text::Text(std::vector<std::string> parts) : parts_(std::move(parts)) {
  if (parts_.empty()) return;
  if (Utf16::marks(parts_[0])) decode_utf16(parts_);
  for (std::size_t i = 0; i + 1 < parts_.size(); ++i) {
    const std::size_t count = unfinished(parts_[i]);
    parts_[i + 1].insert(0, parts_[i], parts_[i].size() - count, count);
    parts_[i].resize(parts_[i].size() - count);
  }
  is_utf8_ = std::all_of(parts_.begin(), parts_.end(), ::is_utf8);
  if (is_utf8_ && parts_[0].compare(0, 3, kMark) == 0) parts_[0].erase(0, 3);
}

Text Text::read(std::istream& file) {
  std::vector<std::string> parts;
  while (file) {
    std::string part(kPart, '\0');
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    part.resize(static_cast<std::size_t>(file.gcount()));
    parts.push_back(std::move(part));
  }
  return Text(std::move(parts));
}

Text Text::of_symbols(const std::vector<std::uint32_t>& codes) {
  Text text;
  for (const std::uint32_t code : codes) {
    text.parts_.push_back(encoded(code));  // apart, since bytes that follow each other may be a character
    text.is_utf8_ = text.is_utf8_ && code < kUnicode;
  }
  return text;
}

std::size_t Text::bytes() const {
  std::size_t size = 0;
  for (const std::string& part : parts_) size += part.size();
  return size;
}

std::size_t Text::characters() const {
  std::size_t count = 0;
  for (const std::string& part : parts_)
    count += static_cast<std::size_t>(
        std::count_if(part.begin(), part.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
  return count;
}

Vocabulary::Vocabulary(const Text& text) {
  const std::vector<bool> occurs = occurring(text, !text.is_utf8());
  for (std::uint32_t code = 0; code < occurs.size(); ++code)
    if (occurs[code]) codes_.push_back(code);
  *this = Vocabulary(std::move(codes_));
}

Vocabulary::Vocabulary(std::vector<std::uint32_t> codes) : codes_(std::move(codes)) {
  const auto largest = std::max_element(codes_.begin(), codes_.end());
  index_.assign(largest == codes_.end() ? 0 : *largest + 1, -1);
  for (std::size_t i = 0; i < codes_.size(); ++i) index_[codes_[i]] = static_cast<std::int32_t>(i);
  is_of_bytes_ = !codes_.empty() && *std::min_element(codes_.begin(), codes_.end()) >= kUnicode;
}

bool Vocabulary::has_bytes() const {
  return std::any_of(codes_.begin(), codes_.end(), [](std::uint32_t code) { return code >= kUnicode; });
}

bool Vocabulary::knows(const Text& text) const {
  const std::vector<bool> occurs = occurring(text, is_of_bytes_);
  for (std::size_t code = 0; code < occurs.size(); ++code)
    if (occurs[code] && (code >= index_.size() || index_[code] < 0)) return false;
  return true;
}

Vocabulary Vocabulary::extended(const Text& text) const {
  std::vector<bool> occurs = occurring(text, is_of_bytes_);
  for (const std::uint32_t code : codes_) occurs[code] = false;
  std::vector<std::uint32_t> codes = codes_;
  for (std::uint32_t code = 0; code < occurs.size(); ++code)
    if (occurs[code]) codes.push_back(code);
  return Vocabulary(std::move(codes));
}

std::string Vocabulary::description_from(std::int32_t first) const {
  constexpr std::int32_t kMost = 5;
  std::string text;
  for (std::int32_t i = first; i < std::min(size(), first + kMost); ++i)
    text += (i > first ? ", " : "") + name_of(codes_[static_cast<std::size_t>(i)]);
  return text + (size() > first + kMost ? ", ..." : "");
}

std::string Vocabulary::json() const {
  nlohmann::json array = nlohmann::json::array();
  for (const std::uint32_t code : codes_) {
    if (code < kUnicode)
      array.push_back(encoded(code));
    else
      array.push_back(code - kUnicode);
  }
  return array.dump();
}

Vocabulary Vocabulary::parse(const std::string& json) {
  const nlohmann::json array = nlohmann::json::parse(json, nullptr, false);
  if (!array.is_array()) throw std::invalid_argument("the vocabulary is not a JSON array");
  std::vector<std::uint32_t> codes;
  std::set<std::uint32_t> occurs;
  for (const nlohmann::json& element : array) {
    const std::uint32_t code = parse_code(element);
    const std::string place = "element " + std::to_string(codes.size()) + " of the vocabulary";
    if (code == kNone)
      throw std::invalid_argument(place + " must be a string of one character, or a number below 256");
    codes.push_back(code);
    if (!occurs.insert(code).second)
      throw std::invalid_argument(place + ", " + description(code) + ", was there before");
  }
  return Vocabulary(std::move(codes));
}

void Vocabulary::encode(const std::string& part, Place& place, std::vector<std::int32_t>& indices) const {
  each_code(part, is_of_bytes_, [&](std::uint32_t code) {
    const std::int32_t index = code < index_.size() ? index_[code] : -1;
    if (index < 0)
      throw std::invalid_argument(
          place.name + ", line " + std::to_string(place.line) + ", column " + std::to_string(place.column) +
          ": " + description(code) + " is not in the vocabulary" +
          (code >= kUnicode && !is_of_bytes_ ? "; the text is neither UTF-8 nor marked UTF-16" : ""));
    indices.push_back(index);
    const bool is_newline = code == '\n' || code == code_of_byte('\n');
    place.column = is_newline ? 1 : place.column + 1;
    place.line += is_newline;
  });
}

std::vector<std::int32_t> Vocabulary::encode(Text text, const std::string& name) const {
  std::vector<std::int32_t> indices;
  indices.reserve(text.is_utf8() && !is_of_bytes_ ? text.characters() : text.bytes());
  Place place{name};
  for (std::string& part : text.parts_) {
    encode(part, place, indices);
    std::string().swap(part);  // a large text is in memory once
  }
  return indices;
}

std::vector<std::int32_t> Vocabulary::encode(const std::string& text, const std::string& name) const {
  std::vector<std::int32_t> indices;
  Place place{name};
  encode(text, place, indices);
  return indices;
}

std::string Vocabulary::decode(const std::vector<std::int32_t>& indices) const {
  std::string text;
  for (const std::int32_t index : indices) text += encoded(codes_.at(static_cast<std::size_t>(index)));
  return text;
}

namespace {

// The lengths of `steps` steps in as many equal sequences as take at most about `piece` each; 0: in one.
std::vector<std::size_t> lengths_of(std::size_t steps, std::size_t piece) {
  const std::size_t pieces = piece == 0 ? 1 : (steps + piece - 1) / piece;
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0, first = 0; i < pieces; first += lengths[i++])
    lengths.push_back((steps - first) / (pieces - i));
  return lengths;
}

}  // namespace

Sequences Sequences::pieces(std::vector<std::int32_t> text, std::size_t piece) {
  Sequences sequences;
  sequences.lengths_ = lengths_of(text.size() - 1, piece);
  sequences.inputs_ = std::move(text);
  return sequences;
}

Sequences Sequences::rows(std::vector<std::int32_t> text, std::size_t count) {
  Sequences sequences;
  sequences.lengths_.assign(count, (text.size() - 1) / count);
  sequences.inputs_ = std::move(text);
  return sequences;
}

void Sequences::add(const std::int32_t* text, std::size_t size) {
  lengths_.push_back(size - 1);
  inputs_.insert(inputs_.end(), text, text + size - 1);
  classes_.insert(classes_.end(), text + 1, text + size);
}

void Sequences::add_pieces(const std::int32_t* text, std::size_t size, std::size_t piece) {
  for (const std::size_t length : lengths_of(size - 1, piece)) {
    add(text, length + 1);
    text += length;
  }
}

std::size_t Sequences::frames() const {
  return std::accumulate(lengths_.begin(), lengths_.end(), std::size_t{0});
}

rnn_sequences_t Sequences::view() const {
  auto sequences = rnn::sized<rnn_sequences_t>();
  sequences.count = count();
  sequences.frames = frames();
  sequences.lengths = lengths_.data();
  sequences.indices = inputs_.data();
  sequences.classes = classes_.empty() ? inputs_.data() + 1 : classes_.data();
  return sequences;
}

void check_length(const std::vector<std::int32_t>& text, const std::string& name) {
  if (text.size() < 2)
    throw std::invalid_argument(name + " has " + std::to_string(text.size()) +
                                " characters; it must have at least 2");
}

Text read_text(const std::string& path) {
  if (std::filesystem::is_directory(std::filesystem::u8path(path)))
    throw std::runtime_error(path + " is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  Text text = Text::read(file);
  if (!file.is_open() || file.bad())
    throw std::runtime_error("cannot read " + path +
                             (errno != 0 ? std::string(": ") + std::strerror(errno) : ""));
  return text;
}

std::string first_characters(const std::string& text, std::size_t count) {
  std::size_t place = 0;
  for (; count > 0 && place < text.size(); --count) next_code(text, place);
  return text.substr(0, place);
}

double bits(double nats) { return nats / std::log(2.0); }

std::string printable(const std::string& text) { return escaped(text, escape); }
std::string printable_json(const std::string& json) { return escaped(json, escape_json); }

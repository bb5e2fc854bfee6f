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

namespace {

constexpr std::uint32_t kUnicode = 0x110000;  // codes from here on are bytes
constexpr std::uint32_t kNone = kUnicode + 256;
constexpr std::size_t kPart = 1 << 20;    // bytes of a text that are read at a time
constexpr char kMark[] = "\xef\xbb\xbf";  // the byte order mark

// The bytes of the character that begins with `lead`; 0: none does.
std::size_t encoded_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // goes on with a character, or takes more bytes than it has to
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

// The code of the character at `place`, which moves behind it.
std::uint32_t next_code(const std::string& text, std::size_t& place) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(place);
  const std::size_t size = encoded_size(static_cast<unsigned char>(lead));
  if (size == 1) return ++place, lead;
  const bool fits = size != 0 && size <= text.size() - place;
  std::uint32_t code = fits ? lead & (0x7fu >> size) : kUnicode;
  for (std::size_t i = 1; fits && i < size; ++i)
    code =
        (byte(place + i) & 0xc0) == 0x80 && code < kUnicode ? code << 6 | (byte(place + i) & 0x3f) : kUnicode;
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (!fits || code >= kUnicode || code < kSmallest[size] || is_surrogate) return ++place, kUnicode + lead;
  place += size;
  return code;
}

std::uint32_t code_of_byte(char byte) { return kUnicode + static_cast<unsigned char>(byte); }

// In UTF-8, or the byte.
std::string encoded(std::uint32_t code) {
  if (code >= kUnicode) return std::string(1, static_cast<char>(code - kUnicode));
  std::string bytes;
  const auto add = [&](std::uint32_t byte) { bytes.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
  }
  if (code >= 0x80) add(0x80 | (code & 0x3f));
  return bytes;
}

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

// UTF-16 that comes in parts of whole units.
class Utf16 {
 public:
  explicit Utf16(bool is_big_endian) : is_big_endian_(is_big_endian) {}

  // Whether a text begins with the mark of UTF-16, and not with that of UTF-32.
  static bool marks(const std::string& text) {
    return is_little(text) || text.compare(0, 2, "\xfe\xff") == 0;
  }
  static bool is_little(const std::string& text) {
    return text.compare(0, 2, "\xff\xfe") == 0 && text.compare(2, 2, std::string(2, '\0')) != 0;
  }

  // use(code) for each character that ends in the part. False: it is no UTF-16.
  template <class Use>
  bool read(const std::string& part, const Use& use) {
    for (std::size_t i = 0; i + 1 < part.size(); i += 2) {
      const std::uint32_t unit = unit_at(part, i);
      const bool is_low = unit >= 0xdc00 && unit < 0xe000;
      if (is_low != (high_ != 0)) return false;
      if (unit >= 0xd800 && unit < 0xdc00) {
        high_ = unit;
        continue;
      }
      use(is_low ? 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00) : unit);
      high_ = 0;
    }
    return part.size() % 2 == 0;
  }

  // Whether no character is begun.
  bool ended() const { return high_ == 0; }

 private:
  std::uint32_t unit_at(const std::string& part, std::size_t i) const {
    const std::uint32_t first = static_cast<unsigned char>(part[i]);
    const std::uint32_t second = static_cast<unsigned char>(part[i + 1]);
    return is_big_endian_ ? first << 8 | second : second << 8 | first;
  }

  const bool is_big_endian_;
  std::uint32_t high_ = 0;  // the first unit of a pair
};

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

// use(code) for each symbol of a text.
template <class Use>
void each_code(const std::string& text, bool is_of_bytes, const Use& use) {
  if (is_of_bytes)
    for (const char byte : text) use(code_of_byte(byte));
  else
    for (std::size_t place = 0; place < text.size();) use(next_code(text, place));
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

// Of the symbol that is encoded next.
struct Vocabulary::Place {
  const std::string& name;
  std::size_t line = 1, column = 1;
};

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

Sequences Sequences::some(const std::vector<std::size_t>& numbers) const {
  const rnn_sequences_t all = view();
  Sequences sequences;
  std::size_t next = 0, first = 0;
  for (const std::size_t number : numbers) {
    for (; next < number; ++next) first += lengths_[next];
    const std::size_t end = first + lengths_[number];
    sequences.lengths_.push_back(lengths_[number]);
    sequences.inputs_.insert(sequences.inputs_.end(), all.indices + first, all.indices + end);
    sequences.classes_.insert(sequences.classes_.end(), all.classes + first, all.classes + end);
  }
  return sequences;
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
  if (std::filesystem::is_directory(path)) throw std::runtime_error(path + " is a directory");
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

#include "text.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

namespace {

constexpr std::uint32_t kUnicode = 0x110000;  // codes from here on are bytes
constexpr std::uint32_t kNone = kUnicode + 256;
constexpr std::uint32_t kReplacement = 0xfffd;

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

// In UTF-8.
std::string encoded(std::uint32_t code) {
  if (code >= kUnicode) code = kReplacement;
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

// A terminal may obey them; those behind ASCII, too.
bool is_control(std::uint32_t code) { return code < ' ' || (code >= 0x7f && code < 0xa0); }

// Control characters but the newline as replacement(code); in UTF-8.
template <class F>
std::string replaced_controls(const std::string& text, const F& replacement) {
  std::string shown;
  for (std::size_t place = 0; place < text.size();) {
    const std::uint32_t code = next_code(text, place);
    shown += is_control(code) && code != '\n' ? replacement(code) : encoded(code);
  }
  return shown;
}

// For a message.
std::string description(std::uint32_t code) {
  char number[32];
  if (code >= kUnicode) {
    std::snprintf(number, sizeof number, "the byte 0x%02X", code - kUnicode);
    return number;
  }
  std::snprintf(number, sizeof number, "U+%04X", code);
  if (is_control(code)) return std::string("the character ") + number;
  return "the character '" + encoded(code) + "' (" + number + ")";
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

Vocabulary::Vocabulary(const std::string& text) {
  std::vector<bool> occurs(kNone);
  for (std::size_t place = 0; place < text.size();) occurs[next_code(text, place)] = true;
  for (std::uint32_t code = 0; code < occurs.size(); ++code)
    if (occurs[code]) codes_.push_back(code);
  *this = Vocabulary(std::move(codes_));
}

Vocabulary::Vocabulary(std::vector<std::uint32_t> codes) : codes_(std::move(codes)) {
  const auto largest = std::max_element(codes_.begin(), codes_.end());
  index_.assign(largest == codes_.end() ? 0 : *largest + 1, -1);
  for (std::size_t i = 0; i < codes_.size(); ++i) index_[codes_[i]] = static_cast<std::int32_t>(i);
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

std::vector<std::int32_t> Vocabulary::encode(const std::string& text, const std::string& name) const {
  std::vector<std::int32_t> indices;
  indices.reserve(text.size());
  std::size_t line = 1, column = 1;
  for (std::size_t place = 0; place < text.size();) {
    const std::uint32_t code = next_code(text, place);
    const std::int32_t index = code < index_.size() ? index_[code] : -1;
    if (index < 0)
      throw std::invalid_argument(name + ", line " + std::to_string(line) + ", column " +
                                  std::to_string(column) + ": " + description(code) +
                                  " is not in the vocabulary");
    indices.push_back(index);
    column = code == '\n' ? 1 : column + 1;
    line += code == '\n';
  }
  return indices;
}

std::string Vocabulary::decode(const std::vector<std::int32_t>& indices) const {
  std::string text;
  for (const std::int32_t index : indices) text += encoded(codes_.at(static_cast<std::size_t>(index)));
  return text;
}

void Sequences::add(const std::int32_t* text, std::size_t size) {
  lengths_.push_back(size - 1);
  inputs_.insert(inputs_.end(), text, text + size - 1);
  classes_.insert(classes_.end(), text + 1, text + size);
}

void Sequences::add_pieces(const std::int32_t* text, std::size_t size, std::size_t piece) {
  const std::size_t steps = size - 1, pieces = piece == 0 ? 1 : (steps + piece - 1) / piece;
  for (std::size_t i = 0, first = 0; i < pieces; ++i) {
    const std::size_t length = (steps - first) / (pieces - i);
    add(text + first, length + 1);
    first += length;
  }
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

void check_length(const std::vector<std::int32_t>& text, const std::string& name) {
  if (text.size() < 2)
    throw std::invalid_argument(name + " has " + std::to_string(text.size()) +
                                " characters; it must have at least 2");
}

std::string read_text(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw std::runtime_error(path + " is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
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

std::string printable(const std::string& text) {
  return replaced_controls(text, [](std::uint32_t) { return std::string("."); });
}

std::string printable_json(const std::string& json) {
  return replaced_controls(json, [](std::uint32_t code) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", code);
    return std::string(escape);
  });
}

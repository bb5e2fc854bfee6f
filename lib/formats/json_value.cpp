#include "lib/formats/json_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lib/formats/contents.h"
#include "lib/formats/decimal.h"
#include "lib/network/error.h"

namespace rnn::json {
namespace {

using formats::quote;

constexpr std::size_t kMaxSize = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxDepth = 32;

// The shortest text that reads back as the same number, whatever the locale.
std::string number_text(float value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// A key in a path: as it is if it is a plain name.
std::string name(std::string_view key) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  const bool is_plain = !key.empty() && key.size() <= 60 && std::all_of(key.begin(), key.end(), plain);
  return is_plain ? std::string(key) : quote(key);
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? name(key) : path + "." + name(key);
}

// "layers[1]: what", or "what" of the root.
std::string at_path(const std::string& path, const std::string& what) {
  return path.empty() ? what : path + ": " + what;
}

// The object that the text begins with, without the blanks around its tokens.
std::string compact(const char* text) {
  std::string out;
  bool is_quoted = false;
  int depth = 0;
  do {
    const char c = *text++;
    if (c == '"') is_quoted = !is_quoted;
    if (!is_quoted) depth += (c == '{') - (c == '}');
    if (is_quoted || c > ' ') out += c;
    if (c == '\\') out += *text++;
  } while (depth > 0);
  return out;
}

// Where the parser is in the text: it moves copies of this, which say how far they are.
class Reader {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Reader(const char* at, const char*& reached) : at_(at), reached_(&reached) {}

  reference operator*() const { return *at_; }
  Reader& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  bool operator==(const Reader& other) const { return at_ == other.at_; }
  bool operator!=(const Reader& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const char* text) : reached(text) { tree.source = text; }

  Tree tree;
  const char* reached;  // what is before it has been read

  bool null() override { return add(Kind::null, 0, 0); }
  bool boolean(bool value) override { return add(Kind::boolean, value, 0); }
  bool number_integer(number_integer_t value) override { return number(static_cast<float>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<float>(value)); }
  bool number_float(number_float_t value, const string_t&) override {
    return number(static_cast<float>(value));
  }
  bool string(string_t& value) override { return add_text(Kind::string, value); }
  bool binary(binary_t&) override { throw Error(RNN_BAD_FORMAT, "binary data in JSON"); }

  bool start_object(std::size_t) override {
    open(Kind::object);
    node(open_.back()).begin = static_cast<std::uint32_t>(reached - tree.source - 1);
    return true;
  }
  bool end_object() override {
    check_keys();
    return close();
  }

  bool key(string_t& value) override {
    key_ = size();
    ++node(open_.back()).count;
    append(Kind::key, value);
    return true;
  }

  // Numbers alone, until something else comes.
  bool start_array(std::size_t) override {
    open(Kind::numbers);
    node(open_.back()).begin = static_cast<std::uint32_t>(tree.numbers.size());
    return true;
  }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(RNN_BAD_FORMAT, "%s",
                at_path(path(), "not JSON: error at byte " + std::to_string(position)).c_str());
  }

 private:
  std::uint32_t size() const { return static_cast<std::uint32_t>(tree.nodes.size()); }
  Node& node(std::uint32_t index) { return tree.nodes[index]; }
  std::string_view text(const Node& n) const { return std::string_view(tree.text).substr(n.begin, n.count); }

  // Of the value that comes next or is being read; with fewer levels, of what is around it.
  std::string path(std::size_t levels) const {
    std::string path;
    for (std::size_t i = 0; i < levels; ++i) {
      const Node& parent = tree.nodes[open_[i]];
      const bool inside = i + 1 < open_.size();  // of a value that has begun and so is counted
      if (parent.kind != Kind::object)
        path += "[" + std::to_string(parent.count - inside) + "]";
      else if (parent.count > 0)
        path = join(path, text(tree.nodes[inside ? open_[i + 1] - 1 : key_]));
    }
    return path;
  }
  std::string path() const { return path(open_.size()); }

  void append(Kind kind, std::string_view value) {
    const auto begin = static_cast<std::uint32_t>(tree.text.size());
    tree.text += value;
    tree.nodes.push_back({kind, static_cast<std::uint32_t>(value.size()), begin, size() + 1});
  }

  // The array or object around the next value has one more.
  void count() {
    if (open_.empty()) return;
    if (node(open_.back()).kind == Kind::numbers) spill();
    if (node(open_.back()).kind == Kind::array) ++node(open_.back()).count;
  }

  bool add(Kind kind, std::uint32_t count, std::uint32_t begin) {
    this->count();
    tree.nodes.push_back({kind, count, begin, size() + 1});
    return true;
  }

  bool add_text(Kind kind, std::string_view value) {
    count();
    append(kind, value);
    return true;
  }

  bool number(float value) {
    if (open_.empty() || node(open_.back()).kind != Kind::numbers)
      return add_text(Kind::number, last_number());
    tree.numbers.push_back(value);
    ++node(open_.back()).count;
    return true;
  }

  // As it is written; the parser may have read one character behind it.
  std::string_view last_number() const {
    const std::string_view text(tree.source, static_cast<std::size_t>(reached - tree.source));
    const std::size_t end = text.find_last_of("0123456789") + 1;
    const std::size_t begin = text.find_last_not_of("+-.0123456789eE", end - 1) + 1;
    return text.substr(begin, end - begin);
  }

  // The array has more than numbers: those that it has become nodes.
  void spill() {
    Node& array = node(open_.back());
    array.kind = Kind::array;
    for (std::uint32_t i = array.begin; i < tree.numbers.size(); ++i)
      append(Kind::number, number_text(tree.numbers[i]));
    tree.numbers.resize(array.begin);
  }

  bool open(Kind kind) {
    if (open_.size() == kMaxDepth)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is nested deeper than %zu", path().c_str(), kMaxDepth);
    add(kind, 0, 0);
    open_.push_back(size() - 1);
    return true;
  }

  bool close() {
    node(open_.back()).end = size();
    key_ = open_.back() - 1;
    open_.pop_back();
    return true;
  }

  // Of the object that ends here.
  void check_keys() {
    std::vector<std::string_view> keys;
    for (std::uint32_t i = open_.back() + 1; i < size(); i = node(i + 1).end) keys.push_back(text(node(i)));
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return;
    throw Error(RNN_BAD_FORMAT, "%s is there twice", join(path(open_.size() - 1), *twice).c_str());
  }

  std::vector<std::uint32_t> open_;  // arrays and objects, the innermost last
  std::uint32_t key_ = 0;            // the last one
};

// Python's numbers that are no JSON, in quotes; empty if there are none.
std::vector<char> quote_numbers(std::string_view text) {
  std::vector<char> out;
  if (text.find("NaN") == text.npos && text.find("Infinity") == text.npos) return out;
  out.reserve(text.size() + text.size() / 16);
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    if (!is_quoted)
      for (const std::string_view number : {"NaN", "Infinity", "-Infinity"})
        if (text.substr(i, number.size()) == number) length = number.size();
    const std::string_view piece = text.substr(i, length != 0 ? length : text[i] == '\\' ? 2 : 1);
    if (piece == "\"") is_quoted = !is_quoted;
    if (length != 0) out.push_back('"');
    out.insert(out.end(), piece.begin(), piece.end());
    if (length != 0) out.push_back('"');
    i += piece.size();
  }
  return out;
}

}  // namespace

Tree parse(const void* memory, std::size_t size) {
  if (size > kMaxSize)
    throw Error(RNN_UNSUPPORTED, "unsupported: the file has %zu bytes; JSON may have %zu", size, kMaxSize);
  std::string_view text(static_cast<const char*>(memory), size);
  // The parser would take a zero byte for the end.
  if (text.find('\0') != text.npos) throw Error(RNN_BAD_FORMAT, "not JSON: it contains a zero byte");
  if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
  std::vector<char> copy = quote_numbers(text);
  if (!copy.empty()) text = {copy.data(), copy.size()};
  Builder builder(text.data());
  nlohmann::json::sax_parse(Reader(text.data(), builder.reached),
                            Reader(text.data() + text.size(), builder.reached), &builder);
  builder.tree.copy = std::move(copy);
  return std::move(builder.tree);
}

void Value::refuse(const std::string& wanted) const {
  throw Error(RNN_BAD_FORMAT, "%s is %s; it must be %s", path_.empty() ? "the file" : path_.c_str(),
              describe().c_str(), wanted.c_str());
}

void Value::expect(Kind kind, const char* wanted) const {
  if (this->kind() != kind) refuse(wanted);
}

std::string Value::describe() const {
  switch (kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return node().count != 0 ? "true" : "false";
    case Kind::string:
      return quote(text(index_));
    case Kind::numbers:
      return node().count == 0 ? "an empty array"
                               : "an array of " + std::to_string(node().count) + " numbers";
    case Kind::array:
      return "an array of " + std::to_string(node().count);
    case Kind::object:
      return "an object";
    default:
      return std::string(text(index_).substr(0, 60));
  }
}

std::string_view Value::string() const {
  expect(Kind::string, "a string");
  return text(index_);
}

bool Value::boolean() const {
  expect(Kind::boolean, "true or false");
  return node().count != 0;
}

std::int32_t Value::integer(std::int32_t least, std::int32_t most) const {
  const std::string wanted = "an integer, " + std::to_string(least) + ".." + std::to_string(most);
  expect(Kind::number, wanted.c_str());
  const std::string_view digits = text(index_);
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = end == digits.data() + digits.size();
  if (whole && digits[0] != '-' && (value > most || error == std::errc::result_out_of_range))
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; it must be %s", path_.c_str(), describe().c_str(),
                wanted.c_str());
  if (error != std::errc() || !whole || value < least) refuse(wanted);
  return value;
}

double Value::number() const {
  expect(Kind::number, "a number");
  double value = 0;
  if (!formats::read_number(text(index_), value)) refuse("a number that can be held");
  return value;
}

Value Value::member(std::uint32_t key) const { return Value(*tree_, key + 1, join(path_, text(key))); }

std::optional<Value> Value::find(std::string_view key) const {
  expect(Kind::object, "an object");
  for (std::uint32_t i = index_ + 1; i < node().end; i = tree_->nodes[i + 1].end)
    if (text(i) == key && tree_->nodes[i + 1].kind != Kind::null) return member(i);
  return std::nullopt;
}

Value Value::at(std::string_view key) const {
  const std::optional<Value> found = find(key);
  if (!found) throw Error(RNN_BAD_FORMAT, "%s is missing", join(path_, key).c_str());
  return *found;
}

std::size_t Value::size() const {
  if (kind() != Kind::numbers) expect(Kind::array, "an array");
  return node().count;
}

Value Value::element(std::size_t index) const {
  std::optional<Value> found;
  each([&](std::size_t i, const Value& value) {
    if (i == index) found = value;
  });
  if (!found) refuse("an array of " + std::to_string(index + 1) + " or more");
  return *found;
}

std::int32_t Value::last_integer(std::int32_t least, std::int32_t most) const {
  if (size() == 0) refuse("an array of 1 or more");
  if (kind() == Kind::array) return element(size() - 1).integer(least, most);
  const auto value = static_cast<double>(tree_->numbers[node().begin + node().count - 1]);
  if (value != std::floor(value) || value < least || value > most)
    throw Error(value > most ? RNN_UNSUPPORTED : RNN_BAD_FORMAT,
                "%s%s[%zu] is %.10g; it must be an integer, %d..%d", value > most ? "unsupported: " : "",
                path_.c_str(), size() - 1, value, least, most);
  return static_cast<std::int32_t>(value);
}

std::vector<float> Value::vector(std::size_t count) const {
  if (kind() != Kind::numbers) refuse("an array of " + std::to_string(count) + " numbers");
  if (node().count != count)
    throw Error(RNN_BAD_FORMAT, "%s has %u values; it must be %zu", path_.c_str(), node().count, count);
  const auto begin = tree_->numbers.begin() + node().begin, end = begin + node().count;
  const auto large = std::find_if_not(begin, end, [](float value) { return std::isfinite(value); });
  if (large != end)
    throw Error(RNN_BAD_FORMAT, "%s[%td] is a number that no float can hold", path_.c_str(), large - begin);
  return std::vector<float>(begin, end);
}

std::vector<float> Value::matrix(std::size_t rows, std::size_t columns) const {
  if (size() != rows || (kind() == Kind::numbers && rows != 0))
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be %zu rows of %zu", path_.c_str(), describe().c_str(),
                rows, columns);
  std::vector<float> values;  // grows with what is there
  each([&](std::size_t, const Value& row) {
    const std::vector<float> numbers = row.vector(columns);
    values.insert(values.end(), numbers.begin(), numbers.end());
  });
  return values;
}

std::vector<std::uint64_t> Value::shape() const {
  if (kind() == Kind::numbers) return {node().count};
  if (kind() != Kind::array) refuse("an array of numbers");
  std::vector<std::uint64_t> first;
  each([&](std::size_t i, const Value& value) {
    const std::vector<std::uint64_t> shape = value.shape();
    if (i == 0) first = shape;
    if (shape != first)
      throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be %s as %s[0]", value.path().c_str(),
                  formats::to_string(shape).c_str(), formats::to_string(first).c_str(), path_.c_str());
  });
  first.insert(first.begin(), node().count);
  return first;
}

std::size_t Value::first_number() const noexcept {
  std::uint32_t i = index_;
  while (tree_->nodes[i].kind == Kind::array) ++i;
  return tree_->nodes[i].begin;
}

std::string Value::as_text() const {
  switch (kind()) {
    case Kind::string:
    case Kind::number:
      return std::string(text(index_));
    case Kind::object:
      return compact(tree_->source + node().begin);
    default:
      return describe();
  }
}

}  // namespace rnn::json

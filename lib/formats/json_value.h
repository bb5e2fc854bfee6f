// JSON as a tree that takes a small multiple of its text, whoever wrote it: arrays of numbers are kept as
// floats, all else in nodes of 16 bytes. Refused, as an Error(RNN_BAD_FORMAT) that says where: a key that
// comes twice, nesting deeper than 32, and what is not JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rnn::json {

enum class Kind : std::uint8_t { null, boolean, number, string, numbers, array, object, key };

struct Node {
  Kind kind;
  std::uint32_t count;  // of elements or members; boolean: 0 or 1; number, string, key: bytes of the text
  std::uint32_t begin;  // numbers: index of the first; object: in the source; number, string, key: in text
  std::uint32_t end;    // index of the node after this value and all that is in it
};

// In an object each value has a node with its key before it. An array of numbers alone is `numbers`, and so
// is an empty one; what no float can hold is infinite.
struct Tree {
  std::deque<Node> nodes;
  std::vector<float> numbers;
  std::string text;
  const char* source = nullptr;
  std::vector<char> copy;  // of a text with such numbers: the source
};

constexpr std::string_view kMark = "\xef\xbb\xbf";  // of the byte order, which may stand before the text

// The tree refers to the memory. NaN, Infinity and -Infinity, which Python writes, are read as strings.
Tree parse(const void* memory, std::size_t size);

// A value in a tree, which outlives it, and where it stands: what is not as asked for is refused by that
// name.
class Value {
 public:
  explicit Value(const Tree& tree) : Value(tree, 0, "") {}  // the root

  Kind kind() const noexcept { return node().kind; }
  bool is_null() const noexcept { return kind() == Kind::null; }
  const std::string& path() const noexcept { return path_; }  // "layers[1].weights"
  std::string describe() const;                               // what it is, for messages: "an array of 3"

  std::string_view string() const;
  bool boolean() const;
  std::int32_t integer(std::int32_t least, std::int32_t most) const;
  double number() const;

  // ---- Objects ----
  std::optional<Value> find(std::string_view key) const;  // null counts as absent
  Value at(std::string_view key) const;

  template <class F>
  void each_member(const F& f) const {  // f(std::string_view key, const Value&)
    expect(Kind::object, "an object");
    for (std::uint32_t i = index_ + 1; i < node().end; i = tree_->nodes[i + 1].end) f(text(i), member(i));
  }

  // ---- Arrays ----
  std::size_t size() const;
  Value element(std::size_t index) const;  // not of numbers; walks to it
  std::int32_t last_integer(std::int32_t least, std::int32_t most) const;
  std::vector<float> vector(std::size_t count) const;                      // finite
  std::vector<float> matrix(std::size_t rows, std::size_t columns) const;  // [rows, columns]

  // Of nested arrays of numbers that are alike, such as [rows, columns], and which of the tree's numbers is
  // the first of theirs, row-major.
  std::vector<std::uint64_t> shape() const;
  std::size_t first_number() const noexcept;

  template <class F>
  void each(const F& f) const {  // f(std::size_t index, const Value&); not of numbers
    expect(Kind::array, "an array of arrays or objects");
    std::size_t element = 0;
    for (std::uint32_t i = index_ + 1; i < node().end; i = tree_->nodes[i].end, ++element)
      f(element, Value(*tree_, i, path_ + "[" + std::to_string(element) + "]"));
  }

  // A string's text; a number as it is written; an object, too, but without blanks; not of arrays.
  std::string as_text() const;

 private:
  Value(const Tree& tree, std::uint32_t index, std::string path)
      : tree_(&tree), index_(index), path_(std::move(path)) {}

  const Node& node() const noexcept { return tree_->nodes[index_]; }
  std::string_view text(std::uint32_t index) const noexcept {
    return std::string_view(tree_->text).substr(tree_->nodes[index].begin, tree_->nodes[index].count);
  }
  Value member(std::uint32_t key) const;
  void expect(Kind kind, const char* wanted) const;
  [[noreturn]] void refuse(const std::string& wanted) const;

  const Tree* tree_;
  std::uint32_t index_;
  std::string path_;
};

}  // namespace rnn::json

// What a file of a network holds, whatever its container is: metadata and tensors, by name. Whoever wrote the
// file, reading it is safe: each refusal is an Error(RNN_BAD_FORMAT) that names the field, what was found and
// what it must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/source.h"
#include "lib/network/error.h"
#include "lib/network/text.h"
#include "rnn/rnn.h"

namespace rnn::formats {

// Numbered as in binary files. What is of another type can only be passed over: its elements are its bytes.
enum class Type : std::uint32_t { other = 0, f64 = 1, f32 = 2, f16 = 3, bf16 = 4, u64 = 5, i64 = 6 };

const char* type_name(Type type) noexcept;  // as in safetensors files: "F32"
std::size_t type_size(Type type) noexcept;
std::optional<Type> find_type(std::string_view name) noexcept;
std::optional<Type> find_type(std::uint32_t number) noexcept;

using Shape = std::vector<std::uint64_t>;

using rnn::quote;  // names and values in files may be anything

// "[2, 3]"
std::string to_string(const Shape& shape);

constexpr std::size_t kMaxRank = 32;        // what is refused shall not cost much memory
constexpr std::size_t kDataAlignment = 64;  // of the tensors' data, where we write the file

struct Tensor {
  std::string name;
  Type type;
  Shape shape;
  std::size_t count;                          // the product of shape
  const Source* source;                       // of the values
  std::size_t offset;                         // where they begin there; bytes() long, checked
  std::string other = {};                     // of another type: its name
  std::optional<Error> fault = std::nullopt;  // why there are no values: thrown at whoever needs them

  std::size_t bytes() const noexcept { return count * type_size(type); }
  std::string dtype() const { return type == Type::other ? quote(other) : type_name(type); }
  bool has_floats() const noexcept;
  // Throw Error(RNN_FILE_ERROR) where the source does.
  void read(float* out) const;          // [count]  any floating-point type, rounded where it is wider
  void read(std::uint64_t* out) const;  // [count]  U64 alone
  void read(std::int64_t* out) const;   // [count]  I64 alone
};

// What a file holds, by name. The tensors' values stay in the source, which outlives this, or in its own.
struct Contents {
  std::map<std::string, std::string, std::less<>> metadata;
  std::map<std::string, Tensor, std::less<>> tensors;
  std::shared_ptr<const void> own;  // sources of values that do not stand in the file as they are
  // The tensors' names as they stand in the file; empty: it does not keep the order in which a program gave them.
  std::vector<std::string> order;
  bool is_ordered = false;  // the order says which of several recurrent modules reads which
  std::int32_t skip = 0;    // rnn_config_t.skip of a state dict, which its tensors do not say
  // Throws where the file says something else of a state dict's network than the tensors do; may be empty.
  std::function<void(const rnn_config_t&)> check;

  const std::string* find_metadata(std::string_view key) const;  // or null
  const Tensor* find(std::string_view name) const;               // or null
};

// The number of elements of a shape, after a check that neither it nor the bytes are too many.
std::size_t checked_count(const std::string& name, Type type, const Shape& shape);

// Collects what a file is to hold. Equal contents, added in the same order, give equal bytes.
class Writer {
 public:
  using Fill = std::function<void(unsigned char* out)>;
  struct Entry {
    std::string name;
    Type type;
    Shape shape;
    std::size_t bytes;
    Fill fill;  // writes the values when the file is written; throws nothing
  };

  void metadata(std::string key, std::string value);
  void add(std::string name, Type type, Shape shape, Fill fill);

  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept { return metadata_; }
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Entry> entries_;  // the widest type first, so that all values are aligned
};

}  // namespace rnn::formats

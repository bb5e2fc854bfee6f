// The safetensors container: an 8-byte little-endian length, a JSON header of that length, then the tensors'
// values, little-endian and row-major, without gaps. Whoever wrote the file, reading it is safe: each refusal
// is an Error(RNN_BAD_FORMAT) that names the field, what was found and what it must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rnn::safetensors {

enum class Type { f64, f32, f16, bf16, u64 };

// As in files: "F32".
const char* type_name(Type type) noexcept;

struct Tensor {
  std::string name;
  Type type;
  std::vector<std::uint64_t> shape;
  std::size_t count;          // the product of shape
  const unsigned char* data;  // not aligned

  void read(float* out) const;          // [count]  any floating-point type, rounded where it is wider
  void read(std::uint64_t* out) const;  // [count]  U64 alone
};

// What a file holds, by name. The tensors' data stay in the memory that was given.
struct Contents {
  std::map<std::string, std::string, std::less<>> metadata;
  std::map<std::string, Tensor, std::less<>> tensors;
};

Contents read(const void* memory, std::size_t size);

// Collects what a file is to hold. Equal contents, added in the same order, give equal bytes.
class Writer {
 public:
  using Fill = std::function<void(unsigned char* out)>;

  void metadata(std::string key, std::string value);
  // fill writes the values when the file is written.
  void add(std::string name, Type type, std::vector<std::uint64_t> shape, Fill fill);

  std::size_t size() const;        // bytes of the file
  void write(void* memory) const;  // [size()] bytes

 private:
  struct Entry {
    std::string name;
    Type type;
    std::vector<std::uint64_t> shape;
    std::size_t bytes;
    Fill fill;
  };

  std::string header() const;  // with the length before it

  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Entry> entries_;  // the widest type first, so that all values are aligned
};

// `text` in quotes, short and printable: names and values in files may be anything.
std::string quote(std::string_view text);

// "[2, 3]"
std::string to_string(const std::vector<std::uint64_t>& shape);

}  // namespace rnn::safetensors

// Python's pickles, as far as state dicts of PyTorch need them. A pickle is a program that may call any
// function of Python; here it runs none. Known are the opcodes that build plain values, and by name the few
// classes and functions that torch.save puts into a state dict, which become values of their own kinds. All
// else is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rnn::formats {

class Pickle {
 public:
  // The place of a value in `values`. Values refer to each other, also in circles.
  using Ref = std::uint32_t;

  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    sequence,    // a tuple or a list
    dictionary,  // items: key, value, key, value, ...
    global,      // a class or function, by its place in the list of those that are known
    storage,     // items: its class, a global; text: its key
    tensor       // items: storage, offset, size, stride
  };

  struct Value {
    Kind kind = Kind::none;
    std::int64_t integer = 0;  // of a boolean or a global, too
    double real = 0;
    std::string_view text = {};  // in the memory that was given
    std::vector<Ref> items = {};
  };

  // Throws Error(RNN_BAD_FORMAT) for what is no pickle, Error(RNN_UNSUPPORTED) for what is not known here.
  Pickle(const void* memory, std::size_t size);

  const Value& operator[](Ref ref) const noexcept { return values_[ref]; }
  Ref root() const noexcept { return root_; }

  // "torch.FloatStorage"
  static std::string_view global_name(const Value& global) noexcept;

 private:
  class Machine;

  std::vector<Value> values_;
  Ref root_ = 0;
};

}  // namespace rnn::formats

// What the fuzzer of the C ABI is made of: random choices, memory that can run out, and a simple model of
// handles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "rnn/rnn.h"
#include "tests/reference/lists.h"
#include "tests/reference/reference.h"

namespace fuzz {

using Floats = std::vector<float>;

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws a Failure with the condition and where it stands.
[[noreturn]] void fail(const char* condition, const char* file, int line);
#define REQUIRE(condition) ((condition) ? void() : ::fuzz::fail(#condition, __FILE__, __LINE__))

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();  // splitmix64
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }
  bool once_in(std::size_t n) { return below(n) == 0; }
  std::int32_t within(std::int32_t first, std::int32_t last) {
    return first + static_cast<std::int32_t>(below(static_cast<std::size_t>(last - first) + 1));
  }
  float real() { return static_cast<float>(static_cast<std::int32_t>(bits() >> 40) - (1 << 23)) / (1 << 23); }
  Floats reals(std::size_t n);  // each -1..1
  std::vector<std::int32_t> indices(std::size_t n, std::int32_t limit);

 private:
  std::uint64_t state_;
};

// The allocator of all networks. Any thread may use it, while one at a time lets it fail.
struct Heap {
  static const rnn_allocator_t* functions();
  static void fail_after(long allocations);  // -1: never
  static bool failed();                      // since then
  static std::size_t blocks();               // that are out
};

// The caller's floating-point mode during a call: one of the rounding directions, with subnormal numbers or
// without.
class Mode {
 public:
  explicit Mode(std::size_t number);  // 0: the default mode, others 1..7
  ~Mode();                            // back to the default; says so if the call changed it
  static const char* name(std::size_t number);

 private:
  std::size_t number_;
};

// The weights that streams share: what the library says of them.
struct Weights {
  rnn_config_t config;  // with layers that live as long as the program
  std::vector<std::string> names;
  std::vector<Floats> parameters;
  std::map<std::string, std::string> texts;
  bool of_trainer = false;  // which may share them, or not
};

struct Stream {
  rnn_t* handle = nullptr;
  std::shared_ptr<Weights> weights;
  Floats state;
  float delay = 1;
  std::size_t history = 0;
  std::vector<Floats> past;  // the states to go back to, the oldest first

  const rnn_config_t& config() const { return weights->config; }
  bool can_step() const { return rnn::reference::can_step(config()); }
  std::size_t inputs() const { return static_cast<std::size_t>(config().input_size); }
  std::size_t outputs() const { return rnn::reference::architecture(config()).output_size(); }
  bool reads_vectors() const { return config().embedding_size == 0; }
  // It has stepped: these are the states before each step since the last reset, and that after them.
  void advance(std::vector<Floats> before, Floats after);
  void restart(Floats given) { state = std::move(given), past.clear(); }
};

Weights read_weights(const rnn_t* rnn);
Floats read_state(const rnn_t* rnn);
bool same_bits(const Floats& a, const Floats& b);
bool same_weights(const Weights& a, const Weights& b);  // but for the number type
bool share_weights(const rnn_t* a, const rnn_t* b);
bool same_architecture(const rnn_config_t& a, const rnn_config_t& b);
bool is_utf8(const std::string& text);

// Sequences with what they point to.
struct Data {
  std::vector<std::size_t> lengths;
  Floats inputs, targets, weights;
  std::vector<std::int32_t> indices, classes;
  std::vector<std::uint8_t> resets;
  std::int32_t pooling = 0;

  std::size_t frames() const;
  std::size_t rows() const { return pooling != 0 ? lengths.size() : frames(); }  // of outputs and targets
  rnn_sequences_t get() const;
};

// What a test fills outputs with, to see which calls wrote to them.
constexpr float kUntouched = 42.0f;

inline bool all_untouched(const Floats& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return v == kUntouched; });
}

inline rnn_t* clone(const rnn_t* rnn) {
  rnn_t* out = nullptr;
  REQUIRE(rnn_clone(rnn, &out) == RNN_OK);
  return out;
}

struct Owned {
  explicit Owned(rnn_t* given) : handle(given) {}
  ~Owned() { rnn_destroy(handle); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  rnn_t* handle;
};

}  // namespace fuzz

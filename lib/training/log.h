// The bytes of a trainer's log, the same on every CPU; see rnn_log_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

// Hands numbers on as bytes, little-endian, some thousand at a time; the last ones with flush().
class LogBytes {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T> && (sizeof value == 1 || sizeof value == 4 || sizeof value == 8));
    if (size_ + sizeof value > sizeof buffer_) flush();
    std::uint64_t bits = 0;
    if constexpr (std::is_floating_point_v<T>)
      bits = bits_of(value);
    else
      bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof value; ++i)
      buffer_[size_++] = static_cast<unsigned char>(bits >> (8 * i));
  }
  template <class T>
  void numbers(const T* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) number(values[i]);
  }
  // Those of parameters, laid out as Weights::values, without padding.
  void parameters(const Weights& weights, const float* values);
  void flush();

 protected:
  ~LogBytes() = default;

 private:
  virtual void take(const unsigned char* bytes, std::size_t size) = 0;

  static std::uint64_t bits_of(float value) noexcept;
  static std::uint64_t bits_of(double value) noexcept;

  std::size_t size_ = 0;
  unsigned char buffer_[4096];
};

// Part RNN_LOG_OPTIONS. options: resolved, with the caller's groups and class weights.
std::vector<unsigned char> log_options(const Weights& weights, const rnn_train_options_t& options);

}  // namespace rnn

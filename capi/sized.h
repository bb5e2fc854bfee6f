// Structs that begin with struct_size, from callers with an older or a newer rnn.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "capi/guard.h"
#include "lib/network/error.h"
#include "lib/network/memory.h"
#include "rnn/rnn.h"

namespace rnn::capi {

// The size of each struct when it was first released, which every later library must accept, where pointers have
// 64 bits. Numbers, since sizeof grows with the struct.
template <class T>
constexpr std::size_t kMinimumSize = 0;
template <>
inline constexpr std::size_t kMinimumSize<rnn_allocator_t> = 32;
template <>
inline constexpr std::size_t kMinimumSize<rnn_config_t> = 72;
template <>
inline constexpr std::size_t kMinimumSize<rnn_layer_t> = 48;
template <>
inline constexpr std::size_t kMinimumSize<rnn_parameter_t> = 32;
template <>
inline constexpr std::size_t kMinimumSize<rnn_sequences_t> = 88;
template <>
inline constexpr std::size_t kMinimumSize<rnn_forward_options_t> = 40;
template <>
inline constexpr std::size_t kMinimumSize<rnn_generate_options_t> = 56;
template <>
inline constexpr std::size_t kMinimumSize<rnn_progress_t> = 72;
template <>
inline constexpr std::size_t kMinimumSize<rnn_train_options_t> = 136;
template <>
inline constexpr std::size_t kMinimumSize<rnn_parameter_group_t> = 32;
template <>
inline constexpr std::size_t kMinimumSize<rnn_collective_t> = 48;
template <>
inline constexpr std::size_t kMinimumSize<rnn_log_t> = 40;
template <>
inline constexpr std::size_t kMinimumSize<rnn_evaluation_t> = 32;
template <>
inline constexpr std::size_t kMinimumSize<rnn_dropout_rates_t> = 24;
template <>
inline constexpr std::size_t kMinimumSize<rnn_save_options_t> = 48;
template <>
inline constexpr std::size_t kMinimumSize<rnn_load_options_t> = 40;

// Where pointers are smaller, a struct has at least as large a part of that size.
template <class T>
constexpr std::size_t minimum_size() noexcept {
  return kMinimumSize<T> * sizeof(void*) / 8;
}

// Larger than any struct will be: a struct_size beyond it was never set.
constexpr std::size_t kMaximumSize = 65536;

template <class T>
bool valid_size(const T* given) noexcept {
  static_assert(minimum_size<T>() != 0 && minimum_size<T>() <= sizeof(T));
  return given->struct_size >= minimum_size<T>() && given->struct_size <= kMaximumSize;
}

constexpr char kSizeMessage[] = "%s.struct_size is %zu; it must be %zu..%zu, the sizeof the struct";

// given: not null. Throws Error(RNN_INVALID_ARGUMENT).
template <class T>
void check_size(const T* given, const char* name) {
  if (!valid_size(given))
    throw Error(RNN_INVALID_ARGUMENT, kSizeMessage, name, given->struct_size, minimum_size<T>(),
                kMaximumSize);
}

// For real-time functions: RNN_OK, or a failure with its message set.
template <class T>
rnn_status_t check_out(const char* function, const T* out, const char* name) noexcept {
  if (out == nullptr) return fail(function, RNN_INVALID_ARGUMENT, "%s is NULL", name);
  if (valid_size(out)) return RNN_OK;
  return fail(function, RNN_INVALID_ARGUMENT, kSizeMessage, name, out->struct_size, minimum_size<T>(),
              kMaximumSize);
}

// A complete struct, with zeros for what an older caller lacks. Throws Error(RNN_INVALID_ARGUMENT).
template <class T>
T read_sized(const T* given, const char* name) {
  if (given == nullptr) throw Error(RNN_INVALID_ARGUMENT, "%s is NULL", name);
  check_size(given, name);
  const std::size_t size = given->struct_size;
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0)
      throw Error(
          RNN_INVALID_ARGUMENT,
          "%s has the value %d at byte %zu; this version of the library knows %zu bytes, and those beyond "
          "must be 0",
          name, bytes[i], i, sizeof(T));
  T result = {};
  std::memcpy(&result, bytes, std::min(size, sizeof(T)));
  result.struct_size = sizeof(T);
  return result;
}

// The same where NULL means all defaults.
template <class T>
T read_options(const T* given, const char* name) {
  if (given != nullptr) return read_sized(given, name);
  T result = {};
  result.struct_size = sizeof(T);
  return result;
}

// An array, whose elements are as far apart as the first one is large, whatever the caller's rnn.h makes of
// that.
template <class T>
Buffer<T> read_sized_array(const Allocator& allocator, const T* given, std::size_t count, const char* name) {
  Buffer<T> result(allocator, count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string element = name + ("[" + std::to_string(i) + "]");
    const T* at =
        reinterpret_cast<const T*>(reinterpret_cast<const unsigned char*>(given) + i * given->struct_size);
    result[i] = read_sized(at, element.c_str());
    if (at->struct_size != given->struct_size)
      throw Error(RNN_INVALID_ARGUMENT,
                  "%s.struct_size is %zu, and that of [0] is %zu; they must be the same", element.c_str(),
                  at->struct_size, given->struct_size);
  }
  return result;
}

// As much of value as the caller's struct has; its struct_size, which is valid, stays.
template <class T>
void write_sized(T value, T* out) noexcept {
  value.struct_size = out->struct_size;
  std::memcpy(static_cast<void*>(out), &value, std::min(value.struct_size, sizeof(T)));
}

}  // namespace rnn::capi

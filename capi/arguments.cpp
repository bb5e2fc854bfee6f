#include "capi/arguments.h"

#include <cstring>

#include "capi/sized.h"
#include "lib/network/error.h"
#include "lib/network/text.h"

namespace rnn::capi {

void check_pointer(const void* pointer, const char* name) {
  if (pointer == nullptr) throw Error(RNN_INVALID_ARGUMENT, "%s is NULL", name);
}

void check_flag(std::int32_t value, const char* name) {
  if (value != 0 && value != 1) throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be 0 or 1", name, value);
}

void check_pooling(std::int32_t value, const char* name) {
  if (value < RNN_POOLING_NONE || value > RNN_POOLING_MAX)
    throw Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be %d..%d", name, value, RNN_POOLING_NONE,
                RNN_POOLING_MAX);
}

rnn_status_t refuse_vectors(const char* function, const Weights& weights) noexcept {
  if (weights.has_reverse()) return fail(function, RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
  return fail(function, RNN_INVALID_ARGUMENT,
              "the network has an embedding of %zu indices and reads no vectors; give indices",
              weights.input_size());
}

std::size_t find_not_finite(const float* values, std::size_t count) noexcept {
  constexpr std::uint32_t exponent = 0x7f800000;
  std::size_t i = 0;
  for (; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    if ((bits & exponent) == exponent) break;
  }
  return i;
}

Allocator read_allocator(const rnn_allocator_t* given, const char* name) {
  if (given == nullptr) return Allocator();
  const rnn_allocator_t functions = read_sized(given, name);
  if (functions.allocate == nullptr) throw Error(RNN_INVALID_ARGUMENT, "%s.allocate is NULL", name);
  if (functions.deallocate == nullptr) throw Error(RNN_INVALID_ARGUMENT, "%s.deallocate is NULL", name);
  return Allocator(functions);
}

const Parameter& find_parameter(const Weights& weights, const char* name, std::size_t count) {
  const Parameter* parameter = weights.find(name);
  if (parameter == nullptr)
    throw Error(RNN_NOT_FOUND, "no parameter is named %s; this network has %zu, from %s to %s",
                quote(name).c_str(), weights.parameter_count(), weights.parameter(0).name,
                weights.parameter(weights.parameter_count() - 1).name);
  if (count != parameter->count())
    throw Error(RNN_INVALID_ARGUMENT, "count is %zu; %s is [%zu, %zu], %zu values", count, parameter->name,
                parameter->rows, parameter->columns, parameter->count());
  return *parameter;
}

}  // namespace rnn::capi

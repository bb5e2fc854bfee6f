// What the bodies ask of their arguments. Each check throws Error where it does not say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn::capi {

void check_pointer(const void* pointer, const char* name);
void check_flag(std::int32_t value, const char* name);     // 0 or 1
void check_pooling(std::int32_t value, const char* name);  // RNN_POOLING_...

// A bidirectional network has no next step.
constexpr char kBidirectionalMessage[] =
    "the network has a reverse direction and reads whole sequences; use rnn_forward, without stateful";

// Whether steps may read vectors, and the failure if they may not. Neither throws.
inline bool reads_vectors(const Weights& weights) noexcept {
  return !weights.has_reverse() && !weights.has_embedding();
}
rnn_status_t refuse_vectors(const char* function, const Weights& weights) noexcept;

// The position of the first value that is not finite; count if there is none. Does not throw, and looks at bits
// alone, so that it may run where the caller traps.
std::size_t find_not_finite(const float* values, std::size_t count) noexcept;

// The allocation functions to use; NULL: the C++ runtime's.
Allocator read_allocator(const rnn_allocator_t* given, const char* name);

// The parameter of that name, whose size must be count; Error(RNN_NOT_FOUND) if there is none.
const Parameter& find_parameter(const Weights& weights, const char* name, std::size_t count);

// True if two ranges of bytes share one. Does not throw.
inline bool overlap(const void* a, std::size_t a_size, const void* b, std::size_t b_size) noexcept {
  const auto p = reinterpret_cast<std::uintptr_t>(a);
  const auto q = reinterpret_cast<std::uintptr_t>(b);
  return p < q ? q - p < a_size : p - q < b_size;
}

}  // namespace rnn::capi

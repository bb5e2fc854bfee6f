// How a body runs: in the library's own floating-point environment, and to a status and, if it failed, this
// thread's message.
#pragma once

#include <type_traits>

#include "lib/kernels/float_mode.h"
#include "rnn/rnn.h"

namespace rnn::capi {

// Set this thread's message to "function: message" and return the status. For messages of less than 1024 bytes.
[[gnu::format(printf, 3, 4)]] rnn_status_t fail(const char* function, rnn_status_t status, const char* format,
                                                ...) noexcept;
// The same with a message of any bytes and length, which are made fit to be shown; see show().
rnn_status_t fail_with(const char* function, rnn_status_t status, const char* text) noexcept;

// Out of line, so that nothing of a body is computed before the environment is set or after it is given back.
rnn_status_t run(const char* function, void (*body)(const void* object, kernels::FloatEnvironment&),
                 const void* object) noexcept;

// Run a body that may throw anything, also what a caller's allocation or progress function throws. Success
// touches nothing of the thread's. A body that calls functions of the caller's may ask for the environment.
template <class Body>
rnn_status_t guard(const char* function, const Body& body) noexcept {
  const auto call = [](const void* object, kernels::FloatEnvironment& environment) {
    const Body& self = *static_cast<const Body*>(object);
    if constexpr (std::is_invocable_v<const Body&, kernels::FloatEnvironment&>)
      self(environment);
    else
      self();
  };
  return run(function, call, &body);
}

}  // namespace rnn::capi

// How a body ends: with a status and, if it failed, this thread's message.
#pragma once

#include <exception>
#include <new>

#include "lib/network/error.h"
#include "rnn/rnn.h"

namespace rnn::capi {

// Set this thread's message to "function: message" and return the status. For messages of less than 1024 bytes.
[[gnu::format(printf, 3, 4)]] rnn_status_t fail(const char* function, rnn_status_t status, const char* format,
                                                ...) noexcept;
// The same with a message of any bytes and length, which are made fit to be shown; see show().
rnn_status_t fail_with(const char* function, rnn_status_t status, const char* text) noexcept;

// Run a body that may throw anything, also what a caller's allocation or progress function throws. Success
// touches nothing of the thread's.
template <class Body>
rnn_status_t guard(const char* function, const Body& body) noexcept {
  try {
    body();
    return RNN_OK;
  } catch (const Error& error) {
    return fail_with(function, error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(function, RNN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(function, RNN_INTERNAL, "unexpected exception: %s", error.what());
  } catch (...) {
    return fail(function, RNN_INTERNAL, "unexpected exception");
  }
}

}  // namespace rnn::capi

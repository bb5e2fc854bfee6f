#include <cstdarg>
#include <cstddef>
#include <cstdio>

#include "capi/guard.h"
#include "lib/network/text.h"
#include "rnn/rnn.h"

namespace {

// Of fixed size, so that reporting a failure cannot fail.
constexpr std::size_t kMessageSize = 1024;
thread_local char last_message[kMessageSize];

}  // namespace

namespace rnn::capi {

rnn_status_t fail(const char* function, rnn_status_t status, const char* format, ...) noexcept {
  char text[kMessageSize];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return fail_with(function, status, text);
}

rnn_status_t fail_with(const char* function, rnn_status_t status, const char* text) noexcept {
  const int prefix = std::snprintf(last_message, kMessageSize, "%s: ", function);
  show(text, last_message + prefix, kMessageSize - static_cast<std::size_t>(prefix));
  return status;
}

}  // namespace rnn::capi

const char* rnn_last_error(void) { return last_message; }

const char* rnn_status_string(rnn_status_t status) {
  switch (status) {
    case RNN_OK:
      return "RNN_OK";
    case RNN_INVALID_ARGUMENT:
      return "RNN_INVALID_ARGUMENT";
    case RNN_NOT_FOUND:
      return "RNN_NOT_FOUND";
    case RNN_UNAVAILABLE:
      return "RNN_UNAVAILABLE";
    case RNN_MISMATCH:
      return "RNN_MISMATCH";
    case RNN_NOT_FINITE:
      return "RNN_NOT_FINITE";
    case RNN_OUT_OF_MEMORY:
      return "RNN_OUT_OF_MEMORY";
    case RNN_FILE_ERROR:
      return "RNN_FILE_ERROR";
    case RNN_BAD_FORMAT:
      return "RNN_BAD_FORMAT";
    case RNN_UNSUPPORTED:
      return "RNN_UNSUPPORTED";
    case RNN_INTERNAL:
      return "RNN_INTERNAL";
    default:
      return "unknown status";
  }
}

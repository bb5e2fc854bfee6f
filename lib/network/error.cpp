#include "lib/network/error.h"

#include <cstdarg>
#include <cstdio>

namespace rnn {

Error::Error(rnn_status_t status, const char* format, ...) : status_(status) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  if (length > 0) {
    message_.resize(static_cast<std::size_t>(length));
    std::vsnprintf(message_.data(), message_.size() + 1, format, again);
  }
  va_end(again);
}

}  // namespace rnn

// The exception of the library's core; capi turns it into a status and a message.
#pragma once

#include <exception>
#include <string>

#include "rnn/rnn.h"

namespace rnn {

class Error : public std::exception {
 public:
  // printf-style; the message says what was wrong, the value given and the values allowed.
  [[gnu::format(printf, 3, 4)]] Error(rnn_status_t status, const char* format, ...);

  rnn_status_t status() const noexcept { return status_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  rnn_status_t status_;
  std::string message_;
};

}  // namespace rnn

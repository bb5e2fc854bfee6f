// What reading and writing files share: an open file, and what the operating system says of a failure.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "lib/network/error.h"

namespace rnn {

// Some systems refuse a single transfer of 2 GiB and more.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

[[noreturn]] inline void fail(const char* action, const std::string& path, int code) {
  // Unlike strerror, this may be called by any number of threads.
  const std::string reason = std::generic_category().message(code);
  throw Error(RNN_FILE_ERROR, "cannot %s %s: %s", action, path.c_str(), reason.c_str());
}

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  bool open(const std::string& path, int flags) noexcept { return open_at(AT_FDCWD, path, flags, 0); }
  bool open_at(int folder, const std::string& name, int flags, mode_t mode) noexcept {
    close();
    do value_ = ::openat(folder, name.c_str(), flags | O_CLOEXEC, mode);
    while (value_ < 0 && errno == EINTR);
    return value_ >= 0;
  }
  // Not again after an error: on Linux the descriptor is gone, and its number may be another thread's.
  void close() noexcept {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }
  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_ = -1;
};

}  // namespace rnn

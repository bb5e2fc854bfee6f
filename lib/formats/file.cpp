#include "lib/formats/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "lib/network/error.h"

namespace rnn {
namespace {

// Some systems refuse a single transfer of 2 GiB and more.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

[[noreturn]] void fail(const char* action, const std::string& path, int code) {
  // Unlike strerror, this may be called by any number of threads.
  const std::string reason = std::generic_category().message(code);
  throw Error(RNN_FILE_ERROR, "cannot %s %s: %s", action, path.c_str(), reason.c_str());
}

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }

  bool open(const std::string& path, int flags, mode_t mode = 0) noexcept {
    do value_ = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (value_ < 0 && errno == EINTR);
    return value_ >= 0;
  }
  // After EINTR the descriptor is gone on Linux: closing again could hit another thread's file.
  bool close() noexcept { return ::close(std::exchange(value_, -1)) == 0 || errno == EINTR; }
  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_ = -1;
};

// Ends with a slash, or is empty.
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

// What a path names in the end; the last part need not exist. The system follows the links in folders.
std::string follow_links(std::string path) {
  for (int links = 0; links < 40; ++links) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) return path;  // no link; what else may be wrong shows when the file is written
    if (static_cast<std::size_t>(length) == sizeof target) fail("write", path, ENAMETOOLONG);
    const std::string name(target, static_cast<std::size_t>(length));
    path = name[0] == '/' ? name : folder_of(path) + name;
  }
  fail("write", path, ELOOP);
}

// A name that no other thread or process is likely to use; O_EXCL makes sure.
std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> counter{0};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  char name[80];
  std::snprintf(name, sizeof name, ".rnn-%lx-%lx-%lx-%x.tmp", static_cast<unsigned long>(::getpid()),
                static_cast<unsigned long>(now.tv_sec), static_cast<unsigned long>(now.tv_nsec), ++counter);
  return folder_of(target) + name;
}

// A new file beside `target`, removed in the end unless it has taken its place.
class Replacement {
 public:
  explicit Replacement(const std::string& target) : target_(target) {
    constexpr int kAttempts = 100;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      path_ = temporary_name(target);
      if (file_.open(path_, O_WRONLY | O_CREAT | O_EXCL, 0666)) return;
      if (errno != EEXIST) break;
    }
    fail("write", target, errno);
  }
  ~Replacement() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  void set_mode(mode_t mode) { check(::fchmod(file_.get(), mode) == 0); }

  void write(const unsigned char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t written = ::write(file_.get(), data, std::min(size, kMaxTransfer));
      if (written < 0 && errno == EINTR) continue;
      check(written >= 0);
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  // The contents reach the disk before the name does, and the name before this returns.
  void finish() {
    check(::fsync(file_.get()) == 0);
    check(file_.close());
    check(::rename(path_.c_str(), target_.c_str()) == 0);
    path_.clear();

    const std::string folder = folder_of(target_);
    Descriptor directory;  // a folder that may be written but not read cannot be synchronised
    if (!directory.open(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY)) return;
    check(::fsync(directory.get()) == 0 || errno == EINVAL || errno == ENOTSUP);  // not on this file system
  }

 private:
  void check(bool succeeded) const {
    if (!succeeded) fail("write", target_, errno);
  }

  std::string target_;
  std::string path_;
  Descriptor file_;
};

}  // namespace

FileSource::FileSource(const char* path) : Source(0), path_(path) {
  Descriptor file;
  if (!file.open(path_, O_RDONLY | O_NONBLOCK)) fail("read", path_, errno);  // a FIFO would wait for a writer
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail("read", path_, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path_, EISDIR);
  if (!S_ISREG(status.st_mode)) throw Error(RNN_FILE_ERROR, "cannot read %s: not a regular file", path);
  size_ = static_cast<std::size_t>(status.st_size);
  file_ = file.release();
}

FileSource::~FileSource() { ::close(file_); }

void FileSource::read(std::size_t offset, std::size_t count, void* out) const {
  auto* bytes = static_cast<unsigned char*>(out);
  for (std::size_t done = 0; done < count;) {
    const ssize_t read = ::pread(file_, bytes + done, std::min(count - done, kMaxTransfer),
                                 static_cast<off_t>(offset + done));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) fail("read", path_, errno);
    if (read == 0)
      throw Error(RNN_FILE_ERROR, "cannot read %s: it shrank from %zu to %zu bytes meanwhile", path_.c_str(),
                  size(), offset + done);
    done += static_cast<std::size_t>(read);
  }
}

void write_file(const char* path, const Bytes& bytes) {
  const std::string target = follow_links(path);
  if (target.empty()) fail("write", target, ENOENT);  // not the present folder, where the new file would go
  struct stat status;
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail("write", target, EISDIR);
  // A device or FIFO would be replaced by a file, and so would a file that is protected from writing.
  if (exists && !S_ISREG(status.st_mode))
    throw Error(RNN_FILE_ERROR, "cannot write %s: not a regular file", target.c_str());
  if (exists && ::faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0) fail("write", target, errno);

  Replacement replacement(target);
  if (exists) replacement.set_mode(status.st_mode & 0777);
  replacement.write(bytes.data.get(), bytes.size);
  replacement.finish();
}

}  // namespace rnn

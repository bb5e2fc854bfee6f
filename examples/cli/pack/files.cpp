#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace pack {
namespace {

constexpr std::size_t kMostTransfer = std::size_t{1} << 30;

[[noreturn]] void fail_to(const char* action, const std::string& name) {
  throw std::runtime_error(std::string("cannot ") + action + " " + name + ": " + std::strerror(errno));
}

}  // namespace

void Descriptor::open(const std::string& path, int flags, unsigned mode) {
  close();
  do value_ = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (value_ < 0 && errno == EINTR);
}

void Descriptor::close() {
  if (value_ >= 0) ::close(value_);
  value_ = -1;
}

Input::Input(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  if (path == "-") return;
  own_.open(path, O_RDONLY);
  if (!own_.is_open()) fail_to("read", name_);
  file_ = own_.get();
}

std::size_t Input::read(std::uint8_t* bytes, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t found = ::read(file_, bytes + done, std::min(count - done, kMostTransfer));
    if (found < 0 && errno == EINTR) continue;
    if (found < 0) fail_to("read", name_);
    if (found == 0) break;
    done += static_cast<std::size_t>(found);
  }
  count_ += done;
  return done;
}

Output::Output(const std::string& path, bool may_replace)
    : path_(path), is_file_(path != "-"), may_replace_(may_replace) {
  if (!is_file_) return;
  struct stat status;
  if (::stat(path_.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) throw std::runtime_error("cannot write " + path_ + ": not a regular file");
    if (!may_replace_) throw std::runtime_error(path_ + " is there already; --force replaces it");
    if (::access(path_.c_str(), W_OK) != 0) fail();
    path_ = std::filesystem::canonical(path_).string();  // not the link to it
    mode_ = status.st_mode & 0777;
    replaces_ = true;
  }
  create();
}

Output::~Output() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

// Without a name, where the system has such files: nothing is left then, whatever ends the program.
void Output::create() {
#ifdef O_TMPFILE
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (::access("/proc/self/fd", X_OK) == 0)  // by which the file gets its name
    own_.open(folder.empty() ? "." : folder, O_WRONLY | O_TMPFILE, 0666);
#endif
  if (!own_.is_open()) {
    const std::string name = temporary_name();
    own_.open(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (!own_.is_open()) fail();
    temporary_ = name;
  }
  if (replaces_ && ::fchmod(own_.get(), mode_) != 0) fail();
  file_ = own_.get();
}

void Output::write(const std::uint8_t* bytes, std::size_t count) {
  count_ += count;
  while (count > 0) {
    const ssize_t written = ::write(file_, bytes, std::min(count, kMostTransfer));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
}

void Output::keep() {
  if (!is_file_) return;
  if (::fsync(file_) != 0 && errno != EINVAL) fail();
  if (!replaces_) {  // neither does what has come there since
    if (temporary_.empty() ? link(path_) : ::link(temporary_.c_str(), path_.c_str()) == 0) return;
    const bool without_links = errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP;  // FAT, Node
    if (without_links && !may_replace_ && ::access(path_.c_str(), F_OK) == 0) errno = EEXIST;
    if (errno == EEXIST ? !may_replace_ : !without_links) fail();
  }
  if (temporary_.empty()) {
    const std::string name = temporary_name();
    if (!link(name)) fail();
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
  temporary_.clear();
}

bool Output::link(const std::string& name) const {
  const std::string file = "/proc/self/fd/" + std::to_string(file_);
  return ::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

std::string Output::temporary_name() const { return path_ + "." + std::to_string(::getpid()) + ".tmp"; }

void Output::fail() const { fail_to("write", is_file_ ? path_ : "standard output"); }

}  // namespace pack

#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <sys/stat.h>
#include <windows.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "files.h"

namespace pack {
namespace {

constexpr std::size_t kMostTransfer = std::size_t{1} << 30;

[[noreturn]] void fail_to(const char* action, const std::string& name) {
  throw std::runtime_error(std::string("cannot ") + action + " " + name + ": " + std::strerror(errno));
}

}  // namespace

void Descriptor::open(const std::string& path, int flags, unsigned mode) {
  close();
  value_ = _open(path.c_str(), flags | _O_BINARY | _O_NOINHERIT, static_cast<int>(mode));
}

void Descriptor::close() {
  if (value_ >= 0) _close(value_);
  value_ = -1;
}

Input::Input(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  if (path == "-") return;
  own_.open(path, _O_RDONLY);
  if (!own_.is_open()) fail_to("read", name_);
  file_ = own_.get();
}

std::size_t Input::read(std::uint8_t* bytes, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const int found =
        _read(file_, bytes + done, static_cast<unsigned>(std::min(count - done, kMostTransfer)));
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
  const std::filesystem::path file = std::filesystem::u8path(path_);
  replaces_ = std::filesystem::exists(file);
  if (replaces_ && !std::filesystem::is_regular_file(file))
    throw std::runtime_error("cannot write " + path_ + ": not a regular file");
  if (replaces_ && !may_replace_) throw std::runtime_error(path_ + " is there already; --force replaces it");
  if (replaces_ && _access(path_.c_str(), 2) != 0) fail();
  if (replaces_) path_ = std::filesystem::canonical(file).string();  // not the link to it
  create();
}

Output::~Output() {
  own_.close();
  if (!temporary_.empty()) _unlink(temporary_.c_str());
}

void Output::create() {
  const std::string name = temporary_name();
  own_.open(name, _O_WRONLY | _O_CREAT | _O_EXCL, _S_IREAD | _S_IWRITE);
  if (!own_.is_open()) fail();
  temporary_ = name;
  file_ = own_.get();
}

void Output::write(const std::uint8_t* bytes, std::size_t count) {
  count_ += count;
  while (count > 0) {
    const int written = _write(file_, bytes, static_cast<unsigned>(std::min(count, kMostTransfer)));
    if (written < 0) fail();
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
}

void Output::keep() {
  if (!is_file_) return;
  if (_commit(file_) != 0) fail();
  own_.close();
  const DWORD flags = MOVEFILE_WRITE_THROUGH | (may_replace_ ? MOVEFILE_REPLACE_EXISTING : 0);
  if (!MoveFileExA(temporary_.c_str(), path_.c_str(), flags)) {
    errno = GetLastError() == ERROR_ALREADY_EXISTS ? EEXIST : EACCES;
    fail();
  }
  temporary_.clear();
}

std::string Output::temporary_name() const { return path_ + "." + std::to_string(_getpid()) + ".tmp"; }

void Output::fail() const { fail_to("write", is_file_ ? path_ : "standard output"); }

}  // namespace pack

// How a file takes the place of another: it is written without a name (O_TMPFILE), made durable, and then
// named.
//
// A name that nobody has is given to it at once. The name of a file that is there can only be taken by
// rename, from a temporary name; and where a file system has no files without a name, the new one has a
// temporary name from the start. Temporary names follow from the target's, and a writer keeps its file
// locked: what has such a name and no lock was left by a writer that was killed, and the next one that writes
// the same target removes it.
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "lib/formats/descriptor.h"
#include "lib/formats/file.h"

namespace rnn {
namespace {

constexpr int kTemporaryNames = 100;  // of one target: as many may write it at once
constexpr int kSearched = 8;          // of them, the first ones, for what dead writers left

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
    if (length < 0 && (errno == EINVAL || errno == ENOENT || errno == ENOTDIR)) return path;  // no link
    if (length < 0) fail("write", path, errno);
    if (static_cast<std::size_t>(length) == sizeof target) fail("write", path, ENAMETOOLONG);
    const std::string name(target, static_cast<std::size_t>(length));
    path = name[0] == '/' ? name : folder_of(path) + name;
  }
  fail("write", path, ELOOP);
}

// Repeated after a signal alone: after any other error the system may have dropped what it could not write,
// and would say of a second call that all is well.
bool synchronise(int file) noexcept {
  int result;
  do result = ::fsync(file);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

// Whether an owner cannot be given: not by this process, or not on this file system.
bool is_not_permitted(int code) noexcept {
  return code == EPERM || code == EINVAL || code == ENOSYS || code == ENOTSUP || code == EOPNOTSUPP;
}

bool is_same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

class Replacement {
 public:
  // No link.
  explicit Replacement(const std::string& path) : path_(path), name_(path.substr(folder_of(path).size())) {
    open_folder();
    look_at_old();
    remove_leftovers();
  }
  ~Replacement() { remove_temporary(); }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  void write(const Bytes& bytes) {
    if (!write_unnamed(bytes)) write_named(bytes);
    // The name reaches the disk before this returns; some file systems cannot say when it has.
    if (is_readable_) check(synchronise(folder_.get()) || errno == EINVAL || errno == ENOTSUP);
  }

 private:
  void open_folder() {
    const std::string folder = folder_of(path_).empty() ? "." : folder_of(path_);
    is_readable_ = folder_.open(folder, O_RDONLY | O_DIRECTORY);
#ifdef O_PATH
    if (is_readable_ || errno != EACCES) return check(is_readable_);
    check(folder_.open(folder, O_PATH | O_DIRECTORY));  // may be written, but not read and not synchronised
#else
    check(is_readable_);
#endif
  }

  // A device or FIFO would be replaced by a file, and so would a file that is protected from writing.
  void look_at_old() {
    if (name_.empty()) fail("write", path_, EISDIR);
    replaces_ = ::fstatat(folder_.get(), name_.c_str(), &old_, AT_SYMLINK_NOFOLLOW) == 0;
    if (!replaces_) return check(errno == ENOENT);
    if (S_ISDIR(old_.st_mode)) fail("write", path_, EISDIR);
    if (!S_ISREG(old_.st_mode))
      throw Error(RNN_FILE_ERROR, "cannot write %s: not a regular file", path_.c_str());
    check(::faccessat(folder_.get(), name_.c_str(), W_OK, AT_EACCESS) == 0);
  }

  // A temporary name is no longer than a name may be, however long the target's is.
  std::string temporary_name(int number) const {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (const char c : name_) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    char name[48];
    std::snprintf(name, sizeof name, ".rnn-%016llx-%d.tmp", static_cast<unsigned long long>(hash), number);
    return name;
  }

  // Who has locked such a file may remove its name, or rename it, and nobody else.
  void remove_leftovers() const {
    for (int i = 0; i < kSearched; ++i) {
      const std::string name = temporary_name(i);
      struct stat found, opened;
      if (::fstatat(folder_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
      Descriptor file;
      if (!S_ISREG(found.st_mode) ||
          !file.open_at(folder_.get(), name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0) ||
          ::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
        continue;
      if (::fstat(file.get(), &opened) == 0 &&
          ::fstatat(folder_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && is_same(found, opened))
        ::unlinkat(folder_.get(), name.c_str(), 0);
    }
  }

  // False where there are no files without a name, or none can be named.
  bool write_unnamed([[maybe_unused]] const Bytes& bytes) {
#ifdef O_TMPFILE
    if (!file_.open_at(folder_.get(), ".", O_WRONLY | O_TMPFILE, first_mode())) return false;
    fill(bytes);
    ::flock(file_.get(), LOCK_EX | LOCK_NB);
    if (!replaces_ && link(name_)) return true;
    for (int i = 0; temporary_.empty() && i < kTemporaryNames; ++i) {
      std::string name = temporary_name(i);
      if (link(name))
        temporary_ = std::move(name);
      else if (errno != EEXIST)
        return false;
    }
    check(!temporary_.empty());
    take_name();
    return true;
#else
    return false;
#endif
  }

  void write_named(const Bytes& bytes) {
    for (int i = 0; temporary_.empty() && i < kTemporaryNames; ++i) {
      std::string name = temporary_name(i);
      if (file_.open_at(folder_.get(), name, O_WRONLY | O_CREAT | O_EXCL, first_mode())) {
        if (lock()) temporary_ = std::move(name);
      } else {
        check(errno == EEXIST);
      }
    }
    check(!temporary_.empty());
    fill(bytes);
    take_name();
  }

  // False where another process took the new file for a dead writer's.
  bool lock() const {
    struct stat status;
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
    return ::fstat(file_.get(), &status) == 0 && status.st_nlink > 0;
  }

  // Until the new file has the old one's owner, group and permissions, it is for its writer alone.
  mode_t first_mode() const noexcept { return replaces_ ? 0600 : 0666; }

  void fill(const Bytes& bytes) {
    if (replaces_) inherit();
    const unsigned char* data = bytes.data.get();
    for (std::size_t left = bytes.size; left > 0;) {
      const ssize_t written = ::write(file_.get(), data, std::min(left, kMaxTransfer));
      if (written < 0 && errno == EINTR) continue;
      check(written >= 0);
      data += written;
      left -= static_cast<std::size_t>(written);
    }
    check(synchronise(file_.get()));  // the contents reach the disk before the name does
  }

  // Where the group or the access control list cannot be kept, the group may no more than everybody.
  void inherit() {
    struct stat status;
    check(::fstat(file_.get(), &status) == 0);
    mode_t mode = old_.st_mode & 0777;
    bool is_kept = true;
    const bool is_owned = status.st_uid == old_.st_uid && status.st_gid == old_.st_gid;
    if (!is_owned && ::fchown(file_.get(), old_.st_uid, old_.st_gid) != 0) {
      check(is_not_permitted(errno));
      is_kept = ::fchown(file_.get(), static_cast<uid_t>(-1), old_.st_gid) == 0;
      check(is_kept || is_not_permitted(errno));
    }
    if (!inherit_list() || !is_kept) mode &= ~070u | (mode & 07u) << 3;
    check(::fchmod(file_.get(), mode) == 0);
  }

  // The access control list, of which the group's permissions are the mask; a folder may have given the new
  // file one that the old one does not have.
  bool inherit_list() const {
#ifdef __linux__
    constexpr char kList[] = "system.posix_acl_access";
    const ssize_t size = ::lgetxattr(path_.c_str(), kList, nullptr, 0);
    const auto is_absent = [] { return errno == ENODATA || is_not_permitted(errno); };
    if (size < 0) {
      check(is_absent());
      check(::fremovexattr(file_.get(), kList) == 0 || is_absent());
      return true;
    }
    std::string list(static_cast<std::size_t>(size), 0);
    check(::lgetxattr(path_.c_str(), kList, list.data(), list.size()) == size);
    if (::fsetxattr(file_.get(), kList, list.data(), list.size(), 0) != 0) {
      check(is_not_permitted(errno));
      return false;
    }
#endif
    return true;
  }

#ifdef O_TMPFILE
  bool link(const std::string& name) const {
    const std::string file = "/proc/self/fd/" + std::to_string(file_.get());
    return ::linkat(AT_FDCWD, file.c_str(), folder_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }
#endif

  void take_name() {
    check(::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) == 0);
    temporary_.clear();
  }

  void remove_temporary() noexcept {
    if (!temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
  }

  void check(bool succeeded) const {
    if (!succeeded) fail("write", path_, errno);
  }

  std::string path_;
  std::string name_;  // in the folder
  Descriptor folder_;
  bool is_readable_ = false;  // the folder
  bool replaces_ = false;
  struct stat old_ {};  // the file that is replaced
  Descriptor file_;
  std::string temporary_;  // the new file's name, until it has the target's
};

}  // namespace

void write_file(const char* path, const Bytes& bytes) {
  const std::string target = follow_links(path);
  if (target.empty()) fail("write", target, ENOENT);  // not the present folder, where the new file would go
  Replacement(target).write(bytes);
}

}  // namespace rnn

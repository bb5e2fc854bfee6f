// Files on Windows. A file takes the place of another by being written under a temporary name beside it, made
// durable, and renamed while it is still open. Temporary names follow from the target's, and a writer shares
// its file with nobody: what has such a name and can be deleted was left by a writer that was killed, and the
// next one that writes the same target deletes it.
#include <windows.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "lib/formats/file.h"
#include "lib/formats/unread.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;
constexpr int kTemporaryNames = 100;  // of one target: as many may write it at once
constexpr int kSearched = 8;          // of them, the first ones, for what dead writers left
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

[[noreturn]] void fail(const char* action, const char* path, DWORD code) {
  // In English, as on other systems; what Windows says is in the user's language and code page.
  const std::error_condition reason = std::system_category().default_error_condition(static_cast<int>(code));
  const std::string text = reason.category() == std::generic_category()
                               ? reason.message()
                               : "Windows error " + std::to_string(code);
  throw Error(RNN_FILE_ERROR, "cannot %s %s: %s", action, path, text.c_str());
}

// The whole path as Windows has it. Long ones have a prefix without which they would be refused.
std::wstring wide(const char* action, const char* path) {
  const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, nullptr, 0);
  if (length == 0) fail(action, path, GetLastError());
  std::wstring result(static_cast<std::size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, result.data(), length);
  result.pop_back();  // the zero at the end
  if (result.compare(0, 4, L"\\\\?\\") == 0 || result.empty()) return result;
  std::wstring full(GetFullPathNameW(result.c_str(), 0, nullptr, nullptr), L'\0');
  full.resize(GetFullPathNameW(result.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr));
  constexpr std::size_t kShort = MAX_PATH - 48;  // with room for a temporary name
  if (full.size() < kShort) return full;
  return full.compare(0, 2, L"\\\\") == 0 ? L"\\\\?\\UNC" + full.substr(1) : L"\\\\?\\" + full;
}

class Handle {
 public:
  explicit Handle(HANDLE value) noexcept : value_(value) {}
  Handle(Handle&& other) noexcept : value_(other.release()) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() {
    if (is_open()) CloseHandle(value_);
  }

  bool is_open() const noexcept { return value_ != INVALID_HANDLE_VALUE; }
  HANDLE get() const noexcept { return value_; }
  HANDLE release() noexcept { return std::exchange(value_, INVALID_HANDLE_VALUE); }

 private:
  HANDLE value_;
};

// Folders can be opened, too, so that it can be said what they are.
Handle open(const std::wstring& path, DWORD access) noexcept {
  return Handle(CreateFileW(path.c_str(), access, kShareAll, nullptr, OPEN_EXISTING,
                            FILE_FLAG_BACKUP_SEMANTICS, nullptr));
}

// Of a file or folder; others have none.
BY_HANDLE_FILE_INFORMATION information(const char* action, const char* path, const Handle& file) {
  BY_HANDLE_FILE_INFORMATION result;
  if (GetFileType(file.get()) != FILE_TYPE_DISK)
    throw Error(RNN_FILE_ERROR, "cannot %s %s: not a regular file", action, path);
  if (!GetFileInformationByHandle(file.get(), &result)) fail(action, path, GetLastError());
  return result;
}

bool is_folder(DWORD attributes) noexcept { return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0; }

[[noreturn]] void refuse_folder(const char* action, const char* path) {
  throw Error(RNN_FILE_ERROR, "cannot %s %s: %s", action, path,
              std::make_error_condition(std::errc::is_a_directory).message().c_str());
}

// A name in the folder of the target: what a path names in the end, if it is there. Of other paths the links in
// folders are the system's to follow.
class Replacement {
 public:
  explicit Replacement(const char* path) : path_(path), target_(wide("write", path)) {
    look_at_old();
    const std::size_t slash = target_.find_last_of(L"\\/:");
    if (slash != std::wstring::npos) folder_ = target_.substr(0, slash + 1);
    if (folder_.size() == target_.size()) refuse_folder("write", path_);
    remove_leftovers();
    create();
  }
  ~Replacement() {
    if (is_temporary_) remove();
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  void write(const Bytes& bytes) {
    const unsigned char* data = bytes.data.get();
    for (std::size_t left = bytes.size; left > 0;) {
      DWORD written = 0;
      check(
          WriteFile(file_.get(), data, static_cast<DWORD>(std::min(left, kMaxTransfer)), &written, nullptr));
      data += written;
      left -= written;
    }
    check(FlushFileBuffers(file_.get()));  // the contents reach the disk before the name does
    take_name();
    FlushFileBuffers(file_.get());  // the name, too, where a file system can say when it has
  }

 private:
  // A device would be replaced by a file, and so would a file that is protected from writing.
  void look_at_old() {
    const Handle old = open(target_, READ_CONTROL);
    if (!old.is_open()) {
      const DWORD code = GetLastError();
      if (code == ERROR_FILE_NOT_FOUND) return;
      fail("write", path_, code);
    }
    const DWORD attributes = information("write", path_, old).dwFileAttributes;
    if (is_folder(attributes)) refuse_folder("write", path_);
    if ((attributes & FILE_ATTRIBUTE_READONLY) != 0) fail("write", path_, ERROR_ACCESS_DENIED);
    attributes_ |= attributes & (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
    keep_permissions(old);
    std::wstring name(GetFinalPathNameByHandleW(old.get(), nullptr, 0, FILE_NAME_NORMALIZED), L'\0');
    name.resize(GetFinalPathNameByHandleW(old.get(), name.data(), static_cast<DWORD>(name.size()),
                                          FILE_NAME_NORMALIZED));
    if (!name.empty()) target_ = std::move(name);
  }

  // Who may read the old file, and nobody else, may read the new one from the start. Some file systems know no
  // permissions.
  void keep_permissions(const Handle& old) {
    DWORD size = 0;
    GetKernelObjectSecurity(old.get(), DACL_SECURITY_INFORMATION, nullptr, 0, &size);
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER) return;
    permissions_.resize(size);
    check(GetKernelObjectSecurity(old.get(), DACL_SECURITY_INFORMATION, permissions_.data(), size, &size));
  }

  // A temporary name is no longer than a name may be, however long the target's is.
  std::wstring temporary_name(int number) const {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (std::size_t i = folder_.size(); i < target_.size(); ++i)
      hash = (hash ^ static_cast<std::uint64_t>(target_[i])) * 0x100000001b3u;
    constexpr wchar_t kDigits[] = L"0123456789abcdef";
    std::wstring name = folder_ + L".rnn-";
    for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[hash >> shift & 15];
    return name + L"-" + std::to_wstring(number) + L".tmp";
  }

  // A living writer's cannot be deleted.
  void remove_leftovers() const {
    for (int i = 0; i < kSearched; ++i) DeleteFileW(temporary_name(i).c_str());
  }

  void create() {
    SECURITY_ATTRIBUTES security{sizeof security, permissions_.data(), FALSE};
    for (int i = 0; i < kTemporaryNames; ++i) {
      file_ =
          Handle(CreateFileW(temporary_name(i).c_str(), GENERIC_WRITE | DELETE, 0,
                             permissions_.empty() ? nullptr : &security, CREATE_NEW, attributes_, nullptr));
      is_temporary_ = file_.is_open();
      if (is_temporary_) return;
      // Another writer's: there, held by it, or about to be deleted.
      const DWORD code = GetLastError();
      if (code != ERROR_FILE_EXISTS && code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED) break;
    }
    check(is_temporary_);
  }

  // Another program may have the old file open for a moment: one that writes it, too, or that looks for viruses.
  void take_name() {
    for (int attempt = 1; !replace(); ++attempt) {
      const DWORD code = GetLastError();
      const bool may_end = code == ERROR_ACCESS_DENIED || code == ERROR_SHARING_VIOLATION;
      if (!may_end || attempt == 50) fail("write", path_, code);
      Sleep(20);  // milliseconds
    }
  }

  // As POSIX renames, which Windows 10 can: who has the old file open keeps it. Before that, and on some file
  // systems, nobody may have it open.
  bool replace() {
    if (rename(true)) return true;
    const DWORD code = GetLastError();
    const bool can = code != ERROR_INVALID_PARAMETER && code != ERROR_NOT_SUPPORTED &&
                     code != ERROR_INVALID_FUNCTION && code != ERROR_CALL_NOT_IMPLEMENTED;
    return !can && rename(false);
  }

  bool rename(bool as_posix) {
    const std::size_t bytes = target_.size() * sizeof(wchar_t);
    std::vector<unsigned char> room(sizeof(FILE_RENAME_INFO) +
                                    bytes);  // ends with a zero, which Wine looks for
    auto* const info = ::new (room.data()) FILE_RENAME_INFO{};
    constexpr DWORD kReplaceAsPosix = 1 | 2;
    *reinterpret_cast<DWORD*>(info) = as_posix ? kReplaceAsPosix : TRUE;
    info->FileNameLength = static_cast<DWORD>(bytes);
    std::memcpy(info->FileName, target_.c_str(), bytes);
    constexpr auto kRenameInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);
    is_temporary_ = !SetFileInformationByHandle(file_.get(), as_posix ? kRenameInfoEx : FileRenameInfo, info,
                                                static_cast<DWORD>(room.size()));
    return !is_temporary_;
  }

  void remove() noexcept {
    FILE_DISPOSITION_INFO info{TRUE};
    SetFileInformationByHandle(file_.get(), FileDispositionInfo, &info, sizeof info);
  }

  void check(bool succeeded) const {
    if (!succeeded) fail("write", path_, GetLastError());
  }

  const char* path_;
  std::wstring target_;
  std::wstring folder_;                       // ends with a slash, or is empty
  std::vector<unsigned char> permissions_;    // of the file that is replaced, or empty
  DWORD attributes_ = FILE_ATTRIBUTE_NORMAL;  // of the new file
  Handle file_{INVALID_HANDLE_VALUE};
  bool is_temporary_ = false;
};

}  // namespace

FileSource::FileSource(const char* path) : Source(0), path_(path) {
  const std::wstring name = wide("read", path);
  Handle file = open(name, GENERIC_READ);
  if (!file.is_open()) fail("read", path, GetLastError());
  const BY_HANDLE_FILE_INFORMATION found = information("read", path, file);
  if (is_folder(found.dwFileAttributes)) {
    const std::wstring model(kSavedModelFile, kSavedModelFile + sizeof kSavedModelFile - 1);
    if (GetFileAttributesW((name + L"\\" + model).c_str()) != INVALID_FILE_ATTRIBUTES)
      refuse_saved_model(path);
    refuse_folder("read", path);
  }
  const std::uint64_t size = std::uint64_t{found.nFileSizeHigh} << 32 | found.nFileSizeLow;
  if (size > static_cast<std::size_t>(-1) / 2)
    throw Error(RNN_FILE_ERROR, "cannot read %s: it is too large for this CPU", path);
  size_ = static_cast<std::size_t>(size);
  file_ = reinterpret_cast<std::intptr_t>(file.release());
}

FileSource::~FileSource() { CloseHandle(reinterpret_cast<HANDLE>(file_)); }

void FileSource::read(std::size_t offset, std::size_t count, void* out) const {
  auto* bytes = static_cast<unsigned char*>(out);
  for (std::size_t done = 0; done < count;) {
    OVERLAPPED place{};
    place.Offset = static_cast<DWORD>((offset + done) & 0xffffffffu);
    place.OffsetHigh = static_cast<DWORD>(static_cast<std::uint64_t>(offset + done) >> 32);
    DWORD read = 0;
    if (!ReadFile(reinterpret_cast<HANDLE>(file_), bytes + done,
                  static_cast<DWORD>(std::min(count - done, kMaxTransfer)), &read, &place) &&
        GetLastError() != ERROR_HANDLE_EOF)
      fail("read", path_.c_str(), GetLastError());
    if (read == 0)
      throw Error(RNN_FILE_ERROR, "cannot read %s: it shrank from %zu to %zu bytes meanwhile", path_.c_str(),
                  size(), offset + done);
    done += read;
  }
}

void write_file(const char* path, const Bytes& bytes) {
  if (*path == '\0') fail("write", path, ERROR_PATH_NOT_FOUND);
  Replacement(path).write(bytes);
}

}  // namespace rnn

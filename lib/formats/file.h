// Files in and out. All that depends on the operating system is in file.cpp and write_file.cpp, or
// file_windows.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/formats/source.h"

namespace rnn {

// A regular file, open as long as this lives. It is read, not mapped: who shortens it meanwhile causes an
// error, not a signal. Throws Error(RNN_FILE_ERROR).
class FileSource final : public Source {
 public:
  explicit FileSource(const char* path);
  ~FileSource() override;

  void read(std::size_t offset, std::size_t count, void* out) const override;

 private:
  std::string path_;
  std::intptr_t file_ = -1;  // a descriptor, or Windows' handle
};

// Create or replace a file so that a crash at any instant leaves the old contents or the new, and at most a
// temporary file, .rnn-....tmp beside it, that the next call for the same file removes. Symbolic links are
// followed. A file that is replaced keeps its permissions, and its owner and group where the process may give
// them; at no time can anybody read the new contents who could not read the old ones. Throws
// Error(RNN_FILE_ERROR).
void write_file(const char* path, const Bytes& bytes);

}  // namespace rnn

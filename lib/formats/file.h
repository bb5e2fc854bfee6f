// Whole files in and out. All that depends on the operating system is in file.cpp.
#pragma once

#include <cstddef>
#include <memory>

namespace rnn {

// Bytes that are not set to zero first: a sparse file may claim far more than it holds.
struct Bytes {
  explicit Bytes(std::size_t n) : data(new unsigned char[n]), size(n) {}

  std::unique_ptr<unsigned char[]> data;
  std::size_t size;
};

// Read a regular file. Throws Error(RNN_FILE_ERROR) or std::bad_alloc.
Bytes read_file(const char* path);

// Create or replace a file so that a crash at any instant leaves the old contents or the new. Symbolic links
// are followed, an existing file keeps its permissions. Throws Error(RNN_FILE_ERROR).
void write_file(const char* path, const Bytes& bytes);

}  // namespace rnn

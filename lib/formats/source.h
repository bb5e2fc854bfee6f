// Where a file's bytes are read from: memory, or a file on disk (file.h), of which only what is asked for is
// read.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>

namespace rnn {

// Bytes that are not set to zero first: a sparse file may claim far more than it holds.
struct Bytes {
  explicit Bytes(std::size_t n) : data(n > 0 ? new unsigned char[n] : nullptr), size(n) {}

  std::unique_ptr<unsigned char[]> data;
  std::size_t size;
};

class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  std::size_t size() const noexcept { return size_; }

  // out [count] bytes, from offset; offset + count <= size(). Throws Error(RNN_FILE_ERROR).
  virtual void read(std::size_t offset, std::size_t count, void* out) const = 0;

  // All the bytes, if they are in memory; or null.
  virtual const unsigned char* memory() const noexcept { return nullptr; }

 protected:
  explicit Source(std::size_t size) noexcept : size_(size) {}

  std::size_t size_;
};

// The memory outlives it.
class MemorySource final : public Source {
 public:
  MemorySource(const void* memory, std::size_t size) noexcept
      : Source(size), memory_(static_cast<const unsigned char*>(memory)) {}

  void read(std::size_t offset, std::size_t count, void* out) const override {
    if (count > 0) std::memcpy(out, memory_ + offset, count);
  }
  const unsigned char* memory() const noexcept override { return memory_; }

 private:
  const unsigned char* memory_;
};

// Bytes of a source in memory, copied there if need be. The source outlives it.
class ByteRange {
 public:
  ByteRange(const Source& source, std::size_t offset, std::size_t count)
      : copy_(source.memory() != nullptr ? 0 : count),
        data_(source.memory() != nullptr ? source.memory() + offset : copy_.data.get()),
        size_(count) {
    if (source.memory() == nullptr) source.read(offset, count, copy_.data.get());
  }

  const unsigned char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  Bytes copy_;
  const unsigned char* data_;
  std::size_t size_;
};

}  // namespace rnn

// What is packed and unpacked, from a file or standard input to a file or standard output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace pack {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void open(const std::string& path, int flags, unsigned mode = 0);
  void close();
  int get() const { return value_; }
  bool is_open() const { return value_ >= 0; }

 private:
  int value_ = -1;
};

// "-" is standard input. Throws std::runtime_error if it cannot be read.
class Input {
 public:
  explicit Input(const std::string& path);
  // Fewer bytes than asked for: it has ended.
  std::size_t read(std::uint8_t* bytes, std::size_t count);
  std::uint64_t count() const { return count_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Descriptor own_;
  int file_ = 0;
  std::uint64_t count_ = 0;
};

// "-" is standard output, which gets what is written at once. A file has its name when keep() returns, and not before;
// one that was there is replaced then, if that is allowed.
class Output {
 public:
  Output(const std::string& path, bool may_replace);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  void write(const std::uint8_t* bytes, std::size_t count);
  void keep();
  std::uint64_t count() const { return count_; }
  // There is a file that would be replaced.
  bool replaces() const { return replaces_; }
  bool is_file() const { return is_file_; }

 private:
  void create();
  bool link(const std::string& name) const;
  std::string temporary_name() const;
  [[noreturn]] void fail() const;

  std::string path_;
  bool is_file_, may_replace_, replaces_ = false;
  unsigned mode_ = 0666;
  Descriptor own_;
  int file_ = 1;
  std::string temporary_;  // the name until then; empty: none
  std::uint64_t count_ = 0;
};

}  // namespace pack

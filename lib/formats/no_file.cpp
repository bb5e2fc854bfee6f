// The functions of file.cpp in a build without formats, which makes no system call.

#include "lib/formats/file.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

[[noreturn]] void unsupported() {
  throw Error(RNN_UNSUPPORTED,
              "this library was built without formats and opens no files; use the memory forms");
}

}  // namespace

FileSource::FileSource(const char*) : Source(0) { unsupported(); }

FileSource::~FileSource() = default;

void FileSource::read(std::size_t, std::size_t, void*) const { unsupported(); }

void write_file(const char*, const Bytes&) { unsupported(); }

}  // namespace rnn

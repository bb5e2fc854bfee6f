#include "lib/formats/file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>

#include "lib/formats/descriptor.h"
#include "lib/formats/unread.h"

namespace rnn {

FileSource::FileSource(const char* path) : Source(0), path_(path) {
  Descriptor file;
  if (!file.open(path_, O_RDONLY | O_NONBLOCK)) fail("read", path_, errno);  // a FIFO would wait for a writer
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail("read", path_, errno);
  if (S_ISDIR(status.st_mode) && ::faccessat(file.get(), kSavedModelFile, F_OK, 0) == 0)
    refuse_saved_model(path);
  if (S_ISDIR(status.st_mode)) fail("read", path_, EISDIR);
  if (!S_ISREG(status.st_mode)) throw Error(RNN_FILE_ERROR, "cannot read %s: not a regular file", path);
  // Sums of places in it and of a header's size do not overflow, where pointers have 32 bits either.
  if (static_cast<std::uint64_t>(status.st_size) > static_cast<std::size_t>(-1) / 2)
    throw Error(RNN_FILE_ERROR, "cannot read %s: it is too large for this CPU", path);
  size_ = static_cast<std::size_t>(status.st_size);
  file_ = file.release();
}

FileSource::~FileSource() { ::close(static_cast<int>(file_)); }

void FileSource::read(std::size_t offset, std::size_t count, void* out) const {
  auto* bytes = static_cast<unsigned char*>(out);
  for (std::size_t done = 0; done < count;) {
    const ssize_t read = ::pread(static_cast<int>(file_), bytes + done, std::min(count - done, kMaxTransfer),
                                 static_cast<off_t>(offset + done));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) fail("read", path_, errno);
    if (read == 0)
      throw Error(RNN_FILE_ERROR, "cannot read %s: it shrank from %zu to %zu bytes meanwhile", path_.c_str(),
                  size(), offset + done);
    done += static_cast<std::size_t>(read);
  }
}

}  // namespace rnn

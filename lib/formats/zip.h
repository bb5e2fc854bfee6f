// Archives in the ZIP format (PKWARE's APPNOTE 6.3, with ZIP64). Read are entries that are stored without
// compression, as torch.save stores them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "lib/formats/source.h"

namespace rnn::formats {

class Zip {
 public:
  struct Entry {
    std::uint64_t header;  // where its header begins in the archive; the data are behind that
    std::uint64_t size;    // of the data
    std::uint32_t checksum;
    bool compressed;
  };

  // By the first 4 bytes and by the end record, which an archive that was cut off lacks.
  static bool recognise(const Source& source, const ByteRange& head);

  // Reads the directory. The source outlives this. Throws Error(RNN_BAD_FORMAT).
  explicit Zip(const Source& source);

  const std::map<std::string, Entry, std::less<>>& entries() const noexcept { return entries_; }
  const Source& source() const noexcept { return source_; }

  // The entry, and where its data begin. Throws Error(RNN_BAD_FORMAT) if there is none of that name,
  // Error(RNN_UNSUPPORTED) if it is compressed.
  const Entry& find(const std::string& name) const;
  std::uint64_t find_data(const std::string& name, const Entry& entry) const;

 private:
  const Source& source_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// The data of an entry. Their checksum is compared before anything is read from them: Error(RNN_BAD_FORMAT).
class ZipSource final : public Source {
 public:
  ZipSource(const Zip& zip, const std::string& name);

  void read(std::size_t offset, std::size_t count, void* out) const override;

 private:
  const Source& source_;
  std::string name_;
  std::size_t begin_;
  std::uint32_t checksum_;
  mutable bool checked_ = false;
};

}  // namespace rnn::formats

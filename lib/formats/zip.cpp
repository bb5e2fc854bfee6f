#include "lib/formats/zip.h"

#include <algorithm>
#include <cinttypes>

#include "lib/formats/contents.h"
#include "lib/formats/crc32.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::size_t kMaxComment = 65535;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::uint64_t kIn64 = 0xffffffff;  // the value stands in the ZIP64 field
constexpr std::uint16_t kExtra64 = 1;        // the identifier of that field

struct Directory {
  std::uint64_t first, size, count;
};

// A little-endian number; the caller has checked that it is there.
template <class T>
T number(const ByteRange& bytes, std::uint64_t offset) noexcept {
  return read_little_endian<T>(bytes.data() + offset);
}

// Whether `length` bytes from `offset` on are in the archive.
bool holds(const Source& source, std::uint64_t offset, std::uint64_t length) noexcept {
  return offset <= source.size() && length <= source.size() - offset;
}

[[noreturn]] void refuse(const char* what) {
  throw Error(RNN_BAD_FORMAT, "the ZIP archive is damaged: %s", what);
}

// `end`: what stands before the end record, the locator last.
Directory find_directory64(const Source& source, std::uint64_t end) {
  if (end < kLocator64Size) refuse("its end has no ZIP64 locator");
  const ByteRange locator(source, end - kLocator64Size, kLocator64Size);
  if (number<std::uint32_t>(locator, 0) != kLocator64) refuse("its end has no ZIP64 locator");
  const auto at = number<std::uint64_t>(locator, 8);
  if (!holds(source, at, kEnd64Size)) refuse("the ZIP64 locator does not lead to an end record");
  const ByteRange record(source, at, kEnd64Size);
  if (number<std::uint32_t>(record, 0) != kEnd64) refuse("the ZIP64 locator does not lead to an end record");
  return {number<std::uint64_t>(record, 48), number<std::uint64_t>(record, 40),
          number<std::uint64_t>(record, 32)};
}

// The end record is the last thing in an archive but for a comment. `tail`: the last kEndSize + kMaxComment
// bytes, or all. Its place in it, or kNone.
std::size_t find_end(const ByteRange& tail) noexcept {
  for (std::size_t at = tail.size() < kEndSize ? 0 : tail.size() - kEndSize + 1; at-- > 0;)
    if (number<std::uint32_t>(tail, at) == kEnd) return at;
  return kNone;
}

ByteRange tail_of(const Source& source) {
  const std::size_t size = std::min(source.size(), kEndSize + kMaxComment);
  return ByteRange(source, source.size() - size, size);
}

Directory find_directory(const Source& source) {
  const ByteRange tail = tail_of(source);
  const std::size_t end = find_end(tail);
  if (end == kNone) refuse("it has no end record, so it may be cut off");
  const Directory found{number<std::uint32_t>(tail, end + 16), number<std::uint32_t>(tail, end + 12),
                        number<std::uint16_t>(tail, end + 10)};
  const bool in64 = found.first == kIn64 || found.size == kIn64 || found.count == 0xffff;
  return in64 ? find_directory64(source, source.size() - tail.size() + end) : found;
}

// What an entry of the directory says, where 32 bits are too few from its ZIP64 field.
struct Record {
  std::uint64_t size, packed, offset;
};

// The bytes [extra, end) of the directory are an entry's extra fields.
void read_extra64(const ByteRange& directory, std::uint64_t extra, std::uint64_t end, Record& record) {
  while (end - extra >= 4) {
    const auto id = number<std::uint16_t>(directory, extra);
    const std::uint64_t next = extra + 4 + number<std::uint16_t>(directory, extra + 2);
    if (next > end) refuse("an entry's extra field is too long");
    std::uint64_t at = extra + 4;
    for (std::uint64_t* value : {&record.size, &record.packed, &record.offset}) {
      if (id != kExtra64 || *value != kIn64) continue;
      if (next - at < sizeof *value) refuse("an entry's ZIP64 field is too short");
      *value = number<std::uint64_t>(directory, at);
      at += sizeof *value;
    }
    extra = next;
  }
}

}  // namespace

bool Zip::recognise(const Source& source, const ByteRange& head) {
  return head.size() >= sizeof kLocal && number<std::uint32_t>(head, 0) == kLocal &&
         find_end(tail_of(source)) != kNone;
}

Zip::Zip(const Source& source) : source_(source) {
  const Directory where = find_directory(source);
  if (!holds(source, where.first, where.size)) refuse("its directory is not within it");
  const ByteRange directory(source, where.first, where.size);
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < where.count; ++i) {
    if (where.size - at < kCentralSize || number<std::uint32_t>(directory, at) != kCentral)
      refuse("its directory has fewer entries than it says");
    const std::uint64_t name_size = number<std::uint16_t>(directory, at + 28),
                        extra_size = number<std::uint16_t>(directory, at + 30),
                        comment_size = number<std::uint16_t>(directory, at + 32);
    if (where.size - at - kCentralSize < name_size + extra_size + comment_size)
      refuse("an entry reaches beyond the directory");
    const std::string name(reinterpret_cast<const char*>(directory.data() + at + kCentralSize), name_size);
    Record record{number<std::uint32_t>(directory, at + 24), number<std::uint32_t>(directory, at + 20),
                  number<std::uint32_t>(directory, at + 42)};
    const std::uint64_t extra = at + kCentralSize + name_size;
    read_extra64(directory, extra, extra + extra_size, record);
    const bool compressed = number<std::uint16_t>(directory, at + 10) != 0 || record.packed != record.size;
    const Entry entry{record.offset, record.packed, number<std::uint32_t>(directory, at + 16), compressed};
    if (!entries_.emplace(name, entry).second)
      throw Error(RNN_BAD_FORMAT, "the ZIP archive is damaged: %s is there twice", quote(name).c_str());
    at = extra + extra_size + comment_size;
  }
}

const Zip::Entry& Zip::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw Error(RNN_BAD_FORMAT, "the ZIP archive has no entry %s", quote(name).c_str());
  if (found->second.compressed)
    throw Error(RNN_UNSUPPORTED,
                "unsupported: %s of the ZIP archive is compressed; torch.save and Keras store as it is",
                quote(name).c_str());
  return found->second;
}

// The header's name and extra field may be longer than the directory's.
std::uint64_t Zip::find_data(const std::string& name, const Entry& entry) const {
  if (holds(source_, entry.header, kLocalSize)) {
    const ByteRange header(source_, entry.header, kLocalSize);
    const std::uint64_t data =
        entry.header + kLocalSize + number<std::uint16_t>(header, 26) + number<std::uint16_t>(header, 28);
    if (number<std::uint32_t>(header, 0) == kLocal && holds(source_, data, entry.size)) return data;
  }
  throw Error(RNN_BAD_FORMAT,
              "the ZIP archive is damaged: %s and its %" PRIu64 " bytes are not where it says",
              quote(name).c_str(), entry.size);
}

ZipSource::ZipSource(const Zip& zip, const std::string& name)
    : Source(zip.find(name).size),
      source_(zip.source()),
      name_(name),
      begin_(zip.find_data(name, zip.find(name))),
      checksum_(zip.find(name).checksum) {}

void ZipSource::read(std::size_t offset, std::size_t count, void* out) const {
  if (!checked_) {
    const std::uint32_t found = crc32(source_, begin_, size_);
    if (found != checksum_)
      throw Error(RNN_BAD_FORMAT, "%s has the checksum %08" PRIx32 "; the ZIP archive says %08" PRIx32,
                  quote(name_).c_str(), found, checksum_);
    checked_ = true;
  }
  source_.read(begin_ + offset, count, out);
}

}  // namespace rnn::formats

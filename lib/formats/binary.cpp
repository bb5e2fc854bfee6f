#include "lib/formats/binary.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstring>
#include <memory>

#include "lib/formats/crc32.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats::binary {
namespace {

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'r', 'n', 'n', '\r', '\n', 0x1a, '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kChecksum = 12;  // where it stands
constexpr std::size_t kChecked = 16;   // where what it covers begins
constexpr std::size_t kFront = 40;     // what stands before the metadata

constexpr std::size_t aligned(std::size_t n) noexcept {
  return (n + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
}

// ---- Reading ----

// Takes numbers and text from the front of the bytes, and never beyond their end.
class Reader {
 public:
  Reader(const unsigned char* begin, const unsigned char* end) : next_(begin), end_(end) {}

  template <class T>
  T number(const char* what) {
    return read_little_endian<T>(take(sizeof(T), what));
  }
  std::string text(std::size_t size, const char* what) {
    return std::string(reinterpret_cast<const char*>(take(size, what)), size);
  }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - next_); }

 private:
  const unsigned char* take(std::size_t size, const char* what) {
    if (size > left())
      throw Error(RNN_BAD_FORMAT, "%s needs %zu bytes; %zu are left before the data", what, size, left());
    const unsigned char* taken = next_;
    next_ += size;
    return taken;
  }

  const unsigned char* next_;
  const unsigned char* end_;
};

void read_metadata(Reader& reader, Contents& contents) {
  const auto key_size = reader.number<std::uint32_t>("the size of a key");
  const auto value_size = reader.number<std::uint32_t>("the size of a value");
  std::string key = reader.text(key_size, "a key");
  std::string value = reader.text(value_size, "a value");
  const std::string field = quote(key);
  if (!contents.metadata.emplace(std::move(key), std::move(value)).second)
    throw Error(RNN_BAD_FORMAT, "metadata %s is there twice", field.c_str());
}

// Each tensor's data begin where those before end; returns where its own do.
std::size_t read_tensor(Reader& reader, const Source& source, std::size_t begin, Contents& contents) {
  const auto number = reader.number<std::uint32_t>("a tensor's type");
  const auto rank = reader.number<std::uint32_t>("a tensor's rank");
  const auto name_size = reader.number<std::uint32_t>("the size of a tensor's name");
  const std::optional<Type> type = find_type(number);
  if (!type) throw Error(RNN_BAD_FORMAT, "a tensor has type %" PRIu32 "; it must be 1..6", number);
  if (rank > kMaxRank)
    throw Error(RNN_BAD_FORMAT, "a tensor has rank %" PRIu32 "; it must be 0..%zu", rank, kMaxRank);
  Shape shape;
  for (std::uint32_t i = 0; i < rank; ++i) shape.push_back(reader.number<std::uint64_t>("a tensor's shape"));
  const auto offset = reader.number<std::uint64_t>("where a tensor's values begin");
  const std::string name = reader.text(name_size, "a tensor's name");

  const std::size_t count = checked_count(name, *type, shape);
  Tensor tensor{name, *type, std::move(shape), count, &source, begin};
  if (offset != begin)
    throw Error(RNN_BAD_FORMAT, "tensor %s begins at %" PRIu64 "; it must begin at %zu", quote(name).c_str(),
                offset, begin);
  if (begin > source.size() || tensor.bytes() > source.size() - begin)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s of %s; the file ends before its last value",
                quote(name).c_str(), to_string(tensor.shape).c_str(), type_name(*type));
  const std::size_t end = begin + tensor.bytes();
  if (!contents.tensors.emplace(name, std::move(tensor)).second)
    throw Error(RNN_BAD_FORMAT, "tensor %s is there twice", quote(name).c_str());
  return end;
}

void check_front(const Source& source) {
  const std::size_t size = source.size();
  const ByteRange front(source, 0, std::min(size, kFront));
  if (!recognise(front.data(), front.size()))
    throw Error(RNN_BAD_FORMAT, "the file does not begin as librnn's binary files do");
  if (size < kFront)
    throw Error(RNN_BAD_FORMAT, "the file has %zu bytes; it must have at least %zu", size, kFront);
  Reader reader(front.data() + sizeof kMagic, front.data() + kFront);
  const auto version = reader.number<std::uint32_t>("the version");
  if (version != kVersion)
    throw Error(RNN_BAD_FORMAT, "the version is %" PRIu32 "; this library reads %" PRIu32, version, kVersion);
  const auto stated = reader.number<std::uint32_t>("the checksum");
  const auto length = reader.number<std::uint64_t>("the size");
  if (length != size)
    throw Error(RNN_BAD_FORMAT, "the file has %zu bytes; it must have %" PRIu64, size, length);
  const std::uint32_t found = checksum(source);
  if (found != stated)
    throw Error(RNN_BAD_FORMAT, "the checksum is %08" PRIx32 "; the file says %08" PRIx32, found, stated);
}

// ---- Writing ----

// Where the data begin, and the end of the file.
struct Layout {
  std::size_t data;
  std::size_t end;
};

Layout lay_out(const Writer& writer) {
  std::size_t header = kFront;
  for (const auto& [key, value] : writer.metadata())
    header += 2 * sizeof(std::uint32_t) + key.size() + value.size();
  for (const Writer::Entry& entry : writer.entries())
    header +=
        3 * sizeof(std::uint32_t) + (entry.shape.size() + 1) * sizeof(std::uint64_t) + entry.name.size();
  std::size_t end = aligned(header);
  for (const Writer::Entry& entry : writer.entries()) end = aligned(end) + entry.bytes;
  return {aligned(header), end};
}

template <class T>
void put(unsigned char*& out, T value) {
  write_little_endian(&value, 1, out);
  out += sizeof value;
}

void put(unsigned char*& out, const std::array<unsigned char, 8>& magic) {
  std::memcpy(out, magic.data(), magic.size());
  out += magic.size();
}

void put(unsigned char*& out, const std::string& text) {
  std::memcpy(out, text.data(), text.size());
  out += text.size();
}

std::uint32_t narrow(std::size_t size, const char* what) {
  if (size > 0xffffffffu)
    throw Error(RNN_UNSUPPORTED, "%s has %zu; a binary file holds fewer than 2^32", what, size);
  return static_cast<std::uint32_t>(size);
}

}  // namespace

bool recognise(const void* memory, std::size_t size) noexcept {
  return size >= sizeof kMagic && std::memcmp(memory, kMagic.data(), sizeof kMagic) == 0;
}

std::uint32_t checksum(const Source& source) { return crc32(source, kChecked, source.size() - kChecked); }

Contents read(const Source& source) {
  const std::size_t size = source.size();
  check_front(source);
  const ByteRange sizes(source, 0, kFront);
  Reader front(sizes.data() + kChecked + sizeof(std::uint64_t), sizes.data() + kFront);
  const auto data = front.number<std::uint64_t>("where the data begin");
  const auto pairs = front.number<std::uint32_t>("the number of metadata");
  const auto tensors = front.number<std::uint32_t>("the number of tensors");
  if (data < kFront || data > size || data % kDataAlignment != 0)
    throw Error(RNN_BAD_FORMAT, "the data begin at %" PRIu64 "; that must be a multiple of %zu in %zu..%zu",
                data, kDataAlignment, kFront, size);

  Contents contents;
  const ByteRange header(source, kFront, data - kFront);
  Reader reader(header.data(), header.data() + header.size());
  for (std::uint32_t i = 0; i < pairs; ++i) read_metadata(reader, contents);
  std::size_t end = data;
  for (std::uint32_t i = 0; i < tensors; ++i) end = read_tensor(reader, source, aligned(end), contents);
  if (aligned(static_cast<std::size_t>(data) - reader.left()) != data)
    throw Error(RNN_BAD_FORMAT, "%zu bytes before the data belong to nothing", reader.left());
  if (end != size)
    throw Error(RNN_BAD_FORMAT, "the file has %zu bytes; its last tensor ends at %zu", size, end);
  return contents;
}

std::size_t size(const Writer& writer) { return lay_out(writer).end; }

void write(const Writer& writer, void* memory) {
  const Layout layout = lay_out(writer);
  auto* const file = static_cast<unsigned char*>(memory);
  std::memset(file, 0, layout.end);
  unsigned char* out = file;
  put(out, kMagic);
  put(out, kVersion);
  put(out, std::uint32_t{0});
  put(out, std::uint64_t{layout.end});
  put(out, std::uint64_t{layout.data});
  put(out, narrow(writer.metadata().size(), "the metadata"));
  put(out, narrow(writer.entries().size(), "the network"));
  for (const auto& [key, value] : writer.metadata()) {
    put(out, narrow(key.size(), "a key"));
    put(out, narrow(value.size(), "a value"));
    put(out, key);
    put(out, value);
  }
  std::size_t begin = layout.data;
  for (const Writer::Entry& entry : writer.entries()) {
    put(out, static_cast<std::uint32_t>(entry.type));
    put(out, narrow(entry.shape.size(), "a shape"));
    put(out, narrow(entry.name.size(), "a name"));
    for (const std::uint64_t n : entry.shape) put(out, n);
    put(out, std::uint64_t{begin});
    put(out, entry.name);
    entry.fill(file + begin);
    begin = aligned(begin + entry.bytes);
  }
  const std::uint32_t crc = checksum(MemorySource(memory, layout.end));
  write_little_endian(&crc, 1, file + kChecksum);
}

std::string c_source(const Writer& writer, std::string_view name, std::string_view comment) {
  constexpr std::size_t kWidth = 110;
  const std::size_t bytes = size(writer);
  const auto file = std::make_unique<unsigned char[]>(bytes);
  write(writer, file.get());

  std::string text = "/* " + std::string(comment) + " */\n";
  text +=
      "#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#elif "
      "defined(_MSC_VER)\n__declspec(align(64))\n#endif\n"
      "static const unsigned char " +
      std::string(name) + "[" + std::to_string(bytes) + "] = {\n";
  text.reserve(text.size() + 4 * bytes + bytes / 8);
  std::size_t line = text.size();
  for (std::size_t i = 0; i < bytes; ++i) {
    if (text.size() - line > kWidth - 4) {
      text += '\n';
      line = text.size();
    }
    text += std::to_string(file[i]);
    text += ',';
  }
  return text + "\n};\n";
}

}  // namespace rnn::formats::binary

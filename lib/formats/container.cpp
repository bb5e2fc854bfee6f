#include "lib/formats/container.h"

#include "lib/formats/binary.h"
#include "lib/formats/file.h"
#include "lib/formats/safetensors.h"
#include "lib/network/error.h"

namespace rnn::formats {

#if !RNN_WITH_FORMATS
namespace safetensors {
namespace {

[[noreturn]] void refuse() {
  throw Error(RNN_UNSUPPORTED, "this library was built without formats and knows binary files alone");
}

}  // namespace

Contents read(const Source&) { refuse(); }
std::size_t size(const Writer&) { refuse(); }
void write(const Writer&, void*) { refuse(); }

}  // namespace safetensors
#endif

std::int32_t recognise(const void* memory, std::size_t size) noexcept {
  if (binary::recognise(memory, size)) return RNN_FORMAT_BINARY;
  return safetensors::recognise(memory, size) ? RNN_FORMAT_SAFETENSORS : 0;
}

Contents read(const Source& source, std::int32_t container) {
  return container == RNN_FORMAT_BINARY ? binary::read(source) : safetensors::read(source);
}

std::size_t size(const Writer& writer, std::int32_t container) {
  return container == RNN_FORMAT_BINARY ? binary::size(writer) : safetensors::size(writer);
}

void write(const Writer& writer, std::int32_t container, void* memory) {
  return container == RNN_FORMAT_BINARY ? binary::write(writer, memory) : safetensors::write(writer, memory);
}

void save(const Writer& writer, const char* path) {
  Bytes bytes(size(writer, kDefaultContainer));
  write(writer, kDefaultContainer, bytes.data.get());
  write_file(path, bytes);
}

}  // namespace rnn::formats

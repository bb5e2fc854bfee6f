#include "lib/formats/hdf5.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n"sv;
constexpr std::uint64_t kUndefined = ~std::uint64_t{0};  // an address of nothing
constexpr std::size_t kMaxDepth = 32;                    // of the tree of a group
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxTexts = 1u << 16;
constexpr std::size_t kMaxText = 1u << 26;

// Messages of an object's header.
enum : std::uint16_t {
  kDataspace = 1,
  kLinkInfo = 2,
  kDatatype = 3,
  kLink = 6,
  kExternal = 7,
  kLayout = 8,
  kFilters = 11,
  kAttribute = 12,
  kContinuation = 16,
  kSymbolTable = 17,
  kAttributeInfo = 21
};

enum : unsigned { kFloat = 1, kText = 3, kVariable = 9 };  // classes of types

[[noreturn]] void damaged(const char* what) {
  throw Error(RNN_BAD_FORMAT, "the HDF5 file is damaged: %s", what);
}

[[noreturn]] void unsupported(const char* what) {
  throw Error(RNN_UNSUPPORTED, "unsupported: HDF5 %s", what);
}

constexpr char kNewer[] =
    "in a newer layout than h5py's default; written without libver=\"latest\" it is read";

std::uint64_t padded(std::uint64_t size) noexcept { return (size + 7) / 8 * 8; }

template <class T>
T number_in(const ByteRange& bytes, std::size_t offset) noexcept {
  return read_little_endian<T>(bytes.data() + offset);
}

// A floating-point type: the bytes of its datatype message behind the first, and which it is.
struct Float {
  Type type;
  unsigned char bits[3];  // little-endian, with an implied first bit of the mantissa, and the sign's place
  unsigned char
      properties[12];  // offset and precision in bits, place and size of exponent and mantissa, bias
};

constexpr Float kFloats[] = {{Type::f32, {0x20, 31, 0}, {0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}},
                             {Type::f64, {0x20, 63, 0}, {0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0}},
                             {Type::f16, {0x20, 15, 0}, {0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0}},
                             {Type::bf16, {0x20, 15, 0}, {0, 0, 16, 0, 7, 8, 0, 7, 127, 0, 0, 0}}};

constexpr std::size_t kTypeSize = 8, kFloatSize = kTypeSize + sizeof(Float::properties);

unsigned class_of(const ByteRange& type) noexcept { return type.data()[0] & 15u; }

// Of a whole message of a type.
Type float_type(const ByteRange& type) noexcept {
  if (type.size() < kFloatSize || class_of(type) != kFloat) return Type::other;
  for (const Float& known : kFloats)
    if (number_in<std::uint32_t>(type, 4) == type_size(known.type) &&
        std::memcmp(type.data() + 1, known.bits, sizeof known.bits) == 0 &&
        std::memcmp(type.data() + kTypeSize, known.properties, sizeof known.properties) == 0)
      return known.type;
  return Type::other;
}

std::string describe(const ByteRange& type) {
  static constexpr const char* kClasses[] = {"integers",       "other floats", "times",     "texts",
                                             "bit fields",     "opaque",       "compounds", "references",
                                             "an enumeration", "sequences",    "arrays"};
  const unsigned number = class_of(type);
  const std::string name = number < std::size(kClasses) ? kClasses[number] : "unknown";
  return name + " of " + std::to_string(number_in<std::uint32_t>(type, 4)) + " bytes";
}

}  // namespace

bool Hdf5::recognise(const ByteRange& head) noexcept {
  return head.size() >= kSignature.size() &&
         std::memcmp(head.data(), kSignature.data(), kSignature.size()) == 0;
}

Hdf5::Hdf5(const Source& source) : source_(source), budget_(16 * std::uint64_t{source.size()} + 65536) {
  expect(0, kSignature, "it does not begin as one");
  const auto version = number<std::uint8_t>(8);
  if (version > 3) damaged("its version is unknown");
  if (version > 1) unsupported(kNewer);
  if (number<std::uint8_t>(13) != 8 || number<std::uint8_t>(14) != 8)
    unsupported("with offsets and lengths of other than 8 bytes");
  const std::uint64_t addresses = version == 0 ? 24 : 28;
  if (number<std::uint64_t>(addresses) != 0) unsupported("with a user block");
  if (number<std::uint64_t>(addresses + 16) > source.size()) damaged("it is cut off");
  root_ = number<std::uint64_t>(addresses + 40);
}

// ---- Bytes ----

void Hdf5::spend(std::uint64_t cost) {
  if (cost > budget_) damaged("its parts refer to each other without end");
  budget_ -= cost;
}

ByteRange Hdf5::bytes(std::uint64_t offset, std::uint64_t count) {
  if (offset > source_.size() || count > source_.size() - offset) damaged("a part of it is not within it");
  spend(count);
  return ByteRange(source_, offset, count);
}

template <class T>
T Hdf5::number(std::uint64_t offset) {
  return number_in<T>(bytes(offset, sizeof(T)), 0);
}

void Hdf5::expect(std::uint64_t offset, std::string_view signature, const char* what) {
  const ByteRange found = bytes(offset, signature.size());
  if (std::memcmp(found.data(), signature.data(), signature.size()) != 0) damaged(what);
}

// ---- Object headers ----

const std::vector<Hdf5::Message>& Hdf5::messages(Address object) {
  const auto known = messages_.find(object);
  if (known != messages_.end()) return known->second;
  const ByteRange prefix = bytes(object, 16);
  if (std::memcmp(prefix.data(), "OHDR", 4) == 0) unsupported(kNewer);
  if (prefix.data()[0] != 1) damaged("an object's header is of an unknown version");
  std::vector<Message> found, continuations;
  add_messages(object + 16, number_in<std::uint32_t>(prefix, 8), found, continuations);
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    const ByteRange place = bytes(continuations[i].begin, 16);
    add_messages(number_in<std::uint64_t>(place, 0), number_in<std::uint64_t>(place, 8), found,
                 continuations);
  }
  return messages_.emplace(object, std::move(found)).first->second;
}

void Hdf5::add_messages(std::uint64_t begin, std::uint64_t size, std::vector<Message>& found,
                        std::vector<Message>& continuations) {
  constexpr std::uint64_t kHeader = 8;
  const ByteRange block = bytes(begin, size);
  for (std::uint64_t at = 0; size - at >= kHeader;) {
    const Message message{number_in<std::uint16_t>(block, at), (block.data()[at + 4] & 2) != 0,
                          begin + at + kHeader, number_in<std::uint16_t>(block, at + 2)};
    at += kHeader;
    if (message.size > size - at) damaged("an object's header is too short");
    at += message.size;
    spend(sizeof message);
    if (message.type == kContinuation && message.size >= 16)
      continuations.push_back(message);
    else if (message.type != 0)
      found.push_back(message);
  }
}

std::optional<Hdf5::Message> Hdf5::find_message(Address object, std::uint16_t type) {
  for (const Message& message : messages(object)) {
    if (message.type != type) continue;
    if (message.shared) unsupported("with types that objects share");
    return message;
  }
  return std::nullopt;
}

// ---- Groups ----

std::optional<Hdf5::Address> Hdf5::find(Address group, std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty()) continue;
    if (!find_message(group, kSymbolTable)) {
      if (find_message(group, kLinkInfo) || find_message(group, kLink)) unsupported(kNewer);
      return std::nullopt;
    }
    const Links& found = links(group);
    const auto link = found.find(name);
    if (link == found.end()) return std::nullopt;
    if (link->second == kUndefined)
      throw Error(RNN_UNSUPPORTED, "unsupported: HDF5 link %s is a soft or external one",
                  quote(name).c_str());
    group = link->second;
  }
  return group;
}

const Hdf5::Links& Hdf5::links(Address group) {
  const auto known = links_.find(group);
  if (known != links_.end()) return known->second;
  const Message table = *find_message(group, kSymbolTable);
  if (table.size < 16) damaged("a group has no symbol table");
  const auto tree = number<std::uint64_t>(table.begin), heap = number<std::uint64_t>(table.begin + 8);
  expect(heap, "HEAP", "a group has no heap");
  const Message names{0, false, number<std::uint64_t>(heap + 24), number<std::uint64_t>(heap + 8)};
  Links found;
  add_nodes(tree, 0, names, found);
  return links_.emplace(group, std::move(found)).first->second;
}

// A tree whose leaves are nodes of symbols.
void Hdf5::add_nodes(std::uint64_t node, std::size_t depth, const Message& heap, Links& found) {
  if (depth > kMaxDepth) damaged("a group's tree is too deep");
  expect(node, "TREE", "a group has no tree");
  const auto level = number<std::uint8_t>(node + 5);
  const auto count = number<std::uint16_t>(node + 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto child = number<std::uint64_t>(node + 32 + 16 * i);
    if (level > 0)
      add_nodes(child, depth + 1, heap, found);
    else
      add_symbols(child, heap, found);
  }
}

void Hdf5::add_symbols(std::uint64_t node, const Message& heap, Links& found) {
  constexpr std::uint32_t kSoft = 2;
  expect(node, "SNOD", "a group's tree has no node of symbols");
  const auto count = number<std::uint16_t>(node + 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    const ByteRange symbol = bytes(node + 8 + 40 * i, 40);
    const bool soft = number_in<std::uint32_t>(symbol, 16) == kSoft;
    std::string name = name_in(heap, number_in<std::uint64_t>(symbol, 0));
    spend(sizeof(Links::value_type));
    if (!found.emplace(std::move(name), soft ? kUndefined : number_in<std::uint64_t>(symbol, 8)).second)
      damaged("a group has a name twice");
  }
}

std::string Hdf5::name_in(const Message& heap, std::uint64_t offset) {
  if (offset >= heap.size || heap.begin > source_.size() || offset >= source_.size() - heap.begin)
    damaged("a name is not within its heap");
  const std::uint64_t most =
      std::min<std::uint64_t>({heap.size - offset, source_.size() - heap.begin - offset, kMaxName});
  const ByteRange text = bytes(heap.begin + offset, most);
  const void* end = std::memchr(text.data(), 0, text.size());
  if (end == nullptr) damaged("a name is too long");
  return {reinterpret_cast<const char*>(text.data()),
          static_cast<std::size_t>(static_cast<const unsigned char*>(end) - text.data())};
}

// ---- Attributes ----

Shape Hdf5::read_space(std::uint64_t at, std::uint64_t size) {
  constexpr std::uint8_t kNull = 2;
  const ByteRange head = bytes(at, std::min<std::uint64_t>(size, 4));
  if (head.size() < 4 || head.data()[0] < 1 || head.data()[0] > 2)
    damaged("a dataspace is of an unknown version");
  const std::size_t rank = head.data()[1];
  if (rank > kMaxRank) damaged("a dataspace has too many axes");
  if (head.data()[0] == 2 && head.data()[3] == kNull) return {0};
  const std::uint64_t begin = head.data()[0] == 1 ? 8 : 4;
  if (size < begin + 8 * rank) damaged("a dataspace is too short");
  Shape shape;
  for (std::size_t d = 0; d < rank; ++d) shape.push_back(number<std::uint64_t>(at + begin + 8 * d));
  return shape;
}

// None if it has another name.
std::optional<Hdf5::Attribute> Hdf5::read_attribute(const Message& message, std::string_view name) {
  if (message.size < 8) damaged("an attribute is too short");
  const ByteRange head = bytes(message.begin, 8);
  const unsigned version = head.data()[0];
  if (version < 1 || version > 3) damaged("an attribute is of an unknown version");
  const std::uint64_t sizes[3] = {number_in<std::uint16_t>(head, 2), number_in<std::uint16_t>(head, 4),
                                  number_in<std::uint16_t>(head, 6)};
  const std::uint64_t begin = message.begin + (version == 3 ? 9 : 8), end = message.begin + message.size;
  const auto step = [&](std::uint64_t size) { return version == 1 ? padded(size) : size; };
  const std::uint64_t type = begin + step(sizes[0]), space = type + step(sizes[1]),
                      values = space + step(sizes[2]);
  if (values > end) damaged("an attribute is too short");
  const ByteRange text = bytes(begin, sizes[0]);
  const std::string_view own(reinterpret_cast<const char*>(text.data()), text.size());
  if (own.substr(0, own.find('\0')) != name) return std::nullopt;
  if (version > 1 && (head.data()[1] & 3) != 0) unsupported("with types that objects share");
  if (sizes[1] < kTypeSize) damaged("an attribute's type is too short");
  return Attribute{type, space, sizes[2], values, end - values};
}

std::optional<std::vector<std::string>> Hdf5::texts(Address object, std::string_view name) {
  constexpr std::uint64_t kReference = 16;  // length, address of a collection, index in it
  std::optional<Attribute> found;
  for (const Message& message : messages(object)) {
    if (message.type != kAttribute || found) continue;
    if (message.shared) unsupported("with attributes that objects share");
    found = read_attribute(message, name);
  }
  if (!found) {
    if (find_message(object, kAttributeInfo)) unsupported(kNewer);
    return std::nullopt;
  }
  const std::size_t count =
      checked_count(std::string(name), Type::other, read_space(found->space, found->space_size));
  std::vector<std::string> result;
  if (count == 0) return result;  // of whatever type: NumPy's for an empty list
  const ByteRange type = bytes(found->type, kTypeSize);
  const bool variable = class_of(type) == kVariable && (type.data()[1] & 15) == 1;
  const std::uint64_t size = number_in<std::uint32_t>(type, 4);
  if (!variable && class_of(type) != kText)
    throw Error(RNN_UNSUPPORTED, "unsupported: HDF5 attribute %s has %s; it must have texts",
                quote(name).c_str(), describe(type).c_str());
  if (size == 0 || (variable && size != kReference) || count > kMaxTexts || count > found->values_size / size)
    damaged("an attribute is too short");
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = found->values + i * size;
    spend(sizeof(std::string));
    if (variable) {
      result.push_back(variable_text(at));
      continue;
    }
    const ByteRange text = bytes(at, size);
    const std::string_view all(reinterpret_cast<const char*>(text.data()), text.size());
    result.emplace_back(all.substr(0, all.find('\0')));
  }
  return result;
}

// An object of a global heap: a collection of objects, each behind its index and size; index 0 is what is free.
std::string Hdf5::variable_text(std::uint64_t at) {
  constexpr std::uint64_t kHeader = 16;
  const auto length = number<std::uint32_t>(at);
  const auto collection = number<std::uint64_t>(at + 4);
  const auto index = number<std::uint32_t>(at + 12);
  if (length == 0) return {};
  expect(collection, "GCOL", "a text is in no collection");
  const auto size = number<std::uint64_t>(collection + 8);
  if (size > source_.size() - collection) damaged("a collection of texts is not within it");
  for (std::uint64_t place = kHeader; size >= kHeader && place <= size - kHeader;) {
    const ByteRange head = bytes(collection + place, kHeader);
    const auto own = number_in<std::uint16_t>(head, 0);
    const auto own_size = number_in<std::uint64_t>(head, 8);
    if (own == 0 || own_size > size) break;
    if (own == index) {
      if (length > own_size) break;
      if (length > kMaxText) unsupported("with a text of more than 64 MB");
      const ByteRange text = bytes(collection + place + kHeader, length);
      return {reinterpret_cast<const char*>(text.data()), text.size()};
    }
    place += kHeader + padded(own_size);
  }
  damaged("a text is not in its collection");
}

// ---- Datasets ----

Tensor Hdf5::tensor(Address dataset, const std::string& name) try {
  return make_tensor(dataset, name);
} catch (const Error& error) {
  throw Error(error.status(), "%s, at %s", error.what(), quote(name).c_str());
}

Tensor Hdf5::make_tensor(Address dataset, const std::string& name) {
  const std::optional<Message> space = find_message(dataset, kDataspace),
                               type = find_message(dataset, kDatatype),
                               layout = find_message(dataset, kLayout);
  if (!space || !type || !layout) damaged("there is no dataset where one must be");
  if (find_message(dataset, kExternal)) unsupported("with values in another file");
  if (find_message(dataset, kFilters))
    unsupported("with compressed values; h5repack -f NONE -l CONTI makes a file that is read");
  if (type->size < kTypeSize || layout->size < 4) damaged("a dataset's header is too short");
  const ByteRange type_bytes = bytes(type->begin, type->size);
  Tensor tensor{name, float_type(type_bytes), read_space(space->begin, space->size), 0, &source_, 0};
  if (tensor.type == Type::other) tensor.other = describe(type_bytes);
  tensor.count = checked_count(name, tensor.type, tensor.shape);
  if (tensor.type == Type::other) return tensor;

  constexpr unsigned kCompact = 0, kContiguous = 1;
  const auto version = number<std::uint8_t>(layout->begin), kind = number<std::uint8_t>(layout->begin + 1);
  if (version != 3 && version != 4)
    unsupported("with a layout of values from before HDF5 1.6.3, or a newer one");
  std::uint64_t size, offset;
  if (kind == kCompact) {
    size = number<std::uint16_t>(layout->begin + 2);
    offset = layout->begin + 4;
    if (size > layout->size - 4) damaged("a dataset's header is too short");
  } else if (kind == kContiguous && layout->size >= 18) {
    offset = number<std::uint64_t>(layout->begin + 2);
    size = number<std::uint64_t>(layout->begin + 10);
  } else {
    unsupported("with values in chunks; h5repack -f NONE -l CONTI makes a file that is read");
  }
  if (tensor.count == 0) offset = 0;
  if (size != tensor.bytes())
    throw Error(RNN_BAD_FORMAT, "the HDF5 file has %" PRIu64 " bytes for shape %s of %s", size,
                to_string(tensor.shape).c_str(), type_name(tensor.type));
  if (offset > source_.size() || size > source_.size() - offset)
    damaged("a dataset's values are not within it");
  tensor.offset = static_cast<std::size_t>(offset);
  return tensor;
}

}  // namespace rnn::formats

#include "lib/formats/safetensors.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats::safetensors {
namespace {

constexpr std::size_t kLengthSize = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit

// A tensor's entry in the header as far as it has been read.
struct Draft {
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

// Takes the header apart while it is parsed: no tree is built, so neither depth nor size of what is refused
// costs anything, and a key that comes twice is seen.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::map<std::string, std::string, std::less<>> metadata;
  std::map<std::string, Draft, std::less<>> drafts;

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override { unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { unexpected(text); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::list) unexpected(std::to_string(value));
    if (list_->size() == kMaxRank)
      throw Error(RNN_BAD_FORMAT, "%s has more than %zu entries", field().c_str(), kMaxRank);
    list_->push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      metadata.find(key_)->second = std::move(value);
    } else if (place_ == Place::tensor && key_ == "dtype") {
      draft_->dtype = std::move(value);
    } else {
      unexpected(quote(value));
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::root;
    } else if (place_ == Place::root && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::root) {
      draft_ = &drafts.find(key_)->second;
      name_ = key_;
      place_ = Place::tensor;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    key_ = std::move(value);
    bool fresh = true;
    if (place_ == Place::root && key_ == "__metadata__") {
      fresh = !std::exchange(has_metadata_, true);
    } else if (place_ == Place::root) {
      fresh = drafts.try_emplace(key_).second;
    } else if (place_ == Place::metadata) {
      fresh = metadata.try_emplace(key_).second;
    } else if (key_ == "dtype") {
      fresh = !draft_->dtype;
    } else if (key_ == "shape") {
      fresh = !draft_->shape;
    } else if (key_ == "data_offsets") {
      fresh = !draft_->offsets;
    } else {
      throw Error(RNN_BAD_FORMAT, "%s is unknown; a tensor has dtype, shape and data_offsets",
                  field().c_str());
    }
    if (!fresh) throw Error(RNN_BAD_FORMAT, "%s is there twice", field().c_str());
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      const Draft& d = *draft_;
      const char* missing = !d.dtype ? "dtype" : !d.shape ? "shape" : !d.offsets ? "data_offsets" : nullptr;
      if (missing != nullptr)
        throw Error(RNN_BAD_FORMAT, "tensor %s has no %s", quote(name_).c_str(), missing);
    }
    place_ = place_ == Place::root ? Place::end : Place::root;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || key_ == "dtype") unexpected("an array");
    list_ = &(key_ == "shape" ? draft_->shape : draft_->offsets).emplace();
    place_ = Place::list;
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(RNN_BAD_FORMAT, "the header is not JSON: error at its byte %zu", position);
  }

 private:
  enum class Place { start, root, metadata, tensor, list, end };

  // The field that the value or key at hand belongs to.
  std::string field() const {
    if (place_ == Place::metadata) return "metadata " + quote(key_);
    if (place_ == Place::tensor || place_ == Place::list)
      return "tensor " + quote(name_) + ": " + quote(key_);
    return key_ == "__metadata__" ? "__metadata__" : "tensor " + quote(key_);
  }

  [[noreturn]] void unexpected(const std::string& found) const {
    const char* wanted = "an object";
    if (place_ == Place::metadata || (place_ == Place::tensor && key_ == "dtype")) wanted = "a string";
    if (place_ == Place::tensor && key_ != "dtype") wanted = "an array";
    if (place_ == Place::list) wanted = "integers of 0 and more";
    throw Error(RNN_BAD_FORMAT, "%s holds %s; it must be %s", field().c_str(), found.c_str(), wanted);
  }

  Place place_ = Place::start;
  std::string key_;
  std::string name_;  // the tensor's
  Draft* draft_ = nullptr;
  std::vector<std::uint64_t>* list_ = nullptr;
  bool has_metadata_ = false;
};

// The tensor that a draft describes in the data, which begin at `data`.
Tensor check(const std::string& name, Draft&& draft, const Source& source, std::size_t data) {
  const std::uint64_t size = source.size() - data;
  const std::string field = "tensor " + quote(name);
  const std::vector<std::uint64_t>& offsets = *draft.offsets;
  const std::string found = to_string(offsets);
  if (offsets.size() != 2)
    throw Error(RNN_BAD_FORMAT, "%s has data_offsets %s; they must be [begin, end]", field.c_str(),
                found.c_str());
  if (offsets[0] > offsets[1] || offsets[1] > size)
    throw Error(RNN_BAD_FORMAT, "%s has data_offsets %s; they must ascend and lie within 0..%" PRIu64,
                field.c_str(), found.c_str(), size);
  const auto held = static_cast<std::size_t>(offsets[1] - offsets[0]);
  const std::size_t begin = data + static_cast<std::size_t>(offsets[0]);
  const Type type = find_type(*draft.dtype).value_or(Type::other);
  if (type == Type::other) return {name, type, std::move(*draft.shape), held, &source, begin, *draft.dtype};
  const std::size_t count = checked_count(name, type, *draft.shape);
  const std::uint64_t bytes = count * type_size(type);
  if (held != bytes)
    throw Error(RNN_BAD_FORMAT, "%s has data_offsets %s; shape %s of %s needs %" PRIu64 " bytes",
                field.c_str(), found.c_str(), to_string(*draft.shape).c_str(), type_name(type), bytes);
  return {name, type, std::move(*draft.shape), count, &source, begin};
}

// Each byte of data belongs to one tensor.
void check_layout(const Contents& contents, std::size_t data, std::size_t size) {
  std::vector<const Tensor*> order;
  for (const auto& entry : contents.tensors) order.push_back(&entry.second);
  std::sort(order.begin(), order.end(), [&](const Tensor* a, const Tensor* b) {
    return a->offset != b->offset ? a->offset < b->offset : a->bytes() < b->bytes();
  });

  std::size_t end = data;
  for (const Tensor* tensor : order) {
    if (tensor->offset != end)
      throw Error(RNN_BAD_FORMAT, "tensor %s begins at %zu; it must begin at %zu, where the one before ends",
                  quote(tensor->name).c_str(), tensor->offset - data, end - data);
    end += tensor->bytes();
  }
  if (end != size)
    throw Error(RNN_BAD_FORMAT, "the data are %zu bytes; the tensors end at %zu", size - data, end - data);
}

std::string json_string(const std::string& text) { return nlohmann::json(text).dump(); }

// With the length before it.
std::string header(const Writer& writer) {
  std::string text = "{\"__metadata__\":{";
  const char* separator = "";
  for (const auto& [key, value] : writer.metadata()) {
    text += separator + json_string(key) + ":" + json_string(value);
    separator = ",";
  }
  text += "}";
  std::uint64_t begin = 0;
  for (const Writer::Entry& entry : writer.entries()) {
    text += "," + json_string(entry.name) + ":{\"dtype\":\"" + type_name(entry.type) +
            "\",\"shape\":" + to_string(entry.shape) +
            ",\"data_offsets\":" + to_string({begin, begin + entry.bytes}) + "}";
    begin += entry.bytes;
  }
  text += "}";
  while ((kLengthSize + text.size()) % kDataAlignment != 0) text += ' ';

  if (text.size() > kMaxHeader)
    throw Error(RNN_UNSUPPORTED,
                "names and metadata take a header of %zu bytes; safetensors has at most %" PRIu64,
                text.size(), kMaxHeader);
  std::string length(kLengthSize, '\0');
  const std::uint64_t n = text.size();
  write_little_endian(&n, 1, length.data());
  return length + text;
}

}  // namespace

Contents read(const Source& source) {
  const std::size_t size = source.size();
  if (size < kLengthSize)
    throw Error(RNN_BAD_FORMAT,
                "the file has %zu bytes; a safetensors file begins with an 8-byte header length", size);
  std::uint64_t length;
  source.read(0, sizeof length, &length);
  swap_little_endian(&length, 1);
  const std::uint64_t most = std::min<std::uint64_t>(kMaxHeader, size - kLengthSize);
  if (length > most)
    throw Error(RNN_BAD_FORMAT, "the header length is %" PRIu64 "; it must be at most %" PRIu64, length,
                most);

  const ByteRange bytes(source, kLengthSize, length);
  const unsigned char* const text = bytes.data();
  const unsigned char* const end = text + length;
  // The parser would pass over a byte order mark, and take a zero byte for the end.
  if (length == 0 || text[0] != '{') throw Error(RNN_BAD_FORMAT, "the header does not begin with {");
  if (std::find(text, end, 0) != end) throw Error(RNN_BAD_FORMAT, "the header contains a zero byte");
  HeaderReader header;
  nlohmann::json::sax_parse(text, end, &header);

  const std::size_t data = kLengthSize + length;
  Contents contents;
  contents.metadata = std::move(header.metadata);
  for (auto& [name, draft] : header.drafts)
    contents.tensors.emplace(name, check(name, std::move(draft), source, data));
  check_layout(contents, data, size);
  return contents;
}

std::size_t size(const Writer& writer) {
  std::size_t size = header(writer).size();
  for (const Writer::Entry& entry : writer.entries()) size += entry.bytes;
  return size;
}

void write(const Writer& writer, void* memory) {
  const std::string front = header(writer);
  auto* out = static_cast<unsigned char*>(memory);
  std::memcpy(out, front.data(), front.size());
  out += front.size();
  for (const Writer::Entry& entry : writer.entries()) {
    entry.fill(out);
    out += entry.bytes;
  }
}

}  // namespace rnn::formats::safetensors

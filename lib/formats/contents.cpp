#include "lib/formats/contents.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats {
namespace {

struct TypeInfo {
  Type type;
  const char* name;
  std::size_t size;
};

constexpr TypeInfo kTypes[] = {{Type::f64, "F64", 8},   {Type::f32, "F32", 4}, {Type::f16, "F16", 2},
                               {Type::bf16, "BF16", 2}, {Type::u64, "U64", 8}, {Type::i64, "I64", 8}};

constexpr TypeInfo kOther = {Type::other, "another", 1};

const TypeInfo& info(Type type) noexcept {
  for (const TypeInfo& t : kTypes)
    if (t.type == type) return t;
  return kOther;
}

float from_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  const std::uint32_t mantissa = half & 1023u;
  std::uint32_t bits;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    std::memcpy(&bits, &magnitude, sizeof bits);
  } else {
    bits = (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | mantissa << 13;
  }
  bits |= sign;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float from_bfloat(std::uint16_t half) noexcept {
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Few at a time: what is wider than a float needs no second copy in memory.
template <class T, class Convert>
void convert(const Tensor& tensor, float* out, const Convert& to_float) {
  constexpr std::size_t kValuesAtOnce = 1024;
  T values[kValuesAtOnce];
  for (std::size_t done = 0; done < tensor.count;) {
    const std::size_t n = std::min(kValuesAtOnce, tensor.count - done);
    tensor.source->read(tensor.offset + done * sizeof(T), n * sizeof(T), values);
    swap_little_endian(values, n);
    std::transform(values, values + n, out + done, to_float);
    done += n;
  }
}

template <class T>
void copy(const Tensor& tensor, Type wanted, T* out) {
  if (tensor.fault) throw Error(*tensor.fault);
  if (tensor.type != wanted)
    throw Error(RNN_BAD_FORMAT, "tensor %s has dtype %s; it must be %s", quote(tensor.name).c_str(),
                tensor.dtype().c_str(), type_name(wanted));
  tensor.source->read(tensor.offset, tensor.bytes(), out);
  swap_little_endian(out, tensor.count);
}

}  // namespace

const char* type_name(Type type) noexcept { return info(type).name; }

std::size_t type_size(Type type) noexcept { return info(type).size; }

std::optional<Type> find_type(std::string_view name) noexcept {
  for (const TypeInfo& t : kTypes)
    if (name == t.name) return t.type;
  return std::nullopt;
}

std::optional<Type> find_type(std::uint32_t number) noexcept {
  for (const TypeInfo& t : kTypes)
    if (number == static_cast<std::uint32_t>(t.type)) return t.type;
  return std::nullopt;
}

bool Tensor::has_floats() const noexcept {
  return type == Type::f64 || type == Type::f32 || type == Type::f16 || type == Type::bf16;
}

void Tensor::read(float* out) const {
  if (fault) throw Error(*fault);
  switch (type) {
    case Type::f64:
      return convert<double>(*this, out, [](double v) { return static_cast<float>(v); });
    case Type::f32:
      source->read(offset, bytes(), out);
      return swap_little_endian(out, count);
    case Type::f16:
      return convert<std::uint16_t>(*this, out, &from_half);
    case Type::bf16:
      return convert<std::uint16_t>(*this, out, &from_bfloat);
    case Type::u64:
    case Type::i64:
    case Type::other:
      break;
  }
  throw Error(RNN_BAD_FORMAT, "tensor %s has dtype %s; it must be F64, F32, F16 or BF16", quote(name).c_str(),
              dtype().c_str());
}

void Tensor::read(std::uint64_t* out) const { copy(*this, Type::u64, out); }

void Tensor::read(std::int64_t* out) const { copy(*this, Type::i64, out); }

const std::string* Contents::find_metadata(std::string_view key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : &found->second;
}

const Tensor* Contents::find(std::string_view name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

std::size_t checked_count(const std::string& name, Type type, const Shape& shape) {
  std::size_t count = 1;
  for (const std::uint64_t n : shape)
    if (__builtin_mul_overflow(count, n, &count) ||
        count > std::numeric_limits<std::size_t>::max() / type_size(type))
      throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s, whose product is too large", quote(name).c_str(),
                  to_string(shape).c_str());
  return count;
}

void Writer::metadata(std::string key, std::string value) {
  metadata_.emplace_back(std::move(key), std::move(value));
}

void Writer::add(std::string name, Type type, Shape shape, Fill fill) {
  std::size_t bytes = type_size(type);
  for (const std::uint64_t n : shape) bytes *= n;
  const auto narrower = [](Type wanted, const Entry& entry) {
    return type_size(wanted) > type_size(entry.type);
  };
  const auto place = std::upper_bound(entries_.begin(), entries_.end(), type, narrower);
  entries_.insert(place, Entry{std::move(name), type, std::move(shape), bytes, std::move(fill)});
}

std::string to_string(const Shape& shape) {
  constexpr std::size_t kMost = 8;
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(shape.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + (shape.size() > kMost ? ", ...]" : "]");
}

}  // namespace rnn::formats

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>

#include "lib/formats/contents.h"
#include "lib/formats/onnx_value.h"
#include "lib/network/little_endian.h"

namespace rnn::onnx_import {
namespace {

using formats::quote;
using ::onnx::TensorProto;

[[noreturn]] void wrong_count(const TensorProto& tensor, std::size_t found, std::size_t expected) {
  throw Error(RNN_BAD_FORMAT, "tensor %s has %zu values; its shape needs %zu", quote(tensor.name()).c_str(),
              found, expected);
}

template <class T>
std::vector<T> raw_values(const TensorProto& tensor, std::size_t expected) {
  const std::string& raw = tensor.raw_data();
  if (raw.size() % sizeof(T) != 0 || raw.size() / sizeof(T) != expected)
    throw Error(RNN_BAD_FORMAT, "tensor %s has %zu bytes; its shape needs %zu values of %zu",
                quote(tensor.name()).c_str(), raw.size(), expected, sizeof(T));
  std::vector<T> result(expected);
  read_little_endian(raw.data(), result.data(), expected);
  return result;
}

template <class T, class Field>
std::vector<T> field_values(const TensorProto& tensor, const Field& field, std::size_t expected) {
  if (static_cast<std::size_t>(field.size()) != expected)
    wrong_count(tensor, static_cast<std::size_t>(field.size()), expected);
  std::vector<T> result;
  result.reserve(expected);
  for (const auto value : field) result.push_back(static_cast<T>(value));
  return result;
}

template <class T, class Field>
std::vector<T> values_of(const TensorProto& tensor, const Field& field, std::size_t expected) {
  return tensor.has_raw_data() ? raw_values<T>(tensor, expected) : field_values<T>(tensor, field, expected);
}

template <class T>
std::vector<float> converted(const std::vector<T>& values, formats::Type type) {
  std::vector<float> result(values.size());
  const MemorySource source(values.data(), values.size() * sizeof(T));
  const formats::Tensor tensor{"", type, {values.size()}, values.size(), &source, 0};
  tensor.read(result.data());
  return result;
}

std::vector<float> read_floats(const TensorProto& tensor, std::size_t expected) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return values_of<float>(tensor, tensor.float_data(), expected);
    case TensorProto::DOUBLE:
      return converted(values_of<double>(tensor, tensor.double_data(), expected), formats::Type::f64);
    default:  // 16 bits; where they are not raw, each has an int32 of its own
      return converted(values_of<std::uint16_t>(tensor, tensor.int32_data(), expected),
                       tensor.data_type() == TensorProto::FLOAT16 ? formats::Type::f16 : formats::Type::bf16);
  }
}

std::vector<std::int64_t> read_integers(const TensorProto& tensor, std::size_t expected) {
  switch (tensor.data_type()) {
    case TensorProto::INT64:
      return values_of<std::int64_t>(tensor, tensor.int64_data(), expected);
    case TensorProto::INT32: {
      const std::vector<std::int32_t> values = values_of<std::int32_t>(tensor, tensor.int32_data(), expected);
      return {values.begin(), values.end()};
    }
    case TensorProto::INT8: {
      const std::vector<std::int8_t> values = values_of<std::int8_t>(tensor, tensor.int32_data(), expected);
      return {values.begin(), values.end()};
    }
    default: {  // of 8 bits without a sign
      const std::vector<std::uint8_t> values = values_of<std::uint8_t>(tensor, tensor.int32_data(), expected);
      return {values.begin(), values.end()};
    }
  }
}

Constant make(Shape shape, std::vector<float> values) {
  return {std::move(shape), std::make_shared<const std::vector<float>>(std::move(values)), nullptr};
}

std::vector<std::ptrdiff_t> strides_of(const Shape& shape) {
  std::vector<std::ptrdiff_t> result(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;)
    result[i - 1] = result[i] * static_cast<std::ptrdiff_t>(shape[i]);
  return result;
}

template <class T>
Values<T> pick(const Values<T>& values, const std::vector<std::size_t>& from) {
  if (!values) return nullptr;
  auto result = std::make_shared<std::vector<T>>();
  result->reserve(from.size());
  for (const std::size_t i : from) result->push_back((*values)[i]);
  return result;
}

// A constant of this shape whose element (i, j, ...) is the one at first + i * strides[0] + j * strides[1] +
// ...
Constant walk(const Constant& constant, const Shape& shape, const std::vector<std::ptrdiff_t>& strides,
              std::ptrdiff_t first, Budget& budget) {
  const std::size_t size = count(shape);
  budget.take(size);
  std::vector<std::size_t> from;
  from.reserve(size);
  Shape at(shape.size(), 0);
  std::ptrdiff_t position = first;
  while (from.size() < size) {
    from.push_back(static_cast<std::size_t>(position));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      position += strides[axis];
      if (++at[axis] < shape[axis]) break;
      position -= strides[axis] * static_cast<std::ptrdiff_t>(shape[axis]);
      at[axis] = 0;
    }
  }
  return {shape, pick(constant.floats, from), pick(constant.integers, from)};
}

template <class T>
Values<T> join(const std::vector<Constant>& inputs, Values<T> Constant::*member, std::size_t outer) {
  auto result = std::make_shared<std::vector<T>>();
  for (std::size_t i = 0; i < outer; ++i)
    for (const Constant& input : inputs) {
      const std::vector<T>& values = *(input.*member);
      const std::size_t block = values.size() / outer;
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * block);
      result->insert(result->end(), begin, begin + static_cast<std::ptrdiff_t>(block));
    }
  return result;
}

// Of lengths, which may be unknown.
std::int64_t combine(std::int64_t a, std::int64_t b, char operation) {
  if (a == kUnknown || b == kUnknown) return kUnknown;
  std::int64_t result = 0;
  const bool wrong = operation == '+'   ? __builtin_add_overflow(a, b, &result)
                     : operation == '-' ? __builtin_sub_overflow(a, b, &result)
                     : operation == '*'
                         ? __builtin_mul_overflow(a, b, &result)
                         : b == 0 || (b == -1 && a < -std::numeric_limits<std::int64_t>::max());
  if (wrong || result == kUnknown) throw Error(RNN_BAD_FORMAT, "of integers whose result is out of range");
  return operation == '/' ? a / b : result;
}

}  // namespace

void Budget::take(std::size_t values) {
  if (values > left_)
    throw Error(RNN_UNSUPPORTED, "constants of %zu more values are more than this file may ask for", values);
  left_ -= values;
}

std::size_t count(const Shape& shape) {
  std::size_t result = 1;
  for (const std::int64_t n : shape)
    if (n < 0 || __builtin_mul_overflow(result, static_cast<std::size_t>(n), &result) ||
        result > std::numeric_limits<std::size_t>::max() / 16)
      throw Error(RNN_BAD_FORMAT, "shape %s is out of range", to_string(shape).c_str());
  return result;
}

std::size_t find_axis(std::int64_t axis, std::size_t rank) {
  const auto limit = static_cast<std::int64_t>(rank);
  if (axis < -limit || axis >= limit)
    throw Error(RNN_BAD_FORMAT, "axis %jd is out of range of %zu axes", std::intmax_t{axis}, rank);
  return static_cast<std::size_t>(axis < 0 ? axis + limit : axis);
}

std::string to_string(const Shape& shape) {
  std::string result = "[";
  for (const std::int64_t n : shape)
    result += (result.size() > 1 ? ", " : "") + (n == kUnknown ? "?" : std::to_string(n));
  return result + "]";
}

Constant read_tensor(const TensorProto& tensor) {
  const std::string name = quote(tensor.name());
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() != 0)
    throw Error(RNN_UNSUPPORTED, "tensor %s has its values in another file; they must be in this one",
                name.c_str());
  if (tensor.has_segment()) throw Error(RNN_UNSUPPORTED, "tensor %s is in segments", name.c_str());
  if (tensor.dims_size() > static_cast<int>(kMaxRank))
    throw Error(RNN_UNSUPPORTED, "tensor %s has %d axes; it may have %zu", name.c_str(), tensor.dims_size(),
                kMaxRank);
  Shape shape(tensor.dims().begin(), tensor.dims().end());
  const std::size_t expected = count(shape);
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return make(std::move(shape), read_floats(tensor, expected));
    case TensorProto::INT64:
    case TensorProto::INT32:
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::BOOL: {
      Constant integers = make_integers(std::move(shape), read_integers(tensor, expected));
      integers.has_sign = tensor.data_type() == TensorProto::INT8;
      return integers;
    }
    default:
      throw Error(RNN_UNSUPPORTED,
                  "tensor %s is of data type %d; it must be FLOAT (1), DOUBLE (11), FLOAT16 (10), BFLOAT16 "
                  "(16), INT64 (7), "
                  "INT32 (6), INT8 (3), UINT8 (2) or BOOL (9)",
                  name.c_str(), tensor.data_type());
  }
}

Constant make_integers(Shape shape, std::vector<std::int64_t> values) {
  return {std::move(shape), nullptr, std::make_shared<const std::vector<std::int64_t>>(std::move(values))};
}

Constant transpose(const Constant& constant, const Shape& order, Budget& budget) {
  const std::vector<std::ptrdiff_t> strides = strides_of(constant.shape);
  Shape shape;
  std::vector<std::ptrdiff_t> permuted;
  for (const std::int64_t axis : order) {
    shape.push_back(constant.shape[static_cast<std::size_t>(axis)]);
    permuted.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  return walk(constant, shape, permuted, 0, budget);
}

Constant slice(const Constant& constant, std::size_t axis, Range range, Budget& budget) {
  Shape shape = constant.shape;
  const std::int64_t size = shape[axis];
  const auto bounded = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
  };
  const std::int64_t start = bounded(range.start), end = bounded(range.end);
  shape[axis] = std::max<std::int64_t>(end - start, 0);
  const std::vector<std::ptrdiff_t> strides = strides_of(constant.shape);
  return walk(constant, shape, strides, strides[axis] * static_cast<std::ptrdiff_t>(start), budget);
}

Constant concat(const std::vector<Constant>& inputs, std::size_t axis, Budget& budget) {
  Shape shape = inputs[0].shape;
  shape[axis] = 0;
  for (const Constant& input : inputs) {
    Shape rest = input.shape;
    if (rest.size() == shape.size()) rest[axis] = shape[axis];
    if (rest != shape || (input.floats == nullptr) != (inputs[0].floats == nullptr))
      throw Error(RNN_BAD_FORMAT, "constants of shapes %s and %s cannot be joined on axis %zu",
                  to_string(inputs[0].shape).c_str(), to_string(input.shape).c_str(), axis);
    shape[axis] += input.shape[axis];
  }
  budget.take(count(shape));
  const std::size_t outer = count({shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis)});
  if (count(shape) == 0) throw Error(RNN_UNSUPPORTED, "an empty constant");
  if (inputs[0].floats) return {shape, join(inputs, &Constant::floats, outer), nullptr};
  return {shape, nullptr, join(inputs, &Constant::integers, outer)};
}

Constant reshape(const Constant& constant, const Shape& shape, bool allow_zero) {
  Shape result = shape;
  std::size_t open = shape.size();
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] == kUnknown) throw Error(RNN_UNSUPPORTED, "a constant of a shape that is computed");
    if (result[i] == 0 && !allow_zero) result[i] = i < constant.shape.size() ? constant.shape[i] : -1;
    if (result[i] == -1 && open == shape.size()) {
      open = i;
      result[i] = 1;
    }
  }
  const std::size_t known = count(result);
  if (open != shape.size() && known != 0) result[open] = static_cast<std::int64_t>(constant.count() / known);
  if (count(result) != constant.count())
    throw Error(RNN_BAD_FORMAT, "a constant of shape %s cannot be %s", to_string(constant.shape).c_str(),
                to_string(shape).c_str());
  return {result, constant.floats, constant.integers};
}

Constant expand(const Constant& constant, const Shape& shape, Budget& budget) {
  const std::size_t rank = std::max(shape.size(), constant.shape.size());
  if (rank > kMaxRank) throw Error(RNN_UNSUPPORTED, "%zu axes; there may be %zu", rank, kMaxRank);
  const std::vector<std::ptrdiff_t> own = strides_of(constant.shape);
  const std::size_t added = rank - constant.shape.size();
  Shape result(rank, 1);
  std::vector<std::ptrdiff_t> strides(rank, 0);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t from = i < added ? 1 : constant.shape[i - added];
    const std::size_t missing = rank - shape.size();
    const std::int64_t to = i < missing || shape[i - missing] == kUnknown ? 1 : shape[i - missing];
    if (from != 1 && to != 1 && from != to)
      throw Error(RNN_BAD_FORMAT, "a constant of shape %s cannot be expanded to %s",
                  to_string(constant.shape).c_str(), to_string(shape).c_str());
    result[i] = from != 1 ? from : to;
    if (from != 1) strides[i] = own[i - added];
  }
  return walk(constant, result, strides, 0, budget);
}

Constant combine(const Constant& a, const Constant& b, char operation, Budget& budget) {
  if (!a.floats != !b.floats) throw Error(RNN_BAD_FORMAT, "of floats and integers");
  const Constant x = expand(a, b.shape, budget), y = expand(b, x.shape, budget);
  budget.take(x.count());
  if (!x.floats) {
    std::vector<std::int64_t> values(x.count());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = combine((*x.integers)[i], (*y.integers)[i], operation);
    return make_integers(x.shape, std::move(values));
  }
  std::vector<float> values(x.count());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float one = (*x.floats)[i], other = (*y.floats)[i];
    values[i] = operation == '+'   ? one + other
                : operation == '-' ? one - other
                : operation == '*' ? one * other
                                   : one / other;
  }
  return make(x.shape, std::move(values));
}

Constant to_floats(const Constant& constant, Budget& budget) {
  if (constant.floats) return constant;
  budget.take(constant.count());
  return make(constant.shape, std::vector<float>(constant.integers->begin(), constant.integers->end()));
}

Constant dequantize(const Constant& constant, const Quantization& by, Budget& budget) {
  const Constant& scale = by.scale;
  const std::size_t axis = by.axis, channels = scale.count();
  if (!constant.integers || !scale.floats || (by.zero_point && !by.zero_point->integers))
    throw Error(RNN_UNSUPPORTED,
                "quantised values must be integers, their zero point, too, and the scale floats");
  if (by.zero_point && by.zero_point->count() != channels)
    throw Error(RNN_BAD_FORMAT, "the scale has shape %s and the zero point %s; they must be the same",
                to_string(scale.shape).c_str(), to_string(by.zero_point->shape).c_str());
  if (channels != 1 &&
      (scale.shape.size() != 1 || static_cast<std::int64_t>(channels) != constant.shape[axis]))
    throw Error(RNN_UNSUPPORTED,
                "a scale of shape %s for axis %zu of shape %s; it must be one, or one for each channel",
                to_string(scale.shape).c_str(), axis, to_string(constant.shape).c_str());
  budget.take(constant.count());
  std::size_t inner = 1;  // values of one channel that stand together
  for (std::size_t i = axis + 1; i < constant.shape.size(); ++i)
    inner *= static_cast<std::size_t>(constant.shape[i]);
  std::vector<float> values(constant.count());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = channels == 1 ? 0 : i / inner % channels;
    const std::int64_t zero = by.zero_point ? (*by.zero_point->integers)[channel] : 0;
    values[i] = static_cast<float>((*constant.integers)[i] - zero) * (*scale.floats)[channel];
  }
  return make(constant.shape, std::move(values));
}

Constant to_integers(const Constant& constant, Budget& budget) {
  if (constant.integers) return constant;
  budget.take(constant.count());
  std::vector<std::int64_t> values;
  for (const float value : *constant.floats) {
    if (!(std::fabs(value) < 0x1p31f))
      throw Error(RNN_UNSUPPORTED, "%g as an integer", static_cast<double>(value));
    values.push_back(static_cast<std::int64_t>(value));
  }
  return make_integers(constant.shape, std::move(values));
}

}  // namespace rnn::onnx_import

// What the values of an ONNX graph are to the importer: constants, and what flows from the graph's input.
// Each function throws Error(RNN_UNSUPPORTED) with what the graph may not do, or Error(RNN_BAD_FORMAT) where
// it contradicts itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "lib/network/error.h"

namespace onnx {
class TensorProto;
}

namespace rnn::onnx_import {

using Shape = std::vector<std::int64_t>;

// A length that only a run of the graph tells.
constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();

// ---- Constants ----

template <class T>
using Values = std::shared_ptr<const std::vector<T>>;

// Exactly one of the two is there. A length of 1 may also stand for an unknown one, along which it is
// repeated.
struct Constant {
  Shape shape;
  Values<float> floats;
  Values<std::int64_t> integers;
  bool has_sign = false;  // of 8 bits

  std::size_t count() const noexcept { return floats ? floats->size() : integers->size(); }
};

// What a graph may still make of its constants, in values: a small file shall not take much memory.
class Budget {
 public:
  explicit Budget(std::size_t values) : left_(values) {}
  void take(std::size_t values);

 private:
  std::size_t left_;
};

// [start, end) of an axis, as in Slice: negative from the end.
struct Range {
  std::int64_t start;
  std::int64_t end;
};

constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxStrands = 128;    // in one value: two of each of 64 layers
constexpr std::size_t kMaxIntegers = 1024;  // of an attribute, or that select parts of a constant

Constant read_tensor(const ::onnx::TensorProto& tensor);
Constant make_integers(Shape shape, std::vector<std::int64_t> values);
std::size_t count(const Shape& shape);
std::size_t find_axis(std::int64_t axis, std::size_t rank);

Constant transpose(const Constant& constant, const Shape& order, Budget& budget);
Constant slice(const Constant& constant, std::size_t axis, Range range, Budget& budget);
Constant concat(const std::vector<Constant>& parts, std::size_t axis, Budget& budget);
Constant reshape(const Constant& constant, const Shape& shape, bool allow_zero);
Constant expand(const Constant& constant, const Shape& shape, Budget& budget);
// By element, '+', '-', '*' or '/'; the smaller one is repeated.
Constant combine(const Constant& a, const Constant& b, char operation, Budget& budget);
Constant to_floats(const Constant& constant, Budget& budget);
Constant to_integers(const Constant& constant, Budget& budget);

// (value - zero point) * scale, either one for all or one for each part along the axis.
struct Quantization {
  const Constant& scale;
  const Constant* zero_point;  // null: 0
  std::size_t axis;
};
Constant dequantize(const Constant& constant, const Quantization& by, Budget& budget);

// ---- Flows ----

struct Axis {
  enum class Kind {
    input,  // number `which` of the graph's input: a recurrent node tells what it is
    unit,   // of length 1
    time,
    batch,
    rows,  // time and batch in one, time first (which = 0) or batch first (1)
    direction,
    features
  };
  Kind kind;
  std::int64_t size;  // or kUnknown
  int which = 0;
  // Zeros before the first step, and steps behind the last one that are not to be kept: what a convolution reads
  // and leaves. Not in size.
  std::int64_t before = 0, behind = 0;

  bool is_whole() const noexcept { return before == 0 && behind == 0; }
  bool operator==(const Axis& other) const noexcept {
    return std::tie(kind, size, which, before, behind) ==
           std::tie(other.kind, other.size, other.which, other.before, other.behind);
  }
};

// A direction of a recurrent node; index of Findings::strands.
struct StrandRef {
  std::size_t index;
  bool reverse;

  bool operator==(const StrandRef& other) const noexcept { return index == other.index; }
};

// How far the network has come in a value. The strands stand one after the other along the features, or along
// the axis of directions.
struct Content {
  enum class Stage { input, one_hot, embedded, hidden, step };
  Stage stage = Stage::input;
  int source = 0;                  // which of the graph's inputs
  std::vector<StrandRef> strands;  // of the last recurrent layer so far
  bool sum = false;                // of both strands' h
  std::size_t step = 0;            // behind them, of Stage::step: index of Findings::steps
  bool last = false;               // of the last step only
  // A part, or another state than h: may be a state or an output that is left out, no more;
  bool opaque = false;
  std::int64_t inputs = 0;  // but the first so many of the graph's input may be added to the output
  // What is no number itself, and opaque: values of 8 bits, their scale and zero point, sums of their products.
  enum class Form { numbers, quantized, scale, zero_point, product };
  Form form = Form::numbers;
  std::size_t form_index = 0;  // of Findings::quantized (zero_point, too), scales or products

  bool operator==(const Content& other) const noexcept {
    return std::tie(stage, source, strands, sum, step, last, opaque, inputs, form, form_index) ==
           std::tie(other.stage, other.source, other.strands, other.sum, other.step, other.last, other.opaque,
                    other.inputs, other.form, other.form_index);
  }
};

struct Flow {
  Content content;
  std::vector<Axis> axes;
};

bool is_whole(const Flow& flow) noexcept;  // along all axes

Flow make_opaque(const Flow& flow);
Flow transpose(const Flow& flow, const Shape& order);
Flow squeeze(const Flow& flow, const Shape& axes);  // without axes: all of length 1
Flow unsqueeze(const Flow& flow, const Shape& axes);
Flow reshape(const Flow& flow, const Shape& shape, bool allow_zero);
Flow slice(const Flow& flow, std::size_t axis, Range range);
Flow take(const Flow& flow, std::size_t axis, std::int64_t index);  // without the axis
Flow concat(const std::vector<Flow>& flows, std::size_t axis);
Flow pad(const Flow& flow, std::size_t axis, std::int64_t before, std::int64_t behind);  // with zeros
Flow add_directions(const Flow& flow, std::size_t axis, bool keep);  // the sum along it; keep: with the axis

using Value = std::variant<Constant, Flow>;

std::string to_string(const Shape& shape);  // "[2, ?, 3]"

}  // namespace rnn::onnx_import

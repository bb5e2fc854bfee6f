#include <algorithm>
#include <optional>

#include "lib/formats/onnx_value.h"

namespace rnn::onnx_import {
namespace {

using Kind = Axis::Kind;
using Axes = std::vector<Axis>;

constexpr Axis kUnit{Kind::unit, 1};

// What exporters write for "to the end".
constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int32_t>::max();

void erase(Axes& axes, std::size_t i) { axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(i)); }

void insert(Axes& axes, std::size_t i, const Axis& axis) {
  axes.insert(axes.begin() + static_cast<std::ptrdiff_t>(i), axis);
}

std::int64_t product(const Axis& a, const Axis& b) {
  std::int64_t result;
  const bool known = a.size != kUnknown && b.size != kUnknown;
  return known && !__builtin_mul_overflow(a.size, b.size, &result) ? result : kUnknown;
}

// Neighbours as one axis, or nothing where their elements would be mixed.
std::optional<Axis> merge(const Axis& a, const Axis& b) {
  if (a.kind == Kind::time && b.kind == Kind::batch) return Axis{Kind::rows, product(a, b), 0};
  if (a.kind == Kind::batch && b.kind == Kind::time) return Axis{Kind::rows, product(a, b), 1};
  if (a.kind == Kind::direction && b.kind == Kind::features) return Axis{Kind::features, product(a, b)};
  return std::nullopt;
}

// ---- Reshape ----

// Whether an axis may become one of this length; -1 and kUnknown are any.
bool fits(const Axis& axis, std::int64_t length) {
  return length == -1 || length == kUnknown || axis.size == length || (axis.size == kUnknown && length > 0);
}

// Finds which axes of a flow become which of its new shape: axes of length 1 come and go, neighbours become
// one, and rows become time and batch again.
class Reshaping {
 public:
  Reshaping(const Axes& from, const Shape& to, bool allow_zero)
      : from_(from), to_(to), allow_zero_(allow_zero) {}

  bool find() { return match(0, 0); }
  Axes result() && { return std::move(result_); }

 private:
  // With axis as the next of the result, the rest from `from` on.
  bool next(const Axis& axis, std::size_t from, std::size_t to) {
    result_.push_back(axis);
    if (match(from, to)) return true;
    result_.pop_back();
    return false;
  }

  bool match(std::size_t i, std::size_t j) {
    if (i < from_.size() && from_[i].kind == Kind::unit && !copies(j) && match(i + 1, j)) return true;
    if (j == to_.size()) return i == from_.size();
    if (copies(j)) return i == j && i < from_.size() && next(from_[i], i + 1, j + 1);
    const std::int64_t length = to_[j];
    if (length == -1 && merged(i, j)) return true;
    if (length == 1 && next(kUnit, i, j + 1)) return true;
    if (i == from_.size()) return false;
    if (fits(from_[i], length) && next(from_[i], i + 1, j + 1)) return true;
    return (length != -1 && merged(i, j)) || split(i, j);
  }

  bool copies(std::size_t j) const { return j < to_.size() && to_[j] == 0 && !allow_zero_; }

  bool merged(std::size_t i, std::size_t j) {
    std::size_t second = i + 1;
    while (second < from_.size() && from_[second].kind == Kind::unit) ++second;
    if (second >= from_.size()) return false;
    const std::optional<Axis> both = merge(from_[i], from_[second]);
    return both && fits(*both, to_[j]) && next(*both, second + 1, j + 1);
  }

  bool split(std::size_t i, std::size_t j) {
    if (from_[i].kind != Kind::rows || j + 1 >= to_.size()) return false;
    const auto length = [&](std::size_t k) { return to_[k] > 0 ? to_[k] : kUnknown; };
    Axis first{Kind::time, length(j)}, second{Kind::batch, length(j + 1)};
    if (from_[i].which == 1) std::swap(first.kind, second.kind);
    const std::int64_t size = product(first, second);
    if (size != kUnknown && !fits(from_[i], size)) return false;
    result_.push_back(first);
    if (next(second, i + 1, j + 2)) return true;
    result_.pop_back();
    return false;
  }

  const Axes& from_;
  const Shape& to_;
  bool allow_zero_;
  Axes result_;
};

Shape shape_of(const Axes& axes) {
  Shape result;
  for (const Axis& axis : axes) result.push_back(axis.size);
  return result;
}

// ---- Findings ----

bool is_all(const Axis& axis, Range range) {
  const std::int64_t size = axis.size == kUnknown ? kUnknown : axis.size + axis.before + axis.behind;
  const bool from_start = range.start == 0 || (size != kUnknown && range.start == -size);
  return from_start && range.end >= (size == kUnknown ? kToTheEnd : size);
}

// The sequence without the steps behind it.
bool is_sequence(const Axis& axis, Range range) {
  return axis.before == 0 && axis.behind > 0 && range.start == 0 &&
         (range.end == -axis.behind || (axis.size != kUnknown && range.end == axis.size));
}

bool is_first(Range range) { return range.start == 0 && range.end == 1; }

bool is_last(const Axis& axis, Range range) {
  if (axis.size == kUnknown) return range.start == -1 && range.end >= kToTheEnd;
  const std::int64_t start = range.start < 0 ? range.start + axis.size : range.start;
  return start == axis.size - 1 && range.end >= axis.size;
}

// The strands [start, end) of an axis of directions, of which at least one is left.
bool keep_strands(Flow& flow, std::size_t axis, Range range) {
  const std::int64_t size = flow.axes[axis].size;
  const auto bounded = [&](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const std::int64_t start = bounded(range.start), end = bounded(range.end);
  if (end != start + 1) return false;
  flow.content.strands = {flow.content.strands[static_cast<std::size_t>(start)]};
  flow.axes[axis] = kUnit;
  return true;
}

// A recurrent output at the step after which its strand has seen all.
bool keep_last(Flow& flow, std::size_t axis, Range range) {
  Content& content = flow.content;
  const bool reverse = !content.strands.empty() && content.strands[0].reverse;
  for (const StrandRef& strand : content.strands)
    if (strand.reverse != reverse) return false;
  if (content.strands.empty() || !(reverse ? is_first(range) : is_last(flow.axes[axis], range))) return false;
  content.last = true;
  flow.axes[axis] = kUnit;
  return true;
}

}  // namespace

bool is_whole(const Flow& flow) noexcept {
  return std::all_of(flow.axes.begin(), flow.axes.end(), [](const Axis& axis) { return axis.is_whole(); });
}

Flow make_opaque(const Flow& flow) {
  Flow result{flow.content, {}};
  result.content.opaque = true;
  result.content.inputs = 0;
  return result;
}

Flow transpose(const Flow& flow, const Shape& order) {
  Flow result{flow.content, {}};
  for (const std::int64_t axis : order) result.axes.push_back(flow.axes[static_cast<std::size_t>(axis)]);
  return result;
}

Flow squeeze(const Flow& flow, const Shape& axes) {
  Flow result = flow;
  std::vector<bool> drop(flow.axes.size(), false);
  for (std::size_t i = 0; i < drop.size(); ++i) drop[i] = axes.empty() && flow.axes[i].size == 1;
  for (const std::int64_t axis : axes) {
    const std::size_t i = find_axis(axis, flow.axes.size());
    if (flow.axes[i].size != 1)
      throw Error(RNN_UNSUPPORTED, "axis %zu of shape %s may not be of length 1", i,
                  to_string(shape_of(flow.axes)).c_str());
    drop[i] = true;
  }
  for (std::size_t i = drop.size(); i-- > 0;)
    if (drop[i]) erase(result.axes, i);
  return result;
}

Flow unsqueeze(const Flow& flow, const Shape& axes) {
  Flow result = flow;
  const std::size_t rank = flow.axes.size() + axes.size();
  if (rank > kMaxRank) throw Error(RNN_UNSUPPORTED, "%zu axes; there may be %zu", rank, kMaxRank);
  std::vector<std::size_t> places;
  for (const std::int64_t axis : axes) places.push_back(find_axis(axis, rank));
  std::sort(places.begin(), places.end());
  if (std::adjacent_find(places.begin(), places.end()) != places.end())
    throw Error(RNN_BAD_FORMAT, "an axis is there twice");
  for (const std::size_t place : places) insert(result.axes, place, kUnit);
  return result;
}

Flow reshape(const Flow& flow, const Shape& shape, bool allow_zero) {
  if (!is_whole(flow)) throw Error(RNN_UNSUPPORTED, "of a sequence with zeros before or steps behind it");
  Reshaping reshaping(flow.axes, shape, allow_zero);
  if (shape.size() > kMaxRank || !reshaping.find())
    throw Error(RNN_UNSUPPORTED, "from shape %s to %s", to_string(shape_of(flow.axes)).c_str(),
                to_string(shape).c_str());
  return {flow.content, std::move(reshaping).result()};
}

Flow slice(const Flow& flow, std::size_t axis, Range range) {
  const Axis& of = flow.axes[axis];
  if (is_all(of, range)) return flow;
  Flow result = flow;
  if (is_sequence(of, range)) {
    result.axes[axis].behind = 0;
    return result;
  }
  if (flow.content.stage == Content::Stage::input && of.is_whole() && axis + 1 == flow.axes.size() &&
      range.start == 0 && range.end > 0) {
    result.content.opaque = true;
    result.content.inputs = result.axes[axis].size = range.end;
    return result;
  }
  if (flow.content.stage == Content::Stage::input || !of.is_whole()) return make_opaque(flow);
  if (of.kind == Kind::direction && keep_strands(result, axis, range)) return result;
  if (of.kind == Kind::time && keep_last(result, axis, range)) return result;
  throw Error(RNN_UNSUPPORTED,
              "a part of axis %zu of shape %s; it may be a direction, or the last step of one direction",
              axis, to_string(shape_of(flow.axes)).c_str());
}

Flow take(const Flow& flow, std::size_t axis, std::int64_t index) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int64_t end = index == -1 || index == kMost ? kMost : index + 1;
  Flow result = slice(flow, axis, {index, end});
  if (result.content.opaque) return result;
  if (result.axes[axis].size != 1)
    throw Error(RNN_UNSUPPORTED, "axis %zu of shape %s may not be of length 1", axis,
                to_string(shape_of(flow.axes)).c_str());
  erase(result.axes, axis);
  return result;
}

Flow pad(const Flow& flow, std::size_t axis, std::int64_t before, std::int64_t behind) {
  Flow result = flow;
  Axis& padded = result.axes[axis];
  if (flow.content.stage == Content::Stage::input && axis + 1 == flow.axes.size() && before == 0 &&
      behind > 0) {
    const bool part = flow.content.inputs != 0;
    result.content.inputs = part ? flow.content.inputs : padded.size == kUnknown ? -1 : padded.size;
    result.content.opaque = true;
    if (__builtin_add_overflow(padded.size, behind, &padded.size) || padded.size < 0) padded.size = kUnknown;
    return result;
  }
  if (flow.content.opaque || (padded.kind != Kind::time && padded.kind != Kind::input))
    throw Error(RNN_UNSUPPORTED, "of axis %zu of shape %s; it may be that of the steps", axis,
                to_string(shape_of(flow.axes)).c_str());
  const bool overflow = __builtin_add_overflow(padded.before, before, &padded.before) ||
                        __builtin_add_overflow(padded.behind, behind, &padded.behind);
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (overflow || padded.before < 0 || padded.behind < 0 || padded.before > kMost || padded.behind > kMost)
    throw Error(RNN_UNSUPPORTED,
                "by %jd and %jd; there are then %jd zeros before the sequence and %jd behind it",
                std::intmax_t{before}, std::intmax_t{behind}, std::intmax_t{padded.before},
                std::intmax_t{padded.behind});
  return result;
}

Flow add_directions(const Flow& flow, std::size_t axis, bool keep) {
  const std::vector<StrandRef>& strands = flow.content.strands;
  if (flow.content.stage != Content::Stage::hidden || flow.content.sum ||
      flow.axes[axis].kind != Kind::direction || strands.size() != 2)
    throw Error(RNN_UNSUPPORTED, "along axis %zu of shape %s; it may be the two directions of a layer", axis,
                to_string(shape_of(flow.axes)).c_str());
  Flow result = flow;
  result.content.sum = true;
  result.axes[axis] = kUnit;
  if (!keep) erase(result.axes, axis);
  return result;
}

namespace {

// Two values that are given when the graph is run: what was read before, and what is read now.
bool is_past(const Flow& past, const Flow& x, std::size_t axis) {
  return past.content.stage == Content::Stage::input && !past.content.opaque && !x.content.opaque &&
         past.content.source != x.content.source && past.axes.size() == x.axes.size() &&
         past.axes[axis].size != kUnknown && past.axes[axis].is_whole();
}

}  // namespace

Flow concat(const std::vector<Flow>& flows, std::size_t axis) {
  if (flows.size() == 2 && is_past(flows[0], flows[1], axis))
    return pad(flows[1], axis, flows[0].axes[axis].size, 0);
  Flow result = flows[0];
  Axis& joined = result.axes[axis];
  const Content& first = flows[0].content;
  for (std::size_t i = 1; i < flows.size(); ++i) {
    const Flow& flow = flows[i];
    Content expected = first, content = flow.content;
    expected.strands = content.strands = {};
    Axes own = flow.axes, others = flows[0].axes;
    if (own.size() == others.size()) own[axis] = others[axis];
    if (first.stage != Content::Stage::hidden || first.sum || !(content == expected) || own != others ||
        flow.axes[axis].kind != flows[0].axes[axis].kind)
      throw Error(RNN_UNSUPPORTED, "it may join the directions of one layer, no more");
    if (result.content.strands.size() + flow.content.strands.size() > kMaxStrands)
      throw Error(RNN_UNSUPPORTED, "of more than %zu directions", kMaxStrands);
    result.content.strands.insert(result.content.strands.end(), flow.content.strands.begin(),
                                  flow.content.strands.end());
    if (__builtin_add_overflow(joined.size, flow.axes[axis].size, &joined.size)) joined.size = kUnknown;
  }
  const bool apart = std::any_of(flows[0].axes.begin(), flows[0].axes.end(),
                                 [](const Axis& a) { return a.kind == Kind::direction; });
  if (flows.size() == 1) return result;
  if ((joined.kind == Kind::unit && !apart) || joined.kind == Kind::direction)
    joined.kind = Kind::direction;
  else if (joined.kind != Kind::features || apart)
    throw Error(RNN_UNSUPPORTED, "it may join directions along the features or on an axis of their own");
  return result;
}

}  // namespace rnn::onnx_import

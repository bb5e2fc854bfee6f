#include "lib/network/plan.h"

#include <algorithm>

namespace rnn {
namespace {

// True if a segment starts at frame first + i of a slice.
bool cut(const std::uint8_t* resets, const Slice& slice, std::size_t i) noexcept {
  return i == 0 || (resets != nullptr && resets[slice.first + i] != 0);
}

std::size_t count_segments(const Slice* slices, std::size_t count, const std::uint8_t* resets) noexcept {
  if (resets == nullptr) return count;
  std::size_t segments = 0;
  for (std::size_t s = 0; s < count; ++s)
    for (std::size_t i = 0; i < slices[s].length; ++i) segments += cut(resets, slices[s], i) ? 1 : 0;
  return segments;
}

// The segments of a slice to `out`; returns the end of what was written.
Segment* cut_slice(std::size_t index, const Slice& slice, const std::uint8_t* resets, Segment* out) noexcept {
  for (std::size_t start = 0; start < slice.length;) {
    std::size_t end = start + 1;
    if (resets == nullptr) end = slice.length;
    while (end < slice.length && !cut(resets, slice, end)) ++end;
    const bool reset = resets != nullptr && resets[slice.first + start] != 0;
    *out++ = {index, slice.first + start, end - start, start == 0 && !reset, end == slice.length, start == 0};
    start = end;
  }
  return out;
}

// Longest first; among equals in the order of the data, so that the order is always the same.
bool before(const Segment& a, const Segment& b) noexcept {
  if (a.length != b.length) return a.length > b.length;
  if (a.slice != b.slice) return a.slice < b.slice;
  return a.first < b.first;
}

}  // namespace

bool Plan::build(const Allocator& allocator, const Slice* slices, std::size_t count,
                 const std::uint8_t* resets) {
  if (resets == nullptr && follow(slices, count)) return false;
  whole_ = false;
  const std::size_t segments = count_segments(slices, count, resets);
  segments_.reserve(allocator, segments);
  Segment* end = segments_.data();
  for (std::size_t s = 0; s < count; ++s) end = cut_slice(s, slices[s], resets, end);
  std::sort(segments_.data(), end, before);

  const std::size_t steps = segments == 0 ? 0 : segments_[0].length;
  active_.reserve(allocator, steps);
  offset_.reserve(allocator, steps + 1);
  std::size_t active = segments;
  offset_[0] = 0;
  for (std::size_t t = 0; t < steps; ++t) {
    while (segments_[active - 1].length <= t) --active;
    active_[t] = active;
    offset_[t + 1] = offset_[t] + active;
  }
  segment_count_ = segments;
  steps_ = steps;
  whole_ = resets == nullptr;
  return true;
}

// Slices as long as those before have the same segments, but for the frames: mostly all are equally long.
bool Plan::follow(const Slice* slices, std::size_t count) noexcept {
  if (!whole_ || count != segment_count_) return false;
  for (std::size_t b = 0; b < count; ++b)
    if (segments_[b].length != slices[segments_[b].slice].length) return false;
  for (std::size_t b = 0; b < count; ++b) segments_[b].first = slices[segments_[b].slice].first;
  return true;
}

std::size_t Plan::frame(std::size_t row) const noexcept {
  const std::size_t* const next = std::upper_bound(offset_.begin(), offset_.begin() + steps_, row);
  const auto t = static_cast<std::size_t>(next - offset_.begin()) - 1;
  return frame(t, row - offset_[t]);
}

}  // namespace rnn

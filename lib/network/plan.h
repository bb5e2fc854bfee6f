// How ragged sequences are laid out as a batch: cut at resets into segments that know nothing of each
// other, sorted by length, longest first; the rows of step t are those of the segments that reach it, the
// first active(t) ones, and stand one after the other: row offset(t) + b is step t of segment b. No padding.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"

namespace rnn {

// A run of frames of one sequence that enters a batch.
struct Slice {
  std::size_t first;   // frame
  std::size_t length;  // >= 1
};

struct Segment {
  std::size_t slice;  // of which it is a part
  std::size_t first;  // frame
  std::size_t length;
  bool starts_slice;  // begins with the slice's state, otherwise with the initial state
  bool ends_slice;    // its final state is the slice's
  bool opens_slice;   // holds the slice's first frame, be there a reset or not
};

class Plan {
 public:
  // resets may be null; a reset in a slice's first frame makes it start from the initial state.
  // The storage is kept between calls. False if only the frames are others than before.
  bool build(const Allocator& allocator, const Slice* slices, std::size_t count, const std::uint8_t* resets);

  std::size_t segments() const noexcept { return segment_count_; }  // B
  const Segment& segment(std::size_t b) const noexcept { return segments_[b]; }
  std::size_t steps() const noexcept { return steps_; }                    // T, the longest segment's
  std::size_t active(std::size_t t) const noexcept { return active_[t]; }  // segments longer than t
  std::size_t offset(std::size_t t) const noexcept { return offset_[t]; }  // t = steps(): all rows
  std::size_t rows() const noexcept { return offset_[steps_]; }
  std::size_t frame(std::size_t t, std::size_t b) const noexcept { return segments_[b].first + t; }
  std::size_t frame(std::size_t row) const noexcept;

 private:
  bool follow(const Slice* slices, std::size_t count) noexcept;

  Buffer<Segment> segments_;
  Buffer<std::size_t> active_;
  Buffer<std::size_t> offset_;
  std::size_t segment_count_ = 0;
  bool whole_ = false;  // each segment is a slice: there were no resets
  std::size_t steps_ = 0;
};

}  // namespace rnn

// The sequences of a job, of which a rank may have those of its lanes alone.
#pragma once

#include <cstddef>

#include "lib/network/memory.h"
#include "lib/network/plan.h"
#include "lib/training/collective.h"
#include "rnn/rnn.h"

namespace rnn {

class JobData {
 public:
  // given: checked; used as long as this object, as is what it points to. With own sequences all ranks make it
  // together. Throws Error, on all ranks the same.
  JobData(const Allocator& allocator, const rnn_sequences_t& given, Collective& collective);

  const rnn_sequences_t& given() const noexcept { return given_; }
  std::size_t count() const noexcept { return count_; }    // of all sequences of the job
  std::size_t frames() const noexcept { return frames_; }  // of these
  std::size_t length(std::size_t sequence) const noexcept { return lengths_[sequence]; }
  bool whole() const noexcept { return own_.count() == lanes_; }
  std::size_t lanes() const noexcept { return lanes_; }

  // Of a sequence that is given: where it is in what is given.
  std::size_t index(std::size_t sequence) const noexcept {
    return sequence / lanes_ * own_.count() + (sequence % lanes_ - own_.first);
  }
  std::size_t first_frame(std::size_t sequence) const noexcept { return first_frames_[index(sequence)]; }

 private:
  void gather_lengths(const Allocator& allocator, Collective& collective);

  const rnn_sequences_t& given_;
  std::size_t lanes_;
  LaneRange own_;  // whose sequences are given
  std::size_t count_, frames_;
  const std::size_t* lengths_;            // [count]
  Buffer<std::size_t> gathered_lengths_;  // if they are not given
  Buffer<std::size_t> first_frames_;      // of what is given
};

}  // namespace rnn

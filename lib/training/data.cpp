#include "lib/training/data.h"

#include <algorithm>
#include <cstdint>

namespace rnn {

JobData::JobData(const Allocator& allocator, const rnn_sequences_t& given, Collective& collective)
    : given_(given),
      lanes_(collective.lanes()),
      own_{0, lanes_},
      count_(given.count),
      frames_(given.frames),
      lengths_(given.lengths),
      first_frames_(allocator, given.count) {
  for (std::size_t n = 1; n < given.count; ++n)
    first_frames_[n] = first_frames_[n - 1] + given.lengths[n - 1];
  if (collective.own_sequences()) {
    own_ = collective.own_lanes();
    gather_lengths(allocator, collective);
  }
  std::uint64_t sum_of_lengths = 0;
  for (std::size_t n = 0; n < count_; ++n) sum_of_lengths = 31 * sum_of_lengths + lengths_[n];
  const auto bit = [](const void* field, std::uint64_t value) { return field != nullptr ? value : 0; };
  collective.check_same(
      {{"the number of sequences of the data", count_},
       {"the number of frames of the data", frames_},
       {"the checksum of the lengths of the data", sum_of_lengths},
       {"the pooling of the data", static_cast<std::uint64_t>(given.pooling)},
       {"the sum of the fields that the data have (inputs 1, indices 2, targets 4, classes 8, weights 16)",
        bit(given.inputs, 1) + bit(given.indices, 2) + bit(given.targets, 4) + bit(given.classes, 8) +
            bit(given.weights, 16)}});
}

void JobData::gather_lengths(const Allocator& allocator, Collective& collective) {
  const std::size_t ranks = collective.ranks();
  Buffer<std::uint64_t> counts(allocator, ranks);
  const std::uint64_t own = given_.count;
  collective.gather(&own, sizeof own, counts.data());
  count_ = 0;
  for (const std::uint64_t count : counts) count_ += static_cast<std::size_t>(count);
  // As many of each rank as its lanes have of so many sequences.
  Buffer<std::size_t> sizes(allocator, ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    const LaneRange lanes = collective.lanes_of(r);
    const std::size_t rest = std::min(count_ % lanes_, lanes.last);
    const std::size_t expected =
        count_ / lanes_ * lanes.count() + (rest > lanes.first ? rest - lanes.first : 0);
    if (counts[r] != expected)
      throw Error(
          RNN_MISMATCH,
          "the data have %zu sequences on rank %zu and %zu on all ranks; lanes %zu to %zu of %zu have %zu "
          "of these",
          static_cast<std::size_t>(counts[r]), r, count_, lanes.first, lanes.last - 1, lanes_, expected);
    sizes[r] = expected * sizeof(std::uint64_t);
  }
  Buffer<std::uint64_t> sent(allocator, given_.count), received(allocator, count_);
  std::copy_n(given_.lengths, given_.count, sent.data());
  collective.gather(sent.data(), received.data(), sizes.data());
  gathered_lengths_ = Buffer<std::size_t>(allocator, count_);
  frames_ = 0;
  std::size_t next = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    const LaneRange lanes = collective.lanes_of(r);
    for (std::size_t row = 0; row < count_; row += lanes_)
      for (std::size_t lane = lanes.first; lane < lanes.last && row + lane < count_; ++lane) {
        gathered_lengths_[row + lane] = static_cast<std::size_t>(received[next++]);
        frames_ += gathered_lengths_[row + lane];
      }
  }
  lengths_ = gathered_lengths_.data();
}

}  // namespace rnn

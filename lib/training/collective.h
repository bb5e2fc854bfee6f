// What the ranks of a job send each other; see rnn_collective_t.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>

#include "lib/network/error.h"
#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

// Lanes [first, last).
struct LaneRange {
  std::size_t first;
  std::size_t last;

  std::size_t count() const noexcept { return last - first; }
  bool has(std::size_t lane) const noexcept { return lane >= first && lane < last; }
};

// A 64-bit checksum that finds what a transport damages, not what an attacker does.
std::uint64_t checksum(const void* bytes, std::size_t size) noexcept;

// What `task` throws.
template <class Task>
std::optional<Error> attempt(const Task& task) {
  try {
    task();
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(RNN_OUT_OF_MEMORY, "out of memory");
  }
  return std::nullopt;
}

class Collective {
 public:
  // given: checked, or null. Throws Error(RNN_INVALID_ARGUMENT).
  Collective(const Allocator& allocator, const rnn_collective_t* given, std::int32_t lanes);

  std::size_t rank() const noexcept { return static_cast<std::size_t>(given_.rank); }
  std::size_t ranks() const noexcept { return static_cast<std::size_t>(given_.ranks); }
  bool alone() const noexcept { return given_.ranks == 1; }
  bool own_sequences() const noexcept { return given_.own_sequences != 0 && !alone(); }

  std::size_t lanes() const noexcept { return lanes_; }
  LaneRange lanes_of(std::size_t rank) const noexcept {
    return {lanes_ * rank / ranks(), lanes_ * (rank + 1) / ranks()};
  }
  LaneRange own_lanes() const noexcept { return lanes_of(rank()); }

  // The host's functions, of bytes that the caller checks. sizes: in bytes, by rank. Throw Error(RNN_UNAVAILABLE).
  void exchange(const void* send, const std::size_t* send_sizes, void* receive,
                const std::size_t* receive_sizes) const;
  void gather_unchecked(const void* send, void* receive, const std::size_t* receive_sizes) const;
  // With checksums, so that damaged bytes are an Error(RNN_UNAVAILABLE) on the rank that receives them, and, as that
  // one is missing then, in the next call on the others.
  void gather(const void* send, void* receive, const std::size_t* receive_sizes) const;
  // The same of equally many bytes from each rank.
  void gather(const void* send, std::size_t size, void* receive);

  // Of values[lanes], each rank has those of its lanes; then all have all.
  template <class T>
  void gather_lanes(T* values) {
    if (alone()) return;
    const LaneRange own = own_lanes();
    Buffer<T> sent(allocator_, own.count());
    std::copy_n(values + own.first, own.count(), sent.data());
    for (std::size_t r = 0; r < ranks(); ++r) sizes_[r] = lanes_of(r).count() * sizeof(T);
    gather(sent.data(), values, sizes_.data());
  }

  // If a rank has failed, throw its Error on all ranks, with its status; of several the first rank's.
  void agree(const std::optional<Error>& failure);
  // The same; if no rank has failed, what each says.
  struct Vote {
    std::uint64_t received;  // see Trainer::Implementation::Ranks
    std::uint64_t values;    // the checksum of the values after the update
    std::uint64_t failed;
  };
  Buffer<Vote> agree(const std::optional<Error>& failure, Vote own);
  // True if it is on some rank.
  bool any(bool here);
  // Call task, which may throw; then as agree.
  template <class Task>
  void try_together(const Task& task) {
    if (alone()) return task();
    agree(attempt(task));
  }
  // A number that is to be the same on all ranks; the name is for the message.
  struct Named {
    const char* name;
    std::uint64_t value;
  };
  // Throw an Error on all ranks if one of these is not the same on all.
  void check_same(std::initializer_list<Named> values);
  // The same of all that training depends on: the library, the network with its weights, the options.
  void check_job(const Weights& weights, const rnn_train_options_t& options);
  // Rank 0's bytes, on all ranks.
  Buffer<unsigned char> broadcast(const Buffer<unsigned char>& bytes);

 private:
  void check_ranks();
  void check_options(const rnn_train_options_t& options);
  void check_architecture(const rnn_config_t& config);

  Allocator allocator_;
  rnn_collective_t given_;  // alone: no functions
  std::size_t lanes_;
  Buffer<std::size_t> sizes_;  // [ranks]
};

}  // namespace rnn

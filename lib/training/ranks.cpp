// Updates on several ranks: each adds up the gradients of all lanes in its slice of the values, updates the slice,
// and receives the others'.
#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <functional>

#include "lib/training/trainer_implementation.h"

namespace rnn {
namespace {

// Values one after the other in bytes, as ranks send them to each other.
class Packer {
 public:
  explicit Packer(unsigned char* at) : at_(at) {}
  template <class T>
  void put(const T* values, std::size_t count) noexcept {
    std::memcpy(at_, values, count * sizeof(T));
    at_ += count * sizeof(T);
  }

 private:
  unsigned char* at_;
};

class Unpacker {
 public:
  explicit Unpacker(const unsigned char* at) : at_(at) {}
  template <class T>
  void get(T* values, std::size_t count) noexcept {
    std::memcpy(values, at_, count * sizeof(T));
    at_ += count * sizeof(T);
  }

 private:
  const unsigned char* at_;
};

}  // namespace

void Trainer::Implementation::Ranks::prepare(const Implementation& trainer) {
  const Collective& collective = trainer.collective;
  if (collective.alone()) return;
  for (std::size_t r = 0; r < collective.ranks(); ++r) {
    slices.push_back(trainer.optimizer.slice(*trainer.weights, r, collective.ranks()));
    const std::vector<Subtree> own = rnn::subtrees(collective.lanes_of(r));
    subtree_counts.push_back(own.size());
    subtrees.insert(subtrees.end(), own.begin(), own.end());
  }
  const Allocator& allocator = trainer.allocator;
  const std::size_t size = trainer.slice.size();
  const std::size_t values_count = trainer.weights->value_count();
  const std::size_t own = subtree_counts[collective.rank()];
  if (own > 1) sent = Buffer<float>(allocator, own * values_count);
  received = Buffer<float>(allocator, subtrees.size() * size);
  values = Buffer<float>(allocator, values_count);
  own_values = Buffer<float>(allocator, size);
  first_moment = Buffer<float>(allocator, trainer.state.first_moment.size());
  second_moment = Buffer<float>(allocator, trainer.state.second_moment.size());
}

// The slices of other ranks' subtrees arrive side by side, in the order of the lanes.
void Trainer::Implementation::exchange_gradients() {
  const std::size_t size = collective.ranks(), own = ranks.subtree_counts[collective.rank()];
  std::vector<std::size_t> send_sizes(size), receive_sizes(size);
  float* to = ranks.sent.data();
  for (std::size_t r = 0; r < size; ++r) {
    const Optimizer::Slice& theirs = ranks.slices[r];
    send_sizes[r] = own * theirs.size() * sizeof(float);
    receive_sizes[r] = ranks.subtree_counts[r] * slice.size() * sizeof(float);
    for (std::size_t s = 0; s < own && own > 1; ++s)
      to = std::copy_n(lanes.gradients(s) + theirs.first, theirs.size(), to);
  }
  const float* const sent = own > 1 ? ranks.sent.data() : lanes.gradients(0);
  const auto add_checksums = [&](const void* bytes, const std::vector<std::size_t>& sizes, const auto& pair) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    std::uint64_t sum = 0;
    for (std::size_t r = 0; r < size; at += sizes[r++]) sum += checksum(at, sizes[r]) * (2 * pair(r) + 1);
    return sum;
  };
  const std::size_t rank = collective.rank();
  ranks.sent_sum = add_checksums(sent, send_sizes, [&](std::size_t r) { return rank * size + r; });
  collective.exchange(sent, send_sizes.data(), ranks.received.data(), receive_sizes.data());
  ranks.received_sum =
      add_checksums(ranks.received.data(), receive_sizes, [&](std::size_t r) { return r * size + rank; });
}

// Each rank tells the others whether it has failed, the checksums of what it sent, what its subtrees found and the
// squares of its slice.
Found Trainer::Implementation::add_ranks(const std::optional<Error>& failure) {
  exchange_gradients();
  const kernels::Table& table = weights->table();
  add_subtrees(ranks.subtrees, [&](std::size_t left, std::size_t right) {
    float* const to = &ranks.received[left * slice.size()];
    const float* const from = &ranks.received[right * slice.size()];
    threads.run_ranges(
        Threads::kReading * static_cast<double>(slice.size()), slice.size(), kernels::kPad,
        [&](std::size_t first, std::size_t count) {
          table.add(1, count, {to + first, 0, nullptr}, {from + first, 0, nullptr}, {to + first, 0, nullptr});
        });
  });
  optimizer.add_squares(table, slice, ranks.received.data());

  const std::size_t size = collective.ranks(), rank = collective.rank();
  const auto bytes = [&](std::size_t r) {
    const Optimizer::Slice& theirs = ranks.slices[r];
    return 2 * sizeof(std::uint64_t) + sizeof(Found) * ranks.subtree_counts[r] +
           sizeof(float) * (theirs.last_chunk - theirs.first_chunk);
  };
  std::vector<std::size_t> sizes(size);
  std::size_t all = 0;
  for (std::size_t r = 0; r < size; ++r) all += sizes[r] = bytes(r);
  ranks.facts.reserve(allocator, sizes[rank]);
  ranks.all_facts.reserve(allocator, all);
  Packer packer(ranks.facts.data());
  const std::uint64_t failed = failure ? 1 : 0;
  packer.put(&failed, 1);
  packer.put(&ranks.sent_sum, 1);
  for (std::size_t s = 0; s < ranks.subtree_counts[rank]; ++s) packer.put(&lanes.found(s), 1);
  float* const sums = optimizer.sums().data();
  packer.put(sums + slice.first_chunk, slice.last_chunk - slice.first_chunk);
  collective.gather(ranks.facts.data(), ranks.all_facts.data(), sizes.data());

  Unpacker unpacker(ranks.all_facts.data());
  std::vector<Found> founds;
  bool some_failed = false;
  ranks.all_sent_sum = 0;
  for (std::size_t r = 0; r < size; ++r) {
    std::uint64_t theirs[2];
    unpacker.get(theirs, 2);
    some_failed = some_failed || theirs[0] != 0;
    ranks.all_sent_sum += theirs[1];
    founds.resize(founds.size() + ranks.subtree_counts[r]);
    unpacker.get(&founds[founds.size() - ranks.subtree_counts[r]], ranks.subtree_counts[r]);
    unpacker.get(sums + ranks.slices[r].first_chunk,
                 ranks.slices[r].last_chunk - ranks.slices[r].first_chunk);
  }
  if (some_failed) collective.agree(failure);
  add_subtrees(ranks.subtrees, [&](std::size_t left, std::size_t right) { founds[left] += founds[right]; });
  return founds[0];
}

// Throws on all ranks if one has failed or not received what was sent.
void Trainer::Implementation::vote(const std::optional<Error>& failure, std::uint64_t values_checksum) {
  const Buffer<Collective::Vote> votes = collective.agree(failure, {ranks.received_sum, values_checksum, 0});
  std::uint64_t received = 0;
  for (const Collective::Vote& vote : votes) received += vote.received;
  if (received != ranks.all_sent_sum)
    throw Error(RNN_UNAVAILABLE, "gradients of update %" PRIu64 " have arrived damaged at one rank or more",
                state.update);
  for (const Collective::Vote& vote : votes)
    if (vote.values != votes[0].values)
      throw Error(RNN_UNAVAILABLE, "the weights after update %" PRIu64 " have arrived damaged at rank %td",
                  state.update, &vote - votes.begin());
}

// The slice's values and moments are updated in copies, which replace them when all ranks have received the same
// values.
void Trainer::Implementation::finish_on_ranks(bool applies, double scale, rnn_progress_t& progress) {
  if (!applies) return vote(std::nullopt, 0);
  progress.learning_rate = present_rate();
  std::copy_n(weights->values() + slice.first, slice.size(), ranks.own_values.data());
  std::copy_n(state.first_moment.data(), state.first_moment.size(), ranks.first_moment.data());
  std::copy_n(state.second_moment.data(), state.second_moment.size(), ranks.second_moment.data());
  optimizer.apply(weights->table(), slice, ranks.own_values.data(), ranks.received.data(), scale,
                  progress.gradient_norm, state.update, progress.learning_rate, ranks.first_moment.data(),
                  ranks.second_moment.data());
  std::vector<std::size_t> sizes;
  for (const Optimizer::Slice& theirs : ranks.slices) sizes.push_back(theirs.size() * sizeof(float));
  collective.gather_unchecked(ranks.own_values.data(), ranks.values.data(), sizes.data());
  std::optional<Error> failure;
  if (!weights.unique()) failure = attempt([&] { weights = weights.copy(); });
  vote(failure, checksum(ranks.values.data(), ranks.values.size() * sizeof(float)));

  Weights& own = weights.mutate();
  std::copy_n(ranks.values.data(), own.value_count(), own.values());
  state.first_moment.swap(ranks.first_moment);
  state.second_moment.swap(ranks.second_moment);
  finish_update(own, progress);
}

// ---- Checkpoints -----------------------------------------------------------------------------------

// What rank r has of the carried states: the rows of its lanes.
template <class Visit>
void Trainer::Implementation::for_carried_rows(std::size_t r, const Visit& visit) const {
  if (state.carried.size() == 0) return;
  const std::size_t size = weights->state_size(), rows = state.carried.size() / size;
  const std::uint64_t first = state.next_step != 0 ? state.next_sequence : 0;
  for (std::size_t i = 0; i < rows; ++i)
    if (collective.lanes_of(r).has(static_cast<std::size_t>((first + i) % collective.lanes())))
      visit(i * size, size);
}

// All ranks send rank 0 their parts of the optimiser's state and of the carried states.
void Trainer::Implementation::save(const std::function<void()>& write) {
  if (collective.alone()) return write();
  collective.check_same({{"the number of updates done", state.update}});
  const std::size_t size = collective.ranks(), rank = collective.rank();
  const bool first = optimizer.keeps_first(), second = optimizer.keeps_second();
  const auto count = [&](std::size_t r) {
    std::size_t floats = (first ? ranks.slices[r].size() : 0) + (second ? ranks.slices[r].size() : 0);
    for_carried_rows(r, [&](std::size_t, std::size_t n) { floats += n; });
    return floats;
  };
  Buffer<float> sent, received, whole_first, whole_second;
  Buffer<std::uint64_t> sums;
  std::vector<std::size_t> send_sizes(size), receive_sizes(size);
  std::optional<Error> failure = attempt([&] {
    sums = Buffer<std::uint64_t>(allocator, size);
    sent = Buffer<float>(allocator, count(rank));
    send_sizes[0] = sent.size() * sizeof(float);
    float* to = std::copy_n(state.first_moment.data(), state.first_moment.size(), sent.data());
    to = std::copy_n(state.second_moment.data(), state.second_moment.size(), to);
    for_carried_rows(rank,
                     [&](std::size_t at, std::size_t n) { to = std::copy_n(&state.carried[at], n, to); });
    if (rank != 0) return;
    std::size_t all = 0;
    for (std::size_t r = 0; r < size; ++r) {
      receive_sizes[r] = count(r) * sizeof(float);
      all += count(r);
    }
    received = Buffer<float>(allocator, all);
    if (first) whole_first = Buffer<float>(allocator, weights->value_count());
    if (second) whole_second = Buffer<float>(allocator, weights->value_count());
  });
  collective.agree(failure);
  collective.exchange(sent.data(), send_sizes.data(), received.data(), receive_sizes.data());
  const std::uint64_t sum = checksum(sent.data(), sent.size() * sizeof(float));
  collective.gather(&sum, sizeof sum, sums.data());
  if (rank == 0) {
    const auto* at = reinterpret_cast<const unsigned char*>(received.data());
    for (std::size_t r = 0; r < size && !failure; at += receive_sizes[r++])
      if (checksum(at, receive_sizes[r]) != sums[r])
        failure =
            Error(RNN_UNAVAILABLE, "the optimiser's state of rank %zu has arrived damaged at rank 0", r);
  }
  collective.agree(failure);
  if (rank == 0) {
    const float* from = received.data();
    const auto take = [&](std::size_t n, float* to) {
      std::copy_n(from, n, to);
      from += n;
    };
    for (std::size_t r = 0; r < size; ++r) {
      if (first) take(ranks.slices[r].size(), &whole_first[ranks.slices[r].first]);
      if (second) take(ranks.slices[r].size(), &whole_second[ranks.slices[r].first]);
      for_carried_rows(r, [&](std::size_t at, std::size_t n) { take(n, &state.carried[at]); });
    }
  }
  state.first_moment.swap(whole_first);
  state.second_moment.swap(whole_second);
  failure = rank == 0 ? attempt(write) : std::nullopt;
  state.first_moment.swap(whole_first);
  state.second_moment.swap(whole_second);
  collective.agree(failure);
}

// Of whole moments, as a file has them, what belongs here.
void Trainer::Implementation::keep_slice(Buffer<float>& moment) const {
  if (collective.alone() || moment.size() == 0) return;
  Buffer<float> own(allocator, slice.size());
  std::copy_n(moment.data() + slice.first, slice.size(), own.data());
  moment.swap(own);
}

}  // namespace rnn

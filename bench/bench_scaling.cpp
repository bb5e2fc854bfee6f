// What scripts/scaling models training on many machines from: the work of a rank, without a network; and two ranks on
// two cores, beside two threads. A character model of 65 characters with an LSTM, Adam.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/common.h"
#include "bench/networks.h"
#include "tests/training/thread_ranks.h"

namespace bench {
namespace {

constexpr std::size_t kCharacters = 65, kSteps = 100;
constexpr std::int32_t kMostRanks = 1024;

struct Shape {
  std::size_t H, L;
};
constexpr Shape kShapes[] = {{256, 1}, {512, 2}, {1024, 2}};

// B sequences of T steps an update, in so many lanes.
struct Update {
  Shape shape;
  std::size_t T, B;
  std::int32_t lanes, threads;
};

rnn::Network network(const Update& update) {
  const Cell& lstm = kCells[2];
  return make_network(lstm, kCharacters, update.shape.H, kCharacters, update.shape.L);
}

rnn::Trainer trainer(const Update& update, const rnn_collective_t* collective = nullptr) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.stateless_windows = 1;
  options.batch_size = static_cast<std::int32_t>(update.B);
  options.lanes = update.lanes;
  options.threads = update.threads;
  options.collective = collective;
  return rnn::Trainer(network(update), &options);
}

// A rank of a job, but not rank 0, in which all others send it what it sends itself. So it does all that a rank does,
// and waits for none.
class MirroredRank {
 public:
  // Bytes from and to other ranks, of the rank with the most.
  struct Call {
    std::size_t sent, received;
  };

  MirroredRank(std::int32_t rank, std::int32_t ranks) {
    collective_.struct_size = sizeof collective_;
    collective_.rank = rank;
    collective_.ranks = ranks;
    collective_.user = this;
    collective_.exchange = [](const void* send, const std::size_t* send_sizes, void* receive,
                              const std::size_t* receive_sizes, void* user) {
      return static_cast<MirroredRank*>(user)->exchange(static_cast<const unsigned char*>(send), send_sizes,
                                                        static_cast<unsigned char*>(receive), receive_sizes);
    };
    collective_.gather = [](const void* send, void* receive, const std::size_t* receive_sizes, void* user) {
      return static_cast<MirroredRank*>(user)->gather(static_cast<const unsigned char*>(send),
                                                      static_cast<unsigned char*>(receive), receive_sizes);
    };
  }
  MirroredRank(const MirroredRank&) = delete;
  MirroredRank& operator=(const MirroredRank&) = delete;

  const rnn_collective_t& collective() const { return collective_; }
  // The newest first.
  const Call& call_before(std::size_t i) const { return calls_[calls_.size() - 1 - i]; }
  // The rank, but rank 0, to which the last exchange sent most.
  std::int32_t largest() const { return largest_; }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(collective_.ranks); }
  std::size_t rank() const { return static_cast<std::size_t>(collective_.rank); }

  // All ranks send the same sizes, since each has one lane.
  std::int32_t exchange(const unsigned char* send, const std::size_t* send_sizes, unsigned char* receive,
                        const std::size_t* receive_sizes) {
    const std::size_t* const end = send_sizes + ranks();
    const std::size_t all = std::accumulate(send_sizes, end, std::size_t{0});
    calls_.push_back(
        {all - *std::min_element(send_sizes, end), (ranks() - 1) * *std::max_element(send_sizes, end)});
    largest_ = static_cast<std::int32_t>(std::max_element(send_sizes + 1, end) - send_sizes);
    const std::size_t before = std::accumulate(send_sizes, send_sizes + rank(), std::size_t{0});
    copy_for_all(send + before, send_sizes[rank()], receive, receive_sizes);
    return 0;
  }

  std::int32_t gather(const unsigned char* send, unsigned char* receive, const std::size_t* receive_sizes) {
    const std::size_t* const end = receive_sizes + ranks();
    const std::size_t all = std::accumulate(receive_sizes, end, std::size_t{0});
    calls_.push_back(
        {(ranks() - 1) * *std::max_element(receive_sizes, end), all - *std::min_element(receive_sizes, end)});
    const std::size_t size = receive_sizes[rank()];
    if (size == sizeof collective_.rank && std::memcmp(send, &collective_.rank, size) == 0) {
      // At their start the ranks tell each other their numbers.
      for (std::int32_t r = 0; r < collective_.ranks; ++r, receive += size) std::memcpy(receive, &r, size);
      return 0;
    }
    copy_for_all(send, size, receive, receive_sizes);
    return 0;
  }

  // What others have more of than this rank, is zeros.
  void copy_for_all(const unsigned char* send, std::size_t size, unsigned char* receive,
                    const std::size_t* receive_sizes) const {
    for (std::size_t r = 0; r < ranks(); receive += receive_sizes[r++]) {
      const std::size_t copied = std::min(size, receive_sizes[r]);
      if (copied > 0) std::memcpy(receive, send, copied);
      std::fill(receive + copied, receive + receive_sizes[r], static_cast<unsigned char>(0));
    }
  }

  rnn_collective_t collective_ = {};
  std::vector<Call> calls_;
  std::int32_t largest_ = 0;
};

void run(benchmark::State& state, rnn::Trainer trainer, const Text& text) {
  trainer.update(text.sequences());  // makes room
  for (auto _ : state) trainer.update(text.sequences());
}

void run_alone(benchmark::State& state, const Update& update) {
  run(state, trainer(update), Text(kCharacters, update.B, update.T));
  state.counters["workers"] = update.threads;
}

// The rank with the largest slice of the values. An update's calls are an exchange, of gradients, and three gathers: of
// facts, of values, of votes on whether all is well. rnn_trainer_update makes small ones before, which rnn_train does
// not.
void run_mirrored(benchmark::State& state, const Update& update) {
  const Text text(kCharacters, update.B, update.T);
  MirroredRank last(update.lanes - 1, update.lanes);
  trainer(update, &last.collective()).update(text.sequences());
  MirroredRank rank(last.largest(), update.lanes);
  run(state, trainer(update, &rank.collective()), text);
  state.counters["workers"] = update.threads;
  std::size_t before = 4;
  for (const char* call : {"gradients", "facts", "values", "votes"}) {
    const auto& [sent, received] = rank.call_before(--before);
    state.counters[std::string(call) + "_sent"] = static_cast<double>(sent);
    state.counters[std::string(call) + "_received"] = static_cast<double>(received);
  }
}

// Each rank on a thread. The others go on until rank 0 has done, without which their updates fail.
void run_ranks(benchmark::State& state, const Update& update, std::int32_t ranks) {
  const Text text(kCharacters, update.B, update.T);
  rnn::training_test::ThreadRanks(ranks).run([&](const rnn_collective_t& collective) {
    rnn::Trainer own = trainer(update, &collective);
    if (collective.rank == 0) return run(state, std::move(own), text);
    try {
      for (;;) own.update(text.sequences());
    } catch (const rnn::exception&) {
    }
  });
  state.counters["workers"] = ranks * update.threads;
}

void add(const std::string& name, const Update& update) {
  benchmark::RegisterBenchmark(name.c_str(), run_alone, update);
}

std::string name(const char* kind, const Shape& shape) {
  return std::string(kind) + "/lstm/" + std::to_string(shape.H) + "x" + std::to_string(shape.L) + "/";
}

}  // namespace

void register_benchmarks() {
  for (const Shape& shape : kShapes) {
    const std::string title = name("scaling", shape);
    for (std::size_t B = 1; B <= 64; B *= 2)
      add(title + "batch" + std::to_string(B), {shape, kSteps, B, 1, 1});
    for (const std::int32_t lanes : {1, 2})
      add(title + "step/lanes" + std::to_string(lanes),
          {shape, 1, static_cast<std::size_t>(lanes), lanes, 1});
    for (std::int32_t ranks = 2; ranks <= kMostRanks; ranks *= 2) {
      const Update update = {shape, 1, static_cast<std::size_t>(ranks), ranks, 1};
      benchmark::RegisterBenchmark((title + "step/ranks" + std::to_string(ranks)).c_str(), run_mirrored,
                                   update);
    }
  }
  for (const std::size_t H : {256, 512}) {
    const Shape shape = {H, 1};
    const std::string title = name("ranks", shape);
    add(title + "threads1", {shape, kSteps, 64, 2, 1});
    add(title + "threads2", {shape, kSteps, 64, 2, 2});
    const Update update = {shape, kSteps, 64, 2, 1};
    benchmark::RegisterBenchmark((title + "ranks2").c_str(), run_ranks, update, 2)->UseRealTime();
  }
}

}  // namespace bench

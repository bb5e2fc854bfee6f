#include "bench/workloads.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/agreement.h"
#include "bench/common.h"
#include "bench/work.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// A character model of 65 characters reads indices, and once more numbers; all others numbers.
constexpr Size kStepSizes[] = {{1, 16, 1, false},       {1, 40, 1, false},        {65, 128, 65, true},
                               {65, 128, 65, false},    {128, 256, 128, false},   {256, 512, 256, false},
                               {512, 1024, 512, false}, {1024, 2048, 1024, false}};
constexpr Size kStreamSizes[] = {{1, 16, 1, false},
                                 {65, 128, 65, true},
                                 {65, 128, 65, false},
                                 {128, 256, 128, false},
                                 {256, 512, 256, false}};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// 1 and 2, and what else the machine has of these.
std::vector<int> thread_counts() {
  std::vector<int> result = {1, 2};
  for (const int n : {4, 8, 16})
    if (n <= static_cast<int>(std::thread::hardware_concurrency())) result.push_back(n);
  return result;
}

std::string name(const char* kind, const Peer& peer, const Cell& cell, const Size& size) {
  return std::string(kind) + "/" + peer.name + "/" + cell.name + "/" + std::to_string(size.I) + "x" +
         std::to_string(size.H) + "x" + std::to_string(size.O) +
         (size.I == 65 && !size.by_index ? "/dense" : "");
}

// The weights that a step reads: an index selects one column of W_ih.
std::size_t weight_bytes(const Peer& peer, const InferenceWork& work) {
  const Size& size = work.size;
  const std::size_t inputs = size.by_index ? std::min(work.T * work.N, size.I) : size.I;
  const std::size_t bytes =
      work.cell.gates * packed_bytes(size.H, inputs + size.H) + packed_bytes(size.O, size.H);
  return bytes / 4 * peer.weight_bytes;
}

double flops(const InferenceWork& work) {
  const Size& size = work.size;
  const std::size_t columns = (size.by_index ? 0 : size.I) + size.H;
  return 2.0 * static_cast<double>(work.T * work.N) *
         static_cast<double>(work.cell.gates * size.H * columns + size.O * size.H);
}

// Multiply-adds that are needed: forward W_hh, the head and W_ih of all layers but the first, whose inputs
// are indices; backward each twice, for the gradients of vectors and of weights.
double flops(const TrainingWork& work) {
  const std::size_t weights = work.cell.gates * work.H * work.H * (2 * work.L - 1) + work.H * work.V;
  return 3.0 * 2.0 * static_cast<double>(weights * work.B * work.T);
}

// Rates by this thread's time, or by the wall clock where others work with it.
void count(benchmark::State& state, double flops, double steps, int threads, double seconds) {
  count_flops(state, flops);
  state.counters["steps_per_second"] =
      benchmark::Counter(steps, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["workers"] = threads;
  if (threads == 1) return;
  const double rate = static_cast<double>(state.iterations()) / seconds;
  state.counters["FLOPS"] = flops * rate;
  state.counters["steps_per_second"] = steps * rate;
}

template <class Work>
void check_once(const Peer& peer, const Work& work, const std::string& name) {
  static std::set<std::string> checked;
  if (!checked.insert(name).second) return;
  const std::string text = difference(peer, work);
  if (text.empty()) return;
  std::fprintf(stderr, "%s does not compute what librnn computes: %s\n", name.c_str(), text.c_str());
  std::exit(1);
}

// Calls measure(call), where call(i) does the i-th call; or skips what the peer has not.
template <class Measure>
void with_calls(benchmark::State& state, const Peer& peer, const InferenceWork& work,
                const Measure& measure) {
  const auto [I, H, O, by_index] = work.size;
  const std::unique_ptr<Inference> inference =
      peer.make_inference(model(work.cell, I, H, O, 1), work.T, work.N, work.threads);
  if (inference == nullptr) return state.SkipWithError("not offered");
  // Some inputs in turn, but not so many that they push weights out of the cache.
  const Inputs inputs(work.size, work.T, work.N, work.T * work.N > 1 ? 2 : 64, inference->batch_first());
  std::vector<float> y(work.T * work.N * O);
  Inference* const run = inference.get();
  float* const out = y.data();
  if (by_index && run->takes_indices())
    measure([&inputs, run, out](std::size_t i) { run->run(inputs.indices(i), out); });
  else
    measure([&inputs, run, out](std::size_t i) { run->run(inputs.x(i), out); });
  benchmark::DoNotOptimize(y.data());
}

void add_inference(const Peer& peer, const InferenceWork& work, const std::string& name, bool check) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (check) check_once(peer, work, name);
    with_calls(state, peer, work, [&](const auto& call) {
      std::size_t i = 0;
      const Clock::time_point start = Clock::now();
      for (auto _ : state) call(i++);
      count(state, flops(work), static_cast<double>(work.T * work.N), work.threads, seconds_since(start));
      if (work.T == 1) count_bytes(state, weight_bytes(peer, work));
    });
  });
  if (work.T == 1) register_read_limit(weight_bytes(peer, work));
}

// A call is timed by itself. To read the clock costs 20 to 50 ns, so short calls are timed in groups that
// take a microsecond; such a group hides how uneven its calls are. One iteration is half a second of calls:
// enough for a p99.9 of all but the largest sizes.
template <class Call>
void measure_latency(benchmark::State& state, const Call& call) {
  constexpr double kShortest = 1e-6, kTotal = 0.5;
  constexpr std::size_t kTrial = 200;
  std::size_t i = 0;
  const auto time = [&](std::size_t group) {
    const Clock::time_point start = Clock::now();
    for (const std::size_t end = i + group; i < end; ++i) call(i);
    return seconds_since(start) / static_cast<double>(group);
  };
  time(kTrial);
  const double typical = time(kTrial);
  const std::size_t group = static_cast<std::size_t>(std::ceil(std::max(1.0, kShortest / typical)));
  std::vector<double> times(1'000'000);  // filled here: no page faults between calls
  std::size_t count = 0;
  for (auto _ : state)
    for (const Clock::time_point start = Clock::now(); count < times.size() && seconds_since(start) < kTotal;)
      times[count++] = time(group);
  times.resize(count);
  std::sort(times.begin(), times.end());
  const auto quantile = [&](double q) {
    return times[static_cast<std::size_t>(q * static_cast<double>(count - 1))];
  };
  state.counters["p50"] = quantile(0.5);
  state.counters["p99"] = quantile(0.99);
  state.counters["p999"] = quantile(0.999);
  state.counters["calls"] = static_cast<double>(group);  // timed together
}

void add_training(const Peer& peer, const TrainingWork& work, const std::string& name, bool check) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (check) check_once(peer, work, name);
    const TrainingText text(work);
    const std::unique_ptr<Training> training =
        peer.make_training(model(work.cell, work.V, work.H, work.V, work.L), text.batch(), work.threads);
    if (training == nullptr) return state.SkipWithError("not offered");
    training->update();  // makes room
    const Clock::time_point start = Clock::now();
    for (auto _ : state) training->update();
    count(state, flops(work), static_cast<double>(work.T * work.B), work.threads, seconds_since(start));
  });
}

std::string training_name(const Peer& peer, const TrainingWork& work, const std::string& steps) {
  return "train/" + peer.name + "/" + work.cell.name + "/" + std::to_string(work.H) + "x" +
         std::to_string(work.L) + steps + "/batch" + std::to_string(work.B) + "/threads" +
         std::to_string(work.threads);
}

}  // namespace

void register_steps(const Peer& peer, bool check) {
  if (peer.make_inference == nullptr) return;
  for (const Cell& cell : kCells)
    for (const Size& size : kStepSizes)
      add_inference(peer, {cell, size, 1, 1, 1}, name("step", peer, cell, size), check);
}

void register_latencies(const Peer& peer, bool check) {
  if (peer.make_inference == nullptr) return;
  for (const Cell& cell : kCells) {
    for (const Size& size : kStepSizes) {
      const InferenceWork work = {cell, size, 1, 1, 1};
      const std::string title = name("latency", peer, cell, size);
      const auto run = [=](benchmark::State& state) {
        if (check) check_once(peer, work, title);
        with_calls(state, peer, work, [&](const auto& call) { measure_latency(state, call); });
      };
      benchmark::RegisterBenchmark(title.c_str(), run);
    }
  }
}

void register_streams(const Peer& peer, bool check) {
  if (peer.make_inference == nullptr) return;
  for (const Cell& cell : kCells) {
    for (const Size& size : kStreamSizes) {
      for (const std::size_t N : {16, 64, 256}) {
        for (const int threads : thread_counts()) {
          if (size.H < 100 && threads > 1) continue;
          const std::string suffix = threads > 1 ? "/threads" + std::to_string(threads) : "";
          add_inference(peer, {cell, size, 1, N, threads},
                        name("streams", peer, cell, size) + "/" + std::to_string(N) + suffix, check);
        }
      }
    }
  }
}

void register_sequences(const Peer& peer, bool check) {
  if (peer.make_inference == nullptr) return;
  for (const Cell& cell : kCells)
    for (const Size& size : kStreamSizes)
      for (const std::size_t N : {1, 32})
        for (const int threads : thread_counts())
          if (size.H > 100)
            add_inference(peer, {cell, size, 100, N, threads},
                          name("sequence", peer, cell, size) + "/T100xB" + std::to_string(N) + "/threads" +
                              std::to_string(threads),
                          check);
}

void register_training(const Peer& peer, bool check) {
  if (peer.make_training == nullptr) return;
  for (const Cell& cell : kCells)
    for (const std::size_t L : {1, 2})
      for (const std::size_t H : {128, 256, 512})
        for (const int threads : thread_counts()) {
          const TrainingWork work = {cell, 65, H, L, 100, 64, threads};
          add_training(peer, work, training_name(peer, work, ""), check);
        }
}

void register_small_training(const Peer& peer) {
  for (const Cell& cell : kCells)
    for (const std::size_t H : {3, 16, 31})
      for (const std::size_t T : {1, 10})
        for (const std::size_t B : {1, 2, 8}) {
          const TrainingWork work = {cell, 8, H, 1, T, B, 1};
          add_training(peer, work, training_name(peer, work, "/T" + std::to_string(T)), false);
        }
}

void register_lanes(const Peer& peer) {
  for (const Cell& cell : kCells)
    for (const std::size_t H : {16, 32, 64})
      for (const int threads : thread_counts()) {
        const TrainingWork work = {cell, 65, H, 1, 100, 64, threads};
        add_training(peer, work, training_name(peer, work, ""), false);
      }
}

}  // namespace bench

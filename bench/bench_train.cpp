// One update of a character model by rnn_trainer_update, beside the naive one: 65 characters, 100 steps, a
// batch of 64 sequences, Adam.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/common.h"
#include "bench/networks.h"

namespace bench {
namespace {

constexpr std::size_t kCharacters = 65, kSteps = 100, kBatch = 64;

struct Size {
  Cell cell;
  std::size_t H, L;
};

// Multiply-adds that are needed: forward W_hh, the head and W_ih of all layers but the first, whose inputs
// are indices; backward each twice, for the gradients of vectors and of weights.
double flops(const Size& size) {
  const std::size_t weights = size.cell.gates * size.H * size.H * (2 * size.L - 1) + size.H * kCharacters;
  return 3.0 * 2.0 * static_cast<double>(weights * kBatch * kSteps);
}

// Rates by the wall clock: the time of other threads is not this thread's.
template <class Update>
void run_updates(benchmark::State& state, const Size& size, std::size_t threads, const Update& update) {
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) update();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  const double rate = static_cast<double>(state.iterations()) / time.count();
  state.counters["flops"] = flops(size);
  state.counters["FLOPS"] = flops(size) * rate;
  state.counters["steps_per_second"] = static_cast<double>(kBatch * kSteps) * rate;
  state.counters["workers"] = static_cast<double>(threads);
}

void library_train(benchmark::State& state, Size size, std::size_t threads) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.fresh_windows = 1;
  options.threads = static_cast<std::int32_t>(threads);
  rnn::Trainer trainer(make_network(size.cell, kCharacters, size.H, kCharacters, size.L), &options);
  const Text text(kCharacters, kBatch, kSteps);
  const rnn_sequences_t batch = text.sequences();
  trainer.update(batch);  // makes room
  run_updates(state, size, threads, [&] { trainer.update(batch); });
}

void naive_train(benchmark::State& state, Size size) {
  naive::Network network =
      naive_copy(size.cell, make_network(size.cell, kCharacters, size.H, kCharacters, size.L));
  naive::Trainer trainer(network, 0.001f);
  const Text text(kCharacters, kBatch, kSteps);
  run_updates(state, size, 1,
              [&] { trainer.update(text.indices.data(), text.classes.data(), kBatch, kSteps); });
}

std::string name(const char* side, const Size& size, std::size_t threads) {
  return "train/" + std::string(side) + "/" + size.cell.name + "/" + std::to_string(size.H) + "x" +
         std::to_string(size.L) + "/batch" + std::to_string(kBatch) + "/threads" + std::to_string(threads);
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  const std::set<std::size_t> threads = {1, 2, std::thread::hardware_concurrency()};
  for (const Cell& cell : kCells) {
    for (const std::size_t L : {1, 2}) {
      for (const std::size_t H : {128, 256, 512}) {
        const Size size = {cell, H, L};
        for (const std::size_t n : threads)
          if (n > 0) benchmark::RegisterBenchmark(name("rnn", size, n).c_str(), library_train, size, n);
        benchmark::RegisterBenchmark(name("naive", size, 1).c_str(), naive_train, size);
      }
    }
  }
}

}  // namespace bench

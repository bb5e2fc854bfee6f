// Inference of networks with a head, through the C ABI: single steps beside the naive ones, their latency,
// blocks of steps beside loops of steps, many streams, whole sequences.
#include <cstddef>
#include <string>
#include <vector>

#include "bench/common.h"
#include "bench/networks.h"
#include "bench/sides.h"
#include "bench/workloads.h"

namespace bench {
namespace {

struct BlockSize {
  std::size_t I, H, O;
};
constexpr BlockSize kBlockSizes[] = {{1, 16, 1}, {1, 40, 1}, {65, 128, 65}, {128, 256, 128}, {256, 512, 256}};

void register_block(const Cell& cell, const BlockSize& size, std::size_t steps, bool by_block) {
  const std::string name = std::string("block/") + (by_block ? "rnn" : "loop") + "/" + cell.name + "/" +
                           std::to_string(size.I) + "x" + std::to_string(size.H) + "x" +
                           std::to_string(size.O) + "/" + std::to_string(steps);
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    rnn::Network network = make_network(cell, size.I, size.H, size.O);
    network.reserve_block(steps);
    const std::vector<float> x = uniform(steps * size.I, -1.0f, 1.0f);
    std::vector<float> y(steps * size.O);
    for (auto _ : state) {
      if (by_block) {
        network.step_block(x.data(), steps, y.data());
      } else {
        for (std::size_t t = 0; t < steps; ++t) network.step(&x[t * size.I], &y[t * size.O]);
      }
    }
    benchmark::DoNotOptimize(y.data());
    state.counters["steps_per_second"] =
        benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsIterationInvariantRate);
  });
}

void register_blocks() {
  for (const Cell& cell : kCells)
    for (const BlockSize& size : kBlockSizes)
      for (const std::size_t steps : {1, 16, 64, 512})
        for (const bool by_block : {false, true}) register_block(cell, size, steps, by_block);
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  register_steps(librnn_side());
  register_steps(bf16_side());
  register_steps(int8_side());
  register_steps(naive_side());
  register_latencies(librnn_side());
  register_blocks();
  register_streams(librnn_side());
  register_sequences(librnn_side());
}

}  // namespace bench

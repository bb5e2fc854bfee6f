// One step of a network with a head, through the C ABI, beside the naive one. The weights stay in the
// cache. Networks of 65 inputs read indices (a character model), and once more numbers; all others numbers.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/common.h"
#include "bench/networks.h"

namespace bench {
namespace {

struct Size {
  std::size_t I, H, O;
  bool by_index;
};
constexpr Size kSizes[] = {{1, 16, 1, false},      {1, 40, 1, false},      {65, 128, 65, true},
                           {65, 128, 65, false},   {128, 256, 128, false}, {256, 512, 256, false},
                           {512, 1024, 512, false}};

constexpr std::size_t kInputs = 64;  // that a benchmark takes in turn

// The weights that a step reads: an index selects one column of W_ih.
std::size_t weight_bytes(const Cell& cell, const Size& size) {
  return cell.gates * packed_bytes(size.H, (size.by_index ? 1 : size.I) + size.H) +
         packed_bytes(size.O, size.H);
}

void count_step(benchmark::State& state, const Cell& cell, const Size& size) {
  const std::size_t columns = (size.by_index ? 0 : size.I) + size.H;
  count_flops(state, 2.0 * static_cast<double>(cell.gates * size.H * columns + size.O * size.H));
  count_bytes(state, weight_bytes(cell, size));
  state.counters["steps_per_second"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

// Calls step(index, y) or step(x, y).
template <class Step>
void run_steps(benchmark::State& state, const Cell& cell, const Size& size, const Step& step) {
  std::vector<float> y(size.O);
  std::size_t i = 0;
  if (size.by_index) {
    const Text text(size.I, 1, kInputs);
    for (auto _ : state) step(text.indices[i++ % kInputs], y.data());
  } else {
    const std::vector<float> x = uniform(kInputs * size.I, -1.0f, 1.0f);
    for (auto _ : state) step(&x[i++ % kInputs * size.I], y.data());
  }
  benchmark::DoNotOptimize(y.data());
  count_step(state, cell, size);
}

struct LibraryStep {
  rnn_t* rnn;
  void operator()(std::int32_t index, float* y) const { rnn_step_index(rnn, index, y); }
  void operator()(const float* x, float* y) const { rnn_step(rnn, x, y); }
};

void library_step(benchmark::State& state, Cell cell, Size size) {
  const rnn::Network network = make_network(cell, size.I, size.H, size.O);
  run_steps(state, cell, size, LibraryStep{network.get()});
}

void naive_step(benchmark::State& state, Cell cell, Size size) {
  const naive::Network network = naive_copy(cell, make_network(cell, size.I, size.H, size.O));
  naive::Stream stream(network);
  run_steps(state, cell, size, [&](auto x, float* y) { stream.step(x, y); });
}

std::string name(const char* side, const Cell& cell, const Size& size) {
  return "step/" + std::string(side) + "/" + cell.name + "/" + std::to_string(size.I) + "x" +
         std::to_string(size.H) + "x" + std::to_string(size.O) +
         (size.I == 65 && !size.by_index ? "/dense" : "");
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  for (const Cell& cell : kCells) {
    for (const Size& size : kSizes) {
      benchmark::RegisterBenchmark(name("rnn", cell, size).c_str(), library_step, cell, size);
      benchmark::RegisterBenchmark(name("naive", cell, size).c_str(), naive_step, cell, size);
      register_read_limit(weight_bytes(cell, size));
    }
  }
}

}  // namespace bench

#include "bench/common.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/networks.h"
#include "lib/kernels/dispatch.h"

namespace bench {
namespace {

constexpr std::size_t kFmaCount = 1000;

void fma_limit(benchmark::State& state) {
  const std::vector<float> starts = uniform(kFmaStarts, -1.0f, 1.0f);
  for (auto _ : state) benchmark::DoNotOptimize(machine().fma(kFmaCount, starts.data()));
  count_flops(state, static_cast<double>(kFmaCount * machine().fma_flops));
}

void read_limit(benchmark::State& state, std::size_t bytes) {
  constexpr std::size_t block = kReadBlock * sizeof(float);
  const std::size_t n = (bytes + block - 1) / block * kReadBlock;
  const Floats x = uniform_floats(n);
  for (auto _ : state) benchmark::DoNotOptimize(machine().read(x.data(), n));
  count_bytes(state, n * sizeof(float));
}

}  // namespace

void count_flops(benchmark::State& state, double flops) {
  state.counters["FLOPS"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["flops"] = flops;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
  state.counters["bytes"] = static_cast<double>(bytes);
}

void register_fma_limit() { benchmark::RegisterBenchmark("limit/fma", fma_limit); }

void register_read_limit(std::size_t bytes) {
  static std::set<std::size_t> registered;
  if (!registered.insert(bytes).second) return;
  benchmark::RegisterBenchmark(("limit/read/" + std::to_string(bytes)).c_str(), read_limit, bytes);
}

std::size_t packed_bytes(std::size_t rows, std::size_t depth) {
  const std::size_t lanes = rnn::kernels::table()->lanes;
  return (rows + lanes - 1) / lanes * lanes * depth * sizeof(float);
}

Floats uniform_floats(std::size_t n, float low, float high) {
  Floats result(rnn::Allocator(), n);
  const std::vector<float> values = uniform(n, low, high);
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

}  // namespace bench

int main(int argc, char** argv) {
  const rnn::kernels::Table* table = rnn::kernels::table();
  if (table == nullptr) {
    std::fprintf(stderr, "RNN_ISA is %s; this CPU and build do not have it\n", rnn::kernels::requested());
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("isa", table->name);
#if defined(__clang__)
  benchmark::AddCustomContext("compiler", __VERSION__);
#else
  benchmark::AddCustomContext("compiler", "GCC " __VERSION__);
#endif
  benchmark::AddCustomContext("librnn", rnn_version());
  // What scripts/bench was called with, for its report.
  if (const char* command = std::getenv("RNN_BENCH_COMMAND")) benchmark::AddCustomContext("command", command);
  bench::register_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

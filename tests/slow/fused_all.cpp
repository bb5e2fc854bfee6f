// A thousand million random fused multiply-adds, in every table, against std::fma.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "lib/kernels/dispatch.h"
#include "tests/kernels/fused.h"

namespace rnn::kernels {
namespace {

constexpr std::size_t kTriples = 100000;
constexpr std::uint64_t kBlocks = 10000, kFirstSeed = 1000000;

int run() {
  const std::vector<const Table*> tables(all().begin, all().end);
  std::atomic<std::uint64_t> next{0}, wrong{0};
  const auto work = [&] {
    for (std::uint64_t block = next++; block < kBlocks; block = next++) {
      const Triples t = random_triples(kTriples, kFirstSeed + block);
      const std::vector<float> expected = by_library(t);
      for (const Table* table : tables) {
        for (const std::vector<float>& found : {by_vectors(*table, t), by_products(*table, t)}) {
          const std::size_t i = first_difference(found, expected);
          if (i == found.size()) continue;
          ++wrong;
          std::printf("%s: %a * %a + %a is %a, not %a\n", table->name, static_cast<double>(t.a[i]),
                      static_cast<double>(t.b[i]), static_cast<double>(t.c[i]),
                      static_cast<double>(expected[i]), static_cast<double>(found[i]));
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::printf("%zu tables, %llu triples, %llu blocks wrong\n", tables.size(),
              static_cast<unsigned long long>(kTriples * kBlocks),
              static_cast<unsigned long long>(wrong.load()));
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rnn::kernels

int main() { return rnn::kernels::run(); }

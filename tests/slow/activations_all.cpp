// The activations over all 2^32 floats, in every table. Prints the largest errors, which the table at the top
// of activations-inl.h states.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "lib/kernels/dispatch.h"
#include "tests/kernels/accuracy.h"

namespace rnn::kernels {
namespace {

void add(Measured& total, const Measured& part) {
  if (part.ulp > total.ulp) {
    total.ulp = part.ulp;
    total.where = part.where;
  }
  if (total.wrong == 0) total.wrong_where = part.wrong_where;
  total.wrong += part.wrong;
  total.different += part.different;
}

int run() {
  const std::vector<const Table*> tables(all().begin, all().end);
  const std::uint64_t count = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::vector<std::vector<Measured>>> parts(count);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      constexpr std::uint64_t end = std::uint64_t{1} << 32;
      parts[i] = measure(tables, end * i / count, end * (i + 1) / count, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();

  bool good = true;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    for (std::size_t a = 0; a < kActivations.size(); ++a) {
      Measured total;
      for (const auto& part : parts) add(total, part[t][a]);
      const bool passed = total.ulp <= kActivations[a].ulp && total.wrong == 0 && total.different == 0;
      std::printf("%-7s %-8s %.4f ULP at %a, wrong %llu at %a, different %llu%s\n", tables[t]->name,
                  kActivations[a].name, total.ulp, static_cast<double>(total.where),
                  static_cast<unsigned long long>(total.wrong), static_cast<double>(total.wrong_where),
                  static_cast<unsigned long long>(total.different), passed ? "" : "  FAILED");
      good = good && passed;
    }
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace rnn::kernels

int main() { return rnn::kernels::run(); }

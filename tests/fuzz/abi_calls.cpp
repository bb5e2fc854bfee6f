// Random sequences of calls of the C ABI, valid and not, in any floating-point mode and while memory runs
// out, beside a model of what each must answer.
//
//   abi_calls [SEED [SEQUENCES [CALLS]]]     1000 sequences of 60 calls from seed 1 by default
//   abi_calls SEED 0 [CALLS]                 says each call of one sequence before it is made
//
// A sequence that fails is made again with fewer calls, as long as it fails; then its seed and calls are
// shown.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "tests/fuzz/abi_world.h"

namespace {

struct Outcome {
  std::string failure;  // empty: none
  std::size_t call = 0;
  std::vector<std::string> trace;
};

Outcome run(std::uint64_t seed, std::size_t calls, const std::set<std::size_t>& left_out, bool speaks) {
  Outcome outcome;
  const std::size_t blocks = fuzz::Heap::blocks();
  {
    fuzz::World world(outcome.trace);
    try {
      for (std::size_t i = 0; i < calls; ++i) {
        if (left_out.count(i) != 0) continue;
        outcome.call = i;
        outcome.trace.push_back(std::to_string(i) + ":");
        if (speaks) std::fprintf(stderr, "%zu\n", i);
        world.call(fuzz::Random(seed ^ (i + 1) * 0xd1342543de82ef95u).bits());
        world.check();
        if (speaks) std::fprintf(stderr, "%s\n", outcome.trace.back().c_str());
      }
    } catch (const fuzz::Failure& failure) {
      fuzz::Heap::fail_after(-1);
      outcome.failure = failure.what();
    }
  }
  if (outcome.failure.empty() && fuzz::Heap::blocks() != blocks) outcome.failure = "memory was not returned";
  return outcome;
}

// Leaves out what the failure does not need.
Outcome shrink(std::uint64_t seed, Outcome failing) {
  std::set<std::size_t> left_out;
  const std::size_t calls = failing.call + 1;
  for (bool shrunk = true; shrunk;) {
    shrunk = false;
    for (std::size_t i = calls; i-- > 0;) {
      if (!left_out.insert(i).second) continue;
      Outcome outcome = run(seed, calls, left_out, false);
      if (outcome.failure.empty()) {
        left_out.erase(i);
      } else {
        failing = std::move(outcome);
        shrunk = true;
      }
    }
  }
  return failing;
}

std::uint64_t number(int argc, char** argv, int i, std::uint64_t otherwise) {
  return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t first = number(argc, argv, 1, 1), sequences = number(argc, argv, 2, 1000);
  const auto calls = static_cast<std::size_t>(number(argc, argv, 3, 60));
  for (std::uint64_t seed = first; seed < first + (sequences != 0 ? sequences : 1); ++seed) {
    const Outcome outcome = run(seed, calls, {}, sequences == 0);
    if (outcome.failure.empty()) continue;
    std::fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, outcome.failure.c_str());
    const Outcome least = shrink(seed, outcome);
    std::fprintf(stderr, "with fewer calls: %s\n", least.failure.c_str());
    for (const std::string& line : least.trace) std::fprintf(stderr, "  %s\n", line.c_str());
    return 1;
  }
  std::printf("%" PRIu64 " sequences of %zu calls\n", sequences, calls);
  return 0;
}

#include "lib/kernels/dispatch.h"

#include <cstdlib>
#include <cstring>

namespace rnn::kernels {

#if defined(__x86_64__)
extern const Table sse2_table;
extern const Table avx2_table;
extern const Table avx512_table;
#else
extern const Table neon_table;
#endif

namespace {

// The tables that this CPU and its operating system can run, worst first. To add an ISA: its table here, with
// a test of exactly the flags that meson.build compiles it with.
struct Available {
  const Table* tables[3];
  std::size_t count = 0;

  Available() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    tables[count++] = &sse2_table;
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2) tables[count++] = &avx2_table;
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
      tables[count++] = &avx512_table;
#else
    tables[count++] = &neon_table;
#endif
  }
};

const Available& available() {
  static const Available instance;
  return instance;
}

const Table* choose() {
  const TableList list = all();
  if (requested() == nullptr) return list.end[-1];
  for (const Table* const* i = list.begin; i != list.end; ++i)
    if (std::strcmp((*i)->name, requested()) == 0) return *i;
  return nullptr;
}

}  // namespace

TableList all() { return {available().tables, available().tables + available().count}; }

const Table* table() {
  static const Table* const chosen = choose();
  return chosen;
}

const char* requested() {
  static const char* const value = std::getenv("RNN_ISA");
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace rnn::kernels

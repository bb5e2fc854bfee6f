#include "bench/machine.h"

#include <algorithm>
#include <cstring>

#include "lib/kernels/dispatch.h"

namespace bench {

#if defined(__x86_64__)
extern const Machine sse2_machine;
extern const Machine avx2_machine;
extern const Machine avx512_machine;
#else
extern const Machine neon_machine;
#endif

const Machine& machine() {
#if defined(__x86_64__)
  const char* name = rnn::kernels::table()->name;
  if (std::strcmp(name, avx512_machine.name) == 0) return avx512_machine;
  if (std::strcmp(name, avx2_machine.name) == 0) return avx2_machine;
  return sse2_machine;
#else
  return neon_machine;
#endif
}

bool may_run(const char* isa) {
  const rnn::kernels::TableList all = rnn::kernels::all();
  const rnn::kernels::Table* const* better = std::find(all.begin, all.end, rnn::kernels::table()) + 1;
  return std::none_of(better, all.end,
                      [&](const rnn::kernels::Table* table) { return std::strcmp(table->name, isa) == 0; });
}

}  // namespace bench

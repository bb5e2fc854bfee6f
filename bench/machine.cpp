#include "bench/machine.h"

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

}  // namespace bench

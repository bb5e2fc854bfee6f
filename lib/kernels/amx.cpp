#include "lib/kernels/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rnn::kernels {

bool request_amx() noexcept {
  // Leaf 7: EDX bit 22 is AMX-BF16, 24 AMX-TILE.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned needed = 1u << 22 | 1u << 24;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & needed) != needed) return false;
  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), which fails where the kernel does not know of them.
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

}  // namespace rnn::kernels
#else
namespace rnn::kernels {

bool request_amx() noexcept { return false; }

}  // namespace rnn::kernels
#endif

#if !defined(__aarch64__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA neon
#define RNN_ARCH xsimd::neon64
#define RNN_BF16 Bf16Widened
#define RNN_INT8 Int8Widened
#include "lib/kernels/lowp_isa-inl.h"

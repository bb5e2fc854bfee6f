#if !defined(__aarch64__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA neon
#define RNN_ARCH xsimd::neon64
#include "lib/kernels/isa-inl.h"

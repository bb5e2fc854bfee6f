#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA avx2
#define RNN_ARCH xsimd::fma3<xsimd::avx2>
#define RNN_BF16 Bf16Widened
#define RNN_INT8 Int8Widened
#include "lib/kernels/lowp_isa-inl.h"

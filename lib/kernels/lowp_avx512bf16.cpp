#if !defined(__AVX512BF16__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA avx512bf16
#define RNN_ARCH xsimd::avx512bw
#define RNN_BF16 Bf16Native
#include "lib/kernels/lowp_isa-inl.h"

#if !defined(__AVX512F__) || !defined(__AVX512CD__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) || \
    !defined(__AVX512VL__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA avx512
#define RNN_ARCH xsimd::avx512bw
#define RNN_BF16 Bf16Widened
#define RNN_INT8 Int8Widened
#include "lib/kernels/lowp_isa-inl.h"

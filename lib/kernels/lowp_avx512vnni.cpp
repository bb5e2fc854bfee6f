#if !defined(__AVX512VNNI__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA avx512vnni
#define RNN_ARCH xsimd::avx512bw
#define RNN_INT8 Int8Native
#include "lib/kernels/lowp_isa-inl.h"

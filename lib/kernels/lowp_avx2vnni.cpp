#if !defined(__AVXVNNI__) || !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA avx2vnni
#define RNN_ARCH xsimd::fma3<xsimd::avx2>
#define RNN_INT8 Int8Native
#include "lib/kernels/lowp_isa-inl.h"

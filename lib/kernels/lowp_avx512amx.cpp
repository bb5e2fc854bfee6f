// Of AMX, old releases of clang define names with one underscore less.
#if !(defined(__AMX_BF16__) || defined(__AMXBF16__)) || !(defined(__AMX_TILE__) || defined(__AMXTILE__)) || \
    !defined(__AVX512BF16__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#include "lib/kernels/amx-inl.h"
#define RNN_ISA avx512amx
#define RNN_ARCH xsimd::avx512bw
#define RNN_BF16 Bf16Amx
#include "lib/kernels/lowp_isa-inl.h"

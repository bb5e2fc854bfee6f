// The same with relaxed SIMD: see xsimd-inl.h.
#if !defined(__wasm_relaxed_simd__) || !defined(__SSE2__) || defined(__AVX__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA wasm_fma
#define RNN_ARCH xsimd::sse2
#include "lib/kernels/isa-inl.h"

#if !defined(__wasm_simd128__) || defined(__wasm_relaxed_simd__) || !defined(__SSE2__) || defined(__AVX__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA wasm
#define RNN_ARCH xsimd::sse2
#define RNN_BF16 Bf16Widened
#define RNN_INT8 Int8Widened
#include "lib/kernels/lowp_isa-inl.h"

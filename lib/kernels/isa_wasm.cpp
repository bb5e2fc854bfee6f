// The kernels of SSE2 in the vectors of WebAssembly, whose instructions they are nearly one to one.
#if !defined(__wasm_simd128__) || defined(__wasm_relaxed_simd__) || !defined(__SSE2__) || defined(__AVX__)
#error "compiled without its flags: see lib/kernels/meson.build"
#endif
#define RNN_ISA wasm
#define RNN_ARCH xsimd::sse2
#include "lib/kernels/isa-inl.h"

// The yardsticks on the ISA that this unit is compiled for; see machine.h.
#include "bench/machine.h"
#include "lib/kernels/simd-inl.h"

#if defined(RNN_BENCH_SLEEF)
#include <sleef.h>
#endif

// The architecture, the object, and tanh in glibc (by the vector ABI's names) and in SLEEF.
#if defined(__AVX512F__)
using Arch = xsimd::avx512bw;
#define RNN_BENCH_MACHINE avx512_machine
#define RNN_BENCH_NAME "avx512"
#define RNN_BENCH_LIBMVEC_TANH _ZGVeN16v_tanhf
#define RNN_BENCH_SLEEF_TANH Sleef_tanhf16_u10avx512f
extern "C" __m512 RNN_BENCH_LIBMVEC_TANH(__m512);
#elif defined(__AVX2__)
using Arch = xsimd::fma3<xsimd::avx2>;
#define RNN_BENCH_MACHINE avx2_machine
#define RNN_BENCH_NAME "avx2"
#define RNN_BENCH_LIBMVEC_TANH _ZGVdN8v_tanhf
#define RNN_BENCH_SLEEF_TANH Sleef_tanhf8_u10avx2
extern "C" __m256 RNN_BENCH_LIBMVEC_TANH(__m256);
#elif defined(__SSE2__)
using Arch = xsimd::sse2;
#define RNN_BENCH_MACHINE sse2_machine
#define RNN_BENCH_NAME "sse2"
#define RNN_BENCH_LIBMVEC_TANH _ZGVbN4v_tanhf
#define RNN_BENCH_SLEEF_TANH Sleef_tanhf4_u10sse2
extern "C" __m128 RNN_BENCH_LIBMVEC_TANH(__m128);
#else
using Arch = xsimd::neon64;
#define RNN_BENCH_MACHINE neon_machine
#define RNN_BENCH_NAME "neon"
#define RNN_BENCH_SLEEF_TANH Sleef_tanhf4_u10advsimd
#endif

namespace bench {
namespace {

using namespace rnn::kernels;
using V = Vec<Arch>;

constexpr std::size_t L = lanes<Arch>;

float total(const V* v, std::size_t count) {
  V sum = v[0];
  for (std::size_t i = 1; i < count; ++i) sum = sum + v[i];
  float parts[L];
  store<Arch>(parts, sum);
  float result = 0.0f;
  for (std::size_t i = 0; i < L; ++i) result += parts[i];
  return result;
}

// Four streams: measured on Zen 4, the caches give the same for one to four, but memory half as much again
// for four as for one. Two accumulators each, eight in all, hide an addition's latency.
float read(const float* x, std::size_t n) {
  const std::size_t quarter = n / 4;
  const float *x0 = x, *x1 = x + quarter, *x2 = x + 2 * quarter, *x3 = x + 3 * quarter;
  V a0(0.0f), a1(0.0f), a2(0.0f), a3(0.0f), b0(0.0f), b1(0.0f), b2(0.0f), b3(0.0f);
  for (std::size_t i = 0; i < quarter; i += 2 * L) {
    a0 = a0 + load_aligned<Arch>(x0 + i);
    b0 = b0 + load_aligned<Arch>(x0 + i + L);
    a1 = a1 + load_aligned<Arch>(x1 + i);
    b1 = b1 + load_aligned<Arch>(x1 + i + L);
    a2 = a2 + load_aligned<Arch>(x2 + i);
    b2 = b2 + load_aligned<Arch>(x2 + i + L);
    a3 = a3 + load_aligned<Arch>(x3 + i);
    b3 = b3 + load_aligned<Arch>(x3 + i + L);
  }
  const V sums[] = {a0, a1, a2, a3, b0, b1, b2, b3};
  return total(sums, 8);
}

// Twelve chains: two units with a latency of up to five cycles, and registers to spare on every ISA. The
// starts differ, so that no two chains are the same computation.
constexpr std::size_t kChains = 12;

float fma(std::size_t count, const float* starts) {
  V c0 = load<Arch>(starts), c1 = load<Arch>(starts + L), c2 = load<Arch>(starts + 2 * L),
    c3 = load<Arch>(starts + 3 * L), c4 = load<Arch>(starts + 4 * L), c5 = load<Arch>(starts + 5 * L),
    c6 = load<Arch>(starts + 6 * L), c7 = load<Arch>(starts + 7 * L), c8 = load<Arch>(starts + 8 * L),
    c9 = load<Arch>(starts + 9 * L), c10 = load<Arch>(starts + 10 * L), c11 = load<Arch>(starts + 11 * L);
  const V factor(0.999f), term(0.001f);
  for (std::size_t i = 0; i < count; ++i) {
    c0 = vfma<Arch>(c0, factor, term);
    c1 = vfma<Arch>(c1, factor, term);
    c2 = vfma<Arch>(c2, factor, term);
    c3 = vfma<Arch>(c3, factor, term);
    c4 = vfma<Arch>(c4, factor, term);
    c5 = vfma<Arch>(c5, factor, term);
    c6 = vfma<Arch>(c6, factor, term);
    c7 = vfma<Arch>(c7, factor, term);
    c8 = vfma<Arch>(c8, factor, term);
    c9 = vfma<Arch>(c9, factor, term);
    c10 = vfma<Arch>(c10, factor, term);
    c11 = vfma<Arch>(c11, factor, term);
  }
  const V chains[] = {c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11};
  return total(chains, kChains);
}

void tanh_xsimd(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += L) store<Arch>(y + i, xsimd::tanh(load<Arch>(x + i)));
}

#if defined(RNN_BENCH_LIBMVEC)
void tanh_libmvec(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += L) store<Arch>(y + i, V(RNN_BENCH_LIBMVEC_TANH(load<Arch>(x + i))));
}
#else
constexpr ArrayFunction tanh_libmvec = nullptr;
#endif

#if defined(RNN_BENCH_SLEEF)
void tanh_sleef(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += L) store<Arch>(y + i, V(RNN_BENCH_SLEEF_TANH(load<Arch>(x + i))));
}
#else
constexpr ArrayFunction tanh_sleef = nullptr;
#endif

}  // namespace

extern const Machine RNN_BENCH_MACHINE;
const Machine RNN_BENCH_MACHINE = {RNN_BENCH_NAME, &read,        &fma,      2 * kChains* L,
                                   &tanh_xsimd,    tanh_libmvec, tanh_sleef};

}  // namespace bench

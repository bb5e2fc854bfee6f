// What the vectors of xsimd do in their own way, and what its releases lack.
//
// Fused operations: xsimd 8.1 multiplies and adds on AVX-512, and on NEON for c - a b. SSE2 has none: fused-inl.h.
// Division: on NEON xsimd 8.1 refines a reciprocal estimate, which does not round correctly.
// Minimum and maximum: between 8.1 and 14 xsimd changed which operand a NaN comes from.
// Shifts: xsimd takes run-time counts, and selects among all of them on NEON.
//
// A new ISA: a specialisation of Native, under the compiler's macro for it.
#ifndef RNN_KERNELS_XSIMD_INL_H_
#define RNN_KERNELS_XSIMD_INL_H_

#include "lib/kernels/fused-inl.h"
#include "lib/kernels/vector-inl.h"

namespace rnn::kernels {
namespace {

// What every CPU of the family has.
#if defined(__SSE2__)
using Baseline = xsimd::sse2;
#else
using Baseline = xsimd::neon64;
#endif

// Stores of the first n lanes by halves.
#if defined(__AVX2__)
inline void store_first(float* p, __m128 v, std::size_t n) noexcept {
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), v);
    v = _mm_movehl_ps(v, v);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, v);
}
inline void store_first(float* p, __m256 v, std::size_t n) noexcept {
  __m128 half = _mm256_castps256_ps128(v);
  if (n & 4) {
    _mm_storeu_ps(p, half);
    half = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  store_first(p, half, n);
}
#endif

#if defined(__SSE2__) && !defined(__FMA__)
// Four doubles: see fused-inl.h.
struct Doubles {
  __m128d low, high;

  Doubles() noexcept = default;
  Doubles(__m128d l, __m128d h) noexcept : low(l), high(h) {}
#if defined(RNN_SOFTWARE_FLUSH)
  explicit Doubles(__m128 v) noexcept : Doubles(convert(flushed(v))) {}
#else
  explicit Doubles(__m128 v) noexcept : Doubles(convert(v)) {}
#endif
  explicit Doubles(double x) noexcept : low(_mm_set1_pd(x)), high(_mm_set1_pd(x)) {}
  static Doubles convert(__m128 v) noexcept { return {_mm_cvtps_pd(v), _mm_cvtps_pd(_mm_movehl_ps(v, v))}; }
};
#if !defined(RNN_SOFTWARE_FLUSH)
inline __m128d flushed(__m128d x) noexcept { return x; }  // by the conversion
#endif
inline Doubles operator+(const Doubles& a, const Doubles& b) noexcept {
  return {_mm_add_pd(a.low, b.low), _mm_add_pd(a.high, b.high)};
}
inline Doubles operator-(const Doubles& a, const Doubles& b) noexcept {
  return {_mm_sub_pd(a.low, b.low), _mm_sub_pd(a.high, b.high)};
}
inline Doubles operator*(const Doubles& a, const Doubles& b) noexcept {
  return {_mm_mul_pd(a.low, b.low), _mm_mul_pd(a.high, b.high)};
}
inline __m128d to_odd(__m128d sum, __m128d side) noexcept {
  const __m128d above = _mm_cmplt_pd(side, _mm_setzero_pd());
  const __m128d below = _mm_cmpgt_pd(side, _mm_setzero_pd());
  const __m128i cut = _mm_add_epi64(_mm_castpd_si128(sum), _mm_castpd_si128(above));
  const __m128i inexact = _mm_srli_epi64(_mm_castpd_si128(_mm_or_pd(above, below)), 63);
  return _mm_castsi128_pd(_mm_or_si128(cut, inexact));
}
inline Doubles to_odd(const Doubles& sum, const Doubles& side) noexcept {
  return {to_odd(sum.low, side.low), to_odd(sum.high, side.high)};
}
inline __m128 to_floats(const Doubles& v) noexcept {
  return _mm_movelh_ps(_mm_cvtpd_ps(flushed(v.low)), _mm_cvtpd_ps(flushed(v.high)));
}
inline Doubles rounded_to_floats(const Doubles& v) noexcept {
  return {_mm_cvtps_pd(_mm_cvtpd_ps(flushed(v.low))), _mm_cvtps_pd(_mm_cvtpd_ps(flushed(v.high)))};
}

#if defined(__wasm_relaxed_simd__)
// a b + c, none of them subnormal: as the CPU multiplies and adds, where it does so in one. Who loads a module with
// relaxed SIMD asks first (bindings/js/src/library.js).
inline __m128 relaxed(__m128 a, __m128 b, __m128 c) noexcept {
  return (__m128)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}
inline __m128 fused(__m128 a, __m128 b, __m128 c) noexcept {
  return flushed(relaxed(a, b, c), relaxed(scaled(a), b, scaled(c)));
}
inline __m128 multiply_add(__m128 a, __m128 b, __m128 c) noexcept {
  return fused(flushed(a), flushed(b), flushed(c));
}

// Subnormals of factors, and what a sum begins with, become zeros once, and not for each product.
template <>
struct Terms<xsimd::sse2> {
  struct Factor {
    __m128 v;
    Factor() noexcept = default;
    Factor(const Vec<xsimd::sse2>& x) noexcept : v(flushed(x)) {}
    explicit Factor(float x) noexcept : v(flushed(_mm_set1_ps(x))) {}
    operator Vec<xsimd::sse2>() const noexcept { return v; }
  };
  using Sum = Factor;
  static Sum add(Factor a, Factor b, Sum sum) noexcept {
    sum.v = fused(a.v, b.v, sum.v);
    return sum;
  }
  static Sum add_bf16(Factor a, Factor b, Sum sum) noexcept { return add(a, b, sum); }
};
#else
inline __m128 multiply_add(__m128 a, __m128 b, __m128 c) noexcept {
  return fused_multiply_add<Doubles, __m128>(a, b, c);
}

template <>
struct Terms<xsimd::sse2> : DoubleTerms<Vec<xsimd::sse2>, Doubles> {};
#endif

template <>
struct Native<xsimd::sse2> : BufferedPartial<xsimd::sse2> {
  using V = Vec<xsimd::sse2>;
  using I = IntVec<xsimd::sse2>;
  static V fma(V a, V b, V c) noexcept { return multiply_add(a, b, c); }
  static V fms(V a, V b, V c) noexcept { return fma(a, b, _mm_xor_ps(c, _mm_set1_ps(-0.0f))); }
  static V fnma(V a, V b, V c) noexcept { return fma(_mm_xor_ps(a, _mm_set1_ps(-0.0f)), b, c); }
#if defined(RNN_SOFTWARE_FLUSH)
  static V div(V a, V b) noexcept { return flushed_div(a, b); }
  static V min(V c, V x) noexcept { return _mm_min_ps(flushed(c), flushed(x)); }
  static V max(V c, V x) noexcept { return _mm_max_ps(flushed(c), flushed(x)); }
  static V sqrt(V x) noexcept { return _mm_sqrt_ps(flushed(x)); }
#else
  static V div(V a, V b) noexcept { return _mm_div_ps(a, b); }
  static V min(V c, V x) noexcept { return _mm_min_ps(c, x); }
  static V max(V c, V x) noexcept { return _mm_max_ps(c, x); }
  static V sqrt(V x) noexcept { return _mm_sqrt_ps(x); }
#endif
  static V abs(V x) noexcept { return _mm_andnot_ps(_mm_set1_ps(-0.0f), x); }
  static V with_sign(V m, V x) noexcept { return _mm_or_ps(m, _mm_and_ps(x, _mm_set1_ps(-0.0f))); }
  static I bits(V x) noexcept { return _mm_castps_si128(x); }
  static V from_bits(I i) noexcept { return _mm_castsi128_ps(i); }
  template <int K>
  static I shl(I i) noexcept {
    return _mm_slli_epi32(i, K);
  }
  template <int K>
  static I shr(I i) noexcept {
    return _mm_srli_epi32(i, K);
  }
  static I exclusive_or(I a, I b) noexcept { return _mm_xor_si128(a, b); }
  static I mul(I a, I b) noexcept {
    const __m128i even = _mm_mul_epu32(a, b);
    const __m128i odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
    return _mm_unpacklo_epi32(_mm_shuffle_epi32(even, _MM_SHUFFLE(0, 0, 2, 0)),
                              _mm_shuffle_epi32(odd, _MM_SHUFFLE(0, 0, 2, 0)));
  }
  static V zero_below(I i, I limit, V x) noexcept {
    const __m128i sign = _mm_set1_epi32(INT32_MIN);  // comparisons are signed
    const __m128i below = _mm_cmplt_epi32(_mm_xor_si128(i, sign), _mm_xor_si128(limit, sign));
    return _mm_andnot_ps(_mm_castsi128_ps(below), x);
  }
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
template <>
struct Native<xsimd::fma3<xsimd::avx2>> {
  using V = Vec<xsimd::fma3<xsimd::avx2>>;
  using I = IntVec<xsimd::fma3<xsimd::avx2>>;
  static V fma(V a, V b, V c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static V fms(V a, V b, V c) noexcept { return _mm256_fmsub_ps(a, b, c); }
  static V fnma(V a, V b, V c) noexcept { return _mm256_fnmadd_ps(a, b, c); }
  static V div(V a, V b) noexcept { return _mm256_div_ps(a, b); }
  static V min(V c, V x) noexcept { return _mm256_min_ps(c, x); }
  static V max(V c, V x) noexcept { return _mm256_max_ps(c, x); }
  static V sqrt(V x) noexcept { return _mm256_sqrt_ps(x); }
  static V abs(V x) noexcept { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
  static V with_sign(V m, V x) noexcept { return _mm256_or_ps(m, _mm256_and_ps(x, _mm256_set1_ps(-0.0f))); }
  static I bits(V x) noexcept { return _mm256_castps_si256(x); }
  static V from_bits(I i) noexcept { return _mm256_castsi256_ps(i); }
  template <int K>
  static I shl(I i) noexcept {
    return _mm256_slli_epi32(i, K);
  }
  template <int K>
  static I shr(I i) noexcept {
    return _mm256_srli_epi32(i, K);
  }
  static I exclusive_or(I a, I b) noexcept { return _mm256_xor_si256(a, b); }
  static I mul(I a, I b) noexcept { return _mm256_mullo_epi32(a, b); }
  static V zero_below(I i, I limit, V x) noexcept {
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);  // comparisons are signed
    const __m256i below = _mm256_cmpgt_epi32(_mm256_xor_si256(limit, sign), _mm256_xor_si256(i, sign));
    return _mm256_andnot_ps(_mm256_castsi256_ps(below), x);
  }

#if defined(__AVX512VL__)  // narrow vectors
  static __mmask8 first(std::size_t n) noexcept { return static_cast<__mmask8>((1u << n) - 1u); }
  static V load_partial(const float* p, std::size_t n) noexcept { return _mm256_maskz_loadu_ps(first(n), p); }
  static void store_partial(float* p, V v, std::size_t n) noexcept { _mm256_mask_storeu_ps(p, first(n), v); }
#else  // a masked store is slow on Zen
  static __m256i first(std::size_t n) noexcept {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static V load_partial(const float* p, std::size_t n) noexcept { return _mm256_maskload_ps(p, first(n)); }
  static void store_partial(float* p, V v, std::size_t n) noexcept { store_first(p, v, n); }
#endif
  static void store_exact(float* p, V v, std::size_t n) noexcept { store_first(p, v, n); }
};
#endif

#if defined(__AVX512F__)
template <>
struct Native<xsimd::avx512bw> {
  using V = Vec<xsimd::avx512bw>;
  using I = IntVec<xsimd::avx512bw>;
  // The unmasked forms of some intrinsics draw a false -Wmaybe-uninitialized from GCC 12 (bug
  // 105593). A constant full mask costs nothing.
  static constexpr __mmask16 all = 0xffff;
  static V fma(V a, V b, V c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static V fms(V a, V b, V c) noexcept { return _mm512_fmsub_ps(a, b, c); }
  static V fnma(V a, V b, V c) noexcept { return _mm512_fnmadd_ps(a, b, c); }
  static V div(V a, V b) noexcept { return _mm512_div_ps(a, b); }
  static V min(V c, V x) noexcept { return _mm512_maskz_min_ps(all, c, x); }
  static V max(V c, V x) noexcept { return _mm512_maskz_max_ps(all, c, x); }
  static V sqrt(V x) noexcept { return _mm512_maskz_sqrt_ps(all, x); }
  static V abs(V x) noexcept { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x); }
  static V with_sign(V m, V x) noexcept {
    constexpr int m_or_x_and_sign = 0xf8;
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(m), _mm512_castps_si512(x),
                                                         _mm512_set1_epi32(INT32_MIN), m_or_x_and_sign));
  }
  static I bits(V x) noexcept { return _mm512_castps_si512(x); }
  static V from_bits(I i) noexcept { return _mm512_castsi512_ps(i); }
  template <int K>
  static I shl(I i) noexcept {
    return _mm512_maskz_slli_epi32(all, i, K);
  }
  template <int K>
  static I shr(I i) noexcept {
    return _mm512_maskz_srli_epi32(all, i, K);
  }
  static I exclusive_or(I a, I b) noexcept { return _mm512_xor_si512(a, b); }
  static I mul(I a, I b) noexcept { return _mm512_mullo_epi32(a, b); }
  static V zero_below(I i, I limit, V x) noexcept {
    return _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(i, limit), x);
  }

  static Vec<xsimd::fma3<xsimd::avx2>> narrow(V v) noexcept {
    return _mm512_maskz_extractf32x8_ps(0xff, v, 0);
  }

  static __mmask16 first(std::size_t n) noexcept { return static_cast<__mmask16>((1u << n) - 1u); }
  static V load_partial(const float* p, std::size_t n) noexcept { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_partial(float* p, V v, std::size_t n) noexcept { _mm512_mask_storeu_ps(p, first(n), v); }
  static void store_exact(float* p, V v, std::size_t n) noexcept {
    __m256 half = narrow(v);
    if (n & 8) {
      _mm256_storeu_ps(p, half);
      half = _mm512_maskz_extractf32x8_ps(0xff, v, 1);
      p += 8;
    }
    store_first(p, half, n);
  }
};
#endif

#if defined(__aarch64__)
template <>
struct Native<xsimd::neon64> : BufferedPartial<xsimd::neon64> {
  using V = Vec<xsimd::neon64>;
  using I = IntVec<xsimd::neon64>;
  static V fma(V a, V b, V c) noexcept { return vfmaq_f32(c, a, b); }
  static V fms(V a, V b, V c) noexcept { return vfmaq_f32(vnegq_f32(c), a, b); }
  static V fnma(V a, V b, V c) noexcept { return vfmsq_f32(c, a, b); }
  static V div(V a, V b) noexcept { return vdivq_f32(a, b); }
  static V min(V c, V x) noexcept { return vminq_f32(c, x); }
  static V max(V c, V x) noexcept { return vmaxq_f32(c, x); }
  static V sqrt(V x) noexcept { return vsqrtq_f32(x); }
  static V abs(V x) noexcept { return vabsq_f32(x); }
  static V with_sign(V m, V x) noexcept { return vbslq_f32(vdupq_n_u32(0x80000000u), x, m); }
  static I bits(V x) noexcept { return vreinterpretq_s32_f32(x); }
  static V from_bits(I i) noexcept { return vreinterpretq_f32_s32(i); }
  template <int K>
  static I shl(I i) noexcept {
    return vshlq_n_s32(i, K);
  }
  template <int K>
  static I shr(I i) noexcept {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(i), K));
  }
  static I exclusive_or(I a, I b) noexcept { return veorq_s32(a, b); }
  static I mul(I a, I b) noexcept { return vmulq_s32(a, b); }
  static V zero_below(I i, I limit, V x) noexcept {
    const uint32x4_t below = vcltq_u32(vreinterpretq_u32_s32(i), vreinterpretq_u32_s32(limit));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), below));
  }
};
#endif

// --- Four floats ------------------------------------------------------------------------------

#if defined(__SSE2__)
using Quad = __m128;
inline Quad zero_quad() noexcept { return _mm_setzero_ps(); }
inline Quad load_quad(const float* p) noexcept { return _mm_load_ps(p); }  // p: aligned to 16 bytes
// a b + c, as vfma of this unit's vectors.
inline Quad fma_quad(Quad a, Quad b, Quad c) noexcept {
#if defined(__FMA__)
  return _mm_fmadd_ps(a, b, c);
#else
  return Native<xsimd::sse2>::fma(a, b, c);
#endif
}
// ((v[0] + v[1]) + v[2]) + v[3]
inline float add_in_order(Quad v) noexcept {
#if defined(RNN_SOFTWARE_FLUSH)
  alignas(16) float x[4];
  _mm_store_ps(x, v);
  return static_cast<float>(Real(x[0]) + Real(x[1]) + Real(x[2]) + Real(x[3]));
#else
  const Quad sum = _mm_add_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(_mm_add_ss(_mm_add_ss(sum, _mm_movehl_ps(v, v)), _mm_shuffle_ps(v, v, 3)));
#endif
}
#elif defined(__aarch64__)
using Quad = float32x4_t;
inline Quad zero_quad() noexcept { return vdupq_n_f32(0.0f); }
inline Quad load_quad(const float* p) noexcept { return vld1q_f32(p); }
inline Quad fma_quad(Quad a, Quad b, Quad c) noexcept { return vfmaq_f32(c, a, b); }
inline float add_in_order(Quad v) noexcept {
  return vgetq_lane_f32(v, 0) + vgetq_lane_f32(v, 1) + vgetq_lane_f32(v, 2) + vgetq_lane_f32(v, 3);
}
#endif

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_XSIMD_INL_H_

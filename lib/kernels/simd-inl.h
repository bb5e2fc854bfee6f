// Vectors of float for the kernels: the only file that knows which xsimd version is installed.
//
// Everything is a template over the architecture Arch (xsimd::sse2, xsimd::fma3<xsimd::avx2>,
// xsimd::avx512bw, xsimd::neon64) and stands in an unnamed namespace: an ISA unit must not emit
// an inline function that the linker could merge with the copy of a unit built for another CPU.
// Operators are those of xsimd::batch, except /: use vdiv. What differs between xsimd releases, or
// is missing or slow in one of them, has a function here; those on vectors start with v, so that
// argument-dependent lookup never finds one of xsimd's.
//
// Included by ISA units, through the other -inl.h files, and by pack.cpp.
//
// A new ISA: a specialisation of Native, under the compiler's macro for it.
#ifndef RNN_KERNELS_SIMD_INL_H_
#define RNN_KERNELS_SIMD_INL_H_

#include <cstddef>
#include <cstdint>

// A batch without an explicit architecture is a mistake here. Releases that read this macro (8.1
// does not) make it an error.
#ifndef XSIMD_DEFAULT_ARCH
#define XSIMD_DEFAULT_ARCH xsimd::unsupported
#endif
#include <xsimd/xsimd.hpp>

#include "lib/kernels/fused-inl.h"

namespace rnn::kernels {
namespace {

template <class Arch>
using Vec = xsimd::batch<float, Arch>;
template <class Arch>
using IntVec = xsimd::batch<std::int32_t, Arch>;
template <class Arch>
using Mask = xsimd::batch_bool<float, Arch>;

// Floats in a vector.
template <class Arch>
constexpr std::size_t lanes = Vec<Arch>::size;

// The architecture of narrow vectors, which have half the lanes and cost about half as much; where there are
// none, Arch itself.
template <class Arch>
struct NarrowArch {
  using type = Arch;
};
#if defined(__AVX512F__)
template <>
struct NarrowArch<xsimd::avx512bw> {
  using type = xsimd::fma3<xsimd::avx2>;
};
#endif
template <class Arch>
using Narrow = typename NarrowArch<Arch>::type;
template <class Arch>
constexpr bool has_narrow = lanes<Narrow<Arch>> < lanes<Arch>;
// True for the architecture of this unit's narrow vectors.
template <class Arch>
constexpr bool is_narrow = false;
#if defined(__AVX512F__)
template <>
constexpr bool is_narrow<xsimd::fma3<xsimd::avx2>> = true;
#endif

// --- What each ISA does in its own way --------------------------------------------------------
//
// Fused operations: xsimd 8.1 multiplies and adds on AVX-512, and on NEON for c - a b. SSE2 has none: fused-inl.h.
// Division: on NEON xsimd 8.1 refines a reciprocal estimate, which does not round correctly.
// Minimum and maximum: between 8.1 and 14 xsimd changed which operand a NaN comes from.
// Shifts: xsimd takes run-time counts, and selects among all of them on NEON.

template <class Arch>
struct Native;

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

// Partial access by way of a buffer, for ISAs without masked loads and stores.
template <class Arch>
struct BufferedPartial {
  static Vec<Arch> load_partial(const float* p, std::size_t n) noexcept {
    alignas(64) float buffer[lanes<Arch>];
    for (std::size_t i = 0; i < lanes<Arch>; ++i) buffer[i] = i < n ? p[i] : 0.0f;
    return Vec<Arch>::load_aligned(buffer);
  }
  static void store_partial(float* p, Vec<Arch> v, std::size_t n) noexcept {
    alignas(64) float buffer[lanes<Arch>];
    v.store_aligned(buffer);
    for (std::size_t i = 0; i < lanes<Arch>; ++i)
      if (i < n) p[i] = buffer[i];
  }
  static void store_exact(float* p, Vec<Arch> v, std::size_t n) noexcept { store_partial(p, v, n); }
};

#if defined(__SSE2__) && !defined(__FMA__)
template <>
struct Native<xsimd::sse2> : BufferedPartial<xsimd::sse2> {
  using V = Vec<xsimd::sse2>;
  using I = IntVec<xsimd::sse2>;
  static V fma(V a, V b, V c) noexcept { return fused_multiply_add(a, b, c); }
  static V fms(V a, V b, V c) noexcept { return fused_multiply_add(a, b, _mm_xor_ps(c, _mm_set1_ps(-0.0f))); }
  static V fnma(V a, V b, V c) noexcept {
    return fused_multiply_add(_mm_xor_ps(a, _mm_set1_ps(-0.0f)), b, c);
  }
  static V div(V a, V b) noexcept { return _mm_div_ps(a, b); }
  static V min(V c, V x) noexcept { return _mm_min_ps(c, x); }
  static V max(V c, V x) noexcept { return _mm_max_ps(c, x); }
  static V sqrt(V x) noexcept { return _mm_sqrt_ps(x); }
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

// --- Memory -----------------------------------------------------------------------------------

template <class Arch>
inline Vec<Arch> load(const float* p) noexcept {
  return Vec<Arch>::load_unaligned(p);
}

// p: aligned to sizeof(float) * lanes<Arch> bytes.
template <class Arch>
inline Vec<Arch> load_aligned(const float* p) noexcept {
  return Vec<Arch>::load_aligned(p);
}

template <class Arch>
inline void store(float* p, Vec<Arch> v) noexcept {
  v.store_unaligned(p);
}

template <class Arch>
inline void store_aligned(float* p, Vec<Arch> v) noexcept {
  v.store_aligned(p);
}

// The first n lanes, n < lanes<Arch>: reads p[0 .. n-1] and no other byte; the rest is +0.
template <class Arch>
inline Vec<Arch> load_partial(const float* p, std::size_t n) noexcept {
  return Native<Arch>::load_partial(p, n);
}

// Writes p[0 .. n-1] and no other byte, n < lanes<Arch>.
template <class Arch>
inline void store_partial(float* p, Vec<Arch> v, std::size_t n) noexcept {
  Native<Arch>::store_partial(p, v, n);
}

// The same for memory that others read soon: to the loads behind it a masked store is one of all its lanes, for
// whose end they wait.
template <class Arch>
inline void store_exact(float* p, Vec<Arch> v, std::size_t n) noexcept {
  Native<Arch>::store_exact(p, v, n);
}

// --- Arithmetic -------------------------------------------------------------------------------
//
// vfma, vfms and vfnma round once, so that kernels give the same bits on every ISA.

// a b + c
template <class Arch>
inline Vec<Arch> vfma(Vec<Arch> a, Vec<Arch> b, Vec<Arch> c) noexcept {
  return Native<Arch>::fma(a, b, c);
}

// a b - c
template <class Arch>
inline Vec<Arch> vfms(Vec<Arch> a, Vec<Arch> b, Vec<Arch> c) noexcept {
  return Native<Arch>::fms(a, b, c);
}

// c - a b
template <class Arch>
inline Vec<Arch> vfnma(Vec<Arch> a, Vec<Arch> b, Vec<Arch> c) noexcept {
  return Native<Arch>::fnma(a, b, c);
}

// What products are made of and added to: vectors, or where they are computed in double, doubles, to which each
// number is then converted once, and not for each product. Sums are rounded to float all the same.
template <class Arch>
struct Terms {
  using Factor = Vec<Arch>;
  using Sum = Vec<Arch>;
  // a b + sum
  static Sum add(Factor a, Factor b, Sum sum) noexcept { return vfma<Arch>(a, b, sum); }
  // The same of a and b that are bf16.
  static Sum add_bf16(Factor a, Factor b, Sum sum) noexcept { return vfma<Arch>(a, b, sum); }
};
#if defined(__SSE2__) && !defined(__FMA__)
template <>
struct Terms<xsimd::sse2> {
  struct Factor : Doubles {
    Factor() noexcept = default;
    Factor(const Doubles& v) noexcept : Doubles(v) {}
    Factor(Vec<xsimd::sse2> v) noexcept : Doubles(to_doubles(v)) {}
    explicit Factor(float x) noexcept : Doubles{_mm_set1_pd(x), _mm_set1_pd(x)} {}
    operator Vec<xsimd::sse2>() const noexcept { return to_floats(*this); }
  };
  using Sum = Factor;
  static Sum add(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return rounded_to_floats(multiply_add_to_odd(a, b, sum));
  }
  static Sum add_bf16(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return rounded_to_floats(multiply_add_bf16(a, b, sum));
  }
};
#endif

// a / b, correctly rounded on every ISA.
template <class Arch>
inline Vec<Arch> vdiv(Vec<Arch> a, Vec<Arch> b) noexcept {
  return Native<Arch>::div(a, b);
}

// The smaller of c and x. A NaN in x passes on every ISA; c may not be NaN.
template <class Arch>
inline Vec<Arch> vmin(Vec<Arch> c, Vec<Arch> x) noexcept {
  return Native<Arch>::min(c, x);
}

// The larger of c and x. A NaN in x passes on every ISA; c may not be NaN.
template <class Arch>
inline Vec<Arch> vmax(Vec<Arch> c, Vec<Arch> x) noexcept {
  return Native<Arch>::max(c, x);
}

template <class Arch>
inline Vec<Arch> vsqrt(Vec<Arch> x) noexcept {
  return Native<Arch>::sqrt(x);
}

template <class Arch>
inline Vec<Arch> vabs(Vec<Arch> x) noexcept {
  return Native<Arch>::abs(x);
}

// m with the sign of x. m: no sign bit set.
template <class Arch>
inline Vec<Arch> vwith_sign(Vec<Arch> m, Vec<Arch> x) noexcept {
  return Native<Arch>::with_sign(m, x);
}

// Per lane: m ? a : b.
template <class Arch>
inline Vec<Arch> vselect(Mask<Arch> m, Vec<Arch> a, Vec<Arch> b) noexcept {
  return xsimd::select(m, a, b);
}

// The lower half of a vector.
template <class Arch>
inline Vec<Narrow<Arch>> vnarrow(Vec<Arch> v) noexcept {
  return Native<Arch>::narrow(v);
}

// --- Bits -------------------------------------------------------------------------------------

// The bits of each float as an integer, and back.
template <class Arch>
inline IntVec<Arch> vbits(Vec<Arch> x) noexcept {
  return Native<Arch>::bits(x);
}
template <class Arch>
inline Vec<Arch> vfrom_bits(IntVec<Arch> i) noexcept {
  return Native<Arch>::from_bits(i);
}

// i << K, 0 <= K < 32, the bits beyond the top lost.
template <int K, class Arch>
inline IntVec<Arch> vshl(IntVec<Arch> i) noexcept {
  return Native<Arch>::template shl<K>(i);
}
// i >> K, 0 < K < 32, zeros shifted in.
template <int K, class Arch>
inline IntVec<Arch> vshr(IntVec<Arch> i) noexcept {
  return Native<Arch>::template shr<K>(i);
}

template <class Arch>
inline IntVec<Arch> vxor(IntVec<Arch> a, IntVec<Arch> b) noexcept {
  return Native<Arch>::exclusive_or(a, b);
}

// The low 32 bits of a b.
template <class Arch>
inline IntVec<Arch> vmul(IntVec<Arch> a, IntVec<Arch> b) noexcept {
  return Native<Arch>::mul(a, b);
}

// Per lane: i < limit ? 0 : x, both unsigned.
template <class Arch>
inline Vec<Arch> vzero_below(IntVec<Arch> i, IntVec<Arch> limit, Vec<Arch> x) noexcept {
  return Native<Arch>::zero_below(i, limit, x);
}

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
  return fused_multiply_add(a, b, c);
#endif
}
// ((v[0] + v[1]) + v[2]) + v[3]
inline float add_in_order(Quad v) noexcept {
  const Quad sum = _mm_add_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(_mm_add_ss(_mm_add_ss(sum, _mm_movehl_ps(v, v)), _mm_shuffle_ps(v, v, 3)));
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

#endif  // RNN_KERNELS_SIMD_INL_H_

// Number formats of weights other than f32; see Products. Of each there is one that widens, for every
// instruction set, and one for the instructions that multiply it, where the unit is compiled for them; both
// give the same bits.
//
// bf16: the sum of an element takes, slot by slot, first the odd k's product, then the even one's, each by
// fused multiply-add, subnormals counting as zero: what VDPBF16PS does.
//
// int8: a row of x is divided by the 127th of its largest magnitude and rounded. The sum is an integer, so it
// is exact, and becomes float(sum) * (scale of the row of W * scale of the row of x).
#ifndef RNN_KERNELS_FORMATS_INL_H_
#define RNN_KERNELS_FORMATS_INL_H_

#include "lib/kernels/simd-inl.h"
#include "lib/kernels/table.h"

namespace rnn::kernels {
namespace {

// Lanes [i, i + lanes) of n.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> load_from(const float* x, std::size_t i, std::size_t n) noexcept {
  if (i >= n) return Vec<Arch>(0.0f);
  return i + lanes<Arch> <= n ? load<Arch>(x + i) : load_partial<Arch>(x + i, n - i);
}

// Factors and sums that are vectors on every instruction set.
template <class Arch>
struct VectorTerms {
  using Factor = Vec<Arch>;
  using Sum = Vec<Arch>;
};

// The bf16 halves of slots as floats.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> upper_half(Vec<Arch> slots) noexcept {
  return vfrom_bits<Arch>(vbits<Arch>(slots) & IntVec<Arch>(static_cast<std::int32_t>(0xffff0000)));
}
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> lower_half(Vec<Arch> slots) noexcept {
  return vfrom_bits<Arch>(vshl<16, Arch>(vbits<Arch>(slots)));
}

// The nearest bf16, of two the even one; subnormals become zeros, a NaN stays one.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> round_to_bf16(Vec<Arch> x) noexcept {
  using I = IntVec<Arch>;
  const I bits = vbits<Arch>(x);
  const Vec<Arch> nearest = vfrom_bits<Arch>(bits + I(0x7fff) + (vshr<16, Arch>(bits) & I(1)));
  const Vec<Arch> nan = vfrom_bits<Arch>(bits | I(0x400000));
  const Vec<Arch> zero = vfrom_bits<Arch>(bits & I(INT32_MIN));
  const Vec<Arch> number = vselect<Arch>(vabs<Arch>(x) < Vec<Arch>(0x1p-126f), zero, nearest);
  return upper_half<Arch>(vselect<Arch>(x == x, number, nan));
}

// a, or b if it is the second, without a branch: the time of a step does not depend on which.
template <class Arch>
[[gnu::always_inline]] inline IntVec<Arch> one_of(IntVec<Arch> a, IntVec<Arch> b, bool second) noexcept {
  return a ^ ((a ^ b) & IntVec<Arch>(-static_cast<std::int32_t>(second)));
}

// Words of x that are kept: they take 64 KB.
constexpr std::size_t kWords = 16384;

// What numbers have to set up for a block of rows, and nothing for most.
struct NoRegisters {
  explicit NoRegisters(std::size_t) noexcept {}
};

// What bf16 has in common.
struct Bf16 {
  static constexpr bool prefetches = false;  // what outputs read: products take long, and train
  static constexpr bool exact = false;       // sums of products are rounded
  static constexpr std::size_t pack = 2;
  static constexpr std::size_t more_columns = 0;  // of a panel, behind those of slots
  static constexpr std::size_t block = 1;         // a panel has a multiple of as many columns of slots
  static constexpr std::size_t room = kWords;
  using Registers = NoRegisters;

  // The largest magnitude of x, if it matters.
  template <class Arch>
  static float largest(const float*, std::size_t) noexcept {
    return 1.0f;
  }
  // Sums are what they should be.
  template <class Arch>
  static void finish(const float*, std::size_t, std::size_t, const float*, float*) noexcept {}

  // The k-th numbers of slots, k < pack, times 1, and that finished.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> pick(Vec<Arch> slots, std::size_t k) noexcept {
    return vfrom_bits<Arch>(
        one_of<Arch>(vbits<Arch>(lower_half<Arch>(slots)), vbits<Arch>(upper_half<Arch>(slots)), k == 1));
  }
  template <class Arch>
  static void finish_picked(const float*, std::size_t, float*) noexcept {}

  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> add(Vec<Arch> a, Vec<Arch> b) noexcept {
    return a + b;
  }
};

// A word of x is a float.
struct Bf16Widened : Bf16 {
  static constexpr bool prefetches = true;
  static constexpr std::size_t words = 2;
  template <class Arch>
  using Terms = kernels::Terms<Arch>;

  template <std::size_t word, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return word == 0 ? lower_half<Arch>(slots) : upper_half<Arch>(slots);
  }
  template <class Arch>
  [[gnu::always_inline]] static auto dot(typename Terms<Arch>::Factor w, typename Terms<Arch>::Factor x,
                                         typename Terms<Arch>::Sum sum) noexcept {
    return Terms<Arch>::add_bf16(w, x, sum);
  }
  // n numbers of x to words, and zeros behind them to the end of a vector.
  template <class Arch>
  static void convert(const float* x, std::size_t n, float, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      store_aligned<Arch>(out + i, round_to_bf16<Arch>(load_from<Arch>(x, i, n)));
  }
};

#if defined(__AVX512BF16__)
// A word of x is a slot, too.
struct Bf16Native : Bf16 {
  static constexpr std::size_t words = 1;
  template <class Arch>
  using Terms = VectorTerms<Arch>;

  template <std::size_t, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return slots;
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> dot(Vec<Arch> w, Vec<Arch> x, Vec<Arch> sum) noexcept {
    return _mm512_dpbf16_ps(sum, as_bf16(w), as_bf16(x));
  }
  template <class Arch>
  static void convert(const float* x, std::size_t n, float, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += 2 * lanes<Arch>) {
      const __m512bh words =
          _mm512_cvtne2ps_pbh(load_from<Arch>(x, i + lanes<Arch>, n), load_from<Arch>(x, i, n));
      store_aligned<Arch>(out + i / 2, _mm512_castsi512_ps(reinterpret_cast<const __m512i&>(words)));
    }
  }
  // Two rows to slots, the first in the lower halves.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> slots(Vec<Arch> first, Vec<Arch> second) noexcept {
    const __m512bh rows = _mm512_cvtne2ps_pbh(second, first);
    const __m512i interleaved = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                                 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(interleaved, reinterpret_cast<const __m512i&>(rows)));
  }

 private:
  [[gnu::always_inline]] static __m512bh as_bf16(__m512 slots) noexcept {
    return reinterpret_cast<const __m512bh&>(slots);
  }
};
#endif

// --- int8 -------------------------------------------------------------------------------------

// Vectors of integers, as the floats of the same bits.
template <class Arch>
struct Integers;

#if defined(RNN_SCALAR)
template <>
struct Integers<Scalar> {
  using V = Vec<Scalar>;
  using I = IntVec<Scalar>;
  // Adding this to |x| < 2^21 rounds x to an integer, ties to even, and leaves it in the low bits of the sum.
  static V round(V x) noexcept {
    constexpr float round_to_integer = 0x1.8p23f;
    return from_bits(bits(x + V(round_to_integer)) - bits(V(round_to_integer)));
  }
  static V to_float(V i) noexcept { return V(bits(i)); }
  static V subtract(V a, V b) noexcept { return from_bits(bits(a) - bits(b)); }
  static V max(V a, V b) noexcept {
    return from_bits(
        each<std::int32_t>([](std::int32_t m, std::int32_t n) { return m > n ? m : n; }, bits(a), bits(b)));
  }
  static std::int32_t largest(V a) noexcept {
    const I i = bits(a);
    const auto larger = [](std::int32_t m, std::int32_t n) { return m > n ? m : n; };
    return larger(larger(i.x[0], i.x[1]), larger(i.x[2], i.x[3]));
  }
  static V add(V a, V b) noexcept { return from_bits(bits(a) + bits(b)); }
  static V even(V w) noexcept {
    return from_bits(each<std::int32_t>(
        [](std::int32_t n) { return pair(signed_byte(n), signed_byte(n >> 16)); }, bits(w)));
  }
  static V odd(V w) noexcept {
    return from_bits(
        each<std::int32_t>([](std::int32_t n) { return pair(signed_byte(n >> 8), n >> 24); }, bits(w)));
  }
  static V dot(V w, V x, V sum) noexcept {
    const I products = each<std::int32_t>(
        [](std::int32_t m, std::int32_t n) { return lower(m) * lower(n) + (m >> 16) * (n >> 16); }, bits(w),
        bits(x));
    return from_bits(bits(sum) + products);
  }
  static void store_narrowed(float* out, V i) noexcept {
    const I n = bits(i);
    out[0] = cast_bits<float>(pair(n.x[0], n.x[1]));
    out[1] = cast_bits<float>(pair(n.x[2], n.x[3]));
  }

 private:
  static I bits(V x) noexcept { return vbits<Scalar>(x); }
  static V from_bits(I i) noexcept { return vfrom_bits<Scalar>(i); }
  static std::int32_t signed_byte(std::int32_t n) noexcept { return static_cast<std::int8_t>(n & 255); }
  static std::int32_t lower(std::int32_t n) noexcept { return static_cast<std::int16_t>(n & 0xffff); }
  static std::int32_t pair(std::int32_t low, std::int32_t high) noexcept {
    return static_cast<std::int32_t>((wrapping(low) & 0xffffu) | wrapping(high) << 16);
  }
};
#elif defined(__SSE2__) && !defined(__AVX2__)
template <>
struct Integers<xsimd::sse2> {
  using V = Vec<xsimd::sse2>;
  static V round(V x) noexcept { return _mm_castsi128_ps(_mm_cvtps_epi32(x)); }
  static V to_float(V i) noexcept { return _mm_cvtepi32_ps(bits(i)); }
  static V subtract(V a, V b) noexcept { return _mm_castsi128_ps(_mm_sub_epi32(bits(a), bits(b))); }
  static V max(V a, V b) noexcept {
    const __m128i larger = _mm_cmpgt_epi32(bits(a), bits(b));
    return _mm_castsi128_ps(_mm_or_si128(_mm_and_si128(larger, bits(a)), _mm_andnot_si128(larger, bits(b))));
  }
  static std::int32_t largest(V a) noexcept {
    a = max(a, _mm_shuffle_ps(a, a, 0x4e));
    a = max(a, _mm_shuffle_ps(a, a, 0xb1));
    return _mm_cvtsi128_si32(bits(a));
  }
  static V add(V a, V b) noexcept { return _mm_castsi128_ps(_mm_add_epi32(bits(a), bits(b))); }
  // The even and the odd bytes of slots, widened to 16 bits.
  static V even(V w) noexcept { return _mm_castsi128_ps(_mm_srai_epi16(_mm_slli_epi16(bits(w), 8), 8)); }
  static V odd(V w) noexcept { return _mm_castsi128_ps(_mm_srai_epi16(bits(w), 8)); }
  // sum + the products of two pairs of 16 bits.
  static V dot(V w, V x, V sum) noexcept {
    return _mm_castsi128_ps(_mm_add_epi32(bits(sum), _mm_madd_epi16(bits(w), bits(x))));
  }
  // Numbers of 16 bits.
  static void store_narrowed(float* out, V i) noexcept {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi32(bits(i), bits(i)));
  }

 private:
  static __m128i bits(V x) noexcept { return _mm_castps_si128(x); }
};
#endif

#if defined(__AVX2__)
inline std::int32_t largest_of(__m256i a) noexcept {
  __m128i most = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4e));
  most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0xb1));
  return _mm_cvtsi128_si32(most);
}
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
template <>
struct Integers<xsimd::fma3<xsimd::avx2>> {
  using V = Vec<xsimd::fma3<xsimd::avx2>>;
  static V round(V x) noexcept { return _mm256_castsi256_ps(_mm256_cvtps_epi32(x)); }
  static V to_float(V i) noexcept { return _mm256_cvtepi32_ps(bits(i)); }
  static V subtract(V a, V b) noexcept { return _mm256_castsi256_ps(_mm256_sub_epi32(bits(a), bits(b))); }
  static V max(V a, V b) noexcept { return _mm256_castsi256_ps(_mm256_max_epi32(bits(a), bits(b))); }
  static std::int32_t largest(V a) noexcept { return largest_of(bits(a)); }
  static V add(V a, V b) noexcept { return _mm256_castsi256_ps(_mm256_add_epi32(bits(a), bits(b))); }
  static V even(V w) noexcept {
    return _mm256_castsi256_ps(_mm256_srai_epi16(_mm256_slli_epi16(bits(w), 8), 8));
  }
  static V odd(V w) noexcept { return _mm256_castsi256_ps(_mm256_srai_epi16(bits(w), 8)); }
  static V dot(V w, V x, V sum) noexcept {
    return _mm256_castsi256_ps(_mm256_add_epi32(bits(sum), _mm256_madd_epi16(bits(w), bits(x))));
  }
  static void store_narrowed(float* out, V i) noexcept {
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_packs_epi32(bits(i), bits(i)), 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(halves));
  }
#if defined(__AVXVNNI__)
  // As with AVX-512.
  static V dot_bytes(V w, V x, V sum) noexcept {
    return _mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(bits(sum), bits(x), bits(w)));
  }
  static void store_bytes(float* out, V i) noexcept {
    const __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(bits(i)), _mm256_extracti128_si256(bits(i), 1));
    const __m128i order = _mm_setr_epi8(0, 4, 2, 6, 8, 12, 10, 14, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_xor_si128(_mm_shuffle_epi8(halves, order), _mm_set1_epi8(-128));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), bytes);
  }
#endif

 private:
  static __m256i bits(V x) noexcept { return _mm256_castps_si256(x); }
};
#endif

#if defined(__AVX512F__)
// The unmasked forms of some draw a false warning: see simd-inl.h.
template <>
struct Integers<xsimd::avx512bw> {
  using V = Vec<xsimd::avx512bw>;
  static V round(V x) noexcept { return _mm512_castsi512_ps(_mm512_maskz_cvtps_epi32(0xffff, x)); }
  static V to_float(V i) noexcept { return _mm512_maskz_cvtepi32_ps(0xffff, bits(i)); }
  static V subtract(V a, V b) noexcept { return _mm512_castsi512_ps(_mm512_sub_epi32(bits(a), bits(b))); }
  static V max(V a, V b) noexcept {
    return _mm512_castsi512_ps(_mm512_maskz_max_epi32(0xffff, bits(a), bits(b)));
  }
  static std::int32_t largest(V a) noexcept {
    return largest_of(_mm256_max_epi32(_mm512_maskz_extracti64x4_epi64(0xf, bits(a), 0),
                                       _mm512_maskz_extracti64x4_epi64(0xf, bits(a), 1)));
  }
  static V add(V a, V b) noexcept { return _mm512_castsi512_ps(_mm512_add_epi32(bits(a), bits(b))); }
  static V even(V w) noexcept {
    return _mm512_castsi512_ps(_mm512_srai_epi16(_mm512_slli_epi16(bits(w), 8), 8));
  }
  static V odd(V w) noexcept { return _mm512_castsi512_ps(_mm512_srai_epi16(bits(w), 8)); }
  static V dot(V w, V x, V sum) noexcept {
    return _mm512_castsi512_ps(_mm512_add_epi32(bits(sum), _mm512_madd_epi16(bits(w), bits(x))));
  }
  static void store_narrowed(float* out, V i) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_maskz_cvtepi32_epi16(0xffff, bits(i)));
  }
#if defined(__AVX512VNNI__)
  // sum + the products of four bytes of x, without a sign, and of w.
  static V dot_bytes(V w, V x, V sum) noexcept {
    return _mm512_castsi512_ps(_mm512_dpbusd_epi32(bits(sum), bits(x), bits(w)));
  }
  // Numbers of 8 bits, increased by 128, in the order of slots.
  static void store_bytes(float* out, V i) noexcept {
    const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m128i bytes = _mm_shuffle_epi8(_mm512_maskz_cvtepi32_epi8(0xffff, bits(i)), order);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
  }
#endif

 private:
  static __m512i bits(V x) noexcept { return _mm512_castps_si512(x); }
};
#endif

#if defined(__aarch64__) && !defined(RNN_SCALAR)
template <>
struct Integers<xsimd::neon64> {
  using V = Vec<xsimd::neon64>;
  static V round(V x) noexcept { return vreinterpretq_f32_s32(vcvtnq_s32_f32(x)); }
  static V to_float(V i) noexcept { return vcvtq_f32_s32(bits(i)); }
  static V subtract(V a, V b) noexcept { return vreinterpretq_f32_s32(vsubq_s32(bits(a), bits(b))); }
  static V max(V a, V b) noexcept { return vreinterpretq_f32_s32(vmaxq_s32(bits(a), bits(b))); }
  static std::int32_t largest(V a) noexcept { return vmaxvq_s32(bits(a)); }
  static V add(V a, V b) noexcept { return vreinterpretq_f32_s32(vaddq_s32(bits(a), bits(b))); }
  static V even(V w) noexcept { return vreinterpretq_f32_s16(vshrq_n_s16(vshlq_n_s16(pairs(w), 8), 8)); }
  static V odd(V w) noexcept { return vreinterpretq_f32_s16(vshrq_n_s16(pairs(w), 8)); }
  static V dot(V w, V x, V sum) noexcept {
    const int32x4_t low = vmull_s16(vget_low_s16(pairs(w)), vget_low_s16(pairs(x)));
    const int32x4_t products = vpaddq_s32(low, vmull_high_s16(pairs(w), pairs(x)));
    return vreinterpretq_f32_s32(vaddq_s32(bits(sum), products));
  }
  static void store_narrowed(float* out, V i) noexcept {
    vst1_s16(reinterpret_cast<std::int16_t*>(out), vmovn_s32(bits(i)));
  }

 private:
  static int32x4_t bits(V x) noexcept { return vreinterpretq_s32_f32(x); }
  static int16x8_t pairs(V x) noexcept { return vreinterpretq_s16_f32(x); }
};
#endif

// What int8 has in common. Sums are integers.
struct Int8 {
  template <class Arch>
  using Terms = VectorTerms<Arch>;
  static constexpr bool prefetches = false;
  static constexpr bool exact = true;
  static constexpr std::size_t pack = 4;
  static constexpr std::size_t more_columns = 2;
  static constexpr std::size_t block = 1;
  static constexpr std::size_t room = kWords;
  using Registers = NoRegisters;

  // The largest by their bits, by which a NaN is larger than any number. Infinity counts as the largest number: so
  // sums are finite or infinite, but no NaN, and gates saturate.
  template <class Arch>
  static float largest(const float* x, std::size_t n) noexcept {
    Vec<Arch> most(0.0f);
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      most = Integers<Arch>::max(most, vabs<Arch>(load_from<Arch>(x, i, n)));
    constexpr std::int32_t infinity = 0x7f800000;
    std::int32_t bits = Integers<Arch>::largest(most);
    bits -= static_cast<std::int32_t>(bits == infinity);
    float result;
    __builtin_memcpy(&result, &bits, sizeof result);
    return result;
  }

  // Numbers [i, i + lanes) of n, rounded: all zero if the largest is as good as zero, or a NaN, which the scale then
  // passes on. Without a branch, so that the time of a step does not depend on x.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> quantize(const float* x, std::size_t i, std::size_t n,
                                                   float largest) noexcept {
    const Vec<Arch> scaled =
        load_from<Arch>(x, i, n) * Vec<Arch>(static_cast<float>(Real(127.0f) / Real(largest)));
    const Vec<Arch> limited = vmin<Arch>(Vec<Arch>(127.0f), vmax<Arch>(Vec<Arch>(-127.0f), scaled));
    const Mask<Arch> matters = Vec<Arch>(largest) >= Vec<Arch>(0x1p-100f);
    return Integers<Arch>::round(vselect<Arch>(matters, limited, Vec<Arch>(0.0f)));
  }

  // Sums of `rows` rows to floats. Behind the columns of a panel are the rows' scales, and what is too much
  // in their sums if x was increased by 128.
  template <class Arch, bool increased>
  static void finish_sums(const float* scales, std::size_t vectors, std::size_t rows, const float* largest,
                          float* sums) noexcept {
    constexpr std::size_t L = lanes<Arch>;
    for (std::size_t m = 0; m < rows; ++m) {
      const Vec<Arch> scale(static_cast<float>(Real(largest[m]) / Real(127.0f)));
      for (std::size_t v = 0; v < vectors; ++v, sums += L) {
        Vec<Arch> sum = load_aligned<Arch>(sums);
        if (increased) sum = Integers<Arch>::subtract(sum, load_aligned<Arch>(scales + (vectors + v) * L));
        store_aligned<Arch>(sums,
                            Integers<Arch>::to_float(sum) * (load_aligned<Arch>(scales + v * L) * scale));
      }
    }
  }

  // The sum with x of 1, which is 127 of its 127th.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> pick(Vec<Arch> slots, std::size_t k) noexcept {
    using I = IntVec<Arch>;
    const I bits = vbits<Arch>(slots);
    const I halves = one_of<Arch>(bits, vshr<16, Arch>(bits), k % 2 == 1);
    const I shifted = one_of<Arch>(halves, vshr<8, Arch>(halves), k >= 2);
    const I value = ((shifted & I(255)) ^ I(128)) - I(128);
    return vfrom_bits<Arch>(vshl<7, Arch>(value) - value);
  }
  template <class Arch>
  static void finish_picked(const float* scales, std::size_t vectors, float* sums) noexcept {
    const float one = 1.0f;
    finish_sums<Arch, false>(scales, vectors, 1, &one, sums);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> add(Vec<Arch> a, Vec<Arch> b) noexcept {
    return Integers<Arch>::add(a, b);
  }
};

// A word of x is two numbers of 16 bits.
struct Int8Widened : Int8 {
  static constexpr std::size_t words = 2;

  template <std::size_t word, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return word == 0 ? Integers<Arch>::even(slots) : Integers<Arch>::odd(slots);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> dot(Vec<Arch> w, Vec<Arch> x, Vec<Arch> sum) noexcept {
    return Integers<Arch>::dot(w, x, sum);
  }
  template <class Arch>
  static void convert(const float* x, std::size_t n, float largest, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      Integers<Arch>::store_narrowed(out + i / 2, quantize<Arch>(x, i, n, largest));
  }
  template <class Arch>
  static void finish(const float* scales, std::size_t vectors, std::size_t rows, const float* largest,
                     float* sums) noexcept {
    finish_sums<Arch, false>(scales, vectors, rows, largest, sums);
  }
};

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
// A word of x is four numbers, increased by 128 since they have no sign.
struct Int8Native : Int8 {
  static constexpr std::size_t words = 1;

  template <std::size_t, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return slots;
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> dot(Vec<Arch> w, Vec<Arch> x, Vec<Arch> sum) noexcept {
    return Integers<Arch>::dot_bytes(w, x, sum);
  }
  template <class Arch>
  static void convert(const float* x, std::size_t n, float largest, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      Integers<Arch>::store_bytes(out + i / 4, quantize<Arch>(x, i, n, largest));
  }
  template <class Arch>
  static void finish(const float* scales, std::size_t vectors, std::size_t rows, const float* largest,
                     float* sums) noexcept {
    finish_sums<Arch, true>(scales, vectors, rows, largest, sums);
  }
};
#endif

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_FORMATS_INL_H_

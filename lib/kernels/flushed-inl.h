// Vectors that count subnormals as zero in software, for what has SSE2's instructions but no mode for it: WebAssembly.
// They are xsimd's, but for arithmetic and comparisons, as Real is float.
#ifndef RNN_KERNELS_FLUSHED_INL_H_
#define RNN_KERNELS_FLUSHED_INL_H_

#define RNN_INLINE [[gnu::always_inline]] inline

namespace rnn::kernels {
namespace {

// x, or a zero of its sign where the magnitude of `of` is less than the number of these bits.
RNN_INLINE __m128 zero_below(__m128 of, std::int32_t limit, __m128 x) noexcept {
  const __m128i magnitude = _mm_and_si128(_mm_castps_si128(of), _mm_set1_epi32(INT32_MAX));
  const __m128i kept =
      _mm_or_si128(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(limit - 1)), _mm_set1_epi32(INT32_MIN));
  return _mm_and_ps(x, _mm_castsi128_ps(kept));
}
RNN_INLINE __m128 flushed(__m128 x) noexcept { return zero_below(x, 0x00800000, x); }
// As of Real.
RNN_INLINE __m128 flushed(__m128 result, __m128 scaled) noexcept {
  return zero_below(scaled, 0x20800000, result);
}
RNN_INLINE __m128 scaled(__m128 x) noexcept { return _mm_mul_ps(x, _mm_set1_ps(kScale)); }

// As narrowed().
RNN_INLINE __m128d flushed(__m128d x) noexcept {
  const __m128d sign = _mm_set1_pd(-0.0);
  const __m128d kept = _mm_cmpnlt_pd(_mm_andnot_pd(sign, x), _mm_set1_pd(0x1.ffffffp-127));
  return _mm_and_pd(x, _mm_or_pd(kept, sign));
}

template <class Arch>
struct FlushedVec : xsimd::batch<float, Arch> {
  using Base = xsimd::batch<float, Arch>;
  using Base::Base;
  FlushedVec() noexcept = default;
  FlushedVec(const Base& v) noexcept : Base(v) {}
  static FlushedVec load_unaligned(const float* p) noexcept { return Base::load_unaligned(p); }
  static FlushedVec load_aligned(const float* p) noexcept { return Base::load_aligned(p); }
};

template <class Arch>
RNN_INLINE FlushedVec<Arch> operator+(const FlushedVec<Arch>& a, const FlushedVec<Arch>& b) noexcept {
  return flushed(_mm_add_ps(flushed(a), flushed(b)));
}
template <class Arch>
RNN_INLINE FlushedVec<Arch> operator-(const FlushedVec<Arch>& a, const FlushedVec<Arch>& b) noexcept {
  return flushed(_mm_sub_ps(flushed(a), flushed(b)));
}
template <class Arch>
RNN_INLINE FlushedVec<Arch> operator*(const FlushedVec<Arch>& a, const FlushedVec<Arch>& b) noexcept {
  const __m128 u = flushed(a), v = flushed(b);
  return flushed(_mm_mul_ps(u, v), _mm_mul_ps(scaled(u), v));
}
template <class Arch>
RNN_INLINE xsimd::batch_bool<float, Arch> operator<(const FlushedVec<Arch>& a,
                                                    const FlushedVec<Arch>& b) noexcept {
  return _mm_cmplt_ps(flushed(a), flushed(b));
}
template <class Arch>
RNN_INLINE xsimd::batch_bool<float, Arch> operator<=(const FlushedVec<Arch>& a,
                                                     const FlushedVec<Arch>& b) noexcept {
  return _mm_cmple_ps(flushed(a), flushed(b));
}
template <class Arch>
RNN_INLINE xsimd::batch_bool<float, Arch> operator>(const FlushedVec<Arch>& a,
                                                    const FlushedVec<Arch>& b) noexcept {
  return b < a;
}
template <class Arch>
RNN_INLINE xsimd::batch_bool<float, Arch> operator>=(const FlushedVec<Arch>& a,
                                                     const FlushedVec<Arch>& b) noexcept {
  return b <= a;
}
template <class Arch>
RNN_INLINE xsimd::batch_bool<float, Arch> operator==(const FlushedVec<Arch>& a,
                                                     const FlushedVec<Arch>& b) noexcept {
  return _mm_cmpeq_ps(flushed(a), flushed(b));
}

RNN_INLINE __m128 flushed_div(__m128 a, __m128 b) noexcept {
  const __m128 u = flushed(a), v = flushed(b);
  return flushed(_mm_div_ps(u, v), _mm_div_ps(scaled(u), v));
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_FLUSHED_INL_H_

// Fused multiply-add of floats on CPUs that have none, in double.
//
// The product of two floats is a double: it has 48 bits, and a magnitude from 2^-298 to 2^256 or zero. Its sum x
// with a third float is rounded to odd: to x itself if x is a double, otherwise to that of the two doubles around it
// whose last bit is 1. That is rounded once more, to float, to what x itself is rounded to (Boldo & Melquiond 2008):
// floats and the midpoints between them, where rounding decides, have at most 25 bits, subnormal ones and the midpoint
// behind the largest float, too, so they are doubles whose last bit is 0. None of them lies between x and the odd
// double, and that is none of them. Hence also
//
//   subnormals   the conversion to float rounds at 2^-149, or flushes to zero, as a fused operation does in that mode:
//                x86 tells what is tiny by the rounded number. Where subnormal operands count as zero, their conversion
//                to double makes zeros of them.
//   zeros        the product and, where both are zero or cancel, the sum have the sign that IEEE 754 demands of the
//                fused operation. What is rounded to zero keeps its sign.
//   overflow     only the conversion to float overflows.
//   infinity, NaN   come from the product and the sum in double as from the fused operation; which NaN is open.
#ifndef RNN_KERNELS_FUSED_INL_H_
#define RNN_KERNELS_FUSED_INL_H_

#if defined(__SSE2__) && !defined(__FMA__)
#include <emmintrin.h>

namespace rnn::kernels {
namespace {

// p + c, rounded to odd.
//
// Of the error p + c - sum of the rounded sum only zero and sign are needed. sum - c is p - error, rounded, which is
// not on the other side of p, as rounding is monotone: so p minus that is zero or has the sign of the error, and so has
// c - (sum - p). For the smaller of p and c in magnitude it is the error itself (Dekker 1971), which is thus zero if and
// only if both are. All are multiples of 2^-298, and nothing overflows. The error's product with the sum, from 2^-596
// to 2^460 in magnitude, tells whether the sum is too large in magnitude (below zero) or too small; it is NaN, hence
// neither, where the sum is infinite or NaN. A sum that is too large is cut to the next double towards zero; then its
// last bit is set.
inline __m128d add_to_odd(__m128d p, __m128d c) noexcept {
  const __m128d sum = _mm_add_pd(p, c);
  const __m128d error = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(sum, c)), _mm_sub_pd(c, _mm_sub_pd(sum, p)));
  const __m128d side = _mm_mul_pd(error, sum);
  const __m128d above = _mm_cmplt_pd(side, _mm_setzero_pd());
  const __m128d below = _mm_cmpgt_pd(side, _mm_setzero_pd());
  const __m128i cut = _mm_add_epi64(_mm_castpd_si128(sum), _mm_castpd_si128(above));
  const __m128i inexact = _mm_srli_epi64(_mm_castpd_si128(_mm_or_pd(above, below)), 63);
  return _mm_castsi128_pd(_mm_or_si128(cut, inexact));
}

// Four floats as doubles, or four doubles.
struct Doubles {
  __m128d low, high;
};
inline Doubles to_doubles(__m128 v) noexcept { return {_mm_cvtps_pd(v), _mm_cvtps_pd(_mm_movehl_ps(v, v))}; }
inline __m128 to_floats(const Doubles& v) noexcept {
  return _mm_movelh_ps(_mm_cvtpd_ps(v.low), _mm_cvtpd_ps(v.high));
}
inline Doubles rounded_to_floats(const Doubles& v) noexcept {
  return {_mm_cvtps_pd(_mm_cvtpd_ps(v.low)), _mm_cvtps_pd(_mm_cvtpd_ps(v.high))};
}

// a b + c of floats, rounded to odd.
inline Doubles multiply_add_to_odd(const Doubles& a, const Doubles& b, const Doubles& c) noexcept {
  return {add_to_odd(_mm_mul_pd(a.low, b.low), c.low), add_to_odd(_mm_mul_pd(a.high, b.high), c.high)};
}

// The same of a and b that are bf16, whose product p has 16 bits, rounded to nearest, which then does as well. That is
// in doubt only where the sum s lies between two floats in the middle, and p + c beside it, by 2^-53 |s| at most. Then
// p or c has bits below 2^-52 |s|. If p has, it is less than 2^-35 |s|, too little to come from a float, c, to the
// middle; if c has, it is less than 2^-27 |s|, too little to come from p, which has 16 bits.
inline Doubles multiply_add_bf16(const Doubles& a, const Doubles& b, const Doubles& c) noexcept {
  return {_mm_add_pd(_mm_mul_pd(a.low, b.low), c.low), _mm_add_pd(_mm_mul_pd(a.high, b.high), c.high)};
}

// a b + c, rounded once.
inline __m128 fused_multiply_add(__m128 a, __m128 b, __m128 c) noexcept {
  return to_floats(multiply_add_to_odd(to_doubles(a), to_doubles(b), to_doubles(c)));
}

}  // namespace
}  // namespace rnn::kernels
#endif

#endif  // RNN_KERNELS_FUSED_INL_H_

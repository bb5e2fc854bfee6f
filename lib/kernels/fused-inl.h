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

#include "lib/kernels/subnormals.h"

namespace rnn::kernels {
namespace {

// D: vectors of doubles, with operators +, - and *, and the functions
//
//   to_odd(sum, side)      sum where side is zero or NaN; where it is less than zero, the next double towards zero;
//                          but where side is not zero, with the last bit set
//   to_floats(x)           rounded to floats, V
//   rounded_to_floats(x)   the same as doubles

// p + c, rounded to odd.
//
// Of the error p + c - sum of the rounded sum only zero and sign are needed. sum - c is p - error, rounded, which is
// not on the other side of p, as rounding is monotone: so p minus that is zero or has the sign of the error, and so has
// c - (sum - p). For the smaller of p and c in magnitude it is the error itself (Dekker 1971), which is thus zero if and
// only if both are. All are multiples of 2^-298, and nothing overflows. The error's product with the sum, from 2^-596
// to 2^460 in magnitude, tells whether the sum is too large in magnitude (below zero) or too small; it is NaN, hence
// neither, where the sum is infinite or NaN. A sum that is too large is cut to the next double towards zero; then its
// last bit is set.
template <class D>
inline D add_to_odd(const D& p, const D& c) noexcept {
  const D sum = p + c;
  const D error = (p - (sum - c)) + (c - (sum - p));
  return to_odd(sum, error * sum);
}

// a b + c of floats, rounded to odd.
template <class D>
inline D multiply_add_to_odd(const D& a, const D& b, const D& c) noexcept {
  return add_to_odd(a * b, c);
}

// The same of a and b that are bf16, whose product p has 16 bits, rounded to nearest, which then does as well. That is
// in doubt only where the sum s lies between two floats in the middle, and p + c beside it, by 2^-53 |s| at most. Then
// p or c has bits below 2^-52 |s|. If p has, it is less than 2^-35 |s|, too little to come from a float, c, to the
// middle; if c has, it is less than 2^-27 |s|, too little to come from p, which has 16 bits.
template <class D>
inline D multiply_add_bf16(const D& a, const D& b, const D& c) noexcept {
  return a * b + c;
}

// a b + c of floats, rounded once.
template <class D, class V>
inline V fused_multiply_add(const V& a, const V& b, const V& c) noexcept {
  return to_floats(multiply_add_to_odd(D(a), D(b), D(c)));
}

// Terms of vectors V whose products are computed in D.
template <class V, class D>
struct DoubleTerms {
  struct Factor : D {
    Factor() noexcept = default;
    Factor(const D& v) noexcept : D(v) {}
    Factor(V v) noexcept : D(v) {}
    explicit Factor(float x) noexcept : D(widened(x)) {}
    operator V() const noexcept { return to_floats(*this); }
  };
  using Sum = Factor;
  static Sum add(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return rounded_to_floats(multiply_add_to_odd<D>(a, b, sum));
  }
  static Sum add_bf16(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return rounded_to_floats(multiply_add_bf16<D>(a, b, sum));
  }
};

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_FUSED_INL_H_

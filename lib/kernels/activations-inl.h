// tanh, sigmoid and exp of vectors of float.
//
// All three reduce their argument by a whole number n of ln 2 and scale by 2^n through the
// exponent bits. Only operations that IEEE 754 rounds in one way are used (no reciprocal
// estimates), in one order, so every instruction set gives the same bits.
//
// Inlined always: a call would load a dozen constants anew for each vector.
//
// Largest error over all 2^32 arguments, in units of the last place of the exact result:
//
//   vtanh       2.44     everywhere
//   vsigmoid    2.59     results from FLT_MIN up
//   vexp        1.01     results from FLT_MIN up
#ifndef RNN_KERNELS_ACTIVATIONS_INL_H_
#define RNN_KERNELS_ACTIVATIONS_INL_H_

#include <cstddef>

#include "lib/kernels/simd-inl.h"

namespace rnn::kernels {
namespace {

// Adding this to |v| < 2^21 rounds v to an integer n, ties to even, and leaves n + 127, the
// exponent field of 2^n, in the low bits of the sum.
constexpr float round_to_exponent = 0x1.8p23f + 127.0f;

// 2^n from v + round_to_exponent; -126 <= n <= 127. n = -127 gives 0 and n = 128 gives infinity.
template <class Arch>
inline Vec<Arch> power_of_two(Vec<Arch> rounded) noexcept {
  return vfrom_bits<Arch>(vshl<23, Arch>(vbits<Arch>(rounded)));
}

// tanh x, odd (and so -0 for -0), within [-1, 1], NaN for NaN. Subnormal arguments are returned
// unchanged, or as a zero where the CPU treats them as zeros.
//
// With |x| = h + n ln(2)/2, s = tanh h and t = 2^n / 2, the addition theorem gives
//
//   tanh |x| = N / D,  N = (t + 1/2) s + t - 1/2,  D = (t - 1/2) s + t + 1/2
//
// n = 0 leaves s / 1: small arguments see no rounding but that of s. As N < D, no rounding passes 1.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> vtanh(Vec<Arch> x) noexcept {
  using V = Vec<Arch>;
  constexpr float limit = 10.0f;  // the result is 1 from 9.02 on
  // 1.5 / 0.55, rather less than 2 / ln 2: near tanh = 1/2 an error weighs most, so n steps from 1 to 2 where
  // tanh is 1/2, at 0.55 and not at 0.52.
  constexpr float scale = 0x1.5dp+1f;
  constexpr float round = round_to_exponent - 1.0f;
  const V half(0.5f);

  const V a = vmin<Arch>(V(limit), vabs<Arch>(x));
  const V rounded = vfma<Arch>(a, V(scale), V(round));
  const V n = rounded - V(round);
  // Exact up to n = 8, by Sterbenz's lemma and as the constant has 21 bits.
  const V h = vfnma<Arch>(n, V(0x1.62e43p-2f), a);

  // s = h + h^3 P(h^2) with relative error 2^-30.6 for |h| < 0.204, hence for n < 2. As scale is
  // small, h grows with n up to 0.64, but 1 - tanh^2 scales its error down.
  const V h2 = h * h;
  V p = vfma<Arch>(V(-0x1.ac1e32p-5f), h2, V(0x1.10fba6p-3f));
  p = vfma<Arch>(p, h2, V(-0x1.555542p-2f));
  const V s = vfma<Arch>(h2 * h, p, h);

  const V t = power_of_two<Arch>(rounded);
  const V minus = t - half;
  const V plus = t + half;
  const V num = vfma<Arch>(plus, s, minus);
  const V den = vfma<Arch>(minus, s, plus);
  return vwith_sign<Arch>(vdiv<Arch>(num, den), x);
}

// exp r = 1 + r + r^2 (c[0] + c[1] r + ... + c[4] r^4), |r| < 0.3468, relative error 2^-28.
constexpr float exp_tail[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23dp-10f};

// ln 2 in two parts; n times the first is exact for |n| < 2^15.
constexpr float ln2_hi = 0x1.63p-1f;
constexpr float ln2_lo = -0x1.bd0106p-13f;

// The float nearest to ln 2, and what it lacks.
constexpr float ln2 = 0x1.62e43p-1f;
constexpr float ln2_rest = -0x1.05c61p-29f;

// 1 / (1 + exp(-x)), NaN for NaN. 0 below -88, where the result is less than FLT_MIN.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> vsigmoid(Vec<Arch> x) noexcept {
  using V = Vec<Arch>;
  constexpr float lower = -88.0f;
  constexpr float upper = 18.0f;  // the result is 1 from 17.33 on
  const V one(1.0f);

  // -x = n ln 2 - r. One fused product leaves so little of r that the linear term alone needs it, and the
  // others need not wait.
  const V a = vmin<Arch>(V(upper), x);
  const V rounded = vfma<Arch>(a, V(-0x1.715476p+0f), V(round_to_exponent));
  const V n = rounded - V(round_to_exponent);
  const V u = vfma<Arch>(n, V(ln2), a);
  const V r = vfma<Arch>(n, V(ln2_rest), u);

  // p = exp(-r) - 1
  const V u2 = u * u;
  const V low = vfnma<Arch>(V(exp_tail[1]), u, V(exp_tail[0]));
  const V middle = vfnma<Arch>(V(exp_tail[3]), u, V(exp_tail[2]));
  const V high = vfma<Arch>(V(exp_tail[4]), u2, middle);
  const V p = vfms<Arch>(u2, vfma<Arch>(high, u2, low), r);

  const V t = power_of_two<Arch>(rounded);
  const V y = vdiv<Arch>(one, vfma<Arch>(t, p, t + one));
  return vselect<Arch>(x < V(lower), V(0.0f), y);
}

// exp x, NaN for NaN. Infinity where the result exceeds FLT_MAX, 0 where it is less than FLT_MIN.
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> vexp(Vec<Arch> x) noexcept {
  using V = Vec<Arch>;
  constexpr float lower = -0x1.5d589ep+6f;  // the least with a result from FLT_MIN up
  constexpr float upper = 0x1.62e42ep+6f;   // the greatest with a finite result
  constexpr float round = 0x1.8p23f;        // leaves n in the low bits

  // x = r + n ln 2
  const V rounded = vfma<Arch>(x, V(0x1.715476p+0f), V(round));
  const V n = rounded - V(round);
  V r = vfnma<Arch>(n, V(ln2_hi), x);
  r = vfnma<Arch>(n, V(ln2_lo), r);

  V q = vfma<Arch>(V(exp_tail[4]), r, V(exp_tail[3]));
  q = vfma<Arch>(q, r, V(exp_tail[2]));
  q = vfma<Arch>(q, r, V(exp_tail[1]));
  q = vfma<Arch>(q, r, V(exp_tail[0]));
  const V y = V(1.0f) + vfma<Arch>(r * r, q, r);

  // Adding n to the exponent field reaches n = 128, which no float 2^n does.
  const V scaled = vfrom_bits<Arch>(vbits<Arch>(y) + vshl<23, Arch>(vbits<Arch>(rounded)));
  const V finite = vselect<Arch>(x < V(lower), V(0.0f), scaled);
  const V infinite = x + V(__builtin_huge_valf());  // NaN for NaN
  return vselect<Arch>(x <= V(upper), finite, infinite);
}

// y[n] = f(x[n]). x and y are the same array or disjoint, of any alignment.
//
// Two vectors a turn: with one part of the speed is unused, four gain nothing more.
template <class Arch, Vec<Arch> (*f)(Vec<Arch>) noexcept>
inline void map_array(const float* x, float* y, std::size_t n) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  std::size_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    const Vec<Arch> y0 = f(load<Arch>(x + i));
    const Vec<Arch> y1 = f(load<Arch>(x + i + L));
    store<Arch>(y + i, y0);
    store<Arch>(y + i + L, y1);
  }
  for (; i < n; i += L) {
    const bool whole = n - i >= L;
    const Vec<Arch> y0 = f(whole ? load<Arch>(x + i) : load_partial<Arch>(x + i, n - i));
    if (whole) {
      store<Arch>(y + i, y0);
    } else {
      store_partial<Arch>(y + i, y0, n - i);
    }
  }
}

template <class Arch>
void tanh_array(const float* x, float* y, std::size_t n) noexcept {
  map_array<Arch, vtanh<Arch>>(x, y, n);
}

template <class Arch>
void sigmoid_array(const float* x, float* y, std::size_t n) noexcept {
  map_array<Arch, vsigmoid<Arch>>(x, y, n);
}

template <class Arch>
void exp_array(const float* x, float* y, std::size_t n) noexcept {
  map_array<Arch, vexp<Arch>>(x, y, n);
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_ACTIVATIONS_INL_H_

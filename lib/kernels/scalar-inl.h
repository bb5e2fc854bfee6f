// Vectors for CPUs without kernels of their own: plain C++, four numbers at a time, which the compiler may turn into
// what the CPU has. Fused multiply-add is the CPU's if it has one, otherwise that of fused-inl.h.
#ifndef RNN_KERNELS_SCALAR_INL_H_
#define RNN_KERNELS_SCALAR_INL_H_

#include "lib/kernels/fused-inl.h"
#include "lib/kernels/vector-inl.h"

namespace rnn::kernels {
namespace {

using Baseline = Scalar;

#if !defined(__FP_FAST_FMAF)
using Doubles = Batch<double, Scalar>;

RNN_INLINE Doubles to_odd(const Doubles& sum, const Doubles& side) noexcept {
  return each<double>(
      [](double s, double e) {
        const std::int64_t above = e<0.0, below = e> 0.0;
        return cast_bits<double>((cast_bits<std::int64_t>(s) - above) | above | below);
      },
      sum, side);
}
RNN_INLINE Vec<Scalar> to_floats(const Doubles& v) noexcept { return Vec<Scalar>(v); }
RNN_INLINE Doubles rounded_to_floats(const Doubles& v) noexcept {
  return each<double>([](double x) { return static_cast<double>(narrowed(x)); }, v);
}

template <>
struct Terms<Scalar> : DoubleTerms<Vec<Scalar>, Doubles> {};
#elif defined(RNN_SOFTWARE_FLUSH)
// Subnormals of factors, and what a sum begins with, become zeros once, and not for each product.
template <>
struct Terms<Scalar> {
  struct Factor {
    Batch<Real, Scalar> x;
    Factor() noexcept = default;
    RNN_INLINE Factor(const Batch<Real, Scalar>& v) noexcept : x(v) {}
    RNN_INLINE Factor(const Vec<Scalar>& v) noexcept : x(each<Real>([](float u) { return Real(u); }, v)) {}
    RNN_INLINE explicit Factor(float u) noexcept : x(Real(u)) {}
    RNN_INLINE operator Vec<Scalar>() const noexcept {
      return each<float>([](Real u) { return static_cast<float>(u); }, x);
    }
  };
  using Sum = Factor;
  RNN_INLINE static Sum add(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return each<Real>([](Real u, Real v, Real w) { return fused(u, v, w); }, a.x, b.x, sum.x);
  }
  RNN_INLINE static Sum add_bf16(const Factor& a, const Factor& b, const Sum& sum) noexcept {
    return add(a, b, sum);
  }
};
#endif

template <>
struct Native<Scalar> : BufferedPartial<Scalar> {
  using V = Vec<Scalar>;
  using I = IntVec<Scalar>;
  static V fma(V a, V b, V c) noexcept {
#if defined(__FP_FAST_FMAF) && defined(RNN_SOFTWARE_FLUSH)
    return Terms<Scalar>::add(a, b, c);
#elif defined(__FP_FAST_FMAF)
    return each<float>([](float u, float v, float w) { return __builtin_fmaf(u, v, w); }, a, b, c);
#else
    return fused_multiply_add<Doubles>(a, b, c);
#endif
  }
  static V fms(V a, V b, V c) noexcept { return fma(a, b, negative(c)); }
  static V fnma(V a, V b, V c) noexcept { return fma(negative(a), b, c); }
  static V div(V a, V b) noexcept {
    return each<float>([](float u, float v) { return static_cast<float>(Real(u) / Real(v)); }, a, b);
  }
  static V min(V c, V x) noexcept { return real(select(c < x, c, x)); }
  static V max(V c, V x) noexcept { return real(select(c > x, c, x)); }
  static V sqrt(V x) noexcept {
    return each<float>([](float v) { return __builtin_sqrtf(v); }, real(x));
  }
  static V abs(V x) noexcept { return from_bits(bits(x) & I(INT32_MAX)); }
  static V with_sign(V m, V x) noexcept { return from_bits(bits(m) | (bits(x) & I(INT32_MIN))); }
  static I bits(V x) noexcept {
    return each<std::int32_t>([](float v) { return cast_bits<std::int32_t>(v); }, x);
  }
  static V from_bits(I i) noexcept {
    return each<float>([](std::int32_t n) { return cast_bits<float>(n); }, i);
  }
  template <int K>
  static I shl(I i) noexcept {
    return each<std::int32_t>([](std::int32_t n) { return static_cast<std::int32_t>(wrapping(n) << K); }, i);
  }
  template <int K>
  static I shr(I i) noexcept {
    return each<std::int32_t>([](std::int32_t n) { return static_cast<std::int32_t>(wrapping(n) >> K); }, i);
  }
  static I exclusive_or(I a, I b) noexcept { return a ^ b; }
  static I mul(I a, I b) noexcept { return a * b; }
  static V zero_below(I i, I limit, V x) noexcept {
    const I above = each<std::int32_t>(
        [](std::int32_t n, std::int32_t l) { return -static_cast<std::int32_t>(wrapping(n) >= wrapping(l)); },
        i, limit);
    return from_bits(above & bits(x));
  }

 private:
  static V real(V x) noexcept {
    return each<float>([](float v) { return static_cast<float>(Real(v)); }, x);
  }
  static V negative(V x) noexcept { return from_bits(bits(x) ^ I(INT32_MIN)); }
};

// --- Four floats ------------------------------------------------------------------------------

using Quad = Vec<Scalar>;
inline Quad zero_quad() noexcept { return Quad(0.0f); }
inline Quad load_quad(const float* p) noexcept { return Quad::load_aligned(p); }
inline Quad fma_quad(const Quad& a, const Quad& b, const Quad& c) noexcept {
  return Native<Scalar>::fma(a, b, c);
}
// ((v[0] + v[1]) + v[2]) + v[3]
inline float add_in_order(const Quad& v) noexcept {
  return static_cast<float>(Real(v.x[0]) + Real(v.x[1]) + Real(v.x[2]) + Real(v.x[3]));
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_SCALAR_INL_H_

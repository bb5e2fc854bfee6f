// Subnormals count as zero in FloatMode: as operands, and as results, which are told by the rounded number. Where the
// CPU has such a mode, Real is float. Elsewhere, as on RISC-V, s390x and WebAssembly, or where
// RNN_SOFTWARE_FLUSH is defined, Real gives the bits that an x86 gives in its mode. Code that runs in FloatMode and may
// meet subnormals computes with Real, by the table's kernels, or converts by widened() and narrowed().
//
// (ARM's mode tells by the number before it is rounded. So what rounds to 2^-126 from below, from
// 2^-126 - 2^-151 on, is zero there.)
#pragma once

#include <cstdint>

#if !defined(RNN_SOFTWARE_FLUSH)
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE2__))
#define RNN_FLOAT_MODE_X86
#elif defined(__aarch64__)
#define RNN_FLOAT_MODE_AARCH64
#elif defined(__arm__) && defined(__ARM_FP)
#define RNN_FLOAT_MODE_ARM
#else
#define RNN_SOFTWARE_FLUSH
#endif
#endif

namespace rnn::kernels {

#if !defined(RNN_SOFTWARE_FLUSH)

constexpr bool kFlushesSubnormals = true;  // in FloatMode, the CPU
using Real = float;
[[gnu::always_inline]] static inline double widened(float x) noexcept { return static_cast<double>(x); }
[[gnu::always_inline]] static inline float narrowed(double x) noexcept { return static_cast<float>(x); }

#else

constexpr bool kFlushesSubnormals = false;

#define RNN_FLUSHED [[gnu::always_inline]] static inline

RNN_FLUSHED std::uint32_t bits_of(float x) noexcept {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
// x, or a zero of its sign where `magnitude` is less than `limit`. No branch: the time depends on no number.
RNN_FLUSHED float zero_below(std::uint32_t magnitude, std::uint32_t limit, float x) noexcept {
  const std::uint32_t kept = 0u - static_cast<std::uint32_t>((magnitude & 0x7fffffffu) >= limit);
  const std::uint32_t bits = bits_of(x) & (kept | 0x80000000u);
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
RNN_FLUSHED float flushed(float x) noexcept { return zero_below(bits_of(x), 0x00800000u, x); }

// A result that may be rounded to a subnormal, and the same with an operand, or two that are added, 2^64 times as
// large, which tells what is tiny as rounded: less than 2^-62. Operands that overflow so are at least 2^64, and as no
// other is less than 2^-126, what they give is not tiny: a product or quotient is at least 2^-64, and the rest of a sum
// that cancels a multiple of 2^-108, or zero.
constexpr float kScale = 0x1p64f;
RNN_FLUSHED float flushed(float result, float scaled) noexcept {
  return zero_below(bits_of(scaled), 0x20800000u, result);
}

RNN_FLUSHED double widened(float x) noexcept { return static_cast<double>(flushed(x)); }
// 2^-126 - 2^-151 and what is larger is rounded to a number that is not subnormal.
RNN_FLUSHED float narrowed(double x) noexcept {
  const double magnitude = __builtin_fabs(x);
  return zero_below(static_cast<std::uint32_t>(!(magnitude < 0x1.ffffffp-127)), 1, static_cast<float>(x));
}

// A float that is not subnormal.
class Real {
 public:
  Real() noexcept = default;
  [[gnu::always_inline]] explicit Real(float x) noexcept : x_(flushed(x)) {}
  [[gnu::always_inline]] explicit operator float() const noexcept { return x_; }

  [[gnu::always_inline]] friend Real operator+(Real a, Real b) noexcept { return Real(a.x_ + b.x_); }
  [[gnu::always_inline]] friend Real operator-(Real a, Real b) noexcept { return Real(a.x_ - b.x_); }
  [[gnu::always_inline]] friend Real operator*(Real a, Real b) noexcept {
    return whole(flushed(a.x_ * b.x_, (a.x_ * kScale) * b.x_));
  }
  [[gnu::always_inline]] friend Real operator/(Real a, Real b) noexcept {
    return whole(flushed(a.x_ / b.x_, (a.x_ * kScale) / b.x_));
  }
  [[gnu::always_inline]] friend bool operator<(Real a, Real b) noexcept { return a.x_ < b.x_; }
  [[gnu::always_inline]] friend bool operator>(Real a, Real b) noexcept { return a.x_ > b.x_; }
  [[gnu::always_inline]] friend bool operator<=(Real a, Real b) noexcept { return a.x_ <= b.x_; }
  [[gnu::always_inline]] friend bool operator>=(Real a, Real b) noexcept { return a.x_ >= b.x_; }
  [[gnu::always_inline]] friend bool operator==(Real a, Real b) noexcept { return a.x_ == b.x_; }
#if defined(__FP_FAST_FMAF)
  // a b + c
  [[gnu::always_inline]] friend Real fused(Real a, Real b, Real c) noexcept {
    return whole(
        flushed(__builtin_fmaf(a.x_, b.x_, c.x_), __builtin_fmaf(a.x_ * kScale, b.x_, c.x_ * kScale)));
  }
#endif

 private:
  [[gnu::always_inline]] static Real whole(float x) noexcept {
    Real real;
    real.x_ = x;
    return real;
  }
  float x_;
};

#endif

}  // namespace rnn::kernels

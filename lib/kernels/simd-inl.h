// Vectors of float for the kernels.
//
// Everything is a template over the architecture Arch and stands in an unnamed namespace: an ISA unit must not
// emit an inline function that the linker could merge with the copy of a unit built for another CPU. Vectors are
// those of xsimd-inl.h (xsimd::sse2, xsimd::fma3<xsimd::avx2>, xsimd::avx512bw, xsimd::neon64), or of
// scalar-inl.h (Scalar) where RNN_SCALAR is defined, as it is on CPUs that have none of the others.
// Operators are those of xsimd::batch, except /: use vdiv. What differs between xsimd releases, or
// is missing or slow in one of them, has a function here; those on vectors start with v, so that
// argument-dependent lookup never finds one of xsimd's.
//
// Included by ISA units, through the other -inl.h files, and by pack.cpp.
#ifndef RNN_KERNELS_SIMD_INL_H_
#define RNN_KERNELS_SIMD_INL_H_

#if !defined(RNN_SCALAR) && !defined(__SSE2__) && !defined(__aarch64__)
#define RNN_SCALAR
#endif
#if defined(RNN_SCALAR)
#include "lib/kernels/scalar-inl.h"
#else
#include "lib/kernels/xsimd-inl.h"
#endif

namespace rnn::kernels {
namespace {

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
  return select(m, a, b);  // xsimd's, or that of batch-inl.h
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

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_SIMD_INL_H_

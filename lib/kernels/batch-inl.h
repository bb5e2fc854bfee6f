// What xsimd::batch is to other instruction sets, as an array: every operation is written number by number.
//
// No operation has a branch, whatever the numbers are: what a comparison finds is a mask, by which select takes bits.
#ifndef RNN_KERNELS_BATCH_INL_H_
#define RNN_KERNELS_BATCH_INL_H_

#include <cstddef>
#include <cstdint>

#include "lib/kernels/subnormals.h"

// Floating-point numbers have to be rounded to their type after each operation.
#if __FLT_EVAL_METHOD__ != 0
#error "floats are computed in more than their precision: on x86 this needs -msse2 -mfpmath=sse"
#endif

#define RNN_INLINE [[gnu::always_inline]] inline

namespace rnn::kernels {
namespace {

// The architecture of arrays.
struct Scalar {};

template <class T, class Arch>
struct Batch {
  using arch_type = Arch;
  static constexpr std::size_t size = 4;
  T x[size];

  Batch() noexcept = default;
  RNN_INLINE Batch(T a, T b, T c, T d) noexcept : x{a, b, c, d} {}
  RNN_INLINE explicit Batch(T value) noexcept : x{value, value, value, value} {}
  template <class From>
  RNN_INLINE explicit Batch(const Batch<From, Arch>& from) noexcept
      : x{converted(from.x[0]), converted(from.x[1]), converted(from.x[2]), converted(from.x[3])} {}

  RNN_INLINE static Batch load_unaligned(const T* p) noexcept { return {p[0], p[1], p[2], p[3]}; }
  RNN_INLINE static Batch load_aligned(const T* p) noexcept { return load_unaligned(p); }
  RNN_INLINE void store_unaligned(T* p) const noexcept {
    for (std::size_t i = 0; i < size; ++i) p[i] = x[i];
  }
  RNN_INLINE void store_aligned(T* p) const noexcept { store_unaligned(p); }

 private:
  template <class From>
  RNN_INLINE static T converted(From from) noexcept {
    return static_cast<T>(from);
  }
  RNN_INLINE static double converted(float from) noexcept { return widened(from); }
  RNN_INLINE static float converted(double from) noexcept { return narrowed(from); }
};

// f of each number.
template <class T, class F, class Arch, class... U>
RNN_INLINE Batch<T, Arch> each(const F& f, const Batch<U, Arch>&... v) noexcept {
  return {f(v.x[0]...), f(v.x[1]...), f(v.x[2]...), f(v.x[3]...)};
}

// The bits of a number as an integer of its size, and back.
template <class To, class From>
RNN_INLINE To cast_bits(From from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

// What is computed with: integers wrap around.
RNN_INLINE std::uint32_t wrapping(std::int32_t i) noexcept { return static_cast<std::uint32_t>(i); }
RNN_INLINE Real wrapping(float x) noexcept { return Real(x); }
RNN_INLINE double wrapping(double x) noexcept { return x; }

template <class T, class Arch>
RNN_INLINE Batch<T, Arch> operator+(const Batch<T, Arch>& a, const Batch<T, Arch>& b) noexcept {
  return each<T>([](T u, T v) { return static_cast<T>(wrapping(u) + wrapping(v)); }, a, b);
}
template <class T, class Arch>
RNN_INLINE Batch<T, Arch> operator-(const Batch<T, Arch>& a, const Batch<T, Arch>& b) noexcept {
  return each<T>([](T u, T v) { return static_cast<T>(wrapping(u) - wrapping(v)); }, a, b);
}
template <class T, class Arch>
RNN_INLINE Batch<T, Arch> operator*(const Batch<T, Arch>& a, const Batch<T, Arch>& b) noexcept {
  return each<T>([](T u, T v) { return static_cast<T>(wrapping(u) * wrapping(v)); }, a, b);
}

template <class Arch>
RNN_INLINE Batch<std::int32_t, Arch> operator&(const Batch<std::int32_t, Arch>& a,
                                               const Batch<std::int32_t, Arch>& b) noexcept {
  return each<std::int32_t>([](std::int32_t u, std::int32_t v) { return u & v; }, a, b);
}
template <class Arch>
RNN_INLINE Batch<std::int32_t, Arch> operator|(const Batch<std::int32_t, Arch>& a,
                                               const Batch<std::int32_t, Arch>& b) noexcept {
  return each<std::int32_t>([](std::int32_t u, std::int32_t v) { return u | v; }, a, b);
}
template <class Arch>
RNN_INLINE Batch<std::int32_t, Arch> operator^(const Batch<std::int32_t, Arch>& a,
                                               const Batch<std::int32_t, Arch>& b) noexcept {
  return each<std::int32_t>([](std::int32_t u, std::int32_t v) { return u ^ v; }, a, b);
}

// All bits of a number's place, or none.
template <class Arch>
struct BatchMask {
  Batch<std::int32_t, Arch> bits;
};

template <class Arch>
RNN_INLINE BatchMask<Arch> operator<(const Batch<float, Arch>& a, const Batch<float, Arch>& b) noexcept {
  return {each<std::int32_t>([](float u, float v) { return -static_cast<std::int32_t>(Real(u) < Real(v)); },
                             a, b)};
}
template <class Arch>
RNN_INLINE BatchMask<Arch> operator<=(const Batch<float, Arch>& a, const Batch<float, Arch>& b) noexcept {
  return {each<std::int32_t>([](float u, float v) { return -static_cast<std::int32_t>(Real(u) <= Real(v)); },
                             a, b)};
}
template <class Arch>
RNN_INLINE BatchMask<Arch> operator>(const Batch<float, Arch>& a, const Batch<float, Arch>& b) noexcept {
  return b < a;
}
template <class Arch>
RNN_INLINE BatchMask<Arch> operator>=(const Batch<float, Arch>& a, const Batch<float, Arch>& b) noexcept {
  return b <= a;
}
template <class Arch>
RNN_INLINE BatchMask<Arch> operator==(const Batch<float, Arch>& a, const Batch<float, Arch>& b) noexcept {
  return {each<std::int32_t>([](float u, float v) { return -static_cast<std::int32_t>(Real(u) == Real(v)); },
                             a, b)};
}

template <class Arch>
RNN_INLINE Batch<float, Arch> select(const BatchMask<Arch>& mask, const Batch<float, Arch>& a,
                                     const Batch<float, Arch>& b) noexcept {
  return each<float>(
      [](std::int32_t m, float u, float v) {
        return cast_bits<float>((m & cast_bits<std::int32_t>(u)) | (~m & cast_bits<std::int32_t>(v)));
      },
      mask.bits, a, b);
}

// The lower halves of a and b by turns, and the upper ones.
template <class T, class Arch>
RNN_INLINE Batch<T, Arch> zip_lo(const Batch<T, Arch>& a, const Batch<T, Arch>& b) noexcept {
  return {a.x[0], b.x[0], a.x[1], b.x[1]};
}
template <class T, class Arch>
RNN_INLINE Batch<T, Arch> zip_hi(const Batch<T, Arch>& a, const Batch<T, Arch>& b) noexcept {
  return {a.x[2], b.x[2], a.x[3], b.x[3]};
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_BATCH_INL_H_

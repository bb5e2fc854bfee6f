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

// What bf16 has in common.
struct Bf16 {
  static constexpr std::size_t pack = 2;
  static constexpr std::size_t more_columns = 0;  // of a panel, behind those of slots

  template <class Arch>
  static float largest(const float*, std::size_t) noexcept {
    return 1.0f;
  }
  // Sums of `rows` rows, ready.
  template <class Arch>
  static void finish(const float*, std::size_t, std::size_t, const float*, float*) noexcept {}

  // Column k % pack of slots.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> pick(Vec<Arch> slots, std::size_t k) noexcept {
    return k % 2 == 0 ? lower_half<Arch>(slots) : upper_half<Arch>(slots);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> add(Vec<Arch> a, Vec<Arch> b) noexcept {
    return a + b;
  }
};

// A word of x is a float.
struct Bf16Widened : Bf16 {
  static constexpr std::size_t words = 2;

  template <std::size_t word, class Arch>
  [[gnu::always_inline]] static Vec<Arch> factor(Vec<Arch> slots) noexcept {
    return word == 0 ? lower_half<Arch>(slots) : upper_half<Arch>(slots);
  }
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> dot(Vec<Arch> w, Vec<Arch> x, Vec<Arch> sum) noexcept {
    return vfma<Arch>(w, x, sum);
  }
  // n numbers of x to words, and zeros behind them to the end of a vector.
  template <class Arch>
  static void convert(const float* x, std::size_t n, float, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      store_aligned<Arch>(out + i, round_to_bf16<Arch>(load_from<Arch>(x, i, n)));
  }
  // Two rows to slots, the first in the lower halves.
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> slots(Vec<Arch> first, Vec<Arch> second) noexcept {
    const IntVec<Arch> low = vshr<16, Arch>(vbits<Arch>(round_to_bf16<Arch>(first)));
    return vfrom_bits<Arch>(low | vbits<Arch>(round_to_bf16<Arch>(second)));
  }
  // The words of such slots, `lanes` slots.
  template <class Arch>
  [[gnu::always_inline]] static void store_words(Vec<Arch> first, Vec<Arch> second, std::size_t plane,
                                                 float* out) noexcept {
    store_aligned<Arch>(out, round_to_bf16<Arch>(first));
    store_aligned<Arch>(out + plane, round_to_bf16<Arch>(second));
  }
};

#if defined(__AVX512BF16__)
// A word of x is a slot, too.
struct Bf16Native : Bf16 {
  static constexpr std::size_t words = 1;

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
  template <class Arch>
  [[gnu::always_inline]] static Vec<Arch> slots(Vec<Arch> first, Vec<Arch> second) noexcept {
    const __m512bh rows = _mm512_cvtne2ps_pbh(second, first);
    const __m512i interleaved = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                                 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(interleaved, reinterpret_cast<const __m512i&>(rows)));
  }
  template <class Arch>
  [[gnu::always_inline]] static void store_words(Vec<Arch> first, Vec<Arch> second, std::size_t,
                                                 float* out) noexcept {
    store_aligned<Arch>(out, slots<Arch>(first, second));
  }

 private:
  [[gnu::always_inline]] static __m512bh as_bf16(__m512 slots) noexcept {
    return reinterpret_cast<const __m512bh&>(slots);
  }
};
#endif

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_FORMATS_INL_H_

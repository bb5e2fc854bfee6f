// The vectors that kernels are written with, of one architecture: see simd-inl.h.
#ifndef RNN_KERNELS_VECTOR_INL_H_
#define RNN_KERNELS_VECTOR_INL_H_

#include <cstddef>
#include <cstdint>

#include "lib/kernels/subnormals.h"

#if defined(RNN_SCALAR)
#include "lib/kernels/batch-inl.h"
#else
// A batch without an explicit architecture is a mistake here. Releases that read this macro (8.1
// does not) make it an error.
#ifndef XSIMD_DEFAULT_ARCH
#define XSIMD_DEFAULT_ARCH xsimd::unsupported
#endif
#include <xsimd/xsimd.hpp>
#if defined(RNN_SOFTWARE_FLUSH)
#include "lib/kernels/flushed-inl.h"
#endif
#endif

namespace rnn::kernels {
namespace {

#if defined(RNN_SCALAR)
template <class Arch>
using Vec = Batch<float, Arch>;
template <class Arch>
using IntVec = Batch<std::int32_t, Arch>;
template <class Arch>
using Mask = BatchMask<Arch>;
#else
#if defined(RNN_SOFTWARE_FLUSH)
template <class Arch>
using Vec = FlushedVec<Arch>;
#else
template <class Arch>
using Vec = xsimd::batch<float, Arch>;
#endif
template <class Arch>
using IntVec = xsimd::batch<std::int32_t, Arch>;
template <class Arch>
using Mask = xsimd::batch_bool<float, Arch>;
#endif

// Floats in a vector.
template <class Arch>
constexpr std::size_t lanes = Vec<Arch>::size;

// The architecture of narrow vectors, which have half the lanes and cost about half as much; where there are
// none, Arch itself.
template <class Arch>
struct NarrowArch {
  using type = Arch;
};
#if defined(__AVX512F__)
template <>
struct NarrowArch<xsimd::avx512bw> {
  using type = xsimd::fma3<xsimd::avx2>;
};
#endif
template <class Arch>
using Narrow = typename NarrowArch<Arch>::type;
template <class Arch>
constexpr bool has_narrow = lanes<Narrow<Arch>> < lanes<Arch>;
// True for the architecture of this unit's narrow vectors.
template <class Arch>
constexpr bool is_narrow = false;
#if defined(__AVX512F__)
template <>
constexpr bool is_narrow<xsimd::fma3<xsimd::avx2>> = true;
#endif

// What each architecture does in its own way.
template <class Arch>
struct Native;

// What products are made of and added to.
template <class Arch>
struct Terms;

// Partial access by way of a buffer, for ISAs without masked loads and stores.
template <class Arch>
struct BufferedPartial {
  static Vec<Arch> load_partial(const float* p, std::size_t n) noexcept {
    alignas(64) float buffer[lanes<Arch>];
    for (std::size_t i = 0; i < lanes<Arch>; ++i) buffer[i] = i < n ? p[i] : 0.0f;
    return Vec<Arch>::load_aligned(buffer);
  }
  static void store_partial(float* p, Vec<Arch> v, std::size_t n) noexcept {
    alignas(64) float buffer[lanes<Arch>];
    v.store_aligned(buffer);
    for (std::size_t i = 0; i < lanes<Arch>; ++i)
      if (i < n) p[i] = buffer[i];
  }
  static void store_exact(float* p, Vec<Arch> v, std::size_t n) noexcept { store_partial(p, v, n); }
};

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_VECTOR_INL_H_

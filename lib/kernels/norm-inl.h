// Layer normalisation, dropout and what else goes over rows by element.
#ifndef RNN_KERNELS_NORM_INL_H_
#define RNN_KERNELS_NORM_INL_H_

#include "lib/kernels/loss-inl.h"

namespace rnn::kernels {
namespace {

inline bool is_none(const MutableRows& rows) noexcept {
  return rows.base == nullptr && rows.pointers == nullptr;
}

inline float divide(float a, float b) noexcept { return static_cast<float>(Real(a) / Real(b)); }

// The mean of x, and of (x - mean)^2. Added up in kPad lanes, as in a norm.
struct Moments {
  float mean;
  float variance;
};

template <class Arch>
inline Moments moments(std::size_t N, const float* x) noexcept {
  const float count = static_cast<float>(N);
  Block<Arch> sum = fill_block<Arch>(0.0f), squares = fill_block<Arch>(0.0f);
  for (std::size_t j = 0; j < N; j += kPad) {
    const Block<Arch> block = load_block<Arch>(x, j, N, 0.0f);
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) sum.v[i] = sum.v[i] + block.v[i];
  }
  const float mean = divide(add_lanes<Arch>(sum), count);
  for (std::size_t j = 0; j < N; j += kPad) {
    const Block<Arch> block = load_block<Arch>(x, j, N, mean);
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
      const Vec<Arch> difference = block.v[i] - Vec<Arch>(mean);
      squares.v[i] = vfma<Arch>(difference, difference, squares.v[i]);
    }
  }
  return {mean, divide(add_lanes<Arch>(squares), count)};
}

template <class Arch>
void layer_norm(std::size_t M, std::size_t N, const Rows& x, const float* gain, const float* bias,
                const MutableRows& normalized, float* deviation, const MutableRows& y) noexcept {
  constexpr float epsilon = 1e-5f;
  for (std::size_t m = 0; m < M; ++m) {
    const float* const from = row(x, m);
    float* const kept = is_none(normalized) ? nullptr : row(normalized, m);
    float* const to = row(y, m);
    const Moments found = moments<Arch>(N, from);
    const float inverse = 1.0f / __builtin_sqrtf(found.variance + epsilon);  // neither is tiny
    if (deviation != nullptr) deviation[m] = inverse;
    for (std::size_t j = 0; j < N; j += lanes<Arch>) {
      const Vec<Arch> v = (load_columns<Arch>(from, j, N) - Vec<Arch>(found.mean)) * Vec<Arch>(inverse);
      if (kept != nullptr) store_columns<Arch>(kept, j, N, v);
      const Vec<Arch> scale = load_columns<Arch>(gain, j, N);
      store_columns<Arch>(to, j, N,
                          bias == nullptr ? v * scale : vfma<Arch>(v, scale, load_columns<Arch>(bias, j, N)));
    }
  }
}

template <class Arch>
void layer_norm_backward(std::size_t M, std::size_t N, const Rows& dy, const float* gain,
                         const Rows& normalized, const float* deviation, const MutableRows& dx) noexcept {
  const float count = static_cast<float>(N);
  for (std::size_t m = 0; m < M; ++m) {
    const float* const from = row(dy, m);
    const float* const kept = row(normalized, m);
    float* const to = row(dx, m);
    Block<Arch> sum = fill_block<Arch>(0.0f), products = fill_block<Arch>(0.0f);
    for (std::size_t j = 0; j < N; j += kPad) {
      const Block<Arch> d = load_block<Arch>(from, j, N, 0.0f), scale = load_block<Arch>(gain, j, N, 0.0f);
      const Block<Arch> v = load_block<Arch>(kept, j, N, 0.0f);
      RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
        const Vec<Arch> g = scale.v[i] * d.v[i];
        sum.v[i] = sum.v[i] + g;
        products.v[i] = vfma<Arch>(g, v.v[i], products.v[i]);
      }
    }
    const Vec<Arch> mean(divide(add_lanes<Arch>(sum), count));
    const Vec<Arch> slope(divide(add_lanes<Arch>(products), count));
    for (std::size_t j = 0; j < N; j += lanes<Arch>) {
      const Vec<Arch> g = load_columns<Arch>(gain, j, N) * load_columns<Arch>(from, j, N);
      const Vec<Arch> v = vfnma<Arch>(load_columns<Arch>(kept, j, N), slope, g - mean);
      store_columns<Arch>(to, j, N, Vec<Arch>(deviation[m]) * v);
    }
  }
}

template <class Arch>
void product_sums(std::size_t R, std::size_t N, const float* a, std::size_t lda, const float* b,
                  std::size_t ldb, float* out) noexcept {
  for (std::size_t j = 0; j < N; j += lanes<Arch>) {
    Vec<Arch> sum = load_columns<Arch>(out, j, N);
    for (std::size_t r = 0; r < R; ++r)
      sum = vfma<Arch>(load_columns<Arch>(a + r * lda, j, N), load_columns<Arch>(b + r * ldb, j, N), sum);
    store_columns<Arch>(out, j, N, sum);
  }
}

template <class Arch>
void add(std::size_t M, std::size_t N, const Rows& a, const Rows& b, const MutableRows& y) noexcept {
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t j = 0; j < N; j += lanes<Arch>)
      store_columns<Arch>(row(y, m), j, N,
                          load_columns<Arch>(row(a, m), j, N) + load_columns<Arch>(row(b, m), j, N));
}

// 64 bits of which each depends on all bits of x.
inline std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

// 32 random bits for each column of a row, from the 64 of the row: one half of them enters before the first
// multiplication and the other before the second, so that no two rows have the same sequence, shifted.
template <class Arch>
inline IntVec<Arch> random_bits(IntVec<Arch> column, IntVec<Arch> first, IntVec<Arch> second) noexcept {
  using I = IntVec<Arch>;
  I x = vmul<Arch>(column, I(static_cast<std::int32_t>(0x9e3779b9u))) + first;
  x = vmul<Arch>(vxor<Arch>(x, vshr<16, Arch>(x)), I(0x7feb352d));
  x = vxor<Arch>(x, second);
  x = vmul<Arch>(vxor<Arch>(x, vshr<15, Arch>(x)), I(static_cast<std::int32_t>(0x846ca68bu)));
  return vxor<Arch>(x, vshr<16, Arch>(x));
}

alignas(64) constexpr std::int32_t kColumnNumbers[kPad] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                           8, 9, 10, 11, 12, 13, 14, 15};

template <class Arch>
void dropout(std::size_t M, std::size_t N, const Rows& x, std::uint64_t key, const std::uint64_t* numbers,
             std::uint32_t threshold, float scale, const MutableRows& y) noexcept {
  using I = IntVec<Arch>;
  const I count = I::load_aligned(kColumnNumbers), step(static_cast<std::int32_t>(lanes<Arch>));
  const I limit(static_cast<std::int32_t>(threshold));
  const Vec<Arch> factor(scale);
  for (std::size_t m = 0; m < M; ++m) {
    const std::uint64_t bits = mix(mix(key) + numbers[m]);
    const I low(static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)));
    const I high(static_cast<std::int32_t>(static_cast<std::uint32_t>(bits >> 32)));
    I column = count;
    for (std::size_t j = 0; j < N; j += lanes<Arch>, column = column + step) {
      const Vec<Arch> v = load_columns<Arch>(row(x, m), j, N) * factor;
      store_columns<Arch>(row(y, m), j, N, vzero_below<Arch>(random_bits<Arch>(column, low, high), limit, v));
    }
  }
}

// a += rate (p - a)
template <class Arch>
void average(std::size_t n, float rate, const float* p, float* a) noexcept {
  for (std::size_t j = 0; j < n; j += lanes<Arch>) {
    const Vec<Arch> old = load<Arch>(a + j);
    store<Arch>(a + j, vfma<Arch>(Vec<Arch>(rate), load<Arch>(p + j) - old, old));
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_NORM_INL_H_

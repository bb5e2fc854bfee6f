// Softmax and the losses with their gradients. Sums over a row run in kPad accumulators, added by one fixed
// tree, so that they are the same bits on every ISA.
#ifndef RNN_KERNELS_LOSS_INL_H_
#define RNN_KERNELS_LOSS_INL_H_

#include "lib/kernels/activations-inl.h"
#include "lib/kernels/gemm-inl.h"

namespace rnn::kernels {
namespace {

// kPad columns of a row.
template <class Arch>
struct Block {
  static constexpr std::size_t vectors = kPad / lanes<Arch>;
  Vec<Arch> v[vectors];
};

template <class Arch>
inline Block<Arch> fill_block(float value) noexcept {
  Block<Arch> block;
  RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) block.v[i] = Vec<Arch>(value);
  return block;
}

alignas(64) constexpr float kColumns[kPad] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Columns [column, column + kPad) of a row that has n; `fill` where there are none.
template <class Arch>
inline Block<Arch> load_block(const float* p, std::size_t column, std::size_t n, float fill) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  Block<Arch> block;
  p += column;
  if (column + kPad <= n) {
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) block.v[i] = load<Arch>(p + i * L);
    return block;
  }
  const std::size_t count = n - column;
  const Vec<Arch> limit(static_cast<float>(count)), none(fill);
  RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
    block.v[i] = none;
    if (count >= (i + 1) * L)
      block.v[i] = load<Arch>(p + i * L);
    else if (count > i * L)
      block.v[i] = vselect<Arch>(load_aligned<Arch>(kColumns + i * L) < limit,
                                 load_partial<Arch>(p + i * L, count - i * L), none);
  }
  return block;
}

template <class Arch>
inline void store_block(float* p, std::size_t column, std::size_t n, const Block<Arch>& block) noexcept {
  constexpr std::size_t L = lanes<Arch>;
  RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) if (n > column + i * L)
      store_columns<Arch>(p, column + i * L, n, block.v[i]);
}

struct Sum {
  template <class T>
  static T of(T a, T b) noexcept {
    return a + b;
  }
  static float of(float a, float b) noexcept { return static_cast<float>(Real(a) + Real(b)); }
};
struct Larger {
  static float of(float a, float b) noexcept { return Real(a) > Real(b) ? a : b; }
  template <class V>
  static V of(V a, V b) noexcept {
    return vselect<typename V::arch_type>(a > b, a, b);
  }
};

// One number from n, a power of two: the upper half joins the lower one, and so on. Unrolled: rows of few
// columns would feel the loops.
template <class Operation, std::size_t n>
[[gnu::always_inline]] inline float fold(float* s) noexcept {
  if constexpr (n > 1) {
    RNN_UNROLL for (std::size_t i = 0; i < n / 2; ++i) s[i] = Operation::of(s[i], s[i + n / 2]);
    fold<Operation, n / 2>(s);
  }
  return s[0];
}

// The same of a block, by vectors as long as there are two.
template <class Operation, class Arch>
[[gnu::always_inline]] inline float fold_lanes(Block<Arch> block) noexcept {
  alignas(64) float s[lanes<Arch>];
  RNN_UNROLL for (std::size_t n = Block<Arch>::vectors / 2; n > 0; n /= 2)
      RNN_UNROLL for (std::size_t i = 0; i < n; ++i) block.v[i] = Operation::of(block.v[i], block.v[i + n]);
  store_aligned<Arch>(s, block.v[0]);
  if constexpr (has_narrow<Arch>) {
    using N = Narrow<Arch>;
    store_aligned<N>(s, Operation::of(load_aligned<N>(s), load_aligned<N>(s + lanes<N>)));
  }
  return fold<Operation, lanes<Narrow<Arch>>>(s);
}

template <class Arch>
inline float add_lanes(const Block<Arch>& block) noexcept {
  return fold_lanes<Sum>(block);
}

// The largest element of a row, NaN aside.
template <class Arch>
inline float largest(const float* x, std::size_t n) noexcept {
  constexpr float lowest = -3.402823466e38f;
  Block<Arch> most = fill_block<Arch>(lowest);
  for (std::size_t j = 0; j < n; j += kPad) {
    const Block<Arch> block = load_block<Arch>(x, j, n, lowest);
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) most.v[i] =
        vselect<Arch>(block.v[i] > most.v[i], block.v[i], most.v[i]);
  }
  return fold_lanes<Larger>(most);
}

// y = exp((x - most) * scale); the sum of it.
template <class Arch>
inline float exponentials(std::size_t n, const float* x, float most, float scale, float* y) noexcept {
  const Vec<Arch> offset(most), factor(scale);
  Block<Arch> sum = fill_block<Arch>(0.0f);
  for (std::size_t j = 0; j < n; j += kPad) {
    Block<Arch> block = load_block<Arch>(x, j, n, -__builtin_huge_valf());
    RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
      block.v[i] = vexp<Arch>((block.v[i] - offset) * factor);
      sum.v[i] = sum.v[i] + block.v[i];
    }
    if (y != nullptr) store_block<Arch>(y, j, n, block);
  }
  return add_lanes<Arch>(sum);
}

template <class Arch>
inline void scale_row(std::size_t n, float* y, float scale) noexcept {
  const Vec<Arch> factor(scale);
  for (std::size_t j = 0; j < n; j += lanes<Arch>)
    store_columns<Arch>(y, j, n, load_columns<Arch>(y, j, n) * factor);
}

inline float subtract(float a, float b) noexcept { return static_cast<float>(Real(a) - Real(b)); }

template <class Arch>
void softmax(std::size_t N, const float* x, float scale, float* y) noexcept {
  const float sum = exponentials<Arch>(N, x, largest<Arch>(x, N), scale, y);
  scale_row<Arch>(N, y, static_cast<float>(Real(1.0f) / Real(sum)));
}

template <class Arch>
void softmax_cross_entropy(std::size_t M, std::size_t N, float* y, std::size_t ldy,
                           const std::int32_t* classes, const float* scale, SoftmaxRow* rows) noexcept {
  for (std::size_t m = 0; m < M; ++m, y += ldy) {
    const float most = largest<Arch>(y, N);
    const auto target = static_cast<std::size_t>(classes[m]);
    rows[m].gap = subtract(most, y[target]);
    rows[m].sum = exponentials<Arch>(N, y, most, 1.0f, scale != nullptr ? y : nullptr);
    if (scale == nullptr) continue;
    scale_row<Arch>(N, y, static_cast<float>(Real(scale[m]) / Real(rows[m].sum)));
    y[target] = subtract(y[target], scale[m]);
  }
}

// The target distribution of row m is certain[m] onehot(class) + prior, which adds up to certain[m] + mass.
template <class Arch>
void smoothed_cross_entropy(std::size_t M, std::size_t N, float* y, std::size_t ldy,
                            const std::int32_t* classes, const float* certain, const float* prior, float mass,
                            const float* scale, SoftmaxRow* rows, float* rest) noexcept {
  for (std::size_t m = 0; m < M; ++m, y += ldy) {
    const float most = largest<Arch>(y, N);
    const Vec<Arch> offset(most);
    const auto target = static_cast<std::size_t>(classes[m]);
    rows[m].gap = subtract(most, y[target]);
    Block<Arch> gaps = fill_block<Arch>(0.0f);
    for (std::size_t j = 0; j < N; j += kPad) {
      const Block<Arch> block = load_block<Arch>(y, j, N, most), weight = load_block<Arch>(prior, j, N, 0.0f);
      RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) gaps.v[i] =
          vfma<Arch>(weight.v[i], offset - block.v[i], gaps.v[i]);
    }
    rest[m] = add_lanes<Arch>(gaps);
    rows[m].sum = exponentials<Arch>(N, y, most, 1.0f, scale != nullptr ? y : nullptr);
    if (scale == nullptr) continue;
    const Real share = Real(scale[m]) * (Real(certain[m]) + Real(mass)) / Real(rows[m].sum);
    const Vec<Arch> probability(static_cast<float>(share)), factor(scale[m]);
    for (std::size_t j = 0; j < N; j += kPad) {
      Block<Arch> block = load_block<Arch>(y, j, N, 0.0f);
      const Block<Arch> weight = load_block<Arch>(prior, j, N, 0.0f);
      RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) block.v[i] =
          vfnma<Arch>(factor, weight.v[i], block.v[i] * probability);
      store_block<Arch>(y, j, N, block);
    }
    y[target] = subtract(y[target], static_cast<float>(Real(scale[m]) * Real(certain[m])));
  }
}

template <class Arch>
void squared_error(std::size_t M, std::size_t N, float* y, std::size_t ldy, const float* targets,
                   std::size_t ldt, const float* scale, float* loss) noexcept {
  for (std::size_t m = 0; m < M; ++m, y += ldy, targets += ldt) {
    Block<Arch> sum = fill_block<Arch>(0.0f);
    const Vec<Arch> factor(scale != nullptr ? static_cast<float>(Real(2.0f) * Real(scale[m])) : 0.0f);
    for (std::size_t j = 0; j < N; j += kPad) {
      Block<Arch> block = load_block<Arch>(y, j, N, 0.0f);
      const Block<Arch> target = load_block<Arch>(targets, j, N, 0.0f);
      RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
        const Vec<Arch> error = block.v[i] - target.v[i];
        sum.v[i] = vfma<Arch>(error, error, sum.v[i]);
        block.v[i] = factor * error;
      }
      if (scale != nullptr) store_block<Arch>(y, j, N, block);
    }
    loss[m] = add_lanes<Arch>(sum);
  }
}

// log(1 + t) for 0 <= t <= 1, by 2 atanh(z) with z = t / (2 + t) <= 1/3; relative error below 2^-22.
template <class Arch>
inline Vec<Arch> log1p_unit(Vec<Arch> t) noexcept {
  using V = Vec<Arch>;
  const V z = vdiv<Arch>(t, t + V(2.0f));
  const V z2 = z * z;
  V p = vfma<Arch>(V(1.0f / 13), z2, V(1.0f / 11));
  p = vfma<Arch>(p, z2, V(1.0f / 9));
  p = vfma<Arch>(p, z2, V(1.0f / 7));
  p = vfma<Arch>(p, z2, V(1.0f / 5));
  p = vfma<Arch>(p, z2, V(1.0f / 3));
  const V twice = z + z;
  return vfma<Arch>(twice * z2, p, twice);
}

// log(1 + e^y) - t y = max(y, 0) + log(1 + e^-|y|) - t y, which does not overflow.
template <class Arch>
void binary_cross_entropy(std::size_t M, std::size_t N, float* y, std::size_t ldy, const float* targets,
                          std::size_t ldt, const float* scale, float* loss) noexcept {
  const Vec<Arch> zero(0.0f);
  for (std::size_t m = 0; m < M; ++m, y += ldy, targets += ldt) {
    Block<Arch> sum = fill_block<Arch>(0.0f);
    const Vec<Arch> factor(scale != nullptr ? scale[m] : 0.0f);
    for (std::size_t j = 0; j < N; j += kPad) {
      // Absent columns have a loss of max(-huge, 0) + log(1 + 0) = 0.
      Block<Arch> block = load_block<Arch>(y, j, N, -1e30f);
      const Block<Arch> target = load_block<Arch>(targets, j, N, 0.0f);
      RNN_UNROLL for (std::size_t i = 0; i < Block<Arch>::vectors; ++i) {
        const Vec<Arch> x = block.v[i];
        const Vec<Arch> tail = log1p_unit<Arch>(vexp<Arch>(zero - vabs<Arch>(x)));
        sum.v[i] = sum.v[i] + (vfnma<Arch>(target.v[i], x, vmax<Arch>(zero, x)) + tail);
        block.v[i] = factor * (vsigmoid<Arch>(x) - target.v[i]);
      }
      if (scale != nullptr) store_block<Arch>(y, j, N, block);
    }
    loss[m] = add_lanes<Arch>(sum);
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_LOSS_INL_H_

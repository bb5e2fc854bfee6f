// The gradients of weights in a format of formats-inl.h.
#ifndef RNN_KERNELS_LOWP_TN_INL_H_
#define RNN_KERNELS_LOWP_TN_INL_H_

#include "lib/kernels/gemm_tn-inl.h"
#include "lib/kernels/lowp-inl.h"

namespace rnn::kernels {
namespace {

// Lines of words of a and b that are worked on at a time, and words of a line of a: they take 64 KB. A line is a
// row, or a pair of rows where a word is a slot.
constexpr std::size_t kLowpLines = 64;
constexpr std::size_t kLowpColumns = 256;

// `n` columns of R rows as slots of two rows each, `width` apart; a last row without a second has zeros
// there.
template <class Arch, class Number>
inline void convert_pairs(const float* a, std::size_t lda, std::size_t R, std::size_t n, std::size_t width,
                          float* out) noexcept {
  for (std::size_t r = 0; r < R; r += 2, a += 2 * lda, out += width) {
    for (std::size_t i = 0; i < n; i += lanes<Arch>) {
      const Vec<Arch> first = load_from<Arch>(a, i, n);
      const Vec<Arch> second = r + 1 < R ? load_from<Arch>(a + lda, i, n) : Vec<Arch>(0.0f);
      store_aligned<Arch>(out + i, Number::template slots<Arch>(first, second));
    }
  }
}

// The same as words, a row after the other, of each pair the second first. Inlined, its constants would take
// registers from the tiles' sums.
template <class Arch, class Number>
[[gnu::noinline]] void convert_rows(const float* a, std::size_t lda, std::size_t R, std::size_t n,
                                    std::size_t width, float* out) noexcept {
  for (std::size_t r = 0; r < R + R % 2; ++r, a += lda) {
    float* const line = out + (r ^ 1) * width;
    for (std::size_t i = 0; i < n; i += lanes<Arch>)
      store_aligned<Arch>(line + i, r < R ? round_to_bf16<Arch>(load_from<Arch>(a, i, n)) : Vec<Arch>(0.0f));
  }
}

// As with f32, tiles of one block fetch the lines of the next. Both are converted where they are used, b anew
// for each block of a's columns: its words of a panel stay in the L1 cache.
template <class Arch, class Number>
void lowp_gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda,
                  const float* b, std::size_t ldb, float* c, std::size_t ldc, bool apart) noexcept {
  if constexpr (Number::block > 1) return Number::template gemm_tn<Arch>(M, N, R, a, lda, b, ldb, c, ldc);
  constexpr std::size_t P = panel_rows<Arch>, MR = PanelShape<Arch, 1>::rows, columns = kLowpColumns;
  constexpr bool by_rows = Number::words > 1;
  constexpr std::size_t most = by_rows ? kLowpLines : 2 * kLowpLines;
  static_assert(kLowpLines == kApartRows, "what a tile adds at a time is one block, or two");
  const auto convert = [](const float* from, std::size_t stride, std::size_t rows, std::size_t n,
                          std::size_t width, float* out) __attribute__((always_inline)) {
    if constexpr (by_rows)
      convert_rows<Arch, Number>(from, stride, rows, n, width, out);
    else
      convert_pairs<Arch, Number>(from, stride, rows, n, width, out);
  };
  alignas(64) float a_words[kLowpLines * columns];
  alignas(64) float b_words[kLowpLines * P];
  const std::size_t b_lines = (N + kLine - 1) / kLine, a_lines = (M + kLine - 1) / kLine;
  for (std::size_t r = 0; r < R; r += most, a += most * lda, b += most * ldb) {
    const std::size_t depth = R - r < most ? R - r : most, pairs = (depth + 1) / 2;
    std::size_t next = 0;
    const auto ahead = [&](std::size_t start, std::size_t step) __attribute__((always_inline)) {
      if (next < b_lines) return AheadLine{b + (most + start) * ldb + next * kLine, step * ldb};
      if (next < b_lines + a_lines)
        return AheadLine{a + (most + start) * lda + (next - b_lines) * kLine, step * lda};
      return AheadLine{b_words, 0};
    };
    for (std::size_t m0 = 0; m0 < M; m0 += columns) {
      const std::size_t count = M - m0 < columns ? M - m0 : columns;
      convert(a + m0, lda, depth, count, columns, a_words);
      const std::size_t tiles = (count + MR - 1) / MR, small = count / tiles, larger = count % tiles;
      for (std::size_t n = 0; n < N; n += P) {
        const std::size_t width = N - n < P ? N - n : P;
        convert(b + n, ldb, depth, width, P, b_words);
        for (std::size_t i = 0, m = 0; i < tiles; ++i) {
          const std::size_t rows = small + (i < larger ? 1 : 0);
          Ahead lines;
          if constexpr (by_rows) {
            lines.a = ahead(0, 1);
            ++next;
            lines.b = ahead(0, 1);
          } else {
            lines = {ahead(0, 2), ahead(1, 2)};
          }
          ++next;
          dispatch_tn<Arch, Number, 1, 1>(rows, width / lanes<Arch>, by_rows ? 2 * pairs : pairs, a_words + m,
                                          columns, b_words, P, c + (m0 + m) * ldc + n, ldc, apart, lines);
          m += rows;
        }
      }
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_LOWP_TN_INL_H_

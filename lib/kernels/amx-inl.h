// Products in bf16 by AMX, whose tile registers hold 16 rows of 16 slots.
//
// The sum of an element takes 16 columns of slots at a time: the products of their even k's in one chain of
// fused multiply-adds that starts at zero, those of the odd ones in another; the two are added, and then that
// to the sum. Subnormals count as zero. It is what TDPBF16PS does, and no other instruction, so bits differ
// from those of other tables in the last place. Matrices are not cut into parts of k.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS.
#ifndef RNN_KERNELS_AMX_INL_H_
#define RNN_KERNELS_AMX_INL_H_

#include "lib/kernels/lowp_tn-inl.h"

namespace rnn::kernels {
namespace {

// Rows of a tile register, and slots in one of them.
constexpr std::size_t kTile = 16;

// Tile registers: 0 to 3 are sums, of two blocks of rows two each, or of one block four; 4 and 5 are for x,
// 6 and 7 for weights.
constexpr int kXTile = 4, kWeightTile = 6;

template <int tile>
inline void tile_load(const float* rows, std::size_t stride) noexcept {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2"
                   :
                   : "r"(rows), "r"(stride * sizeof(float)), "i"(tile)
                   : "memory");
}
template <int tile>
inline void tile_store(float* rows, std::size_t stride) noexcept {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)"
                   :
                   : "r"(rows), "r"(stride * sizeof(float)), "i"(tile)
                   : "memory");
}
template <int tile>
inline void tile_zero() noexcept {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
}
template <int sum, int x, int weights>
inline void tile_dot() noexcept {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(x), "i"(weights));
}

// The tile registers, for up to two blocks of rows, as long as it lives.
class Tiles {
 public:
  explicit Tiles(std::size_t rows) noexcept { set(rows); }
  ~Tiles() { __asm__ volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  void set(std::size_t rows) noexcept {
    if (rows == rows_) return;
    rows_ = rows;
    struct {
      std::uint8_t palette, start_row, reserved[14];
      std::uint16_t bytes[16];
      std::uint8_t rows[16];
    } config = {};
    const bool two = rows > kTile;
    const auto first = static_cast<std::uint8_t>(two ? kTile : rows);
    const auto second = static_cast<std::uint8_t>(two ? rows - kTile : rows);
    config.palette = 1;
    for (int tile = 0; tile < 8; ++tile) {
      config.bytes[tile] = kTile * sizeof(float);
      config.rows[tile] = tile < 2 || tile == kXTile ? first : tile < kWeightTile ? second : kTile;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
  }

 private:
  std::size_t rows_ = 0;
};

struct Bf16Amx : Bf16Native {
  static constexpr std::size_t block = kTile;
  static constexpr std::size_t room = kLowpRows * 512;  // a block of rows 1024 deep
  using Registers = Tiles;

  template <class Arch>
  static void gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda,
                      const float* b, std::size_t ldb, float* c, std::size_t ldc) noexcept;
};

// sums[rows, vectors] (+)= x[rows, steps * kTile slots] * weights[steps * kTile, vectors], all strides in
// floats.
struct TileProduct {
  std::size_t steps;
  const float* x;
  std::size_t x_stride;  // between rows
  std::size_t x_step;    // between blocks of columns
  std::size_t x_block;   // between blocks of rows
  const float* weights;
  std::size_t weights_stride;
  float* sums;
  std::size_t sums_stride;
  bool add;  // to what is there
};

template <int blocks, int vectors, int v = 0>
inline void load_sums(const TileProduct& p) noexcept {
  if constexpr (v < vectors) {
    if (p.add) {
      tile_load<v>(p.sums + v * kTile, p.sums_stride);
      if constexpr (blocks == 2) tile_load<2 + v>(p.sums + kTile * p.sums_stride + v * kTile, p.sums_stride);
    } else {
      tile_zero<v>();
      if constexpr (blocks == 2) tile_zero<2 + v>();
    }
    load_sums<blocks, vectors, v + 1>(p);
  }
}
template <int blocks, int vectors, int v = 0>
inline void store_sums(const TileProduct& p) noexcept {
  if constexpr (v < vectors) {
    tile_store<v>(p.sums + v * kTile, p.sums_stride);
    if constexpr (blocks == 2) tile_store<2 + v>(p.sums + kTile * p.sums_stride + v * kTile, p.sums_stride);
    store_sums<blocks, vectors, v + 1>(p);
  }
}
template <int blocks, int vectors, int v = 0>
inline void add_products(const float* weights, std::size_t stride) noexcept {
  if constexpr (v < vectors) {
    constexpr int tile = kWeightTile + v % 2;
    tile_load<tile>(weights + v * kTile, stride);
    tile_dot<v, kXTile, tile>();
    if constexpr (blocks == 2) tile_dot<2 + v, kXTile + 1, tile>();
    add_products<blocks, vectors, v + 1>(weights, stride);
  }
}

template <int blocks, int vectors>
void tile_product(const TileProduct& p) noexcept {
  load_sums<blocks, vectors>(p);
  for (std::size_t i = 0; i < p.steps; ++i) {
    tile_load<kXTile>(p.x + i * p.x_step, p.x_stride);
    if constexpr (blocks == 2) tile_load<kXTile + 1>(p.x + p.x_block + i * p.x_step, p.x_stride);
    add_products<blocks, vectors>(p.weights + i * kTile * p.weights_stride, p.weights_stride);
  }
  store_sums<blocks, vectors>(p);
}

// As many vectors as the registers take at a time, of up to two blocks of rows.
inline void tile_products(std::size_t rows, std::size_t vectors, TileProduct p) noexcept {
  const std::size_t most = rows > kTile ? 2 : 4;
  for (std::size_t v = 0; v < vectors; v += most, p.weights += most * kTile, p.sums += most * kTile) {
    const std::size_t count = vectors - v < most ? vectors - v : most;
    if (rows > kTile)
      count == 1 ? tile_product<2, 1>(p) : tile_product<2, 2>(p);
    else if (count < 3)
      count == 1 ? tile_product<1, 1>(p) : tile_product<1, 2>(p);
    else
      count == 3 ? tile_product<1, 3>(p) : tile_product<1, 4>(p);
  }
}

template <class Arch, class P>
inline void panel_sums(Bf16Amx, const Columns& columns, const Panel& panel,
                       const Operand<Arch, Bf16Amx>& operand, const Fetch&, float* sums) noexcept {
  const std::size_t count = columns.last - columns.first, width = panel.vectors * kTile;
  tile_products(operand.count, panel.vectors,
                {count / kTile, operand.words, count, kTile, kTile * count,
                 panel.slots + columns.first * width, width, sums, width, columns.first > 0});
}

// rows[i][j] and rows[j][i] change places.
inline void transpose(__m512 (&rows)[kTile]) noexcept {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  RNN_UNROLL for (std::size_t s = 1; s < kTile; s *= 2) {
    const auto shift = static_cast<int>(s);
    const __mmask16 odd = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(shift));
    const __m512i upper = _mm512_mask_add_epi32(lane, odd, lane, _mm512_set1_epi32(16 - shift));
    const __m512i next = _mm512_add_epi32(lane, _mm512_set1_epi32(shift));
    const __m512i lower = _mm512_mask_add_epi32(next, odd, lane, _mm512_set1_epi32(16));
    RNN_UNROLL for (std::size_t i = 0; i < kTile; ++i) {
      if ((i & s) != 0) continue;
      const __m512 a = rows[i], b = rows[i + s];
      rows[i] = _mm512_permutex2var_ps(a, upper, b);
      rows[i + s] = _mm512_permutex2var_ps(a, lower, b);
    }
  }
}

// 16 columns of R rows as slots of two rows each, transposed: a tile for every 32 rows, zeros behind them.
template <class Arch>
inline void transpose_pairs(const float* a, std::size_t lda, std::size_t R, std::size_t n,
                            float* out) noexcept {
  const Vec<Arch> zero(0.0f);
  for (std::size_t r = 0; r < R; r += 2 * kTile, out += kTile * kTile) {
    __m512 rows[kTile];
    for (std::size_t i = 0; i < kTile; ++i) {
      const std::size_t first = r + 2 * i;
      const float* const row = a + first * lda;
      rows[i] = Bf16Amx::slots<Arch>(first < R ? load_from<Arch>(row, 0, n) : zero,
                                     first + 1 < R ? load_from<Arch>(row + lda, 0, n) : zero);
    }
    transpose(rows);
    for (std::size_t i = 0; i < kTile; ++i) store_aligned<Arch>(out + i * kTile, rows[i]);
  }
}

// Columns of a that are worked on at a time: their slots take 64 KB.
constexpr std::size_t kAmxColumns = 256;

template <class Arch>
void Bf16Amx::gemm_tn(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda,
                      const float* b, std::size_t ldb, float* c, std::size_t ldc) noexcept {
  constexpr std::size_t P = panel_rows<Arch>, kRows = 2 * kLowpLines;
  alignas(64) float a_tiles[kLowpLines * kAmxColumns];
  alignas(64) float b_slots[kLowpLines * P];
  Tiles tiles(2 * kTile);
  for (std::size_t r = 0; r < R; r += kRows, a += kRows * lda, b += kRows * ldb) {
    const std::size_t depth = R - r < kRows ? R - r : kRows, pairs = (depth + 1) / 2;
    const std::size_t steps = (pairs + kTile - 1) / kTile, block = steps * kTile * kTile;
    for (std::size_t i = pairs * P; i < steps * kTile * P; ++i) b_slots[i] = 0.0f;
    for (std::size_t m0 = 0; m0 < M; m0 += kAmxColumns) {
      const std::size_t count = M - m0 < kAmxColumns ? M - m0 : kAmxColumns;
      for (std::size_t m = 0; m < count; m += kTile)
        transpose_pairs<Arch>(a + m0 + m, lda, depth, count - m, a_tiles + m / kTile * block);
      for (std::size_t n = 0; n < N; n += P) {
        const std::size_t width = N - n < P ? N - n : P;
        convert_pairs<Arch, Bf16Amx>(b + n, ldb, depth, width, P, b_slots);
        for (std::size_t m = 0; m < count; m += 2 * kTile) {
          const std::size_t rows = count - m < 2 * kTile ? count - m : 2 * kTile;
          tiles.set(rows);
          tile_products(rows, width / kTile,
                        {steps, a_tiles + m / kTile * block, kTile, kTile * kTile, block, b_slots, P,
                         c + (m0 + m) * ldc + n, ldc, true});
        }
      }
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_AMX_INL_H_

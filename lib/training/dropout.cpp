#include "lib/training/dropout.h"

#include <algorithm>
#include <cstdint>

namespace rnn {
namespace {

// splitmix64's finalisation (Steele, Lea & Flood 2014): keys of their own for the layers
// of a pass, or the strands.
std::uint64_t layer_key(std::uint64_t key, std::size_t layer) noexcept {
  std::uint64_t z = key + (layer + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// A rate as Table::dropout has it.
struct Draw {
  explicit Draw(double rate)  // < 1
      : threshold(static_cast<std::uint32_t>(rate * 4294967296.0)),
        scale(static_cast<float>(1.0 / (1.0 - rate))) {}

  std::uint32_t threshold;
  float scale;
};

}  // namespace

void drop(const Pass& pass, const Layer& layer, float rate, const std::uint64_t* numbers, std::size_t rows,
          const kernels::Rows& x, const kernels::MutableRows& y) noexcept {
  const Draw draw(rate);
  pass.weights->table().dropout(rows, layer.outputs(), x, layer_key(pass.dropout_key, layer.index), numbers,
                                draw.threshold, draw.scale, y);
}

void draw_mask(const Pass& pass, std::size_t strand, std::uint64_t sequence, std::size_t n,
               float* mask) noexcept {
  const Draw draw(pass.recurrent_dropout);
  std::fill_n(mask, n, 1.0f);
  pass.weights->table().dropout(1, n, {mask, 0, nullptr}, layer_key(pass.recurrent_key, strand), &sequence,
                                draw.threshold, draw.scale, {mask, 0, nullptr});
}

void draw_zoneout(const Pass& pass, std::size_t strand, std::size_t state, float rate,
                  const std::uint64_t* numbers, std::size_t rows, std::size_t n,
                  const kernels::MutableRows& y) noexcept {
  for (std::size_t m = 0; m < rows; ++m) std::fill_n(y.base + m * y.stride, n, 1.0f);
  pass.weights->table().dropout(rows, n, {y.base, y.stride, nullptr},
                                layer_key(pass.zoneout_key, cells::kMaxStates * strand + state), numbers,
                                Draw(rate).threshold, 1.0f, y);
}

}  // namespace rnn

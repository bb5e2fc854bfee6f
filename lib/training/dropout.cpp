#include "lib/training/dropout.h"

#include <cstdint>

namespace rnn {
namespace {

// splitmix64's finalisation (Steele, Lea & Flood 2014): keys of their own for the layers of a pass.
std::uint64_t layer_key(std::uint64_t key, std::size_t layer) noexcept {
  std::uint64_t z = key + (layer + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

void drop(const Pass& pass, const Layer& layer, float rate, std::size_t first, std::size_t rows,
          const kernels::Rows& x, const kernels::MutableRows& y) noexcept {
  const double exact = rate;  // < 1
  const auto threshold = static_cast<std::uint32_t>(exact * 4294967296.0);
  pass.weights->table().dropout(rows, layer.outputs(), x, layer_key(pass.dropout_key, layer.index), first,
                                threshold, static_cast<float>(1.0 / (1.0 - exact)), y);
}

}  // namespace rnn

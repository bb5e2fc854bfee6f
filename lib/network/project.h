// What the gates of one direction of a layer take from the layer's input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/weights.h"

namespace rnn {

// gates[m] = W_ih x[m] + b; with layer normalisation the product is normalised before b is added. `indices`,
// where not null, stand for one-hot x.
inline void project(const kernels::Table& table, const Strand& strand, std::size_t M, const kernels::Rows& x,
                    const std::int32_t* indices, const kernels::MutableRows& gates) noexcept {
  const cells::LayerWeights& w = strand.weights;
  const std::size_t n = strand.layer->gates();
  const bool normalize = w.norm_input != nullptr;
  const kernels::Rows init{normalize ? nullptr : w.bias(), 0, nullptr};
  if (indices != nullptr)
    table.gather(w.input, M, indices, init, kernels::padded(n), gates);
  else
    table.gemm(w.input, M, x, init, kernels::padded(n), gates);
  if (normalize)
    table.layer_norm(M, n, {gates.base, gates.stride, gates.pointers}, w.norm_input, w.bias(),
                     {nullptr, 0, nullptr}, nullptr, gates);
}

}  // namespace rnn

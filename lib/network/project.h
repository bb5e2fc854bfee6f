// What the gates of one direction of a layer take from the layer's input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/weights.h"

namespace rnn {

// gates[m] = W_ih x[m] + b; with layer normalisation the product is normalised before b is added. `indices`,
// where not null, stand for one-hot x.
inline void project(const Weights& weights, std::size_t strand, std::size_t M, const kernels::Rows& x,
                    const std::int32_t* indices, const kernels::MutableRows& gates) noexcept {
  const kernels::Table& table = weights.table();
  const cells::LayerWeights& w = weights.strand(strand);
  const bool normalize = w.norm_input != nullptr;
  const kernels::Rows init{normalize ? nullptr : w.bias, 0, nullptr};
  if (indices != nullptr)
    table.gather(w.input, M, indices, init, weights.gates_width(), gates);
  else
    table.gemm(w.input, M, x, init, weights.gates_width(), gates);
  if (normalize)
    table.layer_norm(M, weights.gates_size(), {gates.base, gates.stride, gates.pointers}, w.norm_input,
                     w.bias, {nullptr, 0, nullptr}, nullptr, gates);
}

}  // namespace rnn

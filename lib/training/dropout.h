// Dropout (Srivastava et al. 2014): which elements are dropped is a function of the pass's key, the layer, the
// row and the column, so that it depends on no thread. Recurrent dropout (Gal & Ghahramani 2016): instead of the
// row, of the sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/training/workspace.h"

namespace rnn {

// y = x without what is dropped, for rows from `first` on: outputs of the layer, or the gradients of what is left
// of them. y may be x.
void drop(const Pass& pass, const Layer& layer, float rate, std::size_t first, std::size_t rows,
          const kernels::Rows& x, const kernels::MutableRows& y) noexcept;

// mask[n] = what h of a strand is multiplied by in all steps of a sequence.
void draw_mask(const Pass& pass, std::size_t strand, std::uint64_t sequence, std::size_t n,
               float* mask) noexcept;

}  // namespace rnn

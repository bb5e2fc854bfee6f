// Dropout (Srivastava et al. 2014): which elements are dropped is a function of the pass's key, the layer, the
// number of the row and the column, so that it depends on no thread. Recurrent dropout (Gal & Ghahramani 2016):
// instead of the row, of the sequence. Zoneout (Krueger et al. 2017): of the strand, the row's number and the
// unit. Workspace has the numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/training/workspace.h"

namespace rnn {

// y = x without what is dropped, for rows with these numbers: outputs of the layer, or the gradients of what is
// left of them. y may be x.
void drop(const Pass& pass, const Layer& layer, float rate, const std::uint64_t* numbers, std::size_t rows,
          const kernels::Rows& x, const kernels::MutableRows& y) noexcept;

// mask[n] = what h of a strand is multiplied by in all steps of a sequence.
void draw_mask(const Pass& pass, std::size_t strand, std::uint64_t sequence, std::size_t n,
               float* mask) noexcept;

// y[rows, n] = 0 where a state, h or c, of a strand stays, `rate` of them, and 1 where the step replaces it; for rows
// with these numbers.
void draw_zoneout(const Pass& pass, std::size_t strand, std::size_t state, float rate,
                  const std::uint64_t* numbers, std::size_t rows, std::size_t n,
                  const kernels::MutableRows& y) noexcept;

}  // namespace rnn

// The transposed weights, packed, which backward passes multiply gradients by.
#pragma once

#include <cstddef>

#include "lib/cells/cell.h"
#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "lib/training/threads.h"

namespace rnn {

class TransposedWeights {
 public:
  // For networks of the architecture of `weights`. `threads` is used as long as this object.
  TransposedWeights(const Weights& weights, Threads& threads);

  // Bring all up to date; W_ih^T of the lowest layer only if with_inputs, or if there is an embedding.
  void pack(const Weights& weights, bool with_inputs);

  // `weights` as packed.
  cells::BackwardWeights strand(const Weights& weights, std::size_t strand) const noexcept;
  const kernels::Panels& input(std::size_t strand) const noexcept { return at(strand, kInput).panels; }
  const kernels::Panels& head() const noexcept { return matrices_[matrices_.size() - 1].panels; }

 private:
  enum Place { kRecurrent, kCandidate, kProjection, kInput, kPlaces };

  const PackedMatrix& at(std::size_t strand, Place place) const noexcept {
    return matrices_[strand * kPlaces + place];
  }
  void reserve(const Weights& weights, bool with_inputs);

  Allocator allocator_;
  Threads& threads_;
  bool reserved_ = false;
  bool with_inputs_ = false;
  Buffer<PackedMatrix> matrices_;  // [L*D, kPlaces] and the head's; those that are not there have no rows
  Buffer<float> packed_;
};

}  // namespace rnn

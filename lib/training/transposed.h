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

  // Before any is packed: head() will not be needed.
  void leave_out_head() noexcept { with_head_ = false; }
  // Make room, if there is none yet, and bring all up to date; W_ih^T of the lowest layer is only there if
  // once with_inputs, or if there is an embedding.
  void pack(const Weights& weights, bool with_inputs);
  // The same where there is room, job by job (each by any thread).
  std::size_t jobs() const noexcept { return matrices_.jobs(); }
  void pack_job(const Weights& weights, std::size_t job) noexcept { matrices_.pack(weights, job); }

  cells::BackwardWeights strand(std::size_t strand) const noexcept;
  const kernels::Panels& input(std::size_t strand) const noexcept { return at(strand, kInput).panels; }
  const kernels::Panels& head() const noexcept { return matrices_[strands_ * kPlaces].panels; }

 private:
  // Of each strand's matrices.
  enum Place : std::size_t { kProducts, kProjection = kProducts + cells::kMaxStages, kInput, kPlaces };

  const PackedMatrix& at(std::size_t strand, std::size_t place) const noexcept {
    return matrices_[strand * kPlaces + place];
  }
  void reserve(const Weights& weights, bool with_inputs);

  Allocator allocator_;
  std::size_t strands_;
  Threads& threads_;
  bool reserved_ = false;
  bool with_inputs_ = false;
  bool with_head_ = true;
  PackedMatrices matrices_;  // [L*D, kPlaces] and the head's; those that are not there have no rows
};

}  // namespace rnn

// The sampled softmax: cross-entropy over the target of a row and k classes that all rows of an update share.
//
//   y_c = W_c h + b_c - log E_c    E_c: how likely class c is to be among the k
//   loss = -y_target + log (exp y_target + sum over the k classes but the target of exp y_c)
//
// With that correction what is learnt are the probabilities of the softmax over all classes (Jean et al.
// 2015).
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/training/threads.h"
#include "lib/training/workspace.h"

namespace rnn {

// Different classes, drawn from all by a log-uniform distribution.
class ClassSample {
 public:
  ClassSample() = default;
  // `size` of `classes`: at most half.
  ClassSample(const Allocator& allocator, std::size_t classes, std::size_t size);

  // The same for the same key, on every machine.
  void draw(std::uint64_t key) noexcept;

  std::size_t size() const noexcept { return drawn_.size(); }
  const std::int32_t* begin() const noexcept { return drawn_.begin(); }  // ascending
  const std::int32_t* end() const noexcept { return drawn_.end(); }
  // log E_c
  float log_expected(std::int32_t c) const noexcept;

 private:
  double log_range_ = 0.0;
  std::uint64_t draws_ = 0;
  Buffer<std::int32_t> drawn_;
  Buffer<std::uint8_t> among_;  // [classes]
};

// The head's part of a training pass over a sample.
class SampledHead {
 public:
  // `threads` is used as long as this object.
  SampledHead(const Weights& weights, Threads& threads);

  // Make room for what a pass needs.
  void prepare(const Pass& pass, const Workspace& workspace);
  // The losses and the gradients of the head's inputs, to the workspace.
  void run(const Pass& pass, Workspace& workspace) noexcept;
  // Add the gradients of the head's parameters.
  void add_gradients(const Pass& pass, const Workspace& workspace, float* gradients) noexcept;

 private:
  const float* row(const Weights& weights, std::int32_t c) const noexcept {
    const Parameter& p = weights.parameter(weight_);
    return weights.values() + p.offset + static_cast<std::size_t>(c) * p.stride;
  }
  void pack(const Pass& pass) noexcept;
  void compute_rows(const Pass& pass, Workspace& workspace, std::size_t first, std::size_t rows) noexcept;
  void compute_losses(const Pass& pass, Workspace& workspace, std::size_t first, std::size_t rows) noexcept;
  void compute_gradients(const Pass& pass, const Workspace& workspace, std::size_t rows) noexcept;
  void add_columns(const Pass& pass, const Workspace& workspace, std::size_t first, std::size_t columns,
                   float* gradients) const noexcept;

  Allocator allocator_;
  Threads& threads_;
  std::size_t weight_, bias_;                 // parameters; bias_ may be none
  std::size_t inputs_;                        // D*P
  std::size_t stride_;                        // of a row of weights
  std::size_t size_ = 0;                      // k
  std::size_t chunk_ = 0;                     // rows at a time
  std::size_t first_ = 0;                     // of the chunk
  Matrix logits_{};                           // [chunk, k + 1]  the target's last; then their gradients
  kernels::Panels weights_{}, transposed_{};  // of the sample, [k, D*P]
  Buffer<float> logit_values_, rows_, packed_, packed_transposed_;
  Buffer<float> biases_;            // [k]  corrected
  Buffer<float> d_rows_;            // [k, D*P]
  Buffer<float> d_biases_;          // [k]
  Buffer<float> d_targets_;         // [output rows]  gradients of the targets' logits
  Buffer<std::int32_t> positions_;  // [chunk] of the target: k
};

}  // namespace rnn

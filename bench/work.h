// What is measured: networks, and the data that they read, which are the same for all that are compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/networks.h"
#include "bench/peers/peer.h"

namespace bench {

// A network of one layer with a head. by_index: its inputs are one-hot.
struct Size {
  std::size_t I, H, O;
  bool by_index;
};

// T steps of N streams a call.
struct InferenceWork {
  Cell cell;
  Size size;
  std::size_t T, N;
  int threads;
};

// L layers, V characters; T steps of B sequences an update.
struct TrainingWork {
  Cell cell;
  std::size_t V, H, L, T, B;
  int threads;
};

// Kept until the program ends.
const naive::Network& model(const Cell& cell, std::size_t I, std::size_t H, std::size_t O, std::size_t L);

// What a network reads in `calls` calls, a power of two: the same for every layout.
class Inputs {
 public:
  Inputs(const Size& size, std::size_t T, std::size_t N, std::size_t calls, bool batch_first);
  const std::int32_t* indices(std::size_t call) const { return &indices_[(call & mask_) * count_]; }
  const float* x(std::size_t call) const { return &x_[(call & mask_) * stride_]; }

 private:
  std::size_t count_, stride_, mask_;
  std::vector<std::int32_t> indices_;  // [calls, T, N] or [calls, N, T]
  std::vector<float> x_;               // [..., I]
};

// One batch: indices and classes[T, B].
class TrainingText {
 public:
  explicit TrainingText(const TrainingWork& work);
  Batch batch() const { return {T_, B_, indices_.data(), classes_.data()}; }

 private:
  std::size_t T_, B_;
  std::vector<std::int32_t> indices_, classes_;
};

}  // namespace bench

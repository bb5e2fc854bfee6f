// The workloads of every comparison. Each function registers one kind for one implementation; names as in
// common.h. With `check`, the first run of each benchmark compares its outputs or losses with librnn's, and
// ends the program with a message if they differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/networks.h"
#include "bench/peers/peer.h"

namespace bench {

void register_steps(const Peer& peer, bool check = false);      // one stream, one step a call
void register_latencies(const Peer& peer, bool check = false);  // the same, call by call
void register_streams(const Peer& peer, bool check = false);    // many streams, one step a call
void register_sequences(const Peer& peer, bool check = false);  // whole sequences
void register_training(const Peer& peer, bool check = false);   // updates of a character model
void register_small_training(const Peer& peer);                 // tiny ones

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
  const float* x(std::size_t call) const { return &x_[(call & mask_) * count_ * width_]; }

 private:
  std::size_t count_, width_, mask_;
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

// How the peer differs from librnn; empty where it does not, or offers no such thing. Outputs may differ by
// 1e-4 of the largest, losses of three whole updates by 1e-3.
std::string difference(const Peer& peer, const InferenceWork& work);
std::string difference(const Peer& peer, const TrainingWork& work);

}  // namespace bench

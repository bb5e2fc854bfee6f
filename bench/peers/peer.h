// Another library's recurrent networks, with the weights of one of ours. Each peer is a program of its own,
// so that its threads and its BLAS meet no other peer's; the program measures it and librnn in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/naive.h"

namespace bench {

// T steps of N streams at once. The states start at zero and go on from call to call.
class Inference {
 public:
  virtual ~Inference() = default;
  virtual void run(const float* x, float* y) = 0;  // x[T, N, I], y[T, N, O]

  // With one-hot inputs by their indices[T, N]; others get them as vectors.
  virtual bool takes_indices() const { return false; }
  virtual void run(const std::int32_t*, float*) {}

  // The arrays are [N, T, ...] instead.
  virtual bool batch_first() const { return false; }
};

// Updates of a character model from the zero state: mean softmax cross-entropy over T steps of N sequences,
// Adam with a learning rate of kLearningRate and the usual constants (0.9, 0.999, 1e-8).
class Training {
 public:
  virtual ~Training() = default;
  virtual double update() = 0;  // with the batch that it was made for; the loss before
};
constexpr float kLearningRate = 0.001f;

struct Batch {
  std::size_t T, N;
  const std::int32_t* indices;  // [T, N]
  const std::int32_t* classes;  // [T, N]
};

// A library, or one of several ways to use it. What it makes is used by one thread, on which it may start
// `threads` - 1 more, and nothing else that a peer made exists then but the check's librnn. Models outlive
// what is made of them.
struct Peer {
  std::string name;     // as in the benchmark's: "onednn", "torch", "torch_cell"
  std::string version;  // and what it chose for this CPU, if it says
  // Null where the peer has no such thing; they return null where it is not for this model or these numbers.
  std::unique_ptr<Inference> (*make_inference)(const naive::Network& model, std::size_t T, std::size_t N,
                                               int threads);
  std::unique_ptr<Training> (*make_training)(const naive::Network& model, const Batch& batch, int threads);
  // Empty where the whole update is timed, else what is; the loss is then of no interest.
  std::string training_note;
  std::size_t weight_bytes = 4;  // of one weight that a step reads
  const char* isa = "";          // compiled for it; empty where the library chooses
};

// Of the library that the program is linked with.
std::vector<Peer> peers();

}  // namespace bench

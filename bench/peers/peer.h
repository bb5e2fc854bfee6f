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
};

// Updates of a character model by Adam from the zero state: mean softmax cross-entropy over T steps of N
// sequences.
class Training {
 public:
  virtual ~Training() = default;
  virtual double update() = 0;  // with the batch that it was made for; the loss before
};

struct Batch {
  std::size_t T, N;
  const std::int32_t* indices;  // [T, N]
  const std::int32_t* classes;  // [T, N]
};

// A library, or one of several ways to use it. Models outlive what is made of them.
struct Peer {
  std::string name;     // as in the benchmark's: "onednn", "torch", "torch_cell"
  std::string version;  // and what it chose for this CPU, if it says
  // Null where the peer has no such thing, or not for this model.
  std::unique_ptr<Inference> (*make_inference)(const naive::Network& model, std::size_t T, std::size_t N,
                                               int threads);
  // What is timed: the whole update, or as `training_note` says.
  std::unique_ptr<Training> (*make_training)(const naive::Network& model, const Batch& batch, int threads);
  std::string training_note;
};

// Of the library that the program is linked with.
std::vector<Peer> peers();

}  // namespace bench

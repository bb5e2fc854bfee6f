// Matrices that are packed from the parameters of a network, for the kernels to multiply by.
#pragma once

#include <cstddef>

#include "lib/kernels/pack.h"
#include "lib/kernels/table.h"
#include "lib/network/memory.h"

namespace rnn {

class Weights;

// Rows of a parameter, or the transposed parameter, packed from the canonical values.
struct PackedMatrix {
  std::size_t parameter;     // index
  std::size_t first_row;     // of the parameter, where the matrix starts
  std::size_t first_column;  // of the matrix: see kernels::PackSource
  bool transposed;
  kernels::Panels panels;
  float* data;  // where panels.data points
};

class PackedMatrices {
 public:
  PackedMatrices() = default;
  // All without rows.
  PackedMatrices(const Allocator& allocator, std::size_t count);

  PackedMatrix& operator[](std::size_t i) noexcept { return matrices_[i]; }
  const PackedMatrix& operator[](std::size_t i) const noexcept { return matrices_[i]; }

  // Once they are described but for the data: give room to those that have rows, which are of parameters of
  // these weights.
  void place(const Allocator& allocator, const Weights& weights);

  // Bring one panel up to date, of all the jobs, which can run at the same time.
  void pack(const Weights& weights, std::size_t job) noexcept;
  std::size_t jobs() const noexcept { return jobs_.size(); }

  // What the others hold, of the same shapes.
  void copy(const PackedMatrices& others) noexcept;

 private:
  struct Job {
    kernels::PackPanel panel;
    std::size_t offset;  // of the matrix in the weights' values
    float* packed;       // and packed
  };

  Buffer<PackedMatrix> matrices_;
  Buffer<Job> jobs_;
  Buffer<float> packed_;
};

}  // namespace rnn

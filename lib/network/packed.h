// Matrices that are packed from the parameters of a network, for the kernels to multiply by.
#pragma once

#include <cstddef>

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

  // Once they are described but for the data: give room to those that have rows.
  void place(const Allocator& allocator, const kernels::Table& table);

  // Bring one panel up to date, of all the jobs, which can run at the same time.
  void pack(const Weights& weights, std::size_t job) noexcept;
  std::size_t jobs() const noexcept { return job_ends_.size() == 0 ? 0 : job_ends_[job_ends_.size() - 1]; }

  // What the others hold, of the same shapes.
  void copy(const PackedMatrices& others) noexcept;

 private:
  Buffer<PackedMatrix> matrices_;
  Buffer<std::size_t> job_ends_;  // [matrices] one past the last job of each
  Buffer<float> packed_;
};

}  // namespace rnn

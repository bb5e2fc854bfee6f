// Fused multiply-adds of the tables, of triples most of which are near to where rounding decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/kernels/table.h"

namespace rnn::kernels {

// The same a for each 16 in a row.
struct Triples {
  std::vector<float> a, b, c;
};

// n: a multiple of 16.
Triples random_triples(std::size_t n, std::uint64_t seed);
// All triples of 70 special numbers.
Triples special_triples();

// a b + c by sums of products of vectors, and by products of matrices, whose code is another.
std::vector<float> by_vectors(const Table& table, const Triples& triples);
std::vector<float> by_products(const Products& table, const Triples& triples);
// By std::fma; where kernels count subnormals as zero in every mode, so does this.
float by_library(float a, float b, float c);
std::vector<float> by_library(const Triples& triples);

// The first place where two results differ, other than by which NaN they are; their size if there is none.
std::size_t first_difference(const std::vector<float>& x, const std::vector<float>& y);

}  // namespace rnn::kernels

// How exact the activations are: measured over bit patterns of float, in units of the last place of the exact
// result. The quick test walks over some patterns, the slow one over all 2^32.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/kernels/table.h"

namespace rnn::kernels {

struct ArrayKernel {
  const char* name;
  void (*Table::*kernel)(const float* x, float* y, std::size_t n);
  double (*exact)(double x);
  // The largest error allowed: the figures of the table at the top of activations-inl.h, rounded up.
  double ulp;
  // Below this magnitude a result may be 0: it is not measured in ULP, only in absolute terms.
  double smallest;
};

extern const std::vector<ArrayKernel> kActivations;

struct Measured {
  double ulp = 0;           // the largest error
  float where = 0;          // and the argument
  std::uint64_t wrong = 0;  // results out of range, NaN for a number, a number for NaN, a sign lost
  float wrong_where = 0;
  std::uint64_t different = 0;  // bits other than those of the first table
};

// Arguments with the bit patterns first, first + stride, ... below end, in the default floating-point mode.
// Element [t][a] is what kActivations[a] does in table t.
std::vector<std::vector<Measured>> measure(const std::vector<const Table*>& tables, std::uint64_t first,
                                           std::uint64_t end, std::uint32_t stride);

}  // namespace rnn::kernels

// What the machine can do with an instruction set, and what other libraries make of it: the yardsticks of the
// benchmarks. One unit per ISA, compiled with the flags of lib/kernels.
#pragma once

#include <cstddef>

namespace bench {

using ArrayFunction = void (*)(const float* x, float* y, std::size_t n);

struct Machine {
  const char* name;  // that of the kernels' table

  // Reads n floats once and adds them up. n is a multiple of kReadBlock, x is 64-byte aligned.
  float (*read)(const float* x, std::size_t n);
  // `count` times a multiply-add in each of fma_chains chains of vectors; two FLOP a lane.
  float (*fma)(std::size_t count, const float* starts);
  std::size_t fma_flops;  // of one count

  // tanh of n numbers, n a multiple of 16. Null where the library is not there.
  ArrayFunction tanh_xsimd;
  ArrayFunction tanh_libmvec;
  ArrayFunction tanh_sleef;
};

constexpr std::size_t kReadBlock = 128;
constexpr std::size_t kFmaStarts = 256;  // floats at `starts`, no two the same

// That of the table in use.
const Machine& machine();

// Whether code for this instruction set may be measured beside the table in use: it is not a better one's.
bool may_run(const char* isa);

}  // namespace bench

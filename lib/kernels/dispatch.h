// Which table to use: the best of this CPU, or the one that the environment variable RNN_ISA names.
#pragma once

#include "lib/kernels/table.h"

namespace rnn::kernels {

struct TableList {
  const Table* const* begin;
  const Table* const* end;
};

// Every table of this build that this CPU can run, the best last. Of formats other than f32 there may be more
// than one of an instruction set: those are named after the instructions that they need besides.
TableList all(Format format = Format::f32);

// The chosen table, decided once; null if RNN_ISA names one that is not among all(), or that is empty. Of
// another format it is the best of the same instruction set that gives the bits of all others.
const Table* table(Format format = Format::f32);

// Products of bf16 that are narrower do without AMX, whose registers take time to set up.
constexpr std::size_t kAmxWidth = 64;

// For networks that may have bits of their own, with products `width` wide: the table of bf16 by AMX where there is
// AMX, otherwise table(Format::bf16). Bits do not depend on the environment: AMX is used whichever table RNN_ISA
// names, and null is returned where table() is null.
const Table* fast_table(std::size_t width);

// The value of RNN_ISA that was found, or null.
const char* requested();

}  // namespace rnn::kernels

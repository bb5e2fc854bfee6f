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

// Products of bf16 that are narrower do without AMX, whose registers take time to set up.
constexpr std::size_t kAmxWidth = 64;

// The chosen table, decided once; null if RNN_ISA names one that is not among all(), or that is empty. Of
// another format it is the best of the same instruction set for products `width` wide: of bf16 that by AMX,
// whose bits differ from the others', only if RNN_ISA names none.
const Table* table(Format format = Format::f32, std::size_t width = 0);

// The value of RNN_ISA that was found, or null.
const char* requested();

}  // namespace rnn::kernels

// Which table to use: the best of this CPU, or the one that the environment variable RNN_ISA names.
#pragma once

#include "lib/kernels/table.h"

namespace rnn::kernels {

struct TableList {
  const Table* const* begin;
  const Table* const* end;
};

// Every table of this build that this CPU can run, the best last.
TableList all();

// The chosen table, decided once; null if RNN_ISA names one that is not among all().
const Table* table();

// The value of RNN_ISA that was found, or null.
const char* requested();

}  // namespace rnn::kernels

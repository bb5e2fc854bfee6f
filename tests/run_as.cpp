// run_as ISA PROGRAM [ARGUMENT...]: run a program with RNN_ISA set, or exit with 77, which Meson counts as
// skipped, if this CPU or build has no such instruction set.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/kernels/dispatch.h"

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: run_as ISA PROGRAM [ARGUMENT...]\n"), 2;
  const rnn::kernels::TableList tables = rnn::kernels::all();
  for (const rnn::kernels::Table* const* table = tables.begin; table != tables.end; ++table) {
    if (std::strcmp((*table)->name, argv[1]) != 0) continue;
    setenv("RNN_ISA", argv[1], 1);
    execv(argv[2], argv + 2);
    return std::perror(argv[2]), 2;
  }
  std::printf("no %s here\n", argv[1]);
  return 77;
}

// run_as ISA PROGRAM [ARGUMENT...]: run a program with RNN_ISA set, or exit with 77, which Meson counts as
// skipped, if this CPU or build has no such instruction set.
#ifdef _WIN32
#include <process.h>
#else
#include <unistd.h>
#endif

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/kernels/dispatch.h"

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: run_as ISA PROGRAM [ARGUMENT...]\n"), 2;
  const rnn::kernels::TableList tables = rnn::kernels::all();
  for (const rnn::kernels::Table* const* table = tables.begin; table != tables.end; ++table) {
    if (std::strcmp((*table)->name, argv[1]) != 0) continue;
#ifdef _WIN32
    _putenv_s("RNN_ISA", argv[1]);
    const std::intptr_t status = _spawnv(_P_WAIT, argv[2], argv + 2);
    if (status >= 0) return static_cast<int>(status);
#else
    setenv("RNN_ISA", argv[1], 1);
    execv(argv[2], argv + 2);
#endif
    return std::perror(argv[2]), 2;
  }
  std::printf("no %s here\n", argv[1]);
  return 77;
}

// Built with MPI.
#include <rnn/mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "ranks.h"

namespace {

constexpr std::chrono::seconds kPatience(3);
constexpr std::chrono::milliseconds kForwarding(
    300);  // MPICH drops what its launcher has not read by the end

bool joined = false;
rnn_mpi_t job;

}  // namespace

void join_ranks(int argc, char** argv) {
  if (argc < 2 || std::strcmp(argv[1], "train") != 0) return;
  int provided = 0;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
      rnn_mpi_create(&job, MPI_COMM_WORLD) != MPI_SUCCESS) {
    std::fprintf(stderr, "rnn: MPI cannot be initialised\n");
    std::exit(1);
  }
  joined = true;
}

rnn_collective_t* ranks() { return joined && job.collective.ranks > 1 ? &job.collective : nullptr; }

int rank() { return joined ? job.collective.rank : 0; }

void let_first_complain() {
  if (rank() != 0) std::this_thread::sleep_for(kPatience);
}

int leave_ranks(int status) {
  if (!joined) return status;
  if (status != 0 && ranks() != nullptr) {
    std::this_thread::sleep_for(kForwarding);
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  rnn_mpi_destroy(&job);
  MPI_Finalize();
  return status;
}

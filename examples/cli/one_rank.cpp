// Built without MPI.
#include "ranks.h"

void join_ranks(int, char**) {}
rnn_collective_t* ranks() { return nullptr; }
int rank() { return 0; }
void let_first_complain() {}
int leave_ranks(int status) { return status; }

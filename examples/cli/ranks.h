// The processes of one training, which are called ranks: those of an MPI job where the program is built with MPI, as in
// mpirun -n 4 rnn train ...; else there is one.
#pragma once

#include <rnn/rnn.h>

// Join the other ranks, if the command is one that has them. Before all else in main.
void join_ranks(int argc, char** argv);

// Null: there is one.
rnn_collective_t* ranks();

// Which alone writes; 0 if there is one.
int rank();

// Before a complaint: what is wrong on all ranks, rank 0 says alone, and ends the others before they do.
void let_first_complain();

// Returns the status for main. If it is a failure, all ranks end.
int leave_ranks(int status);

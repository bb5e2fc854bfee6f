/* librnn over MPI: a job whose ranks are those of an MPI communicator. C99 and C++11, MPI 3 or later.
 *
 *   int provided;
 *   rnn_mpi_t job;
 *   MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
 *   rnn_mpi_create(&job, MPI_COMM_WORLD);
 *   options.lanes = 16;
 *   options.collective = &job.collective;
 *   rnn_train(rnn, &data, &options);
 *   rnn_mpi_destroy(&job);
 *   MPI_Finalize();
 *
 * librnn itself is linked with no MPI: these functions are compiled in your program, with your MPI.
 *
 *   mpicc train.c $(pkg-config --cflags --libs rnn) -o train
 *   mpirun -n 4 ./train
 *
 * Errors: what handles those of the communicator handles those of the job. MPI's default,
 * MPI_ERRORS_ARE_FATAL, ends all ranks. With MPI_ERRORS_RETURN the call that trains returns RNN_UNAVAILABLE;
 * MPI does not promise that anything works after an error, so the program then calls MPI_Abort.
 * Threads: MPI is called on the thread of the call that trains alone. MPI_THREAD_FUNNELED is enough if that
 * thread has initialised MPI; otherwise it takes MPI_THREAD_SERIALIZED. */
#ifndef RNN_MPI_H
#define RNN_MPI_H

#include <mpi.h>
#include <rnn/rnn.h>
#include <stdlib.h>
#include <string.h>

/* MPI counts with int: where a rank sends or receives more bytes than this in one call, all go in parts of at most
 * so many. A program may define it, 1..2^31 - 1, the same on all ranks. The functions of MPI 4 that count further
 * are not used: MPI_Allgatherv_c of MPICH 4.0 does not return from 2^31 bytes on. */
#ifndef RNN_MPI_PART
#define RNN_MPI_PART 1073741824
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A job. The collective refers to it, so that it may be neither moved nor copied. */
typedef struct rnn_mpi {
  rnn_collective_t collective; /* for rnn_train_options_t.collective; own_sequences is 0 and may be set */
  MPI_Comm comm;               /* a duplicate: its messages do not mix with those of the caller */
  int *counts;                 /* [4, ranks] */
  size_t *offsets;             /* [2, ranks] */
} rnn_mpi_t;

/* Let the ranks of `comm`, an intracommunicator, be those of a job. All of them call it, in the same order
 * among their collective calls.
 *
 * job      written; after a failure rnn_mpi_destroy has nothing to do
 * Returns  MPI_SUCCESS or MPI's error; MPI_ERR_NO_MEM, on all ranks, where one has no memory
 * Threads  one handle, one thread at a time
 * Since    0.1 */
static inline int rnn_mpi_create(rnn_mpi_t *job, MPI_Comm comm);

/* Release a job, on all ranks, before MPI_Finalize and after the trainers that were created with it.
 *
 * Threads  one handle, one thread at a time
 * Since    0.1 */
static inline void rnn_mpi_destroy(rnn_mpi_t *job);

/* ---- How it works -------------------------------------------------------------------------------- */

/* The offsets of what has these sizes, one after the other, and their end. */
static inline size_t rnn_mpi_place(const size_t *sizes, int ranks, size_t *offsets) {
  size_t end = 0;
  for (int i = 0; i < ranks; ++i) {
    offsets[i] = end;
    end += sizes[i];
  }
  return end;
}

static inline int rnn_mpi_part(size_t size, size_t done) {
  if (size <= done) return 0;
  return (int)(size - done < RNN_MPI_PART ? size - done : RNN_MPI_PART);
}

/* The counts, and then the offsets, of what has RNN_MPI_PART bytes at most. */
static inline void rnn_mpi_count(const size_t *sizes, const size_t *offsets, int ranks, int *counts) {
  for (int i = 0; i < ranks; ++i) {
    counts[i] = (int)sizes[i];
    counts[ranks + i] = (int)offsets[i];
  }
}

/* What a rank sends to itself does not go through MPI, with MPICH for twice the time. */
static inline void rnn_mpi_keep_own(const rnn_mpi_t *job, const char *send, char *receive, size_t size) {
  const size_t *const offsets = job->offsets;
  const int rank = job->collective.rank;
  if (size > 0) memcpy(receive + offsets[job->collective.ranks + rank], send + offsets[rank], size);
}

/* MPI's offsets are int, too. So where there is more, a call carries a part from each rank to the one that is
 * `away` ranks behind it, at an offset of 0. All ranks make as many calls: `longest` is the most that one sends
 * to another.
 * Without send_sizes each rank is sent the same bytes, as many as this one receives from itself. */
static inline int32_t rnn_mpi_exchange_parts(const rnn_mpi_t *job, const char *send, const size_t *send_sizes,
                                             char *receive, const size_t *receive_sizes, size_t longest) {
  const int rank = job->collective.rank, ranks = job->collective.ranks;
  const size_t *const offsets = job->offsets;
  int *const sent = job->counts, *const received = sent + 2 * ranks;
  rnn_mpi_keep_own(job, send, receive, receive_sizes[rank]);
  memset(sent, 0, 4 * (size_t)ranks * sizeof *sent);
  for (int away = 1; away < ranks; ++away) {
    const int to = (rank + away) % ranks, from = (rank + ranks - away) % ranks;
    const size_t size = send_sizes != NULL ? send_sizes[to] : receive_sizes[rank];
    for (size_t done = 0; done < longest; done += RNN_MPI_PART) {
      const char *const out = done < size ? send + offsets[to] + done : send;
      char *const in = done < receive_sizes[from] ? receive + offsets[ranks + from] + done : receive;
      sent[to] = rnn_mpi_part(size, done);
      received[from] = rnn_mpi_part(receive_sizes[from], done);
      const int error = MPI_Alltoallv(out, sent, sent + ranks, MPI_BYTE, in, received, received + ranks,
                                      MPI_BYTE, job->comm);
      if (error != MPI_SUCCESS) return error;
    }
    sent[to] = 0;
    received[from] = 0;
  }
  return MPI_SUCCESS;
}

static inline int32_t rnn_mpi_exchange(const void *send, const size_t *send_sizes, void *receive,
                                       const size_t *receive_sizes, void *user) {
  const rnn_mpi_t *const job = (const rnn_mpi_t *)user;
  const int rank = job->collective.rank, ranks = job->collective.ranks;
  int *const sent = job->counts, *const received = sent + 2 * ranks;
  const size_t send_end = rnn_mpi_place(send_sizes, ranks, job->offsets);
  const size_t receive_end = rnn_mpi_place(receive_sizes, ranks, job->offsets + ranks);
  /* No rank knows how much the others exchange. */
  unsigned long long most[2] = {send_end > receive_end ? send_end : receive_end, 0};
  for (int i = 0; i < ranks; ++i)
    if (send_sizes[i] > most[1]) most[1] = send_sizes[i];
  const int error = MPI_Allreduce(MPI_IN_PLACE, most, 2, MPI_UNSIGNED_LONG_LONG, MPI_MAX, job->comm);
  if (error != MPI_SUCCESS) return error;
  if (most[0] > RNN_MPI_PART)
    return rnn_mpi_exchange_parts(job, (const char *)send, send_sizes, (char *)receive, receive_sizes,
                                  (size_t)most[1]);
  rnn_mpi_count(send_sizes, job->offsets, ranks, sent);
  rnn_mpi_count(receive_sizes, job->offsets + ranks, ranks, received);
  rnn_mpi_keep_own(job, (const char *)send, (char *)receive, receive_sizes[rank]);
  sent[rank] = received[rank] = 0;
  return MPI_Alltoallv(send, sent, sent + ranks, MPI_BYTE, receive, received, received + ranks, MPI_BYTE,
                       job->comm);
}

/* Here all ranks know all sizes. */
static inline int32_t rnn_mpi_gather(const void *send, void *receive, const size_t *receive_sizes,
                                     void *user) {
  const rnn_mpi_t *const job = (const rnn_mpi_t *)user;
  const int ranks = job->collective.ranks;
  size_t longest = 0;
  if (rnn_mpi_place(receive_sizes, ranks, job->offsets + ranks) <= RNN_MPI_PART) {
    rnn_mpi_count(receive_sizes, job->offsets + ranks, ranks, job->counts);
    return MPI_Allgatherv(send, job->counts[job->collective.rank], MPI_BYTE, receive, job->counts,
                          job->counts + ranks, MPI_BYTE, job->comm);
  }
  for (int i = 0; i < ranks; ++i) {
    job->offsets[i] = 0;
    if (receive_sizes[i] > longest) longest = receive_sizes[i];
  }
  return rnn_mpi_exchange_parts(job, (const char *)send, NULL, (char *)receive, receive_sizes, longest);
}

static inline void rnn_mpi_destroy(rnn_mpi_t *job) {
  free(job->counts);
  free(job->offsets);
  job->counts = NULL;
  job->offsets = NULL;
  if (job->comm != MPI_COMM_NULL) MPI_Comm_free(&job->comm);
}

static inline int rnn_mpi_create(rnn_mpi_t *job, MPI_Comm comm) {
  int rank = 0, ranks = 0, have = 0, all_have = 0, error;
  memset(job, 0, sizeof *job);
  job->comm = MPI_COMM_NULL;
  error = MPI_Comm_dup(comm, &job->comm);
  if (error == MPI_SUCCESS) error = MPI_Comm_rank(job->comm, &rank);
  if (error == MPI_SUCCESS) error = MPI_Comm_size(job->comm, &ranks);
  if (error == MPI_SUCCESS) {
    job->counts = (int *)calloc(4 * (size_t)ranks, sizeof *job->counts);
    job->offsets = (size_t *)calloc(2 * (size_t)ranks, sizeof *job->offsets);
    have = job->counts != NULL && job->offsets != NULL;
    error = MPI_Allreduce(&have, &all_have, 1, MPI_INT, MPI_MIN, job->comm);
  }
  if (error == MPI_SUCCESS && !all_have) error = MPI_ERR_NO_MEM;
  if (error != MPI_SUCCESS) {
    rnn_mpi_destroy(job);
    return error;
  }
  job->collective.struct_size = sizeof job->collective;
  job->collective.rank = rank;
  job->collective.ranks = ranks;
  job->collective.user = job;
  job->collective.exchange = rnn_mpi_exchange;
  job->collective.gather = rnn_mpi_gather;
  return MPI_SUCCESS;
}

#ifdef __cplusplus
}
#endif

#endif

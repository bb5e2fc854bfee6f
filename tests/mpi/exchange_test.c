/* The two functions of rnn/mpi.h, among the ranks of mpirun: exchange_test [large]
 *
 * large: parts of more than 2^31 bytes, which need 7 GB. */
#include <rnn/mpi.h>
#include <stdint.h>
#include <stdio.h>

enum { kRounds = 20, kGuard = 16 };

static rnn_mpi_t job;
static int round_number;

static void expect(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "rank %d of %d, round %d: %s\n", job.collective.rank, job.collective.ranks, round_number,
          what);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static void *allocate(size_t size) {
  void *const memory = malloc(size > 0 ? size : 1);
  expect(memory != NULL, "no memory");
  return memory;
}

static uint32_t mix(uint32_t a, uint32_t b) {
  uint32_t x = (a ^ 0x9E3779B9u) * 0x85EBCA6Bu + b;
  x ^= x >> 15;
  x *= 0xC2B2AE35u;
  return x ^ (x >> 13);
}

/* What a rank sends to another in this round, which both know. A third of all sizes is 0, and once all are. */
static size_t size_of(int from, int to) {
  const uint32_t drawn = mix(mix((uint32_t)round_number, (uint32_t)from), (uint32_t)to);
  const size_t most = RNN_MPI_PART < 5000 ? 10 * RNN_MPI_PART : 50000;
  if (round_number == 0 || drawn % 3 == 0) return 0;
  return drawn / 3 % most;
}

static unsigned char byte_of(int from, int to, size_t i) {
  return (unsigned char)mix((uint32_t)(round_number * 4096 + from * 64 + to), (uint32_t)i);
}

static void fill(unsigned char *bytes, size_t size, int from, int to) {
  for (size_t i = 0; i < size; ++i) bytes[i] = byte_of(from, to, i);
}

static void check(const unsigned char *bytes, size_t size, int from, int to) {
  size_t wrong = 0;
  for (size_t i = 0; i < size; ++i) wrong += bytes[i] != byte_of(from, to, i);
  expect(wrong == 0, "other bytes than were sent");
}

static void check_guard(const unsigned char *bytes) {
  for (int i = 0; i < kGuard; ++i) expect(bytes[i] == 0xA5, "bytes behind the received ones are overwritten");
}

static void exchange(size_t (*size)(int from, int to)) {
  const int rank = job.collective.rank, ranks = job.collective.ranks;
  size_t *const sizes = (size_t *)allocate(2 * (size_t)ranks * sizeof *sizes);
  size_t sent = 0, received = 0;
  for (int i = 0; i < ranks; ++i) {
    sent += sizes[i] = size(rank, i);
    received += sizes[ranks + i] = size(i, rank);
  }
  unsigned char *const send = (unsigned char *)allocate(sent);
  unsigned char *const receive = (unsigned char *)allocate(received + kGuard);
  memset(receive, 0xA5, received + kGuard);
  unsigned char *at = send;
  for (int i = 0; i < ranks; at += sizes[i++]) fill(at, sizes[i], rank, i);
  expect(job.collective.exchange(send, sizes, receive, sizes + ranks, job.collective.user) == 0,
         "exchange fails");
  at = receive;
  for (int i = 0; i < ranks; at += sizes[ranks + i++]) check(at, sizes[ranks + i], i, rank);
  check_guard(at);
  free(send);
  free(receive);
  free(sizes);
}

static void gather(size_t (*size)(int from, int to)) {
  const int rank = job.collective.rank, ranks = job.collective.ranks;
  size_t *const sizes = (size_t *)allocate((size_t)ranks * sizeof *sizes);
  size_t received = 0;
  for (int i = 0; i < ranks; ++i) received += sizes[i] = size(i, 63);
  unsigned char *const send = (unsigned char *)allocate(sizes[rank]);
  unsigned char *const receive = (unsigned char *)allocate(received + kGuard);
  memset(receive, 0xA5, received + kGuard);
  fill(send, sizes[rank], rank, 63);
  expect(job.collective.gather(send, receive, sizes, job.collective.user) == 0, "gather fails");
  unsigned char *at = receive;
  for (int i = 0; i < ranks; at += sizes[i++]) check(at, sizes[i], i, 63);
  check_guard(at);
  free(send);
  free(receive);
  free(sizes);
}

/* More than 2^31 bytes from rank 0 to the last one, and in a gather. */
static size_t large_size(int from, int to) {
  const size_t large = ((size_t)1 << 31) + 5;
  return from == 0 && (to == 63 || to == job.collective.ranks - 1) ? large : 3;
}

/* A message of the program's, of any tag, that is on its way during the exchanges, arrives where it belongs. */
static void check_own_messages(void) {
  const int rank = job.collective.rank, ranks = job.collective.ranks;
  int sent = 100 + rank, received = -1;
  MPI_Request request;
  MPI_Irecv(&received, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &request);
  for (round_number = 0; round_number < kRounds; ++round_number) {
    exchange(size_of);
    gather(size_of);
  }
  MPI_Send(&sent, 1, MPI_INT, (rank + 1) % ranks, 1, MPI_COMM_WORLD);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  expect(received == 100 + (rank + ranks - 1) % ranks, "a message of the program is lost");
}

/* Where MPI's errors come back, so do those of the functions. */
static void check_errors(void) {
  const size_t ranks = (size_t)job.collective.ranks;
  size_t *const sizes = (size_t *)allocate(ranks * sizeof *sizes);
  unsigned char *const bytes = (unsigned char *)allocate(2 * ranks);
  rnn_mpi_t none;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  expect(rnn_mpi_create(&none, MPI_COMM_NULL) != MPI_SUCCESS, "a job without ranks is created");
  rnn_mpi_destroy(&none);
  none = job;
  none.comm = MPI_COMM_NULL;
  for (size_t i = 0; i < ranks; ++i) sizes[i] = 1;
  memset(bytes, 0, 2 * ranks);
  expect(none.collective.exchange(bytes, sizes, bytes + ranks, sizes, &none) != 0,
         "an exchange without a communicator succeeds");
  expect(none.collective.gather(bytes, bytes + ranks, sizes, &none) != 0,
         "a gather without a communicator succeeds");
  free(sizes);
  free(bytes);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  expect(rnn_mpi_create(&job, MPI_COMM_WORLD) == MPI_SUCCESS, "no job");
  expect(job.collective.struct_size == sizeof(rnn_collective_t) && job.collective.own_sequences == 0,
         "its fields");
  if (argc > 1) {
    exchange(large_size);
    gather(large_size);
  } else {
    check_own_messages();
    check_errors();
  }
  rnn_mpi_destroy(&job);
  MPI_Finalize();
  return 0;
}

/* Learn to count over MPI, to the same bits on any number of processes:
 *
 *   mpicc distributed.c $(pkg-config --cflags --libs rnn) -o distributed
 *   mpirun -n 4 ./distributed
 */
#include <rnn/mpi.h>
#include <stdio.h>

enum { kLanes = 8, kSequences = 64, kSteps = 20, kSymbols = 10 };

static void check(rnn_status_t status) {
  if (status == RNN_OK) return;
  fprintf(stderr, "%s\n", rnn_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1); /* the other ranks, too */
}

static int32_t report(const rnn_progress_t *progress, void *user) {
  const rnn_collective_t *const job = (const rnn_collective_t *)user;
  if (job->rank == 0 && progress->update % 40 == 0)
    printf("update %llu: loss %.6f\n", (unsigned long long)progress->update, progress->loss);
  return 0;
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  rnn_mpi_t job;
  rnn_mpi_create(&job, MPI_COMM_WORLD);
  job.collective.own_sequences = 1;
  if (job.collective.rank == 0) printf("%d ranks\n", job.collective.ranks);

  /* Sequence n counts from n on, in steps of n / 10. A rank makes, or reads, those of its lanes alone. */
  size_t lengths[kSequences], count = 0;
  int32_t inputs[kSequences * kSteps], classes[kSequences * kSteps];
  for (int n = 0; n < kSequences; ++n) {
    if (rnn_rank_of(rnn_lane_of((uint64_t)n, kLanes), kLanes, job.collective.ranks) != job.collective.rank)
      continue;
    for (int t = 0; t < kSteps; ++t) {
      inputs[count * kSteps + t] = (n + t * (n / 10)) % kSymbols;
      classes[count * kSteps + t] = (n + (t + 1) * (n / 10)) % kSymbols;
    }
    lengths[count++] = kSteps;
  }
  const rnn_sequences_t data = {.struct_size = sizeof data,
                                .count = count,
                                .frames = count * kSteps,
                                .lengths = lengths,
                                .indices = inputs,
                                .classes = classes};
  const rnn_train_options_t options = {.struct_size = sizeof options,
                                       .learning_rate = 0.01f,
                                       .epochs = 100,
                                       .batch_size = 32,
                                       .lanes = kLanes,
                                       .collective = &job.collective,
                                       .progress = report,
                                       .user = &job.collective};
  const rnn_config_t config = {.struct_size = sizeof config,
                               .cell = RNN_CELL_GRU,
                               .input_size = kSymbols,
                               .hidden_size = 32,
                               .output_size = kSymbols};
  rnn_t *network = NULL;
  check(rnn_create(&config, &network)); /* the same weights on all ranks, by the seed */
  check(rnn_train(network, &data, &options));
  if (job.collective.rank == 0) check(rnn_save(network, "distributed.safetensors"));

  rnn_destroy(network);
  rnn_mpi_destroy(&job);
  MPI_Finalize();
  return 0;
}

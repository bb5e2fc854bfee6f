// A job whose result has the same bits however it is divided: train CELL COMPUTE OWN THREADS FOLDER
//
// CELL     vanilla, gru or lstm
// COMPUTE  f32 or bf16
// OWN      1: each rank gives the sequences of its lanes alone; 0: all sequences
// FOLDER   where rank 0 saves its checkpoints: run, stopped and updated
//
// It trains with all that is drawn at random or depends on the order in which numbers are added.
#include <rnn/mpi.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <rnn/rnn.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::int32_t kSymbols = 11, kHidden = 24, kLanes = 8;
constexpr std::uint64_t kUpdates = 50;

std::int32_t cell_of(const std::string& name) {
  if (name == "vanilla") return RNN_CELL_VANILLA;
  if (name == "gru") return RNN_CELL_GRU;
  if (name == "lstm") return RNN_CELL_LSTM;
  throw std::invalid_argument("no cell " + name);
}

rnn::Network make_network(std::int32_t cell, std::int32_t compute) {
  std::vector<rnn_layer_t> layers(3, rnn::sized<rnn_layer_t>());
  for (rnn_layer_t& layer : layers) {
    layer.kind = cell;
    layer.size = kHidden;
    layer.zoneout_h = 0.1f;
    if (cell == RNN_CELL_LSTM) layer.zoneout_c = 0.05f;
  }
  layers.back() = rnn::sized<rnn_layer_t>();
  layers.back().kind = RNN_LAYER_DENSE;
  layers.back().size = kSymbols;
  auto config = rnn::sized<rnn_config_t>();
  config.input_size = kSymbols;
  config.layers = layers.data();
  config.layer_count = layers.size();
  config.compute = compute;
  config.seed = 5;
  return rnn::Network(config);
}

// Ragged sequences of symbols, each with its next one as its class, some of which have no weight.
struct Data {
  std::vector<std::size_t> lengths;
  std::vector<std::int32_t> indices, classes;
  std::vector<float> weights;

  // Of `count` sequences those for which is_given(number) is true.
  template <class IsGiven>
  Data(std::size_t count, std::uint32_t seed, const IsGiven& is_given) {
    std::mt19937 random(seed);
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t length = 3 + random() % 27;
      std::uint32_t symbol = random() % kSymbols;
      for (std::size_t t = 0; t < length; ++t) {
        const std::uint32_t next = random() % 4 == 0 ? random() % kSymbols : (3 * symbol + 1) % kSymbols;
        const float weight = static_cast<float>(random() % 4) / 2;
        if (is_given(n)) {
          indices.push_back(static_cast<std::int32_t>(symbol));
          classes.push_back(static_cast<std::int32_t>(next));
          weights.push_back(weight);
        }
        symbol = next;
      }
      if (is_given(n)) lengths.push_back(length);
    }
  }

  rnn_sequences_t view() const {
    auto sequences = rnn::sized<rnn_sequences_t>();
    sequences.count = lengths.size();
    sequences.frames = indices.size();
    sequences.lengths = lengths.data();
    sequences.indices = indices.data();
    sequences.classes = classes.data();
    sequences.weights = weights.data();
    return sequences;
  }
};

std::int32_t count_updates(const rnn_progress_t* progress, void* updates) {
  *static_cast<std::uint64_t*>(updates) = progress->update;
  return progress->update >= kUpdates;
}

rnn_train_options_t make_options(const rnn_collective_t& collective, const rnn_sequences_t& validation,
                                 std::uint64_t& updates) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.learning_rate = 0.01f;
  options.weight_decay = 0.01f;
  options.clip_norm = 0.5f;
  options.clip_value = 0.2f;
  options.schedule = RNN_SCHEDULE_COSINE;
  options.schedule_updates = 40;
  options.epochs = 1000;
  options.batch_size = 16;
  options.window = 6;
  options.seed = 3;
  options.validate_every = 5;
  options.validation = &validation;
  options.progress = count_updates;
  options.user = &updates;
  options.dropout = 0.1f;
  options.output_dropout = 0.1f;
  options.recurrent_dropout = 0.1f;
  options.scheduled_sampling = 0.2f;
  options.average = 0.9f;
  options.accumulate = 2;
  options.restore_best = 1;
  options.label_smoothing = 0.1f;
  options.lanes = kLanes;
  options.collective = &collective;
  return options;
}

// Throws what is wrong on this rank.
void train(char** arguments, const rnn_collective_t& collective) {
  const rnn::Network network = make_network(
      cell_of(arguments[1]), arguments[2] == std::string("bf16") ? RNN_COMPUTE_BF16 : RNN_COMPUTE_F32);
  const std::string folder = arguments[5];
  const auto is_given = [&](std::size_t n) {
    return collective.own_sequences == 0 ||
           rnn_rank_of(rnn_lane_of(n, kLanes), kLanes, collective.ranks) == collective.rank;
  };
  const Data data(37, 1, is_given), validation(21, 2, is_given);
  const rnn_sequences_t data_view = data.view(), validation_view = validation.view();
  std::uint64_t updates = 0;
  rnn_train_options_t options = make_options(collective, validation_view, updates);
  options.threads = std::atoi(arguments[4]);

  rnn::Trainer trainer(network, &options);
  trainer.run(data_view);
  trainer.save(folder + "/run");
  if (updates != kUpdates) throw std::runtime_error("the run has stopped early");

  // With this rate nothing gets better, and the run does stop.
  options.learning_rate = 0.5f;
  options.clip_norm = options.clip_value = 0;
  options.schedule = options.schedule_updates = 0;
  options.patience = 2;
  rnn::Trainer stopped(network, &options);
  stopped.run(data_view);
  stopped.save(folder + "/stopped");
  if (updates >= kUpdates) throw std::runtime_error("the run has not stopped early");

  rnn::Trainer updated(network, &options);
  updated.update(data_view);
  updated.update(data_view);
  updated.save(folder + "/updated");

  options.validation = nullptr;
  options.validate_every = options.patience = options.restore_best = 0;
  const rnn_evaluation_t found = trainer.network().evaluate(data_view, &options);
  if (collective.rank == 0)
    std::printf("loss %a, weight %a, accuracy %a\n", found.loss, found.weight, found.accuracy);
}

}  // namespace

int main(int argc, char** argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  rnn_mpi_t job;
  rnn_mpi_create(&job, MPI_COMM_WORLD);
  try {
    if (argc != 6) throw std::invalid_argument("five arguments are needed");
    job.collective.own_sequences = std::atoi(argv[3]);
    train(argv, job.collective);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", job.collective.rank, error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  rnn_mpi_destroy(&job);
  MPI_Finalize();
  return 0;
}

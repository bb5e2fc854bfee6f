// Lanes: the same bits for every number of threads and ranks.
#include "lib/training/lanes.h"

#include <tbb/global_control.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/training/runs.h"
#include "tests/training/thread_ranks.h"

namespace rnn::training_test {
namespace {

class LanesTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const {
    return testing::TempDir() + "lanes_" + std::to_string(getpid()) + "_" + name + ".rnn";
  }

  tbb::global_control allow_{tbb::global_control::max_allowed_parallelism, 8};
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  file.close();
  std::filesystem::remove(path);
  return bytes;
}

// The sequences of some lanes.
Data part(const Data& data, std::int32_t lanes, std::int32_t ranks, std::int32_t rank) {
  Data result;
  result.pooling = data.pooling;
  std::size_t first = 0;
  const std::size_t frames = data.frames();
  for (std::size_t n = 0; n < data.lengths.size(); first += data.lengths[n++]) {
    if (rnn_rank_of(rnn_lane_of(n, lanes), lanes, ranks) != rank) continue;
    result.lengths.push_back(data.lengths[n]);
    const auto copy = [&](const auto& from, auto& to, bool by_sequence) {
      if (from.empty()) return;
      const std::size_t rows = by_sequence ? data.lengths.size() : frames, width = from.size() / rows;
      const std::size_t begin = by_sequence ? n : first, count = by_sequence ? 1 : data.lengths[n];
      for (std::size_t i = begin * width; i < (begin + count) * width; ++i) to.push_back(from[i]);
    };
    const bool pooled = data.pooling != RNN_POOLING_NONE;
    copy(data.inputs, result.inputs, false);
    copy(data.indices, result.indices, false);
    copy(data.resets, result.resets, false);
    copy(data.targets, result.targets, pooled);
    copy(data.classes, result.classes, pooled);
    copy(data.weights, result.weights, pooled);
  }
  return result;
}

// A network, its data, and a job with as much of what depends on order and chance as go together.
struct Job {
  rnn_config_t config;
  DataKind kind;
  rnn_train_options_t options = sized<rnn_train_options_t>();
};

Job job(std::int32_t cell, std::int32_t lanes) {
  Job j;
  j.config = config(12, 70, 12, 2);  // of more chunks than there are ranks
  j.config.cell = cell;
  j.config.initial_state = RNN_INITIAL_TRAINED;
  j.kind.one_hot = true;
  j.kind.masks = true;
  j.kind.resets = true;
  rnn_train_options_t& o = j.options;
  o.lanes = lanes;
  o.batch_size = 64;
  o.epochs = 3;
  o.clip_norm = 0.05f;
  o.window = 4;
  o.dropout = 0.2f;
  o.output_dropout = 0.1f;
  o.recurrent_dropout = 0.2f;
  o.average = 0.9f;
  o.accumulate = 2;
  o.restore_best = 1;
  o.patience = 3;
  o.validate_every = 2;
  return j;
}

Data job_data(const Job& j) { return make_data(j.config, ragged_lengths(150), j.kind); }
Data job_validation(const Job& j) { return make_data(j.config, ragged_lengths(70), j.kind, 2); }

// The checkpoint at the end of a run; or, with `updates`, when so many are done.
std::string checkpoint(const Job& j, rnn_train_options_t o, const Data& data, const Data& validation,
                       const std::string& path, std::uint64_t updates = 0, const char* from = nullptr) {
  const rnn_sequences_t in = data.get(), valid = validation.get();
  Log log;
  log.stop_at = updates;
  o.validation = o.validate_every != 0 ? &valid : nullptr;
  o.progress = &Log::add;
  o.user = &log;
  const TrainerHandle trainer = create_trainer(create(j.config), o);
  if (trainer == nullptr) return {};
  if (from != nullptr) {
    EXPECT_EQ(rnn_trainer_load(trainer.get(), from), RNN_OK) << rnn_last_error();
  }
  EXPECT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
  EXPECT_EQ(rnn_trainer_save(trainer.get(), path.c_str()), RNN_OK) << rnn_last_error();
  return o.collective == nullptr || o.collective->rank == 0 ? contents(path) : std::string();
}

std::string on_threads(const Job& j, std::int32_t threads, const std::string& path) {
  rnn_train_options_t o = j.options;
  o.threads = threads;
  return checkpoint(j, o, job_data(j), job_validation(j), path);
}

std::string on_ranks(const Job& j, std::int32_t ranks, bool own, const std::string& path,
                     std::uint64_t updates = 0, const char* from = nullptr) {
  const Data data = job_data(j), validation = job_validation(j);
  std::string result;
  ThreadRanks(ranks).run([&](const rnn_collective_t& collective) {
    rnn_collective_t c = collective;
    c.own_sequences = own ? 1 : 0;
    rnn_train_options_t o = j.options;
    o.threads = 1 + c.rank % 2;
    o.collective = &c;
    const auto mine = [&](const Data& whole) { return own ? part(whole, o.lanes, c.ranks, c.rank) : whole; };
    const std::string bytes = checkpoint(j, o, mine(data), mine(validation), path, updates, from);
    if (c.rank == 0) result = bytes;
  });
  return result;
}

// ---- One process -----------------------------------------------------------------------------------

TEST_F(LanesTest, GiveTheSameBitsForEveryNumberOfThreads) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM})
    for (const std::int32_t lanes : {1, 2, 4, 16, 64}) {
      const Job j = job(cell, lanes);
      const std::string one = on_threads(j, 1, path("one"));
      for (const std::int32_t threads : {2, 3, 4, 5, 6, 7, 8})
        EXPECT_EQ(on_threads(j, threads, path("more")), one) << cell << ", " << lanes << ", " << threads;
    }
}

// But for the order of sums: without what is drawn at random, and in the given order.
TEST_F(LanesTest, HaveTheSumOfTheirGradients) {
  const rnn_config_t c = config(5, 9, 4, 2);
  for (const bool masks : {false, true}) {
    DataKind kind;
    kind.masks = masks;
    const Data data = make_data(c, ragged_lengths(40), kind);
    const rnn_sequences_t in = data.get();
    std::vector<double> losses, norms;
    for (const std::int32_t lanes : {1, 2, 8, 32}) {
      rnn_train_options_t o = sgd(0.1f);
      o.lanes = lanes;
      const TrainerHandle trainer = create_trainer(create(c), o);
      auto progress = sized<rnn_progress_t>();
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
      losses.push_back(progress.loss);
      norms.push_back(progress.gradient_norm);
      EXPECT_NEAR(losses.back(), losses.front(), 1e-6 * losses.front());
      EXPECT_NEAR(norms.back(), norms.front(), 1e-5 * norms.front());
    }
  }
}

TEST_F(LanesTest, DrawForASequenceByItsNumber) {
  rnn_config_t c = config(3, 16, 3, 2);
  DataKind kind = kSquared;
  for (const bool sampling : {false, true}) {
    // A batch without its last sequences: those that stay are the same ones.
    std::vector<std::vector<float>> changes;
    for (const std::size_t count : {8u, 16u}) {
      Data data = make_data(c, std::vector<std::size_t>(16, 6), kind);
      data.weights.assign(data.frames(), 0.0f);
      std::fill_n(data.weights.begin(), 6, 1.0f);  // the loss is that of the first alone
      data.lengths.resize(count);
      const std::size_t frames = data.frames();
      data.inputs.resize(frames * 3);
      data.targets.resize(frames * 3);
      data.weights.resize(frames);
      const rnn_sequences_t in = data.get();
      rnn_train_options_t o = sgd(1.0f);
      o.lanes = 4;
      if (sampling)
        o.scheduled_sampling = 0.5f;
      else
        o.dropout = o.output_dropout = o.recurrent_dropout = 0.4f;
      const TrainerHandle trainer = create_trainer(create(c), o);
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
      changes.push_back(values(trainer));
    }
    EXPECT_EQ(bits(changes[0]), bits(changes[1])) << sampling;
  }
}

TEST_F(LanesTest, EvaluateToTheSameLoss) {
  const rnn_config_t c = config(5, 9, 4, 1);
  const Data data = make_data(c, ragged_lengths(300), {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(c);
  std::vector<rnn_evaluation_t> found;
  for (const std::int32_t lanes : {1, 2, 16}) {
    auto o = sized<rnn_train_options_t>();
    o.lanes = lanes;
    found.push_back(sized<rnn_evaluation_t>());
    ASSERT_EQ(rnn_evaluate(network.get(), &in, &o, &found.back()), RNN_OK) << rnn_last_error();
    EXPECT_NEAR(found.back().loss, found.front().loss, 1e-9);
    EXPECT_EQ(found.back().weight, found.front().weight);
    EXPECT_EQ(found.back().accuracy, found.front().accuracy);
  }
}

TEST_F(LanesTest, BelongToACheckpoint) {
  const std::string file = path("kept");
  const auto trainer = [](std::int32_t lanes) {
    auto o = sized<rnn_train_options_t>();
    o.lanes = lanes;
    return create_trainer(create(config(3, 4, 3)), o);
  };
  for (const std::int32_t saved : {1, 4}) {
    ASSERT_EQ(rnn_trainer_save(trainer(saved).get(), file.c_str()), RNN_OK) << rnn_last_error();
    for (const std::int32_t lanes : {1, 2, 4}) {
      EXPECT_EQ(rnn_trainer_load(trainer(lanes).get(), file.c_str()), lanes == saved ? RNN_OK : RNN_MISMATCH);
      if (lanes == saved) continue;
      const std::string message =
          "the saved lanes is " + std::to_string(saved) + "; the trainer's is " + std::to_string(lanes);
      EXPECT_NE(std::string(rnn_last_error()).find(message), std::string::npos) << rnn_last_error();
    }
  }
  std::filesystem::remove(file);
}

TEST_F(LanesTest, AreCheckedWithTheirRanks) {
  const auto message = [](std::int32_t lanes, std::int32_t rank, std::int32_t ranks, std::int32_t batch) {
    auto c = sized<rnn_collective_t>();
    c.rank = rank;
    c.ranks = ranks;
    auto o = sized<rnn_train_options_t>();
    o.lanes = lanes;
    o.collective = &c;
    o.batch_size = batch;
    const NetworkHandle network = create(config(3, 4, 3));
    rnn_trainer_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), &o, &out), RNN_INVALID_ARGUMENT);
    return std::string(rnn_last_error());
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(message(3, 0, 1, 0), "options.lanes is 3; it must be a power of two, 1..1024");
  has(message(2048, 0, 1, 0), "options.lanes is 2048");
  has(message(-1, 0, 1, 0), "options.lanes is -1");
  has(message(4, 0, 5, 0), "options.collective.ranks is 5; it must be 1..4, the number of lanes");
  has(message(4, 0, 0, 0), "options.collective.ranks is 0");
  has(message(4, 2, 2, 0), "options.collective.rank is 2; it must be 0..1");
  has(message(4, -1, 2, 0), "options.collective.rank is -1");
  has(message(4, 0, 2, 0), "options.collective.exchange is NULL; 2 ranks need it");
  has(message(64, 0, 1, 32), "options.batch_size is 32 and lanes 64");
}

// ---- Lanes and ranks -------------------------------------------------------------------------------

TEST(LaneOf, GoesRoundAndRound) {
  EXPECT_EQ(rnn_lane_of(0, 1), 0);
  EXPECT_EQ(rnn_lane_of(13, 8), 5);
  EXPECT_EQ(rnn_lane_of(std::uint64_t{1} << 63, 1024), 0);
  for (const std::int32_t lanes : {0, -1, 3, 2048}) EXPECT_EQ(rnn_lane_of(1, lanes), -1);
}

TEST(RankOf, CutsLanesIntoRanges) {
  for (const std::int32_t lanes : {1, 2, 8, 64})
    for (std::int32_t ranks = 1; ranks <= lanes; ++ranks) {
      auto given = sized<rnn_collective_t>();
      given.ranks = ranks;
      const Collective collective(Allocator(), &given, lanes);
      for (std::int32_t lane = 0; lane < lanes; ++lane) {
        const auto rank = static_cast<std::size_t>(rnn_rank_of(lane, lanes, ranks));
        EXPECT_TRUE(collective.lanes_of(rank).has(static_cast<std::size_t>(lane))) << lane << ", " << ranks;
      }
    }
  EXPECT_EQ(rnn_rank_of(8, 8, 2), -1);
  EXPECT_EQ(rnn_rank_of(-1, 8, 2), -1);
  EXPECT_EQ(rnn_rank_of(0, 8, 9), -1);
  EXPECT_EQ(rnn_rank_of(0, 8, 0), -1);
}

TEST(Subtrees, FillEveryRangeAndAddUpToTheTree) {
  for (std::size_t ranks = 1; ranks <= 16; ++ranks) {
    std::vector<Subtree> all;
    for (std::size_t r = 0; r < ranks; ++r)
      for (const Subtree& subtree : subtrees({16 * r / ranks, 16 * (r + 1) / ranks})) all.push_back(subtree);
    std::vector<std::string> sums;
    // What the tree of one subtree of 16 lanes adds up to.
    const auto name = [](const auto& self, std::size_t first, std::size_t size) -> std::string {
      if (size == 1) return std::to_string(first);
      return "(" + self(self, first, size / 2) + "+" + self(self, first + size / 2, size / 2) + ")";
    };
    for (const Subtree& subtree : all) sums.push_back(name(name, subtree.first, subtree.size));
    add_subtrees(all, [&](std::size_t left, std::size_t right) {
      sums[left] = "(" + sums[left] + "+" + sums[right] + ")";
    });
    EXPECT_EQ(sums[0], name(name, 0, 16)) << ranks;
  }
}

// ---- Ranks -----------------------------------------------------------------------------------------

TEST_F(LanesTest, GiveTheSameBitsForEveryNumberOfRanks) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM}) {
    const Job j = job(cell, 8);
    const std::string one = on_threads(j, 1, path("one"));
    for (const std::int32_t ranks : {1, 2, 3, 5, 8})
      for (const bool own : {false, true})
        EXPECT_EQ(on_ranks(j, ranks, own, path("ranks")), one) << cell << ", " << ranks << ", " << own;
  }
}

TEST_F(LanesTest, GoOnOnAnotherNumberOfRanks) {
  const Job j = job(RNN_CELL_GRU, 8);
  const std::string one = on_threads(j, 1, path("one"));
  const std::string kept = path("kept");
  for (const std::uint64_t updates : {1, 4})
    for (const std::int32_t ranks : {1, 2, 3}) {
      const std::string stopped = on_ranks(j, 4, true, path("stopped"), updates);
      std::ofstream(kept, std::ios::binary) << stopped;
      EXPECT_EQ(on_ranks(j, ranks, ranks == 3, path("more"), 0, kept.c_str()), one)
          << updates << ", " << ranks;
    }
  std::filesystem::remove(kept);
}

}  // namespace
}  // namespace rnn::training_test

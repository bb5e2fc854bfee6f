// A run that is saved and goes on as if it had not stopped.
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <thread>

#include "tests/reference/lists.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    options_.batch_size = 3;
    options_.window = 3;
    options_.epochs = 4;
    options_.optimizer = RNN_OPTIMIZER_RMSPROP;
    options_.momentum = 0.5f;
    options_.threads = 1;
    options_.validate_every = 4;
    options_.patience = 6;
    options_.validation = &validation_;
    options_.schedule = RNN_SCHEDULE_COSINE;
    options_.schedule_updates = 30;
    folder_ = std::filesystem::temp_directory_path() / ("rnn_resume_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    path_ = (folder_ / "run").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TrainerHandle trainer(rnn_progress_function_t progress = nullptr, void* user = nullptr,
                        std::uint64_t seed = 3) {
    rnn_config_t c = config_;
    c.seed = seed;
    rnn_train_options_t o = options_;
    o.progress = progress;
    o.user = user;
    return create_trainer(create(c), o);
  }

  // Saved at every `each`-th report.
  void check_reports(int each) {
    Saver counter{nullptr, nullptr, 0, -1, false};
    const TrainerHandle whole = trainer(&Saver::save, &counter);
    ASSERT_EQ(rnn_trainer_run(whole.get(), &in_), RNN_OK) << rnn_last_error();
    ASSERT_GT(counter.reports, 20);
    for (const bool stop : {false, true}) {
      for (int report = 1; report <= counter.reports; report += each) {
        TrainerHandle first;
        Saver saver{&first, path_.c_str(), 0, report, stop};
        first = trainer(&Saver::save, &saver);
        ASSERT_EQ(rnn_trainer_run(first.get(), &in_), RNN_OK) << rnn_last_error();
        EXPECT_EQ(saver.reports, stop ? report : counter.reports);
        const TrainerHandle second = trainer(nullptr, nullptr, 99);
        ASSERT_EQ(rnn_trainer_load(second.get(), path_.c_str()), RNN_OK) << rnn_last_error();
        ASSERT_EQ(rnn_trainer_run(second.get(), &in_), RNN_OK) << rnn_last_error();
        ASSERT_EQ(bits(values(second)), bits(values(whole))) << "saved at report " << report;
      }
    }
  }

  rnn_config_t config_ = kConfig;
  const Data data_ = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {}),
             other_ = make_data(kConfig, {4, 6}, {}, 2);
  const rnn_sequences_t in_ = data_.get(), validation_ = other_.get();
  rnn_train_options_t options_ = sized<rnn_train_options_t>();
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(Resume, AtEveryReport) { check_reports(1); }

TEST_F(Resume, WithEveryDropout) {
  config_.num_layers = 2;
  options_.dropout = 0.2f;
  options_.output_dropout = 0.3f;
  options_.recurrent_dropout = 0.4f;
  check_reports(1);
}

// Single updates that go on from the states of those before have the masks of the first one, also after a
// resumption; a rate of another value is accepted, as other options are that a run may change.
TEST_F(Resume, OfMasksOfSingleUpdates) {
  config_.cell = RNN_CELL_GRU;
  options_.validation = nullptr;
  options_.validate_every = options_.patience = 0;
  options_.recurrent_dropout = 0.4f;
  const Data long_data = make_data(config_, {6, 6, 6}, {}, 3),
             short_data = make_data(config_, {5, 5, 5}, {}, 4);
  const rnn_sequences_t first = long_data.get(), second = short_data.get();
  const auto update = [](const TrainerHandle& trainer, const rnn_sequences_t& batch) {
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &batch, nullptr), RNN_OK) << rnn_last_error();
  };
  const TrainerHandle whole = trainer(), saved = trainer(), resumed = trainer(nullptr, nullptr, 99);
  for (const TrainerHandle* t : {&whole, &saved}) {
    update(*t, first);
    ASSERT_EQ(rnn_trainer_reset(t->get()), RNN_OK);
    for (int i = 0; i < 2; ++i) update(*t, second);
  }
  ASSERT_EQ(rnn_trainer_save(saved.get(), path_.c_str()), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_load(resumed.get(), path_.c_str()), RNN_OK) << rnn_last_error();
  for (const TrainerHandle* t : {&whole, &resumed}) {
    for (int i = 0; i < 3; ++i) update(*t, second);
    ASSERT_EQ(rnn_trainer_reset(t->get()), RNN_OK);
    update(*t, first);
  }
  EXPECT_EQ(bits(values(resumed)), bits(values(whole)));
  options_.recurrent_dropout = 0.5f;
  const TrainerHandle other = trainer();
  ASSERT_EQ(rnn_trainer_load(other.get(), path_.c_str()), RNN_OK) << rnn_last_error();
}

TEST_F(Resume, WithZoneout) {
  std::vector<rnn_layer_t> layers = {reference::cell_layer(RNN_CELL_GRU, 6),
                                     reference::cell_layer(RNN_CELL_LSTM, 5), reference::dense_layer(4)};
  layers[0].zoneout_h = layers[1].zoneout_h = 0.25f;
  layers[1].zoneout_c = 0.5f;
  config_ = reference::with_layers(config(3, 0, 0, 0), layers);
  check_reports(5);
}

TEST_F(Resume, OfAListOfLayers) {
  using reference::cell_layer;
  using reference::dense_layer;
  std::vector<rnn_layer_t> layers = {dense_layer(5, RNN_ACTIVATION_PRELU), cell_layer(RNN_CELL_GRU, 6),
                                     cell_layer(RNN_CELL_LSTM, 5, 0, RNN_DIRECTION_FORWARD, 3),
                                     dense_layer(4)};
  config_ = reference::with_layers(config(3, 0, 0, 0), layers);
  options_.dropout = 0.2f;
  check_reports(5);

  // What was saved is of no use to another network.
  const TrainerHandle saved = trainer();
  ASSERT_EQ(rnn_trainer_save(saved.get(), path_.c_str()), RNN_OK) << rnn_last_error();
  layers[0].activation = RNN_ACTIVATION_TANH;
  config_ = reference::with_layers(config_, layers);
  EXPECT_EQ(rnn_trainer_load(trainer().get(), path_.c_str()), RNN_MISMATCH);
  EXPECT_NE(std::string(rnn_last_error()).find("layers[0].activation"), std::string::npos)
      << rnn_last_error();
  config_ = config(3, 5, 4, 2);
  EXPECT_EQ(rnn_trainer_load(trainer().get(), path_.c_str()), RNN_MISMATCH) << rnn_last_error();
}

// What was set and what was skipped before is part of a run.
TEST_F(Resume, WithARateThatWasSetAndSkippedUpdates) {
  Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, kSquared);
  data.targets[6 * 4] = kHuge;  // of the third sequence's first window
  const rnn_sequences_t in = data.get();
  options_.validation = nullptr;
  options_.validate_every = options_.patience = 0;
  options_.skip_not_finite = 1;
  struct Setter {
    const TrainerHandle* trainer;
    const char* path;
    int save_at;
    int reports = 0;

    static std::int32_t report(const rnn_progress_t*, void* user) {
      Setter& s = *static_cast<Setter*>(user);
      const int report = ++s.reports;
      if (report == 5) {
        EXPECT_EQ(rnn_trainer_set_learning_rate(s.trainer->get(), 0.02f), RNN_OK);
      }
      if (report == s.save_at) {
        EXPECT_EQ(rnn_trainer_save(s.trainer->get(), s.path), RNN_OK) << rnn_last_error();
      }
      return 0;
    }
  };
  std::vector<float> end;
  Log log;
  for (int save_at = 5; save_at < 25; ++save_at) {
    TrainerHandle first;
    Setter setter{&first, path_.c_str(), save_at};
    first = trainer(&Setter::report, &setter);
    ASSERT_EQ(rnn_trainer_run(first.get(), &in), RNN_OK) << rnn_last_error();
    ASSERT_GE(setter.reports, save_at);
    const TrainerHandle second = trainer(&Log::add, &log, 99);
    ASSERT_EQ(rnn_trainer_load(second.get(), path_.c_str()), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_run(second.get(), &in), RNN_OK) << rnn_last_error();
    ASSERT_EQ(bits(values(second)), bits(values(first))) << "saved at report " << save_at;
    EXPECT_EQ(log.updates.back().skipped_updates, 4u);
  }
}

// A child process that saves all the time is killed at any instant: the file is always whole, and leads to
// the same end.
TEST_F(Resume, AfterKill) {
  const TrainerHandle whole = trainer();
  ASSERT_EQ(rnn_trainer_run(whole.get(), &in_), RNN_OK);
  int loaded = 0;
  for (int kill_after = 0; kill_after < 25; ++kill_after) {
    std::filesystem::remove(path_);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      TrainerHandle saving;
      Saver saver{&saving, path_.c_str(), 0, 0, false};
      for (;;) {
        saving = trainer(&Saver::save, &saver);
        rnn_trainer_run(saving.get(), &in_);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + 1370 * kill_after));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const TrainerHandle resumed = trainer(nullptr, nullptr, 99);
    if (!std::filesystem::exists(path_)) continue;
    ASSERT_EQ(rnn_trainer_load(resumed.get(), path_.c_str()), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_run(resumed.get(), &in_), RNN_OK) << rnn_last_error();
    ASSERT_EQ(bits(values(resumed)), bits(values(whole)));
    ++loaded;
  }
  EXPECT_GT(loaded, 0);
}

TEST_F(Resume, RefusesAnUpdateWithinABatch) {
  Log log;
  log.stop_at = 1;
  const TrainerHandle running = trainer(&Log::add, &log);
  ASSERT_EQ(rnn_trainer_run(running.get(), &in_), RNN_OK);
  EXPECT_EQ(rnn_trainer_update(running.get(), &in_, nullptr), RNN_INVALID_ARGUMENT);
  ASSERT_EQ(rnn_trainer_reset(running.get()), RNN_OK);  // which does not touch the run's states
  ASSERT_EQ(rnn_trainer_run(running.get(), &in_), RNN_OK);
  const TrainerHandle whole = trainer();
  ASSERT_EQ(rnn_trainer_run(whole.get(), &in_), RNN_OK);
  EXPECT_EQ(bits(values(running)), bits(values(whole)));
}

}  // namespace
}  // namespace rnn::training_test

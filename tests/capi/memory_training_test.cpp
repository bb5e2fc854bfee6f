// Training when memory is refused.
#include <cstdio>

#include "memory.h"
#include "scratch.h"

namespace {

class OutOfMemoryTraining : public testing::Test {
 protected:
  OutOfMemoryTraining() {
    data.classes = indices(data.frames(), 5, 3);
    sequences = data.get();
    options.threads = 1;
    options.batch_size = 2;
    options.window = 3;
    options.epochs = 2;
    options.learning_rate = 0.01f;
    options.validation = &sequences;
    network = create(hooks, kConfig);
  }
  Trainer trainer() {
    rnn_trainer_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), &options, &out), RNN_OK) << rnn_last_error();
    return Trainer(out);
  }
  Floats look_at_trainer(const Trainer& trainer) {
    rnn_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_network(trainer.get(), &out), RNN_OK);
    return weights(Network(out));
  }
  void updates_go_on();

  Hooks hooks;
  Data data = index_data({3, 5, 1, 4, 6}, 5);
  rnn_sequences_t sequences;
  rnn_train_options_t options = sized<rnn_train_options_t>();
  Network network;
};

// oneTBB's own memory is not the network's, so here only the hooks refuse.

TEST_F(OutOfMemoryTraining, Train) {
  fail_each(
      hooks, [&] { return rnn_train(network.get(), &sequences, &options); }, [&] { return look_at(network); },
      false);
}

TEST_F(OutOfMemoryTraining, Evaluate) {
  auto out = sized<rnn_evaluation_t>();
  fail_each(
      hooks, [&] { return rnn_evaluate(network.get(), &sequences, &options, &out); },
      [&] { return look_at(network); }, false);
  EXPECT_GT(out.loss, 0);
}

TEST_F(OutOfMemoryTraining, TrainerHandles) {
  rnn_trainer_t* out = nullptr;
  fail_each(
      hooks,
      [&] {
        const rnn_status_t status = rnn_trainer_create(network.get(), &options, &out);
        if (status == RNN_OK) rnn_trainer_destroy(std::exchange(out, nullptr));
        EXPECT_EQ(out, nullptr);
        return status;
      },
      [&] { return look_at(network); }, false);
  const Trainer trainer = this->trainer();
  rnn_t* stream = nullptr;
  fail_each(
      hooks,
      [&] {
        const rnn_status_t status = rnn_trainer_network(trainer.get(), &stream);
        if (status == RNN_OK) rnn_destroy(std::exchange(stream, nullptr));
        EXPECT_EQ(stream, nullptr);
        return status;
      },
      nothing, false);
}

void OutOfMemoryTraining::updates_go_on() {
  const Trainer never = trainer(), often = trainer();
  for (int update = 0; update < 3; ++update) {
    ASSERT_EQ(rnn_trainer_update(never.get(), &sequences, nullptr), RNN_OK) << rnn_last_error();
    for (long n = 0;; ++n) {
      ASSERT_LT(n, 10000);
      const Floats before = look_at_trainer(often);
      hooks.fail_after(n);
      const rnn_status_t status = rnn_trainer_update(often.get(), &sequences, nullptr);
      hooks.fail_after(-1);
      if (status == RNN_OK) break;
      EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
      ASSERT_TRUE(same_bits(look_at_trainer(often), before));
    }
    EXPECT_TRUE(same_bits(look_at_trainer(often), look_at_trainer(never)));
  }
}

TEST_F(OutOfMemoryTraining, UpdatesGoOnAsIfNothingHadHappened) {
  updates_go_on();
  options.sampled_classes = 2;
  updates_go_on();
}

TEST_F(OutOfMemoryTraining, RunsGoOnAsIfNothingHadHappened) {
  const Trainer never = trainer(), often = trainer();
  ASSERT_EQ(rnn_trainer_run(never.get(), &sequences), RNN_OK) << rnn_last_error();
  for (long n = 0;; ++n) {
    ASSERT_LT(n, 10000);
    hooks.fail_after(n);
    const rnn_status_t status = rnn_trainer_run(often.get(), &sequences);
    hooks.fail_after(-1);
    if (status == RNN_OK) break;
    EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
  }
  EXPECT_TRUE(same_bits(look_at_trainer(often), look_at_trainer(never)));
}

// With all that keeps memory of its own. A validation that failed is made up for: the run ends with the same
// best weights.
TEST_F(OutOfMemoryTraining, RunsWithEverythingGoOn) {
  rnn_config_t c = kConfig;
  c.cell = RNN_CELL_LSTM;
  network = create(hooks, c);
  options.dropout = options.output_dropout = options.recurrent_dropout = 0.2f;
  options.scheduled_sampling = 0.5f;
  options.average = 0.9f;
  options.accumulate = 2;
  options.restore_best = 1;
  options.validate_every = 1;
  options.learning_rate = 0.2f;
  auto group = sized<rnn_parameter_group_t>();
  group.pattern = "*bias*";
  group.frozen = 1;
  options.groups = &group;
  options.group_count = 1;
  std::vector<double> losses;
  options.user = &losses;
  options.progress = [](const rnn_progress_t* progress, void* user) -> int32_t {
    if (progress->event == RNN_EVENT_VALIDATION)
      static_cast<std::vector<double>*>(user)->push_back(progress->validation_loss);
    return 0;
  };
  const Trainer never = trainer(), often = trainer();
  ASSERT_EQ(rnn_trainer_run(never.get(), &sequences), RNN_OK) << rnn_last_error();
  const std::vector<double> expected = std::exchange(losses, {});
  EXPECT_GE(expected.size(), 4u);
  for (long n = 0;; ++n) {
    ASSERT_LT(n, 10000);
    hooks.fail_after(n);
    const rnn_status_t status = rnn_trainer_run(often.get(), &sequences);
    hooks.fail_after(-1);
    if (status == RNN_OK) break;
    EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
  }
  EXPECT_EQ(losses, expected);
  EXPECT_TRUE(same_bits(look_at_trainer(often), look_at_trainer(never)));
  fail_each(
      hooks, [&] { return rnn_train(network.get(), &sequences, &options); }, [&] { return look_at(network); },
      false);
}

TEST_F(OutOfMemoryTraining, Checkpoints) {
  const std::string path = scratch_path("memory.checkpoint");
  const Trainer first = trainer(), second = trainer();
  ASSERT_EQ(rnn_trainer_update(first.get(), &sequences, nullptr), RNN_OK);
  ASSERT_EQ(rnn_trainer_save(first.get(), path.c_str()), RNN_OK) << rnn_last_error();
  fail_each(
      hooks, [&] { return rnn_trainer_load(second.get(), path.c_str()); },
      [&] { return look_at_trainer(second); }, false);
  EXPECT_TRUE(same_bits(look_at_trainer(second), look_at_trainer(first)));
  std::remove(path.c_str());
}

TEST_F(OutOfMemoryTraining, Tape) {
  rnn_tape_t* out = nullptr;
  fail_each(
      hooks,
      [&] {
        const rnn_status_t status = rnn_tape_create(network.get(), 1, &out);
        if (status == RNN_OK) rnn_tape_destroy(std::exchange(out, nullptr));
        EXPECT_EQ(out, nullptr);
        return status;
      },
      nothing, false);
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const ::Tape tape(out);
  Floats y(data.frames() * 5, 42);
  for (long n = 0;; ++n) {  // the tape may keep what it got before it failed
    ASSERT_LT(n, 10000);
    hooks.fail_after(n);
    const rnn_status_t status =
        rnn_tape_forward(tape.get(), network.get(), &sequences, nullptr, y.data(), nullptr);
    hooks.fail_after(-1);
    if (status == RNN_OK) break;
    EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
    EXPECT_TRUE(same_bits(y, Floats(y.size(), 42)));
  }
  const Floats d_y = numbers(y.size());
  Floats gradient(400, 42), d_initial(5 * 40, 42);
  for (long n = 0;; ++n) {  // backward may need no memory of its own
    ASSERT_LT(n, 10000);
    hooks.fail_after(n);
    const rnn_status_t status = rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, d_initial.data());
    hooks.fail_after(-1);
    if (status == RNN_OK) break;
    EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
    ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_hh_l0", gradient.data(), 400), RNN_OK);
    EXPECT_TRUE(same_bits(gradient, Floats(400)));
    EXPECT_TRUE(same_bits(d_initial, Floats(5 * 40, 42)));
  }
  ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_hh_l0", gradient.data(), 400), RNN_OK);
  EXPECT_FALSE(same_bits(gradient, Floats(400)));

  const Trainer never = trainer(), often = trainer();
  ASSERT_EQ(rnn_trainer_apply(never.get(), tape.get(), nullptr), RNN_OK) << rnn_last_error();
  for (long n = 0;; ++n) {
    ASSERT_LT(n, 10000);
    const Floats before = look_at_trainer(often);
    hooks.fail_after(n);
    const rnn_status_t status = rnn_trainer_apply(often.get(), tape.get(), nullptr);
    hooks.fail_after(-1);
    if (status == RNN_OK) break;
    EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
    ASSERT_TRUE(same_bits(look_at_trainer(often), before));
  }
  EXPECT_TRUE(same_bits(look_at_trainer(often), look_at_trainer(never)));
}

}  // namespace

// Training before and after a fork: the child has none of the threads that its parent trained on.
#include <gtest/gtest.h>
#include <rnn/rnn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace {

using Network = std::unique_ptr<rnn_t, void (*)(rnn_t*)>;
using Trainer = std::unique_ptr<rnn_trainer_t, void (*)(rnn_trainer_t*)>;

constexpr std::size_t kSequences = 32, kSteps = 16;

class Fork : public testing::Test {
 protected:
  Fork() {
    data_.struct_size = sizeof data_;
    data_.count = kSequences;
    data_.frames = kSequences * kSteps;
    data_.lengths = lengths_.data();
    data_.indices = data_.classes = indices_.data();
  }

  // Large enough for several threads.
  static Network create() {
    rnn_config_t config = {};
    config.struct_size = sizeof config;
    config.cell = RNN_CELL_LSTM;
    config.input_size = config.output_size = 20;
    config.hidden_size = 64;
    rnn_t* network = nullptr;
    EXPECT_EQ(rnn_create(&config, &network), RNN_OK) << rnn_last_error();
    return Network(network, rnn_destroy);
  }

  static rnn_train_options_t options(std::int32_t threads) {
    rnn_train_options_t options = {};
    options.struct_size = sizeof options;
    options.threads = threads;
    options.batch_size = static_cast<std::int32_t>(kSequences / 2);
    return options;
  }

  static Trainer create_trainer(std::int32_t threads) {
    const rnn_train_options_t given = options(threads);
    rnn_trainer_t* trainer = nullptr;
    EXPECT_EQ(rnn_trainer_create(create().get(), &given, &trainer), RNN_OK) << rnn_last_error();
    return Trainer(trainer, rnn_trainer_destroy);
  }

  // What a network gives, which shows its weights; nothing if it fails.
  static std::vector<float> outputs(rnn_t* network) {
    std::vector<float> y(20);
    for (std::int32_t i = 0; i < 3; ++i)
      if (rnn_step_index(network, i, y.data()) != RNN_OK) return {};
    return y;
  }

  std::vector<float> train(std::int32_t threads) const {
    const Network network = create();
    const rnn_train_options_t given = options(threads);
    if (rnn_train(network.get(), &data_, &given) != RNN_OK) return {};
    return outputs(network.get());
  }

  // Whether this is true in a child, which then ends without oneTBB's clean-up: see rnn.h.
  static bool in_child(const std::function<bool()>& body) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      alarm(300);  // against a hang
      _exit(body() ? 0 : 1);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  rnn_sequences_t data_ = {};

 private:
  const std::vector<std::size_t> lengths_ = std::vector<std::size_t>(kSequences, kSteps);
  const std::vector<std::int32_t> indices_ = std::vector<std::int32_t>(kSequences * kSteps, 3);
};

TEST_F(Fork, BeforeTraining) {
  EXPECT_TRUE(in_child([&] {
    const std::vector<float> alone = train(1);
    return !alone.empty() && train(4) == alone && train(0) == alone;
  }));
}

TEST_F(Fork, AfterTraining) {
  const Network network = create();
  const std::vector<float> untrained = outputs(network.get()), trained = train(4);
  ASSERT_FALSE(trained.empty());
  EXPECT_EQ(train(1), trained);
  for (int i = 0; i < 20; ++i) {  // soon after the tasks, when workers are still looking for more
    EXPECT_EQ(train(4), trained);
    EXPECT_TRUE(in_child([&] {
      const Network own = create();
      return outputs(own.get()) == untrained && train(1) == trained && train(4) == trained &&
             train(0) == trained;
    }));
  }
  EXPECT_EQ(train(4), trained);
}

// Locks of oneTBB may be held in the child for ever.
TEST_F(Fork, WhileAnotherThreadTrains) {
  const std::vector<float> trained = train(4);
  ASSERT_FALSE(trained.empty());
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) EXPECT_EQ(train(4), trained);
  });
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(in_child([&] { return train(4) == trained && train(0) == trained; }));
  done = true;
  other.join();
}

TEST_F(Fork, OfATrainer) {
  const Trainer trainer = create_trainer(4);
  Trainer other = create_trainer(4);
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &data_, nullptr), RNN_OK) << rnn_last_error();
  const auto next = [&] {
    if (rnn_trainer_update(trainer.get(), &data_, nullptr) != RNN_OK) return std::vector<float>();
    rnn_t* network = nullptr;
    if (rnn_trainer_network(trainer.get(), &network) != RNN_OK) return std::vector<float>();
    return outputs(Network(network, rnn_destroy).get());
  };
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_TRUE(in_child([&] {
    other.reset();
    const std::vector<float> y = next();
    return write(ends[1], y.data(), y.size() * sizeof(float)) == static_cast<ssize_t>(20 * sizeof(float));
  }));
  std::vector<float> childs(20);
  close(ends[1]);
  EXPECT_EQ(read(ends[0], childs.data(), 20 * sizeof(float)), static_cast<ssize_t>(20 * sizeof(float)));
  close(ends[0]);
  EXPECT_EQ(next(), childs);
}

TEST_F(Fork, InTheProgressFunction) {
  const std::vector<float> trained = train(1);
  const Network network = create();
  rnn_train_options_t given = options(4);
  pid_t child = -1;
  given.user = &child;
  given.progress = [](const rnn_progress_t* progress, void* user) -> std::int32_t {
    if (progress->update != 1) return 0;
    std::fflush(nullptr);
    *static_cast<pid_t*>(user) = fork();
    return 0;
  };
  const rnn_status_t status = rnn_train(network.get(), &data_, &given);
  const bool same = status == RNN_OK && outputs(network.get()) == trained;
  if (child == 0) _exit(same ? 0 : 1);
  EXPECT_TRUE(same);
  int left = 1;
  EXPECT_EQ(waitpid(child, &left, 0), child);
  EXPECT_EQ(left, 0);
}

}  // namespace

// What the tests of runs share: reports, options, and what is looked at.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/training/training_test.h"

namespace rnn::training_test {

// What is finite and makes a loss, or the states of a network with ReLU, infinite.
constexpr float kHuge = 3e38f;
constexpr DataKind kSquared = {false, RNN_POOLING_NONE, false, false, RNN_LOSS_SQUARED_ERROR};

// Every report of a run, and when to stop it.
struct Log {
  std::vector<rnn_progress_t> updates, validations;
  std::uint64_t stop_at = 0;  // updates

  static std::int32_t add(const rnn_progress_t* progress, void* user) {
    Log& log = *static_cast<Log*>(user);
    (progress->event == RNN_EVENT_UPDATE ? log.updates : log.validations).push_back(*progress);
    return progress->update == log.stop_at ? 1 : 0;
  }
};

inline rnn_train_options_t logging_options(Log& log) {
  auto o = sized<rnn_train_options_t>();
  o.progress = &Log::add;
  o.user = &log;
  return o;
}

// Saves the trainer at one report of a run, or at each.
struct Saver {
  const TrainerHandle* trainer = nullptr;
  const char* path = nullptr;
  int reports = 0;   // of both kinds
  int save_at = -1;  // 0: at each
  bool stop = false;

  static std::int32_t save(const rnn_progress_t*, void* user) {
    Saver& saver = *static_cast<Saver*>(user);
    if (++saver.reports != saver.save_at && saver.save_at != 0) return 0;
    EXPECT_EQ(rnn_trainer_save(saver.trainer->get(), saver.path), RNN_OK) << rnn_last_error();
    return saver.stop ? 1 : 0;
  }
};

inline rnn_train_options_t sgd(float rate) {
  auto o = sized<rnn_train_options_t>();
  o.optimizer = RNN_OPTIMIZER_SGD;
  o.learning_rate = rate;
  return o;
}

// By which one update of plain gradient descent changes the values.
inline std::vector<float> change(const NetworkHandle& network, const rnn_sequences_t& batch,
                                 std::int32_t threads = 0) {
  rnn_train_options_t options = sgd(1.0f);
  options.threads = threads;
  const TrainerHandle trainer = create_trainer(network, options);
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &batch, nullptr), RNN_OK) << rnn_last_error();
  std::vector<float> result = values(trainer);
  const std::vector<float> before = values(network);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] -= before[i];
  return result;
}

// Near those of the floats, and not the same.
inline void expect_gradients_of_bf16(const std::vector<float>& gradients, const std::vector<float>& floats) {
  ASSERT_EQ(gradients.size(), floats.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    difference += std::pow(double{gradients[i]} - floats[i], 2);
    norm += std::pow(floats[i], 2);
  }
  EXPECT_LT(std::sqrt(difference), 0.02 * std::sqrt(norm));
  EXPECT_GT(std::sqrt(difference), 1e-5 * std::sqrt(norm));
}

inline rnn_parameter_group_t group(const char* pattern) {
  auto g = sized<rnn_parameter_group_t>();
  g.pattern = pattern;
  return g;
}

inline double loss_of(const NetworkHandle& network, const rnn_sequences_t& data) {
  auto evaluation = sized<rnn_evaluation_t>();
  EXPECT_EQ(rnn_evaluate(network.get(), &data, nullptr, &evaluation), RNN_OK) << rnn_last_error();
  return evaluation.loss;
}

inline std::string message_of(rnn_status_t status, rnn_status_t expected) {
  EXPECT_EQ(status, expected) << rnn_last_error();
  return rnn_last_error();
}

}  // namespace rnn::training_test

// What the tests of runs share: reports, options, and what is looked at.
#pragma once

#include "tests/training/training_test.h"

namespace rnn::training_test {

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
  int reports = 0;  // of both kinds
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
  o.optimizer = RNN_SGD;
  o.learning_rate = rate;
  return o;
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

}  // namespace rnn::training_test

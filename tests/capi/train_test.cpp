// Training through the C ABI: what belongs to whom, callbacks, checkpoints.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "scratch.h"
#include "tests/reference/lists.h"
#include "training.h"

namespace {

TEST_F(Training, LearnsAndLeavesStateAndForksAlone) {
  const Network other = fork(network);
  const Floats before = weights(network);
  ASSERT_EQ(rnn_step_index(network.get(), 1, nullptr), RNN_OK);
  const Floats kept = state(network);
  auto evaluation = sized<rnn_evaluation_t>();
  ASSERT_EQ(rnn_evaluate(network.get(), &sequences, nullptr, &evaluation), RNN_OK) << rnn_last_error();
  const double first = evaluation.loss;
  EXPECT_NEAR(first, std::log(4.0), 0.3);
  EXPECT_EQ(evaluation.weight, 29);
  auto o = options();
  o.epochs = 100;
  o.learning_rate = 0.05f;
  ASSERT_EQ(rnn_train(network.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(state(network), kept));
  EXPECT_TRUE(same_bits(weights(other), before));
  ASSERT_EQ(rnn_evaluate(network.get(), &sequences, nullptr, &evaluation), RNN_OK);
  EXPECT_LT(evaluation.loss, 0.05);
  EXPECT_EQ(evaluation.accuracy, 1);
  EXPECT_TRUE(same_bits(state(network), kept));
  // The other stream picks them up.
  ASSERT_EQ(rnn_sync(other.get(), network.get()), RNN_OK);
  EXPECT_TRUE(same_bits(weights(other), weights(network)));
}

TEST_F(Training, OfTheWholeJobIsThatOfATrainer) {
  auto o = options();
  o.epochs = 3;
  o.batch_size = 2;
  o.seed = 9;
  const Network trained = fork(network);
  ASSERT_EQ(rnn_train(trained.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  const Trainer trainer = create_trainer(network, &o);
  const Floats before = weights(network);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(weights(network), before));
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), weights(trained)));
  EXPECT_TRUE(same_bits(state(network_of(trainer)), Floats(12)));
  const Network stream = fork(network);
  ASSERT_EQ(rnn_step_index(stream.get(), 1, nullptr), RNN_OK);
  const Floats kept = state(stream);
  ASSERT_EQ(rnn_trainer_sync(trainer.get(), stream.get()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(weights(stream), weights(trained)));
  EXPECT_TRUE(same_bits(state(stream), kept));
}

TEST_F(Training, CopiesClassWeights) {
  Floats given = {0.5f, 2.0f, 1.0f, 0.0f};
  auto o = options();
  o.class_weights = given.data();
  const Network trained = fork(network);
  ASSERT_EQ(rnn_train(trained.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  const Trainer trainer = create_trainer(network, &o);
  given = Floats(4, 7.0f);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), weights(trained)));
  EXPECT_EQ(given, Floats(4, 7.0f));
}

TEST_F(Training, NetworksOfATrainerKeepTheirWeights) {
  const Trainer trainer = create_trainer(network);
  const Network before = network_of(trainer);
  const Floats kept = weights(before);
  EXPECT_TRUE(same_bits(kept, weights(network)));
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &sequences, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(weights(before), kept));
  EXPECT_TRUE(same_bits(weights(network), kept));
  EXPECT_FALSE(same_bits(weights(network_of(trainer)), kept));
}

TEST_F(Training, UpdateReportsItsProgress) {
  const Trainer trainer = create_trainer(network);
  auto progress = sized<rnn_progress_t>();
  for (uint64_t update = 1; update <= 3; ++update) {
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &sequences, &progress), RNN_OK) << rnn_last_error();
    EXPECT_EQ(progress.event, RNN_EVENT_UPDATE);
    EXPECT_EQ(progress.update, update);
    EXPECT_EQ(progress.total_updates, 0u);
    EXPECT_NEAR(progress.loss, std::log(4.0), 0.3);
    EXPECT_TRUE(std::isnan(progress.validation_loss));
    EXPECT_GT(progress.gradient_norm, 0);
    EXPECT_FLOAT_EQ(static_cast<float>(progress.learning_rate), 0.001f);
    EXPECT_GT(progress.steps_per_second, 0);
  }
}

TEST_F(Training, ApplyOfATapesGradientsIsAnUpdate) {
  Data floats = float_data({4, 2}, 4);
  floats.targets = numbers(6 * 4, 8);
  const rnn_sequences_t in = floats.get();
  const Trainer by_update = create_trainer(network), by_tape = create_trainer(network);
  ASSERT_EQ(rnn_trainer_update(by_update.get(), &in, nullptr), RNN_OK) << rnn_last_error();

  const Tape tape = create_tape(network);
  Floats y(6 * 4), d_y(6 * 4);
  ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &in, nullptr, y.data(), nullptr), RNN_OK);
  for (size_t i = 0; i < y.size(); ++i) d_y[i] = 2 * (y[i] - floats.targets[i]) / (6 * 4);
  ASSERT_EQ(rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr), RNN_OK) << rnn_last_error();
  auto progress = sized<rnn_progress_t>();
  ASSERT_EQ(rnn_trainer_apply(by_tape.get(), tape.get(), &progress), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(std::isnan(progress.loss));
  EXPECT_EQ(progress.update, 1u);
  EXPECT_GT(progress.gradient_norm, 0);
  const Floats expected = weights(network_of(by_update)), actual = weights(network_of(by_tape));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5) << i;
  // The gradients stay, until they are set to zero.
  Floats gradient(16);
  ASSERT_EQ(rnn_tape_gradient(tape.get(), "head.bias", gradient.data(), 4), RNN_OK);
  EXPECT_NE(gradient[0], 0);
  ASSERT_EQ(rnn_tape_zero_gradients(tape.get()), RNN_OK);
  ASSERT_EQ(rnn_tape_gradient(tape.get(), "head.bias", gradient.data(), 4), RNN_OK);
  EXPECT_TRUE(same_bits(gradient, Floats(16)));
}

TEST_F(Training, TapeForwardIsForward) {
  const Tape tape = create_tape(network);
  const Floats initial = numbers(5 * 12);
  Floats y(29 * 4), final_states(5 * 12), expected_y(29 * 4), expected_final(5 * 12);
  auto o = sized<rnn_forward_options_t>();
  o.initial_states = initial.data();
  o.final_states = expected_final.data();
  ASSERT_EQ(rnn_forward(network.get(), &sequences, &o, expected_y.data()), RNN_OK);
  ASSERT_EQ(
      rnn_tape_forward(tape.get(), network.get(), &sequences, initial.data(), y.data(), final_states.data()),
      RNN_OK)
      << rnn_last_error();
  EXPECT_TRUE(same_bits(y, expected_y));
  EXPECT_TRUE(same_bits(final_states, expected_final));
}

TEST_F(Training, TapesPoolAsForwardDoes) {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  const Network list = create(rnn::reference::with_layers(
      config(4, 0, 0, 0), {cell_layer(RNN_CELL_GRU, 7, 0, RNN_DIRECTION_BOTH),
                           dense_layer(5, RNN_ACTIVATION_RELU), dense_layer(6, RNN_ACTIVATION_SOFTMAX)}));
  for (const Network* each : {&network, &list}) {
    const Tape tape = create_tape(*each);
    rnn_sequences_t in = sequences;
    for (in.pooling = RNN_POOLING_LAST; in.pooling <= RNN_POOLING_MAX; ++in.pooling) {
      auto o = sized<rnn_forward_options_t>();
      o.pooling = in.pooling;
      Floats expected(5 * outputs_of(each->get())), y = expected;
      ASSERT_EQ(rnn_forward(each->get(), &in, &o, expected.data()), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_tape_forward(tape.get(), each->get(), &in, nullptr, y.data(), nullptr), RNN_OK);
      EXPECT_TRUE(same_bits(y, expected)) << in.pooling;
    }
  }
}

// ---- Progress -------------------------------------------------------------------------------------

struct Log {
  std::vector<rnn_progress_t> events;
  uint64_t stop_at = 0;
  rnn_trainer_t* trainer = nullptr;
  Floats seen;
};

int32_t log_progress(const rnn_progress_t* progress, void* user) {
  auto* log = static_cast<Log*>(user);
  log->events.push_back(*progress);
  return log->stop_at != 0 && progress->update == log->stop_at ? 1 : 0;
}

TEST_F(Training, ReportsEveryUpdateAndValidation) {
  const Data held_out = cycle({6, 4});
  const rnn_sequences_t validation = held_out.get();
  Log log;
  auto o = options();
  o.batch_size = 2;
  o.epochs = 2;
  o.validation = &validation;
  o.progress = log_progress;
  o.user = &log;
  ASSERT_EQ(rnn_train(network.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  uint64_t updates = 0;
  int validations = 0;
  for (const rnn_progress_t& event : log.events) {
    EXPECT_EQ(event.struct_size, sizeof event);
    EXPECT_EQ(event.total_updates, 6u);
    if (event.event == RNN_EVENT_UPDATE) {
      EXPECT_EQ(event.update, ++updates);
      EXPECT_EQ(event.epoch, updates <= 3 ? 0 : 1);
      EXPECT_GT(event.loss, 0);
      EXPECT_GT(event.steps_per_second, 0);
    } else {
      EXPECT_EQ(event.event, RNN_EVENT_VALIDATION);
      EXPECT_EQ(event.update, ++validations * 3u);
      EXPECT_GT(event.validation_loss, 0);
    }
  }
  EXPECT_EQ(updates, 6u);
  EXPECT_EQ(validations, 2);
}

TEST_F(Training, ReportsOnTheCallingThread) {
  const Network large = create(config(4, 96, 4));
  const Data many = cycle(std::vector<size_t>(48, 20));
  const rnn_sequences_t batches = many.get();
  struct Calls {
    std::thread::id caller = std::this_thread::get_id();
    int here = 0, elsewhere = 0;
  } calls;
  auto o = options();
  o.batch_size = 16;
  o.threads = 4;
  o.validation = &sequences;
  o.validate_every = 1;
  o.user = &calls;
  o.progress = [](const rnn_progress_t*, void* user) -> int32_t {
    auto* calls = static_cast<Calls*>(user);
    ++(std::this_thread::get_id() == calls->caller ? calls->here : calls->elsewhere);
    return 0;
  };
  ASSERT_EQ(rnn_train(large.get(), &batches, &o), RNN_OK) << rnn_last_error();
  EXPECT_EQ(calls.here, 6);
  EXPECT_EQ(calls.elsewhere, 0);
}

TEST_F(Training, StopsWhenToldAndKeepsWhatWasLearnt) {
  Log log;
  log.stop_at = 2;
  auto o = options();
  o.batch_size = 2;
  o.epochs = 5;
  o.keep_order = 1;
  o.progress = log_progress;
  o.user = &log;
  const Network stopped = fork(network);
  ASSERT_EQ(rnn_train(stopped.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  EXPECT_EQ(log.events.size(), 2u);
  EXPECT_FALSE(same_bits(weights(stopped), weights(network)));
  // A trainer that was stopped goes on.
  Log again;
  again.stop_at = 2;
  o.user = &again;
  const Trainer trainer = create_trainer(network, &o);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK);
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), weights(stopped)));
  again.stop_at = 0;
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK);
  o.progress = nullptr;
  ASSERT_EQ(rnn_train(network.get(), &sequences, &o), RNN_OK);
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), weights(network)));
}

TEST_F(Training, ProgressMayLookAtTheTrainer) {
  Log log;
  auto o = options();
  o.user = &log;
  o.epochs = 2;
  o.progress = [](const rnn_progress_t*, void* user) -> int32_t {
    auto* log = static_cast<Log*>(user);
    const Network network = network_of(log->trainer);
    EXPECT_EQ(rnn_trainer_sync(log->trainer, network.get()), RNN_OK) << rnn_last_error();
    const std::string path = scratch_path("progress.checkpoint");
    EXPECT_EQ(rnn_trainer_save(log->trainer, path.c_str()), RNN_OK) << rnn_last_error();
    std::remove(path.c_str());
    log->seen = weights(network);
    return 0;
  };
  const Trainer trainer = create_trainer(network, &o);
  log.trainer = trainer.get();
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(log.seen, weights(network_of(trainer))));
}

TEST_F(Training, NoExceptionOfACallerCrosses) {
  const Floats before = weights(network);
  auto o = options();
  o.progress = [](const rnn_progress_t*, void*) -> int32_t { throw std::runtime_error("from the caller"); };
  EXPECT_FAILS(RNN_INTERNAL, "from the caller", rnn_train(network.get(), &sequences, &o));
  EXPECT_TRUE(same_bits(weights(network), before));
  o.progress = [](const rnn_progress_t*, void*) -> int32_t { throw 1; };
  EXPECT_FAILS(RNN_INTERNAL, "exception", rnn_train(network.get(), &sequences, &o));
  const Trainer trainer = create_trainer(network, &o);
  EXPECT_FAILS(RNN_INTERNAL, "exception", rnn_trainer_run(trainer.get(), &sequences));
  EXPECT_TRUE(same_bits(weights(network), before));
}

struct Slot {
  std::mutex mutex;
  Network latest;
  rnn_trainer_t* trainer = nullptr;

  Network take() {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::move(latest);
  }
};

TEST_F(Training, RunsInOneThreadWhileItLearnsInAnother) {
  Slot slot;
  auto o = options();
  o.user = &slot;
  o.epochs = 100;
  o.progress = [](const rnn_progress_t*, void* user) -> int32_t {
    auto* slot = static_cast<Slot*>(user);
    Network fresh = network_of(slot->trainer);
    const std::lock_guard<std::mutex> lock(slot->mutex);
    slot->latest.swap(fresh);
    return 0;
  };
  const Trainer trainer = create_trainer(network, &o);
  slot.trainer = trainer.get();
  std::atomic<bool> done{false};
  std::thread learning([&] {
    EXPECT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK) << rnn_last_error();
    done = true;
  });
  const Network stream = fork(network);
  bool last = false;
  while (!last) {
    last = done;
    const Network source = slot.take();
    if (source != nullptr) {
      EXPECT_EQ(rnn_sync(stream.get(), source.get()), RNN_OK) << rnn_last_error();
    }
    Floats y(4);
    EXPECT_EQ(rnn_step_index(stream.get(), 1, y.data()), RNN_OK);
    EXPECT_TRUE(std::isfinite(y[0]));
  }
  learning.join();
  EXPECT_TRUE(same_bits(weights(stream), weights(network_of(trainer))));
}

// ---- Checkpoints ----------------------------------------------------------------------------------

TEST_F(Training, ResumesToTheBit) {
  const std::string path = scratch_path("train.checkpoint");
  auto o = options();
  o.batch_size = 2;
  o.window = 3;
  o.epochs = 3;
  const Trainer whole = create_trainer(network, &o);
  ASSERT_EQ(rnn_trainer_run(whole.get(), &sequences), RNN_OK) << rnn_last_error();
  Log log;
  o.progress = log_progress;
  o.user = &log;
  for (log.stop_at = 1; log.stop_at < 12; log.stop_at += 2) {
    const Trainer first = create_trainer(network, &o);
    ASSERT_EQ(rnn_trainer_run(first.get(), &sequences), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_save(first.get(), path.c_str()), RNN_OK) << rnn_last_error();
    auto fresh = o;
    fresh.progress = nullptr;
    const Trainer second = create_trainer(create(config(4, 12, 4)), &fresh);
    ASSERT_EQ(rnn_trainer_load(second.get(), path.c_str()), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_run(second.get(), &sequences), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(weights(network_of(second)), weights(network_of(whole)))) << log.stop_at;
  }
  std::remove(path.c_str());
}

TEST_F(Training, RefusesCheckpointsThatDoNotFit) {
  const std::string path = scratch_path("mismatch.checkpoint");
  const Trainer trainer = create_trainer(network);
  ASSERT_EQ(rnn_trainer_save(trainer.get(), path.c_str()), RNN_OK) << rnn_last_error();
  const Network larger = create(config(4, 13, 4));
  const Trainer other = create_trainer(larger);
  EXPECT_FAILS(RNN_MISMATCH, "hidden_size", rnn_trainer_load(other.get(), path.c_str()));
  auto o = options();
  o.optimizer = RNN_OPTIMIZER_SGD;
  EXPECT_FAILS(RNN_MISMATCH, "optimizer", rnn_trainer_load(create_trainer(network, &o).get(), path.c_str()));
  o = options();
  o.batch_size = 31;
  EXPECT_FAILS(RNN_MISMATCH, "batch_size", rnn_trainer_load(create_trainer(network, &o).get(), path.c_str()));
  o = options();
  o.window = 5;
  EXPECT_FAILS(RNN_MISMATCH, "window", rnn_trainer_load(create_trainer(network, &o).get(), path.c_str()));
  EXPECT_TRUE(same_bits(weights(network_of(other)), weights(larger)));
  std::remove(path.c_str());
  EXPECT_FAILS(RNN_FILE_ERROR, path, rnn_trainer_load(trainer.get(), path.c_str()));
  ASSERT_EQ(rnn_save(network.get(), path.c_str()), RNN_OK);
  EXPECT_FAILS(RNN_BAD_FORMAT, "", rnn_trainer_load(trainer.get(), path.c_str()));
  std::remove(path.c_str());
}

TEST_F(Training, RefusesOtherDataInTheMiddleOfARun) {
  Log log;
  log.stop_at = 1;
  auto o = options();
  o.batch_size = 2;
  o.progress = log_progress;
  o.user = &log;
  const Trainer trainer = create_trainer(network, &o);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &sequences), RNN_OK);
  const Data shorter = cycle({5, 8, 3, 6});
  const rnn_sequences_t other = shorter.get();
  const Floats before = weights(network_of(trainer));
  EXPECT_FAILS(RNN_MISMATCH, "", rnn_trainer_run(trainer.get(), &other));
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), before));
}

}  // namespace

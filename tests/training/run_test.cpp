// Whole jobs: what is visited, what is reported, when a run stops, and that it goes on as if it had not.
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <thread>

#include "lib/training/options.h"
#include "lib/training/walk.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

// ---- The way through the data ----------------------------------------------------------------------

TEST(Walk, VisitsEachFrameOncePerEpoch) {
  const Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {});
  const rnn_sequences_t in = data.get();
  for (const std::int32_t batch : {1, 2, 3, 7, 50}) {
    for (const std::int32_t window : {0, 1, 4, 100}) {
      auto given = sized<rnn_train_options_t>();
      given.batch_size = batch;
      given.window = window;
      given.epochs = 2;
      const rnn_train_options_t o = resolve_options(given);
      const Labels labels(Allocator(), 0, o);
      const Walk walk(Allocator(), in, o, RNN_LOSS_CROSS_ENTROPY, labels);
      TrainerState state;
      std::vector<std::vector<std::uint64_t>> orders;
      std::uint64_t windows = 0;
      const std::uint64_t expected = walk.count_updates(state);
      for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
        std::vector<int> visits(in.frames), ends(in.count);
        walk.begin_epoch(state);
        orders.emplace_back(state.order.begin(), state.order.end());
        for (bool ended = false; !ended; ended = walk.next(state)) {
          std::vector<Slice> slices(in.count);
          std::vector<Item> items(in.count);
          const std::size_t count = walk.slices(state, slices.data(), items.data());
          ASSERT_GT(count, 0u);
          for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t t = 0; t < slices[i].length; ++t) ++visits.at(slices[i].first + t);
            if (items[i].target != Item::kNone) ++ends.at(items[i].target);
            EXPECT_LT(items[i].state, walk.batch_size(state));
            EXPECT_LE(slices[i].length, window != 0 ? static_cast<std::size_t>(window) : 12u);
          }
          ++windows;
        }
        EXPECT_EQ(visits, std::vector<int>(in.frames, 1));
        EXPECT_EQ(ends, std::vector<int>(in.count, 1));
        EXPECT_EQ(state.epoch, epoch + 1);
      }
      EXPECT_EQ(windows, expected);
      EXPECT_NE(orders[0], orders[1]) << "each epoch has its own order";
    }
  }
}

TEST(Run, KnowsHowManyUpdatesItWillDo) {
  DataKind kind;
  kind.masks = true;
  Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, kind);
  std::fill_n(data.weights.begin() + 6, 9, 0.0f);  // a sequence without a target
  const rnn_sequences_t in = data.get();
  for (const std::int32_t window : {0, 2, 5}) {
    Log log;
    rnn_train_options_t o = logging_options(log);
    o.batch_size = 2;
    o.window = window;
    o.epochs = 4;
    log.stop_at = 3;
    const TrainerHandle trainer = create_trainer(create(kConfig), o);
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
    ASSERT_EQ(log.updates.size(), 3u) << "the callback stops the run";
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK);
    std::uint64_t update = 0;
    for (const rnn_progress_t& progress : log.updates) {
      EXPECT_EQ(progress.total_updates, log.updates.size()) << "window " << window;
      EXPECT_EQ(progress.update, ++update);
    }
    EXPECT_EQ(log.updates.front().epoch, 0);
    EXPECT_EQ(log.updates.back().epoch, 3);
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK);
    EXPECT_EQ(log.updates.size(), update) << "a run that is done does nothing";
  }
}

TEST(Run, ReportsAsOftenAsAsked) {
  const Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {});
  const rnn_sequences_t in = data.get();
  Log log;
  rnn_train_options_t o = logging_options(log);
  o.batch_size = 1;
  o.epochs = 2;
  o.report_every = 4;
  o.validate_every = 5;
  o.validation = &in;
  ASSERT_EQ(rnn_train(create(kConfig).get(), &in, &o), RNN_OK);
  std::vector<std::uint64_t> updates, validations;
  for (const rnn_progress_t& p : log.updates) updates.push_back(p.update);
  for (const rnn_progress_t& p : log.validations) validations.push_back(p.update);
  EXPECT_EQ(updates, (std::vector<std::uint64_t>{4, 8, 12}));
  EXPECT_EQ(validations, (std::vector<std::uint64_t>{5, 10}));
  EXPECT_TRUE(std::isnan(log.updates[0].validation_loss));
  EXPECT_EQ(log.updates[1].validation_loss, log.validations[0].validation_loss);
}

// The states carried from window to window are those that single updates carry from batch to batch.
TEST(Run, OfWindowsIsUpdateByUpdate) {
  const Data whole = make_data(kConfig, {6, 6, 6}, {});
  const rnn_sequences_t in = whole.get();
  auto o = sized<rnn_train_options_t>();
  o.window = 2;
  o.keep_order = 1;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle run = create_trainer(network, o), by_hand = create_trainer(network, o),
                      with_resets = create_trainer(network, o);
  ASSERT_EQ(rnn_trainer_run(run.get(), &in), RNN_OK);
  for (std::size_t start = 0; start < 6; start += 2) {
    Data part;
    part.lengths = {2, 2, 2};
    for (std::size_t n = 0; n < 3; ++n) {
      const auto first = static_cast<std::ptrdiff_t>(6 * n + start);
      part.inputs.insert(part.inputs.end(), whole.inputs.begin() + 3 * first,
                         whole.inputs.begin() + 3 * (first + 2));
      part.classes.insert(part.classes.end(), whole.classes.begin() + first,
                          whole.classes.begin() + first + 2);
    }
    const rnn_sequences_t batch = part.get();
    ASSERT_EQ(rnn_trainer_update(by_hand.get(), &batch, nullptr), RNN_OK);
    ASSERT_EQ(rnn_trainer_update(with_resets.get(), &batch, nullptr), RNN_OK);
    ASSERT_EQ(rnn_trainer_reset(with_resets.get()), RNN_OK);
  }
  EXPECT_EQ(bits(values(by_hand)), bits(values(run)));
  EXPECT_NE(bits(values(with_resets)), bits(values(run)));
  o.stateless_windows = 1;
  const TrainerHandle fresh = create_trainer(network, o);
  ASSERT_EQ(rnn_trainer_run(fresh.get(), &in), RNN_OK);
  EXPECT_EQ(bits(values(with_resets)), bits(values(fresh)));
}

TEST(Run, AdvancesOverBatchesWithoutATarget) {
  Data data = make_data(kConfig, {4, 4}, {});
  const rnn_sequences_t full = data.get();
  data.weights.assign(8, 0.0f);
  const rnn_sequences_t masked = data.get();
  const NetworkHandle network = create(kConfig);
  const TrainerHandle trainer = create_trainer(network, sized<rnn_train_options_t>());
  auto progress = sized<rnn_progress_t>(), later = progress, at_once = progress;
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &masked, &progress), RNN_OK);
  EXPECT_EQ(progress.update, 0u);
  EXPECT_TRUE(std::isnan(progress.loss));
  EXPECT_EQ(bits(values(trainer)), bits(values(network)));
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &full, &later), RNN_OK);
  const TrainerHandle other = create_trainer(network, sized<rnn_train_options_t>());
  ASSERT_EQ(rnn_trainer_update(other.get(), &full, &at_once), RNN_OK);
  EXPECT_EQ(later.update, 1u);
  EXPECT_NE(later.loss, at_once.loss) << "from the states that the masked batch left";
}

// ---- Learning --------------------------------------------------------------------------------------

// A small network on three sentences, each letter telling the next.
TEST(Run, OverfitsThreeSentences) {
  const std::string sentences[] = {"hey how are you", "good i am fine ", "have a nice day"};
  std::map<char, std::int32_t> alphabet;
  for (const std::string& s : sentences)
    for (const char c : s) alphabet.emplace(c, static_cast<std::int32_t>(alphabet.size()));
  Data data;
  for (const std::string& s : sentences) {
    data.lengths.push_back(14);
    for (std::size_t t = 0; t < 14; ++t) {
      data.indices.push_back(alphabet[s[t]]);
      data.classes.push_back(alphabet[s[t + 1]]);
    }
  }
  const rnn_sequences_t in = data.get();
  const auto letters = static_cast<std::int32_t>(alphabet.size());
  double at_10 = 0.0, at_100 = 0.0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Log log;
    rnn_train_options_t o = logging_options(log);
    o.learning_rate = 0.01f;
    o.epochs = 100;
    rnn_config_t c = config(letters, 12, letters);
    c.seed = seed;
    const NetworkHandle network = create(c);
    ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
    ASSERT_EQ(log.updates.size(), 100u);
    at_10 += log.updates[9].loss / 5;
    at_100 += log.updates[99].loss / 5;
    auto evaluation = sized<rnn_evaluation_t>();
    ASSERT_EQ(rnn_evaluate(network.get(), &in, nullptr, &evaluation), RNN_OK);
    EXPECT_LT(evaluation.loss, log.updates[99].loss);
    EXPECT_GT(evaluation.accuracy, 0.9);
  }
  EXPECT_NEAR(at_10, 2.41, 0.15);
  EXPECT_NEAR(at_100, 0.16, 0.06);
}

TEST(Run, StopsEarlyWithoutProgress) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {}, 1), other = make_data(kConfig, {5, 3, 4, 6}, {}, 2);
  const rnn_sequences_t in = data.get(), validation = other.get();
  Log log;
  rnn_train_options_t o = logging_options(log);
  o.learning_rate = 0.05f;
  o.epochs = 10000;
  o.patience = 3;
  o.validation = &validation;
  const TrainerHandle trainer = create_trainer(create(kConfig), o);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK);
  ASSERT_LT(log.validations.size(), 1000u);
  ASSERT_GT(log.validations.size(), 3u);
  std::size_t best = 0;
  for (std::size_t i = 0; i < log.validations.size(); ++i)
    if (log.validations[i].validation_loss < log.validations[best].validation_loss) best = i;
  EXPECT_EQ(log.validations.size(), best + 1 + 3);
  const std::size_t updates = log.updates.size();
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK);
  EXPECT_EQ(log.updates.size(), updates) << "it stays stopped";
}

TEST(Run, StopsAtNanWithTheLastGoodWeights) {
  const Data good = make_data(kConfig, {5, 3, 4, 6}, kSquared);
  Data bad = good;
  bad.targets[6 * 4] = kHuge;
  const rnn_sequences_t in = good.get(), broken = bad.get();
  const NetworkHandle network = create(kConfig);
  const TrainerHandle trainer = create_trainer(network, sized<rnn_train_options_t>()),
                      spared = create_trainer(network, sized<rnn_train_options_t>());
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK);
  ASSERT_EQ(rnn_trainer_update(spared.get(), &in, nullptr), RNN_OK);
  auto progress = sized<rnn_progress_t>();
  progress.loss = 42;
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &broken, &progress), RNN_NOT_FINITE);
  EXPECT_EQ(progress.loss, 42);
  EXPECT_EQ(bits(values(trainer)), bits(values(spared)));
  // Nothing of it is left in the optimiser or the carried states either.
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_update(spared.get(), &in, nullptr), RNN_OK);
  }
  EXPECT_EQ(bits(values(trainer)), bits(values(spared)));

  auto o = sized<rnn_train_options_t>();
  o.batch_size = 1;
  o.keep_order = 1;
  const NetworkHandle whole = create(kConfig), part = create(kConfig);
  EXPECT_EQ(rnn_train(whole.get(), &broken, &o), RNN_NOT_FINITE);  // in the second sequence
  Data first = make_data(kConfig, {5}, kSquared);
  first.inputs.assign(good.inputs.begin(), good.inputs.begin() + 15);
  first.targets.assign(good.targets.begin(), good.targets.begin() + 20);
  const rnn_sequences_t one = first.get();
  ASSERT_EQ(rnn_train(part.get(), &one, &o), RNN_OK);
  EXPECT_EQ(bits(values(whole)), bits(values(part)));
}

// ---- Values that are not finite ------------------------------------------------------------------------

std::string message_of(rnn_status_t status, rnn_status_t expected) {
  EXPECT_EQ(status, expected) << rnn_last_error();
  return rnn_last_error();
}

TEST(NotFinite, NamesTheInput) {
  const Data good = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = good.get();
  const NetworkHandle network = create(kConfig);
  const std::vector<float> before = values(network);
  const TrainerHandle trainer = create_trainer(network, sized<rnn_train_options_t>());
  auto evaluation = sized<rnn_evaluation_t>();
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Data bad = good;
    bad.inputs[9 * 3 + 2] = value;
    const rnn_sequences_t broken = bad.get();
    const std::string where =
        ".inputs[9, 2] (sequence 2, step 1) is " + std::string(std::isnan(value) ? "nan" : "inf");
    const auto names = [&](rnn_status_t status, const char* name) {
      const std::string message = message_of(status, RNN_INVALID_ARGUMENT);
      EXPECT_NE(message.find(name + where), std::string::npos) << message;
    };
    names(rnn_train(network.get(), &broken, nullptr), "data");
    names(rnn_trainer_run(trainer.get(), &broken), "data");
    names(rnn_trainer_update(trainer.get(), &broken, nullptr), "batch");
    names(rnn_evaluate(network.get(), &broken, nullptr, &evaluation), "data");
    auto o = sized<rnn_train_options_t>();
    o.validation = &broken;
    names(rnn_train(network.get(), &in, &o), "validation");
  }
  EXPECT_EQ(bits(values(network)), bits(before));
  EXPECT_EQ(bits(values(trainer)), bits(before));
}

// Damages validation after so many of them.
struct Damage {
  Data validation;
  int left = 0;
  std::vector<float> targets;  // that validation points to

  static std::int32_t done(const rnn_progress_t* progress, void* user) {
    Damage& damage = *static_cast<Damage*>(user);
    if (progress->event == RNN_EVENT_VALIDATION && --damage.left == 0) damage.targets[3] = kHuge;
    return 0;
  }
};

// Neither patience nor restore_best decides anything by such a loss.
TEST(NotFinite, ValidationEndsARun) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, kSquared);
  const rnn_sequences_t in = data.get();
  for (const int good : {0, 2}) {
    Damage damage{data, good, {}};
    damage.targets = damage.validation.targets;
    if (good == 0) damage.targets[3] = kHuge;
    rnn_sequences_t valid = damage.validation.get();
    valid.targets = damage.targets.data();
    auto o = sized<rnn_train_options_t>();
    o.validation = &valid;
    o.epochs = 9;
    o.patience = 3;
    o.restore_best = 1;
    o.learning_rate = 0.01f;
    o.progress = &Damage::done;
    o.user = &damage;
    const NetworkHandle network = create(kConfig);
    const std::string message = message_of(rnn_train(network.get(), &in, &o), RNN_NOT_FINITE);
    EXPECT_NE(message.find("the validation loss after update " + std::to_string(good + 1) + " is inf"),
              std::string::npos)
        << message;
    // The weights are those of the best validation, or without one those that were validated.
    const NetworkHandle expected = create(kConfig);
    o.validation = nullptr;
    o.patience = o.restore_best = 0;
    o.epochs = std::max(good, 1);
    o.progress = nullptr;
    o.user = nullptr;
    ASSERT_EQ(rnn_train(expected.get(), &in, &o), RNN_OK) << rnn_last_error();
    EXPECT_EQ(bits(values(network)), bits(values(expected)));
  }
}

TEST(NotFinite, ValidationNeedsATarget) {
  const Data data = make_data(kConfig, {5, 3}, {});
  Data masked = data;
  masked.weights.assign(8, 0.0f);
  const rnn_sequences_t in = data.get(), none = masked.get();
  auto o = sized<rnn_train_options_t>();
  o.validation = &none;
  const std::string message = message_of(rnn_train(create(kConfig).get(), &in, &o), RNN_INVALID_ARGUMENT);
  EXPECT_NE(message.find("validation has no target of a weight above 0"), std::string::npos) << message;
}

// An update that is skipped leaves no trace but its count.
TEST(NotFinite, SkipsUpdates) {
  Data data = make_data(kConfig, {5, 3, 4, 6, 2, 7}, kSquared),
       good = make_data(kConfig, {5, 6, 7}, kSquared);
  const std::size_t starts[] = {0, 5, 8, 12, 18, 20};
  std::size_t to = 0;
  for (const std::size_t n : {0u, 3u, 5u}) {
    const std::size_t from = starts[n], steps = data.lengths[n];
    std::copy_n(&data.inputs[from * 3], steps * 3, &good.inputs[to * 3]);
    std::copy_n(&data.targets[from * 4], steps * 4, &good.targets[to * 4]);
    to += steps;
  }
  for (const std::size_t n : {1u, 2u, 4u}) data.targets[starts[n] * 4] = kHuge;
  const rnn_sequences_t in = data.get(), others = good.get();
  Log log, log_of_good;
  auto o = logging_options(log), plain = logging_options(log_of_good);
  o.batch_size = plain.batch_size = 1;
  o.keep_order = plain.keep_order = 1;
  o.epochs = plain.epochs = 3;
  o.skip_not_finite = 2;
  const NetworkHandle network = create(kConfig), expected = create(kConfig);
  ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_train(expected.get(), &others, &plain), RNN_OK) << rnn_last_error();
  EXPECT_EQ(bits(values(network)), bits(values(expected)));
  ASSERT_EQ(log.updates.size(), 9u);
  EXPECT_EQ(log.updates[0].skipped_updates, 0u);
  EXPECT_EQ(log.updates[1].skipped_updates, 2u);
  EXPECT_EQ(log.updates[8].skipped_updates, 9u);
  EXPECT_EQ(log.updates[8].update, 9u);
  EXPECT_EQ(log.updates[8].total_updates, 9u);
}

TEST(NotFinite, SkipsNoMoreThanSoManyInARow) {
  Data data = make_data(kConfig, {5, 3, 4, 6}, kSquared);
  for (const std::size_t frame : {5u, 8u, 12u}) data.targets[frame * 4] = kHuge;
  const rnn_sequences_t in = data.get();
  auto o = sized<rnn_train_options_t>();
  o.batch_size = 1;
  o.keep_order = 1;
  o.skip_not_finite = 2;
  const TrainerHandle trainer = create_trainer(create(kConfig), o);
  const std::string message = message_of(rnn_trainer_run(trainer.get(), &in), RNN_NOT_FINITE);
  EXPECT_NE(message.find("the loss of update 1 is inf"), std::string::npos) << message;
  o.skip_not_finite = 3;
  const TrainerHandle patient = create_trainer(create(kConfig), o);
  ASSERT_EQ(rnn_trainer_run(patient.get(), &in), RNN_OK) << rnn_last_error();
  EXPECT_EQ(bits(values(patient)), bits(values(trainer)));
}

TEST(NotFinite, SkipsSingleUpdates) {
  const Data good = make_data(kConfig, {5, 3}, kSquared);
  Data bad = good;
  bad.targets[7] = kHuge;
  const rnn_sequences_t in = good.get(), broken = bad.get();
  auto o = sgd(0.1f);
  o.stateless_windows = 1;
  o.skip_not_finite = 1;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle trainer = create_trainer(network, o), spared = create_trainer(network, o);
  auto progress = sized<rnn_progress_t>();
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &broken, &progress), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(std::isinf(progress.loss));
    EXPECT_EQ(progress.update, i);
    EXPECT_EQ(progress.skipped_updates, i + 1);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
    EXPECT_EQ(progress.update, i + 1);
    EXPECT_EQ(progress.skipped_updates, i + 1);
    ASSERT_EQ(rnn_trainer_update(spared.get(), &in, nullptr), RNN_OK) << rnn_last_error();
  }
  EXPECT_EQ(bits(values(trainer)), bits(values(spared)));
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &broken, &progress), RNN_OK);
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &broken, &progress), RNN_NOT_FINITE);
}

// A sequence whose states overflowed begins again; the others go on from theirs.
TEST(NotFinite, RestartsWhatOverflowed) {
  rnn_config_t c = config(3, 12, 2);
  c.flags = RNN_FLAG_RELU;
  c.initial_state = RNN_INITIAL_FIXED;
  const Data good = make_data(c, {4, 4}, {});
  Data bad = good;
  for (std::size_t i = 0; i < 12; ++i) bad.inputs[i] = kHuge;
  const rnn_sequences_t in = good.get(), broken = bad.get();
  auto o = sgd(1e-30f);
  o.skip_not_finite = 1;
  const NetworkHandle network = create(c);
  const std::vector<float> large(12 * 3, 10.0f);  // times kHuge infinite
  ASSERT_EQ(rnn_set_parameter(network.get(), "weight_ih_l0", large.data(), large.size()), RNN_OK);
  const TrainerHandle trainer = create_trainer(network, o), second = create_trainer(network, o);
  auto progress = sized<rnn_progress_t>();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &broken, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(std::isfinite(progress.loss));
  // The mean of the first sequence from the initial state and of the second from where it ended.
  auto single = sized<rnn_progress_t>();
  rnn_sequences_t one = in;
  one.count = 1;
  one.frames = 4;
  ASSERT_EQ(rnn_trainer_update(second.get(), &one, &single), RNN_OK);
  double loss = single.loss;
  ASSERT_EQ(rnn_trainer_reset(second.get()), RNN_OK);
  one.inputs += 12;
  one.classes += 4;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(rnn_trainer_update(second.get(), &one, &single), RNN_OK);
  loss += single.loss;
  EXPECT_NEAR(progress.loss, loss / 2, 1e-6);
}

TEST(Trainer, SetsTheLearningRate) {
  const Data data = make_data(kConfig, {5, 3}, {});
  const rnn_sequences_t in = data.get();
  auto o = sgd(0.5f);
  o.schedule = RNN_SCHEDULE_STEP;
  o.schedule_updates = 2;
  o.schedule_factor = 0.5f;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle set = create_trainer(network, o);
  o.learning_rate = 0.25f;
  const TrainerHandle expected = create_trainer(network, o);
  ASSERT_EQ(rnn_trainer_set_learning_rate(set.get(), 0.25f), RNN_OK) << rnn_last_error();
  auto progress = sized<rnn_progress_t>();
  for (const double rate : {0.25, 0.25, 0.125}) {
    ASSERT_EQ(rnn_trainer_update(set.get(), &in, &progress), RNN_OK);
    EXPECT_EQ(progress.learning_rate, rate);
    ASSERT_EQ(rnn_trainer_update(expected.get(), &in, nullptr), RNN_OK);
  }
  EXPECT_EQ(bits(values(set)), bits(values(expected)));
  for (const float rate : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    const std::string message =
        message_of(rnn_trainer_set_learning_rate(set.get(), rate), RNN_INVALID_ARGUMENT);
    EXPECT_NE(message.find("rate is"), std::string::npos) << message;
  }
  ASSERT_EQ(rnn_trainer_update(set.get(), &in, &progress), RNN_OK);
  EXPECT_EQ(progress.learning_rate, 0.125);
}

TEST(Run, ReportsTheRateOfEachEpoch) {
  const Data data = make_data(kConfig, {5, 3, 4}, {});
  const rnn_sequences_t in = data.get();
  Log log;
  auto o = logging_options(log);
  o.learning_rate = 0.5f;
  o.schedule = RNN_SCHEDULE_STEP;
  o.schedule_updates = 1;
  o.schedule_factor = 0.5f;
  o.schedule_start = 1;
  o.schedule_by_epoch = 1;
  o.batch_size = 2;
  o.epochs = 4;
  ASSERT_EQ(rnn_train(create(kConfig).get(), &in, &o), RNN_OK) << rnn_last_error();
  ASSERT_EQ(log.updates.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_EQ(log.updates[i].learning_rate, std::vector<double>({0.5, 0.5, 0.25, 0.125}).at(i / 2));
}

// Rows of a refused batch become initial states of a later one; 12 units leave padding behind them.
TEST(Run, ForgetsARefusedBatch) {
  rnn_config_t c = config(3, 12, 2);
  c.flags = RNN_FLAG_RELU;
  const Data good = make_data(c, std::vector<std::size_t>(32, 4), {});
  Data bad = make_data(c, std::vector<std::size_t>(8, 4), {});
  for (float& x : bad.inputs) x = kHuge;
  const rnn_sequences_t in = good.get(), broken = bad.get();
  const NetworkHandle network = create(c);
  const TrainerHandle trainer = create_trainer(network, sized<rnn_train_options_t>()),
                      spared = create_trainer(network, sized<rnn_train_options_t>());
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK);
  ASSERT_EQ(rnn_trainer_update(spared.get(), &in, nullptr), RNN_OK);
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &broken, nullptr), RNN_NOT_FINITE);
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_update(spared.get(), &in, nullptr), RNN_OK);
  EXPECT_EQ(bits(values(trainer)), bits(values(spared)));
}

// A run that failed before its first update has not begun: it may go on with other data, in the same order.
TEST(Run, BeginsAnewAfterAFailure) {
  Data bad = make_data(kConfig, {5, 5, 5}, kSquared);
  for (float& target : bad.targets) target = kHuge;
  const Data good = make_data(kConfig, {6, 4, 3, 7}, kSquared);
  const rnn_sequences_t in = good.get(), broken = bad.get();
  auto o = sized<rnn_train_options_t>();
  o.batch_size = 2;
  o.epochs = 3;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle trainer = create_trainer(network, o), spared = create_trainer(network, o);
  EXPECT_EQ(rnn_trainer_run(trainer.get(), &broken), RNN_NOT_FINITE);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_run(spared.get(), &in), RNN_OK);
  EXPECT_EQ(bits(values(trainer)), bits(values(spared)));
}

// A run that is meant to be stopped begins at once.
TEST(Run, MayBeEndless) {
  const Data data = make_data(kConfig, {5, 4}, {});
  const rnn_sequences_t in = data.get();
  for (const std::int32_t window : {0, 2}) {
    auto o = sized<rnn_train_options_t>();
    o.epochs = std::numeric_limits<std::int32_t>::max();
    o.batch_size = 1;
    o.window = window;
    std::uint64_t total = 1;
    o.user = &total;
    o.progress = [](const rnn_progress_t* progress, void* user) -> std::int32_t {
      *static_cast<std::uint64_t*>(user) = progress->total_updates;
      return 1;
    };
    const NetworkHandle network = create(kConfig);
    ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
    EXPECT_EQ(total, window == 0 ? 2 * static_cast<std::uint64_t>(o.epochs) : 0);
  }
}

// ---- Evaluation ------------------------------------------------------------------------------------

TEST(Evaluation, IsTheReferences) {
  std::vector<std::vector<std::size_t>> shapes = {{1}, {5, 1, 9, 4}, {70000, 3, 60000}, {}};
  for (std::size_t n = 0; n < 300; ++n) shapes.back().push_back(1 + n % 5);
  for (const std::vector<std::size_t>& lengths : shapes) {
    for (const bool per_sequence : {false, true}) {
      for (std::int32_t loss = 1; loss <= 3; ++loss) {
        DataKind kind;
        kind.loss = loss;
        kind.pooling = per_sequence;
        kind.masks = true;
        kind.resets = lengths.size() == 4;
        const rnn_config_t c = config(2, 3, 2);
        const Data data = make_data(c, lengths, kind);
        const rnn_sequences_t in = data.get();
        const NetworkHandle network = create(c);
        const reference::Network truth = reference::load(network.get());
        const reference::Evaluation expected =
            reference::evaluate(truth, reference::convert(truth, in), loss);
        for (const std::int32_t threads : {1, 2}) {
          auto o = sized<rnn_train_options_t>();
          o.loss = loss;
          o.threads = threads;
          auto evaluation = sized<rnn_evaluation_t>();
          ASSERT_EQ(rnn_evaluate(network.get(), &in, &o, &evaluation), RNN_OK) << rnn_last_error();
          EXPECT_NEAR(evaluation.loss, expected.loss, 1e-6);
          EXPECT_NEAR(evaluation.weight / expected.weight, 1.0, 1e-12);
          if (loss == RNN_LOSS_CROSS_ENTROPY)
            EXPECT_NEAR(evaluation.accuracy, expected.accuracy, 1e-4);
          else
            EXPECT_TRUE(std::isnan(evaluation.accuracy));
        }
      }
    }
  }
}

TEST(Evaluation, HasTheLabelsOfTheOptions) {
  const rnn_config_t c = config(2, 3, 4);
  DataKind kind;
  kind.masks = true;
  const Data data = make_data(c, {5, 1, 9, 4}, kind);
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(c);
  const reference::Network truth = reference::load(network.get());
  const float weights[4] = {0.5f, 0.0f, 3.0f, 1.0f};
  for (const float smoothing : {0.0f, 0.3f}) {
    for (const bool weighted : {false, true}) {
      auto o = sized<rnn_train_options_t>();
      o.label_smoothing = smoothing;
      o.class_weights = weighted ? weights : nullptr;
      reference::Loss loss(RNN_LOSS_CROSS_ENTROPY);
      loss.label_smoothing = smoothing;
      if (weighted) loss.class_weights.assign(weights, weights + 4);
      const reference::Evaluation expected = reference::evaluate(truth, reference::convert(truth, in), loss);
      auto evaluation = sized<rnn_evaluation_t>();
      ASSERT_EQ(rnn_evaluate(network.get(), &in, &o, &evaluation), RNN_OK) << rnn_last_error();
      EXPECT_NEAR(evaluation.loss, expected.loss, 1e-6);
      EXPECT_NEAR(evaluation.weight, expected.weight, 1e-6);
      EXPECT_NEAR(evaluation.accuracy, expected.accuracy, 1e-6);

      // Validation has the same loss.
      Log log;
      auto with_validation = logging_options(log);
      with_validation.label_smoothing = smoothing;
      with_validation.class_weights = o.class_weights;
      with_validation.validation = &in;
      with_validation.optimizer = RNN_OPTIMIZER_SGD;
      with_validation.learning_rate = 1e-30f;
      ASSERT_EQ(rnn_train(network.get(), &in, &with_validation), RNN_OK) << rnn_last_error();
      EXPECT_EQ(log.validations.at(0).validation_loss, evaluation.loss);
    }
  }
}

// Sequences whose classes weigh nothing make no update, and the total of a run knows it.
TEST(Run, CountsNoUpdatesOfClassesThatWeighNothing) {
  const rnn_config_t c = config(2, 3, 2);
  Data data = make_data(c, {3, 3, 3, 3}, {});
  for (std::size_t i = 0; i < 12; ++i) data.classes[i] = i < 6 ? 0 : 1;
  const rnn_sequences_t in = data.get();
  const float weights[2] = {0.0f, 1.0f};
  Log log;
  auto o = logging_options(log);
  o.class_weights = weights;
  o.batch_size = 1;
  ASSERT_EQ(rnn_train(create(c).get(), &in, &o), RNN_OK) << rnn_last_error();
  ASSERT_EQ(log.updates.size(), 2u);
  EXPECT_EQ(log.updates[0].total_updates, 2u);
}

// ---- Stop and go on --------------------------------------------------------------------------------

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
    rnn_config_t c = kConfig;
    c.seed = seed;
    rnn_train_options_t o = options_;
    o.progress = progress;
    o.user = user;
    return create_trainer(create(c), o);
  }

  const Data data_ = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {}),
             other_ = make_data(kConfig, {4, 6}, {}, 2);
  const rnn_sequences_t in_ = data_.get(), validation_ = other_.get();
  rnn_train_options_t options_ = sized<rnn_train_options_t>();
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(Resume, AtEveryReport) {
  Saver counter{nullptr, nullptr, 0, -1, false};
  const TrainerHandle whole = trainer(&Saver::save, &counter);
  ASSERT_EQ(rnn_trainer_run(whole.get(), &in_), RNN_OK) << rnn_last_error();
  ASSERT_GT(counter.reports, 20);
  for (const bool stop : {false, true}) {
    for (int report = 1; report <= counter.reports; ++report) {
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

// Values that are not finite: who is told where they are, and what is left as it was.
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

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
    names(rnn_train(network.get(), &in, &o), "options.validation");
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
  EXPECT_NE(message.find("options.validation has no target of a weight above 0"), std::string::npos)
      << message;
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

}  // namespace
}  // namespace rnn::training_test

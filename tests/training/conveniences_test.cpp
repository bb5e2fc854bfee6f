// What makes training convenient: accumulation, averages, parameter groups, the best weights.
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

void expect_near(const std::vector<float>& a, const std::vector<float>& b, float bound) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], bound) << i;
}

std::vector<float> parameter(const NetworkHandle& network, const std::string& name) {
  const Weights& weights = network->network.weights();
  const Parameter* p = weights.find(name.c_str());
  EXPECT_NE(p, nullptr) << name;
  std::vector<float> result(p->count());
  weights.get(*p, result.data());
  return result;
}

std::vector<std::string> parameter_names(const NetworkHandle& network) {
  std::vector<std::string> names;
  const Weights& weights = network->network.weights();
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) names.push_back(weights.parameter(i).name);
  return names;
}

// ---- Accumulation ----------------------------------------------------------------------------------

// The last update of each epoch has 8 sequences, or one pass.
TEST(Accumulate, OfFourBatchesIsOneBatch) {
  DataKind kind;
  kind.masks = true;
  const Data data = make_data(kConfig, ragged_lengths(40), kind);
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(kConfig);
  Log large, small;
  std::vector<std::vector<float>> results;
  for (Log* log : {&large, &small}) {
    rnn_train_options_t o = sgd(0.5f);
    o.progress = &Log::add;
    o.user = log;
    o.clip_norm = 0.2f;
    o.clip_value = 0.05f;
    o.epochs = 3;
    o.batch_size = log == &small ? 8 : 32;
    o.accumulate = log == &small ? 4 : 1;
    const TrainerHandle trainer = create_trainer(network, o);
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
    results.push_back(values(trainer));
  }
  expect_near(results[0], results[1], 2e-6f);
  EXPECT_NE(bits(results[0]), bits(values(network)));
  ASSERT_EQ(large.updates.size(), 6u);
  ASSERT_EQ(small.updates.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(small.updates[i].loss, large.updates[i].loss, 1e-6);
    EXPECT_NEAR(small.updates[i].gradient_norm, large.updates[i].gradient_norm, 1e-6);
    EXPECT_GT(large.updates[i].gradient_norm, 0.01);
    EXPECT_EQ(small.updates[i].total_updates, 6u);
    EXPECT_EQ(small.updates[i].epoch, large.updates[i].epoch);
  }
}

// An update that takes in a whole epoch sees all of its windows with the same weights, and the states that go
// from one to the next: its loss is that of an evaluation.
TEST(Accumulate, CarriesStatesFromWindowToWindow) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_LSTM}) {
    rnn_config_t c = kConfig;
    c.cell = cell;
    DataKind kind;
    kind.masks = true;
    const Data data = make_data(c, {6, 9, 2, 7, 11, 4, 4}, kind);
    const rnn_sequences_t in = data.get();
    Log log;
    rnn_train_options_t o = logging_options(log);
    o.accumulate = 1000;
    o.window = 3;
    o.batch_size = 2;
    const NetworkHandle network = create(c);
    const TrainerHandle trainer = create_trainer(network, o);
    const double before = loss_of(network, in);
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
    ASSERT_EQ(log.updates.size(), 1u);
    EXPECT_NEAR(log.updates[0].loss, before, 1e-6);
    EXPECT_EQ(log.updates[0].total_updates, 1u);
  }
}

TEST(Accumulate, OnlyInRuns) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  auto o = sized<rnn_train_options_t>();
  const NetworkHandle network = create(kConfig);
  const TrainerHandle plain = create_trainer(network, o);
  o.accumulate = 3;
  const TrainerHandle accumulating = create_trainer(network, o);
  for (const TrainerHandle* trainer : {&plain, &accumulating})
    ASSERT_EQ(rnn_trainer_update(trainer->get(), &in, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_EQ(bits(values(accumulating)), bits(values(plain)));
}

TEST(Accumulate, KnowsHowManyUpdatesItWillDo) {
  DataKind kind;
  kind.masks = true;
  Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, kind);
  std::fill_n(data.weights.begin() + 6, 9, 0.0f);  // a sequence without a target
  const Data plain = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {});
  for (const rnn_sequences_t& in : {data.get(), plain.get()}) {
    for (const std::int32_t window : {0, 2}) {
      Log log;
      rnn_train_options_t o = logging_options(log);
      o.batch_size = 2;
      o.window = window;
      o.accumulate = 3;
      o.epochs = 4;
      log.stop_at = 3;
      const TrainerHandle trainer = create_trainer(create(kConfig), o);
      ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK);
      ASSERT_GE(log.updates.size(), 4u);
      for (const rnn_progress_t& progress : log.updates)
        EXPECT_EQ(progress.total_updates, log.updates.size()) << "window " << window;
    }
  }
}

// In the midst of an update, the passes before the failing one are undone.
TEST(Accumulate, GoesOnAfterAFailureAsIfItHadNotBeen) {
  const Data good = make_data(kConfig, {9, 12, 7, 10}, kSquared);
  const rnn_sequences_t in = good.get();
  for (const std::size_t frame : {0, 3, 5, 8, 21, 30, 37}) {
    rnn_train_options_t o = sgd(0.1f);
    o.batch_size = 2;
    o.window = 2;
    o.accumulate = 4;
    o.epochs = 2;
    const NetworkHandle network = create(kConfig);
    const TrainerHandle whole = create_trainer(network, o), broken = create_trainer(network, o);
    ASSERT_EQ(rnn_trainer_run(whole.get(), &in), RNN_OK) << rnn_last_error();
    Data bad = good;
    bad.targets[frame * static_cast<std::size_t>(kConfig.output_size)] = kHuge;
    const rnn_sequences_t damaged = bad.get();
    EXPECT_EQ(rnn_trainer_run(broken.get(), &damaged), RNN_NOT_FINITE);
    EXPECT_EQ(rnn_trainer_run(broken.get(), &damaged), RNN_NOT_FINITE);
    ASSERT_EQ(rnn_trainer_run(broken.get(), &in), RNN_OK) << rnn_last_error();
    EXPECT_EQ(bits(values(broken)), bits(values(whole))) << frame;
  }
}

// ---- Moving average --------------------------------------------------------------------------------

TEST(Average, IsTheFormulas) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  for (const float decay : {0.3f, 0.99f}) {
    rnn_train_options_t o = sgd(0.5f);
    o.momentum = 0.5f;
    const NetworkHandle network = create(kConfig);
    const TrainerHandle plain = create_trainer(network, o);
    o.average = decay;
    const TrainerHandle averaging = create_trainer(network, o);
    EXPECT_EQ(bits(values(averaging)), bits(values(network)));
    std::vector<double> average;
    for (const float value : values(network)) average.push_back(value);
    for (std::uint64_t update = 0; update < 25; ++update) {
      auto progress = sized<rnn_progress_t>(), expected = progress;
      ASSERT_EQ(rnn_trainer_update(averaging.get(), &in, &progress), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_trainer_update(plain.get(), &in, &expected), RNN_OK);
      EXPECT_EQ(progress.loss, expected.loss) << "the average has no part in the updates";
      const double u = static_cast<double>(update);
      const double d = std::min<double>(decay, (1 + u) / (10 + u));
      const std::vector<float> weights = values(plain), result = values(averaging);
      for (std::size_t i = 0; i < average.size(); ++i) {
        average[i] += (1 - d) * (static_cast<double>(weights[i]) - average[i]);
        ASSERT_NEAR(result[i], average[i], 3e-7) << update;
      }
      NetworkHandle stream = create(kConfig);
      ASSERT_EQ(rnn_trainer_sync(averaging.get(), stream.get()), RNN_OK);
      EXPECT_EQ(bits(values(stream)), bits(result));
    }
    EXPECT_NE(bits(values(averaging)), bits(values(plain)));
  }
}

TEST(Average, IsValidatedAndTheResult) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {}, 1), other = make_data(kConfig, {5, 3, 4, 6}, {}, 2);
  const rnn_sequences_t in = data.get(), validation = other.get();
  Log log;
  rnn_train_options_t o = logging_options(log);
  o.learning_rate = 0.05f;
  o.average = 0.9f;
  o.epochs = 7;
  o.validation = &validation;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle trainer = create_trainer(network, o);
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
  EXPECT_EQ(log.validations.back().validation_loss, loss_of(network_of(trainer), validation));
  ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
  EXPECT_EQ(bits(values(network)), bits(values(trainer)));
}

// ---- Parameter groups ------------------------------------------------------------------------------

TEST(Groups, PatternsFitWholeNames) {
  const struct {
    const char* pattern;
    std::vector<std::string> names;
  } cases[] = {
      {"*",
       {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "weight_ih_l1", "weight_hh_l1", "bias_ih_l1",
        "head.weight", "head.bias"}},
      {"bias_*", {"bias_ih_l0", "bias_ih_l1"}},
      {"*_l0", {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"}},
      {"head.weight", {"head.weight"}},
      {"*bias*", {"bias_ih_l0", "bias_ih_l1", "head.bias"}},
      {"weight_?h_l?", {"weight_ih_l0", "weight_hh_l0", "weight_ih_l1", "weight_hh_l1"}},
      {"**h*h_l1*", {"weight_ih_l1", "weight_hh_l1"}},
      {"w*_hh_l?", {"weight_hh_l0", "weight_hh_l1"}},
      {"?ead.*s", {"head.bias"}},
  };
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(kConfig);
  for (const auto& c : cases) {
    const rnn_parameter_group_t g = [&] {
      rnn_parameter_group_t frozen = group(c.pattern);
      frozen.frozen = 1;
      return frozen;
    }();
    rnn_train_options_t o = sgd(0.1f);
    o.weight_decay = 0.1f;
    o.groups = &g;
    o.group_count = 1;
    const TrainerHandle trainer = create_trainer(network, o);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    const NetworkHandle after = network_of(trainer);
    for (const std::string& name : parameter_names(network)) {
      const bool fits = std::find(c.names.begin(), c.names.end(), name) != c.names.end();
      EXPECT_EQ(bits(parameter(after, name)) == bits(parameter(network, name)), fits)
          << c.pattern << " and " << name;
    }
  }
  for (const char* pattern : {"", "bias", "weight_ih_l", "?", "*_l2", "bias_ih_l0?", "head_bias"}) {
    const rnn_parameter_group_t g = group(pattern);
    rnn_train_options_t o = sgd(0.1f);
    o.groups = &g;
    o.group_count = 1;
    rnn_trainer_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), &o, &out), RNN_INVALID_ARGUMENT) << pattern;
    EXPECT_NE(std::string(rnn_last_error()).find("\"" + std::string(pattern) + "\""), std::string::npos);
    EXPECT_NE(std::string(rnn_last_error()).find("weight_ih_l0"), std::string::npos) << rnn_last_error();
  }
}

// With SGD and a rate of 1 a step is the gradient itself.
TEST(Groups, ScaleTheRateAndLeaveTheFrozenAlone) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  rnn_parameter_group_t groups[] = {group("bias_ih_l0"), group("bias_*"), group("*_l0")};
  groups[0].learning_rate_factor = 0.5f;
  groups[1].frozen = 1;
  groups[2].learning_rate_factor = 3.0f;
  rnn_train_options_t o = sgd(1.0f);
  const NetworkHandle network = create(kConfig);
  const TrainerHandle plain = create_trainer(network, o);
  o.groups = groups;
  o.group_count = 3;
  const TrainerHandle grouped = create_trainer(network, o);
  groups[2].pattern = "copied, not kept";
  auto progress = sized<rnn_progress_t>();
  ASSERT_EQ(rnn_trainer_update(plain.get(), &in, nullptr), RNN_OK);
  ASSERT_EQ(rnn_trainer_update(grouped.get(), &in, &progress), RNN_OK) << rnn_last_error();
  double squares = 0.0;
  for (const std::string& name : parameter_names(network)) {
    const bool frozen = name == "bias_ih_l1";
    const float factor = frozen ? 0.0f : name == "bias_ih_l0" ? 0.5f : name.back() == '0' ? 3.0f : 1.0f;
    const std::vector<float> before = parameter(network, name), step = parameter(network_of(plain), name),
                             after = parameter(network_of(grouped), name);
    for (std::size_t i = 0; i < before.size(); ++i) {
      const float gradient = before[i] - step[i];
      EXPECT_NEAR(before[i] - after[i], factor * gradient, 1e-6f) << name;
      if (!frozen) squares += static_cast<double>(gradient) * gradient;
    }
    if (frozen) {
      EXPECT_EQ(bits(after), bits(before));
    }
  }
  EXPECT_NEAR(progress.gradient_norm, std::sqrt(squares), 1e-6);
}

// Of AdamW, whose decay goes with the rate.
TEST(Groups, HaveTheirDecay) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  rnn_parameter_group_t groups[] = {group("*bias*"), group("*_l1")};
  groups[0].no_weight_decay = 1;
  groups[1].learning_rate_factor = 0.25f;
  auto o = sized<rnn_train_options_t>();
  o.optimizer = RNN_OPTIMIZER_ADAMW;
  o.learning_rate = 0.1f;
  o.weight_decay = 0.5f;
  const NetworkHandle network = create(kConfig);
  const TrainerHandle plain = create_trainer(network, o);
  o.groups = groups;
  o.group_count = 2;
  const TrainerHandle grouped = create_trainer(network, o);
  o.groups = nullptr;
  o.group_count = 0;
  o.weight_decay = 0.0f;
  const TrainerHandle without = create_trainer(network, o);
  for (const TrainerHandle* trainer : {&plain, &grouped, &without})
    ASSERT_EQ(rnn_trainer_update(trainer->get(), &in, nullptr), RNN_OK) << rnn_last_error();
  for (const std::string& name : parameter_names(network)) {
    const std::vector<float> result = parameter(network_of(grouped), name);
    if (name.find("bias") != std::string::npos) {
      EXPECT_EQ(bits(result), bits(parameter(network_of(without), name))) << name;
    } else if (name.back() == '1') {
      const std::vector<float> before = parameter(network, name), step = parameter(network_of(plain), name);
      for (std::size_t i = 0; i < before.size(); ++i)
        EXPECT_NEAR(before[i] - result[i], 0.25f * (before[i] - step[i]), 1e-6f) << name;
    } else {
      EXPECT_EQ(bits(result), bits(parameter(network_of(plain), name))) << name;
    }
  }
}

// ---- The best weights ------------------------------------------------------------------------------

TEST(RestoreBest, ReturnsTheBestValidation) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {}, 1), other = make_data(kConfig, {5, 3, 4, 6}, {}, 2);
  const rnn_sequences_t in = data.get(), validation = other.get();
  for (const float average : {0.0f, 0.5f}) {
    for (const std::int32_t patience : {0, 4}) {
      Log log;
      rnn_train_options_t o = logging_options(log);
      o.learning_rate = 0.05f;
      o.epochs = 40;
      o.average = average;
      o.patience = patience;
      o.validation = &validation;
      const NetworkHandle network = create(kConfig);
      const TrainerHandle last = create_trainer(network, o);
      ASSERT_EQ(rnn_trainer_run(last.get(), &in), RNN_OK) << rnn_last_error();
      double best = std::numeric_limits<double>::infinity();
      for (const rnn_progress_t& p : log.validations) best = std::min(best, p.validation_loss);
      ASSERT_GT(loss_of(network_of(last), validation), best);

      o.restore_best = 1;
      const TrainerHandle restored = create_trainer(network, o);
      ASSERT_EQ(rnn_trainer_run(restored.get(), &in), RNN_OK);
      EXPECT_EQ(loss_of(network_of(restored), validation), best);
      // Once: what updates do after it stays.
      ASSERT_EQ(rnn_trainer_update(restored.get(), &in, nullptr), RNN_OK);
      const std::vector<float> updated = values(restored);
      EXPECT_NE(loss_of(network_of(restored), validation), best);
      ASSERT_EQ(rnn_trainer_run(restored.get(), &in), RNN_OK);
      EXPECT_EQ(bits(values(restored)), bits(updated));

      const NetworkHandle trained = create(kConfig);
      ASSERT_EQ(rnn_train(trained.get(), &in, &o), RNN_OK);
      EXPECT_EQ(loss_of(trained, validation), best);
    }
  }
}

TEST(RestoreBest, NotWhereTheCallbackStops) {
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {}, 1), other = make_data(kConfig, {5, 3, 4, 6}, {}, 2);
  const rnn_sequences_t in = data.get(), validation = other.get();
  Log log;
  rnn_train_options_t o = logging_options(log);
  log.stop_at = 30;
  o.learning_rate = 0.05f;
  o.epochs = 40;
  o.validation = &validation;
  const TrainerHandle plain = create_trainer(create(kConfig), o);
  o.restore_best = 1;
  const TrainerHandle stopped = create_trainer(create(kConfig), o);
  ASSERT_EQ(rnn_trainer_run(plain.get(), &in), RNN_OK);
  ASSERT_EQ(rnn_trainer_run(stopped.get(), &in), RNN_OK);
  EXPECT_EQ(bits(values(stopped)), bits(values(plain)));
}

}  // namespace
}  // namespace rnn::training_test

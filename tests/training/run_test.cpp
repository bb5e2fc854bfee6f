// Whole jobs: what is visited, what is reported, and when a run stops.
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>

#include "lib/training/options.h"
#include "lib/training/walk.h"
#include "tests/reference/lists.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

// ---- The way through the data ----------------------------------------------------------------------

TEST(Walk, VisitsEachFrameOncePerEpoch) {
  const Data data = make_data(kConfig, {5, 1, 9, 4, 4, 12, 2}, {});
  const rnn_sequences_t in = data.get();
  for (const std::int32_t lanes : {1, 2, 4}) {
    for (const auto [batch, window] :
         {std::pair{1, 0}, {2, 0}, {3, 4}, {7, 1}, {50, 100}, {1, 1}, {2, 4}, {7, 100}}) {
      auto given = sized<rnn_train_options_t>();
      given.batch_size = batch;
      given.window = window;
      given.epochs = 2;
      const rnn_train_options_t o = resolve_options(given);
      const Labels labels(Allocator(), 0, o);
      Collective collective(Allocator(), nullptr, lanes);
      const JobData job(Allocator(), in, collective);
      const Walk walk(Allocator(), job, o, RNN_LOSS_CROSS_ENTROPY, labels);
      TrainerState state;
      std::vector<std::vector<std::uint64_t>> orders;
      std::uint64_t windows = 0;
      const std::uint64_t expected = walk.count_updates(state);
      for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
        std::vector<int> visits(in.frames), ends(in.count);
        walk.begin_epoch(state);
        orders.emplace_back(state.order.begin(), state.order.end());
        for (bool ended = false; !ended; ended = walk.go_on(state, state.place())) {
          std::size_t all = 0;
          for (std::size_t lane = 0; lane < collective.lanes(); ++lane) {
            std::vector<Slice> slices(in.count);
            std::vector<Item> items(in.count);
            const std::size_t count = walk.slices(state, state.place(), lane, slices.data(), items.data());
            all += count;
            for (std::size_t i = 0; i < count; ++i) {
              for (std::size_t t = 0; t < slices[i].length; ++t) ++visits.at(slices[i].first + t);
              if (items[i].target != Item::kNone) ++ends.at(items[i].target);
              EXPECT_LT(items[i].state, walk.batch_size(state.place()));
              EXPECT_LE(slices[i].length, window != 0 ? static_cast<std::size_t>(window) : 12u);
              EXPECT_EQ(rnn_lane_of(items[i].sequence, lanes), static_cast<std::int32_t>(lane));
            }
          }
          ASSERT_GT(all, 0u);
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

// A trainer that has done other updates lays out a batch as a new one does.
TEST(Trainer, LaysOutEachBatchAnew) {
  rnn_config_t config = kConfig;
  config.flags |= RNN_FLAG_BIDIRECTIONAL;
  std::vector<Data> batches;
  const std::vector<std::size_t> lengths[] = {{5, 3, 3}, {3, 5, 3}, {3, 5}};
  for (const bool one_hot : {false, true})
    for (const std::int32_t pooling : {RNN_POOLING_NONE, RNN_POOLING_LAST, RNN_POOLING_MAX})
      for (const bool resets : {false, true})
        for (const auto& l : lengths)
          batches.push_back(make_data(config, l, {one_hot, pooling, false, resets}, batches.size()));
  const rnn_train_options_t o = sgd(0.1f);
  const TrainerHandle trainer = create_trainer(create(config), o);
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    const TrainerHandle fresh = create_trainer(network_of(trainer), o);
    const rnn_sequences_t in = batches[static_cast<std::size_t>(random.below(batches.size()))].get();
    for (int again = 0; again < 2; ++again) {
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_trainer_update(fresh.get(), &in, nullptr), RNN_OK) << rnn_last_error();
      ASSERT_EQ(bits(values(trainer)), bits(values(fresh))) << i;
    }
  }
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

TEST(Evaluation, OfListsIsTheReferences) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    reference::ListKind lists;
    lists.whole = seed % 2 == 0;
    const rnn_config_t c = reference::random_list(seed, lists);
    SCOPED_TRACE(reference::text_of(c));
    for (std::int32_t pooling = RNN_POOLING_NONE; pooling <= RNN_POOLING_MAX; ++pooling) {
      if (!reference::can_pool(c, pooling)) continue;
      DataKind kind;
      kind.one_hot = c.embedding_size != 0;
      kind.loss = 1 + static_cast<std::int32_t>(seed) % 3;
      kind.pooling = pooling;
      kind.masks = kind.resets = true;
      const Data data = make_data(c, {5, 1, 9, 4}, kind);
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(c);
      const reference::Network truth = reference::load(network.get());
      const reference::Evaluation expected =
          reference::evaluate(truth, reference::convert(truth, in), kind.loss);
      auto o = sized<rnn_train_options_t>();
      o.loss = kind.loss;
      auto evaluation = sized<rnn_evaluation_t>();
      ASSERT_EQ(rnn_evaluate(network.get(), &in, &o, &evaluation), RNN_OK) << rnn_last_error();
      const double bound = truth.has(RNN_FLAG_LAYER_NORM) ? 1e-4 : 2e-6;
      EXPECT_NEAR(evaluation.loss, expected.loss, bound * std::max(1.0, expected.loss));
      EXPECT_NEAR(evaluation.weight, expected.weight, 1e-6);
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

}  // namespace
}  // namespace rnn::training_test

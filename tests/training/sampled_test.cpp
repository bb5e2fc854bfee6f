// Training with a sample of the classes.
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>

#include "lib/kernels/float_mode.h"
#include "lib/training/bptt.h"
#include "tests/reference/lists.h"
#include "tests/training/masks.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

// ---- The sample ------------------------------------------------------------------------------------

TEST(ClassSample, HasDifferentClassesThatFollowFromTheKey) {
  ClassSample sample(Allocator(), 101, 50), again(Allocator(), 101, 50);
  std::set<std::vector<std::int32_t>> seen;
  for (std::uint64_t key = 1; key <= 20; ++key) {
    sample.draw(key);
    again.draw(key + 5);
    again.draw(key);
    const std::vector<std::int32_t> drawn(sample.begin(), sample.end());
    EXPECT_EQ(drawn, std::vector<std::int32_t>(again.begin(), again.end()));
    EXPECT_EQ(std::set<std::int32_t>(drawn.begin(), drawn.end()).size(), 50u);
    EXPECT_TRUE(std::is_sorted(drawn.begin(), drawn.end()));
    EXPECT_GE(drawn.front(), 0);
    EXPECT_LE(drawn.back(), 100);
    seen.insert(drawn);
  }
  EXPECT_EQ(seen.size(), 20u);
}

TEST(ClassSample, KnowsHowLikelyItsClassesAre) {
  constexpr std::size_t classes = 60, size = 15;
  constexpr std::uint64_t draws = 4000;
  ClassSample sample(Allocator(), classes, size);
  std::vector<double> found(classes), expected(classes);
  for (std::uint64_t key = 0; key < draws; ++key) {
    sample.draw(key);
    for (const std::int32_t c : sample) found[static_cast<std::size_t>(c)] += 1.0 / draws;
    for (std::size_t c = 0; c < classes; ++c)
      expected[c] += std::exp(double{sample.log_expected(static_cast<std::int32_t>(c))}) / draws;
  }
  for (std::size_t c = 0; c < classes; ++c) EXPECT_NEAR(found[c], expected[c], 0.03) << c;
  EXPECT_NEAR(std::accumulate(expected.begin(), expected.end(), 0.0), size, 0.3);
  EXPECT_GT(found[0], 3 * found[20]);
}

// ---- Gradients -------------------------------------------------------------------------------------

struct Case {
  rnn_config_t config;
  DataKind kind;
  bool class_weights;
  float output_dropout = 0.0f;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  rnn_config_t n = config(11, 5, 13, 2);
  result.push_back({n, {true}, false});
  n.cell = RNN_CELL_GRU;
  n.flags = RNN_FLAG_NO_BIAS;
  result.push_back({n, {false, RNN_POOLING_NONE, true, true}, true});
  n.cell = RNN_CELL_LSTM;
  n.flags = RNN_FLAG_BIDIRECTIONAL;
  n.projection_size = 3;
  result.push_back({n, {true, RNN_POOLING_MEAN}, true});
  n = config(13, 6, 13);
  n.flags = RNN_FLAG_TIED_HEAD;
  n.embedding_size = 6;
  result.push_back({n, {true}, false});
  n.flags |= RNN_FLAG_NO_BIAS;
  result.push_back({n, {true, RNN_POOLING_LAST, true}, false});
  using reference::cell_layer;
  using reference::dense_layer;
  n = config(13, 0, 0, 0);
  result.push_back(
      {reference::with_layers(n, {dense_layer(5, RNN_ACTIVATION_SWISH), cell_layer(RNN_CELL_GRU, 4),
                                  dense_layer(6, RNN_ACTIVATION_TANH), dense_layer(13)}),
       {false, RNN_POOLING_NONE, true, true},
       true});
  n.embedding_size = 6;
  n.flags = RNN_FLAG_TIED_HEAD;
  result.push_back({reference::with_layers(n, {cell_layer(RNN_CELL_LSTM, 4, 0, RNN_DIRECTION_BOTH),
                                               dense_layer(6, RNN_ACTIVATION_PRELU), dense_layer(13)}),
                    {true, RNN_POOLING_MEAN},
                    false});
  for (const std::size_t i : {0, 1, 2, 3, 6}) {
    result.push_back(result[i]);
    result.back().output_dropout = 0.4f;
  }
  return result;
}

struct Setting {
  explicit Setting(const Case& c)
      : network(create(c.config)),
        data(make_data(c.config, ragged_lengths(7), c.kind)),
        sequences(data.get()),
        sample(Allocator(), 13, 5),
        class_weights(13, 1.0f) {
    if (c.class_weights)
      for (std::size_t i = 0; i < class_weights.size(); ++i)
        class_weights[i] = 0.5f + 0.1f * static_cast<float>(i);
    options.class_weights = class_weights.data();
    sample.draw(3);
    rates.output = c.output_dropout;
  }

  const Weights& weights() const { return network->network.weights(); }

  NetworkHandle network;
  Data data;
  rnn_sequences_t sequences;
  ClassSample sample;
  std::vector<float> class_weights;
  rnn_train_options_t options = sized<rnn_train_options_t>();
  rnn_dropout_rates_t rates = sized<rnn_dropout_rates_t>();
};

struct Result {
  double loss;
  std::vector<float> gradients;
};

Result train(const Setting& s, std::int32_t n, bool add = false) {
  const kernels::FloatMode mode;
  Threads threads(n);
  TransposedWeights transposed(s.weights(), threads);
  transposed.leave_out_head();
  transposed.pack(s.weights(), false);
  Bptt bptt(s.weights(), threads, &transposed);
  const Labels labels(Allocator(), 13, s.options);
  std::vector<Slice> slices;
  std::vector<Item> items;
  std::size_t first = 0;
  for (std::size_t i = 0; i < s.data.lengths.size(); first += s.data.lengths[i], ++i) {
    slices.push_back({first, s.data.lengths[i]});
    items.push_back({i, i});
  }
  Pass pass;
  pass.weights = &s.weights();
  pass.data = &s.sequences;
  pass.slices = slices.data();
  pass.items = items.data();
  pass.count = slices.size();
  pass.loss = RNN_LOSS_CROSS_ENTROPY;
  pass.labels = &labels;
  pass.sample = &s.sample;
  pass.total = target_weight(pass);
  pass.output_dropout = s.rates.output;
  pass.dropout_key = 5;
  Result result{0.0, std::vector<float>(s.weights().value_count(), 77.0f)};
  for (std::int32_t i = 0; i <= (add ? 1 : 0); ++i)
    result.loss = bptt.train(pass, result.gradients.data(), i > 0).loss / pass.total;
  return result;
}

// In double, from the logits of all classes.
double loss(const Setting& s, const reference::Network& truth, const reference::Sequences& sequences) {
  const reference::Pass pass = reference::forward(truth, sequences);
  const reference::Vector& outputs = sequences.pooling != RNN_POOLING_NONE ? pass.pooled : pass.outputs;
  double sum = 0.0, total = 0.0;
  for (std::size_t m = 0; m < sequences.target_count(); ++m) {
    const std::int32_t target = sequences.classes[m];
    const auto logit = [&](std::int32_t c) {
      return outputs[m * 13 + static_cast<std::size_t>(c)] - double{s.sample.log_expected(c)};
    };
    double exponentials = std::exp(logit(target));
    for (const std::int32_t c : s.sample)
      if (c != target) exponentials += std::exp(logit(c));
    const double weight = (sequences.weights.empty() ? 1.0 : sequences.weights[m]) *
                          double{s.class_weights[static_cast<std::size_t>(target)]};
    sum += weight * (std::log(exponentials) - logit(target));
    total += weight;
  }
  return sum / total;
}

TEST(Sampled, GradientsAreThoseOfTheLoss) {
  for (const Case& c : cases()) {
    const Setting s(c);
    SCOPED_TRACE("cell " + std::to_string(c.config.cell) + ", flags " + std::to_string(c.config.flags) +
                 ", layers " + std::to_string(c.config.layer_count) + ", dropout " +
                 std::to_string(c.output_dropout));
    const Result result = train(s, 1);
    reference::Network truth = reference::load(s.network.get());
    give_masks(truth, s.data, s.rates, 5);
    const reference::Sequences sequences = reference::convert(truth, s.sequences);
    const auto f = [&] { return loss(s, truth, sequences); };
    EXPECT_NEAR(result.loss, f(), 2e-6);
    for (std::size_t i = 0; i < s.weights().parameter_count(); ++i) {
      const Parameter& p = s.weights().parameter(i);
      reference::Vector& x = truth.parameters.at(p.name);
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double expected = reference::central_difference(x[j], f);
        ASSERT_NEAR(result.gradients[p.offset + j / p.columns * p.stride + j % p.columns], expected,
                    3e-6 + 3e-5 * std::fabs(expected))
            << p.name << " " << j;
      }
    }
    const Result twice = train(s, 1, true), parallel = train(s, 3);
    for (std::size_t i = 0; i < result.gradients.size(); ++i)
      ASSERT_NEAR(twice.gradients[i], 2 * result.gradients[i], 1e-5) << i;
    EXPECT_EQ(bits(parallel.gradients), bits(result.gradients));
  }
}

// ---- Runs ------------------------------------------------------------------------------------------

// Class c follows on class (7 c + 3) mod n, or half of the time on one that is the likelier, the smaller it
// is.
Data chain(std::size_t classes, std::vector<std::size_t> lengths, std::uint64_t seed) {
  Random random(seed);
  Data data;
  data.lengths = std::move(lengths);
  const auto any = [&] {
    return static_cast<std::int32_t>(std::pow(static_cast<double>(classes), random.uniform()) - 1.0);
  };
  std::int32_t c = any();
  for (std::size_t i = 0; i < data.frames(); ++i) {
    data.indices.push_back(c);
    c = random.below(2) == 0 ? any()
                             : static_cast<std::int32_t>((7 * static_cast<std::size_t>(c) + 3) % classes);
    data.classes.push_back(c);
  }
  return data;
}

rnn_train_options_t run_options(std::int32_t sampled, std::int32_t threads) {
  auto o = sized<rnn_train_options_t>();
  o.learning_rate = 0.01f;
  o.batch_size = 8;
  o.window = 10;
  o.epochs = 1;
  o.seed = 4;
  o.threads = threads;
  o.sampled_classes = sampled;
  return o;
}

std::vector<std::uint32_t> run(const NetworkHandle& network, const Data& data, const rnn_train_options_t& o) {
  const rnn_sequences_t in = data.get();
  const TrainerHandle trainer = create_trainer(network, o);
  EXPECT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
  return bits(values(trainer));
}

TEST(Sampled, RunsGiveTheSameBits) {
  const NetworkHandle network = create(config(400, 20, 400));
  const Data data = chain(400, std::vector<std::size_t>(24, 35), 1);
  const auto once = run(network, data, run_options(100, 1));
  for (const std::int32_t threads : {1, 2, 5}) EXPECT_EQ(run(network, data, run_options(100, threads)), once);
  EXPECT_NE(run(network, data, run_options(0, 1)), once);
  auto other = run_options(100, 1);
  other.seed = 5;
  EXPECT_NE(run(network, data, other), once);
}

TEST(Sampled, RunsGoOnWhereTheyStopped) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("rnn_sampled_" + std::to_string(getpid()) + ".rnn"))
          .string();
  const NetworkHandle network = create(config(400, 20, 400));
  const Data data = chain(400, std::vector<std::size_t>(24, 35), 1);
  const rnn_sequences_t in = data.get();
  for (const std::int32_t accumulate : {1, 3}) {
    auto o = run_options(100, 1);
    o.accumulate = accumulate;
    const auto once = run(network, data, o);
    TrainerHandle trainer;
    Saver saver{&trainer, path.c_str(), 0, 2, true};
    auto saving = o;
    saving.progress = &Saver::save;
    saving.user = &saver;
    trainer = create_trainer(network, saving);
    ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
    const TrainerHandle resumed = create_trainer(network, o);
    const rnn_status_t loaded = rnn_trainer_load(resumed.get(), path.c_str());
    if (loaded == RNN_UNSUPPORTED) GTEST_SKIP() << "built without formats";
    ASSERT_EQ(loaded, RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_run(resumed.get(), &in), RNN_OK) << rnn_last_error();
    EXPECT_EQ(bits(values(resumed)), once) << accumulate;
  }
  std::filesystem::remove(path);
}

// The passes of an update share its sample, so that they are as one.
TEST(Sampled, PassesOfAnUpdateShareTheSample) {
  const NetworkHandle network = create(config(400, 20, 400));
  const Data data = chain(400, std::vector<std::size_t>(8, 10), 1);
  auto one = run_options(60, 1);
  one.optimizer = RNN_OPTIMIZER_SGD;
  one.keep_order = 1;
  auto many = one;
  many.batch_size = 2;
  many.accumulate = 4;
  const rnn_sequences_t in = data.get();
  const TrainerHandle first = create_trainer(network, one), second = create_trainer(network, many);
  ASSERT_EQ(rnn_trainer_run(first.get(), &in), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_run(second.get(), &in), RNN_OK) << rnn_last_error();
  const std::vector<float> a = values(first), b = values(second);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-6) << i;
}

// A fifth of the classes teaches about what all of them teach; without the correction it would not.
TEST(Sampled, LearnsWhatTheSoftmaxOverAllClassesLearns) {
  constexpr std::int32_t classes = 300;
  const Data data = chain(classes, std::vector<std::size_t>(80, 100), 1),
             valid = chain(classes, std::vector<std::size_t>(10, 100), 2);
  const rnn_sequences_t in = data.get(), validation = valid.get();
  const auto learn = [&](std::int32_t sampled) {
    const NetworkHandle network = create(config(classes, 48, classes));
    auto o = run_options(sampled, 0);
    o.window = 25;
    o.epochs = 8;
    EXPECT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
    return loss_of(network, validation);
  };
  const double all = learn(0), some = learn(60);
  EXPECT_LT(all, 3.8);
  EXPECT_LT(some, all + 0.1);
}

}  // namespace
}  // namespace rnn::training_test

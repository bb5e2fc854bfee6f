// Optimisers, clipping and schedules against their formulas in double precision.
#include <cmath>
#include <cstdint>

#include "lib/training/exact.h"
#include "lib/training/options.h"
#include "lib/training/schedule.h"
#include "tests/reference/lists.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 2);
const Data kData = make_data(kConfig, {4, 2, 5}, {});

// Of the options' rate.
double rate_at(const rnn_train_options_t& o, std::uint64_t update, std::uint64_t epoch = 0) {
  return learning_rate(o, static_cast<double>(o.learning_rate), update, epoch);
}

struct Rule {
  const char* name;
  std::function<void(rnn_train_options_t&)> change;
};

const Rule kRules[] = {
    {"Adam", [](rnn_train_options_t&) {}},
    {"Adam with weight decay and other constants",
     [](rnn_train_options_t& o) {
       o.weight_decay = 0.1f;
       o.beta1 = 0.8f;
       o.beta2 = 0.95f;
       o.epsilon = 1e-3f;
     }},
    {"AdamW", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_ADAMW, o.weight_decay = 0.1f; }},
    {"SGD", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD, o.weight_decay = 0.1f; }},
    {"SGD with momentum", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD, o.momentum = 0.9f; }},
    {"SGD with Nesterov's momentum",
     [](rnn_train_options_t& o) {
       o.optimizer = RNN_OPTIMIZER_SGD, o.momentum = 0.9f, o.nesterov = 1, o.weight_decay = 0.1f;
     }},
    {"Adagrad", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_ADAGRAD, o.weight_decay = 0.01f; }},
    {"RMSprop", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_RMSPROP, o.weight_decay = 0.01f; }},
    {"RMSprop with momentum",
     [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_RMSPROP, o.momentum = 0.9f, o.beta2 = 0.9f; }},
    {"clipping by norm", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD, o.clip_norm = 0.1f; }},
    {"clipping by value",
     [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD, o.clip_value = 0.01f; }},
    {"clipping by both",
     [](rnn_train_options_t& o) {
       o.optimizer = RNN_OPTIMIZER_SGD, o.clip_norm = 0.1f, o.clip_value = 0.02f;
     }},
    {"smoothed labels and weighted classes",
     [](rnn_train_options_t& o) {
       static const float weights[2] = {0.3f, 2.0f};
       o.label_smoothing = 0.2f;
       o.class_weights = weights;
     }},
    {"a schedule with warmup",
     [](rnn_train_options_t& o) {
       o.schedule = RNN_SCHEDULE_STEP;
       o.schedule_updates = 4;
       o.schedule_factor = 0.5f;
       o.warmup_updates = 3;
     }},
};

TEST(Optimizer, DoesTenUpdatesByTheFormulas) {
  const rnn_sequences_t in = kData.get();
  for (const Rule& rule : kRules) {
    SCOPED_TRACE(rule.name);
    auto given = sized<rnn_train_options_t>();
    given.learning_rate = 0.02f;
    given.stateless_windows = 1;
    rule.change(given);
    const NetworkHandle network = create(kConfig);
    const TrainerHandle trainer = create_trainer(network, given);
    reference::Loss loss_kind(RNN_LOSS_CROSS_ENTROPY);
    loss_kind.label_smoothing = given.label_smoothing;
    if (given.class_weights != nullptr)
      loss_kind.class_weights.assign(given.class_weights, given.class_weights + 2);

    const rnn_train_options_t o = resolve_options(given);
    reference::Optimizer optimizer;
    optimizer.rule = o.optimizer;
    optimizer.momentum = o.momentum;
    optimizer.beta1 = o.beta1;
    optimizer.beta2 = o.beta2;
    optimizer.epsilon = o.epsilon;
    optimizer.weight_decay = o.weight_decay;
    optimizer.nesterov = o.nesterov != 0;
    reference::Network truth = reference::load(network.get());
    const reference::Sequences sequences = reference::convert(truth, in);

    auto progress = sized<rnn_progress_t>();
    for (std::uint64_t update = 0; update < 10; ++update) {
      const double loss = reference::loss(truth, sequences, loss_kind);
      reference::Parameters g = reference::gradients(truth, sequences, loss_kind);
      const double norm = reference::norm(g);
      reference::clip(g, o.clip_norm, o.clip_value);
      optimizer.update(truth.parameters, g, rate_at(o, update));
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
      EXPECT_NEAR(progress.loss, loss, 2e-5);
      EXPECT_NEAR(progress.gradient_norm, norm, 2e-5);
      EXPECT_EQ(progress.learning_rate, rate_at(o, update));
      EXPECT_EQ(progress.update, update + 1);
    }
    const reference::Network trained = reference::load(network_of(trainer).get());
    for (const auto& [name, x] : truth.parameters)
      for (std::size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(trained.parameters.at(name)[i], x[i], 2e-5) << name;
  }
}

// ---- Two biases ------------------------------------------------------------------------------------

// As PyTorch has them: bias_ih and bias_hh of each layer, whose sum the network reads; of GRU's n both are
// apart.
class TwoBiases {
 public:
  explicit TwoBiases(const reference::Network& network) : network_(network) {
    Random random(5);
    for (auto& [name, values] : network_.parameters) {
      reference::Vector second(sums(name));
      for (double& x : second) x = static_cast<double>(number(random));
      two_[name] = values;
      for (std::size_t i = 0; i < second.size(); ++i) two_[name][i] -= second[i];
      if (!second.empty()) two_["second " + name] = second;
    }
  }

  void update(const reference::Sequences& sequences, const rnn_train_options_t& o,
              reference::Optimizer& optimizer, double rate) {
    reference::Parameters g = reference::gradients(network_, sequences, RNN_LOSS_CROSS_ENTROPY);
    for (const auto& [name, values] : network_.parameters)
      if (sums(name) > 0)
        g["second " + name].assign(g[name].begin(),
                                   g[name].begin() + static_cast<std::ptrdiff_t>(sums(name)));
    norm_ = reference::norm(g);
    reference::clip(g, o.clip_norm, o.clip_value);
    optimizer.update(two_, g, rate);
    for (auto& [name, values] : network_.parameters) {
      values = two_[name];
      for (std::size_t i = 0; i < sums(name); ++i) values[i] += two_["second " + name][i];
    }
  }

  double norm() const { return norm_; }
  const reference::Parameters& parameters() const { return network_.parameters; }

 private:
  std::size_t sums(const std::string& name) const {
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      for (const bool reverse : {false, true}) {
        if (name != network_.parameter_name(l, "bias_ih", reverse)) continue;
        const reference::Layer& layer = network_.layers[l];
        const bool apart = layer.kind == RNN_CELL_GRU && !layer.has(RNN_FLAG_RESET_BEFORE);
        return network_.parameters.at(name).size() - (apart ? layer.size : 0);
      }
    }
    return 0;
  }

  reference::Network network_;
  reference::Parameters two_;
  double norm_ = 0.0;
};

struct Network {
  std::int32_t cell;  // 0: a list of layers
  std::uint32_t flags;
  std::int32_t hidden;
};

rnn_config_t config_of(const Network& n) {
  rnn_config_t c = config(2, n.hidden, 2, n.hidden > 10 ? 1 : 2);
  c.cell = n.cell;
  c.flags = n.flags;
  if (n.cell != 0) return c;
  return reference::with_layers(
      config(2, 0, 0, 0),
      {reference::dense_layer(3, RNN_ACTIVATION_TANH),
       reference::cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_SUM),
       reference::cell_layer(RNN_CELL_LSTM, 3, 0, RNN_DIRECTION_REVERSE),
       reference::cell_layer(RNN_CELL_GRU, 3, RNN_FLAG_RESET_BEFORE), reference::dense_layer(2)});
}

TEST(TwoBiases, LearnAsTheirSum) {
  const Rule rules[] = {
      {"SGD", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD; }},
      {"SGD with all",
       [](rnn_train_options_t& o) {
         o.optimizer = RNN_OPTIMIZER_SGD, o.momentum = 0.9f, o.nesterov = 1, o.weight_decay = 0.1f,
         o.clip_norm = 0.1f;
       }},
      {"clipping by value",
       [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD, o.clip_value = 0.01f; }},
      {"Adam", [](rnn_train_options_t&) {}},
      {"AdamW", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_ADAMW, o.weight_decay = 0.1f; }},
      {"Adagrad", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_ADAGRAD; }},
      {"RMSprop", [](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_RMSPROP, o.momentum = 0.9f; }}};
  const Network networks[] = {{RNN_CELL_VANILLA, 0, 5},
                              {RNN_CELL_VANILLA, RNN_FLAG_BIDIRECTIONAL, 17},
                              {RNN_CELL_LSTM, 0, 6},
                              {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES, 4},
                              {RNN_CELL_GRU, 0, 5},
                              {RNN_CELL_GRU, 0, 8},
                              {RNN_CELL_GRU, 0, 21},
                              {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE, 7},
                              {0, 0, 0}};
  for (const Network& n : networks) {
    for (const Rule& rule : rules) {
      if (n.hidden > 10 && &rule > &rules[1]) break;  // central differences of many weights
      SCOPED_TRACE(std::string(rule.name) + ", cell " + std::to_string(n.cell) + ", H " +
                   std::to_string(n.hidden));
      const rnn_config_t c = config_of(n);
      const Data data = make_data(c, {4, 2, 5}, {});
      const rnn_sequences_t in = data.get();
      auto given = sized<rnn_train_options_t>();
      given.stateless_windows = 1;
      rule.change(given);
      given.learning_rate = given.optimizer == RNN_OPTIMIZER_SGD ? 0.02f : 0.002f;
      auto group = sized<rnn_parameter_group_t>();
      group.pattern = c.layers != nullptr ? "*bias_ih*" : "bias_ih_*";
      group.two_biases = 1;
      given.groups = &group;
      given.group_count = 1;
      const NetworkHandle network = create(c);
      const TrainerHandle trainer = create_trainer(network, given);
      const rnn_train_options_t o = resolve_options(given);
      reference::Optimizer optimizer;
      optimizer.rule = o.optimizer;
      optimizer.momentum = o.momentum;
      optimizer.beta1 = o.beta1;
      optimizer.beta2 = o.beta2;
      optimizer.epsilon = o.epsilon;
      optimizer.weight_decay = o.weight_decay;
      optimizer.nesterov = o.nesterov != 0;
      const reference::Network loaded = reference::load(network.get());
      TwoBiases truth(loaded);
      const reference::Sequences sequences = reference::convert(loaded, in);
      auto progress = sized<rnn_progress_t>();
      for (std::uint64_t update = 0; update < 5; ++update) {
        truth.update(sequences, o, optimizer, rate_at(o, update));
        ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
        EXPECT_NEAR(progress.gradient_norm, truth.norm(), 1e-5);
      }
      const double bound = o.optimizer == RNN_OPTIMIZER_SGD ? 1e-6 : 2e-5;
      const reference::Network trained = reference::load(network_of(trainer).get());
      for (const auto& [name, x] : truth.parameters())
        for (std::size_t i = 0; i < x.size(); ++i)
          EXPECT_NEAR(trained.parameters.at(name)[i], x[i], bound) << name << ", " << i;
    }
  }
}

// Without decay and clipping by norm, what a rate twice as high makes of them.
TEST(TwoBiases, AreAFactorOfTwo) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_LSTM}) {
    rnn_config_t c = kConfig;
    c.cell = cell;
    const rnn_sequences_t in = kData.get();
    auto two = sized<rnn_parameter_group_t>(), twice = two;
    two.pattern = twice.pattern = "bias_ih_*";
    two.two_biases = 1;
    twice.learning_rate_factor = 2.0f;
    std::vector<std::uint32_t> results[2];
    for (const bool factor : {false, true}) {
      auto o = sized<rnn_train_options_t>();
      o.optimizer = RNN_OPTIMIZER_SGD;
      o.momentum = 0.5f;
      o.groups = factor ? &twice : &two;
      o.group_count = 1;
      const TrainerHandle trainer = create_trainer(create(c), o);
      for (int i = 0; i < 5; ++i) ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK);
      results[factor ? 1 : 0] = bits(values(trainer));
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

// The average of values that share a block with others of another rate.
TEST(TwoBiases, HaveAnAverage) {
  rnn_config_t c = config(2, 5, 2);
  c.cell = RNN_CELL_GRU;
  const Data data = make_data(c, {4, 2, 5}, {});
  const rnn_sequences_t in = data.get();
  auto group = sized<rnn_parameter_group_t>();
  group.pattern = "bias_*";
  group.two_biases = 1;
  auto o = sized<rnn_train_options_t>();
  o.groups = &group;
  o.group_count = 1;
  const TrainerHandle plain = create_trainer(create(c), o);
  o.average = 0.05f;
  const TrainerHandle averaging = create_trainer(create(c), o);
  std::vector<double> average;
  for (const float value : values(plain)) average.push_back(value);
  for (int update = 0; update < 3; ++update) {
    ASSERT_EQ(rnn_trainer_update(plain.get(), &in, nullptr), RNN_OK);
    ASSERT_EQ(rnn_trainer_update(averaging.get(), &in, nullptr), RNN_OK);
    const std::vector<float> now = values(plain);
    for (std::size_t i = 0; i < now.size(); ++i) average[i] += 0.95 * (now[i] - average[i]);
  }
  const std::vector<float> result = values(averaging);
  for (std::size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], average[i], 1e-6);
}

// With SGD and a rate of 1 the step is the clipped gradient itself.
TEST(Optimizer, ClipsTheNormToTheThreshold) {
  const rnn_sequences_t in = kData.get();
  for (const float clip : {0.001f, 0.05f, 100.0f}) {
    auto o = sized<rnn_train_options_t>();
    o.optimizer = RNN_OPTIMIZER_SGD;
    o.learning_rate = 1.0f;
    o.clip_norm = clip;
    const NetworkHandle network = create(kConfig);
    const std::vector<float> before = values(network);
    const TrainerHandle trainer = create_trainer(network, o);
    auto progress = sized<rnn_progress_t>();
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK);
    const std::vector<float> after = values(trainer);
    double sum = 0.0;
    for (std::size_t i = 0; i < before.size(); ++i)
      sum += (static_cast<double>(before[i]) - after[i]) * (static_cast<double>(before[i]) - after[i]);
    EXPECT_GT(progress.gradient_norm, 0.05);
    EXPECT_NEAR(std::sqrt(sum), std::min<double>(clip, progress.gradient_norm), 2e-7);
  }
}

TEST(Optimizer, ClipsEachElementToTheValue) {
  const rnn_sequences_t in = kData.get();
  auto o = sized<rnn_train_options_t>();
  o.optimizer = RNN_OPTIMIZER_SGD;
  o.learning_rate = 1.0f;
  o.clip_value = 0.01f;
  const NetworkHandle network = create(kConfig);
  const std::vector<float> before = values(network);
  const TrainerHandle trainer = create_trainer(network, o);
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK);
  const std::vector<float> after = values(trainer);
  std::size_t limited = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_LE(std::fabs(before[i] - after[i]), 0.01f + 1e-7f);
    limited += std::fabs(before[i] - after[i]) > 0.01f - 1e-7f;
  }
  EXPECT_GT(limited, 5u);
}

TEST(Optimizer, LeavesFixedInitialStatesAlone) {
  rnn_config_t c = config(3, 5, 2, 2);
  const Data data = make_data(c, {4, 2, 5}, {});
  const rnn_sequences_t in = data.get();
  for (const std::int32_t kind : {RNN_INITIAL_FIXED, RNN_INITIAL_TRAINED}) {
    c.initial_state = kind;
    const NetworkHandle network = create(c);
    auto o = sized<rnn_train_options_t>();
    o.weight_decay = 0.5f;
    o.optimizer = RNN_OPTIMIZER_ADAMW;
    o.learning_rate = 0.1f;
    const TrainerHandle trainer = create_trainer(network, o);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK);
    const reference::Network before = reference::load(network.get()),
                             after = reference::load(network_of(trainer).get());
    for (const auto& [name, x] : before.parameters)
      EXPECT_EQ(x == after.parameters.at(name), name.rfind("initial", 0) == 0 && kind == RNN_INITIAL_FIXED)
          << name;
  }
}

// ---- Schedules -------------------------------------------------------------------------------------

rnn_train_options_t schedule(std::int32_t kind, std::int32_t updates, float factor = 0.0f) {
  auto o = sized<rnn_train_options_t>();
  o.learning_rate = 0.5f;
  o.schedule = kind;
  o.schedule_updates = updates;
  o.schedule_factor = factor;
  return resolve_options(o);
}

TEST(Schedule, Constant) {
  for (const std::uint64_t update : {0, 1, 1000000})
    EXPECT_EQ(rate_at(schedule(RNN_SCHEDULE_CONSTANT, 0), update), 0.5);
}

TEST(Schedule, Step) {
  const rnn_train_options_t o = schedule(RNN_SCHEDULE_STEP, 10, 0.5f);
  for (const auto& [update, rate] :
       {std::pair{0, 0.5}, {9, 0.5}, {10, 0.25}, {19, 0.25}, {20, 0.125}, {100, 0x1p-11}})
    EXPECT_EQ(rate_at(o, static_cast<std::uint64_t>(update)), rate) << update;
  EXPECT_NEAR(rate_at(schedule(RNN_SCHEDULE_STEP, 10), 10), 0.05, 1e-8) << "the default factor is 0.1";
}

TEST(Schedule, Exponential) {
  const rnn_train_options_t o = schedule(RNN_SCHEDULE_EXPONENTIAL, 10, 0.25f);
  for (const std::uint64_t update : {0, 1, 5, 10, 37, 1000})
    EXPECT_NEAR(rate_at(o, update) / (0.5 * std::pow(0.25, static_cast<double>(update) / 10)), 1.0, 1e-13);
}

TEST(Schedule, Cosine) {
  const rnn_train_options_t o = schedule(RNN_SCHEDULE_COSINE, 8, 0.5f);
  for (std::uint64_t update = 0; update <= 8; ++update)
    EXPECT_NEAR(rate_at(o, update), 0.5 * (0.75 + 0.25 * std::cos(std::acos(-1.0) * update / 8.0)), 1e-15);
  EXPECT_EQ(rate_at(o, 100), 0.25);
  EXPECT_EQ(rate_at(schedule(RNN_SCHEDULE_COSINE, 8), 8), 0.0) << "0 is 0";
}

TEST(Schedule, Warmup) {
  rnn_train_options_t o = schedule(RNN_SCHEDULE_CONSTANT, 0);
  o.warmup_updates = 4;
  for (std::uint64_t update = 0; update < 8; ++update)
    EXPECT_EQ(rate_at(o, update), 0.5 * std::min(1.0, (static_cast<double>(update) + 1) / 4));
}

TEST(Schedule, BeginsAtItsStart) {
  for (const std::int32_t kind : {RNN_SCHEDULE_STEP, RNN_SCHEDULE_EXPONENTIAL, RNN_SCHEDULE_COSINE}) {
    rnn_train_options_t o = schedule(kind, 4, 0.5f);
    const rnn_train_options_t at_once = o;
    o.schedule_start = 7;
    for (std::uint64_t update = 0; update < 7; ++update) EXPECT_EQ(rate_at(o, update), 0.5);
    for (std::uint64_t update = 0; update < 20; ++update)
      EXPECT_EQ(rate_at(o, update + 7), rate_at(at_once, update)) << kind << ", " << update;
  }
}

TEST(Schedule, BeginsAfterTheWarmup) {
  rnn_train_options_t o = schedule(RNN_SCHEDULE_COSINE, 8);
  const rnn_train_options_t cosine = o;
  o.warmup_updates = o.schedule_start = 4;
  for (std::uint64_t update = 0; update < 4; ++update)
    EXPECT_EQ(rate_at(o, update), 0.5 * (static_cast<double>(update) + 1) / 4);
  for (std::uint64_t update = 4; update < 20; ++update)
    EXPECT_EQ(rate_at(o, update), rate_at(cosine, update - 4));
}

// That of char-rnn: ten epochs at the rate, then by a factor less in each.
TEST(Schedule, CountsEpochs) {
  rnn_train_options_t o = schedule(RNN_SCHEDULE_STEP, 1, 0.97f);
  o.schedule_start = 9;
  o.schedule_by_epoch = 1;
  for (std::uint64_t epoch = 0; epoch < 10; ++epoch) EXPECT_EQ(rate_at(o, 12345, epoch), 0.5);
  EXPECT_NEAR(rate_at(o, 0, 10), 0.5 * 0.97, 1e-7);
  EXPECT_NEAR(rate_at(o, 0, 12), 0.5 * 0.97 * 0.97 * 0.97, 1e-7);
}

TEST(Exact, Power) {
  for (const double base : {1e-6, 0.1, 0.5, 0.9, 0.999, 1.0, 1.5, 40.0}) {
    for (const std::uint64_t n : {0, 1, 2, 3, 10, 40})
      EXPECT_NEAR(exact_power(base, n) / std::pow(base, static_cast<double>(n)), 1.0, 1e-13);
    for (const double x : {0.0, 1e-9, 0.3, 1.0, 2.5, 17.0})
      EXPECT_NEAR(exact_power(base, x) / std::pow(base, x), 1.0, 1e-13);
  }
  EXPECT_EQ(exact_power(0.5, 1e9), 0.0);
  EXPECT_EQ(exact_power(0.999, std::uint64_t{1} << 40), 0.0);
}

TEST(Exact, Cosine) {
  for (int i = 0; i <= 1000; ++i)
    EXPECT_NEAR(exact_cos_pi(i / 1000.0), std::cos(std::acos(-1.0) * i / 1000.0), 1e-15);
  EXPECT_EQ(exact_cos_pi(0.0), 1.0);
  EXPECT_EQ(exact_cos_pi(1.0), -1.0);
}

}  // namespace
}  // namespace rnn::training_test

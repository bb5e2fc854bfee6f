// What is drawn at random in training: dropout, and inputs that are the network's own outputs.
#include "lib/training/scheduled_sampling.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "lib/kernels/float_mode.h"
#include "tests/reference/lists.h"
#include "tests/training/masks.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

// ---- Dropout ---------------------------------------------------------------------------------------

TEST(Dropout, FollowsFromTheSeedAlone) {
  for (const std::int32_t layers : {2, 3}) {
    const rnn_config_t c = config(3, 20, 4, layers);
    const Data data = make_data(c, std::vector<std::size_t>(24, 20), {});
    const rnn_sequences_t in = data.get();
    const NetworkHandle network = create(c);
    const auto train = [&](float dropout, std::uint64_t seed, std::int32_t threads, float output = 0.0f,
                           float recurrent = 0.0f) {
      rnn_train_options_t o = sgd(0.1f);
      o.keep_order = 1;
      o.epochs = 3;
      o.dropout = dropout;
      o.output_dropout = output;
      o.recurrent_dropout = recurrent;
      o.seed = seed;
      o.threads = threads;
      const TrainerHandle trainer = create_trainer(network, o);
      EXPECT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
      return bits(values(trainer));
    };
    const auto once = train(0.3f, 5, 1);
    EXPECT_EQ(train(0.3f, 5, 1), once);
    EXPECT_EQ(train(0.3f, 5, 4), once);
    EXPECT_NE(train(0.3f, 6, 1), once);
    EXPECT_NE(train(0.0f, 5, 1), once);
    const auto outputs = train(0.3f, 5, 1, 0.3f), outputs_alone = train(0.0f, 5, 1, 0.3f);
    EXPECT_NE(outputs, once);
    EXPECT_NE(outputs_alone, outputs);
    EXPECT_NE(outputs_alone, train(0.0f, 5, 1));
    EXPECT_EQ(train(0.0f, 5, 4, 0.3f), outputs_alone);
    EXPECT_NE(train(0.0f, 6, 1, 0.3f), outputs_alone);
    const auto recurrent = train(0.0f, 5, 1, 0.0f, 0.3f);
    EXPECT_NE(recurrent, train(0.0f, 5, 1));
    EXPECT_EQ(train(0.0f, 5, 4, 0.0f, 0.3f), recurrent);
    EXPECT_NE(train(0.0f, 6, 1, 0.0f, 0.3f), recurrent);
  }
}

// About as much of h is dropped as the rate says, of each strand and sequence other units, the same for the same
// seed.
TEST(Dropout, OfStatesHasTheRateAndFollowsFromSeedStrandAndSequence) {
  const Data data = make_data(config(1, 1, 1), std::vector<std::size_t>(50, 2), DataKind{});
  constexpr std::size_t kUnits = 37, kDraws = 50 * kUnits;
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    const std::vector<float> first = recurrent_mask(data, rate, 5, 0, kUnits);
    EXPECT_EQ(recurrent_mask(data, rate, 5, 0, kUnits), first);
    EXPECT_NE(recurrent_mask(data, rate, 5, 1, kUnits), first);
    EXPECT_NE(recurrent_mask(data, rate, 6, 0, kUnits), first);
    EXPECT_NE(mask(data, rate, 5, 0, kUnits), first);
    EXPECT_FALSE(std::equal(first.begin(), first.begin() + kUnits, first.begin() + kUnits));
    std::size_t dropped = 0;
    for (const float value : first) {
      dropped += value == 0.0f ? 1 : 0;
      EXPECT_FLOAT_EQ(value, value == 0.0f ? 0.0f : 1.0f / (1.0f - rate));
    }
    // Four standard deviations.
    EXPECT_NEAR(static_cast<double>(dropped) / kDraws, rate, 4 * std::sqrt(rate * (1 - rate) / kDraws));
  }
}

// Truncated windows that go on from the states of those before have the masks of the sequence: the loss is that of
// the whole sequences. Windows without a target carry their states on in the same way.
TEST(Dropout, OfStatesIsTheSameInAllWindowsOfASequence) {
  for (const std::int32_t cell : {RNN_CELL_VANILLA, RNN_CELL_LSTM, RNN_CELL_GRU}) {
    rnn_config_t n = config(3, 20, 4, 2);
    n.cell = cell;
    Data data = make_data(n, {12, 12, 12, 12}, kSquared);
    data.weights.assign(48, 1.0f);
    for (std::size_t i = 0; i < 48; ++i) data.weights[i] = i % 12 < 6 ? 0.0f : 1.0f;
    const rnn_sequences_t in = data.get();
    const auto loss = [&](std::int32_t window, std::int32_t threads, float rate, std::int32_t keep_order,
                          std::int32_t batch) {
      auto o = sgd(1e-30f);
      o.window = window;
      o.threads = threads;
      o.batch_size = batch;
      o.keep_order = keep_order;
      o.recurrent_dropout = rate;
      o.accumulate = 1000;  // one update of an epoch
      o.seed = 7;
      double result = 0.0;
      o.user = &result;
      o.progress = [](const rnn_progress_t* progress, void* user) -> std::int32_t {
        *static_cast<double*>(user) = progress->loss;
        return 0;
      };
      const TrainerHandle trainer = create_trainer(create(n), o);
      EXPECT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
      return result;
    };
    const double whole = loss(0, 1, 0.4f, 1, 4);
    EXPECT_GT(std::fabs(whole - loss(0, 1, 0.0f, 1, 4)), 1e-4);
    for (const std::int32_t window : {1, 5, 6})
      for (const std::int32_t threads : {1, 3}) EXPECT_NEAR(loss(window, threads, 0.4f, 1, 4), whole, 1e-6);
    // Nor does it matter with which others it is in a batch.
    EXPECT_NEAR(loss(0, 1, 0.4f, 0, 1), whole, 1e-6);
    EXPECT_NEAR(loss(5, 1, 0.4f, 0, 3), whole, 1e-6);
  }
}

// So have single updates, until their states begin anew: the loss is that of one update with all steps.
TEST(Dropout, OfStatesIsTheSameInUpdatesThatGoOn) {
  rnn_config_t n = config(3, 20, 4);
  n.cell = RNN_CELL_GRU;
  const Data data = make_data(n, {12}, kSquared);
  const std::size_t half = 6;
  const auto losses = [&](std::size_t updates, bool reset, bool begin_later) {
    auto o = sgd(1e-30f);
    o.recurrent_dropout = 0.4f;
    const TrainerHandle trainer = create_trainer(create(n), o);
    double sum = 0.0;
    const auto update = [&](std::size_t first, std::size_t length) {
      rnn_sequences_t in = data.get();
      in.frames = length;
      in.lengths = &length;
      in.inputs += 3 * first;
      in.targets += 4 * first;
      auto progress = sized<rnn_progress_t>();
      EXPECT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
      sum += progress.loss / static_cast<double>(updates);
      if (reset) {
        EXPECT_EQ(rnn_trainer_reset(trainer.get()), RNN_OK);
      }
    };
    if (begin_later) {
      update(0, 12);
      EXPECT_EQ(rnn_trainer_reset(trainer.get()), RNN_OK);
      sum = 0.0;
    }
    for (std::size_t i = 0; i < updates; ++i) update(i * half, updates == 1 ? 2 * half : half);
    return sum;
  };
  const double whole = losses(1, false, false);
  EXPECT_NEAR(losses(2, false, false), whole, 1e-6);
  EXPECT_GT(std::fabs(losses(2, true, false) - whole), 1e-4);
  // What begins later has other masks.
  const double later = losses(1, false, true);
  EXPECT_GT(std::fabs(later - whole), 1e-4);
  EXPECT_NEAR(losses(2, false, true), later, 1e-6);
}

// ---- Scheduled sampling ----------------------------------------------------------------------------------

// The data with all inputs but those that begin a sequence or follow a reset replaced by what the network
// makes of the step before. states [N, S]: where the sequences start, and then where they end; empty:
// initially.
Data run_freely(rnn_t* network, Data data, std::vector<float>& states) {
  std::size_t size = 0;
  EXPECT_EQ(rnn_state_size(network, &size), RNN_OK);
  const std::size_t width = network->network.weights().output_size();
  const bool given = !states.empty();
  states.resize(data.lengths.size() * size);
  std::vector<float> y(width);
  std::size_t frame = 0;
  for (std::size_t n = 0; n < data.lengths.size(); ++n) {
    rnn_reset(network);
    if (given) {
      EXPECT_EQ(rnn_set_state(network, &states[n * size], size), RNN_OK);
    }
    for (std::size_t t = 0; t < data.lengths[n]; ++t, ++frame) {
      const bool reset = !data.resets.empty() && data.resets[frame] != 0;
      if (reset) rnn_reset(network);
      if (!data.indices.empty()) {
        if (t > 0 && !reset)
          data.indices[frame] = static_cast<std::int32_t>(std::max_element(y.begin(), y.end()) - y.begin());
        EXPECT_EQ(rnn_step_index(network, data.indices[frame], y.data()), RNN_OK);
      } else {
        if (t > 0 && !reset) std::copy(y.begin(), y.end(), data.inputs.begin() + frame * width);
        EXPECT_EQ(rnn_step(network, &data.inputs[frame * width], y.data()), RNN_OK);
      }
    }
    EXPECT_EQ(rnn_get_state(network, &states[n * size], size), RNN_OK);
  }
  return data;
}

struct FreeCase {
  bool one_hot, resets, masks;
  std::int32_t cell;  // 0: a list of layers
};

TEST(ScheduledSampling, IsTrainingOnTheOwnOutputs) {
  for (const FreeCase& f :
       {FreeCase{false, false, false, RNN_CELL_VANILLA}, FreeCase{true, true, true, RNN_CELL_VANILLA},
        FreeCase{false, true, true, RNN_CELL_LSTM}, FreeCase{true, false, false, RNN_CELL_GRU},
        FreeCase{false, true, true, 0}, FreeCase{true, false, false, 0}}) {
    rnn_config_t c = config(4, 7, 4, 2);
    c.cell = f.cell;
    if (f.cell == 0)
      c = reference::with_layers(
          config(4, 0, 0, 0),
          {reference::dense_layer(5, RNN_ACTIVATION_TANH), reference::cell_layer(RNN_CELL_MIN_GRU, 6),
           reference::cell_layer(RNN_CELL_LSTM, 7), reference::dense_layer(4, RNN_ACTIVATION_SOFTSIGN)});
    c.initial_state = RNN_INITIAL_TRAINED;
    DataKind kind;
    kind.one_hot = f.one_hot;
    kind.resets = f.resets;
    kind.masks = f.masks;
    kind.loss = f.one_hot ? RNN_LOSS_CROSS_ENTROPY : RNN_LOSS_SQUARED_ERROR;
    const NetworkHandle network = create(c);
    for (const std::int32_t threads : {1, 3}) {
      rnn_train_options_t o = sgd(0.2f);
      o.threads = threads;
      const TrainerHandle taught = create_trainer(network, o);
      o.scheduled_sampling = 1.0f;
      const TrainerHandle free = create_trainer(network, o);
      std::vector<float> states;
      for (std::uint64_t batch = 1; batch <= 3; ++batch) {
        const Data data = make_data(c, {5, 1, 9, 4, 9}, kind, batch);
        const Data own = run_freely(network_of(taught).get(), data, states);
        const rnn_sequences_t in = data.get(), own_in = own.get();
        auto progress = sized<rnn_progress_t>(), expected = progress;
        ASSERT_EQ(rnn_trainer_update(free.get(), &in, &progress), RNN_OK) << rnn_last_error();
        ASSERT_EQ(rnn_trainer_update(taught.get(), &own_in, &expected), RNN_OK) << rnn_last_error();
        EXPECT_EQ(progress.loss, expected.loss);
        EXPECT_EQ(bits(values(free)), bits(values(taught))) << "cell " << f.cell << ", batch " << batch;
      }
    }
  }
}

TEST(ScheduledSampling, HappensAsOftenAsAsked) {
  const rnn_config_t c = config(3, 5, 3);
  DataKind kind;
  kind.loss = RNN_LOSS_SQUARED_ERROR;
  kind.resets = true;
  const Data data = make_data(c, std::vector<std::size_t>(100, 50), kind);
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(c);
  const Weights& weights = network->network.weights();
  const kernels::FloatMode mode;
  Threads threads(1);
  Bptt bptt(weights, threads, nullptr);
  rnn::ScheduledSampling scheduled_sampling(weights, bptt);
  std::vector<Slice> slices;
  std::vector<Item> items;
  for (std::size_t n = 0; n < 100; ++n) slices.push_back({50 * n + 10, 40}), items.push_back({n, n});
  Pass pass;
  pass.weights = &weights;
  pass.data = &in;
  pass.slices = slices.data();
  pass.items = items.data();
  pass.count = 100;
  for (const double probability : {0.1, 0.5, 0.9}) {
    const Pass changed = scheduled_sampling.change(pass, probability, 77);
    double own = 0, of = 0;
    for (std::size_t n = 0; n < 100; ++n) {
      for (std::size_t t = 0; t < 40; ++t) {
        const std::size_t frame = slices[n].first + t, to = changed.slices[n].first + t;
        const bool same =
            std::memcmp(&data.inputs[3 * frame], changed.data->inputs + 3 * to, 3 * sizeof(float)) == 0;
        if (t == 0 || data.resets[frame] != 0) {
          EXPECT_TRUE(same);
        } else {
          own += same ? 0 : 1;
          of += 1;
        }
        EXPECT_EQ(std::memcmp(&data.targets[3 * frame], changed.data->targets + 3 * to, 3 * sizeof(float)),
                  0);
        EXPECT_EQ(data.resets[frame], changed.data->resets[to]);
      }
    }
    EXPECT_NEAR(own / of, probability, 0.03);
  }
}

}  // namespace
}  // namespace rnn::training_test

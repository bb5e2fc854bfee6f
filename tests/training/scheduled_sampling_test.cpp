// What is drawn at random in training: dropout, and inputs that are the network's own outputs.
#include "lib/training/scheduled_sampling.h"

#include <cstdint>
#include <cstring>

#include "lib/kernels/float_mode.h"
#include "tests/reference/lists.h"
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
    const auto train = [&](float dropout, std::uint64_t seed, std::int32_t threads, float output = 0.0f) {
      rnn_train_options_t o = sgd(0.1f);
      o.keep_order = 1;
      o.epochs = 3;
      o.dropout = dropout;
      o.output_dropout = output;
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
  }
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
  Bptt bptt(weights, threads);
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

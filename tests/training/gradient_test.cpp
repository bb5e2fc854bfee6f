// Gradients against central differences of the loss in double precision: every cell, option, kind of
// parameter, loss, input, target, mask, reset and initial state, over one to three layers and ragged
// sequences.
#include "tests/training/gradient_cases.h"

namespace rnn::training_test {
namespace {

TEST(Gradient, OfEveryKind) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) check(random_case(seed), 8);
}

TEST(Gradient, OfLists) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed)
    check(random_list_case(seed), 8, static_cast<std::int32_t>(1 + seed % 3));
}

// One option at a time, and every element of the gradient.
TEST(Gradient, OfEveryOption) {
  const std::vector<std::size_t> lengths = {3, 6, 1, 4};
  for (const auto& cell : kCells) {
    for (std::int32_t option = 0; option < 14; ++option) {
      rnn_config_t c = config_of(cell, config(4, 3, 2, 2));
      DataKind kind;
      kind.resets = option % 2 == 0;
      kind.one_hot = option % 3 == 0;
      float dropout = 0.0f;
      if (option == 1) c.flags |= RNN_FLAG_BIDIRECTIONAL;
      if (option == 2) c.flags |= RNN_FLAG_RESIDUAL;
      if (option == 3) c.flags |= RNN_FLAG_NO_BIAS;
      if (option == 4 && can_normalize(c)) c.flags |= RNN_FLAG_LAYER_NORM;
      if (option == 5 && c.cell == RNN_CELL_LSTM) c.projection_size = 2;
      if (option == 6) c.embedding_size = 5;
      if (option == 7) tie(c);
      if (option == 8) c.initial_state = RNN_INITIAL_TRAINED;
      if (option >= 9 && option < 12) kind.pooling = option - 8;
      if (option >= 12) c.skip = option - 11;
      if (option == 0) dropout = 0.4f;
      kind.one_hot = kind.one_hot || c.embedding_size != 0;
      Case one = make_case(c, kind, lengths);
      one.dropout = dropout;
      check(one, 1000);
      if (HasFailure()) return;
    }
  }
}

// Sizes beyond a panel, a tile, a block of steps and a group of segments, none of them a multiple.
TEST(Gradient, OfLargerNetworks) {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n < 19; ++n) lengths.push_back(n == 3 ? 70 : 3 + n / 2);
  for (const bool one_hot : {false, true}) {
    for (const auto& cell :
         {kCells[0], kCells[2], kCells[3], kCells[4], kCells[5], kCells[6], kCells[7], kCells[9]}) {
      rnn_config_t n = config(70, 67, 65, 2);
      n.cell = cell[0];
      n.flags = static_cast<std::uint32_t>(cell[1]);
      n.initial_state = RNN_INITIAL_TRAINED;
      if (!one_hot) n.skip = 65;
      if (n.cell == RNN_CELL_LSTM && one_hot) {
        n.flags |= RNN_FLAG_BIDIRECTIONAL;
        n.projection_size = 21;
        tie(n);
      }
      DataKind kind;
      kind.one_hot = one_hot;
      kind.masks = true;
      kind.resets = one_hot;
      check(make_case(n, kind, lengths), 2, 3);
    }
  }
}

// So many rows that they are summed in parts, of everything that is a sum over rows.
TEST(Gradient, OfManyRows) {
  std::vector<std::size_t> lengths(30, 150);
  lengths[7] = 20;
  for (std::size_t option = 0; option < 7; ++option) {
    rnn_config_t c = config_of(kCells[option < 5 ? option : option == 5 ? 3 : 5], config(5, 16, 3));
    DataKind kind;
    kind.one_hot = option != 2;
    kind.resets = option == 2;
    if (option == 1) c.embedding_size = 4;
    if (option == 2) c.projection_size = 7;
    if (option == 2 || option == 4) c.flags |= RNN_FLAG_BIDIRECTIONAL;
    if (option == 4) kind.pooling = RNN_POOLING_MEAN;
    if (option == 5) c.flags |= RNN_FLAG_LAYER_NORM;
    if (option == 5) tie(c);
    const Case many = make_case(c, kind, lengths);
    check(many, 2);
    const NetworkHandle network = create(c);
    const std::vector<float> once = train(network, many, 1).gradients;
    EXPECT_EQ(train(network, many, 3).gradients, once) << describe(many);
    const std::vector<float> twice = train(network, many, 2, once).gradients;
    for (std::size_t i = 0; i < once.size(); ++i)
      ASSERT_NEAR(twice[i], 2 * once[i], 1e-6 + 1e-5 * std::fabs(once[i])) << describe(many);
  }
}

// Of equal values the first is the largest: here the one whose state before was 0.
TEST(Gradient, OfEqualMaxima) {
  rnn_config_t n = config(1, 3, 2);
  n.flags = RNN_FLAG_RELU;
  DataKind kind;
  kind.one_hot = true;
  kind.pooling = RNN_POOLING_MAX;
  const Case c = make_case(n, kind, {4, 1, 9});
  const NetworkHandle network = create(n);
  const std::vector<float> ones(3, 1.0f), zeros(9);
  ASSERT_EQ(rnn_set_parameter(network.get(), "bias_ih_l0", ones.data(), 3), RNN_OK);
  ASSERT_EQ(rnn_set_parameter(network.get(), "weight_hh_l0", zeros.data(), 9), RNN_OK);
  const std::vector<float> gradients = train(network, c, 1).gradients;
  const Weights& weights = network->network.weights();
  EXPECT_EQ(extract(*weights.find("weight_hh_l0"), gradients), zeros);
  EXPECT_NE(extract(*weights.find("bias_ih_l0"), gradients), std::vector<float>(3));
}

// As if two batches were one.
TEST(Gradient, AddsUp) {
  for (const auto& cell : kCells) {
    const rnn_config_t n = config_of(cell, config(4, 5, 3, 2));
    const Case c = make_case(n, DataKind{}, {4, 7, 1});
    const NetworkHandle network = create(n);
    const std::vector<float> once = train(network, c, 1).gradients;
    const std::vector<float> twice = train(network, c, 1, once).gradients;
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(twice[i], 2 * once[i], 1e-6);
    check_padding(network->network.weights(), twice);
  }
}

// ---- Windows ---------------------------------------------------------------------------------------

// A run over windows is plain gradient descent on each window's loss, from states that are constants.
void check_windows(rnn_config_t c) {
  SCOPED_TRACE(describe(c));
  c.initial_state = RNN_INITIAL_TRAINED;
  const auto I = static_cast<std::size_t>(c.input_size);
  for (const bool fresh : {false, true}) {
    for (const bool per_sequence : {false, true}) {
      DataKind kind;
      kind.pooling = per_sequence ? RNN_POOLING_LAST : RNN_POOLING_NONE;
      const Data data = make_data(c, {7, 3, 9, 6}, kind);
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(c);
      auto o = sized<rnn_train_options_t>();
      o.optimizer = RNN_OPTIMIZER_SGD;
      o.learning_rate = 0.5f;
      o.window = 3;
      o.stateless_windows = fresh ? 1 : 0;
      o.keep_order = 1;
      o.batch_size = 4;
      const TrainerHandle trainer = create_trainer(network, o);
      ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();

      reference::Network truth = reference::load(network.get());
      const reference::Sequences all = reference::convert(truth, in);
      std::vector<reference::Vector> carried(4);
      for (std::size_t start = 0; start < 9; start += 3) {
        reference::Sequences window;
        window.pooling = kind.pooling;
        std::size_t first = 0;
        for (std::size_t n = 0; n < 4; first += data.lengths[n], ++n) {
          if (data.lengths[n] <= start) continue;
          const std::size_t length = std::min<std::size_t>(3, data.lengths[n] - start);
          const bool last = start + length == data.lengths[n];
          window.lengths.push_back(length);
          for (std::size_t t = start; t < start + length; ++t) {
            for (std::size_t i = 0; i < I; ++i) window.inputs.push_back(all.inputs[(first + t) * I + i]);
            if (!per_sequence) window.classes.push_back(all.classes[first + t]);
          }
          if (per_sequence) {
            window.classes.push_back(all.classes[n]);
            window.weights.push_back(last ? 1.0 : 0.0);
          }
          if (start > 0 && !fresh)
            window.initial_states.insert(window.initial_states.end(), carried[n].begin(), carried[n].end());
        }
        const reference::Pass pass = reference::forward(truth, window);
        const auto S = static_cast<std::ptrdiff_t>(truth.state_size());
        std::ptrdiff_t row = 0;
        for (std::size_t n = 0; n < 4; ++n) {
          if (data.lengths[n] <= start) continue;
          const auto begin = pass.final_states.begin() + S * row++;
          carried[n].assign(begin, begin + S);
        }
        if (per_sequence && std::count(window.weights.begin(), window.weights.end(), 1.0) == 0) continue;
        const reference::Parameters g = reference::gradients(truth, window, RNN_LOSS_CROSS_ENTROPY);
        for (auto& [name, x] : truth.parameters)
          for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 0.5 * g.at(name)[i];
      }
      const reference::Network trained = reference::load(network_of(trainer).get());
      for (const auto& [name, x] : truth.parameters)
        for (std::size_t i = 0; i < x.size(); ++i)
          EXPECT_NEAR(trained.parameters.at(name)[i], x[i], 3e-6) << name << " fresh " << fresh;
    }
  }
}

TEST(Gradient, OfWindows) {
  using reference::cell_layer;
  using reference::dense_layer;
  check_windows(config(3, 5, 4, 2));
  const rnn_config_t c = config(3, 0, 0, 0);
  check_windows(
      reference::with_layers(c, {dense_layer(5, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 4),
                                 dense_layer(4, RNN_ACTIVATION_PRELU, RNN_FLAG_RESIDUAL),
                                 cell_layer(RNN_CELL_LSTM, 6, 0, RNN_DIRECTION_FORWARD, 3), dense_layer(4)}));
  check_windows(reference::with_layers(
      c, {cell_layer(RNN_CELL_MIN_GRU, 3), cell_layer(RNN_CELL_VANILLA, 4, RNN_FLAG_NO_BIAS),
          dense_layer(4, RNN_ACTIVATION_SWISH)}));
  for (std::uint32_t seed = 1; seed <= 30 && !testing::Test::HasFailure(); ++seed) {
    reference::ListKind kind;
    kind.embedding = kind.zoneout = false;
    const rnn_config_t list = reference::random_list(seed, kind);
    if (reference::can_pool(list, RNN_POOLING_LAST) &&
        !reference::architecture(list).has(RNN_FLAG_LAYER_NORM))
      check_windows(list);
  }
}

}  // namespace
}  // namespace rnn::training_test

// Gradients that a tape computes, of inputs and states too, against central differences in double precision.
#include "tests/training/gradient_cases.h"

namespace rnn::training_test {
namespace {

struct Cotangent {
  std::vector<float> outputs, final_states;
};

// The sum that has these gradients.
double weighted_sum(const reference::Pass& pass, const reference::Vector& outputs, const Cotangent& d) {
  double sum = 0.0;
  for (std::size_t i = 0; i < d.outputs.size(); ++i) sum += outputs[i] * static_cast<double>(d.outputs[i]);
  for (std::size_t i = 0; i < d.final_states.size(); ++i)
    sum += pass.final_states[i] * static_cast<double>(d.final_states[i]);
  return sum;
}

// sample: at most so many elements of each vector.
void check_tape(Case c, std::uint64_t seed, std::size_t sample) {
  Random random(seed + 1000);
  if (c.initial_states.empty() && random.below(2) == 0) give_states(c, seed);
  SCOPED_TRACE(describe(c));
  const NetworkHandle network = create(c.config);
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
  const TapeHandle tape(out);
  const rnn_dropout_rates_t rates = c.rates();
  ASSERT_EQ(rnn_tape_set_dropout_rates(out, &rates, c.dropout_key), RNN_OK) << rnn_last_error();

  reference::Network truth = load(network, c);
  rnn_sequences_t in = c.data.get();
  const std::size_t states = in.count * truth.state_size(),
                    outputs = c.data.target_count() * truth.output_size();
  const float* initial = c.initial_states.empty() ? nullptr : c.initial_states.data();
  reference::Sequences sequences = reference::convert(truth, in, initial);
  Cotangent d;
  if (random.below(4) != 0) d.outputs = numbers(random, outputs);
  if (random.below(4) != 0) d.final_states = numbers(random, states);
  const auto pointer = [](const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };

  // Sums of about so many terms of about 1.
  const Bounds bounds = {c.bounds().relative, c.bounds().absolute * 10};
  std::vector<float> y(outputs), final_states(states), d_x(c.data.inputs.size()), d_initial(states, 5.0f);
  ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &in, initial, y.data(), final_states.data()), RNN_OK);
  const auto outputs_of = [&](const reference::Pass& pass) -> const reference::Vector& {
    return in.pooling != RNN_POOLING_NONE ? pass.pooled : pass.outputs;
  };
  const reference::Pass pass = reference::forward(truth, sequences);
  for (std::size_t i = 0; i < outputs; ++i) expect_close(y[i], outputs_of(pass)[i], c.bounds(), "output");
  for (std::size_t i = 0; i < states; ++i)
    expect_close(final_states[i], pass.final_states[i], c.bounds(), "final state");
  ASSERT_EQ(rnn_tape_backward(tape.get(), pointer(d.outputs), pointer(d.final_states),
                              d_x.empty() ? nullptr : d_x.data(), d_initial.data()),
            RNN_OK)
      << rnn_last_error();

  const auto sum = [&] {
    const reference::Pass now = reference::forward(truth, sequences);
    return weighted_sum(now, outputs_of(now), d);
  };
  const auto compare = [&](const std::vector<float>& gradient, reference::Vector& x,
                           const std::string& name) {
    for (std::size_t k = 0; k < std::min(sample, x.size()); ++k) {
      const std::size_t i = x.size() <= sample ? k : static_cast<std::size_t>(random.below(x.size()));
      expect_close(gradient[i], reference::central_difference(x[i], sum, c.step()), bounds,
                   name + "[" + std::to_string(i) + "]");
    }
  };
  for (auto& [name, x] : truth.parameters) {
    std::vector<float> gradient(x.size());
    ASSERT_EQ(rnn_tape_gradient(tape.get(), name.c_str(), gradient.data(), gradient.size()), RNN_OK);
    compare(gradient, x, name);
  }
  if (!d_x.empty()) compare(d_x, sequences.inputs, "input");
  if (initial != nullptr) compare(d_initial, sequences.initial_states, "initial state");
}

TEST(Gradient, OfTapes) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) check_tape(random_case(seed), seed, 8);
}

TEST(Gradient, OfTapesOfLists) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed)
    check_tape(random_list_case(seed), seed, 8);
}

// Of inputs and of initial and final states, for every cell with and without what goes around it.
TEST(Gradient, OfTapesOfEveryCell) {
  std::uint64_t seed = 1;
  for (const auto& cell : kCells) {
    for (const bool around : {false, true}) {
      rnn_config_t n = config_of(cell, config(4, 5, around ? 0 : 3, 2));
      n.skip = around ? 4 : 2;
      if (around) n.flags |= RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL;
      if (around && can_normalize(n)) n.flags |= RNN_FLAG_LAYER_NORM, n.hidden_size += 3;
      if (around && n.cell == RNN_CELL_LSTM) n.projection_size = 3;
      n.initial_state = around ? RNN_INITIAL_FIXED : RNN_INITIAL_ZERO;
      DataKind kind;
      kind.resets = around;
      Case c = make_case(n, kind, {5, 2, 7});
      give_states(c);
      c.dropout = around ? 0.3f : 0.0f;
      check_tape(c, seed++, 1000);
    }
  }
}

// About as much is dropped as the rate says, the same for the same seed, and nothing without.
TEST(Gradient, OfDroppedOutputs) {
  const Data data = make_data(config(1, 1, 1), {90, 3, 50}, DataKind{});
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    const std::vector<float> first = mask(data, rate, 5, 0, 37), second = mask(data, rate, 5, 1, 37);
    EXPECT_EQ(mask(data, rate, 5, 0, 37), first);
    EXPECT_NE(second, first);
    EXPECT_NE(mask(data, rate, 6, 0, 37), first);
    for (const std::vector<float>* values : {&first, &second}) {
      std::size_t dropped = 0;
      for (const float value : *values) {
        dropped += value == 0.0f ? 1 : 0;
        EXPECT_FLOAT_EQ(value, value == 0.0f ? 0.0f : 1.0f / (1.0f - rate));
      }
      // Four standard deviations of 5291 draws.
      EXPECT_NEAR(static_cast<double>(dropped) / 5291.0, rate, 4 * std::sqrt(rate * (1 - rate) / 5291.0));
    }
  }
  EXPECT_EQ(mask(data, 0.0f, 5, 0, 37), std::vector<float>(143 * 37, 1.0f));
}

// Of every cell whose state can have it: of h, of c, of both; with recurrent dropout, what goes around the cell, and
// without; with masks and with their mean.
TEST(Gradient, OfZoneout) {
  const struct {
    std::int32_t kind;
    std::uint32_t flags;
  } cells[] = {{RNN_CELL_VANILLA, 0},
               {RNN_CELL_GRU, 0},
               {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE},
               {RNN_CELL_LSTM, 0},
               {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES | RNN_FLAG_COUPLED_GATES}};
  std::uint64_t seed = 1;
  for (const auto& cell : cells) {
    for (unsigned i = 0; i < 64; ++i) {
      rnn_layer_t layer = reference::cell_layer(cell.kind, 4, cell.flags);
      const bool h = i % 4 < 2, c_too = i % 4 > 0, around = (i & 4) != 0, custom = (i & 8) != 0;
      if (h) layer.zoneout_h = 0.25f;
      if (c_too && cell.kind == RNN_CELL_LSTM) layer.zoneout_c = 0.375f;
      if (custom) layer.clip = 2;
      if (around) layer.direction = RNN_DIRECTION_BOTH;
      if (around && (cell.flags & RNN_FLAG_RESET_BEFORE) == 0)
        layer.flags |= RNN_FLAG_LAYER_NORM, layer.size = 8;
      if (around && cell.kind == RNN_CELL_LSTM) layer.projection_size = 5;
      if (layer.zoneout_h == 0 && layer.zoneout_c == 0) continue;
      rnn_config_t n = config(3, 0, 0, 0);
      n.initial_state = RNN_INITIAL_TRAINED;
      DataKind kind;
      kind.resets = around;
      Case c = make_case(reference::with_layers(n, {layer, reference::cell_layer(RNN_CELL_GRU, 3)}), kind,
                         {5, 2, 7}, seed);
      give_states(c);
      c.zoneout = (i & 16) != 0;
      c.recurrent_dropout = (i & 32) != 0 ? 0.3f : 0.0f;
      c.dropout_key = seed;
      check_tape(c, seed++, 12);
    }
  }
}

// Of each unit and step, apart from each other, as many stay as the rate says; the same ones for the same key.
TEST(Gradient, OfZoneoutMasks) {
  const Data data = make_data(config(1, 1, 1), {90, 3, 50}, DataKind{});
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    rnn_layer_t layer = reference::cell_layer(RNN_CELL_LSTM, 37);
    layer.zoneout_h = layer.zoneout_c = rate;
    const NetworkHandle network = create(reference::with_layers(config(1, 0, 0, 0), {layer, layer}));
    const auto masks = [&](std::uint64_t key, std::size_t strand, std::size_t state) {
      reference::Network truth;
      give_zoneout(truth, network->network.weights(), data, key);
      std::vector<bool> result;
      for (std::size_t frame = 0; frame < 143; ++frame)
        for (std::size_t unit = 0; unit < 37; ++unit)
          result.push_back(truth.replaces(strand, state, frame, unit));
      return result;
    };
    const std::vector<bool> first = masks(5, 0, 0);
    EXPECT_EQ(masks(5, 0, 0), first);
    for (const std::vector<bool>& other : {masks(6, 0, 0), masks(5, 0, 1), masks(5, 1, 0)}) {
      EXPECT_NE(other, first);
      // Four standard deviations of 5291 draws.
      const auto stays = static_cast<double>(std::count(other.begin(), other.end(), false));
      EXPECT_NEAR(stays / 5291.0, rate, 4 * std::sqrt(rate * (1 - rate) / 5291.0));
    }
  }
}

// A tape has the mean of the masks until it is told to draw them, and for the same seed the same ones. Training draws
// others in each update, evaluation none.
TEST(Gradient, OfTrainingDrawsZoneout) {
  rnn_layer_t layer = reference::cell_layer(RNN_CELL_LSTM, 8);
  layer.zoneout_h = 0.5f;
  layer.zoneout_c = 0.25f;
  const NetworkHandle network =
      create(reference::with_layers(config(3, 0, 0, 0), {layer, reference::dense_layer(2)}));
  DataKind kind;
  kind.loss = RNN_LOSS_SQUARED_ERROR;
  const Data data = make_data(config(3, 8, 2), {9, 4, 6}, kind);
  const rnn_sequences_t in = data.get();
  const auto outputs = [&](std::int32_t zoneout, std::uint64_t seed) {
    rnn_tape_t* out = nullptr;
    EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
    const TapeHandle tape(out);
    auto rates = sized<rnn_dropout_rates_t>();
    rates.zoneout = zoneout;
    EXPECT_EQ(rnn_tape_set_dropout_rates(out, &rates, seed), RNN_OK) << rnn_last_error();
    std::vector<float> y(in.frames * 2);
    EXPECT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, y.data(), nullptr), RNN_OK)
        << rnn_last_error();
    return y;
  };
  EXPECT_EQ(outputs(1, 5), outputs(1, 5));
  EXPECT_NE(outputs(1, 5), outputs(1, 6));
  EXPECT_NE(outputs(1, 5), outputs(0, 5));
  EXPECT_EQ(outputs(0, 5), outputs(0, 6));

  auto o = sized<rnn_train_options_t>();
  o.loss = RNN_LOSS_SQUARED_ERROR;
  o.optimizer = RNN_OPTIMIZER_SGD;
  o.learning_rate = 1e-30f;  // the weights stay
  auto evaluation = sized<rnn_evaluation_t>();
  ASSERT_EQ(rnn_evaluate(network.get(), &in, &o, &evaluation), RNN_OK) << rnn_last_error();
  std::vector<double> losses[2];
  for (const std::int32_t threads : {1, 4}) {
    o.threads = threads;
    const TrainerHandle trainer = create_trainer(network, o);
    for (int i = 0; i < 3; ++i) {
      auto progress = sized<rnn_progress_t>();
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, &progress), RNN_OK) << rnn_last_error();
      losses[threads > 1 ? 1 : 0].push_back(progress.loss);
    }
  }
  EXPECT_EQ(losses[1], losses[0]);
  EXPECT_NE(losses[0][0], losses[0][1]);
  EXPECT_NE(losses[0][1], losses[0][2]);
  for (const double loss : losses[0]) EXPECT_GT(std::fabs(loss - evaluation.loss), 1e-5);
}

TEST(Gradient, OfTapesAddsUp) {
  const NetworkHandle network = create(config(3, 5, 2));
  const Data data = make_data(config(3, 5, 2), {4, 2}, {});
  const rnn_sequences_t in = data.get();
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const TapeHandle tape(out);
  Random random(1);
  const std::vector<float> d_y = numbers(random, 6 * 2);
  std::vector<float> once(15), twice(15);
  for (std::vector<float>* gradient : {&once, &twice}) {
    ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_ih_l0", gradient->data(), 15), RNN_OK);
  }
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_NE(once[i], 0.0f);
    EXPECT_NEAR(twice[i], 2 * once[i], 1e-6);
  }
  ASSERT_EQ(rnn_tape_zero_gradients(tape.get()), RNN_OK);
  ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_ih_l0", once.data(), 15), RNN_OK);
  EXPECT_EQ(once, std::vector<float>(15));
}

// A tape that has served other passes gives what a fresh one gives.
TEST(Gradient, OfTapesDoesNotDependOnPassesBefore) {
  const rnn_config_t c = config(3, 5, 2, 2);
  const NetworkHandle network = create(c);
  DataKind one_hot;
  one_hot.one_hot = true;
  const Data other = make_data(c, {9, 1, 3}, one_hot), data = make_data(c, {4, 2}, {});
  const rnn_sequences_t other_in = other.get(), in = data.get();
  Random random(1);
  const std::vector<float> d_y = numbers(random, 13 * 2);
  std::vector<float> d_x[2], gradient[2];
  for (const int used : {0, 1}) {
    rnn_tape_t* out = nullptr;
    ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
    const TapeHandle tape(out);
    if (used == 1) {
      ASSERT_EQ(rnn_tape_forward(out, network.get(), &other_in, nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_tape_backward(out, d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_tape_zero_gradients(out), RNN_OK);
    }
    d_x[used].resize(6 * 3);
    gradient[used].resize(25);
    ASSERT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_backward(out, d_y.data(), nullptr, d_x[used].data(), nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_gradient(out, "weight_hh_l1", gradient[used].data(), 25), RNN_OK);
  }
  EXPECT_EQ(bits(d_x[1]), bits(d_x[0]));
  EXPECT_EQ(bits(gradient[1]), bits(gradient[0]));
}

}  // namespace
}  // namespace rnn::training_test

// Gradients against central differences of the loss in double precision: every kind of parameter, loss,
// input, target, mask, reset and initial state, over one to three layers and ragged sequences.
#include <cmath>
#include <cstdint>

#include "lib/training/bptt.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

constexpr double kRelative = 3e-5;
constexpr double kAbsolute = 2e-6;

void expect_close(double value, double truth, const std::string& what) {
  EXPECT_NEAR(value, truth, kAbsolute + kRelative * std::fabs(truth)) << what;
}

// The gradient of one parameter, taken out of the padded layout.
std::vector<float> extract(const Parameter& p, const std::vector<float>& gradients) {
  std::vector<float> out;
  for (std::size_t i = 0; i < p.rows; ++i)
    for (std::size_t j = 0; j < p.columns; ++j) out.push_back(gradients.at(p.offset + i * p.stride + j));
  return out;
}

struct Case {
  rnn_config_t config;
  Data data;
  std::int32_t loss;
  std::vector<float> initial_states;  // [N, S]  or empty
  std::string name;
};

// What the engine computes for whole sequences.
struct Result {
  double loss;
  std::vector<float> gradients;
};

Result train(const NetworkHandle& network, const Case& c, std::int32_t n) {
  const Weights& weights = network->network.weights();
  Threads threads(n);
  Bptt bptt(weights, threads);
  bptt.pack(weights, false);
  const rnn_sequences_t sequences = c.data.get();
  std::vector<Slice> slices;
  std::vector<Item> items;
  std::size_t first = 0;
  for (std::size_t i = 0; i < c.data.lengths.size(); first += c.data.lengths[i], ++i) {
    slices.push_back({first, c.data.lengths[i]});
    items.push_back({i, i});
  }
  Pass pass;
  pass.weights = &weights;
  pass.data = &sequences;
  pass.slices = slices.data();
  pass.items = items.data();
  pass.count = slices.size();
  pass.initial_states = c.initial_states.empty() ? nullptr : c.initial_states.data();
  pass.loss = c.loss;
  pass.total = target_weight(pass);
  Result result{0.0, std::vector<float>(weights.value_count(), 77.0f)};
  result.loss = bptt.train(pass, result.gradients.data()).loss / pass.total;
  return result;
}

// sample: at most so many elements of each parameter.
void check(const Case& c, std::size_t sample, std::int32_t threads) {
  SCOPED_TRACE(c.name);
  const NetworkHandle network = create(c.config);
  const Result result = train(network, c, threads);
  const Weights& weights = network->network.weights();
  reference::Network truth = reference::load(network.get());
  const rnn_sequences_t in = c.data.get();
  const reference::Sequences sequences =
      reference::convert(truth, in, c.initial_states.empty() ? nullptr : c.initial_states.data());
  const auto loss = [&] { return reference::loss(truth, sequences, c.loss); };
  EXPECT_NEAR(result.loss, loss(), 2e-6 * std::max(1.0, loss()));

  Random random(9);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    const std::vector<float> gradient = extract(p, result.gradients);
    if (p.kind == Parameter::Kind::initial && c.config.initial_state != RNN_INITIAL_TRAINED) {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size())) << p.name;
      continue;
    }
    reference::Vector& x = truth.parameters.at(p.name);
    for (std::size_t k = 0; k < std::min(sample, x.size()); ++k) {
      const std::size_t j = x.size() <= sample ? k : static_cast<std::size_t>(random.below(x.size()));
      expect_close(gradient[j], reference::central_difference(x[j], loss),
                   p.name + ("[" + std::to_string(j) + "]"));
    }
  }
  // Padding stays zero: the optimiser relies on it.
  std::vector<float> rest = result.gradients;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row)
      std::fill_n(rest.begin() + static_cast<std::ptrdiff_t>(p.offset + row * p.stride), p.columns, 0.0f);
  }
  EXPECT_EQ(rest, std::vector<float>(rest.size()));
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  Case c{};
  c.config = config(1 + pick(6), 1 + pick(7), pick(4) == 0 ? 0 : 1 + pick(5), 1 + pick(3));
  c.config.initial_state = pick(3);
  c.config.flags = pick(4) == 0 ? RNN_NO_BIAS : 0;
  DataKind kind;
  kind.one_hot = pick(2) == 0;
  kind.target_per_sequence = pick(3) == 0;
  kind.masks = pick(2) == 0;
  kind.resets = pick(3) == 0;
  kind.loss = 1 + pick(3);
  std::vector<std::size_t> lengths(1 + random.below(6));
  for (std::size_t& length : lengths) length = 1 + random.below(7);
  c.data = make_data(c.config, lengths, kind, seed);
  c.loss = kind.loss;
  if (pick(3) == 0) {
    const auto states = static_cast<std::size_t>(c.config.num_layers * c.config.hidden_size);
    c.initial_states = numbers(random, lengths.size() * states);
  }
  c.name = "case " + std::to_string(seed) + ": I " + std::to_string(c.config.input_size) + ", H " +
           std::to_string(c.config.hidden_size) + ", O " + std::to_string(c.config.output_size) + ", L " +
           std::to_string(c.config.num_layers) + ", initial state " + std::to_string(c.config.initial_state) +
           ", one-hot " + std::to_string(kind.one_hot) + ", per sequence " +
           std::to_string(kind.target_per_sequence) + ", masks " + std::to_string(kind.masks) + ", resets " +
           std::to_string(kind.resets) + ", loss " + std::to_string(c.loss) + ", given states " +
           std::to_string(!c.initial_states.empty());
  return c;
}

TEST(Gradient, OfEveryKind) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) check(random_case(seed), 1000, 1);
}

// Sizes beyond a panel, a tile, a block of steps and a group of segments, none of them a multiple.
TEST(Gradient, OfLargerNetworks) {
  for (const bool one_hot : {false, true}) {
    Case c{};
    c.config = config(70, 67, 65, 2);
    c.config.initial_state = RNN_INITIAL_TRAINED;
    DataKind kind;
    kind.one_hot = one_hot;
    kind.masks = true;
    kind.resets = one_hot;
    std::vector<std::size_t> lengths;
    for (std::size_t n = 0; n < 19; ++n) lengths.push_back(n == 3 ? 70 : 3 + n / 2);
    c.data = make_data(c.config, lengths, kind);
    c.loss = kind.loss;
    c.name = one_hot ? "one-hot" : "dense";
    check(c, 4, 3);
  }
}

// ---- Tape ------------------------------------------------------------------------------------------

struct Cotangent {
  std::vector<float> outputs, final_states;
};

// The sum that has these gradients.
double weighted_sum(const reference::Pass& pass, const Cotangent& d) {
  double sum = 0.0;
  for (std::size_t i = 0; i < d.outputs.size(); ++i)
    sum += pass.outputs[i] * static_cast<double>(d.outputs[i]);
  for (std::size_t i = 0; i < d.final_states.size(); ++i)
    sum += pass.final_states[i] * static_cast<double>(d.final_states[i]);
  return sum;
}

void check_tape(std::uint64_t seed) {
  Case c = random_case(seed);
  SCOPED_TRACE(c.name);
  const NetworkHandle network = create(c.config);
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
  const TapeHandle tape(out);

  reference::Network truth = reference::load(network.get());
  rnn_sequences_t in = c.data.get();
  const std::size_t states = in.count * truth.state_size(), outputs = in.frames * truth.output_size();
  Random random(seed + 1000);
  if (c.initial_states.empty() && random.below(2) == 0) c.initial_states = numbers(random, states);
  const float* initial = c.initial_states.empty() ? nullptr : c.initial_states.data();
  reference::Sequences sequences = reference::convert(truth, in, initial);
  Cotangent d;
  if (random.below(4) != 0) d.outputs = numbers(random, outputs);
  if (random.below(4) != 0) d.final_states = numbers(random, states);
  const auto pointer = [](const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };

  std::vector<float> y(outputs), final_states(states), d_x(c.data.inputs.size()), d_initial(states, 5.0f);
  ASSERT_EQ(rnn_forward_tape(tape.get(), network.get(), &in, initial, y.data(), final_states.data()), RNN_OK);
  const reference::Pass pass = reference::forward(truth, sequences);
  for (std::size_t i = 0; i < outputs; ++i) EXPECT_NEAR(y[i], pass.outputs[i], 2e-6);
  for (std::size_t i = 0; i < states; ++i) EXPECT_NEAR(final_states[i], pass.final_states[i], 1e-6);
  ASSERT_EQ(rnn_backward(tape.get(), pointer(d.outputs), pointer(d.final_states),
                         d_x.empty() ? nullptr : d_x.data(), d_initial.data()),
            RNN_OK)
      << rnn_last_error();

  const auto sum = [&] { return weighted_sum(reference::forward(truth, sequences), d); };
  for (auto& [name, x] : truth.parameters) {
    std::vector<float> gradient(x.size());
    ASSERT_EQ(rnn_get_gradient(tape.get(), name.c_str(), gradient.data(), gradient.size()), RNN_OK);
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(gradient[i], reference::central_difference(x[i], sum), 1e-4) << name;
  }
  for (std::size_t i = 0; i < d_x.size(); ++i)
    EXPECT_NEAR(d_x[i], reference::central_difference(sequences.inputs[i], sum), 2e-5) << "input " << i;
  for (std::size_t i = 0; i < sequences.initial_states.size(); ++i)
    EXPECT_NEAR(d_initial[i], reference::central_difference(sequences.initial_states[i], sum), 2e-5)
        << "initial state " << i;
}

TEST(Gradient, OfTapes) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) check_tape(seed);
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
    ASSERT_EQ(rnn_forward_tape(tape.get(), network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_get_gradient(tape.get(), "weight_ih_l0", gradient->data(), 15), RNN_OK);
  }
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_NE(once[i], 0.0f);
    EXPECT_NEAR(twice[i], 2 * once[i], 1e-6);
  }
  ASSERT_EQ(rnn_zero_gradients(tape.get()), RNN_OK);
  ASSERT_EQ(rnn_get_gradient(tape.get(), "weight_ih_l0", once.data(), 15), RNN_OK);
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
      ASSERT_EQ(rnn_forward_tape(out, network.get(), &other_in, nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_backward(out, d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_zero_gradients(out), RNN_OK);
    }
    d_x[used].resize(6 * 3);
    gradient[used].resize(25);
    ASSERT_EQ(rnn_forward_tape(out, network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_backward(out, d_y.data(), nullptr, d_x[used].data(), nullptr), RNN_OK);
    ASSERT_EQ(rnn_get_gradient(out, "weight_hh_l1", gradient[used].data(), 25), RNN_OK);
  }
  EXPECT_EQ(bits(d_x[1]), bits(d_x[0]));
  EXPECT_EQ(bits(gradient[1]), bits(gradient[0]));
}

// ---- Windows ---------------------------------------------------------------------------------------

// A run over windows is plain gradient descent on each window's loss, from states that are constants.
TEST(Gradient, OfWindows) {
  for (const bool fresh : {false, true}) {
    for (const bool per_sequence : {false, true}) {
      rnn_config_t c = config(3, 5, 4, 2);
      c.initial_state = RNN_INITIAL_TRAINED;
      DataKind kind;
      kind.target_per_sequence = per_sequence;
      const Data data = make_data(c, {7, 3, 9, 6}, kind);
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(c);
      auto o = sized<rnn_train_options_t>();
      o.optimizer = RNN_SGD;
      o.learning_rate = 0.5f;
      o.window = 3;
      o.fresh_windows = fresh ? 1 : 0;
      o.keep_order = 1;
      o.batch_size = 4;
      const TrainerHandle trainer = create_trainer(network, o);
      ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();

      reference::Network truth = reference::load(network.get());
      const reference::Sequences all = reference::convert(truth, in);
      std::vector<reference::Vector> carried(4);
      for (std::size_t start = 0; start < 9; start += 3) {
        reference::Sequences window;
        window.target_per_sequence = per_sequence;
        std::size_t first = 0;
        for (std::size_t n = 0; n < 4; first += data.lengths[n], ++n) {
          if (data.lengths[n] <= start) continue;
          const std::size_t length = std::min<std::size_t>(3, data.lengths[n] - start);
          const bool last = start + length == data.lengths[n];
          window.lengths.push_back(length);
          for (std::size_t t = start; t < start + length; ++t) {
            for (std::size_t i = 0; i < 3; ++i) window.inputs.push_back(all.inputs[(first + t) * 3 + i]);
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
        std::size_t row = 0;
        for (std::size_t n = 0; n < 4; ++n) {
          if (data.lengths[n] <= start) continue;
          const auto begin = pass.final_states.begin() + static_cast<std::ptrdiff_t>(10 * row++);
          carried[n].assign(begin, begin + 10);
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

}  // namespace
}  // namespace rnn::training_test

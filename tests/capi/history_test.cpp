// rnn_history and rnn_rewind: whatever steps a stream, and however far it goes back, it is where a stream is that made
// only the steps that are left, one by one; and what is refused.
#include <algorithm>
#include <limits>

#include "layers.h"
#include "tests/reference/reference.h"

namespace {

constexpr size_t kMost = std::numeric_limits<size_t>::max();

void set_history(const Network& network, size_t steps) {
  ASSERT_EQ(rnn_history(network.get(), steps), RNN_OK) << rnn_last_error();
}
void take_back(const Network& network, size_t steps) {
  ASSERT_EQ(rnn_rewind(network.get(), steps), RNN_OK) << rnn_last_error();
}
// That is one step more than the stream can take back.
void refuses(const Network& network, size_t steps) {
  const std::string text = "steps is " + std::to_string(steps) + "; it must be 0.." +
                           std::to_string(steps - 1) + ", as many as the history has";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_rewind(network.get(), steps));
}

// ---- Any interleaving ------------------------------------------------------------------------------

struct Input {
  Floats x;  // or
  int32_t index = 0;
};

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  uint32_t bits() {
    state_ = state_ * 1664525u + 1013904223u;
    return state_ >> 8;
  }
  size_t below(size_t n) { return bits() % n; }
  bool once_in(size_t n) { return below(n) == 0; }

 private:
  uint32_t state_;
};

// A stream, and what it must be: `origin`, which has no history, after these inputs one by one.
struct Run {
  Network stream, origin;
  std::vector<Input> inputs;
  size_t history = 0, kept = 0;  // of inputs, the last that can be taken back
};

class Interleaving {
 public:
  Interleaving(const rnn_config_t& c, uint32_t seed)
      : random_(seed), network_(::create(c)), by_index_(c.embedding_size != 0) {
    inputs_ = static_cast<size_t>(c.input_size);
    outputs_ = outputs_of(network_.get());
    // The initial states are not all the same.
    size_t changed = 0;
    for (const rnn_parameter_t& p : parameters(network_.get()))
      if (std::string(p.name).find("initial") != std::string::npos)
        set_parameter(network_, p.name, numbers(p.rows * p.columns, seed + static_cast<uint32_t>(changed++)));
    EXPECT_EQ(rnn_reset(network_.get()), RNN_OK);
    runs_.push_back({fork(network_), fork(network_), {}});
    history(runs_[0]);
  }

  // One event, of which a failure says what it was.
  void event() {
    Run& run = runs_[random_.below(runs_.size())];
    using Event = void (Interleaving::*)(Run&);
    constexpr std::pair<const char*, Event> kEvents[] = {
        {"step", &Interleaving::step},           {"step", &Interleaving::step},
        {"step", &Interleaving::step},           {"block", &Interleaving::block},
        {"block", &Interleaving::block},         {"step_many", &Interleaving::step_many},
        {"step_many", &Interleaving::step_many}, {"rewind", &Interleaving::rewind},
        {"rewind", &Interleaving::rewind},       {"rewind", &Interleaving::rewind},
        {"rewind", &Interleaving::rewind},       {"fork", &Interleaving::copy},
        {"fork", &Interleaving::copy},           {"reset", &Interleaving::reset},
        {"set_state", &Interleaving::set_state}, {"delay", &Interleaving::delay},
        {"history", &Interleaving::history},     {"generate", &Interleaving::generate},
        {"rollout", &Interleaving::rollout},     {"forward", &Interleaving::forward},
        {"forward", &Interleaving::forward}};
    const auto& [name, function] = kEvents[random_.below(std::size(kEvents))];
    SCOPED_TRACE(name);
    (this->*function)(run);
  }

  // All streams are what they must be, and so is all that they remember.
  void check() {
    for (const Run& run : runs_) {
      const Network straight = straight_run(run);
      ASSERT_TRUE(same_bits(state(run.stream), state(straight)));
      const Network next = fork(run.stream);
      Random random(9);
      for (int t = 0; t < 3; ++t) {
        const Input input = random_input(random);
        Floats y(outputs_), expected(outputs_);
        step_by(next, input, y.data());
        step_by(straight, input, expected.data());
        ASSERT_TRUE(same_bits(y, expected));
      }
      refuses(run.stream, run.kept + 1);
    }
  }

 private:
  Input random_input(Random& random) const {
    if (by_index_ || random.once_in(3)) return {{}, static_cast<int32_t>(random.below(inputs_))};
    return {numbers(inputs_, random.bits()), 0};
  }
  std::vector<Input> random_inputs(size_t count, bool by_index) {
    std::vector<Input> result(count);
    for (Input& input : result) {
      if (by_index)
        input.index = static_cast<int32_t>(random_.below(inputs_));
      else
        input.x = numbers(inputs_, random_.bits());
    }
    return result;
  }
  bool chooses_index() { return by_index_ || random_.once_in(2); }
  static void step_by(const Network& stream, const Input& input, float* y) {
    ASSERT_EQ(input.x.empty() ? rnn_step_index(stream.get(), input.index, y)
                              : rnn_step(stream.get(), input.x.data(), y),
              RNN_OK)
        << rnn_last_error();
  }
  Network straight_run(const Run& run) const {
    Network stream = fork(run.origin);
    for (const Input& input : run.inputs) step_by(stream, input, nullptr);
    return stream;
  }
  // What the straight run gives for these, which the stream has stepped.
  Floats advance(Run& run, const std::vector<Input>& inputs) const {
    const Network straight = straight_run(run);
    Floats y(inputs.size() * outputs_);
    for (size_t t = 0; t < inputs.size(); ++t) step_by(straight, inputs[t], y.data() + t * outputs_);
    run.inputs.insert(run.inputs.end(), inputs.begin(), inputs.end());
    run.kept = std::min(run.kept + inputs.size(), run.history);
    return y;
  }
  static void restart(Run& run, Network origin) {
    run.origin = std::move(origin);
    run.inputs.clear();
    run.kept = 0;
  }
  // Of the same delay, in the initial state.
  static Network fresh(const Run& run) {
    Network origin = fork(run.origin);
    EXPECT_EQ(rnn_reset(origin.get()), RNN_OK);
    return origin;
  }

  struct Flat {
    Floats x;
    std::vector<int32_t> indices;
  };
  static Flat flat(const std::vector<Input>& inputs) {
    Flat result;
    for (const Input& input : inputs) {
      result.x.insert(result.x.end(), input.x.begin(), input.x.end());
      result.indices.push_back(input.index);
    }
    return result;
  }

  void step(Run& run) {
    const Input input = random_input(random_);
    Floats y(outputs_);
    step_by(run.stream, input, y.data());
    EXPECT_TRUE(same_bits(y, advance(run, {input})));
  }

  void block(Run& run) {
    constexpr size_t kSteps[] = {1, 2, 7, 16, 40, 64, 100};
    if (random_.once_in(2)) {
      ASSERT_EQ(rnn_reserve_block(run.stream.get(), 1 + random_.below(70)), RNN_OK);
    }
    const bool by_index = chooses_index();
    const size_t steps = kSteps[random_.below(std::size(kSteps))];
    const std::vector<Input> inputs = random_inputs(steps, by_index);
    const Flat in = flat(inputs);
    Floats y(steps * outputs_);
    ASSERT_EQ(by_index ? rnn_step_block_index(run.stream.get(), in.indices.data(), steps, y.data())
                       : rnn_step_block(run.stream.get(), in.x.data(), steps, y.data()),
              RNN_OK);
    EXPECT_TRUE(same_bits(y, advance(run, inputs))) << steps << " steps";
  }

  void step_many(Run&) {
    const bool by_index = chooses_index();
    const size_t count = runs_.size();
    const std::vector<Input> inputs = random_inputs(count, by_index);
    const Flat in = flat(inputs);
    std::vector<rnn_t*> streams;
    for (const Run& run : runs_) streams.push_back(run.stream.get());
    Floats y(count * outputs_), expected;
    ASSERT_EQ(by_index ? rnn_step_many_index(streams.data(), count, in.indices.data(), y.data())
                       : rnn_step_many(streams.data(), count, in.x.data(), y.data()),
              RNN_OK)
        << rnn_last_error();
    for (size_t i = 0; i < count; ++i) {
      const Floats row = advance(runs_[i], {inputs[i]});
      expected.insert(expected.end(), row.begin(), row.end());
    }
    EXPECT_TRUE(same_bits(y, expected));
  }

  void rewind(Run& run) {
    const size_t steps = random_.once_in(3) ? run.kept : random_.below(run.kept + 1);
    take_back(run.stream, steps);
    run.inputs.resize(run.inputs.size() - steps);
    run.kept -= steps;
  }

  void copy(Run&) {
    if (runs_.size() == 4) runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(random_.below(4)));
    const Run& from = runs_[random_.below(runs_.size())];
    runs_.push_back({fork(from.stream), fork(from.origin), from.inputs, from.history, from.kept});
  }

  void reset(Run& run) {
    ASSERT_EQ(rnn_reset(run.stream.get()), RNN_OK);
    restart(run, fresh(run));
  }

  void set_state(Run& run) {
    Network origin = fresh(run);
    const Floats given = numbers(state(origin).size(), random_.bits());
    for (const Network* n : {&run.stream, &origin})
      ASSERT_EQ(rnn_set_state(n->get(), given.data(), given.size()), RNN_OK) << rnn_last_error();
    restart(run, std::move(origin));
  }

  void delay(Run& run) {
    constexpr float kDelays[] = {1, 1, 2, 3, 1.25f, 2.75f};
    const float delay = kDelays[random_.below(std::size(kDelays))];
    Network origin = straight_run(run);
    for (const Network* n : {&run.stream, &origin})
      ASSERT_EQ(rnn_set_delay(n->get(), delay), RNN_OK) << rnn_last_error();
    restart(run, std::move(origin));
  }

  void history(Run& run) {
    constexpr size_t kSteps[] = {0, 1, 2, 9, 30, 70, 150};
    run.history = kSteps[random_.below(std::size(kSteps))];
    set_history(run.stream, run.history);
    run.kept = std::min(run.kept, run.history);
  }

  void generate(Run& run) {
    if (outputs_ != inputs_) return;
    auto options = sized<rnn_generate_options_t>();
    const std::vector<int32_t> prompt =
        indices(1 + random_.below(3), static_cast<int32_t>(inputs_), random_.bits());
    options.prompt = prompt.data();
    options.prompt_count = prompt.size();
    options.seed = random_.bits();
    std::vector<int32_t> drawn(1 + random_.below(6));
    size_t written = 0;
    ASSERT_EQ(rnn_generate(run.stream.get(), &options, drawn.data(), drawn.size(), &written), RNN_OK)
        << rnn_last_error();
    std::vector<Input> inputs;
    for (const int32_t index : prompt) inputs.push_back({{}, index});
    for (size_t t = 0; t + 1 < written; ++t) inputs.push_back({{}, drawn[t]});
    advance(run, inputs);
  }

  void rollout(Run& run) {
    if (outputs_ != inputs_ || by_index_) return;
    const size_t steps = 1 + random_.below(5);
    const Floats x = numbers(inputs_, random_.bits());
    Floats y(steps * outputs_);
    ASSERT_EQ(rnn_rollout(run.stream.get(), x.data(), steps, y.data()), RNN_OK) << rnn_last_error();
    std::vector<Input> inputs = {{x, 0}};
    for (size_t t = 0; t + 1 < steps; ++t) {
      const auto row = y.begin() + static_cast<std::ptrdiff_t>(t * outputs_);
      inputs.push_back({Floats(row, row + static_cast<std::ptrdiff_t>(outputs_)), 0});
    }
    EXPECT_TRUE(same_bits(y, advance(run, inputs)));
  }

  // With the stream's state or beside it, with a reset somewhere, states, or pooling.
  void forward(Run& run) {
    const size_t steps = 1 + random_.below(50), reset = random_.once_in(3) ? random_.below(steps) : 0;
    const bool by_index = chooses_index();
    const std::vector<Input> inputs = random_inputs(steps, by_index);
    const Flat given = flat(inputs);
    std::vector<uint8_t> resets(steps);
    if (reset != 0) resets[reset] = 1;
    auto in = sized<rnn_sequences_t>();
    in.count = 1;
    in.frames = steps;
    in.lengths = &steps;
    in.inputs = by_index ? nullptr : given.x.data();
    in.indices = by_index ? given.indices.data() : nullptr;
    in.resets = reset != 0 ? resets.data() : nullptr;
    auto options = sized<rnn_forward_options_t>();
    options.stateful = random_.once_in(4) ? 0 : 1;
    float delay = 0;
    ASSERT_EQ(rnn_get_delay(run.stream.get(), &delay), RNN_OK);
    const rnn_config_t c = config_of(run.stream.get());
    if (delay == 1.0f && random_.once_in(3) && rnn::reference::can_pool(c, RNN_POOLING_LAST))
      options.pooling = RNN_POOLING_LAST;
    const bool pools = options.pooling != 0;
    Floats states(steps * state(run.stream).size());
    if (random_.once_in(3)) options.states = states.data();
    Floats y((pools ? 1 : steps) * outputs_);
    ASSERT_EQ(rnn_forward(run.stream.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
    Run other = {{}, fresh(run), {}};
    Run& stepped = options.stateful != 0 ? run : other;
    const auto middle = inputs.begin() + static_cast<std::ptrdiff_t>(reset);
    Floats expected = reset != 0 ? advance(stepped, {inputs.begin(), middle}) : Floats();
    if (reset != 0) restart(stepped, fresh(stepped));
    const Floats rest = advance(stepped, {middle, inputs.end()});
    expected.insert(expected.end(), rest.begin(), rest.end());
    if (pools) expected.erase(expected.begin(), expected.end() - static_cast<std::ptrdiff_t>(outputs_));
    EXPECT_TRUE(same_bits(y, expected));
    if (options.states != nullptr) {
      const Floats last = state(straight_run(stepped));
      EXPECT_TRUE(
          same_bits(last, Floats(states.end() - static_cast<std::ptrdiff_t>(last.size()), states.end())));
    }
  }

  Random random_;
  Network network_;
  bool by_index_;
  size_t inputs_ = 0, outputs_ = 0;
  std::vector<Run> runs_;
};

struct Case {
  const char* name;
  rnn_config_t config;
};

// As many outputs as inputs, so that outputs become inputs.
rnn_config_t with_feedback(const rnn_config_t& c) {
  Layers layers(c.layers, c.layers + c.layer_count);
  layers.push_back(dense_layer(c.input_size));
  rnn_config_t result = with_layers(c, layers);
  result.flags &= ~static_cast<uint32_t>(RNN_FLAG_TIED_HEAD);
  return result;
}

rnn_layer_t convolution(int32_t size, int32_t kernel, int32_t dilation) {
  rnn_layer_t layer = dense_layer(size, RNN_ACTIVATION_TANH);
  layer.kind = RNN_LAYER_CONV1D;
  layer.kernel_size = kernel;
  layer.dilation = dilation;
  return layer;
}

// A stream of one kernel, layers of them, blocks that go through the layers together, and all kinds of past.
std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const char* name, int32_t cell, rnn_config_t c) {
    c.cell = cell;
    all.push_back({name, c});
  };
  add("one_lstm", RNN_CELL_LSTM, config(3, 16, 3));
  add("two_gru", RNN_CELL_GRU, config(3, 16, 3, 2));
  add("wide_lstm", RNN_CELL_LSTM, config(65, 100, 65, 2));
  rnn_config_t c = config(40, 90, 40, 2);
  c.projection_size = 33;
  add("projected_lstm", RNN_CELL_LSTM, c);
  c = config(90, 70, 90, 2);
  c.flags = RNN_FLAG_RESIDUAL;
  c.skip = 90;
  add("residual_min_lstm", RNN_CELL_MIN_LSTM, c);
  c = config(30, 60, 30);
  c.embedding_size = 60;
  c.flags = RNN_FLAG_TIED_HEAD;
  c.initial_state = RNN_INITIAL_TRAINED;
  add("embedded_gru", RNN_CELL_GRU, c);
  c = list(2, {convolution(4, 3, 2), cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL), convolution(7, 2, 5),
               cell_layer(RNN_CELL_LSTM, 6), dense_layer(2)});
  c.initial_state = RNN_INITIAL_TRAINED;
  all.push_back({"mixed", c});
  all.push_back({"convolutions", list(3, {convolution(5, 4, 3), convolution(3, 2, 1)})});
  all.push_back({"dense", list(3, {dense_layer(5, RNN_ACTIVATION_TANH), dense_layer(3)})});
  return all;
}

void interleave(const rnn_config_t& given, uint32_t seed) {
  for (const int32_t compute : {RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST}) {
    rnn_config_t c = given;
    c.compute = compute;
    Interleaving streams(c, seed);
    for (int i = 0; i < 60 && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("compute " + std::to_string(compute) + ", event " + std::to_string(i));
      streams.event();
      streams.check();
    }
  }
}

class History : public testing::TestWithParam<Case> {
 protected:
  const rnn_config_t& c = GetParam().config;
};

TEST_P(History, OfAnyInterleavingIsThatOfTheStraightRun) {
  for (uint32_t seed = 1; seed <= 4; ++seed) interleave(c, seed);
}

INSTANTIATE_TEST_SUITE_P(Of, History, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

class HistoryOfLists : public testing::TestWithParam<uint32_t> {};

TEST_P(HistoryOfLists, IsThatOfTheStraightRun) {
  rnn::reference::ListKind kind;
  kind.widest = GetParam() % 3 == 0 ? 70 : 20;
  const rnn_config_t c = rnn::reference::random_list(GetParam(), kind);
  SCOPED_TRACE(rnn::reference::text_of(c));
  interleave(GetParam() % 2 == 0 ? with_feedback(c) : c, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryOfLists, testing::Range(1u, 25u));

// ---- One by one ------------------------------------------------------------------------------------

class Rewinding : public testing::Test {
 protected:
  // The states before each of as many steps, and after them.
  std::vector<Floats> advance(const Network& stream, size_t steps, uint32_t seed = 1) {
    const Floats x = numbers(2 * steps, seed);
    std::vector<Floats> states = {state(stream)};
    for (size_t t = 0; t < steps; ++t) {
      EXPECT_EQ(rnn_step(stream.get(), x.data() + 2 * t, nullptr), RNN_OK);
      states.push_back(state(stream));
    }
    return states;
  }

  const Network network = create(cases()[6].config);  // "mixed"
};

TEST_F(Rewinding, GoesAsFarAsThereIsAHistory) {
  refuses(network, 1);
  take_back(network, 0);
  set_history(network, 5);
  refuses(network, 1);
  const std::vector<Floats> states = advance(network, 8);
  refuses(network, 6);
  EXPECT_TRUE(same_bits(state(network), states[8])) << "what is refused changes nothing";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "it must be 0..5, as many", rnn_rewind(network.get(), kMost));
  take_back(network, 2);
  EXPECT_TRUE(same_bits(state(network), states[6]));
  refuses(network, 4);
  take_back(network, 0);
  EXPECT_TRUE(same_bits(state(network), states[6]));
  take_back(network, 3);
  EXPECT_TRUE(same_bits(state(network), states[3]));
  refuses(network, 1);
}

TEST_F(Rewinding, ForgetsStepsBeforeAnotherPast) {
  set_history(network, 5);
  const Floats given = numbers(state(network).size(), 3);
  for (int i = 0; i < 3; ++i) {
    advance(network, 3);
    const rnn_status_t status = i == 0   ? rnn_reset(network.get())
                                : i == 1 ? rnn_set_state(network.get(), given.data(), given.size())
                                         : rnn_set_delay(network.get(), 1.5f);
    ASSERT_EQ(status, RNN_OK) << rnn_last_error();
    refuses(network, 1);
    const std::vector<Floats> states = advance(network, 2);
    refuses(network, 3);
    take_back(network, 2);
    EXPECT_TRUE(same_bits(state(network), states[0]));
  }
}

TEST_F(Rewinding, StaysWithTheStreamWhenTheHistoryGrowsOrShrinks) {
  set_history(network, 4);
  const std::vector<Floats> states = advance(network, 9);
  set_history(network, 6);
  EXPECT_TRUE(same_bits(state(network), states[9]));
  refuses(network, 5);
  set_history(network, 3);
  refuses(network, 4);
  take_back(network, 2);
  EXPECT_TRUE(same_bits(state(network), states[7]));
  set_history(network, 0);
  EXPECT_TRUE(same_bits(state(network), states[7]));
  refuses(network, 1);
}

TEST_F(Rewinding, IsOfEachCopyAlone) {
  set_history(network, 4);
  const std::vector<Floats> states = advance(network, 6);
  rnn_t* out = nullptr;
  ASSERT_EQ(rnn_convert(network.get(), RNN_COMPUTE_F32, &out), RNN_OK) << rnn_last_error();
  const Network forked = fork(network), cloned = clone(network), converted(out), loaded = reload(network);
  set_history(network, 0);
  for (const Network* copy : {&forked, &cloned, &converted}) {
    refuses(*copy, 5);
    take_back(*copy, 3);
    EXPECT_TRUE(same_bits(state(*copy), states[3]));
    refuses(*copy, 2);
  }
  refuses(loaded, 1);
}

// To states of the weights that were.
TEST_F(Rewinding, GoesOnWithNewWeights) {
  set_history(network, 4);
  const Network changed = clone(network);
  set_parameter(changed, "layers.4.bias", {0.5f, -0.25f});
  const std::vector<Floats> states = advance(network, 4);
  ASSERT_EQ(rnn_sync(network.get(), changed.get()), RNN_OK);
  take_back(network, 1);
  EXPECT_TRUE(same_bits(state(network), states[3]));
  set_parameter(network, "layers.4.bias", {0.25f, 0.5f});
  take_back(network, 3);
  EXPECT_TRUE(same_bits(state(network), states[0]));
}

// Nothing of what is generated is kept where it fails.
TEST_F(Rewinding, IsAsItWasAfterAFailure) {
  const Network generator = create(config(3, 2, 3));
  set_parameter(generator, "weight_ih_l0", Floats(6, 10));
  set_parameter(generator, "weight_hh_l0", Floats(4));
  set_parameter(generator, "head.weight", {0, 0, 3e38f, 3e38f, 0, 0});
  set_history(generator, 6);
  ASSERT_EQ(rnn_step_index(generator.get(), 1, nullptr), RNN_OK);
  const Floats before = state(generator);
  auto options = sized<rnn_generate_options_t>();
  const int32_t prompt[] = {0, 1};
  options.prompt = prompt;
  options.prompt_count = 2;
  int32_t drawn[4];
  size_t written = 0;
  ASSERT_EQ(rnn_generate(generator.get(), &options, drawn, 4, &written), RNN_NOT_FINITE);
  EXPECT_TRUE(same_bits(state(generator), before));
  refuses(generator, 2);
}

TEST_F(Rewinding, IsRefused) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_history(nullptr, 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_rewind(nullptr, 0));
  set_history(network, 3);
  const std::vector<Floats> states = advance(network, 3);
  for (const size_t steps : {kMost, kMost / 2, kMost / 1024})
    EXPECT_FAILS(RNN_OUT_OF_MEMORY, "", rnn_history(network.get(), steps));
  take_back(network, 3);
  EXPECT_TRUE(same_bits(state(network), states[0]));
  rnn_config_t c = config(2, 4, 2);
  c.flags = RNN_FLAG_BIDIRECTIONAL;
  const Network both = create(c);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "the network has a reverse direction", rnn_history(both.get(), 2));
  refuses(both, 1);
}

}  // namespace

// The same bits, however the steps are made: alone, many at once, blocks, whole sequences.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common.h"
#include "tests/reference/lists.h"
#include "tests/reference/reference.h"

namespace {

struct Shape {
  int32_t inputs, hidden, outputs, layers;
  uint32_t flags;
  int32_t cell = RNN_CELL_VANILLA, projection = 0, embedding = 0, skip = 0;
  uint32_t list = 0;  // the seed of a random list of layers, which says all the rest; 0: none
};

// Every third of them wide.
rnn_config_t list_of(uint32_t seed) {
  rnn::reference::ListKind kind;
  kind.widest = seed % 3 == 0 ? 70 : 20;
  return rnn::reference::random_list(seed, kind);
}

Shape list_shape(uint32_t seed) {
  const rnn_config_t c = list_of(seed);
  Shape shape = {c.input_size, 0, 0, 0, c.flags};
  shape.embedding = c.embedding_size;
  shape.skip = c.skip;
  shape.list = seed;
  return shape;
}

const Shape kShapes[] = {
    {1, 1, 1, 1, 0},
    {1, 1, 0, 2, 0},
    {3, 17, 2, 1, 0},
    {17, 16, 33, 2, 0},
    {5, 50, 60, 2, 0},
    {2, 15, 1, 3, 0},
    {65, 64, 5, 1, 0},
    {20, 100, 0, 2, 0},
    {31, 48, 70, 2, RNN_FLAG_NO_BIAS},
    {40, 130, 9, 2, 0},
    {30, 75, 20, 2, 0, RNN_CELL_GRU},
    {30, 72, 20, 1, 0, RNN_CELL_LSTM, 50},
    {65, 60, 65, 2, 0, RNN_CELL_LSTM, 0, 40},
    {90, 70, 1, 2, 0, RNN_CELL_MIN_GRU},
    {90, 66, 3, 2, RNN_FLAG_RESIDUAL, RNN_CELL_MIN_LSTM},
    {33, 50, 33, 1, RNN_FLAG_COUPLED_GATES + RNN_FLAG_PEEPHOLES, RNN_CELL_LSTM, 0, 0, 33},
    {3, 17, 2, 2, RNN_FLAG_RELU},
    {5, 50, 60, 2, 0, RNN_CELL_GRU},
    {1, 1, 0, 1, RNN_FLAG_NO_BIAS, RNN_CELL_GRU},
    {3, 33, 5, 2, RNN_FLAG_RESET_BEFORE, RNN_CELL_GRU},
    {5, 50, 60, 2, 0, RNN_CELL_LSTM},
    {1, 16, 1, 1, 0, RNN_CELL_LSTM},
    {7, 40, 5, 2, 0, RNN_CELL_LSTM, 17},
    {7, 40, 0, 2, RNN_FLAG_RESIDUAL, RNN_CELL_LSTM, 39},
    {4, 20, 3, 3, RNN_FLAG_RESIDUAL + RNN_FLAG_LAYER_NORM},
    {4, 20, 3, 2, RNN_FLAG_LAYER_NORM, RNN_CELL_GRU},
    {4, 20, 3, 2, RNN_FLAG_LAYER_NORM, RNN_CELL_LSTM, 9},
    {9, 20, 3, 2, 0, RNN_CELL_LSTM, 0, 11},
    {9, 20, 9, 1, RNN_FLAG_TIED_HEAD, RNN_CELL_GRU, 0, 20},
    {1, 16, 1, 1, 0, RNN_CELL_LSTM, 0, 0, 1},
    {20, 33, 19, 2, 0, RNN_CELL_GRU, 0, 0, 19},
    {5, 8, 0, 1, 0, RNN_CELL_VANILLA, 0, 0, 2},
    {1, 1, 0, 1, RNN_FLAG_NO_BIAS, RNN_CELL_MIN_GRU},
    {1, 16, 1, 1, 0, RNN_CELL_MIN_GRU, 0, 0, 1},
    {5, 40, 3, 1, 0, RNN_CELL_MIN_GRU},
    {3, 33, 0, 3, RNN_FLAG_RESIDUAL, RNN_CELL_MIN_GRU},
    {9, 20, 9, 2, RNN_FLAG_TIED_HEAD, RNN_CELL_MIN_GRU, 0, 20},
    {1, 16, 1, 1, 0, RNN_CELL_MIN_LSTM, 0, 0, 1},
    {3, 33, 5, 3, RNN_FLAG_RESIDUAL, RNN_CELL_MIN_LSTM},
    {1, 16, 1, 1, RNN_FLAG_PEEPHOLES, RNN_CELL_LSTM, 0, 0, 1},
    {5, 50, 60, 2, RNN_FLAG_PEEPHOLES + RNN_FLAG_RESIDUAL, RNN_CELL_LSTM, 17},
    {9, 20, 3, 2, RNN_FLAG_PEEPHOLES + RNN_FLAG_LAYER_NORM, RNN_CELL_LSTM},
    {1, 16, 1, 1, RNN_FLAG_COUPLED_GATES, RNN_CELL_LSTM, 0, 0, 1},
    {3, 33, 5, 3, RNN_FLAG_COUPLED_GATES, RNN_CELL_LSTM},
    {1, 5, 1, 1, RNN_FLAG_COUPLED_GATES + RNN_FLAG_PEEPHOLES + RNN_FLAG_NO_BIAS, RNN_CELL_LSTM},
    {20, 100, 0, 2, RNN_FLAG_COUPLED_GATES + RNN_FLAG_PEEPHOLES, RNN_CELL_LSTM},
};

Network create(const Shape& shape) {
  if (shape.list != 0) return ::create(list_of(shape.list));
  rnn_config_t c = config(shape.inputs, shape.hidden, shape.outputs, shape.layers);
  c.flags = shape.flags;
  c.cell = shape.cell;
  c.projection_size = shape.projection;
  c.embedding_size = shape.embedding;
  c.skip = shape.skip;
  return ::create(c);
}

class Steps : public testing::TestWithParam<Shape> {
 protected:
  // The state after each of `steps` steps and the outputs, from the present state of a fork.
  void step_alone(const float* x, const int32_t* index, size_t steps, Floats* y, Floats* states) {
    const Network stream = fork(network);
    for (size_t t = 0; t < steps; ++t) {
      Floats row(outputs);
      if (x != nullptr) {
        ASSERT_EQ(rnn_step(stream.get(), x + t * inputs, row.data()), RNN_OK) << rnn_last_error();
      } else {
        ASSERT_EQ(rnn_step_index(stream.get(), index[t], row.data()), RNN_OK) << rnn_last_error();
      }
      y->insert(y->end(), row.begin(), row.end());
      const Floats after = state(stream);
      states->insert(states->end(), after.begin(), after.end());
    }
  }

  // What the network reads.
  Data data_of(const std::vector<size_t>& lengths, uint32_t seed) const {
    return embedded ? index_data(lengths, GetParam().inputs, seed) : float_data(lengths, inputs, seed);
  }
  void step_alone(const Data& data, size_t first, size_t steps, Floats* y, Floats* states) {
    step_alone(data.indices.empty() ? data.inputs.data() + first * inputs : nullptr,
               data.indices.empty() ? nullptr : data.indices.data() + first, steps, y, states);
  }
  // One step of the network itself.
  void advance(uint32_t seed) {
    Floats y(outputs);
    if (embedded)
      ASSERT_EQ(rnn_step_index(network.get(), indices(1, GetParam().inputs, seed)[0], y.data()), RNN_OK);
    else
      ASSERT_EQ(rnn_step(network.get(), numbers(inputs, seed).data(), y.data()), RNN_OK);
  }

  const bool embedded = GetParam().embedding != 0;
  const Network network = create(GetParam());
  const size_t inputs = static_cast<size_t>(GetParam().inputs);
  const size_t outputs = outputs_of(network.get());
  const size_t size = state(network).size();
};

// W v + b in double; b may be empty.
std::vector<double> affine(const Floats& w, const std::vector<double>& v, const Floats& b) {
  std::vector<double> result(w.size() / v.size());
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = b.empty() ? 0 : static_cast<double>(b[i]);
    for (size_t j = 0; j < v.size(); ++j) result[i] += static_cast<double>(w[i * v.size() + j]) * v[j];
  }
  return result;
}

// Of the plain cell; for the others, tests/unit has the reference.
TEST_P(Steps, ComputeTheFormula) {
  if (GetParam().list != 0) return;
  if (GetParam().cell != RNN_CELL_VANILLA || (GetParam().flags & ~uint32_t{RNN_FLAG_NO_BIAS}) != 0) return;
  const auto layers = static_cast<size_t>(GetParam().layers), hidden = static_cast<size_t>(GetParam().hidden);
  const bool bias = GetParam().flags == 0;
  const auto get = [&](const std::string& name) { return parameter(network, name); };
  std::vector<std::vector<double>> h(layers, std::vector<double>(hidden));
  for (uint32_t t = 0; t < 3; ++t) {
    const Floats x = numbers(inputs, 20 + t);
    Floats y(outputs, 42);
    ASSERT_EQ(rnn_step(network.get(), x.data(), y.data()), RNN_OK);
    std::vector<double> v(x.begin(), x.end());
    for (size_t l = 0; l < layers; ++l) {
      const std::string layer = "l" + std::to_string(l);
      const std::vector<double> input =
          affine(get("weight_ih_" + layer), v, bias ? get("bias_ih_" + layer) : Floats());
      v = affine(get("weight_hh_" + layer), h[l], {});
      for (size_t i = 0; i < hidden; ++i) v[i] = std::tanh(v[i] + input[i]);
      h[l] = v;
    }
    if (GetParam().outputs != 0) v = affine(get("head.weight"), v, bias ? get("head.bias") : Floats());
    for (size_t i = 0; i < static_cast<size_t>(GetParam().skip); ++i) v[i] += static_cast<double>(x[i]);
    for (size_t i = 0; i < outputs; ++i) ASSERT_NEAR(y[i], v[i], 1e-5) << "output " << i << " of step " << t;
    const Floats after = state(network);
    for (size_t i = 0; i < size; ++i) ASSERT_NEAR(after[i], h[i / hidden][i % hidden], 1e-5) << "state " << i;
  }
}

TEST_P(Steps, OfAnIndexAreThoseOfItsOneHotVector) {
  if (embedded) return;
  const Network by_vector = fork(network);
  const Network by_index = fork(network);
  for (const int32_t index : indices(5, GetParam().inputs)) {
    Floats x(inputs), a(outputs), b(outputs);
    x[static_cast<size_t>(index)] = 1;
    ASSERT_EQ(rnn_step(by_vector.get(), x.data(), a.data()), RNN_OK);
    ASSERT_EQ(rnn_step_index(by_index.get(), index, b.data()), RNN_OK);
    EXPECT_TRUE(same_bits(a, b));
    EXPECT_TRUE(same_bits(state(by_vector), state(by_index)));
  }
}

TEST_P(Steps, WithoutOutputMoveTheStateAlike) {
  const Network a = fork(network), b = fork(network);
  const Floats x = numbers(inputs);
  Floats y(outputs);
  if (!embedded) {
    ASSERT_EQ(rnn_step(a.get(), x.data(), y.data()), RNN_OK);
    ASSERT_EQ(rnn_step(b.get(), x.data(), nullptr), RNN_OK);
  }
  EXPECT_TRUE(same_bits(state(a), state(b)));
  ASSERT_EQ(rnn_step_index(a.get(), 0, y.data()), RNN_OK);
  ASSERT_EQ(rnn_step_index(b.get(), 0, nullptr), RNN_OK);
  EXPECT_TRUE(same_bits(state(a), state(b)));
}

TEST_P(Steps, OfManyStreamsAreThoseOfEachAlone) {
  for (const size_t count : {1, 2, 3, 7, 16, 33, 257, 600}) {
    std::vector<Network> alone, together;
    for (size_t i = 0; i < count; ++i) {
      alone.push_back(fork(network));
      together.push_back(fork(network));
    }
    std::vector<rnn_t*> streams;
    for (const Network& stream : together) streams.push_back(stream.get());
    for (uint32_t t = 0; t < 3; ++t) {
      const bool by_index = embedded || t == 1;
      // Another order at each step.
      std::rotate(streams.begin(), streams.begin() + static_cast<std::ptrdiff_t>(count / 2), streams.end());
      std::rotate(alone.begin(), alone.begin() + static_cast<std::ptrdiff_t>(count / 2), alone.end());
      Floats expected(count * outputs), y(count * outputs);
      const Floats x = numbers(count * inputs, 5 + t);
      const std::vector<int32_t> index = indices(count, GetParam().inputs, 5 + t);
      for (size_t i = 0; i < count; ++i) {
        float* row = expected.data() + i * outputs;
        ASSERT_EQ(by_index ? rnn_step_index(alone[i].get(), index[i], row)
                           : rnn_step(alone[i].get(), x.data() + i * inputs, row),
                  RNN_OK);
      }
      float* const out = t == 2 ? nullptr : y.data();
      ASSERT_EQ(by_index ? rnn_step_many_index(streams.data(), count, index.data(), out)
                         : rnn_step_many(streams.data(), count, x.data(), out),
                RNN_OK)
          << rnn_last_error();
      if (t != 2) {
        EXPECT_TRUE(same_bits(y, expected)) << count << " streams, step " << t;
      }
      for (size_t i = 0; i < count; ++i)
        ASSERT_TRUE(same_bits(state(streams[i]), state(alone[i]))) << "stream " << i << " of " << count;
    }
  }
}

TEST_P(Steps, OfBlocksAreThoseOneByOne) {
  constexpr size_t kBlocks[] = {1, 8, 0, 3, 40, 2, 64, 130, 9};
  const size_t steps = std::accumulate(std::begin(kBlocks), std::end(kBlocks), size_t{0});
  for (const bool by_index : {false, true}) {
    if (embedded && !by_index) continue;
    const Floats x = numbers(steps * inputs, 3);
    const std::vector<int32_t> index = indices(steps, GetParam().inputs, 3);
    Floats expected, states;
    step_alone(by_index ? nullptr : x.data(), index.data(), steps, &expected, &states);
    for (const size_t room : {0, 5, 40, 1000}) {
      const Network stream = fork(network);
      ASSERT_EQ(rnn_reserve_block(stream.get(), room), RNN_OK) << rnn_last_error();
      Floats y(steps * outputs, 42);
      size_t t = 0;
      for (const size_t count : kBlocks) {
        float* const out = y.data() + t * outputs;
        ASSERT_EQ(by_index ? rnn_step_block_index(stream.get(), index.data() + t, count, out)
                           : rnn_step_block(stream.get(), x.data() + t * inputs, count, out),
                  RNN_OK)
            << rnn_last_error();
        t += count;
        const Floats after(states.begin() + static_cast<std::ptrdiff_t>((t - 1) * size),
                           states.begin() + static_cast<std::ptrdiff_t>(t * size));
        ASSERT_TRUE(same_bits(state(stream), after)) << "room " << room << ", step " << t;
      }
      ASSERT_TRUE(same_bits(y, expected)) << "room " << room;
    }
    // Without outputs, and mixed with steps.
    const Network stream = fork(network);
    ASSERT_EQ(rnn_reserve_block(stream.get(), 64), RNN_OK);
    ASSERT_EQ(by_index ? rnn_step_index(stream.get(), index[0], nullptr)
                       : rnn_step(stream.get(), x.data(), nullptr),
              RNN_OK);
    ASSERT_EQ(by_index ? rnn_step_block_index(stream.get(), index.data() + 1, steps - 1, nullptr)
                       : rnn_step_block(stream.get(), x.data() + inputs, steps - 1, nullptr),
              RNN_OK);
    const Floats last(states.end() - static_cast<std::ptrdiff_t>(size), states.end());
    EXPECT_TRUE(same_bits(state(stream), last));

    // A whole sequence goes the same way, with and without the stream's own state.
    auto in = sized<rnn_sequences_t>();
    in.count = 1;
    in.frames = steps;
    in.lengths = &steps;
    in.inputs = by_index ? nullptr : x.data();
    in.indices = by_index ? index.data() : nullptr;
    for (const int32_t stateful : {0, 1}) {
      auto options = sized<rnn_forward_options_t>();
      options.stateful = stateful;
      Floats y(steps * outputs, 42), final_state(size, 42);
      options.final_states = final_state.data();
      const Network whole = fork(network);
      ASSERT_EQ(rnn_forward(whole.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
      EXPECT_TRUE(same_bits(y, expected)) << "stateful " << stateful;
      EXPECT_TRUE(same_bits(final_state, last));
      EXPECT_TRUE(same_bits(state(whole), stateful != 0 ? last : state(network)));
    }
  }
}

TEST_P(Steps, OfBlocksWithADelayAreThoseOneByOne) {
  constexpr size_t kSteps = 70;
  ASSERT_EQ(rnn_reserve_block(network.get(), kSteps), RNN_OK) << rnn_last_error();
  for (const float delay : {2.5f, 1.0f}) {
    ASSERT_EQ(rnn_set_delay(network.get(), delay), RNN_OK) << rnn_last_error();
    const Data data = data_of({kSteps}, 4);
    Floats expected, states, y(kSteps * outputs);
    step_alone(data, 0, kSteps, &expected, &states);
    ASSERT_EQ(embedded ? rnn_step_block_index(network.get(), data.indices.data(), kSteps, y.data())
                       : rnn_step_block(network.get(), data.inputs.data(), kSteps, y.data()),
              RNN_OK);
    EXPECT_TRUE(same_bits(y, expected));
    EXPECT_TRUE(
        same_bits(state(network), Floats(states.end() - static_cast<std::ptrdiff_t>(size), states.end())));
  }
}

TEST_P(Steps, OfWholeSequencesAreTheSame) {
  for (const bool by_index : {false, true}) {
    if (embedded && !by_index) continue;
    const std::vector<size_t> lengths = {4, 1, 7, 2, 7};
    const Data data = by_index ? index_data(lengths, GetParam().inputs) : float_data(lengths, inputs);
    Floats expected_y, expected_states, expected_final, expected_last;
    size_t first = 0;
    for (const size_t length : lengths) {
      step_alone(data, first, length, &expected_y, &expected_states);
      expected_final.insert(expected_final.end(), expected_states.end() - static_cast<std::ptrdiff_t>(size),
                            expected_states.end());
      expected_last.insert(expected_last.end(), expected_y.end() - static_cast<std::ptrdiff_t>(outputs),
                           expected_y.end());
      first += length;
    }
    const rnn_sequences_t in = data.get();
    Floats y(data.frames() * outputs), states(data.frames() * size), final_states(lengths.size() * size);
    auto options = sized<rnn_forward_options_t>();
    options.states = states.data();
    options.final_states = final_states.data();
    const Floats before = state(network);
    ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(y, expected_y));
    EXPECT_TRUE(same_bits(states, expected_states));
    EXPECT_TRUE(same_bits(final_states, expected_final));
    EXPECT_TRUE(same_bits(state(network), before));

    Floats plain(y.size());
    ASSERT_EQ(rnn_forward(network.get(), &in, nullptr, plain.data()), RNN_OK);
    EXPECT_TRUE(same_bits(plain, expected_y));

    options = sized<rnn_forward_options_t>();
    options.pooling = GetParam().skip == 0 ? RNN_POOLING_LAST : RNN_POOLING_NONE;
    Floats last((options.pooling != 0 ? lengths.size() : data.frames()) * outputs);
    ASSERT_EQ(rnn_forward(network.get(), &in, &options, last.data()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(last, options.pooling != 0 ? expected_last : expected_y));

    std::fill(final_states.begin(), final_states.end(), 0.0f);
    options.final_states = final_states.data();
    ASSERT_EQ(rnn_forward(network.get(), &in, &options, nullptr), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(final_states, expected_final));
  }
}

TEST_P(Steps, StatefulForwardAdvancesTheStream) {
  const size_t steps = 6;
  const Data data = data_of({steps}, 9);
  advance(2);
  Floats expected_y, expected_states;
  step_alone(data, 0, steps, &expected_y, &expected_states);
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  options.stateful = 1;
  Floats y(steps * outputs), final_state(size);
  options.final_states = final_state.data();
  ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(y, expected_y));
  EXPECT_TRUE(same_bits(state(network), Floats(expected_states.end() - static_cast<std::ptrdiff_t>(size),
                                               expected_states.end())));
  EXPECT_TRUE(same_bits(final_state, state(network)));
}

TEST_P(Steps, ForwardStartsFromGivenStates) {
  const std::vector<size_t> lengths = {2, 5, 1};
  const Data data = data_of(lengths, 4);
  const Floats initial = numbers(lengths.size() * size, 8);
  Floats expected, states;
  size_t first = 0;
  for (size_t n = 0; n < lengths.size(); ++n) {
    if (size != 0) {
      ASSERT_EQ(rnn_set_state(network.get(), initial.data() + n * size, size), RNN_OK);
    }
    step_alone(data, first, lengths[n], &expected, &states);
    first += lengths[n];
  }
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  options.initial_states = initial.data();
  Floats y(data.frames() * outputs);
  ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(y, expected));
}

TEST_P(Steps, ForwardReturnsToTheInitialStateAtResets) {
  Data data = data_of({6, 3}, 4);
  data.resets = {0, 0, 1, 1, 0, 0, 1, 0, 0};
  Floats expected, states;
  size_t first = 0;
  for (const size_t length : {2, 1, 3}) {
    step_alone(data, first, length, &expected, &states);
    first += length;
  }
  // The second sequence's first step is a reset: it does not start from the state that is given for it.
  step_alone(data, 6, 3, &expected, &states);
  const Floats zeros(size);
  Floats initial = zeros;
  const Floats ignored = numbers(size, 8);
  initial.insert(initial.end(), ignored.begin(), ignored.end());
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  options.initial_states = initial.data();
  Floats y(data.frames() * outputs), after(data.frames() * size);
  options.states = after.data();
  ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(y, expected));
  EXPECT_TRUE(same_bits(after, states));
}

// A delay of d steps: each d-th step belongs to the same one of d streams without.
TEST_P(Steps, WithADelayAreThoseOfStreamsInTurn) {
  advance(2);
  for (const size_t delay : {2, 3, 7}) {
    std::vector<Network> turns;
    for (size_t i = 0; i < delay; ++i) turns.push_back(fork(network));
    const Network delayed = fork(network);
    ASSERT_EQ(rnn_set_delay(delayed.get(), static_cast<float>(delay)), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(state(delayed), state(network)));
    const Data data = data_of({5 * delay + 1}, 3);
    for (size_t t = 0; t < data.frames(); ++t) {
      const bool by_index = embedded || t % 5 == 4;
      const std::vector<int32_t> index = indices(1, GetParam().inputs, static_cast<uint32_t>(t));
      const auto step = [&](const Network& stream, float* y) {
        return by_index ? rnn_step_index(stream.get(), index[0], y)
                        : rnn_step(stream.get(), data.inputs.data() + t * inputs, y);
      };
      Floats y(outputs), expected(outputs);
      ASSERT_EQ(step(delayed, y.data()), RNN_OK) << rnn_last_error();
      ASSERT_EQ(step(turns[t % delay], expected.data()), RNN_OK);
      ASSERT_TRUE(same_bits(y, expected)) << "delay " << delay << ", step " << t;
      ASSERT_TRUE(same_bits(state(delayed), state(turns[t % delay]))) << "delay " << delay << ", step " << t;
    }
  }
}

TEST_P(Steps, WithADelayOfOneAreThoseWithout) {
  const Network other = fork(network);
  ASSERT_EQ(rnn_set_delay(other.get(), 2.5f), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_set_delay(other.get(), 1), RNN_OK) << rnn_last_error();
  const Data data = data_of({6}, 9);
  Floats y(6 * outputs), expected, states;
  step_alone(data, 0, 6, &expected, &states);
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  options.stateful = 1;
  ASSERT_EQ(rnn_forward(other.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(y, expected));
}

// Each stream has a delay of its own.
TEST_P(Steps, OfManyStreamsWithDelaysAreThoseOfEachAlone) {
  const float delays[] = {1, 2, 1.25f, 3.5f, 1, 4};
  std::vector<Network> alone, together;
  std::vector<rnn_t*> streams;
  for (const float delay : delays) {
    together.push_back(fork(network));
    ASSERT_EQ(rnn_set_delay(together.back().get(), delay), RNN_OK) << rnn_last_error();
    alone.push_back(fork(together.back()));
    streams.push_back(together.back().get());
  }
  const size_t count = streams.size();
  for (uint32_t t = 0; t < 9; ++t) {
    const bool by_index = embedded || t % 3 == 1;
    const Floats x = numbers(count * inputs, 5 + t);
    const std::vector<int32_t> index = indices(count, GetParam().inputs, 5 + t);
    Floats y(count * outputs), expected(count * outputs);
    for (size_t i = 0; i < count; ++i) {
      float* row = expected.data() + i * outputs;
      ASSERT_EQ(by_index ? rnn_step_index(alone[i].get(), index[i], row)
                         : rnn_step(alone[i].get(), x.data() + i * inputs, row),
                RNN_OK);
    }
    ASSERT_EQ(by_index ? rnn_step_many_index(streams.data(), count, index.data(), y.data())
                       : rnn_step_many(streams.data(), count, x.data(), y.data()),
              RNN_OK)
        << rnn_last_error();
    EXPECT_TRUE(same_bits(y, expected)) << "step " << t;
    for (size_t i = 0; i < count; ++i) ASSERT_TRUE(same_bits(state(streams[i]), state(alone[i]))) << i;
  }
}

// Whole sequences, from initial states and with resets, are steps; and both are the formula in double.
TEST_P(Steps, WithADelayComputeTheFormula) {
  for (const float delay : {1.25f, 2.0f, 2.7f, 48000.0f / 44100}) {
    ASSERT_EQ(rnn_set_delay(network.get(), delay), RNN_OK) << rnn_last_error();
    Data data = data_of({17, 5, 9}, 4);
    data.resets.resize(data.frames());
    data.resets[17] = data.resets[26] = 1;
    const Floats initial = numbers(3 * size, 8);
    rnn::reference::Network reference = rnn::reference::load(network.get());
    reference.delay = static_cast<double>(delay);
    const rnn_sequences_t in = data.get();
    const rnn::reference::Pass pass =
        rnn::reference::forward(reference, rnn::reference::convert(reference, in, initial.data()));
    auto options = sized<rnn_forward_options_t>();
    options.initial_states = initial.data();
    Floats y(data.frames() * outputs), states(data.frames() * size), final_states(3 * size);
    options.states = states.data();
    options.final_states = final_states.data();
    const Floats before = state(network);
    ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(state(network), before));
    for (size_t i = 0; i < y.size(); ++i)
      ASSERT_NEAR(y[i], pass.outputs[i], 2e-5 * (1 + std::fabs(pass.outputs[i])))
          << "delay " << delay << ", output " << i % outputs << " of step " << i / outputs;
    for (size_t i = 0; i < states.size(); ++i)
      ASSERT_NEAR(states[i], pass.states[i], 2e-5 * (1 + std::fabs(pass.states[i])))
          << "delay " << delay << ", state " << i % size << " of step " << i / size;
    for (size_t i = 0; i < final_states.size(); ++i)
      ASSERT_NEAR(final_states[i], pass.final_states[i], 2e-5 * (1 + std::fabs(pass.final_states[i])));

    const Network stream = fork(network);
    for (size_t t = 0; t < data.frames(); ++t) {
      for (const size_t first : {0, 17, 22})
        if (t == first && size != 0) {
          ASSERT_EQ(rnn_set_state(stream.get(),
                                  initial.data() + (first == 0    ? 0
                                                    : first == 17 ? 1
                                                                  : 2) *
                                                       size,
                                  size),
                    RNN_OK);
        }
      if (data.resets[t] != 0) {
        ASSERT_EQ(rnn_reset(stream.get()), RNN_OK);
      }
      Floats row(outputs);
      ASSERT_EQ(embedded ? rnn_step_index(stream.get(), data.indices[t], row.data())
                         : rnn_step(stream.get(), data.inputs.data() + t * inputs, row.data()),
                RNN_OK);
      const auto begin = y.begin() + static_cast<std::ptrdiff_t>(t * outputs);
      ASSERT_TRUE(same_bits(row, Floats(begin, begin + static_cast<std::ptrdiff_t>(outputs))))
          << "step " << t;
    }
  }
}

TEST_P(Steps, StatefulForwardWithADelayAdvancesTheStream) {
  ASSERT_EQ(rnn_set_delay(network.get(), 2.5f), RNN_OK) << rnn_last_error();
  for (uint32_t t = 0; t < 4; ++t) advance(2 + t);
  const Network stepped = fork(network);
  for (const size_t steps : {1, 3, 6}) {
    const Data data = data_of({steps}, 9);
    const rnn_sequences_t in = data.get();
    auto options = sized<rnn_forward_options_t>();
    options.stateful = 1;
    Floats y(steps * outputs), expected(steps * outputs);
    ASSERT_EQ(rnn_forward(network.get(), &in, &options, y.data()), RNN_OK) << rnn_last_error();
    for (size_t t = 0; t < steps; ++t) {
      float* row = expected.data() + t * outputs;
      ASSERT_EQ(embedded ? rnn_step_index(stepped.get(), data.indices[t], row)
                         : rnn_step(stepped.get(), data.inputs.data() + t * inputs, row),
                RNN_OK);
    }
    EXPECT_TRUE(same_bits(y, expected));
    EXPECT_TRUE(same_bits(state(network), state(stepped)));
  }
}

INSTANTIATE_TEST_SUITE_P(Lists, Steps, testing::ValuesIn([] {
                           std::vector<Shape> shapes;
                           for (uint32_t seed = 1; seed <= 30; ++seed) shapes.push_back(list_shape(seed));
                           return shapes;
                         }()),
                         [](const auto& info) { return std::to_string(info.param.list); });

INSTANTIATE_TEST_SUITE_P(Shapes, Steps, testing::ValuesIn(kShapes), [](const auto& info) {
  const Shape& s = info.param;
  return std::to_string(s.inputs) + "_" + std::to_string(s.hidden) + "_" + std::to_string(s.outputs) +
         "_layers" + std::to_string(s.layers) + "_cell" + std::to_string(s.cell) + "_flags" +
         std::to_string(s.flags) + "_" + std::to_string(s.projection) + "_" + std::to_string(s.embedding) +
         "_skip" + std::to_string(s.skip);
});

// Its kernel writes h while it still reads x, in more tiles than one.
TEST(Blocks, OfAWideLayerBehindANarrowOne) {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  const Network in_turn = ::create(rnn::reference::with_layers(
      config(5, 0, 0, 0),
      {dense_layer(30, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_MIN_GRU, 250), dense_layer(3)}));
  const Network together = fork(in_turn);
  constexpr size_t kSteps = 20;
  const Floats x = numbers(kSteps * 5);
  Floats y(kSteps * 3), expected(kSteps * 3);
  for (size_t t = 0; t < kSteps; ++t) {
    ASSERT_EQ(rnn_step(in_turn.get(), &x[t * 5], &expected[t * 3]), RNN_OK);
  }
  ASSERT_EQ(rnn_reserve_block(together.get(), kSteps), RNN_OK);
  ASSERT_EQ(rnn_step_block(together.get(), x.data(), kSteps, y.data()), RNN_OK);
  EXPECT_TRUE(same_bits(y, expected));
}

TEST(Subnormals, CountAsZero) {
  const Network network = ::create(config(20, 20, 20));
  const Network same = fork(network);
  Floats a(20), b(20);
  ASSERT_EQ(rnn_step(network.get(), Floats(20, 1e-40f).data(), a.data()), RNN_OK);
  ASSERT_EQ(rnn_step(same.get(), Floats(20, 0.0f).data(), b.data()), RNN_OK);
  EXPECT_TRUE(same_bits(a, b));
}

// Neither is the state lost, nor is 0 divided by 0.
TEST(MinLstm, KeepsTheStateWhereBothGatesAreShut) {
  rnn_config_t c = config(1, 20, 0);
  c.cell = RNN_CELL_MIN_LSTM;
  const Network network = ::create(c);
  Floats bias(60, -200.0f);
  std::fill_n(bias.begin() + 40, 20, 3.0f);
  set_parameter(network, "bias_ih_l0", bias);
  const Floats before = numbers(20, 1);
  ASSERT_EQ(rnn_set_state(network.get(), before.data(), before.size()), RNN_OK);
  const float x = 0.5f, nan = std::numeric_limits<float>::quiet_NaN();
  Floats y(20);
  ASSERT_EQ(rnn_step(network.get(), &x, y.data()), RNN_OK);
  EXPECT_EQ(y, before);
  ASSERT_EQ(rnn_step(network.get(), &nan, y.data()), RNN_OK);
  for (const float value : y) EXPECT_TRUE(std::isnan(value));
}

}  // namespace

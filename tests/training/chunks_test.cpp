// Outputs in chunks give the bits of outputs at once.
#include "tests/training/gradient_cases.h"

namespace rnn::training_test {
namespace {

void expect_same_in_chunks(const Case& c, std::int32_t threads, std::size_t chunk) {
  const NetworkHandle network = create(c.config);
  const Result whole = train(network, c, 1), parts = train(network, c, threads, {}, chunk);
  EXPECT_EQ(parts.loss, whole.loss) << describe(c);
  EXPECT_EQ(bits(parts.gradients), bits(whole.gradients)) << describe(c) << ", chunks of " << chunk;
  EXPECT_EQ(bits(train(network, c, threads, whole.gradients, chunk).gradients),
            bits(train(network, c, 1, whole.gradients).gradients))
      << describe(c) << ", chunks of " << chunk;
}

TEST(Chunks, ChangeNoBitOfGradients) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed)
    expect_same_in_chunks(random_case(seed), 1, 1 + seed % 4);
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed)
    expect_same_in_chunks(random_list_case(seed), static_cast<std::int32_t>(1 + seed % 3), 1 + seed % 4);
}

// Slices of the head's rows, tiles of its gradient and parts of the rows, none of them a multiple.
TEST(Chunks, ChangeNoBitOfLargerNetworks) {
  const std::vector<std::size_t> lengths(23, 9);
  for (const bool tied : {false, true}) {
    rnn_config_t n = config(1650, 33, 1650);
    n.cell = RNN_CELL_GRU;
    n.embedding_size = 33;
    if (tied) n.flags |= RNN_FLAG_TIED_HEAD;
    DataKind kind;
    kind.one_hot = true;
    for (const std::int32_t threads : {1, 3})
      expect_same_in_chunks(make_case(n, kind, lengths), threads, threads == 1 ? 64 : 96);
  }
  for (const bool tied : {false, true}) {
    rnn_config_t n = config(40, 16, 40);
    n.embedding_size = 16;
    if (tied) n.flags |= RNN_FLAG_TIED_HEAD;
    DataKind kind;
    kind.one_hot = true;
    expect_same_in_chunks(make_case(n, kind, std::vector<std::size_t>(30, 110)), 3, 512);
  }
}

// Of bf16 the kernels add the products of two rows at a time, or of 32.
TEST(Chunks, ChangeNoBitOfBf16) {
  rnn_config_t n = config(8, 40, 700);
  n.compute = RNN_COMPUTE_BF16;
  DataKind kind;
  kind.masks = true;
  expect_same_in_chunks(make_case(n, kind, std::vector<std::size_t>(9, 25)), 3, 64);
  expect_same_in_chunks(make_case(n, kind, std::vector<std::size_t>(10, 40)), 3, 192);
}

// As a tape does: the gradients of outputs and states come from the outside, and go there.
struct Outside {
  std::vector<float> outputs, gradients, initial_states;
  std::vector<std::int32_t> best;
};

Outside pass_outside(const NetworkHandle& network, const Case& c, std::size_t chunk) {
  const Weights& weights = network->network.weights();
  const kernels::FloatMode mode;
  Threads threads(1);
  TransposedWeights transposed(weights, threads);
  transposed.pack(weights, false);
  Bptt bptt(weights, threads, &transposed, chunk);
  WholePass whole(weights, c);
  const std::size_t rows = c.data.target_count(), states = c.data.lengths.size() * weights.state_size();
  Outside result{std::vector<float>(rows * weights.output_size()), std::vector<float>(weights.value_count()),
                 std::vector<float>(states), std::vector<std::int32_t>(rows)};
  whole.pass.loss = 0;
  whole.pass.outputs = result.outputs.data();
  whole.pass.best = result.best.data();
  bptt.forward(whole.pass);
  bptt.prepare_backward(false);
  Random random(5);
  const std::vector<float> d_outputs = numbers(random, result.outputs.size()),
                           d_states = numbers(random, states);
  Cotangents cotangents;
  cotangents.outputs = d_outputs.data();
  cotangents.final_states = d_states.data();
  cotangents.initial_states = result.initial_states.data();
  bptt.backward(cotangents, result.gradients.data());
  return result;
}

TEST(Chunks, ChangeNoBitOfWhatATapeComputes) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    Case c = seed <= 100 ? random_case(seed) : random_list_case(seed);
    c.data.classes.assign(c.data.frames(), 0);
    c.data.weights.clear();
    const NetworkHandle network = create(c.config);
    const Outside whole = pass_outside(network, c, 0), parts = pass_outside(network, c, 1 + seed % 4);
    EXPECT_EQ(bits(parts.outputs), bits(whole.outputs)) << describe(c);
    EXPECT_EQ(bits(parts.gradients), bits(whole.gradients)) << describe(c);
    EXPECT_EQ(bits(parts.initial_states), bits(whole.initial_states)) << describe(c);
    EXPECT_EQ(parts.best, whole.best) << describe(c);
    const std::size_t O = network->network.weights().output_size();
    for (std::size_t i = 0; i < whole.best.size(); ++i) {
      const float* const y = &whole.outputs[i * O];
      ASSERT_EQ(whole.best[i], std::max_element(y, y + O) - y) << describe(c);
    }
  }
}

}  // namespace
}  // namespace rnn::training_test

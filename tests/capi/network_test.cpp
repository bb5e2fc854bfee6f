// Handles: who shares what, parameters, the configuration, files.
#include <cmath>
#include <cstdio>
#include <set>
#include <thread>

#include "common.h"
#include "scratch.h"

namespace {

void walk(const Network& network, size_t steps, uint32_t seed = 3) {
  const auto inputs = static_cast<size_t>(config_of(network.get()).input_size);
  const Floats x = numbers(steps * inputs, seed);
  for (size_t t = 0; t < steps; ++t)
    ASSERT_EQ(rnn_step(network.get(), x.data() + t * inputs, nullptr), RNN_OK) << rnn_last_error();
}

// Outputs of some steps from the present state, which they change.
Floats run(const Network& network, uint32_t seed = 5) {
  const auto inputs = static_cast<size_t>(config_of(network.get()).input_size);
  const size_t outputs = outputs_of(network.get());
  const Floats x = numbers(4 * inputs, seed);
  Floats y(4 * outputs);
  for (size_t t = 0; t < 4; ++t)
    EXPECT_EQ(rnn_step(network.get(), x.data() + t * inputs, y.data() + t * outputs), RNN_OK);
  return y;
}

TEST(Version, IsTheHeaders) {
  EXPECT_EQ(rnn_version(), std::to_string(RNN_VERSION_MAJOR) + "." + std::to_string(RNN_VERSION_MINOR) + "." +
                               std::to_string(RNN_VERSION_PATCH));
  EXPECT_STREQ(rnn_version(), RNN_PROJECT_VERSION);
}

TEST(Version, IsaIsKnown) {
  const std::set<std::string> known = {"sse2", "avx2", "avx512", "neon", "scalar"};
  EXPECT_EQ(known.count(rnn_isa()), 1u) << rnn_isa();
}

TEST(Config, ResolvesDefaults) {
  rnn_config_t given = config(3, 4, 2, 0);
  const Network network = create(given);
  const rnn_config_t c = config_of(network.get());
  EXPECT_EQ(c.struct_size, sizeof c);
  EXPECT_EQ(c.cell, RNN_CELL_VANILLA);
  EXPECT_EQ(c.input_size, 3);
  EXPECT_EQ(c.hidden_size, 4);
  EXPECT_EQ(c.output_size, 2);
  EXPECT_EQ(c.num_layers, 1);
  EXPECT_EQ(c.init, RNN_INIT_PYTORCH);
  EXPECT_EQ(c.recurrent_init, RNN_INIT_PYTORCH);
  EXPECT_EQ(c.init_range, 0.08f);
  EXPECT_EQ(c.seed, 7u);
  EXPECT_EQ(c.initial_state, RNN_INITIAL_ZERO);
  EXPECT_EQ(c.compute, RNN_COMPUTE_F32);
  EXPECT_EQ(c.flags, 0u);
  EXPECT_EQ(c.allocator, nullptr);
  // What was read creates the same network.
  EXPECT_TRUE(same_bits(weights(create(c)), weights(network)));
}

TEST(Config, SeedDecidesTheWeights) {
  rnn_config_t c = config(3, 4, 2);
  const Floats first = weights(create(c));
  EXPECT_TRUE(same_bits(weights(create(c)), first));
  c.seed = 8;
  EXPECT_FALSE(same_bits(weights(create(c)), first));
}

TEST(Parameters, HaveNamesAndShapes) {
  rnn_config_t c = config(3, 4, 2, 2);
  c.initial_state = RNN_INITIAL_TRAINED;
  const struct {
    const char* name;
    size_t rows, columns;
  } expected[] = {{"weight_ih_l0", 4, 3}, {"weight_hh_l0", 4, 4}, {"bias_ih_l0", 4, 1},
                  {"weight_ih_l1", 4, 4}, {"weight_hh_l1", 4, 4}, {"bias_ih_l1", 4, 1},
                  {"head.weight", 2, 4},  {"head.bias", 2, 1},    {"initial_h_l0", 4, 1},
                  {"initial_h_l1", 4, 1}};
  const auto shapes = [](const Network& network) {
    std::set<std::string> result;
    for (const rnn_parameter_t& p : parameters(network.get()))
      result.insert(std::string(p.name) + " " + std::to_string(p.rows) + " " + std::to_string(p.columns));
    return result;
  };
  std::set<std::string> all, without_bias, headless;
  for (const auto& e : expected) {
    const std::string line =
        std::string(e.name) + " " + std::to_string(e.rows) + " " + std::to_string(e.columns);
    const std::string name = e.name;
    all.insert(line);
    if (name.find("bias") == std::string::npos) without_bias.insert(line);
    if (name.find("head") == std::string::npos) headless.insert(line);
  }
  EXPECT_EQ(shapes(create(c)), all);
  c.output_size = 0;
  EXPECT_EQ(shapes(create(c)), headless);
  c = config(3, 4, 2, 2);
  c.initial_state = RNN_INITIAL_FIXED;
  c.flags = RNN_FLAG_NO_BIAS;
  EXPECT_EQ(shapes(create(c)), without_bias);
}

TEST(Parameters, SetAndGetToTheBit) {
  const Network network = create(config(3, 17, 2, 2));
  uint32_t seed = 20;
  for (const rnn_parameter_t& p : parameters(network.get())) {
    Floats values = numbers(p.rows * p.columns, ++seed);
    values[0] = -0.0f;
    values.back() = 1e-40f;
    set_parameter(network, p.name, values);
    EXPECT_TRUE(same_bits(parameter(network, p.name), values)) << p.name;
  }
}

TEST(Parameters, DecideTheOutput) {
  const Network network = create(config(2, 1, 1));
  set_parameter(network, "weight_ih_l0", {0.5f, -0.25f});
  set_parameter(network, "weight_hh_l0", {0.75f});
  set_parameter(network, "bias_ih_l0", {0.125f});
  set_parameter(network, "head.weight", {2});
  set_parameter(network, "head.bias", {-1});
  const float x[] = {0.3f, 0.6f};
  float y = 0;
  double h = 0;
  for (int t = 0; t < 3; ++t) {
    ASSERT_EQ(rnn_step(network.get(), x, &y), RNN_OK);
    h = std::tanh(0.5 * x[0] - 0.25 * x[1] + 0.75 * h + 0.125);
    EXPECT_NEAR(y, 2 * h - 1, 1e-6);
    EXPECT_NEAR(state(network)[0], h, 1e-6);
  }
}

TEST(Fork, SharesWeightsAndCopiesState) {
  const Network network = create(config(3, 20, 2, 2));
  walk(network, 3);
  const Network other = fork(network);
  EXPECT_TRUE(same_bits(state(other), state(network)));
  rnn_t* both[] = {network.get(), other.get()};
  EXPECT_EQ(rnn_step_many(both, 2, numbers(6).data(), nullptr), RNN_OK) << rnn_last_error();
  EXPECT_FALSE(same_bits(state(other), state(network)));
}

TEST(Fork, OutlivesItsOrigin) {
  Network network = create(config(3, 20, 2));
  const Network other = fork(network);
  const Floats expected = run(network);
  network.reset();
  EXPECT_TRUE(same_bits(run(other), expected));
}

TEST(Clone, HasWeightsOfItsOwnAndCopiesState) {
  const Network network = create(config(3, 20, 2, 2));
  walk(network, 3);
  const Network other = clone(network);
  EXPECT_TRUE(same_bits(state(other), state(network)));
  EXPECT_TRUE(same_bits(weights(other), weights(network)));
  rnn_t* both[] = {network.get(), other.get()};
  EXPECT_EQ(rnn_step_many(both, 2, numbers(6).data(), nullptr), RNN_MISMATCH);
  EXPECT_TRUE(same_bits(run(other), run(network)));
}

TEST(CopyOnWrite, LeavesTheOtherStreamsAlone) {
  const Network network = create(config(3, 20, 2));
  const Network first = fork(network);
  const Network second = fork(network);
  const Floats before = weights(network);
  const Floats expected = run(network);
  const Floats changed = numbers(20 * 20, 77);
  set_parameter(first, "weight_hh_l0", changed);
  EXPECT_TRUE(same_bits(weights(network), before));
  EXPECT_TRUE(same_bits(weights(second), before));
  EXPECT_TRUE(same_bits(parameter(first, "weight_hh_l0"), changed));
  EXPECT_TRUE(same_bits(parameter(first, "weight_ih_l0"), parameter(network, "weight_ih_l0")));
  EXPECT_TRUE(same_bits(run(second), expected));
  EXPECT_FALSE(same_bits(run(first), expected));
  // What is computed after the change is what a network with these weights computes.
  const Network fresh = create(config(3, 20, 2));
  set_parameter(fresh, "weight_hh_l0", changed);
  ASSERT_EQ(rnn_reset(first.get()), RNN_OK);
  EXPECT_TRUE(same_bits(run(first), run(fresh)));
}

TEST(CopyOnWrite, OfANameThatBelongsToTheOldWeights) {
  Network network = create(config(3, 4, 2));
  const Network other = fork(network);
  const std::vector<rnn_parameter_t> infos = parameters(other.get());
  const Floats values = numbers(12, 4);
  EXPECT_EQ(rnn_set_parameter(other.get(), infos[0].name, values.data(), values.size()), RNN_OK);
  EXPECT_TRUE(same_bits(parameter(other, "weight_ih_l0"), values));
}

TEST(Sync, TakesWeightsAndKeepsState) {
  const Network network = create(config(3, 20, 2));
  const Network stream = fork(network);
  walk(stream, 3);
  const Floats kept = state(stream);
  set_parameter(network, "weight_ih_l0", numbers(60, 9));
  ASSERT_EQ(rnn_sync(stream.get(), network.get()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(weights(stream), weights(network)));
  EXPECT_TRUE(same_bits(state(stream), kept));
  ASSERT_EQ(rnn_set_state(network.get(), kept.data(), kept.size()), RNN_OK);
  EXPECT_TRUE(same_bits(run(stream), run(network)));
  rnn_t* both[] = {network.get(), stream.get()};
  EXPECT_EQ(rnn_step_many(both, 2, numbers(6).data(), nullptr), RNN_OK) << rnn_last_error();
}

TEST(Sync, WithItselfChangesNothing) {
  const Network network = create(config(3, 20, 2));
  walk(network, 2);
  const Floats kept_state = state(network), kept_weights = weights(network);
  EXPECT_EQ(rnn_sync(network.get(), network.get()), RNN_OK);
  EXPECT_TRUE(same_bits(state(network), kept_state));
  EXPECT_TRUE(same_bits(weights(network), kept_weights));
}

TEST(Sync, AcceptsAnotherSeedAndInitialisation) {
  rnn_config_t c = config(3, 20, 2);
  const Network stream = create(c);
  c.seed = 99;
  c.init = RNN_INIT_XAVIER_NORMAL;
  const Network source = create(c);
  EXPECT_EQ(rnn_sync(stream.get(), source.get()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(run(stream), run(source)));
}

TEST(State, IsAValue) {
  const Network network = create(config(3, 20, 2, 3));
  EXPECT_EQ(state(network).size(), 60u);
  EXPECT_TRUE(same_bits(state(network), Floats(60)));
  walk(network, 3);
  const Floats saved = state(network);
  const Floats expected = run(network);
  EXPECT_FALSE(same_bits(run(network), expected));
  ASSERT_EQ(rnn_set_state(network.get(), saved.data(), saved.size()), RNN_OK);
  EXPECT_TRUE(same_bits(state(network), saved));
  EXPECT_TRUE(same_bits(run(network), expected));
  const Floats any = numbers(60, 12);
  const Network other = create(config(3, 20, 2, 3));
  ASSERT_EQ(rnn_set_state(other.get(), any.data(), any.size()), RNN_OK);
  EXPECT_TRUE(same_bits(state(other), any));
}

TEST(State, ResetReturnsToTheInitialState) {
  rnn_config_t c = config(3, 20, 2, 2);
  for (const int32_t kind : {RNN_INITIAL_ZERO, RNN_INITIAL_FIXED, RNN_INITIAL_TRAINED}) {
    c.initial_state = kind;
    const Network network = create(c);
    Floats initial(40);
    if (kind != RNN_INITIAL_ZERO) {
      const Floats first = numbers(20, 31), second = numbers(20, 32);
      set_parameter(network, "initial_h_l0", first);
      set_parameter(network, "initial_h_l1", second);
      initial = first;
      initial.insert(initial.end(), second.begin(), second.end());
      ASSERT_EQ(rnn_reset(network.get()), RNN_OK);
    }
    EXPECT_TRUE(same_bits(state(network), initial));
    const Floats expected = run(network);
    EXPECT_FALSE(same_bits(state(network), initial));
    ASSERT_EQ(rnn_reset(network.get()), RNN_OK);
    EXPECT_TRUE(same_bits(state(network), initial));
    EXPECT_TRUE(same_bits(run(network), expected));
  }
}

TEST(Threads, StreamsStepWhileWeightsChange) {
  const Network network = create(config(8, 32, 4, 2));
  const Floats expected = run(fork(network));
  std::vector<Network> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(fork(network));
  std::vector<std::thread> threads;
  for (const Network& stream : streams) {
    threads.emplace_back([&stream, &expected] {
      for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(rnn_reset(stream.get()), RNN_OK);
        ASSERT_TRUE(same_bits(run(stream), expected));
      }
    });
  }
  for (uint32_t i = 0; i < 50; ++i) {
    set_parameter(network, "weight_hh_l0", numbers(32 * 32, i));
    const Network passing = fork(network);
    set_parameter(passing, "head.bias", numbers(4, i));
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Files, ComeBackToTheBit) {
  rnn_config_t c = config(3, 20, 2, 2);
  for (const int32_t kind : {RNN_INITIAL_ZERO, RNN_INITIAL_FIXED, RNN_INITIAL_TRAINED}) {
    for (const int32_t outputs : {0, 2}) {
      for (const uint32_t flags : {0u, uint32_t{RNN_FLAG_NO_BIAS}}) {
        c.initial_state = kind;
        c.output_size = outputs;
        c.flags = flags;
        const Network network = create(c);
        const std::string path = scratch_path("network.safetensors");
        ASSERT_EQ(rnn_save(network.get(), path.c_str()), RNN_OK) << rnn_last_error();
        rnn_t* out = nullptr;
        ASSERT_EQ(rnn_load(path.c_str(), nullptr, &out), RNN_OK) << rnn_last_error();
        const Network loaded(out);
        EXPECT_TRUE(same_bits(weights(loaded), weights(network)));
        EXPECT_TRUE(same_bits(run(loaded), run(network)));
        const rnn_config_t d = config_of(loaded.get());
        EXPECT_EQ(d.initial_state, kind);
        EXPECT_EQ(d.output_size, outputs);
        EXPECT_EQ(d.num_layers, 2);
        EXPECT_EQ(d.flags, flags);
        std::remove(path.c_str());
      }
    }
  }
}

TEST(Files, InMemoryAreTheSame) {
  const Network network = create(config(3, 20, 2));
  size_t size = 0;
  ASSERT_EQ(rnn_save_memory(network.get(), nullptr, 0, &size), RNN_OK) << rnn_last_error();
  std::vector<unsigned char> memory(size + 8, 42);
  size_t written = 0;
  ASSERT_EQ(rnn_save_memory(network.get(), memory.data(), size + 1, &written), RNN_OK) << rnn_last_error();
  EXPECT_EQ(written, size);
  for (size_t i = size; i < size + 8; ++i) EXPECT_EQ(memory[i], 42);

  const std::string path = scratch_path("same.safetensors");
  ASSERT_EQ(rnn_save(network.get(), path.c_str()), RNN_OK);
  std::vector<unsigned char> file(size + 1);
  FILE* stream = std::fopen(path.c_str(), "rb");
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(std::fread(file.data(), 1, size + 1, stream), size);
  std::fclose(stream);
  std::remove(path.c_str());
  EXPECT_EQ(std::memcmp(file.data(), memory.data(), size), 0);

  rnn_t* out = nullptr;
  ASSERT_EQ(rnn_load_memory(memory.data(), size, nullptr, &out), RNN_OK) << rnn_last_error();
  const Network loaded(out);
  EXPECT_TRUE(same_bits(weights(loaded), weights(network)));
}

TEST(Files, LoadedStreamsStartInTheInitialState) {
  rnn_config_t c = config(3, 4, 2);
  c.initial_state = RNN_INITIAL_FIXED;
  const Network network = create(c);
  set_parameter(network, "initial_h_l0", numbers(4, 6));
  walk(network, 3);
  EXPECT_TRUE(same_bits(state(reload(network)), numbers(4, 6)));
}

}  // namespace

// Where memory comes from, what happens when there is none, and who allocates nothing.
#include "memory.h"

#include <cstdio>
#include <tuple>

#include "scratch.h"
#include "tests/reference/lists.h"

namespace {

// ---- The allocation functions -----------------------------------------------------------------------

TEST(Allocator, GivesAllThatHandlesKeep) {
  Hooks hooks;
  const Network warm = create(hooks, kConfig);
  rnn_config_t c = kConfig;
  c.allocator = hooks.get();
  rnn_t *network = nullptr, *forked = nullptr, *cloned = nullptr, *loaded = nullptr;
  size_t size = 0;
  ASSERT_EQ(rnn_save_memory(warm.get(), nullptr, 0, &size), RNN_OK);
  std::vector<unsigned char> file(size);
  ASSERT_EQ(rnn_save_memory(warm.get(), file.data(), size, &size), RNN_OK);
  {
    const Watching outside;
    rnn_create(&c, &network);
    rnn_fork(network, &forked);
    rnn_clone(network, &cloned);
    rnn_load_memory(file.data(), size, hooks.get(), &loaded);
    EXPECT_EQ(outside.kept(), 0);
  }
  for (rnn_t* handle : {network, forked, cloned, loaded}) EXPECT_NE(handle, nullptr);
  EXPECT_GT(hooks.blocks(), 4u);
  for (rnn_t* handle : {network, forked, cloned, loaded}) rnn_destroy(handle);
}

TEST(Allocator, TakesItsOwnMemoryBackAfterSync) {
  for (const bool source_first : {false, true}) {
    Hooks first, second;
    Network stream = create(first, kConfig);
    Network source = create(second, kConfig);
    ASSERT_EQ(rnn_sync(stream.get(), source.get()), RNN_OK);
    Network other = fork(stream);
    Network copy = clone(stream);
    set_parameter(other, "bias_ih_l0", numbers(20));
    Network last = fork(other);
    (source_first ? source : stream).reset();
    (source_first ? stream : source).reset();
  }
}

// Which has no state, and nothing of no size is asked for.
TEST(Allocator, GivesNothingOfNoSizeToDenseLayers) {
  Hooks hooks;
  const rnn_config_t c = rnn::reference::with_layers(
      config(5, 0, 0, 0),
      {rnn::reference::dense_layer(3, RNN_ACTIVATION_SOFTMAX), rnn::reference::dense_layer(2)});
  const Network network = create(hooks, c), forked = fork(network), cloned = clone(network);
  const Data data = float_data({3, 1}, 5);
  const rnn_sequences_t in = data.get();
  Floats y(4 * 2), alone(2);
  ASSERT_EQ(rnn_forward(network.get(), &in, nullptr, y.data()), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_step(cloned.get(), data.inputs.data(), alone.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(alone, Floats(y.begin(), y.begin() + 2)));
}

TEST(OutOfMemory, CreateForkClone) {
  Hooks hooks;
  rnn_config_t c = kConfig;
  c.allocator = hooks.get();
  c.recurrent_init = RNN_INIT_ORTHOGONAL;
  rnn_t* out = nullptr;
  const auto destroyed = [&](rnn_status_t status) {
    if (status == RNN_OK) rnn_destroy(std::exchange(out, nullptr));
    EXPECT_EQ(out, nullptr);
    return status;
  };
  fail_each(
      hooks, [&] { return destroyed(rnn_create(&c, &out)); }, nothing);
  const Network network = ::create(c);
  const auto look = [&] { return look_at(network); };
  fail_each(
      hooks, [&] { return destroyed(rnn_fork(network.get(), &out)); }, look);
  fail_each(
      hooks, [&] { return destroyed(rnn_clone(network.get(), &out)); }, look);
}

TEST(OutOfMemory, ReserveBlock) {
  Hooks hooks;
  rnn_config_t c = config(40, 50, 5, 2);
  c.cell = RNN_CELL_LSTM;
  c.flags = RNN_FLAG_LAYER_NORM;  // its steps go together with every instruction set
  const Network network = create(hooks, c);
  const size_t before = hooks.blocks();
  fail_each(
      hooks, [&] { return rnn_reserve_block(network.get(), 20); }, [&] { return look_at(network); });
  EXPECT_EQ(hooks.blocks(), before + 1);
  // More room takes the place of less, and less changes nothing.
  ASSERT_EQ(rnn_reserve_block(network.get(), 60), RNN_OK);
  EXPECT_EQ(hooks.blocks(), before + 1);
  hooks.fail_after(0);
  EXPECT_EQ(rnn_reserve_block(network.get(), 60), RNN_OK);
  EXPECT_EQ(rnn_reserve_block(network.get(), 2), RNN_OK);
  hooks.fail_after(-1);
}

TEST(OutOfMemory, SetParameter) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  const Network other = fork(network);
  const Floats values = numbers(400);
  const auto look = [&] {
    Floats all = look_at(network);
    all.push_back(sharing(network.get(), other.get()));
    return all;
  };
  EXPECT_EQ(look().back(), 1.0f);
  fail_each(
      hooks, [&] { return rnn_set_parameter(network.get(), "weight_hh_l0", values.data(), 400); }, look);
  EXPECT_TRUE(same_bits(parameter(network, "weight_hh_l0"), values));
  EXPECT_EQ(look().back(), 0.0f);
}

// Texts and sharing.
TEST(OutOfMemory, SetMetadata) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  ASSERT_EQ(rnn_set_metadata(network.get(), "k", "v"), RNN_OK);
  ASSERT_EQ(rnn_set_metadata(network.get(), "other", "v"), RNN_OK);
  const char* const calls[][2] = {{"added", "value"}, {"k", "replaced"}, {"k", nullptr}};
  for (const bool shared : {true, false})
    for (const auto& [key, value] : calls) {
      const Network changed = clone(network), other = shared ? fork(changed) : clone(changed);
      const auto look = [&, k = key] {
        Floats all = look_at(changed);
        all.push_back(sharing(changed.get(), other.get()));
        for (const char* each : {"k", k}) {
          char text[16] = "none";
          size_t size = 0;
          rnn_get_metadata(changed.get(), each, text, sizeof text, &size);
          all.insert(all.end(), text, text + size);
        }
        return all;
      };
      fail_each(
          hooks, [&, k = key, v = value] { return rnn_set_metadata(changed.get(), k, v); }, look);
      EXPECT_EQ(sharing(changed.get(), other.get()), 0.0f);
    }
}

TEST(OutOfMemory, Forward) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  Data data = float_data({3, 1, 4}, 5);
  data.resets = {0, 1, 0, 0, 0, 0, 1, 0};
  rnn_sequences_t in = data.get();
  Floats y(8 * 5, 42), states(8 * 40, 42), final_states(3 * 40, 42);
  auto options = sized<rnn_forward_options_t>();
  options.states = states.data();
  options.final_states = final_states.data();
  const auto look = [&] {
    Floats all = look_at(network);
    for (const Floats* part : {&y, &states, &final_states}) all.insert(all.end(), part->begin(), part->end());
    return all;
  };
  fail_each(
      hooks, [&] { return rnn_forward(network.get(), &in, &options, y.data()); }, look);
  const Data one = float_data({4}, 5);
  in = one.get();
  options.stateful = 1;
  fail_each(
      hooks, [&] { return rnn_forward(network.get(), &in, &options, y.data()); }, look);
}

// A network whose state has a convolution's past inputs and an LSTM's h and c.
Network create_with_pasts(Hooks& hooks) {
  rnn_layer_t convolution = rnn::reference::dense_layer(4, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = 3;
  convolution.dilation = 2;
  return create(hooks, rnn::reference::with_layers(config(5, 0, 0, 0),
                                                   {convolution, rnn::reference::cell_layer(RNN_CELL_LSTM, 6),
                                                    rnn::reference::dense_layer(5)}));
}

// A delay, a longer and a shorter one, and none: what a fork then gives shows the past.
TEST(OutOfMemory, SetDelay) {
  Hooks hooks;
  const Network network = create_with_pasts(hooks);
  const Floats x = numbers(5 * 12);
  const auto look = [&] {
    Floats all = look_at(network), y(5);
    float delay = 0;
    EXPECT_EQ(rnn_get_delay(network.get(), &delay), RNN_OK);
    all.push_back(delay);
    const Network stream = fork(network);
    for (size_t t = 0; t < 12; ++t) {
      EXPECT_EQ(rnn_step(stream.get(), x.data() + 5 * t, y.data()), RNN_OK);
      all.insert(all.end(), y.begin(), y.end());
    }
    return all;
  };
  for (const float delay : {2.5f, 7.0f, 1.25f, 1.0f}) {
    for (size_t t = 0; t < 12; ++t) ASSERT_EQ(rnn_step(network.get(), x.data() + 5 * t, nullptr), RNN_OK);
    fail_each(
        hooks, [&] { return rnn_set_delay(network.get(), delay); }, look);
    EXPECT_EQ(look()[look_at(network).size()], delay);
  }
}

// A history, a longer and a shorter one, and none, with a delay's past: neither the state nor what can be taken back
// changes where it fails.
TEST(OutOfMemory, History) {
  Hooks hooks;
  const Network network = create_with_pasts(hooks);
  ASSERT_EQ(rnn_set_delay(network.get(), 1.5f), RNN_OK);
  const Floats x = numbers(5 * 12);
  const auto look = [&] {
    const Network stream = fork(network);
    Floats all = look_at(network);
    while (rnn_rewind(stream.get(), 1) == RNN_OK) {
      const Floats before = state(stream);
      all.insert(all.end(), before.begin(), before.end());
    }
    return all;
  };
  for (const size_t steps : {5, 9, 3, 0}) {
    for (size_t t = 0; t < 12; ++t) ASSERT_EQ(rnn_step(network.get(), x.data() + 5 * t, nullptr), RNN_OK);
    const size_t blocks = hooks.blocks();
    fail_each(
        hooks, [&] { return rnn_history(network.get(), steps); }, look);
    EXPECT_EQ(hooks.blocks(), blocks);
  }
}

// Beside the stream with a delay, and with a history: by a pass beside its steps.
TEST(OutOfMemory, ForwardWithAPast) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  const Data data = float_data({6}, 5);
  const rnn_sequences_t in = data.get();
  Floats y(6 * 5, 42);
  auto options = sized<rnn_forward_options_t>();
  const auto look = [&] {
    Floats all = look_at(network);
    all.insert(all.end(), y.begin(), y.end());
    return all;
  };
  ASSERT_EQ(rnn_set_delay(network.get(), 2.5f), RNN_OK);
  fail_each(
      hooks, [&] { return rnn_forward(network.get(), &in, &options, y.data()); }, look);
  ASSERT_EQ(rnn_set_delay(network.get(), 1), RNN_OK);
  ASSERT_EQ(rnn_history(network.get(), 4), RNN_OK);
  fail_each(
      hooks, [&] { return rnn_forward(network.get(), &in, &options, y.data()); }, look);
  options.stateful = 1;
  options.pooling = RNN_POOLING_MEAN;
  fail_each(
      hooks, [&] { return rnn_forward(network.get(), &in, &options, y.data()); }, look);
  EXPECT_EQ(rnn_rewind(network.get(), 4), RNN_OK) << rnn_last_error();
}

TEST(OutOfMemory, Generate) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  const int32_t prompt[] = {1, 2};
  auto options = sized<rnn_generate_options_t>();
  options.prompt = prompt;
  options.prompt_count = 2;
  options.top_p = 0.5f;
  std::vector<int32_t> out(6, 42);
  size_t written = 42;
  const auto look = [&] {
    Floats all = look_at(network);
    for (const int32_t index : out) all.push_back(static_cast<float>(index));
    all.push_back(static_cast<float>(written));
    return all;
  };
  fail_each(
      hooks, [&] { return rnn_generate(network.get(), &options, out.data(), 6, &written); }, look);
  EXPECT_EQ(written, 6u);
}

TEST(OutOfMemory, Files) {
  Hooks hooks;
  const Network network = create(hooks, kConfig);
  const auto look = [&] { return look_at(network); };
  size_t size = 0;
  ASSERT_EQ(rnn_save_memory(network.get(), nullptr, 0, &size), RNN_OK);
  std::vector<unsigned char> file(size);
  const std::string path = scratch_path("memory.safetensors");
#if RNN_REPLACES_MALLOC
  // Saving keeps nothing, so it may have its memory from anywhere.
  for (const bool to_path : {false, true}) {
    for (long n = 0;; ++n) {
      ASSERT_LT(n, 10000);
      rnn_status_t status;
      {
        const Watching fail(n);
        status = to_path ? rnn_save(network.get(), path.c_str())
                         : rnn_save_memory(network.get(), file.data(), size, &size);
      }
      if (status == RNN_OK) break;
      EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
      FILE* stream = std::fopen(path.c_str(), "rb");
      EXPECT_EQ(stream, nullptr);
      if (stream != nullptr) std::fclose(stream);
    }
  }
#endif
  ASSERT_EQ(rnn_save(network.get(), path.c_str()), RNN_OK);
  ASSERT_EQ(rnn_save_memory(network.get(), file.data(), size, &size), RNN_OK);
  rnn_t* out = nullptr;
  const auto destroyed = [&](rnn_status_t status) {
    if (status == RNN_OK) rnn_destroy(std::exchange(out, nullptr));
    EXPECT_EQ(out, nullptr);
    return status;
  };
  fail_each(
      hooks, [&] { return destroyed(rnn_load(path.c_str(), hooks.get(), &out)); }, look);
  fail_each(
      hooks, [&] { return destroyed(rnn_load_memory(file.data(), size, hooks.get(), &out)); }, look);
  std::remove(path.c_str());
}

// ---- Real-time functions ------------------------------------------------------------------------------

rnn_config_t with(int32_t cell, uint32_t flags = 0, int32_t projection = 0, int32_t embedding = 0) {
  rnn_config_t c = kConfig;
  c.cell = cell;
  c.flags = flags;
  c.projection_size = projection;
  c.embedding_size = embedding;
  return c;
}

class RealTime : public testing::TestWithParam<std::tuple<rnn_config_t, float, size_t>> {};

TEST_P(RealTime, AllocatesNothing) {
  Hooks hooks;
  const auto& [c, delay, history] = GetParam();
  std::vector<Network> handles;
  handles.push_back(create(hooks, c));
  ASSERT_EQ(rnn_set_delay(handles[0].get(), delay), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_history(handles[0].get(), history), RNN_OK) << rnn_last_error();
  std::vector<rnn_t*> streams;
  for (int i = 0; i < 300; ++i) handles.push_back(fork(handles[0]));
  for (const Network& handle : handles) streams.push_back(handle.get());
  rnn_t* rnn = streams[0];
  const bool vectors = c.embedding_size == 0;
  const size_t count = streams.size();
  const Floats x = numbers(count * 5);
  const std::vector<int32_t> index = indices(count, 5);
  Floats y(count * 5), s = state(rnn);
  ASSERT_EQ(rnn_reserve_block(rnn, 50), RNN_OK) << rnn_last_error();
  auto info = sized<rnn_parameter_t>();
  auto got = sized<rnn_config_t>();
  size_t size = 0;
  float steps = 0;
  int failed = 0;
  hooks.fail_after(0);
  {
    const Watching all(0);
    failed += rnn_step_index(rnn, 1, y.data()) != RNN_OK;
    failed += rnn_step_many_index(streams.data(), count, index.data(), y.data()) != RNN_OK;
    failed += rnn_step_block_index(rnn, index.data(), count, y.data()) != RNN_OK;
    if (vectors) {
      failed += rnn_step_block(rnn, x.data(), count, y.data()) != RNN_OK;
      failed += rnn_step(rnn, x.data(), y.data()) != RNN_OK;
      failed += rnn_step_many(streams.data(), count, x.data(), y.data()) != RNN_OK;
      failed += rnn_rollout(rnn, x.data(), 10, y.data()) != RNN_OK;
    }
    failed += rnn_rewind(rnn, history) != RNN_OK;
    failed += rnn_state_size(rnn, &size) != RNN_OK;
    failed += rnn_get_state(rnn, s.data(), s.size()) != RNN_OK;
    failed += rnn_set_state(rnn, s.data(), s.size()) != RNN_OK;
    failed += rnn_reset(rnn) != RNN_OK;
    failed += rnn_parameter_count(rnn, &size) != RNN_OK;
    failed += rnn_parameter_info(rnn, 0, &info) != RNN_OK;
    failed += rnn_get_config(rnn, &got) != RNN_OK;
    failed += rnn_get_delay(rnn, &steps) != RNN_OK;
    failed += rnn_status_string(RNN_OK) == nullptr;
    failed += rnn_version() == nullptr;
    EXPECT_EQ(all.count(), 0);
  }
  hooks.fail_after(-1);
  EXPECT_EQ(failed, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Cells, RealTime,
    testing::Combine(
        testing::Values(with(RNN_CELL_VANILLA), with(RNN_CELL_VANILLA, RNN_FLAG_RELU + RNN_FLAG_RESIDUAL),
                        with(RNN_CELL_GRU), with(RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE), with(RNN_CELL_LSTM),
                        with(RNN_CELL_LSTM, 0, 7), with(RNN_CELL_VANILLA, RNN_FLAG_LAYER_NORM),
                        with(RNN_CELL_GRU, RNN_FLAG_LAYER_NORM), with(RNN_CELL_LSTM, RNN_FLAG_LAYER_NORM, 7),
                        with(RNN_CELL_GRU, 0, 0, 9), with(RNN_CELL_LSTM, RNN_FLAG_TIED_HEAD, 9, 9),
                        with(RNN_CELL_MIN_GRU), with(RNN_CELL_MIN_GRU, RNN_FLAG_RESIDUAL, 0, 9),
                        with(RNN_CELL_MIN_LSTM), with(RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES),
                        with(RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES),
                        with(RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES + RNN_FLAG_PEEPHOLES)),
        testing::Values(1.0f, 2.5f), testing::Values(0, 9)),
    [](const auto& info) {
      const rnn_config_t& c = std::get<0>(info.param);
      return "cell" + std::to_string(c.cell) + "_flags" + std::to_string(c.flags) + "_" +
             std::to_string(c.projection_size) + "_" + std::to_string(c.embedding_size) +
             (std::get<1>(info.param) != 1.0f ? "_delayed" : "") +
             (std::get<2>(info.param) != 0 ? "_with_history" : "");
    });

}  // namespace

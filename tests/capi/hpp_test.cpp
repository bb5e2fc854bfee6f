// The C++ wrapper: handles are released, statuses thrown, arguments passed on.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <rnn/rnn.hpp>
#include <type_traits>

#include "scratch.h"

namespace {

static_assert(std::is_nothrow_move_constructible_v<rnn::Network>);
static_assert(std::is_nothrow_move_assignable_v<rnn::Network>);
static_assert(!std::is_copy_constructible_v<rnn::Network>);
static_assert(!std::is_copy_constructible_v<rnn::Trainer>);
static_assert(!std::is_copy_constructible_v<rnn::Tape>);

rnn::Network create(std::int32_t inputs = 3, std::int32_t outputs = 3) {
  auto config = rnn::sized<rnn_config_t>();
  config.input_size = inputs;
  config.hidden_size = 4;
  config.output_size = outputs;
  return rnn::Network(config);
}

std::vector<float> state(const rnn::Network& network) {
  std::vector<float> values(network.state_size());
  network.get_state(values);
  return values;
}

TEST(Cpp, ThrowsStatusAndMessage) {
  try {
    create(0);
    FAIL();
  } catch (const rnn::exception& error) {
    EXPECT_EQ(error.status(), RNN_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), rnn_last_error());
    EXPECT_NE(std::string(error.what()).find("input_size is 0"), std::string::npos);
  }
}

TEST(Cpp, Network) {
  rnn::Network network = create();
  EXPECT_EQ(network.config().hidden_size, 4);
  EXPECT_EQ(network.state_size(), 4u);
  const std::array<float, 3> x = {0.1f, 0.2f, 0.3f};
  float y[3] = {}, z[3] = {};
  rnn::Network other = network.fork();
  network.step(x.data(), y);
  other.step(x.data(), z);
  EXPECT_EQ(y[0], z[0]);
  EXPECT_NE(y[0], 0);
  network.step(1, y);
  other.step(1, z);
  EXPECT_EQ(y[2], z[2]);
  EXPECT_EQ(state(network), state(other));

  network.reserve_block(2);
  float block[6] = {}, last[3] = {};
  network.step_block(std::array<float, 6>{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}.data(), 2, block);
  other.step(x.data(), z);
  other.step(std::array<float, 3>{0.4f, 0.5f, 0.6f}.data(), last);
  EXPECT_EQ(block[0], z[0]);
  EXPECT_EQ(block[5], last[2]);
  network.step_block(std::vector<std::int32_t>{2}, y);
  other.step(2, z);
  EXPECT_EQ(y[1], z[1]);

  rnn_t* both[] = {network.get(), other.get()};
  const std::vector<float> two(6, 0.5f);
  std::vector<float> out(6);
  rnn::Network::step_many(both, two.data(), out.data());
  EXPECT_EQ(out[0], out[3]);
  const std::int32_t indices[] = {0, 1};
  rnn::Network::step_many(both, indices, out.data());
  EXPECT_NE(out[0], out[3]);

  const float zeros[4] = {};
  network.reset();
  EXPECT_EQ(state(network), std::vector<float>(4));
  other.set_state(zeros);
  EXPECT_EQ(state(other), std::vector<float>(4));

  EXPECT_EQ(network.delay(), 1);
  network.set_delay(1.5f);
  EXPECT_EQ(network.delay(), 1.5f);
  EXPECT_THROW(network.set_delay(0), rnn::exception);
  network.set_delay(1);
  network.history(2);
  const std::vector<float> before = state(network);
  network.step(0, nullptr);
  network.rewind(1);
  EXPECT_EQ(state(network), before);
  EXPECT_THROW(network.rewind(1), rnn::exception);

  std::size_t values = 0;
  for (std::size_t i = 0; i < network.parameter_count(); ++i) {
    const rnn_parameter_t p = network.parameter(i);
    std::vector<float> value(p.rows * p.columns);
    network.get_parameter(p.name, value);
    values += value.size();
  }
  EXPECT_EQ(values, 4u * 3 + 4 * 4 + 4 + 3 * 4 + 3);
  network.set_parameter("head.bias", x);
  std::array<float, 3> bias = {};
  network.get_parameter("head.bias", bias);
  EXPECT_EQ(bias, x);
  other.sync(network);
  other.get_parameter("head.bias", {bias.data(), 3});
  EXPECT_EQ(bias, x);

  rnn::Network moved = std::move(network);
  EXPECT_EQ(network.get(), nullptr);
  const rnn::Network copy = moved.clone();
  EXPECT_EQ(state(copy), state(moved));
  rnn_t* raw = moved.release();
  rnn_destroy(raw);
}

TEST(Cpp, SequencesAndGeneration) {
  rnn::Network network = create();
  const std::size_t lengths[] = {2, 1};
  const std::vector<std::int32_t> indices = {0, 1, 2};
  auto in = rnn::sized<rnn_sequences_t>();
  in.count = 2;
  in.frames = 3;
  in.lengths = lengths;
  in.indices = indices.data();
  std::vector<float> y(9), last(6);
  network.forward(in, y.data());
  auto options = rnn::sized<rnn_forward_options_t>();
  options.pooling = 1;
  network.forward(in, last.data(), &options);
  EXPECT_EQ(last, std::vector<float>(y.begin() + 3, y.end()));

  auto generate = rnn::sized<rnn_generate_options_t>();
  generate.prompt = indices.data();
  generate.prompt_count = 1;
  const std::vector<std::int32_t> drawn = network.generate(generate, 5);
  EXPECT_EQ(drawn.size(), 5u);
  generate.stop = 1;
  generate.stop_index = drawn[0];
  network.reset();
  EXPECT_EQ(network.generate(generate, 5), std::vector<std::int32_t>{drawn[0]});

  std::vector<float> path(6);
  network.rollout(y.data(), 2, path.data());
  EXPECT_NE(path[3], 0);
}

TEST(Cpp, Files) {
  const rnn::Network network = create();
  const std::vector<unsigned char> file = network.save_memory();
  const rnn::Network first = rnn::Network::load_memory(file.data(), file.size());
  const std::string path = scratch_path("hpp.safetensors");
  network.save(path);
  const rnn::Network second = rnn::Network::load(path);
  EXPECT_EQ(first.save_memory(), file);
  EXPECT_EQ(second.save_memory(), file);
  std::remove(path.c_str());
  EXPECT_THROW(rnn::Network::load(path), rnn::exception);
}

#if RNN_TRAINING

TEST(Cpp, Training) {
  rnn::Network network = create();
  const std::size_t lengths[] = {2, 1};
  const std::int32_t indices[] = {0, 1, 2}, classes[] = {1, 2, 0};
  auto data = rnn::sized<rnn_sequences_t>();
  data.count = 2;
  data.frames = 3;
  data.lengths = lengths;
  data.indices = indices;
  data.classes = classes;
  const double before = network.evaluate(data).loss;
  auto options = rnn::sized<rnn_train_options_t>();
  options.epochs = 50;
  options.learning_rate = 0.1f;

  rnn::Trainer trainer(network, &options);
  EXPECT_EQ(trainer.update(data).update, 1u);
  trainer.reset();
  EXPECT_GT(trainer.optimizer_bytes(), 0u);
  trainer.set_learning_rate(0.05f);
  EXPECT_THROW(trainer.set_learning_rate(0.0f), rnn::exception);
  const std::string path = scratch_path("hpp.checkpoint");
  trainer.save(path);
  rnn::Trainer other(network, &options);
  other.load(path);
  std::remove(path.c_str());
  EXPECT_EQ(other.network().save_memory(), trainer.network().save_memory());

  rnn::Tape tape(network, 1);
  std::vector<float> y(9);
  tape.forward(network, data, nullptr, y.data(), nullptr);
  tape.backward(y.data(), nullptr, nullptr, nullptr);
  std::array<float, 3> gradient = {};
  tape.get_gradient("head.bias", gradient);
  EXPECT_NE(gradient[0], 0);
  EXPECT_EQ(trainer.apply(tape).update, 2u);
  tape.set_dropout(0.0f, 7);
  EXPECT_THROW(tape.set_dropout(0.5f, 7), rnn::exception);  // with one layer
  auto rates = rnn::sized<rnn_dropout_rates_t>();
  rates.output = 0.5f;
  tape.set_dropout(rates, 7);
  rates.output = 1.0f;
  EXPECT_THROW(tape.set_dropout(rates, 7), rnn::exception);
  tape.zero_gradients();
  tape.get_gradient("head.bias", gradient);
  EXPECT_EQ(gradient[0], 0);

  rnn::Network stream = network.fork();
  trainer.sync(stream);
  EXPECT_EQ(stream.save_memory(), trainer.network().save_memory());

  rnn::Trainer run(network, &options);
  run.run(data);
  network.train(data, &options);
  EXPECT_LT(network.evaluate(data).loss, before / 2);
  EXPECT_EQ(network.save_memory(), run.network().save_memory());
}

#endif

}  // namespace

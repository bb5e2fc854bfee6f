// What the tests of training share: networks, data, and the double-precision truth about them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "capi/handle.h"
#include "lib/network/random.h"
#include "rnn/rnn.h"
#include "tests/reference/reference.h"

namespace rnn::training_test {

struct Destroy {
  void operator()(rnn_t* handle) const { rnn_destroy(handle); }
  void operator()(rnn_trainer_t* handle) const { rnn_trainer_destroy(handle); }
  void operator()(rnn_tape_t* handle) const { rnn_tape_destroy(handle); }
};
using NetworkHandle = std::unique_ptr<rnn_t, Destroy>;
using TrainerHandle = std::unique_ptr<rnn_trainer_t, Destroy>;
using TapeHandle = std::unique_ptr<rnn_tape_t, Destroy>;

template <class T>
T sized() {
  T value{};
  value.struct_size = sizeof value;
  return value;
}

inline rnn_config_t config(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs,
                           std::int32_t layers = 1) {
  auto c = sized<rnn_config_t>();
  c.input_size = inputs;
  c.hidden_size = hidden;
  c.output_size = outputs;
  c.num_layers = layers;
  c.seed = 3;
  return c;
}

inline float number(Random& random) { return static_cast<float>(2.0 * random.uniform() - 1.0); }

inline std::vector<float> numbers(Random& random, std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = number(random);
  return values;
}

// With random initial states, where they are parameters, and random gains, where there are some.
inline NetworkHandle create(const rnn_config_t& c) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_create(&c, &out), RNN_OK) << rnn_last_error();
  NetworkHandle network(out);
  if (out == nullptr) return network;
  Random random(17);
  std::size_t count = 0;
  EXPECT_EQ(rnn_parameter_count(out, &count), RNN_OK);
  for (std::size_t i = 0; i < count; ++i) {
    auto info = sized<rnn_parameter_t>();
    EXPECT_EQ(rnn_parameter_info(out, i, &info), RNN_OK);
    const std::string name = info.name;
    const bool gain = name.find("norm_") != std::string::npos;
    if (!gain && name.find("initial_") == std::string::npos) continue;
    std::vector<float> values = numbers(random, info.rows);
    for (float& value : values) value = gain ? 1.0f + 0.5f * value : value;
    EXPECT_EQ(rnn_set_parameter(out, name.c_str(), values.data(), values.size()), RNN_OK) << rnn_last_error();
  }
  return network;
}

inline std::size_t state_size(const NetworkHandle& network) {
  std::size_t size = 0;
  EXPECT_EQ(rnn_state_size(network.get(), &size), RNN_OK);
  return size;
}

inline TrainerHandle create_trainer(const NetworkHandle& network, const rnn_train_options_t& options) {
  rnn_trainer_t* out = nullptr;
  EXPECT_EQ(rnn_trainer_create(network.get(), &options, &out), RNN_OK) << rnn_last_error();
  return TrainerHandle(out);
}

inline NetworkHandle network_of(const TrainerHandle& trainer) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_trainer_network(trainer.get(), &out), RNN_OK) << rnn_last_error();
  return NetworkHandle(out);
}

// All values, with their padding.
inline std::vector<float> values(const NetworkHandle& network) {
  const Weights& weights = network->network.weights();
  return std::vector<float>(weights.values(), weights.values() + weights.value_count());
}
inline std::vector<float> values(const TrainerHandle& trainer) { return values(network_of(trainer)); }

// As integers, so that equal means the same bits.
inline std::vector<std::uint32_t> bits(const std::vector<float>& floats) {
  std::vector<std::uint32_t> result(floats.size());
  if (!floats.empty()) std::memcpy(result.data(), floats.data(), floats.size() * sizeof(float));
  return result;
}

// Sequences with all that they point to.
struct Data {
  std::vector<std::size_t> lengths;
  std::vector<float> inputs;
  std::vector<std::int32_t> indices;
  std::vector<float> targets;
  std::vector<std::int32_t> classes;
  std::vector<float> weights;
  std::vector<std::uint8_t> resets;
  std::int32_t pooling = RNN_POOLING_NONE;

  std::size_t frames() const { return std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}); }
  std::size_t target_count() const { return pooling != RNN_POOLING_NONE ? lengths.size() : frames(); }

  rnn_sequences_t get() const {
    const auto pointer = [](const auto& v) { return v.empty() ? nullptr : v.data(); };
    auto s = sized<rnn_sequences_t>();
    s.count = lengths.size();
    s.frames = frames();
    s.lengths = lengths.data();
    s.inputs = pointer(inputs);
    s.indices = pointer(indices);
    s.targets = pointer(targets);
    s.classes = pointer(classes);
    s.weights = pointer(weights);
    s.resets = pointer(resets);
    s.pooling = pooling;
    return s;
  }
};

struct DataKind {
  bool one_hot = false;
  std::int32_t pooling = RNN_POOLING_NONE;
  bool masks = false;
  bool resets = false;
  std::int32_t loss = RNN_LOSS_CROSS_ENTROPY;
};

inline std::size_t output_size(const rnn_config_t& c) { return reference::architecture(c).output_size(); }

// The largest skip.
inline std::int32_t most_skip(const rnn_config_t& c) {
  return c.embedding_size != 0 ? 0 : std::min(c.input_size, static_cast<std::int32_t>(output_size(c)));
}

// Lengths of 1 to 11 steps.
inline std::vector<std::size_t> ragged_lengths(std::size_t count) {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n < count; ++n) lengths.push_back(1 + n * 7 % 11);
  return lengths;
}

inline Data make_data(const rnn_config_t& c, std::vector<std::size_t> lengths, const DataKind& kind,
                      std::uint64_t seed = 1) {
  Random random(seed);
  Data data;
  data.lengths = std::move(lengths);
  data.pooling = kind.pooling;
  const std::size_t frames = data.frames(), targets = data.target_count();
  const auto inputs = static_cast<std::size_t>(c.input_size);
  const std::size_t outputs = output_size(c);
  const auto below = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  if (kind.one_hot)
    for (std::size_t i = 0; i < frames; ++i) data.indices.push_back(below(inputs));
  else
    data.inputs = numbers(random, frames * inputs);
  for (std::size_t i = 0; i < targets && kind.loss == RNN_LOSS_CROSS_ENTROPY; ++i)
    data.classes.push_back(below(outputs));
  for (std::size_t i = 0; i < targets * outputs && kind.loss != RNN_LOSS_CROSS_ENTROPY; ++i)
    data.targets.push_back(kind.loss == RNN_LOSS_SQUARED_ERROR ? number(random)
                                                               : static_cast<float>(random.uniform()));
  for (std::size_t i = 0; i < targets && kind.masks; ++i)
    data.weights.push_back(random.below(3) == 0 ? 0.0f : static_cast<float>(random.uniform()));
  if (kind.masks) data.weights[targets / 2] = 1.0f;
  for (std::size_t i = 0; i < frames && kind.resets; ++i) data.resets.push_back(random.below(4) == 0 ? 1 : 0);
  return data;
}

}  // namespace rnn::training_test

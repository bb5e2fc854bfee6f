// What the tests of the C ABI share. They see rnn.h alone.
#pragma once

#include <gtest/gtest.h>
#include <rnn/rnn.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

struct Destroy {
  void operator()(rnn_t* handle) const { rnn_destroy(handle); }
  void operator()(rnn_trainer_t* handle) const { rnn_trainer_destroy(handle); }
  void operator()(rnn_tape_t* handle) const { rnn_tape_destroy(handle); }
};
using Network = std::unique_ptr<rnn_t, Destroy>;
using Trainer = std::unique_ptr<rnn_trainer_t, Destroy>;
using Tape = std::unique_ptr<rnn_tape_t, Destroy>;
using Floats = std::vector<float>;

template <class T>
T sized() {
  T result = {};
  result.struct_size = sizeof(T);
  return result;
}

inline rnn_config_t config(int32_t inputs, int32_t hidden, int32_t outputs, int32_t layers = 1) {
  auto config = sized<rnn_config_t>();
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  config.seed = 7;
  return config;
}

inline Network create(const rnn_config_t& config) {
  rnn_t* handle = nullptr;
  EXPECT_EQ(rnn_create(&config, &handle), RNN_OK) << rnn_last_error();
  return Network(handle);
}
inline Network fork(const Network& network) {
  rnn_t* handle = nullptr;
  EXPECT_EQ(rnn_fork(network.get(), &handle), RNN_OK) << rnn_last_error();
  return Network(handle);
}
inline Network clone(const Network& network) {
  rnn_t* handle = nullptr;
  EXPECT_EQ(rnn_clone(network.get(), &handle), RNN_OK) << rnn_last_error();
  return Network(handle);
}
// Saved to memory and loaded from it.
inline Network reload(const Network& network) {
  size_t size = 0;
  EXPECT_EQ(rnn_save_memory(network.get(), nullptr, 0, &size), RNN_OK);
  std::vector<unsigned char> file(size);
  EXPECT_EQ(rnn_save_memory(network.get(), file.data(), size, &size), RNN_OK);
  rnn_t* handle = nullptr;
  EXPECT_EQ(rnn_load_memory(file.data(), size, nullptr, &handle), RNN_OK) << rnn_last_error();
  return Network(handle);
}

inline rnn_config_t config_of(const rnn_t* network) {
  auto config = sized<rnn_config_t>();
  EXPECT_EQ(rnn_get_config(network, &config), RNN_OK);
  return config;
}
inline size_t outputs_of(const rnn_t* network) {
  size_t outputs = 0;
  EXPECT_EQ(rnn_output_size(network, &outputs), RNN_OK);
  return outputs;
}

inline Floats state(const rnn_t* network) {
  size_t size = 0;
  EXPECT_EQ(rnn_state_size(network, &size), RNN_OK);
  Floats values(size);
  if (size == 0) return values;
  EXPECT_EQ(rnn_get_state(network, values.data(), size), RNN_OK);
  return values;
}
inline Floats state(const Network& network) { return state(network.get()); }

inline std::vector<rnn_parameter_t> parameters(const rnn_t* network) {
  size_t count = 0;
  EXPECT_EQ(rnn_parameter_count(network, &count), RNN_OK);
  std::vector<rnn_parameter_t> result(count, sized<rnn_parameter_t>());
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(rnn_parameter_info(network, i, &result[i]), RNN_OK);
  return result;
}

inline Floats parameter(const rnn_t* network, const std::string& name) {
  for (const rnn_parameter_t& p : parameters(network)) {
    if (name != p.name) continue;
    Floats values(p.rows * p.columns);
    EXPECT_EQ(rnn_get_parameter(network, p.name, values.data(), values.size()), RNN_OK) << rnn_last_error();
    return values;
  }
  ADD_FAILURE() << "no parameter " << name;
  return {};
}
inline Floats parameter(const Network& network, const std::string& name) {
  return parameter(network.get(), name);
}

inline void set_parameter(const Network& network, const std::string& name, const Floats& values) {
  EXPECT_EQ(rnn_set_parameter(network.get(), name.c_str(), values.data(), values.size()), RNN_OK)
      << rnn_last_error();
}

// All parameters, one after the other.
inline Floats weights(const rnn_t* network) {
  Floats all;
  for (const rnn_parameter_t& p : parameters(network)) {
    const Floats values = parameter(network, p.name);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}
inline Floats weights(const Network& network) { return weights(network.get()); }

// Numbers in [-1, 1) that look random.
inline Floats numbers(size_t count, uint32_t seed = 1) {
  Floats values(count);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
  }
  return values;
}
inline std::vector<int32_t> indices(size_t count, int32_t limit, uint32_t seed = 1) {
  std::vector<int32_t> values(count);
  for (int32_t& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<int32_t>((seed >> 8) % static_cast<uint32_t>(limit));
  }
  return values;
}

inline testing::AssertionResult same_bits(const Floats& a, const Floats& b) {
  if (a.size() != b.size())
    return testing::AssertionFailure() << a.size() << " and " << b.size() << " values";
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
      return testing::AssertionFailure() << "value " << i << " is " << a[i] << " and " << b[i];
  return testing::AssertionSuccess();
}

inline testing::AssertionResult fails(const char* call, rnn_status_t actual, rnn_status_t expected,
                                      const std::string& text) {
  if (actual != expected)
    return testing::AssertionFailure() << call << " returned " << rnn_status_string(actual) << ", not "
                                       << rnn_status_string(expected) << "; message: " << rnn_last_error();
  const std::string message = rnn_last_error();
  const std::string function(call, std::strcspn(call, "("));
  if (message.compare(0, function.size() + 2, function + ": ") != 0)
    return testing::AssertionFailure() << "message of " << call << ": " << message;
  if (message.find(text) == std::string::npos)
    return testing::AssertionFailure() << "message of " << call << " lacks \"" << text << "\": " << message;
  return testing::AssertionSuccess();
}

// A direct call of a C function, which must fail with the status and a message that begins with the
// function's name and contains the text.
#define EXPECT_FAILS(status, text, call) EXPECT_TRUE(fails(#call, call, status, text))

// N sequences of floats, with what the struct points to.
struct Data {
  std::vector<size_t> lengths;
  Floats inputs;
  std::vector<int32_t> indices;
  Floats targets;
  std::vector<int32_t> classes;
  Floats weights;
  std::vector<uint8_t> resets;
  int32_t pooling = RNN_POOLING_NONE;

  size_t frames() const {
    size_t sum = 0;
    for (const size_t length : lengths) sum += length;
    return sum;
  }
  rnn_sequences_t get() const {
    auto s = sized<rnn_sequences_t>();
    s.count = lengths.size();
    s.frames = frames();
    s.lengths = lengths.data();
    s.inputs = inputs.empty() ? nullptr : inputs.data();
    s.indices = indices.empty() ? nullptr : indices.data();
    s.targets = targets.empty() ? nullptr : targets.data();
    s.classes = classes.empty() ? nullptr : classes.data();
    s.weights = weights.empty() ? nullptr : weights.data();
    s.resets = resets.empty() ? nullptr : resets.data();
    s.pooling = pooling;
    return s;
  }
};

inline Data float_data(std::vector<size_t> lengths, size_t input_size, uint32_t seed = 1) {
  Data data;
  data.lengths = std::move(lengths);
  data.inputs = numbers(data.frames() * input_size, seed);
  return data;
}
inline Data index_data(std::vector<size_t> lengths, int32_t input_size, uint32_t seed = 1) {
  Data data;
  data.lengths = std::move(lengths);
  data.indices = indices(data.frames(), input_size, seed);
  return data;
}

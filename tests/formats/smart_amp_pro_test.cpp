// SmartAmpPro's models, against convolutions with strides over each window, and an LSTM that starts from zeros.
#include <algorithm>
#include <string>

#include "tests/formats/json_test.h"
#include "tests/reference/keras.h"

using namespace rnn::reference;

namespace {

struct Shape {
  std::size_t window, stride[2], taps[2], filters[2], units;
};

struct Parts {
  Vector kernel[2], bias[2], lstm_kernel, lstm_bias, head, head_bias;
};

Parts parts(const Shape& s) {
  Numbers numbers(9);
  Parts p;
  for (int l : {0, 1}) {
    p.kernel[l] = numbers.vector(s.taps[l] * (l == 0 ? 1 : s.filters[0]) * s.filters[l]);
    p.bias[l] = numbers.vector(s.filters[l]);
  }
  p.lstm_kernel = numbers.vector(s.filters[1] * 4 * s.units);
  p.lstm_bias = numbers.vector(4 * s.units);
  p.head = numbers.vector(s.units);
  p.head_bias = numbers.vector(1);
  return p;
}

std::string file(const Shape& s, const std::string& more = "") {
  const Parts p = parts(s);
  const auto kernel = [&](int l) {
    std::string text;
    const std::size_t size = p.kernel[l].size() / s.taps[l];
    for (std::size_t tap = 0; tap < s.taps[l]; ++tap)
      text += (tap == 0 ? "[" : ", ") + rows(keras::gate(p.kernel[l], tap, size), s.filters[l]);
    return text + "]";
  };
  const auto layer = [](const std::string& name, const std::string& weights, const Vector& bias) {
    return "\"" + name + "\": {\"bias:0\": " + list(bias) + ", \"kernel:0\": " + weights + "}, ";
  };
  return "{" + layer("conv1d", kernel(0), p.bias[0]) + layer("conv1d_1", kernel(1), p.bias[1]) +
         layer("lstm", rows(p.lstm_kernel, 4 * s.units), p.lstm_bias) +
         layer("dense", rows(p.head, 1), p.head_bias) + more + "\"input_size\": " + std::to_string(s.window) +
         ", \"conv1d_stride\": " + std::to_string(s.stride[0]) +
         ", \"conv1d_1_stride\": " + std::to_string(s.stride[1]) + "}";
}

// Keras' padding="same": x [steps, channels]
Vector convolve(const Vector& x, std::size_t channels, const Vector& kernel, const Vector& bias,
                std::size_t taps, std::size_t stride) {
  const auto steps = static_cast<std::ptrdiff_t>(x.size() / channels), K = static_cast<std::ptrdiff_t>(taps);
  const auto S = static_cast<std::ptrdiff_t>(stride), count = (steps + S - 1) / S;
  const std::ptrdiff_t padding = std::max<std::ptrdiff_t>(0, (count - 1) * S + K - steps), left = padding / 2;
  Vector y;
  for (std::ptrdiff_t t = 0; t < count; ++t)
    for (std::size_t o = 0; o < bias.size(); ++o) {
      double value = bias[o];
      for (std::ptrdiff_t k = 0; k < K; ++k)
        for (std::size_t c = 0; c < channels; ++c) {
          const std::ptrdiff_t at = t * S + k - left;
          if (at < 0 || at >= steps) continue;
          value += x.at(static_cast<std::size_t>(at) * channels + c) *
                   kernel.at((static_cast<std::size_t>(k) * channels + c) * bias.size() + o);
        }
      y.push_back(value);
    }
  return y;
}

Vector run(const Shape& s, const Vector& inputs) {
  const Parts p = parts(s);
  Vector past(s.window - 1), outputs;
  past.insert(past.end(), inputs.begin(), inputs.end());
  for (std::size_t t = 0; t < inputs.size(); ++t) {
    const auto begin = past.begin() + static_cast<std::ptrdiff_t>(t);
    const Vector window(begin, begin + static_cast<std::ptrdiff_t>(s.window));
    const Vector first = convolve(window, 1, p.kernel[0], p.bias[0], s.taps[0], s.stride[0]);
    const Vector x = convolve(first, s.filters[0], p.kernel[1], p.bias[1], s.taps[1], s.stride[1]);
    Vector c(s.units);
    const Vector h =
        keras::lstm({p.lstm_kernel, Vector(s.units * 4 * s.units), p.lstm_bias}, x, Vector(s.units), c);
    outputs.push_back(keras::dense({p.head, {}, p.head_bias}, h)[0]);
  }
  return outputs;
}

// As the program makes them; with windows that the strides do not divide; with kernels that are not their strides.
constexpr Shape kShapes[] = {{12, {3, 4}, {3, 4}, {2, 3}, 4}, {120, {12, 12}, {12, 12}, {4, 4}, 24},
                             {13, {4, 5}, {4, 5}, {2, 3}, 4}, {11, {3, 12}, {4, 3}, {2, 1}, 2},
                             {10, {2, 5}, {5, 7}, {3, 2}, 2}, {1, {1, 1}, {1, 1}, {1, 1}, 1}};

TEST(SmartAmpPro, Outputs) {
  Numbers numbers(5);
  const Vector inputs = numbers.vector(150);
  for (const Shape& shape : kShapes) expect_outputs(file(shape), inputs, run(shape, inputs));
}

TEST(SmartAmpPro, Metadata) {
  EXPECT_EQ(metadata(file(kShapes[0], "\"name\": \"clean\", \"metadata\": {\"gain\": 2}, ")),
            (std::map<std::string, std::string>{{"name", "clean"}, {"gain", "2"}}));
}

TEST(SmartAmpPro, Refuses) {
  const std::string text = file({12, {3, 4}, {3, 4}, {2, 3}, 4}, "\"note\": 1, ");
  const Refusal cases[] = {
      {"\"input_size\": 12", "\"input_size\": 13",
       "unsupported: input_size is 13, and with their strides the convolutions make 2 steps of that; the "
       "file has"},
      {"\"input_size\": 12", "\"input_size\": 0", "input_size is 0; it must be an integer, 1..65536"},
      {"\"conv1d_1_stride\": 4", "\"conv1d_1_stride\": 3",
       "unsupported: input_size is 12, and with their strides the convolutions make 2 steps of that; the "
       "file has"},
      {"\"conv1d_stride\": 3", "\"conv1d_stride\": 0", "conv1d_stride is 0"},
      {", \"conv1d_1_stride\": 4", "", "conv1d_1_stride is missing"},
      {"\"note\": 1", "\"dense_1\": {\"bias:0\": [1]}", "unsupported: layer dense_1 is unknown"},
      {"\"conv1d\": {\"bias:0\": [", "\"conv1d\": {\"bias:0\": [1, ",
       "conv1d.\"kernel:0\"[0][0] has 2 values; it must be 3"},
      {"\"conv1d\": {\"bias:0\"", "\"conv1d\": {\"bias:0\": [], \"b\"", "it must be"},
      {"\"lstm\": {\"bias:0\": [", "\"lstm\": {\"bias:0\": [1, ",
       "has 17 values; it must have 4 for each unit"},
      {"\"dense\": {\"bias:0\": [", "\"dense\": {\"bias:0\": [1, ", "has 2 values; it must be 1"},
  };
  for (const Refusal& refusal : cases) expect_refused(text, refusal);
  Shape wide = {1, {30000, 1}, {1, 1}, {1, 3}, 1};
  wide.window = 30000;
  EXPECT_EQ(try_load(file(wide)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: input_size is 30000, which would need a matrix of 3 x 30000");
}

}  // namespace

// The LSTM of a .nam file, read number by number as it runs: for each layer one matrix [4 H, X + H] over the
// input and h joined, gates i, f, g, o, its bias, h and c to start from; then the head.
#pragma once

#include <cmath>
#include <cstddef>

#include "tests/reference/linear.h"

namespace rnn::reference::nam {

struct Sizes {
  std::size_t inputs, hidden, layers, outputs;
};

// [steps, inputs] to [steps, outputs]
inline Vector run(const Vector& weights, const Sizes& sizes, const Vector& inputs) {
  const std::size_t H = sizes.hidden;
  Vector state(sizes.layers * 2 * H);  // h, c of each layer
  Vector outputs;
  for (std::size_t t = 0; t < inputs.size() / sizes.inputs; ++t) {
    auto next = weights.begin();
    const auto take = [&](std::size_t n) { return Vector(next, next + static_cast<std::ptrdiff_t>(n)); };
    const auto skip = [&](std::size_t n) { next += static_cast<std::ptrdiff_t>(n); };
    const auto begin = inputs.begin() + static_cast<std::ptrdiff_t>(t * sizes.inputs);
    Vector x(begin, begin + static_cast<std::ptrdiff_t>(sizes.inputs));
    for (std::size_t l = 0; l < sizes.layers; ++l) {
      const Vector matrix = take(4 * H * (x.size() + H));
      skip(matrix.size());
      const Vector bias = take(4 * H);
      skip(bias.size());
      double* h = &state[l * 2 * H];
      double* c = h + H;
      for (std::size_t i = 0; t == 0 && i < 2 * H; ++i) h[i] = next[static_cast<std::ptrdiff_t>(i)];
      skip(2 * H);
      x.insert(x.end(), h, h + H);
      const Vector v = sum(product(matrix, x), bias);
      for (std::size_t i = 0; i < H; ++i) {
        c[i] = sigmoid(v[H + i]) * c[i] + sigmoid(v[i]) * std::tanh(v[2 * H + i]);
        h[i] = sigmoid(v[3 * H + i]) * std::tanh(c[i]);
      }
      x.assign(h, h + H);
    }
    const Vector head = take(sizes.outputs * H);
    skip(head.size());
    const Vector y = sum(product(head, x), take(sizes.outputs));
    outputs.insert(outputs.end(), y.begin(), y.end());
  }
  return outputs;
}

struct ConvolutionSizes {
  std::size_t inputs, channels, outputs, groups;
  std::vector<std::size_t> dilations;
  bool normal;
};

// Of a ConvNet, f behind each convolution: [steps, inputs] to [steps, outputs]. Before the first step are zeros.
template <class F>
Vector run(const Vector& weights, const ConvolutionSizes& sizes, const F& f, Vector x) {
  std::size_t used = 0, X = sizes.inputs;
  const std::size_t T = x.size() / X, C = sizes.channels;
  for (const std::size_t dilation : sizes.dilations) {
    const std::size_t own = X / sizes.groups;
    const double* W = &weights[used];
    const double* rest = W + C * own * 2;
    used += C * own * 2 + (sizes.normal ? 4 * C + 1 : C);
    Vector y;
    for (std::size_t t = 0; t < T; ++t)
      for (std::size_t c = 0; c < C; ++c) {
        double sum = 0;
        for (std::size_t i = 0; i < own; ++i) {
          const std::size_t from = c / (C / sizes.groups) * own + i;
          if (t >= dilation) sum += W[(c * own + i) * 2] * x[(t - dilation) * X + from];
          sum += W[(c * own + i) * 2 + 1] * x[t * X + from];
        }
        if (sizes.normal)
          sum = rest[2 * C + c] * (sum - rest[c]) / std::sqrt(rest[C + c] + rest[4 * C]) + rest[3 * C + c];
        else
          sum += rest[c];
        y.push_back(f(sum));
      }
    x = y;
    X = C;
  }
  Vector outputs;
  const double* head = &weights[used];
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t o = 0; o < sizes.outputs; ++o) {
      double sum = head[sizes.outputs * X + o];
      for (std::size_t i = 0; i < X; ++i) sum += head[o * X + i] * x[t * X + i];
      outputs.push_back(sum);
    }
  return outputs;
}

}  // namespace rnn::reference::nam

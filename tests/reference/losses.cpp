// Losses and their gradients.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/reference/reference.h"

namespace rnn::reference {
namespace {

double log_sum_exp(const double* y, std::size_t n) {
  const double max = *std::max_element(y, y + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(y[i] - max);
  return max + std::log(sum);
}

// (1 - e) c_k (-log p_k) + e / O sum of c_j (-log p_j)
double cross_entropy(const double* y, std::int32_t k, std::size_t n, const Loss& loss) {
  const auto target = static_cast<std::size_t>(k);
  const double all = log_sum_exp(y, n), e = loss.label_smoothing;
  const auto weight = [&](std::size_t j) { return loss.class_weights.empty() ? 1.0 : loss.class_weights[j]; };
  double sum = (1 - e) * weight(target) * (all - y[target]);
  for (std::size_t j = 0; j < n; ++j) sum += e / static_cast<double>(n) * weight(j) * (all - y[j]);
  return sum;
}

double squared_error(const double* y, const double* target, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += (y[i] - target[i]) * (y[i] - target[i]);
  return sum / static_cast<double>(n);
}

// -target log sigmoid(y) - (1 - target) log(1 - sigmoid(y)) = log(1 + exp(y)) - target y
double binary_cross_entropy(const double* y, const double* target, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    sum += std::max(y[i], 0.0) + std::log1p(std::exp(-std::fabs(y[i]))) - target[i] * y[i];
  return sum / static_cast<double>(n);
}

}  // namespace

Evaluation evaluate(const Network& network, const Sequences& sequences, const Loss& loss) {
  const Pass pass = forward(network, sequences);
  const Vector& outputs = sequences.pooling != RNN_POOLING_NONE ? pass.pooled : pass.outputs;
  const std::size_t width = network.output_size();
  double sum = 0;
  double weights = 0;
  double right = 0;
  const std::int32_t kind = loss.kind;
  for (std::size_t m = 0; m < sequences.target_count(); ++m) {
    const double* y = &outputs[m * width];
    const bool by_class = kind == RNN_LOSS_CROSS_ENTROPY && !loss.class_weights.empty();
    const double own = sequences.weights.empty() ? 1 : sequences.weights[m];
    const double weight = by_class ? own * loss.class_weights[sequences.classes.at(m)] : own;
    weights += weight;
    switch (kind) {
      case RNN_LOSS_CROSS_ENTROPY:
        sum += own * cross_entropy(y, sequences.classes.at(m), width, loss);
        right += weight * (std::max_element(y, y + width) - y == sequences.classes[m]);
        break;
      case RNN_LOSS_SQUARED_ERROR:
        sum += weight * squared_error(y, &sequences.targets.at(m * width), width);
        break;
      case RNN_LOSS_BINARY_CROSS_ENTROPY:
        sum += weight * binary_cross_entropy(y, &sequences.targets.at(m * width), width);
        break;
      default:
        throw std::invalid_argument("no such loss");
    }
  }
  const bool classes = kind == RNN_LOSS_CROSS_ENTROPY;
  return {sum / weights, weights, classes ? right / weights : std::numeric_limits<double>::quiet_NaN()};
}

double central_difference(double& x, const std::function<double()>& f, double step) {
  const double middle = x;
  x = middle + step;
  const double above = f();
  x = middle - step;
  const double below = f();
  x = middle;
  return (above - below) / (2 * step);
}

Vector gradient(Vector& x, const std::function<double()>& f, double step) {
  Vector g;
  for (double& value : x) g.push_back(central_difference(value, f, step));
  return g;
}

Parameters gradients(Network& network, const Sequences& sequences, const Loss& loss) {
  Parameters g;
  for (auto& [name, values] : network.parameters)
    g[name] = gradient(values, [&] { return reference::loss(network, sequences, loss); });
  return g;
}

}  // namespace rnn::reference

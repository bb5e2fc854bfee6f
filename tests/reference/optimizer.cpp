// Clipping and the optimisers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/reference/reference.h"

namespace rnn::reference {

double norm(const Parameters& gradients) {
  double sum = 0;
  for (const auto& [name, values] : gradients)
    for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

void clip(Parameters& gradients, double clip_norm, double clip_value) {
  const double before = norm(gradients);
  const double scale = clip_norm > 0 && before > clip_norm ? clip_norm / before : 1;
  const double limit = clip_value > 0 ? clip_value : std::numeric_limits<double>::infinity();
  for (auto& [name, values] : gradients)
    for (double& value : values) value = std::clamp(value * scale, -limit, limit);
}

void Optimizer::update(Parameters& parameters, const Parameters& gradients, double rate) {
  ++updates_;
  for (const auto& [name, gradient] : gradients) {
    Vector& p = parameters.at(name);
    first_[name].resize(p.size());
    second_[name].resize(p.size());
    update(p, gradient, first_[name], second_[name], rate);
  }
}

void Optimizer::update(Vector& p, const Vector& gradient, Vector& first, Vector& second, double rate) const {
  for (std::size_t i = 0; i < p.size(); ++i) {
    double& m = first[i];
    double& v = second[i];
    double g = gradient[i];
    if (rule == RNN_OPTIMIZER_ADAMW) {
      p[i] -= rate * weight_decay * p[i];
    } else {
      g += weight_decay * p[i];
    }
    switch (rule) {
      case RNN_OPTIMIZER_ADAM:
      case RNN_OPTIMIZER_ADAMW: {
        m = beta1 * m + (1 - beta1) * g;
        v = beta2 * v + (1 - beta2) * g * g;
        const double mean = m / (1 - std::pow(beta1, updates_));
        const double square = v / (1 - std::pow(beta2, updates_));
        p[i] -= rate * mean / (std::sqrt(square) + epsilon);
        break;
      }
      case RNN_OPTIMIZER_SGD:
        m = momentum * m + g;
        p[i] -= rate * (nesterov ? g + momentum * m : m);
        break;
      case RNN_OPTIMIZER_ADAGRAD:
        v += g * g;
        p[i] -= rate * g / (std::sqrt(v) + epsilon);
        break;
      case RNN_OPTIMIZER_RMSPROP:
        v = beta2 * v + (1 - beta2) * g * g;
        m = momentum * m + g / (std::sqrt(v) + epsilon);
        p[i] -= rate * m;
        break;
      default:
        throw std::invalid_argument("no such optimizer");
    }
  }
}

}  // namespace rnn::reference

// The dense layer, which has no state, and its activations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "rnn/rnn.h"
#include "tests/reference/linear.h"

namespace rnn::reference {

struct Activation {
  std::int32_t kind = RNN_ACTIVATION_NONE;
  double alpha = 0, beta = 0;  // both 0: the defaults

  // The derivative has jumps.
  bool has_kinks() const {
    switch (kind) {
      case RNN_ACTIVATION_RELU:
      case RNN_ACTIVATION_ELU:  // unless alpha is 1
      case RNN_ACTIVATION_LEAKY_RELU:
      case RNN_ACTIVATION_PRELU:
      case RNN_ACTIVATION_HARD_SIGMOID:
      case RNN_ACTIVATION_THRESHOLDED_RELU:
        return true;
      default:
        return false;
    }
  }

  // Of one element; not the softmax.
  double of(double z, double slope = 0) const {
    const bool given = alpha != 0 || beta != 0;
    switch (kind) {
      case RNN_ACTIVATION_NONE:
        return z;
      case RNN_ACTIVATION_TANH:
        return std::tanh(z);
      case RNN_ACTIVATION_RELU:
        return std::max(0.0, z);
      case RNN_ACTIVATION_SIGMOID:
        return sigmoid(z);
      case RNN_ACTIVATION_ELU:
        return z > 0 ? z : (given ? alpha : 1) * (std::exp(z) - 1);
      case RNN_ACTIVATION_LEAKY_RELU:
        return z > 0 ? z : (given ? alpha : 0.01) * z;
      case RNN_ACTIVATION_PRELU:
        return z > 0 ? z : slope * z;
      case RNN_ACTIVATION_SOFTSIGN:
        return z / (1 + std::fabs(z));
      case RNN_ACTIVATION_GELU:
        return z * (1 + std::erf(z / std::sqrt(2.0))) / 2;
      case RNN_ACTIVATION_SWISH:
        return z * sigmoid(z);
      case RNN_ACTIVATION_HARD_SIGMOID:
        return std::max(0.0, std::min(1.0, (given ? alpha : 0.2) * z + (given ? beta : 0.5)));
      case RNN_ACTIVATION_SOFTPLUS:
        return std::max(0.0, z) + std::log1p(std::exp(-std::fabs(z)));
      case RNN_ACTIVATION_AFFINE:
        return (given ? alpha : 1) * z + beta;
      case RNN_ACTIVATION_SCALED_TANH:
        return (given ? alpha : 1) * std::tanh((given ? beta : 1) * z);
      case RNN_ACTIVATION_THRESHOLDED_RELU:
        return z > (given ? alpha : 1) ? z : 0;
      default:
        throw std::invalid_argument("no such activation");
    }
  }
};

// Those of a cell, of which z is limited to -clip..clip first.
struct Activations {
  Activation gate = {RNN_ACTIVATION_SIGMOID}, new_gate = {RNN_ACTIVATION_TANH},
             output = {RNN_ACTIVATION_TANH};
  double clip = 0;  // 0: it is not

  double open(double z) const { return gate.of(limited(z)); }
  double propose(double z) const { return new_gate.of(limited(z)); }
  bool has_kinks() const {
    return clip != 0 || gate.has_kinks() || new_gate.has_kinks() || output.has_kinks();
  }

 private:
  double limited(double z) const { return clip != 0 ? std::max(-clip, std::min(clip, z)) : z; }
};

// y_i = exp(z_i) / sum of exp(z_j)
inline Vector softmax(Vector z) {
  const double max = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (double& value : z) sum += value = std::exp(value - max);
  for (double& value : z) value /= sum;
  return z;
}

// f(z)
//
// slope  as z: that of PReLU
inline Vector activate(const Activation& f, Vector z, const Vector& slope) {
  if (f.kind == RNN_ACTIVATION_SOFTMAX) return softmax(z);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = f.of(z[i], slope.at(i));
  return z;
}

}  // namespace rnn::reference

// The activation functions of ONNX's cells.
#pragma once

#include <cstdint>

#include "rnn/rnn.h"

namespace rnn::formats {

struct OnnxFunction {
  const char* name;
  std::int32_t activation;    // RNN_ACTIVATION_...
  bool has_alpha, has_beta;   // in activation_alpha, activation_beta,
  float alpha = 0, beta = 0;  // where these are where there are no more
};

constexpr OnnxFunction kOnnxFunctions[] = {
    {"Tanh", RNN_ACTIVATION_TANH, false, false},
    {"Relu", RNN_ACTIVATION_RELU, false, false},
    {"Sigmoid", RNN_ACTIVATION_SIGMOID, false, false},
    {"Affine", RNN_ACTIVATION_AFFINE, true, true, 1},
    {"LeakyRelu", RNN_ACTIVATION_LEAKY_RELU, true, false, 0.01f},
    {"ThresholdedRelu", RNN_ACTIVATION_THRESHOLDED_RELU, true, false, 1},
    {"ScaledTanh", RNN_ACTIVATION_SCALED_TANH, true, true, 1, 1},
    {"HardSigmoid", RNN_ACTIVATION_HARD_SIGMOID, true, true, 0.2f, 0.5f},
    {"Elu", RNN_ACTIVATION_ELU, true, false, 1},
    {"Softsign", RNN_ACTIVATION_SOFTSIGN, false, false},
    {"Softplus", RNN_ACTIVATION_SOFTPLUS, false, false}};

}  // namespace rnn::formats

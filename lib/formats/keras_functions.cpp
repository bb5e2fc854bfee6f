#include "lib/formats/keras_functions.h"

#include "rnn/rnn.h"

namespace rnn::keras {
namespace {

constexpr struct {
  const char* name;
  std::int32_t activation;
  float alpha;
} kFunctions[] = {{"linear", RNN_ACTIVATION_NONE, 0},
                  {"tanh", RNN_ACTIVATION_TANH, 0},
                  {"relu", RNN_ACTIVATION_RELU, 0},
                  {"sigmoid", RNN_ACTIVATION_SIGMOID, 0},
                  {"softmax", RNN_ACTIVATION_SOFTMAX, 0},
                  {"elu", RNN_ACTIVATION_ELU, 1.0f},
                  {"leaky_relu", RNN_ACTIVATION_LEAKY_RELU, 0.2f},
                  {"softsign", RNN_ACTIVATION_SOFTSIGN, 0},
                  {"gelu", RNN_ACTIVATION_GELU, 0},
                  {"swish", RNN_ACTIVATION_SWISH, 0},
                  {"silu", RNN_ACTIVATION_SWISH, 0},
                  {"softplus", RNN_ACTIVATION_SOFTPLUS, 0}};

// max(0, min(1, x / 5 + 1/2)) in Keras 2, max(0, min(1, x / 6 + 1/2)) in Keras 3
std::optional<Function> hard_sigmoid(int version) {
  if (version != 2 && version != 3) return std::nullopt;
  return Function{RNN_ACTIVATION_HARD_SIGMOID, version == 2 ? 0.2f : 1.0f / 6.0f, 0.5f, {}};
}

}  // namespace

std::optional<Function> find_function(std::string_view name, int version) {
  if (name.empty()) return Function{};
  if (name == "hard_sigmoid") return hard_sigmoid(version);
  for (const auto& function : kFunctions)
    if (name == function.name) return Function{function.activation, function.alpha, 0, {}};
  return std::nullopt;
}

std::string function_names() {
  std::string names;
  for (const auto& function : kFunctions) names += std::string(function.name) + ", ";
  return names + "hard_sigmoid";
}

Function leaky_relu(double alpha) {
  const auto slope = static_cast<float>(alpha);
  return {slope == 0 ? RNN_ACTIVATION_RELU : RNN_ACTIVATION_LEAKY_RELU, slope, 0, {}};
}

Function elu(double alpha) {
  const auto scale = static_cast<float>(alpha);
  return {scale == 0 ? RNN_ACTIVATION_RELU : RNN_ACTIVATION_ELU, scale, 0, {}};
}

}  // namespace rnn::keras

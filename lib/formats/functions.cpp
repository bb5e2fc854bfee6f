#include "lib/formats/functions.h"

#include "rnn/rnn.h"

namespace rnn::formats {
namespace {

constexpr struct {
  const char* name;
  std::int32_t activation;
} kFunctions[] = {{"none", RNN_ACTIVATION_NONE},         {"linear", RNN_ACTIVATION_NONE},
                  {"tanh", RNN_ACTIVATION_TANH},         {"relu", RNN_ACTIVATION_RELU},
                  {"sigmoid", RNN_ACTIVATION_SIGMOID},   {"softmax", RNN_ACTIVATION_SOFTMAX},
                  {"elu", RNN_ACTIVATION_ELU},           {"leaky_relu", RNN_ACTIVATION_LEAKY_RELU},
                  {"softsign", RNN_ACTIVATION_SOFTSIGN}, {"gelu", RNN_ACTIVATION_GELU},
                  {"swish", RNN_ACTIVATION_SWISH},       {"silu", RNN_ACTIVATION_SWISH},
                  {"softplus", RNN_ACTIVATION_SOFTPLUS}, {"hard_sigmoid", RNN_ACTIVATION_HARD_SIGMOID}};

std::optional<Function> with_defaults(std::int32_t activation, const Conventions& conventions) {
  switch (activation) {
    case RNN_ACTIVATION_ELU:
      return elu(1);
    case RNN_ACTIVATION_LEAKY_RELU:
      return leaky_relu(static_cast<double>(conventions.leaky_slope));
    case RNN_ACTIVATION_HARD_SIGMOID:
      if (conventions.hard_slope == 0) return std::nullopt;
      return Function{activation, conventions.hard_slope, 0.5f, {}};
    default:
      return Function{activation, 0, 0, {}};
  }
}

std::string names_but(std::int32_t left_out) {
  std::string names;
  for (const auto& function : kFunctions)
    if (function.activation != left_out) names += (names.empty() ? "" : ", ") + std::string(function.name);
  return names;
}

}  // namespace

std::optional<Function> find_function(std::string_view name, const Conventions& conventions) {
  if (name.empty()) return Function{};
  for (const auto& function : kFunctions)
    if (name == function.name) return with_defaults(function.activation, conventions);
  return std::nullopt;
}

std::optional<Function> find_cell_function(std::string_view name, std::int32_t usual,
                                           const Conventions& conventions) {
  if (name.empty()) return Function{};
  std::optional<Function> function = find_function(name, conventions);
  if (!function || function->activation == RNN_ACTIVATION_SOFTMAX) return std::nullopt;
  if (function->activation == RNN_ACTIVATION_NONE) return Function{RNN_ACTIVATION_AFFINE, 1, 0, {}};
  return function->activation == usual ? Function{} : function;
}

std::string function_names() { return names_but(-1); }

std::string cell_function_names() { return names_but(RNN_ACTIVATION_SOFTMAX); }

Function leaky_relu(double alpha) {
  const auto slope = static_cast<float>(alpha);
  return {slope == 0 ? RNN_ACTIVATION_RELU : RNN_ACTIVATION_LEAKY_RELU, slope, 0, {}};
}

Function elu(double alpha) {
  const auto scale = static_cast<float>(alpha);
  return {scale == 0 ? RNN_ACTIVATION_RELU : RNN_ACTIVATION_ELU, scale, 0, {}};
}

Function thresholded_relu(double alpha) {
  const auto threshold = static_cast<float>(alpha);
  return {threshold == 0 ? RNN_ACTIVATION_RELU : RNN_ACTIVATION_THRESHOLDED_RELU, threshold, 0, {}};
}

}  // namespace rnn::formats

// Activations by the names that Keras and PyTorch have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rnn::formats {

// Of what a layer gives, as rnn_layer_t has it.
struct Function {
  std::int32_t activation = 0;  // RNN_ACTIVATION_...
  float alpha = 0;
  float beta = 0;
  std::vector<float> slopes;  // of RNN_ACTIVATION_PRELU: of each element, or one for all

  bool operator==(const Function& other) const {
    return activation == other.activation && alpha == other.alpha && beta == other.beta &&
           slopes == other.slopes;
  }
};

// In what libraries differ.
struct Conventions {
  float leaky_slope;
  float hard_slope;  // hard_sigmoid is max(0, min(1, slope x + 1/2)); 0: not known, and then there is none
};
constexpr Conventions kKeras = {0.2f, 0}, kKeras2 = {0.2f, 0.2f}, kKeras3 = {0.2f, 1.0f / 6.0f},
                      kPyTorch = {0.01f, 1.0f / 6.0f};

// None of a name that librnn has no activation for. "", "none" and "linear" are none.
std::optional<Function> find_function(std::string_view name, const Conventions& conventions);

// Of a cell, whose fields in rnn_layer_t are 0 for `usual`; "linear" is RNN_ACTIVATION_AFFINE. None of a name that no
// cell has.
std::optional<Function> find_cell_function(std::string_view name, std::int32_t usual,
                                           const Conventions& conventions);

std::string function_names();  // all, for messages
std::string cell_function_names();

// Where alpha is 0, too, which in rnn_layer_t is the default.
Function leaky_relu(double alpha);
Function elu(double alpha);
Function thresholded_relu(double alpha);

}  // namespace rnn::formats

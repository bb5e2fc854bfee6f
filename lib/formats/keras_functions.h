// The activations of Keras, by their names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rnn::keras {

// Of what a layer gives, as rnn_layer_t has it.
struct Function {
  std::int32_t activation = 0;  // RNN_ACTIVATION_...
  float alpha = 0;
  float beta = 0;
  std::vector<float> slopes;  // of RNN_ACTIVATION_PRELU: of each element, or one for all
};

// `version` is Keras', 2 or 3, on which hard_sigmoid depends; 0: not known, and then there is no hard_sigmoid. None of
// a name that librnn has no activation for. "" is "linear".
std::optional<Function> find_function(std::string_view name, int version);

std::string function_names();  // all, for messages

// Where alpha is 0, too, which in rnn_layer_t is the default.
Function leaky_relu(double alpha);
Function elu(double alpha);

}  // namespace rnn::keras

#include <stdexcept>

#include "tests/reference/reference.h"

namespace rnn::reference {
namespace {

void check(rnn_status_t status) {
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
}

}  // namespace

Network load(const rnn_t* rnn) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  check(rnn_get_config(rnn, &config));

  Network network = architecture(config);
  std::size_t count = 0;
  check(rnn_parameter_count(rnn, &count));
  for (std::size_t i = 0; i < count; ++i) {
    rnn_parameter_t parameter = {};
    parameter.struct_size = sizeof parameter;
    check(rnn_parameter_info(rnn, i, &parameter));
    std::vector<float> values(parameter.rows * parameter.columns);
    check(rnn_get_parameter(rnn, parameter.name, values.data(), values.size()));
    network.parameters[parameter.name].assign(values.begin(), values.end());
  }
  return network;
}

}  // namespace rnn::reference

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"

using namespace rnn::capi;

rnn_status_t rnn_parameter_count(const rnn_t* rnn, size_t* count) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (count == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "count is NULL");
  *count = rnn->network.weights().parameter_count();
  return RNN_OK;
}

rnn_status_t rnn_parameter_info(const rnn_t* rnn, size_t index, rnn_parameter_t* out) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (const rnn_status_t status = check_out(__func__, out, "out")) return status;
  const rnn::Weights& weights = rnn->network.weights();
  if (index >= weights.parameter_count())
    return fail(__func__, RNN_INVALID_ARGUMENT, "index is %zu; it must be 0..%zu", index,
                weights.parameter_count() - 1);
  const rnn::Parameter& parameter = weights.parameter(index);
  write_sized(rnn_parameter_t{sizeof(rnn_parameter_t), parameter.name, parameter.rows, parameter.columns},
              out);
  return RNN_OK;
}

rnn_status_t rnn_get_parameter(const rnn_t* rnn, const char* name, float* values, size_t count) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(name, "name");
    check_pointer(values, "values");
    const rnn::Weights& weights = rnn->network.weights();
    weights.get(find_parameter(weights, name, count), values);
  });
}

rnn_status_t rnn_set_parameter(rnn_t* rnn, const char* name, const float* values, size_t count) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(name, "name");
    check_pointer(values, "values");
    const rnn::Weights& before = rnn->network.weights();
    const auto index = static_cast<size_t>(&find_parameter(before, name, count) - &before.parameter(0));
    const size_t bad = find_not_finite(values, count);
    if (bad != count)
      throw rnn::Error(RNN_INVALID_ARGUMENT, "values[%zu] is %g; it must be finite", bad, values[bad]);
    rnn->network.change_weights([&](rnn::Weights& weights) {
      weights.set(weights.parameter(index), values);
      weights.pack();
    });
  });
}

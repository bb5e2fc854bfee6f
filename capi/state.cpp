#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "lib/network/error.h"

using namespace rnn::capi;

namespace {

// What rnn_get_state and rnn_set_state have in common.
rnn_status_t check(const char* function, const rnn_t* rnn, const float* state, size_t count) noexcept {
  if (rnn == nullptr) return fail(function, RNN_INVALID_ARGUMENT, "rnn is NULL");
  const size_t size = rnn->network.weights().state_size();
  if (state == nullptr && size != 0) return fail(function, RNN_INVALID_ARGUMENT, "state is NULL");
  if (count != size)
    return fail(function, RNN_MISMATCH, "count is %zu; a state of this network has %zu values", count, size);
  return RNN_OK;
}

}  // namespace

rnn_status_t rnn_state_size(const rnn_t* rnn, size_t* size) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (size == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "size is NULL");
  *size = rnn->network.weights().state_size();
  return RNN_OK;
}

rnn_status_t rnn_reset(rnn_t* rnn) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  rnn->network.reset();
  return RNN_OK;
}

rnn_status_t rnn_get_state(const rnn_t* rnn, float* state, size_t count) {
  if (const rnn_status_t status = check(__func__, rnn, state, count)) return status;
  rnn->network.get_state(state);
  return RNN_OK;
}

rnn_status_t rnn_set_state(rnn_t* rnn, const float* state, size_t count) {
  if (const rnn_status_t status = check(__func__, rnn, state, count)) return status;
  const size_t bad = find_not_finite(state, count);
  if (bad != count) {
    const rnn::kernels::FloatEnvironment environment;
    return fail(__func__, RNN_INVALID_ARGUMENT, "state[%zu] is %g; it must be finite", bad, state[bad]);
  }
  rnn->network.set_state(state);
  return RNN_OK;
}

rnn_status_t rnn_set_delay(rnn_t* rnn, float delay) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    if (rnn->network.weights().has_reverse())
      throw rnn::Error(RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
    rnn->network.set_delay(delay);
  });
}

rnn_status_t rnn_history(rnn_t* rnn, size_t steps) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    if (rnn->network.weights().has_reverse())
      throw rnn::Error(RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
    rnn->network.set_history(steps);
  });
}

rnn_status_t rnn_rewind(rnn_t* rnn, size_t steps) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  const size_t recorded = rnn->network.recorded();
  if (steps > recorded)
    return fail(__func__, RNN_INVALID_ARGUMENT, "steps is %zu; it must be 0..%zu, as many as the history has",
                steps, recorded);
  rnn->network.rewind(steps);
  return RNN_OK;
}

rnn_status_t rnn_get_delay(const rnn_t* rnn, float* delay) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (delay == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "delay is NULL");
  *delay = rnn->network.delay();
  return RNN_OK;
}

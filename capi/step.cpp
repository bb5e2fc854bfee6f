#include <algorithm>

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"

using namespace rnn::capi;

// Real-time functions: plain tests before anything moves, and no guard, since nothing below throws.

namespace {

constexpr size_t kStreamsAtOnce = 256;

bool in_range(int32_t index, const rnn::Weights& weights) noexcept {
  return index >= 0 && static_cast<size_t>(index) < weights.input_size();
}

rnn_status_t check_indices(const char* function, const int32_t* indices, size_t count,
                           const rnn::Weights& weights) noexcept {
  for (size_t i = 0; i < count; ++i)
    if (!in_range(indices[i], weights))
      return fail(function, RNN_INVALID_ARGUMENT, "indices[%zu] is %d; it must be 0..%zu", i, indices[i],
                  weights.input_size() - 1);
  return RNN_OK;
}

// No stream missing or given twice, all over the same weights. Marks find a repetition in one pass without
// any memory; none is left on return.
rnn_status_t check_streams(const char* function, rnn_t* const* streams, size_t count) noexcept {
  rnn_status_t status = RNN_OK;
  size_t i = 0;
  for (; i < count; ++i) {
    rnn_t* stream = streams[i];
    if (stream == nullptr) {
      status = fail(function, RNN_INVALID_ARGUMENT, "streams[%zu] is NULL", i);
    } else if (stream->marked) {
      status = fail(function, RNN_INVALID_ARGUMENT, "streams[%zu] occurs twice", i);
    } else if (stream->network.weights_ref().get() != streams[0]->network.weights_ref().get()) {
      status = fail(function, RNN_MISMATCH, "streams[%zu] does not share the weights of streams[0]", i);
    }
    if (status != RNN_OK) break;
    stream->marked = true;
  }
  while (i > 0) streams[--i]->marked = false;
  return status;
}

// x or indices. The arguments are checked.
void step_blocks(rnn_t* const* streams, size_t count, const float* x, const int32_t* indices,
                 float* y) noexcept {
  const rnn::Weights& weights = streams[0]->network.weights();
  rnn::Network* networks[kStreamsAtOnce];
  for (size_t first = 0; first < count; first += kStreamsAtOnce) {
    const size_t n = std::min(kStreamsAtOnce, count - first);
    for (size_t i = 0; i < n; ++i) networks[i] = &streams[first + i]->network;
    rnn::Network::step_many(networks, n, x != nullptr ? x + first * weights.input_size() : nullptr,
                            indices != nullptr ? indices + first : nullptr,
                            y != nullptr ? y + first * weights.output_size() : nullptr);
  }
}

}  // namespace

rnn_status_t rnn_step(rnn_t* rnn, const float* x, float* y) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (x == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "x is NULL");
  const rnn::Weights& weights = rnn->network.weights();
  if (!reads_vectors(weights)) return refuse_vectors(__func__, weights);
  if (y != nullptr && overlap(x, weights.input_size() * sizeof *x, y, weights.output_size() * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "x and y overlap");
  rnn->network.step(x, y);
  return RNN_OK;
}

rnn_status_t rnn_step_index(rnn_t* rnn, int32_t index, float* y) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  const rnn::Weights& weights = rnn->network.weights();
  if (weights.has_reverse()) return fail(__func__, RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
  if (!in_range(index, weights))
    return fail(__func__, RNN_INVALID_ARGUMENT, "index is %d; it must be 0..%zu", index,
                weights.input_size() - 1);
  rnn->network.step(index, y);
  return RNN_OK;
}

rnn_status_t rnn_reserve_block(rnn_t* rnn, size_t steps) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    rnn->network.reserve_block(steps);
  });
}

rnn_status_t rnn_step_block(rnn_t* rnn, const float* x, size_t steps, float* y) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  const rnn::Weights& weights = rnn->network.weights();
  if (!reads_vectors(weights)) return refuse_vectors(__func__, weights);
  if (steps == 0) return RNN_OK;
  if (x == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "x is NULL");
  if (y != nullptr &&
      overlap(x, steps * weights.input_size() * sizeof *x, y, steps * weights.output_size() * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "x and y overlap");
  rnn->network.step_block(steps, x, nullptr, y);
  return RNN_OK;
}

rnn_status_t rnn_step_block_index(rnn_t* rnn, const int32_t* indices, size_t steps, float* y) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  const rnn::Weights& weights = rnn->network.weights();
  if (weights.has_reverse()) return fail(__func__, RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
  if (steps == 0) return RNN_OK;
  if (indices == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "indices is NULL");
  if (const rnn_status_t status = check_indices(__func__, indices, steps, weights)) return status;
  if (y != nullptr && overlap(indices, steps * sizeof *indices, y, steps * weights.output_size() * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "indices and y overlap");
  rnn->network.step_block(steps, nullptr, indices, y);
  return RNN_OK;
}

rnn_status_t rnn_step_many(rnn_t* const* streams, size_t count, const float* x, float* y) {
  if (count == 0) return RNN_OK;
  if (streams == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "streams is NULL");
  if (x == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "x is NULL");
  if (const rnn_status_t status = check_streams(__func__, streams, count)) return status;
  const rnn::Weights& weights = streams[0]->network.weights();
  if (!reads_vectors(weights)) return refuse_vectors(__func__, weights);
  if (y != nullptr &&
      overlap(x, count * weights.input_size() * sizeof *x, y, count * weights.output_size() * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "x and y overlap");
  step_blocks(streams, count, x, nullptr, y);
  return RNN_OK;
}

rnn_status_t rnn_step_many_index(rnn_t* const* streams, size_t count, const int32_t* indices, float* y) {
  if (count == 0) return RNN_OK;
  if (streams == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "streams is NULL");
  if (indices == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "indices is NULL");
  if (const rnn_status_t status = check_streams(__func__, streams, count)) return status;
  const rnn::Weights& weights = streams[0]->network.weights();
  if (weights.has_reverse()) return fail(__func__, RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
  if (const rnn_status_t status = check_indices(__func__, indices, count, weights)) return status;
  if (y != nullptr && overlap(indices, count * sizeof *indices, y, count * weights.output_size() * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "indices and y overlap");
  step_blocks(streams, count, nullptr, indices, y);
  return RNN_OK;
}

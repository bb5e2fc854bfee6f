#include "lib/network/generate.h"

#include <algorithm>
#include <cmath>

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"
#include "lib/network/text.h"

using namespace rnn::capi;

namespace {

void check_feedback(const rnn::Weights& weights) {
  if (weights.output_size() != weights.input_size())
    throw rnn::Error(RNN_INVALID_ARGUMENT,
                     "the network has %zu outputs and %zu inputs; outputs become inputs",
                     weights.output_size(), weights.input_size());
}

void check_index(int32_t index, const char* name, const rnn::Weights& weights) {
  if (index < 0 || static_cast<size_t>(index) >= weights.input_size())
    throw rnn::Error(RNN_INVALID_ARGUMENT, "%s is %d; it must be 0..%zu", name, index,
                     weights.input_size() - 1);
}

void check_prompt(const rnn_generate_options_t& options, const rnn::Weights& weights) {
  check_pointer(options.prompt, "options.prompt");
  if (options.prompt_count == 0)
    throw rnn::Error(RNN_INVALID_ARGUMENT, "options.prompt_count is 0; it must be at least 1");
  for (size_t i = 0; i < options.prompt_count; ++i)
    if (options.prompt[i] < 0 || static_cast<size_t>(options.prompt[i]) >= weights.input_size())
      throw rnn::Error(RNN_INVALID_ARGUMENT, "options.prompt[%zu] is %d; it must be 0..%zu", i,
                       options.prompt[i], weights.input_size() - 1);
}

// Check the options and resolve their defaults.
rnn_generate_options_t resolve(rnn_generate_options_t options, const rnn::Weights& weights) {
  check_prompt(options, weights);
  if (options.temperature == 0) options.temperature = 1;
  if (!(options.temperature > 0) || !std::isfinite(options.temperature))
    throw rnn::Error(RNN_INVALID_ARGUMENT, "options.temperature is %g; it must be > 0 and finite, or 0 for 1",
                     options.temperature);
  if (options.top_p == 0) options.top_p = 1;
  if (!(options.top_p > 0 && options.top_p <= 1))
    throw rnn::Error(RNN_INVALID_ARGUMENT, "options.top_p is %s; it must be 0..1",
                     rnn::number(options.top_p).c_str());
  if (options.top_k < 0)
    throw rnn::Error(RNN_INVALID_ARGUMENT, "options.top_k is %d; it must be >= 1, or 0 for all",
                     options.top_k);
  const auto outputs = static_cast<int32_t>(weights.output_size());
  options.top_k = options.top_k == 0 ? outputs : std::min(options.top_k, outputs);
  check_flag(options.greedy, "options.greedy");
  check_flag(options.stop, "options.stop");
  if (options.stop != 0) check_index(options.stop_index, "options.stop_index", weights);
  return options;
}

}  // namespace

rnn_status_t rnn_generate(rnn_t* rnn, const rnn_generate_options_t* options, int32_t* out, size_t capacity,
                          size_t* written) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    const rnn_generate_options_t given = read_sized(options, "options");
    check_pointer(out, "out");
    check_pointer(written, "written");
    if (capacity == 0) throw rnn::Error(RNN_INVALID_ARGUMENT, "capacity is 0; it must be at least 1");
    const rnn::Weights& weights = rnn->network.weights();
    if (weights.has_reverse()) throw rnn::Error(RNN_INVALID_ARGUMENT, "%s", kBidirectionalMessage);
    check_feedback(weights);
    *written = rnn::generate(rnn->network, resolve(given, weights), out, capacity);
  });
}

rnn_status_t rnn_rollout(rnn_t* rnn, const float* x, size_t steps, float* y) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (x == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "x is NULL");
  if (y == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "y is NULL");
  const rnn::Weights& weights = rnn->network.weights();
  const size_t size = weights.input_size();
  if (!reads_vectors(weights)) return refuse_vectors(__func__, weights);
  if (weights.output_size() != size)
    return fail(__func__, RNN_INVALID_ARGUMENT,
                "the network has %zu outputs and %zu inputs; outputs become inputs", weights.output_size(),
                size);
  if (overlap(x, size * sizeof *x, y, steps * size * sizeof *y))
    return fail(__func__, RNN_INVALID_ARGUMENT, "x and y overlap");
  for (size_t t = 0; t < steps; ++t) {
    rnn->network.step(x, y);
    x = y;
    y += size;
  }
  return RNN_OK;
}

#include "lib/network/sequences.h"

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"

using namespace rnn::capi;

rnn_status_t rnn_forward(rnn_t* rnn, const rnn_sequences_t* in, const rnn_forward_options_t* options,
                         float* outputs) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    const rnn_sequences_t sequences = read_sized(in, "in");
    const rnn_forward_options_t given = read_options(options, "options");
    rnn::check_inputs(rnn->network.weights(), sequences, "in");
    check_pooling(given.pooling, "options.pooling");
    check_flag(given.stateful, "options.stateful");
    if (given.stateful != 0 && sequences.count != 1)
      throw rnn::Error(RNN_INVALID_ARGUMENT, "in.count is %zu; it must be 1 with options.stateful",
                       sequences.count);
    if (given.stateful != 0 && given.initial_states != nullptr)
      throw rnn::Error(RNN_INVALID_ARGUMENT,
                       "options.initial_states is given; it must be NULL with stateful");
    if (given.stateful != 0 && rnn->network.weights().has_reverse())
      throw rnn::Error(RNN_INVALID_ARGUMENT, "options.stateful is 1; %s", kBidirectionalMessage);
    rnn::check_initial_states(rnn->network.weights(), sequences, given.initial_states,
                              "options.initial_states");
    rnn->network.forward(sequences, given, outputs);
  });
}

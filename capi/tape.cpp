#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"
#include "capi/training_handle.h"
#include "lib/network/text.h"

using namespace rnn::capi;

rnn_status_t rnn_tape_create(const rnn_t* rnn, int32_t threads, rnn_tape_t** out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(out, "out");
    *out = rnn->network.allocator().make<rnn_tape_handle>(rnn->network, threads);
  });
}

rnn_status_t rnn_tape_forward(rnn_tape_t* tape, const rnn_t* rnn, const rnn_sequences_t* in,
                              const float* initial_states, float* outputs, float* final_states) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    check_pointer(rnn, "rnn");
    const rnn_sequences_t sequences = read_sized(in, "in");
    rnn::check_same_architecture(rnn->network.weights().config(), "rnn", tape->tape.weights().config(),
                                 "tape");
    tape->tape.forward(rnn->network, sequences, initial_states, outputs, final_states);
  });
}

rnn_status_t rnn_tape_backward(rnn_tape_t* tape, const float* d_outputs, const float* d_final_states,
                               float* d_inputs, float* d_initial_states) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    tape->tape.backward(d_outputs, d_final_states, d_inputs, d_initial_states);
  });
}

rnn_status_t rnn_tape_set_dropout(rnn_tape_t* tape, float rate, uint64_t seed) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    tape->tape.set_dropout(rate, seed);
  });
}

rnn_status_t rnn_tape_set_dropout_rates(rnn_tape_t* tape, const rnn_dropout_rates_t* rates, uint64_t seed) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    tape->tape.set_dropout(read_sized(rates, "rates"), seed);
  });
}

rnn_status_t rnn_tape_gradient(const rnn_tape_t* tape, const char* name, float* values, size_t count) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    check_pointer(name, "name");
    check_pointer(values, "values");
    tape->tape.get_gradient(find_parameter(tape->tape.weights(), name, count), values);
  });
}

rnn_status_t rnn_tape_zero_gradients(rnn_tape_t* tape) {
  return guard(__func__, [&] {
    check_pointer(tape, "tape");
    tape->tape.zero_gradients();
  });
}

rnn_status_t rnn_trainer_apply(rnn_trainer_t* trainer, const rnn_tape_t* tape, rnn_progress_t* progress) {
  return guard(__func__, [&](rnn::kernels::FloatEnvironment& environment) {
    check_pointer(trainer, "trainer");
    check_pointer(tape, "tape");
    if (progress != nullptr) check_size(progress, "progress");
    rnn::check_same_architecture(tape->tape.weights().config(), "tape",
                                 trainer->trainer.weights_ref()->config(), "trainer");
    rnn_progress_t done = {};
    trainer->trainer.apply(tape->tape, progress != nullptr ? &done : nullptr, environment);
    if (progress != nullptr) write_sized(done, progress);
  });
}

void rnn_tape_destroy(rnn_tape_t* tape) {
  if (tape != nullptr) tape->allocator.destroy(tape);
}

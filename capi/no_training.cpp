// The functions of train.cpp and tape.cpp in a build without oneTBB: no trainer or tape can exist.

#include "capi/guard.h"

namespace {

rnn_status_t unsupported(const char* function) noexcept {
  return rnn::capi::fail(function, RNN_UNSUPPORTED,
                         "this library was built without training, which needs oneTBB");
}

}  // namespace

rnn_status_t rnn_train(rnn_t*, const rnn_sequences_t*, const rnn_train_options_t*) {
  return unsupported(__func__);
}

rnn_status_t rnn_evaluate(const rnn_t*, const rnn_sequences_t*, const rnn_train_options_t*,
                          rnn_evaluation_t*) {
  return unsupported(__func__);
}

rnn_status_t rnn_trainer_create(const rnn_t*, const rnn_train_options_t*, rnn_trainer_t**) {
  return unsupported(__func__);
}

rnn_status_t rnn_trainer_update(rnn_trainer_t*, const rnn_sequences_t*, rnn_progress_t*) {
  return unsupported(__func__);
}

rnn_status_t rnn_trainer_reset(rnn_trainer_t*) { return unsupported(__func__); }
rnn_status_t rnn_trainer_set_learning_rate(rnn_trainer_t*, float) { return unsupported(__func__); }

rnn_status_t rnn_trainer_run(rnn_trainer_t*, const rnn_sequences_t*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_network(const rnn_trainer_t*, rnn_t**) { return unsupported(__func__); }

rnn_status_t rnn_trainer_sync(const rnn_trainer_t*, rnn_t*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_save(const rnn_trainer_t*, const char*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_load(rnn_trainer_t*, const char*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_optimizer_bytes(const rnn_trainer_t*, std::size_t*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_log(rnn_trainer_t*, const rnn_log_t*) { return unsupported(__func__); }

void rnn_trainer_destroy(rnn_trainer_t*) {}

rnn_status_t rnn_tape_create(const rnn_t*, int32_t, rnn_tape_t**) { return unsupported(__func__); }

rnn_status_t rnn_tape_forward(rnn_tape_t*, const rnn_t*, const rnn_sequences_t*, const float*, float*,
                              float*) {
  return unsupported(__func__);
}

rnn_status_t rnn_tape_backward(rnn_tape_t*, const float*, const float*, float*, float*) {
  return unsupported(__func__);
}

rnn_status_t rnn_tape_set_dropout(rnn_tape_t*, float, uint64_t) { return unsupported(__func__); }
rnn_status_t rnn_tape_set_dropout_rates(rnn_tape_t*, const rnn_dropout_rates_t*, uint64_t) {
  return unsupported(__func__);
}

rnn_status_t rnn_tape_gradient(const rnn_tape_t*, const char*, float*, size_t) {
  return unsupported(__func__);
}

rnn_status_t rnn_tape_zero_gradients(rnn_tape_t*) { return unsupported(__func__); }

rnn_status_t rnn_trainer_apply(rnn_trainer_t*, const rnn_tape_t*, rnn_progress_t*) {
  return unsupported(__func__);
}

void rnn_tape_destroy(rnn_tape_t*) {}

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"
#include "capi/training_handle.h"
#include "lib/formats/checkpoint.h"

using namespace rnn::capi;

rnn_status_t rnn_train(rnn_t* rnn, const rnn_sequences_t* data, const rnn_train_options_t* options) {
  return guard(__func__, [&](rnn::kernels::FloatEnvironment& environment) {
    check_pointer(rnn, "rnn");
    const rnn_sequences_t sequences = read_sized(data, "data");
    rnn_trainer_handle handle(rnn->network, read_options(options, "options"));
    try {
      handle.trainer.run(sequences, environment);
    } catch (const rnn::Error& error) {
      // The updates before the failing one are good; without any, the weights stay shared.
      if (error.status() != RNN_NOT_FINITE && error.status() != RNN_UNAVAILABLE) throw;
      if (const rnn::WeightsRef* good = handle.trainer.last_good(); good != nullptr) rnn->network.use(*good);
      throw;
    }
    rnn->network.use(handle.trainer.result());
  });
}

rnn_status_t rnn_evaluate(const rnn_t* rnn, const rnn_sequences_t* data, const rnn_train_options_t* options,
                          rnn_evaluation_t* out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    const rnn_sequences_t sequences = read_sized(data, "data");
    rnn_train_options_t given = read_options(options, "options");
    const rnn_collective_t collective = read_options(given.collective, "options.collective");
    if (given.collective != nullptr) given.collective = &collective;
    check_pointer(out, "out");
    check_size(out, "out");
    rnn_evaluation_t evaluation = {};
    rnn::evaluate(rnn->network, sequences, given, &evaluation);
    write_sized(evaluation, out);
  });
}

rnn_status_t rnn_trainer_create(const rnn_t* rnn, const rnn_train_options_t* options, rnn_trainer_t** out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    const rnn_train_options_t given = read_options(options, "options");
    check_pointer(out, "out");
    *out = rnn->network.allocator().make<rnn_trainer_handle>(rnn->network, given);
  });
}

rnn_status_t rnn_trainer_update(rnn_trainer_t* trainer, const rnn_sequences_t* batch,
                                rnn_progress_t* progress) {
  return guard(__func__, [&](rnn::kernels::FloatEnvironment& environment) {
    check_pointer(trainer, "trainer");
    const rnn_sequences_t sequences = read_sized(batch, "batch");
    if (progress != nullptr) check_size(progress, "progress");
    rnn_progress_t done = {};
    trainer->trainer.update(sequences, progress != nullptr ? &done : nullptr, environment);
    if (progress != nullptr) write_sized(done, progress);
  });
}

rnn_status_t rnn_trainer_reset(rnn_trainer_t* trainer) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    trainer->trainer.reset();
  });
}

rnn_status_t rnn_trainer_set_learning_rate(rnn_trainer_t* trainer, float rate) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    trainer->trainer.set_learning_rate(rate);
  });
}

rnn_status_t rnn_trainer_run(rnn_trainer_t* trainer, const rnn_sequences_t* data) {
  return guard(__func__, [&](rnn::kernels::FloatEnvironment& environment) {
    check_pointer(trainer, "trainer");
    trainer->trainer.run(read_sized(data, "data"), environment);
  });
}

rnn_status_t rnn_trainer_network(const rnn_trainer_t* trainer, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    check_pointer(out, "out");
    const rnn::WeightsRef& weights = trainer->trainer.result();
    *out = weights->allocator().make<rnn_handle>(weights);
  });
}

rnn_status_t rnn_trainer_sync(const rnn_trainer_t* trainer, rnn_t* stream) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    check_pointer(stream, "stream");
    rnn::check_same_architecture(stream->network.weights().config(), "stream",
                                 trainer->trainer.weights_ref()->config(), "trainer");
    stream->network.use(trainer->trainer.result());
  });
}

rnn_status_t rnn_trainer_save(const rnn_trainer_t* trainer, const char* path) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    check_pointer(path, "path");
    rnn::save_checkpoint(trainer->trainer, path);
  });
}

rnn_status_t rnn_trainer_load(rnn_trainer_t* trainer, const char* path) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    check_pointer(path, "path");
    rnn::load_checkpoint(trainer->trainer, path);
  });
}

rnn_status_t rnn_trainer_optimizer_bytes(const rnn_trainer_t* trainer, size_t* out) {
  return guard(__func__, [&] {
    check_pointer(trainer, "trainer");
    check_pointer(out, "out");
    *out = trainer->trainer.optimizer_bytes();
  });
}

rnn_status_t rnn_trainer_log(rnn_trainer_t* trainer, const rnn_log_t* log) {
  return guard(__func__, [&](rnn::kernels::FloatEnvironment& environment) {
    check_pointer(trainer, "trainer");
    if (log == nullptr) return trainer->trainer.log(nullptr, environment);
    const rnn_log_t given = read_sized(log, "log");
    if (given.write == nullptr) throw rnn::Error(RNN_INVALID_ARGUMENT, "log.write is NULL");
    if (given.record == nullptr) throw rnn::Error(RNN_INVALID_ARGUMENT, "log.record is NULL");
    trainer->trainer.log(&given, environment);
  });
}

void rnn_trainer_destroy(rnn_trainer_t* trainer) {
  if (trainer != nullptr) trainer->allocator.destroy(trainer);
}

// What rnn_trainer_t and rnn_tape_t are.
#pragma once

#include <cstdint>

#include "capi/sized.h"
#include "lib/training/tape.h"
#include "lib/training/trainer.h"

struct rnn_trainer_handle {
  // options: complete, but for what its validation points to.
  rnn_trainer_handle(const rnn::Network& network, rnn_train_options_t options)
      : allocator(network.allocator()),
        validation(rnn::capi::read_options(options.validation, "options.validation")),
        trainer(network, refer(options, validation)) {}

  rnn::Allocator allocator;    // of this handle
  rnn_sequences_t validation;  // complete, as the trainer expects it
  rnn::Trainer trainer;

 private:
  static rnn_train_options_t refer(rnn_train_options_t options, const rnn_sequences_t& validation) {
    if (options.validation != nullptr) options.validation = &validation;
    return options;
  }
};

struct rnn_tape_handle {
  rnn_tape_handle(const rnn::Network& network, std::int32_t threads)
      : allocator(network.allocator()), tape(network, threads) {}

  rnn::Allocator allocator;  // of this handle
  rnn::Tape tape;
};

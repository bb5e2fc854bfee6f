// What rnn_trainer_t and rnn_tape_t are.
#pragma once

#include <cstdint>

#include "capi/sized.h"
#include "lib/training/tape.h"
#include "lib/training/trainer.h"

struct rnn_trainer_handle {
  // options: complete, but for what its validation, groups and collective point to.
  rnn_trainer_handle(const rnn::Network& network, rnn_train_options_t options)
      : allocator(network.allocator()),
        validation(rnn::capi::read_options(options.validation, "options.validation")),
        trainer(network, refer(options, validation, read_groups(allocator, options),
                               rnn::capi::read_options(options.collective, "options.collective"))) {}

  rnn::Allocator allocator;    // of this handle
  rnn_sequences_t validation;  // complete, as the trainer expects it
  rnn::Trainer trainer;

 private:
  // Only for as long as the trainer is made. What is wrong with their number is found there.
  static rnn::Buffer<rnn_parameter_group_t> read_groups(const rnn::Allocator& allocator,
                                                        const rnn_train_options_t& options) {
    if (options.groups == nullptr || options.group_count <= 0) return {};
    return rnn::capi::read_sized_array(allocator, options.groups,
                                       static_cast<std::size_t>(options.group_count), "options.groups");
  }
  static rnn_train_options_t refer(rnn_train_options_t options, const rnn_sequences_t& validation,
                                   const rnn::Buffer<rnn_parameter_group_t>& groups,
                                   const rnn_collective_t& collective) {
    if (options.collective != nullptr) options.collective = &collective;
    if (options.validation != nullptr) options.validation = &validation;
    if (options.groups != nullptr && groups.size() != 0) options.groups = groups.data();
    return options;
  }
};

struct rnn_tape_handle {
  rnn_tape_handle(const rnn::Network& network, std::int32_t threads)
      : allocator(network.allocator()), tape(network, threads) {}

  rnn::Allocator allocator;  // of this handle
  rnn::Tape tape;
};

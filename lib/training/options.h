// Checks of rnn_train_options_t.
#pragma once

#include <cstdint>

#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

// The options with their defaults resolved (`loss` stays 0, since its default depends on the data).
// Throws Error(RNN_INVALID_ARGUMENT).
rnn_train_options_t resolve_options(const rnn_train_options_t& options);

// Throws Error(RNN_INVALID_ARGUMENT) if what the network computes with is not for training.
void check_trainable(const Weights& weights);

// The same check for every learning rate; name: of the argument or its field, for the message.
void check_learning_rate(const char* name, float rate);

// Throws Error(RNN_INVALID_ARGUMENT) if a network has no layer between which and the next something could be
// dropped.
void check_dropout_effect(const Weights& weights, const char* name, float rate);

// The same if it has no head, whose inputs could be dropped.
void check_output_dropout_effect(const Weights& weights, const char* name, float rate);

// The same if no layer of it multiplies h by weights.
void check_recurrent_dropout_effect(const Weights& weights, const char* name, float rate);

// Check resolved options against the network; all but the patterns of groups, which Optimizer resolves.
void check_network_options(const Weights& weights, const rnn_train_options_t& options);

// Check resolved options against the data of an update, and of a run; loss: resolved.
void check_data_options(const rnn_sequences_t& data, std::int32_t loss, const rnn_train_options_t& options,
                        const char* name);
void check_run_options(const rnn_sequences_t& data, const rnn_train_options_t& options);

// Check sampled_classes against the loss: resolved, or 0.
void check_sampling_loss(std::int32_t loss, const rnn_train_options_t& options);

// Check label_smoothing and class_weights against the network, and against the loss: resolved, or 0.
void check_label_options(const Weights& weights, const rnn_train_options_t& options);
void check_label_loss(std::int32_t loss, const rnn_train_options_t& options);

// Check lanes and collective, whose struct_size is resolved.
void check_lanes(const rnn_train_options_t& options);

// Check `loss`, `threads`, `lanes` and `collective` alone, which is what an evaluation uses.
void check_evaluation_options(const rnn_train_options_t& options);

}  // namespace rnn

#include "lib/training/options.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lib/network/error.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();

// A flag is a range of 0..1.
void check_range(const char* name, std::int32_t value, std::int32_t least, std::int32_t most) {
  if (value >= least && value <= most) return;
  if (most == kMost)
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is %d; it must be %d or more", name, value, least);
  throw Error(RNN_INVALID_ARGUMENT, "options.%s is %d; it must be %d..%d", name, value, least, most);
}

// Negated comparisons refuse NaN.
void check_not_negative(const char* name, float value) {
  if (!(value >= 0.0f && std::isfinite(value)))
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is %g; it must be finite and not negative", name, value);
}

void check_positive(const char* name, float value) {
  if (!(value > 0.0f && std::isfinite(value)))
    throw Error(RNN_INVALID_ARGUMENT, "%s is %g; it must be finite and greater than 0", name, value);
}

void check_fraction(const char* name, float value) {
  if (!(value >= 0.0f && value < 1.0f))
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is %s; it must be at least 0 and less than 1", name,
                number(value).c_str());
}

template <class T>
void set_default(T& field, T value) {
  if (field == T{}) field = value;
}

// A value that the rule does not read.
void check_unused(const char* name, float value, std::int32_t optimizer, const char* users) {
  if (value != 0.0f)
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is %g and optimizer is %d; it has an effect with %s only",
                name, value, optimizer, users);
}

void check_rule(const rnn_train_options_t& o) {
  const bool adam = o.optimizer == RNN_OPTIMIZER_ADAM || o.optimizer == RNN_OPTIMIZER_ADAMW;
  const bool rmsprop = o.optimizer == RNN_OPTIMIZER_RMSPROP, sgd = o.optimizer == RNN_OPTIMIZER_SGD;
  if (!sgd && !rmsprop)
    check_unused("momentum", o.momentum, o.optimizer, "RNN_OPTIMIZER_SGD and RNN_OPTIMIZER_RMSPROP");
  if (!adam) check_unused("beta1", o.beta1, o.optimizer, "RNN_OPTIMIZER_ADAM and RNN_OPTIMIZER_ADAMW");
  if (!adam && !rmsprop)
    check_unused("beta2", o.beta2, o.optimizer,
                 "RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_ADAMW and RNN_OPTIMIZER_RMSPROP");
  if (sgd) check_unused("epsilon", o.epsilon, o.optimizer, "all other rules");
}

void resolve_optimizer(rnn_train_options_t& o) {
  set_default<std::int32_t>(o.optimizer, RNN_OPTIMIZER_ADAM);
  check_range("optimizer", o.optimizer, RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_RMSPROP);
  check_rule(o);
  const bool coarse = o.optimizer == RNN_OPTIMIZER_SGD || o.optimizer == RNN_OPTIMIZER_ADAGRAD;
  set_default(o.learning_rate, coarse ? 0.01f : 0.001f);
  set_default(o.beta1, 0.9f);
  set_default(o.beta2, o.optimizer == RNN_OPTIMIZER_RMSPROP ? 0.99f : 0.999f);
  set_default(o.epsilon, o.optimizer == RNN_OPTIMIZER_ADAGRAD ? 1e-10f : 1e-8f);
  check_learning_rate("options.learning_rate", o.learning_rate);
  check_fraction("momentum", o.momentum);
  check_fraction("beta1", o.beta1);
  check_fraction("beta2", o.beta2);
  // Smaller ones could vanish when Adam scales them.
  if (!(o.epsilon >= 1e-30f && o.epsilon <= 1.0f))
    throw Error(RNN_INVALID_ARGUMENT, "options.epsilon is %s; it must be 1e-30..1",
                number(o.epsilon).c_str());
  check_not_negative("weight_decay", o.weight_decay);
  check_range("nesterov", o.nesterov, 0, 1);
  if (o.nesterov == 1 && (o.optimizer != RNN_OPTIMIZER_SGD || o.momentum == 0.0f))
    throw Error(
        RNN_INVALID_ARGUMENT,
        "options.nesterov is 1 with optimizer %d and momentum %g; it needs optimizer %d (SGD) and a momentum",
        o.optimizer, o.momentum, RNN_OPTIMIZER_SGD);
  check_not_negative("clip_norm", o.clip_norm);
  check_not_negative("clip_value", o.clip_value);
}

void resolve_schedule(rnn_train_options_t& o) {
  check_range("schedule", o.schedule, RNN_SCHEDULE_CONSTANT, RNN_SCHEDULE_COSINE);
  check_range("schedule_start", o.schedule_start, 0, kMost);
  check_range("schedule_by_epoch", o.schedule_by_epoch, 0, 1);
  check_not_negative("schedule_factor", o.schedule_factor);
  if (o.schedule == RNN_SCHEDULE_CONSTANT) {
    const auto unused = [](const char* name, double value) {
      if (value != 0.0)
        throw Error(RNN_INVALID_ARGUMENT,
                    "options.%s is %g and schedule is %d (RNN_SCHEDULE_CONSTANT), which has no use for it",
                    name, value, RNN_SCHEDULE_CONSTANT);
    };
    unused("schedule_factor", o.schedule_factor);
    unused("schedule_updates", o.schedule_updates);
    unused("schedule_start", o.schedule_start);
    unused("schedule_by_epoch", o.schedule_by_epoch);
  }
  if (o.schedule != RNN_SCHEDULE_COSINE) set_default(o.schedule_factor, 0.1f);
  check_range("schedule_updates", o.schedule_updates, o.schedule == RNN_SCHEDULE_CONSTANT ? 0 : 1, kMost);
  check_range("warmup_updates", o.warmup_updates, 0, kMost);
}

void resolve_job(rnn_train_options_t& o) {
  set_default(o.epochs, 1);
  set_default(o.batch_size, 32);
  set_default(o.report_every, 1);
  check_range("epochs", o.epochs, 1, kMost);
  check_range("batch_size", o.batch_size, 1, kMost);
  check_range("window", o.window, 0, kMost);
  check_range("stateless_windows", o.stateless_windows, 0, 1);
  check_range("keep_order", o.keep_order, 0, 1);
  check_range("validate_every", o.validate_every, 0, kMost);
  check_range("patience", o.patience, 0, kMost);
  check_range("report_every", o.report_every, 1, kMost);
  check_range("restore_best", o.restore_best, 0, 1);
  set_default(o.lanes, 1);
  if (o.batch_size < o.lanes)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.batch_size is %d and lanes %d; a batch must have a sequence for each", o.batch_size,
                o.lanes);
  const auto needs_validation = [&](const char* name, std::int32_t value) {
    if (value != 0 && o.validation == nullptr)
      throw Error(RNN_INVALID_ARGUMENT, "options.%s is %d and validation is NULL; it needs validation", name,
                  value);
  };
  needs_validation("validate_every", o.validate_every);
  needs_validation("patience", o.patience);
  needs_validation("restore_best", o.restore_best);
}

void resolve_conveniences(rnn_train_options_t& o) {
  check_fraction("dropout", o.dropout);
  check_fraction("output_dropout", o.output_dropout);
  check_fraction("recurrent_dropout", o.recurrent_dropout);
  if (!(o.scheduled_sampling >= 0.0f && o.scheduled_sampling <= 1.0f))
    throw Error(RNN_INVALID_ARGUMENT, "options.scheduled_sampling is %s; it must be 0..1",
                number(o.scheduled_sampling).c_str());
  check_fraction("average", o.average);
  set_default(o.accumulate, 1);
  check_range("accumulate", o.accumulate, 1, kMost);
  check_range("skip_not_finite", o.skip_not_finite, 0, kMost);
  if (o.scheduled_sampling != 0.0f && o.window == 1)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.scheduled_sampling is %g and window is 1; a window's first step reads the data's "
                "input, so it "
                "must be longer",
                o.scheduled_sampling);
}

void check_group(const rnn_parameter_group_t& group, std::int32_t i) {
  const auto check_flag = [&](const char* field, std::int32_t value) {
    if (value < 0 || value > 1)
      throw Error(RNN_INVALID_ARGUMENT, "options.groups[%d].%s is %d; it must be 0 or 1", i, field, value);
  };
  if (group.pattern == nullptr) throw Error(RNN_INVALID_ARGUMENT, "options.groups[%d].pattern is NULL", i);
  if (!(group.learning_rate_factor >= 0.0f && std::isfinite(group.learning_rate_factor)))
    throw Error(
        RNN_INVALID_ARGUMENT,
        "options.groups[%d].learning_rate_factor is %g; it must be finite and greater than 0, or 0 for 1", i,
        group.learning_rate_factor);
  check_flag("frozen", group.frozen);
  check_flag("no_weight_decay", group.no_weight_decay);
  check_flag("two_biases", group.two_biases);
  if (group.frozen != 0 &&
      (group.learning_rate_factor != 0.0f || group.no_weight_decay != 0 || group.two_biases != 0))
    throw Error(RNN_INVALID_ARGUMENT,
                "options.groups[%d].frozen is 1 with a learning_rate_factor of %g, no_weight_decay of %d and "
                "two_biases "
                "of %d; they must be 0, since what is frozen is not trained",
                i, group.learning_rate_factor, group.no_weight_decay, group.two_biases);
}

void check_groups(const rnn_train_options_t& o) {
  check_range("group_count", o.group_count, 0, kMost);
  if (o.group_count != 0 && o.groups == nullptr)
    throw Error(RNN_INVALID_ARGUMENT, "options.groups is NULL and group_count is %d; it must be 0 then",
                o.group_count);
  for (std::int32_t i = 0; i < o.group_count; ++i) check_group(o.groups[i], i);
}

}  // namespace

rnn_train_options_t resolve_options(const rnn_train_options_t& options) {
  rnn_train_options_t resolved = options;
  check_evaluation_options(resolved);
  resolve_optimizer(resolved);
  resolve_schedule(resolved);
  resolve_job(resolved);
  resolve_conveniences(resolved);
  check_groups(resolved);
  return resolved;
}

void check_learning_rate(const char* name, float rate) { check_positive(name, rate); }

void check_dropout_effect(const Weights& weights, const char* name, float rate) {
  if (rate != 0.0f && weights.num_layers() == 1)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s is %g and the network has 1 layer; dropout acts between layers, so it must be 0", name,
                rate);
}

void check_output_dropout_effect(const Weights& weights, const char* name, float rate) {
  if (rate != 0.0f && !weights.has_head())
    throw Error(RNN_INVALID_ARGUMENT,
                "%s is %g and the network has no head, whose inputs it drops parts of; it must be 0", name,
                rate);
}

void check_recurrent_dropout_effect(const Weights& weights, const char* name, float rate) {
  bool acts = rate == 0.0f;
  for (std::size_t l = 0; l < weights.num_layers(); ++l)
    acts = acts || weights.layer(l).cell->recurrent_gates() > 0;
  if (!acts)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "%s is %g and no layer of the network has a weight_hh, whose inputs it drops parts of; it must be 0",
        name, rate);
}

void check_trainable(const Weights& weights) {
  if (weights.config().compute == RNN_COMPUTE_INT8)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "the network's compute is %d (RNN_COMPUTE_INT8), which is not for training; rnn_convert makes one "
        "of %d (RNN_COMPUTE_F32), %d (RNN_COMPUTE_BF16) or %d (RNN_COMPUTE_BF16_FAST)",
        RNN_COMPUTE_INT8, RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_BF16_FAST);
}

namespace {

void check_sampling(const Weights& weights, const rnn_train_options_t& o) {
  if (o.sampled_classes == 0) return;
  check_sampling_loss(o.loss, o);
  if (!weights.has_head())
    throw Error(RNN_INVALID_ARGUMENT,
                "options.sampled_classes is %d; it must be 0, since the network has no head",
                o.sampled_classes);
  if (o.sampled_classes < 0 || static_cast<std::size_t>(o.sampled_classes) > weights.output_size() / 2)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.sampled_classes is %d; it must be 0..%zu, half of the network's outputs",
                o.sampled_classes, weights.output_size() / 2);
  if (weights.skip() != 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.sampled_classes is %d; it must be 0, since the network's skip is %zu, whose inputs "
                "are added to "
                "the outputs of all classes",
                o.sampled_classes, weights.skip());
  if (o.label_smoothing != 0.0f)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.sampled_classes is %d and label_smoothing %g; one of them must be 0, since smoothed "
                "labels need all "
                "classes",
                o.sampled_classes, o.label_smoothing);
}

}  // namespace

void check_network_options(const Weights& weights, const rnn_train_options_t& o) {
  if (weights.has_reverse()) {
    if (o.window != 0)
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.window is %d; it must be 0, since the network has a reverse direction and reads "
                  "whole sequences",
                  o.window);
    if (o.scheduled_sampling != 0.0f)
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.scheduled_sampling is %g; it must be 0, since the network has a reverse direction "
                  "and reads "
                  "steps to come",
                  o.scheduled_sampling);
  }
  check_label_options(weights, o);
  check_sampling(weights, o);
  check_dropout_effect(weights, "options.dropout", o.dropout);
  check_output_dropout_effect(weights, "options.output_dropout", o.output_dropout);
  check_recurrent_dropout_effect(weights, "options.recurrent_dropout", o.recurrent_dropout);
  if (o.scheduled_sampling != 0.0f && weights.output_size() != weights.input_size())
    throw Error(RNN_INVALID_ARGUMENT,
                "options.scheduled_sampling is %g and the network has %zu outputs and %zu inputs; outputs "
                "become inputs",
                o.scheduled_sampling, weights.output_size(), weights.input_size());
}

void check_data_options(const rnn_sequences_t& data, std::int32_t loss, const rnn_train_options_t& o,
                        const char* name) {
  if (o.scheduled_sampling == 0.0f) return;
  if (data.pooling != RNN_POOLING_NONE)
    throw Error(RNN_INVALID_ARGUMENT,
                "%s.pooling is %d; it must be 0 with options.scheduled_sampling, which needs an output "
                "for each step",
                name, data.pooling);
  if ((data.indices != nullptr) != (loss == RNN_LOSS_CROSS_ENTROPY))
    throw Error(RNN_INVALID_ARGUMENT,
                "%s.%s are given and the loss is %d; with options.scheduled_sampling, indices need %d "
                "(cross-entropy), "
                "whose most "
                "probable class becomes an input, and vectors another",
                name, data.indices != nullptr ? "indices" : "inputs", loss, RNN_LOSS_CROSS_ENTROPY);
}

void check_run_options(const rnn_sequences_t& data, const rnn_train_options_t& o) {
  if (o.window != 0 && (data.pooling == RNN_POOLING_MEAN || data.pooling == RNN_POOLING_MAX))
    throw Error(RNN_INVALID_ARGUMENT,
                "options.window is %d and data.pooling %d (%s); the window must be 0, since this pooling is "
                "over whole "
                "sequences",
                o.window, data.pooling, data.pooling == RNN_POOLING_MEAN ? "mean" : "max");
}

void check_label_loss(std::int32_t loss, const rnn_train_options_t& o) {
  if (loss == 0 || loss == RNN_LOSS_CROSS_ENTROPY) return;
  if (o.label_smoothing != 0.0f)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.label_smoothing is %g and the loss is %d; it needs loss %d (cross-entropy)",
                o.label_smoothing, loss, RNN_LOSS_CROSS_ENTROPY);
  if (o.class_weights != nullptr)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.class_weights are given and the loss is %d; they need loss %d (cross-entropy)", loss,
                RNN_LOSS_CROSS_ENTROPY);
}

void check_sampling_loss(std::int32_t loss, const rnn_train_options_t& o) {
  if (o.sampled_classes != 0 && loss != 0 && loss != RNN_LOSS_CROSS_ENTROPY)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.sampled_classes is %d and the loss is %d; it needs loss %d (cross-entropy)",
                o.sampled_classes, loss, RNN_LOSS_CROSS_ENTROPY);
}

void check_label_options(const Weights& weights, const rnn_train_options_t& o) {
  check_fraction("label_smoothing", o.label_smoothing);
  check_label_loss(o.loss, o);
  if (o.class_weights == nullptr) return;
  bool some = false;
  for (std::size_t k = 0; k < weights.output_size(); ++k) {
    const float weight = o.class_weights[k];
    if (!(std::isfinite(weight) && weight >= 0.0f))
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.class_weights[%zu] is %g; it must be finite and not negative", k, weight);
    some = some || weight > 0.0f;
  }
  if (!some)
    throw Error(RNN_INVALID_ARGUMENT, "options.class_weights are all 0; one at least must be greater");
}

void check_evaluation_options(const rnn_train_options_t& options) {
  check_range("loss", options.loss, 0, RNN_LOSS_BINARY_CROSS_ENTROPY);
  check_range("threads", options.threads, 0, 1024);
  check_lanes(options);
}

void check_lanes(const rnn_train_options_t& o) {
  constexpr std::int32_t most = 1024;
  if (o.lanes < 0 || o.lanes > most || (o.lanes & (o.lanes - 1)) != 0)
    throw Error(RNN_INVALID_ARGUMENT, "options.lanes is %d; it must be a power of two, 1..%d", o.lanes, most);
  if (o.collective == nullptr) return;
  const rnn_collective_t& c = *o.collective;
  const std::int32_t lanes = std::max(o.lanes, 1);
  if (c.ranks < 1 || c.ranks > lanes)
    throw Error(RNN_INVALID_ARGUMENT, "options.collective.ranks is %d; it must be 1..%d, the number of lanes",
                c.ranks, lanes);
  if (c.rank < 0 || c.rank >= c.ranks)
    throw Error(RNN_INVALID_ARGUMENT, "options.collective.rank is %d; it must be 0..%d", c.rank, c.ranks - 1);
  check_range("collective.own_sequences", c.own_sequences, 0, 1);
  if (c.ranks > 1 && (c.exchange == nullptr || c.gather == nullptr))
    throw Error(RNN_INVALID_ARGUMENT, "options.collective.%s is NULL; %d ranks need it",
                c.exchange == nullptr ? "exchange" : "gather", c.ranks);
}

}  // namespace rnn

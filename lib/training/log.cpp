#include "lib/training/log.h"

#include <algorithm>
#include <cstring>

#include "lib/training/trainer_implementation.h"

namespace rnn {

// ---- Bytes ---------------------------------------------------------------------------------------

void LogBytes::flush() {
  if (size_ != 0) take(buffer_, size_);
  size_ = 0;
}

std::uint64_t LogBytes::bits_of(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

std::uint64_t LogBytes::bits_of(double value) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

void LogBytes::parameters(const Weights& weights, const float* values) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row) numbers(values + p.offset + row * p.stride, p.columns);
  }
}

// ---- Options -------------------------------------------------------------------------------------

namespace {

constexpr std::uint32_t kLayout = 1;

struct KeptBytes final : LogBytes {
  void take(const unsigned char* bytes, std::size_t size) override {
    kept.insert(kept.end(), bytes, bytes + size);
  }

  std::vector<unsigned char> kept;
};

void put_layer(LogBytes& bytes, const rnn_layer_t& l) {
  for (const std::int32_t value : {l.kind, l.size, l.activation, l.direction, l.projection_size})
    bytes.number(value);
  bytes.number(l.flags);
  bytes.number(l.alpha);
  bytes.number(l.beta);
  for (const std::int32_t value : {l.kernel_size, l.dilation, l.gate_activation, l.output_activation})
    bytes.number(value);
  for (const float value :
       {l.gate_alpha, l.gate_beta, l.output_alpha, l.output_beta, l.clip, l.zoneout_h, l.zoneout_c})
    bytes.number(value);
}

void put_network(LogBytes& bytes, const rnn_config_t& c) {
  for (const std::int32_t value :
       {c.cell, c.input_size, c.hidden_size, c.output_size, c.num_layers, c.initial_state, c.compute})
    bytes.number(value);
  bytes.number(c.flags);
  for (const std::int32_t value : {c.projection_size, c.embedding_size, c.skip}) bytes.number(value);
  bytes.number(std::uint64_t{c.layer_count});
  for (std::size_t i = 0; i < c.layer_count; ++i) put_layer(bytes, c.layers[i]);
}

void put_group(LogBytes& bytes, const rnn_parameter_group_t& group) {
  const std::size_t size = std::strlen(group.pattern);
  bytes.number(std::uint64_t{size});
  bytes.numbers(group.pattern, size);
  bytes.number(group.learning_rate_factor != 0.0f ? group.learning_rate_factor : 1.0f);
  for (const std::int32_t value : {group.frozen, group.no_weight_decay, group.two_biases})
    bytes.number(value);
}

}  // namespace

std::vector<unsigned char> log_options(const Weights& weights, const rnn_train_options_t& o) {
  KeptBytes bytes;
  bytes.number(kLayout);
  put_network(bytes, weights.config());
  bytes.number(o.loss);
  bytes.number(o.optimizer);
  for (const float value : {o.learning_rate, o.momentum, o.beta1, o.beta2, o.epsilon, o.weight_decay})
    bytes.number(value);
  bytes.number(o.nesterov);
  bytes.number(o.clip_norm);
  bytes.number(o.clip_value);
  bytes.number(o.schedule);
  bytes.number(o.schedule_factor);
  for (const std::int32_t value :
       {o.schedule_updates, o.warmup_updates, o.batch_size, o.window, o.stateless_windows, o.keep_order})
    bytes.number(value);
  bytes.number(o.seed);
  bytes.number(o.dropout);
  bytes.number(o.scheduled_sampling);
  bytes.number(o.average);
  bytes.number(o.accumulate);
  const auto groups = static_cast<std::size_t>(o.group_count);
  bytes.number(std::uint64_t{groups});
  for (std::size_t i = 0; i < groups; ++i) put_group(bytes, o.groups[i]);
  const std::size_t classes = o.class_weights != nullptr ? weights.output_size() : 0;
  bytes.number(std::uint64_t{classes});
  bytes.numbers(o.class_weights, classes);
  bytes.number(o.label_smoothing);
  for (const std::int32_t value :
       {o.sampled_classes, o.schedule_start, o.schedule_by_epoch, o.skip_not_finite})
    bytes.number(value);
  bytes.number(o.output_dropout);
  bytes.number(o.recurrent_dropout);
  bytes.number(std::max(o.lanes, 1));
  bytes.flush();
  return std::move(bytes.kept);
}

// ---- Records -------------------------------------------------------------------------------------

namespace {

// To the caller's function, in the caller's floating-point environment.
class PartBytes final : public LogBytes {
 public:
  PartBytes(const rnn_log_t& log, std::int32_t part, kernels::FloatEnvironment& environment)
      : log_(log), part_(part), environment_(environment) {}

 private:
  void take(const unsigned char* bytes, std::size_t size) override {
    const kernels::FloatEnvironment::Suspended callers(environment_);
    log_.write(part_, bytes, size, log_.user);
  }

  const rnn_log_t& log_;
  const std::int32_t part_;
  kernels::FloatEnvironment& environment_;
};

template <class Put>
void write_part(const rnn_log_t& log, std::int32_t part, kernels::FloatEnvironment& environment,
                const Put& put) {
  PartBytes bytes(log, part, environment);
  put(bytes);
  bytes.flush();
}

// Targets of rows first, first + 1, ... .
void put_targets(LogBytes& bytes, const rnn_sequences_t& data, std::int32_t loss, std::size_t outputs,
                 std::size_t first, std::size_t count) {
  if (loss == RNN_LOSS_CROSS_ENTROPY)
    bytes.numbers(data.classes + first, count);
  else
    bytes.numbers(data.targets + first * outputs, count * outputs);
  if (data.weights != nullptr) bytes.numbers(data.weights + first, count);
}

}  // namespace

void Trainer::Implementation::log_data(const rnn_sequences_t& data, std::int32_t loss,
                                       kernels::FloatEnvironment& environment) {
  if (log.write == nullptr) return;
  const auto inputs = static_cast<std::size_t>(weights->config().input_size);
  write_part(log, RNN_LOG_DATA, environment, [&](LogBytes& bytes) {
    bytes.number(state.learning_rate);
    bytes.number(std::uint64_t{passes.slices.size()});
    bytes.number((data.indices != nullptr ? 1u : 0u) + (data.weights != nullptr ? 2u : 0u) +
                 (data.resets != nullptr ? 4u : 0u));
    bytes.number(data.pooling);
    bytes.number(loss);
    for (std::size_t i = 0; i < passes.slices.size(); ++i) {
      const Slice& slice = passes.slices[i];
      const Item& item = passes.items[i];
      bytes.number(item.sequence);
      bytes.number(std::uint64_t{slice.length});
      if (data.indices != nullptr)
        bytes.numbers(data.indices + slice.first, slice.length);
      else
        bytes.numbers(data.inputs + slice.first * inputs, slice.length * inputs);
      if (data.resets != nullptr) bytes.numbers(data.resets + slice.first, slice.length);
      if (data.pooling == RNN_POOLING_NONE)
        put_targets(bytes, data, loss, weights->output_size(), slice.first, slice.length);
      else if (item.target != Item::kNone)
        put_targets(bytes, data, loss, weights->output_size(), item.target, 1);
    }
  });
}

void Trainer::Implementation::log_gradients(const float* gradients, kernels::FloatEnvironment& environment) {
  if (log.write == nullptr) return;
  write_part(log, RNN_LOG_DATA, environment, [&](LogBytes& bytes) {
    bytes.number(state.learning_rate);
    bytes.number(std::uint64_t{0});
    bytes.parameters(*weights, gradients);
  });
}

void Trainer::Implementation::log_record(kernels::FloatEnvironment& environment) {
  write_part(log, RNN_LOG_OPTIONS, environment,
             [&](LogBytes& bytes) { bytes.numbers(logged_options.data(), logged_options.size()); });
  write_part(log, RNN_LOG_WEIGHTS, environment, [&](LogBytes& bytes) {
    bytes.parameters(*weights, weights->values());
    if (state.average.size() != 0) bytes.parameters(*weights, state.average.data());
  });
  write_part(log, RNN_LOG_OPTIMIZER, environment, [&](LogBytes& bytes) {
    if (state.first_moment.size() != 0) bytes.parameters(*weights, state.first_moment.data());
    if (state.second_moment.size() != 0) bytes.parameters(*weights, state.second_moment.data());
  });
  write_part(log, RNN_LOG_STATES, environment, [&](LogBytes& bytes) {
    for (const std::uint64_t value : {state.update, state.epoch, state.next_sequence, state.next_step})
      bytes.number(value);
    bytes.numbers(state.random.state, 4);
    for (const std::uint64_t value : {state.skipped, state.skipped_in_row, state.carried_since})
      bytes.number(value);
    bytes.number(std::uint64_t{state.order.size()});
    bytes.numbers(state.order.data(), state.order.size());
    bytes.number(std::uint64_t{state.carried.size()});
    bytes.numbers(state.carried.data(), state.carried.size());
  });
  const kernels::FloatEnvironment::Suspended callers(environment);
  log.record(state.update, log.user);
}

void Trainer::Implementation::log_update(std::uint64_t before, kernels::FloatEnvironment& environment) {
  if (log.every != 0 && state.update != before && state.update % log.every == 0) log_record(environment);
}

void Trainer::log(const rnn_log_t* log, kernels::FloatEnvironment& environment) {
  Implementation& self = *implementation_;
  if (!self.collective.alone())
    throw Error(
        RNN_UNSUPPORTED,
        "options.collective has %zu ranks, each with a part of the data and of the optimiser's state; "
        "a log is of one process, with any number of lanes and threads",
        self.collective.ranks());
  self.log = log != nullptr ? *log : rnn_log_t{};
  if (log != nullptr) self.log_record(environment);
}

}  // namespace rnn

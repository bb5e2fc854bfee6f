#include "lib/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/network/error.h"
#include "lib/network/pattern.h"
#include "lib/network/text.h"
#include "lib/training/exact.h"
#include "lib/training/schedule.h"

namespace rnn {
namespace {

constexpr std::size_t kChunk = 4096;

std::size_t padded_size(const Parameter& p) noexcept { return kernels::padded(p.rows * p.stride); }

bool is_trained(const Weights& weights, const Parameter& p) noexcept {
  return p.kind != Parameter::Kind::initial || weights.config().initial_state == RNN_INITIAL_TRAINED;
}

kernels::Rule kernel_rule(std::int32_t optimizer) noexcept {
  switch (optimizer) {
    case RNN_ADAMW:
      return kernels::Rule::adamw;
    case RNN_SGD:
      return kernels::Rule::sgd;
    case RNN_ADAGRAD:
      return kernels::Rule::adagrad;
    case RNN_RMSPROP:
      return kernels::Rule::rmsprop;
    default:
      return kernels::Rule::adam;
  }
}

// 1 - beta^n. It is 1 once beta^n < 2^-54, and ln beta <= beta - 1.
double bias_correction(float beta, std::uint64_t n) noexcept {
  const auto b = static_cast<double>(beta);
  return static_cast<double>(n) * (1.0 - b) > 38.0 ? 1.0 : 1.0 - exact_power(b, n);
}

}  // namespace

Optimizer::Optimizer(const Weights& weights, const rnn_train_options_t& options, Threads& threads)
    : options_(options), threads_(threads) {
  find_settings(weights);
  cut(weights);
  options_.groups = nullptr;
  options_.group_count = 0;
}

// ---- Parameter groups ------------------------------------------------------------------------------

void Optimizer::find_settings(const Weights& weights) {
  const auto groups = static_cast<std::size_t>(options_.group_count);
  settings_ = Buffer<Setting>(weights.allocator(), groups + 1);
  rules_ = Buffer<kernels::Update>(weights.allocator(), groups + 1);
  settings_[0] = {1.0, options_.weight_decay, false};
  for (std::size_t i = 0; i < groups; ++i) {
    const rnn_parameter_group_t& group = options_.groups[i];
    std::size_t p = 0;
    while (p < weights.parameter_count() && !fits(group.pattern, weights.parameter(p).name)) ++p;
    if (p == weights.parameter_count())
      throw Error(RNN_INVALID_ARGUMENT,
                  "groups[%zu].pattern is %s, which fits no parameter; one is named %s", i,
                  quote(group.pattern).c_str(), weights.parameter(0).name);
    const double factor = group.learning_rate_factor;
    settings_[i + 1] = {factor != 0.0 ? factor : 1.0,
                        group.no_weight_decay != 0 ? 0.0 : options_.weight_decay, group.frozen != 0};
  }
}

std::size_t Optimizer::find_setting(const Parameter& parameter) const noexcept {
  for (std::int32_t i = 0; i < options_.group_count; ++i)
    if (fits(options_.groups[i].pattern, parameter.name)) return static_cast<std::size_t>(i) + 1;
  return 0;
}

// Parameters that stand side by side share a chunk: those of a small network would feel the calls.
void Optimizer::cut(const Weights& weights) {
  std::size_t count = 0;
  for (const bool measure : {true, false}) {
    if (!measure) chunks_ = Buffer<Chunk>(weights.allocator(), count);
    count = 0;
    Chunk last{};
    for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
      const Parameter& p = weights.parameter(i);
      const std::size_t setting = find_setting(p);
      if (!is_trained(weights, p) || settings_[setting].frozen) continue;
      for (std::size_t at = p.offset, end = at + padded_size(p); at < end;) {
        const bool follows = count > 0 && last.offset + last.size == at && last.setting == setting;
        if (!follows || last.size == kChunk) {
          last = {at, 0, setting};
          ++count;
        }
        const std::size_t size = std::min(kChunk - last.size, end - at);
        last.size += size;
        at += size;
        if (!measure) chunks_[count - 1] = last;
      }
    }
  }
  sums_ = Buffer<float>(weights.allocator(), count);
}

// ---- Updates ---------------------------------------------------------------------------------------

bool Optimizer::keeps_first() const noexcept {
  const std::int32_t o = options_.optimizer;
  return o == RNN_ADAM || o == RNN_ADAMW || ((o == RNN_SGD || o == RNN_RMSPROP) && options_.momentum != 0.0f);
}

bool Optimizer::keeps_second() const noexcept { return options_.optimizer != RNN_SGD; }

double Optimizer::norm(const Weights& weights, const float* gradients) {
  threads_.run(Threads::kReading * static_cast<double>(weights.value_count()), chunks_.size(),
               [&](std::size_t i) {
                 sums_[i] = weights.table().sum_squares(chunks_[i].size, gradients + chunks_[i].offset);
               });
  double sum = 0.0;
  for (const float part : sums_) sum += static_cast<double>(part);
  return std::sqrt(sum);
}

// With the bias corrections c1 = 1 - beta1^n and c2 = 1 - beta2^n, Adam's step
//   rate (m / c1) / (sqrt(v / c2) + epsilon)
// is what the kernel computes from rate sqrt(c2) / c1 and epsilon sqrt(c2).
kernels::Update Optimizer::rule(const Setting& setting, double gradient_scale,
                                std::uint64_t update) const noexcept {
  double rate = learning_rate(options_, update) * setting.learning_rate_factor;
  double decay = setting.weight_decay;
  double epsilon = options_.epsilon;
  if (options_.optimizer == RNN_ADAMW) decay *= rate;
  if (options_.optimizer == RNN_ADAM || options_.optimizer == RNN_ADAMW) {
    const double c1 = bias_correction(options_.beta1, update + 1);
    const double c2 = std::sqrt(bias_correction(options_.beta2, update + 1));
    rate *= c2 / c1;
    epsilon *= c2;
  }

  kernels::Update u{};
  u.rule = kernel_rule(options_.optimizer);
  u.nesterov = options_.nesterov != 0;
  u.rate = static_cast<float>(rate);
  u.momentum = options_.momentum;
  u.beta1 = options_.beta1;
  u.beta2 = options_.beta2;
  u.epsilon = static_cast<float>(epsilon);
  u.decay = static_cast<float>(decay);
  u.gradient_scale = static_cast<float>(gradient_scale);
  u.clip_value = options_.clip_value > 0.0f ? options_.clip_value : std::numeric_limits<float>::infinity();
  return u;
}

void Optimizer::apply(Weights& weights, const float* gradients, double scale, double norm,
                      std::uint64_t update, float* first, float* second) {
  const double clip = options_.clip_norm;
  if (clip > 0.0 && norm > clip) scale *= clip / norm;
  for (std::size_t i = 0; i < settings_.size(); ++i) rules_[i] = rule(settings_[i], scale, update);
  threads_.run(Threads::kUpdating * static_cast<double>(weights.value_count()), chunks_.size(),
               [&](std::size_t i) {
                 const std::size_t at = chunks_[i].offset;
                 weights.table().update(rules_[chunks_[i].setting], chunks_[i].size, weights.values() + at,
                                        gradients + at, first != nullptr ? first + at : nullptr,
                                        second != nullptr ? second + at : nullptr);
               });
}

// Values that are not trained stay what they were when the average began.
void Optimizer::follow(const Weights& weights, std::uint64_t update, float* average) {
  const double u = static_cast<double>(update);
  const double decay = std::min(static_cast<double>(options_.average), (1.0 + u) / (10.0 + u));
  const auto rate = static_cast<float>(1.0 - decay);
  threads_.run(Threads::kReading * static_cast<double>(weights.value_count()), chunks_.size(),
               [&](std::size_t i) {
                 const std::size_t at = chunks_[i].offset;
                 weights.table().average(chunks_[i].size, rate, weights.values() + at, average + at);
               });
}

}  // namespace rnn

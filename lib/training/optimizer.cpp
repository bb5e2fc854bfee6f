#include "lib/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

}  // namespace

Optimizer::Optimizer(const Weights& weights, const rnn_train_options_t& options, Threads& threads)
    : options_(options), threads_(threads) {
  std::size_t count = 0;
  for (const bool measure : {true, false}) {
    if (!measure) chunks_ = Buffer<Chunk>(weights.allocator(), count);
    count = 0;
    for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
      const Parameter& p = weights.parameter(i);
      if (!is_trained(weights, p)) continue;
      for (std::size_t at = 0; at < padded_size(p); at += kChunk, ++count)
        if (!measure) chunks_[count] = {p.offset + at, std::min(kChunk, padded_size(p) - at)};
    }
  }
  sums_ = Buffer<float>(weights.allocator(), count);
}

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
kernels::Update Optimizer::rule(double norm, std::uint64_t update) const noexcept {
  double rate = learning_rate(options_, update);
  double decay = options_.weight_decay;
  double epsilon = options_.epsilon;
  if (options_.optimizer == RNN_ADAMW) decay *= rate;
  if (options_.optimizer == RNN_ADAM || options_.optimizer == RNN_ADAMW) {
    const double c1 = 1.0 - exact_power(static_cast<double>(options_.beta1), update + 1);
    const double c2 = std::sqrt(1.0 - exact_power(static_cast<double>(options_.beta2), update + 1));
    rate *= c2 / c1;
    epsilon *= c2;
  }
  const double clip = options_.clip_norm;

  kernels::Update u{};
  u.rule = kernel_rule(options_.optimizer);
  u.nesterov = options_.nesterov != 0;
  u.rate = static_cast<float>(rate);
  u.momentum = options_.momentum;
  u.beta1 = options_.beta1;
  u.beta2 = options_.beta2;
  u.epsilon = static_cast<float>(epsilon);
  u.decay = static_cast<float>(decay);
  u.gradient_scale = clip > 0.0 && norm > clip ? static_cast<float>(clip / norm) : 1.0f;
  u.clip_value = options_.clip_value > 0.0f ? options_.clip_value : std::numeric_limits<float>::infinity();
  return u;
}

void Optimizer::apply(Weights& weights, const float* gradients, double norm, std::uint64_t update,
                      float* first, float* second) {
  const kernels::Update u = rule(norm, update);
  threads_.run(Threads::kUpdating * static_cast<double>(weights.value_count()), chunks_.size(),
               [&](std::size_t i) {
                 const std::size_t at = chunks_[i].offset;
                 weights.table().update(u, chunks_[i].size, weights.values() + at, gradients + at,
                                        first != nullptr ? first + at : nullptr,
                                        second != nullptr ? second + at : nullptr);
               });
}

}  // namespace rnn

#include "lib/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/kernels/subnormals.h"
#include "lib/network/error.h"
#include "lib/network/pattern.h"
#include "lib/network/text.h"
#include "lib/training/exact.h"

namespace rnn {
namespace {

constexpr std::size_t kChunk = 4096;

std::size_t padded_size(const Parameter& p) noexcept { return kernels::padded(p.rows * p.stride); }

// How many of its values, the first ones, are each the sum of two biases in PyTorch.
std::size_t sum_count(const Weights& weights, const Parameter& p) noexcept {
  if (!p.is_bias() || p.index != 0) return 0;
  const Layer& layer = *weights.strand(p.strand).layer;
  if (layer.cell->recurrent_gates() == 0) return 0;
  std::size_t gates = layer.cell->gates;
  for (const cells::Vector& vector : layer.cell->vectors)
    if (vector.of_recurrent) gates = std::min(gates, vector.first_gate);
  return gates * layer.hidden;
}

bool is_trained(const Weights& weights, const Parameter& p) noexcept {
  return p.kind != Parameter::Kind::initial || weights.config().initial_state == RNN_INITIAL_TRAINED;
}

kernels::Rule kernel_rule(std::int32_t optimizer) noexcept {
  switch (optimizer) {
    case RNN_OPTIMIZER_ADAMW:
      return kernels::Rule::adamw;
    case RNN_OPTIMIZER_SGD:
      return kernels::Rule::sgd;
    case RNN_OPTIMIZER_ADAGRAD:
      return kernels::Rule::adagrad;
    case RNN_OPTIMIZER_RMSPROP:
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

// Calls visit(at, n) for what is whole blocks of the values [offset, offset + size), and for what is less at
// either end.
template <class Visit>
void for_parts(std::size_t offset, std::size_t size, const Visit& visit) {
  const std::size_t end = offset + size;
  while (offset < end) {
    const std::size_t before = offset % kernels::kPad, whole = (end - offset) / kernels::kPad * kernels::kPad;
    const std::size_t n = before == 0 && whole > 0 ? whole : std::min(kernels::kPad - before, end - offset);
    visit(offset, n);
    offset += n;
  }
}

// A block with n values, since kernels work on whole ones and other tasks on the rest of it; null stays null.
struct Block {
  Block(const float* values, std::size_t n) noexcept : there(values != nullptr), count(n) {
    if (there) std::copy_n(values, n, copy);
  }
  float* data() noexcept { return there ? copy : nullptr; }
  void give_back(float* values) const noexcept {
    if (there) std::copy_n(copy, count, values);
  }

  bool there;
  std::size_t count;
  alignas(64) float copy[kernels::kPad] = {};
};

// Its own function, since what has only whole blocks would feel the frame.
[[gnu::noinline]] void update_block(const kernels::Table& table, const kernels::Update& rule, std::size_t n,
                                    float* p, const float* g, float* m, float* v) noexcept {
  Block own_p(p, n), own_g(g, n), own_m(m, n), own_v(v, n);
  table.update(rule, kernels::kPad, own_p.data(), own_g.data(), own_m.data(), own_v.data());
  own_p.give_back(p);
  own_m.give_back(m);
  own_v.give_back(v);
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

// Two for each group, of which the second is for what two_biases holds for.
void Optimizer::find_settings(const Weights& weights) {
  const auto groups = static_cast<std::size_t>(options_.group_count);
  settings_ = Buffer<Setting>(weights.allocator(), 2 * (groups + 1));
  rules_ = Buffer<kernels::Update>(weights.allocator(), settings_.size());
  settings_[0] = {1.0, options_.weight_decay, false, false, false};
  for (std::size_t i = 0; i < groups; ++i) {
    check_group(weights, i);
    const rnn_parameter_group_t& group = options_.groups[i];
    const double factor = group.learning_rate_factor;
    Setting setting = {factor != 0.0 ? factor : 1.0, group.no_weight_decay != 0 ? 0.0 : options_.weight_decay,
                       group.frozen != 0, false, false};
    settings_[2 * (i + 1)] = setting;
    setting.two_biases = group.two_biases != 0;
    settings_[2 * (i + 1) + 1] = setting;
  }
}

void Optimizer::check_group(const Weights& weights, std::size_t i) const {
  const rnn_parameter_group_t& group = options_.groups[i];
  bool fitting = false, effective = false, sums = false;
  for (std::size_t p = 0; p < weights.parameter_count(); ++p) {
    const Parameter& parameter = weights.parameter(p);
    fitting = fitting || fits(group.pattern, parameter.name);
    if (find_setting(parameter) != 2 * (i + 1)) continue;
    effective = true;
    sums = sums || sum_count(weights, parameter) > 0;
  }
  if (!fitting)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.groups[%zu].pattern is %s, which fits no parameter; one is named %s", i,
                quote(group.pattern).c_str(), weights.parameter(0).name);
  if (!effective)
    throw Error(
        RNN_INVALID_ARGUMENT,
        "options.groups[%zu].pattern is %s, which fits only parameters that groups before it fit; the first "
        "that fits holds",
        i, quote(group.pattern).c_str());
  if (group.two_biases != 0 && !sums)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.groups[%zu].two_biases is 1 and the pattern %s fits no bias_ih_*, which it is for",
                i, quote(group.pattern).c_str());
}

std::size_t Optimizer::find_setting(const Parameter& parameter) const noexcept {
  for (std::int32_t i = 0; i < options_.group_count; ++i)
    if (fits(options_.groups[i].pattern, parameter.name)) return 2 * (static_cast<std::size_t>(i) + 1);
  return 0;
}

// Parameters that stand side by side share a chunk: those of a small network would feel the calls.
void Optimizer::cut(const Weights& weights) {
  std::size_t count = 0;
  for (const bool measure : {true, false}) {
    if (!measure) chunks_ = Buffer<Chunk>(weights.allocator(), count);
    count = 0;
    Chunk last{};
    const auto add = [&](std::size_t at, std::size_t end, std::size_t setting) {
      while (at < end) {
        const bool follows = count > 0 && last.offset + last.size == at && last.setting == setting;
        if (!follows || last.size == kChunk) {
          last = {at, 0, setting};
          ++count;
        }
        const std::size_t size = std::min(kChunk - last.size, end - at);
        last.size += size;
        at += size;
        if (!measure) chunks_[count - 1] = last;
        settings_[setting].used = true;
      }
    };
    for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
      const Parameter& p = weights.parameter(i);
      const std::size_t setting = find_setting(p);
      if (!is_trained(weights, p) || settings_[setting].frozen) continue;
      const std::size_t sums =
          settings_[setting + 1].two_biases ? p.offset + sum_count(weights, p) : p.offset;
      add(p.offset, sums, setting + 1);
      add(sums, p.offset + padded_size(p), setting);
    }
  }
  sums_ = Buffer<float>(weights.allocator(), count);
}

// ---- Updates ---------------------------------------------------------------------------------------

bool Optimizer::keeps_first() const noexcept {
  const std::int32_t o = options_.optimizer;
  return o == RNN_OPTIMIZER_ADAM || o == RNN_OPTIMIZER_ADAMW ||
         ((o == RNN_OPTIMIZER_SGD || o == RNN_OPTIMIZER_RMSPROP) && options_.momentum != 0.0f);
}

bool Optimizer::keeps_second() const noexcept { return options_.optimizer != RNN_OPTIMIZER_SGD; }

// A part begins where a block does.
Optimizer::Slice Optimizer::slice(const Weights& weights, std::size_t part,
                                  std::size_t parts) const noexcept {
  const std::size_t count = chunks_.size();
  const auto edge = [&](std::size_t p) {
    std::size_t i = count * p / parts;
    while (i < count && chunks_[i].offset % kernels::kPad != 0) ++i;
    return p == parts ? count : i;
  };
  const auto value = [&](std::size_t p, std::size_t i) {
    return p == 0 ? 0 : i == count ? weights.value_count() : chunks_[i].offset;
  };
  const std::size_t first = edge(part), last = edge(part + 1);
  return {first, last, value(part, first), value(part + 1, last)};
}

void Optimizer::add_squares(const kernels::Table& table, const Slice& slice, const float* gradients) {
  threads_.run(Threads::kReading * static_cast<double>(slice.size()), slice.last_chunk - slice.first_chunk,
               [&](std::size_t i) {
                 const Chunk& chunk = chunks_[slice.first_chunk + i];
                 sums_[slice.first_chunk + i] =
                     table.sum_squares(chunk.size, gradients + (chunk.offset - slice.first));
               });
}

double Optimizer::norm() const noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < chunks_.size(); ++i)
    sum += (settings_[chunks_[i].setting].two_biases ? 2.0 : 1.0) * static_cast<double>(sums_[i]);
  return std::sqrt(sum);
}

// With the bias corrections c1 = 1 - beta1^n and c2 = 1 - beta2^n, Adam's step
//   rate (m / c1) / (sqrt(v / c2) + epsilon)
// is what the kernel computes from rate sqrt(c2) / c1 and epsilon sqrt(c2).
Optimizer::Correction Optimizer::correction(std::uint64_t update) const noexcept {
  if (options_.optimizer != RNN_OPTIMIZER_ADAM && options_.optimizer != RNN_OPTIMIZER_ADAMW)
    return {1.0, 1.0};
  const double c1 = bias_correction(options_.beta1, update + 1);
  const double c2 = std::sqrt(bias_correction(options_.beta2, update + 1));
  return {c2 / c1, c2};
}

kernels::Update Optimizer::rule(const Setting& setting, double gradient_scale, const Correction& correction,
                                double rate) const noexcept {
  rate *= setting.learning_rate_factor;
  double decay = setting.weight_decay;
  if (options_.optimizer == RNN_OPTIMIZER_ADAMW) decay *= rate;
  // Of b = b1 + b2 with the same gradient g, the sum moves by twice what the rule makes of g. Decay that is
  // added to g is that of one of them, half of b's; AdamW's, which is not, is that of b.
  if (setting.two_biases) {
    rate *= 2.0;
    if (options_.optimizer != RNN_OPTIMIZER_ADAMW) decay *= 0.5;
  }

  kernels::Update u{};
  u.rule = kernel_rule(options_.optimizer);
  u.nesterov = options_.nesterov != 0;
  u.rate = kernels::narrowed(rate * correction.rate);
  u.momentum = options_.momentum;
  u.beta1 = options_.beta1;
  u.beta2 = options_.beta2;
  u.epsilon = kernels::narrowed(kernels::widened(options_.epsilon) * correction.epsilon);
  u.decay = kernels::narrowed(decay);
  u.gradient_scale = kernels::narrowed(gradient_scale);
  u.clip_value = options_.clip_value > 0.0f ? options_.clip_value : std::numeric_limits<float>::infinity();
  return u;
}

void Optimizer::apply(const kernels::Table& table, const Slice& slice, float* values, const float* gradients,
                      double scale, double norm, std::uint64_t update, double rate, float* first,
                      float* second) {
  const double clip = options_.clip_norm;
  if (clip > 0.0 && norm > clip) scale *= clip / norm;
  const Correction corrected = correction(update);
  for (std::size_t i = 0; i < settings_.size(); ++i)
    if (settings_[i].used) rules_[i] = rule(settings_[i], scale, corrected, rate);
  threads_.run(Threads::kUpdating * static_cast<double>(slice.size()), slice.last_chunk - slice.first_chunk,
               [&](std::size_t i) {
                 const Chunk& chunk = chunks_[slice.first_chunk + i];
                 const kernels::Update& rule = rules_[chunk.setting];
                 for_parts(chunk.offset - slice.first, chunk.size, [&](std::size_t at, std::size_t n) {
                   float* const p = values + at;
                   const float* const g = gradients + at;
                   float* const m = first != nullptr ? first + at : nullptr;
                   float* const v = second != nullptr ? second + at : nullptr;
                   if (n % kernels::kPad == 0) return table.update(rule, n, p, g, m, v);
                   update_block(table, rule, n, p, g, m, v);
                 });
               });
}

// Values that are not trained stay what they were when the average began.
void Optimizer::follow(const Weights& weights, std::uint64_t update, float* average) {
  const double u = static_cast<double>(update);
  const double decay = std::min(static_cast<double>(options_.average), (1.0 + u) / (10.0 + u));
  const auto rate = static_cast<float>(1.0 - decay);
  threads_.run(Threads::kReading * static_cast<double>(weights.value_count()), chunks_.size(),
               [&](std::size_t i) {
                 for_parts(chunks_[i].offset, chunks_[i].size, [&](std::size_t at, std::size_t n) {
                   const float* const p = weights.values() + at;
                   if (n % kernels::kPad == 0) return weights.table().average(n, rate, p, average + at);
                   Block own_p(p, n), own(average + at, n);
                   weights.table().average(kernels::kPad, rate, own_p.data(), own.data());
                   own.give_back(average + at);
                 });
               });
}

}  // namespace rnn

#include "lib/training/schedule.h"

#include "lib/training/exact.h"

namespace rnn {
namespace {

double schedule_factor(const rnn_train_options_t& options, std::uint64_t update) noexcept {
  const double factor = options.schedule_factor;
  const auto updates = static_cast<std::uint64_t>(options.schedule_updates);
  switch (options.schedule) {
    case RNN_SCHEDULE_STEP:
      return exact_power(factor, update / updates);
    case RNN_SCHEDULE_EXPONENTIAL:
      return exact_power(factor, static_cast<double>(update) / static_cast<double>(updates));
    case RNN_SCHEDULE_COSINE:
      if (update >= updates) return factor;
      return factor + (1.0 - factor) * 0.5 *
                          (1.0 + exact_cos_pi(static_cast<double>(update) / static_cast<double>(updates)));
    default:
      return 1.0;
  }
}

}  // namespace

double learning_rate(const rnn_train_options_t& options, std::uint64_t update) noexcept {
  double rate = static_cast<double>(options.learning_rate) * schedule_factor(options, update);
  const auto warmup = static_cast<std::uint64_t>(options.warmup_updates);
  if (update < warmup) rate *= static_cast<double>(update + 1) / static_cast<double>(warmup);
  return rate;
}

}  // namespace rnn

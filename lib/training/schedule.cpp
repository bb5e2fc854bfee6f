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

double learning_rate(const rnn_train_options_t& options, double initial, std::uint64_t update,
                     std::uint64_t epoch) noexcept {
  const std::uint64_t done = options.schedule_by_epoch != 0 ? epoch : update;
  const auto start = static_cast<std::uint64_t>(options.schedule_start);
  double rate =
      initial * (done > start ? schedule_factor(options, done - start) : schedule_factor(options, 0));
  const auto warmup = static_cast<std::uint64_t>(options.warmup_updates);
  if (update < warmup) rate *= static_cast<double>(update + 1) / static_cast<double>(warmup);
  return rate;
}

}  // namespace rnn

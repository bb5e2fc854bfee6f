#include "lib/network/generate.h"

#include <algorithm>
#include <cmath>

#include "lib/kernels/float_mode.h"
#include "lib/kernels/subnormals.h"
#include "lib/network/error.h"

namespace rnn {

Sampler::Sampler(const Weights& weights, const rnn_generate_options_t& options)
    : table_(weights.table()),
      n_(weights.output_size()),
      temperature_(options.temperature),
      top_p_(options.top_p),
      top_k_(static_cast<std::size_t>(options.top_k)),
      greedy_(options.greedy != 0),
      random_(options.seed),
      probabilities_(weights.allocator(), n_),
      choices_(weights.allocator(), n_) {}

std::int32_t Sampler::draw(const float* logits) {
  const kernels::FloatMode mode;
  std::size_t best = 0;
  for (std::size_t i = 0; i < n_; ++i) {
    if (!std::isfinite(logits[i]))
      throw Error(RNN_NOT_FINITE, "output %zu of the network is %g", i, logits[i]);
    if (kernels::Real(logits[i]) > kernels::Real(logits[best])) best = i;
  }
  if (greedy_) return static_cast<std::int32_t>(best);
  softmax(logits, logits[best]);
  if (top_k_ < n_ || top_p_ < 1) limit();
  return choose();
}

// Shifted before it is scaled, in double: no temperature, however small, overflows.
void Sampler::softmax(const float* logits, float largest) noexcept {
  constexpr double kLowest = -1000;  // exp of it is 0
  for (std::size_t i = 0; i < n_; ++i) {
    const double scaled = (kernels::widened(logits[i]) - kernels::widened(largest)) / temperature_;
    probabilities_[i] = kernels::narrowed(std::max(scaled, kLowest));
  }
  table_.softmax(n_, probabilities_.data(), 1.0f, probabilities_.data());
}

// Set the probabilities of all that are not kept to 0. The order is total, so what is kept does not depend
// on the standard library.
void Sampler::limit() noexcept {
  for (std::size_t i = 0; i < n_; ++i) choices_[i] = {probabilities_[i], static_cast<std::int32_t>(i)};
  const auto more_probable = [](const Choice& a, const Choice& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.index < b.index;
  };
  Choice* const begin = choices_.begin();
  std::size_t kept = n_;
  if (top_k_ < n_) {
    kept = top_k_;
    std::nth_element(begin, begin + kept, choices_.end(), more_probable);
  }
  if (top_p_ < 1) {
    std::sort(begin, begin + kept, more_probable);
    double total = 0;
    for (std::size_t i = 0; i < kept; ++i) total += choices_[i].probability;
    double sum = 0;
    std::size_t reached = 0;
    while (reached < kept && sum < top_p_ * total) sum += choices_[reached++].probability;
    kept = reached;
  }
  for (std::size_t i = kept; i < n_; ++i) probabilities_[choices_[i].index] = 0;
}

// In the order of indices, so that a limit that keeps all changes no draw.
std::int32_t Sampler::choose() noexcept {
  double total = 0;
  for (std::size_t i = 0; i < n_; ++i) total += probabilities_[i];
  const double point = random_.uniform() * total;
  double sum = 0;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < n_; ++i) {
    if (probabilities_[i] == 0) continue;
    chosen = i;
    sum += probabilities_[i];
    if (point < sum) break;
  }
  return static_cast<std::int32_t>(chosen);
}

std::size_t generate(Network& network, const rnn_generate_options_t& options, std::int32_t* out,
                     std::size_t capacity) {
  const Weights& weights = network.weights();
  const Allocator& allocator = network.allocator();
  Sampler sampler(weights, options);
  Buffer<float> logits(allocator, weights.output_size());
  Buffer<std::int32_t> drawn(allocator, capacity);
  Network stream(network);

  const std::size_t last = options.prompt_count - 1;
  for (std::size_t i = 0; i < last; ++i) stream.step(options.prompt[i], nullptr);
  std::int32_t index = options.prompt[last];
  std::size_t count = 0;
  while (count < capacity) {
    stream.step(index, logits.data());
    index = sampler.draw(logits.data());
    drawn[count++] = index;
    if (options.stop != 0 && index == options.stop_index) break;
  }

  network.copy_state(stream);
  std::copy_n(drawn.begin(), count, out);
  return count;
}

}  // namespace rnn

// Sequences drawn from the network's own outputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/network.h"
#include "lib/network/random.h"
#include "rnn/rnn.h"

namespace rnn {

// Draws an index from softmax(logits / temperature), limited to the top_k most probable ones, and of these
// to the fewest whose sum reaches top_p of theirs. The same logits give the same draws on every machine.
class Sampler {
 public:
  // options: checked, defaults resolved: temperature > 0, top_p > 0..1, top_k 1..O.
  Sampler(const Weights& weights, const rnn_generate_options_t& options);

  std::int32_t draw(const float* logits);  // [O]; throws Error(RNN_NOT_FINITE)

 private:
  struct Choice {
    float probability;
    std::int32_t index;
  };

  void softmax(const float* logits, float largest) noexcept;
  void limit() noexcept;
  std::int32_t choose() noexcept;

  const kernels::Table& table_;
  std::size_t n_;  // O
  double temperature_;
  double top_p_;
  std::size_t top_k_;
  bool greedy_;
  Random random_;
  Buffer<float> probabilities_;
  Buffer<Choice> choices_;
};

// See rnn_generate; options as for the sampler, prompt and stop_index checked. Returns how many were drawn.
// Throws Error(RNN_NOT_FINITE) or std::bad_alloc; then neither the network nor out has changed.
std::size_t generate(Network& network, const rnn_generate_options_t& options, std::int32_t* out,
                     std::size_t capacity);

}  // namespace rnn

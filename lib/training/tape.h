// A recorded forward pass and accumulated parameter gradients, for composition with other networks.
#pragma once

#include <cstdint>

#include "lib/network/network.h"
#include "rnn/rnn.h"

namespace rnn {

class Tape {
 public:
  Tape(const Network& network, std::int32_t threads);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // network: of the tape's architecture.
  void forward(const Network& network, const rnn_sequences_t& in, const float* initial_states, float* outputs,
               float* final_states);  // see rnn_tape_forward
  void backward(const float* d_outputs, const float* d_final_states, float* d_inputs,
                float* d_initial_states);                                  // see rnn_tape_backward
  void set_dropout(float rate, std::uint64_t seed);                        // see rnn_tape_set_dropout
  void set_dropout(const rnn_dropout_rates_t& rates, std::uint64_t seed);  // see rnn_tape_set_dropout_rates
  void zero_gradients() noexcept;

  const Allocator& allocator() const noexcept;
  const Weights& weights() const noexcept;  // of the architecture; the recorded ones
  const float* gradients() const noexcept;  // as Weights::values
  void get_gradient(const Parameter& parameter, float* out) const noexcept;

 private:
  struct Implementation;
  Implementation* implementation_;
};

}  // namespace rnn

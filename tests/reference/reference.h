// The truth that the tests compare with: a vanilla network in plain scalar double precision, without a
// thought for speed, its losses and its optimisers. Gradients come from central differences of the loss,
// so no backward pass has to be believed.
//
// Letters in shapes: I inputs, H hidden, O outputs, L layers, S = L H state, N sequences, F frames, M
// targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rnn/rnn.h"

namespace rnn::reference {

using Vector = std::vector<double>;
using Parameters = std::map<std::string, Vector>;  // by name, row-major

struct Network {
  std::size_t inputs = 0;
  std::size_t hidden = 0;
  std::size_t outputs = 0;  // of the head; 0: no head, the output is h of the last layer
  std::size_t layers = 1;
  Parameters parameters;  // absent biases and initial states are zero

  std::size_t output_size() const { return outputs != 0 ? outputs : hidden; }
  std::size_t state_size() const { return layers * hidden; }
};

// The sizes and parameters of a handle.
Network load(const rnn_t* rnn);

// As rnn_sequences_t; what is empty is absent.
struct Sequences {
  std::vector<std::size_t> lengths;   // [N]
  Vector inputs;                      // [F, I]
  std::vector<std::int32_t> indices;  // [F]
  Vector targets;                     // [M, O]
  std::vector<std::int32_t> classes;  // [M]
  Vector weights;                     // [M]
  std::vector<std::uint8_t> resets;   // [F]
  bool target_per_sequence = false;
  Vector initial_states;  // [N, S]

  std::size_t count() const { return lengths.size(); }
  std::size_t frames() const;
  std::size_t target_count() const { return target_per_sequence ? count() : frames(); }
};

Sequences convert(const Network& network, const rnn_sequences_t& in, const float* initial_states = nullptr);

struct Pass {
  Vector outputs;       // [F, O]
  Vector states;        // [F, S] after each step
  Vector final_states;  // [N, S]
};

Pass forward(const Network& network, const Sequences& sequences);

struct Evaluation {
  double loss;      // the weighted mean over the targets
  double weight;    // the sum of their weights
  double accuracy;  // the weighted fraction whose largest output is the class; cross-entropy only
};

// kind: RNN_LOSS_...
Evaluation evaluate(const Network& network, const Sequences& sequences, std::int32_t kind);

inline double loss(const Network& network, const Sequences& sequences, std::int32_t kind) {
  return evaluate(network, sequences, kind).loss;
}

// df/dx for one number x that f reads: a parameter, an input, an initial state.
double central_difference(double& x, const std::function<double()>& f, double step = 1e-5);

// The same for every element of x.
Vector gradient(Vector& x, const std::function<double()>& f, double step = 1e-5);

// The gradient of the loss in every parameter.
Parameters gradients(Network& network, const Sequences& sequences, std::int32_t kind);

double norm(const Parameters& gradients);

// Scale the gradients down to a norm of clip_norm, then limit each to +- clip_value; 0 switches one off.
void clip(Parameters& gradients, double clip_norm, double clip_value);

// PyTorch's formulas; one learning rate for each update, so that a schedule is the caller's affair.
struct Optimizer {
  std::int32_t rule = RNN_ADAM;
  double momentum = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;  // also RMSprop's smoothing constant, there 0.99 by default
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool nesterov = false;

  void update(Parameters& parameters, const Parameters& gradients, double rate);

 private:
  void update(Vector& p, const Vector& gradient, Vector& first, Vector& second, double rate) const;

  double updates_ = 0;
  Parameters first_;   // momentum, mean of the gradient
  Parameters second_;  // mean or sum of its square
};

}  // namespace rnn::reference

// The truth that the tests compare with: networks in plain scalar double precision, without a thought for
// speed, their losses and their optimisers. Gradients come from central differences of the loss, so no
// backward pass has to be believed. One file per kind of layer has its formulas: vanilla.h, gru.h, lstm.h,
// mingru.h, minlstm.h, dense.h; forward.cpp is what joins them to a network.
//
// Letters in shapes: I inputs, E embedding, X inputs of a layer, H hidden, P width of h, D directions, O
// outputs, L layers, G gates, S state, N sequences, F frames, M targets. A strand is one direction of a layer:
// those of the first layer come first, of a layer the forward one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rnn/rnn.h"
#include "tests/reference/dense.h"
#include "tests/reference/linear.h"

namespace rnn::reference {

using Parameters = std::map<std::string, Vector>;  // by name, row-major

struct Layer {
  std::int32_t kind = RNN_CELL_VANILLA;
  std::uint32_t flags = 0;     // RNN_FLAG_NO_BIAS is not needed: absent biases are zero
  std::size_t size = 0;        // H, or a dense layer's outputs
  std::size_t projection = 0;  // 0: none
  std::int32_t direction = RNN_DIRECTION_FORWARD;
  Activation activation = {};    // of a dense layer
  Activations activations = {};  // of a cell
  double zoneout_h = 0, zoneout_c = 0;
  // A dense layer of more than one tap is a causal convolution: it reads the inputs of so many steps, of which
  // each is `dilation` steps before the next and the last is the present one.
  std::size_t taps = 1, dilation = 1;

  bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
  bool is_dense() const { return kind == RNN_LAYER_DENSE || kind == RNN_LAYER_CONV1D; }
  std::size_t width() const { return projection != 0 ? projection : size; }  // P
  std::size_t directions() const {                                           // D
    return direction == RNN_DIRECTION_BOTH || direction == RNN_DIRECTION_SUM ? 2 : 1;
  }
  std::size_t outputs() const { return direction == RNN_DIRECTION_BOTH ? 2 * width() : width(); }
  std::size_t reach() const { return (taps - 1) * dilation; }              // steps
  std::size_t c_size() const { return kind == RNN_CELL_LSTM ? size : 0; }  // of each strand
  bool has_weight_hh() const { return !is_dense() && kind != RNN_CELL_MIN_GRU && kind != RNN_CELL_MIN_LSTM; }
  // The derivative has jumps.
  bool has_kinks() const;
};

struct Network {
  std::size_t inputs = 0;
  std::size_t embedding = 0;  // E; 0: none
  std::vector<Layer> layers;
  bool is_list = false;   // parameters are named layers.0.weight_ih and so on, not weight_ih_l0
  bool tied = false;      // the head's matrix is the embedding
  std::size_t skip = 0;   // inputs that are added to the outputs of steps
  double delay = 1;       // a step reads the state of so many steps ago
  Parameters parameters;  // absent biases and initial states are zero

  // What element `column` of layer `layer`'s output at frame `frame`, or with pooling of what the layer gives for
  // sequence `frame`, is multiplied by on its way to the next layer; empty: 1.
  std::function<double(std::size_t layer, std::size_t frame, std::size_t column)> dropout;
  // The same of what the head reads: at a frame or, pooled, of a sequence.
  std::function<double(std::size_t row, std::size_t column)> output_dropout;
  // What h of a strand is multiplied by in all steps of a sequence, before W_hh reads it.
  std::function<double(std::size_t strand, std::size_t sequence, std::size_t unit)> recurrent_dropout;

  // Whether a step replaces an element of h (state 0) or c (1) of a strand that has zoneout; empty: as the rate says,
  // a part of each.
  std::function<bool(std::size_t strand, std::size_t state, std::size_t frame, std::size_t unit)> replaces;

  // The last of two or more layers, if it is dense and has neither activation nor residual connection: of what it
  // reads, output_dropout drops parts.
  bool has_head() const;
  std::size_t body() const { return layers.size() - (has_head() ? 1 : 0); }  // layers before the head
  // Layers before a pooling: all up to the last one that is no RNN_LAYER_DENSE; where all are, all but the head.
  std::size_t before_pooling() const;
  std::size_t inputs_of(std::size_t layer) const;  // X
  std::size_t h_size(
      std::size_t layer) const;  // of each strand: P, or the past inputs that a convolution reads
  std::size_t output_size() const { return layers.back().outputs(); }  // O
  std::size_t state_size() const;                                      // S
  std::string parameter_name(std::size_t layer, const std::string& name, bool reverse) const;
  bool has(std::uint32_t flag) const;  // a layer
  bool has_weight_hh() const;          // a layer
  bool has_zoneout() const;            // a layer
  bool has_kinks() const;
};

// What a configuration describes, without parameters: its list of layers, or the stack that its other fields
// stand for.
Network architecture(const rnn_config_t& config);

// The layers and parameters of a handle.
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
  std::int32_t pooling = RNN_POOLING_NONE;
  Vector initial_states;  // [N, S]

  std::size_t count() const { return lengths.size(); }
  std::size_t frames() const;
  std::size_t target_count() const { return pooling != RNN_POOLING_NONE ? count() : frames(); }
};

Sequences convert(const Network& network, const rnn_sequences_t& in, const float* initial_states = nullptr);

struct Pass {
  Vector outputs;       // [F, O]  of every step
  Vector pooled;        // [N, O]  of whole sequences, with pooling
  Vector states;        // [F, S]  after each step; of a backward strand, after it has read that step
  Vector final_states;  // [N, S]
};

// The backward strands read each sequence from its end: they start there from the initial state given, and
// end at its first step; a reset before step t is for them one after step t.
Pass forward(const Network& network, const Sequences& sequences);

struct Evaluation {
  double loss;      // the weighted mean over the targets
  double weight;    // the sum of their weights
  double accuracy;  // the weighted fraction whose largest output is the class; cross-entropy only
};

struct Loss {
  Loss(std::int32_t k) : kind(k) {}

  std::int32_t kind;           // RNN_LOSS_...
  double label_smoothing = 0;  // of cross-entropy, as the rest
  Vector class_weights;        // [O]  empty: all 1
};

Evaluation evaluate(const Network& network, const Sequences& sequences, const Loss& loss);

inline double loss(const Network& network, const Sequences& sequences, const Loss& loss) {
  return evaluate(network, sequences, loss).loss;
}

// df/dx for one number x that f reads: a parameter, an input, an initial state.
double central_difference(double& x, const std::function<double()>& f, double step = 1e-5);

// The same for every element of x.
Vector gradient(Vector& x, const std::function<double()>& f, double step = 1e-5);

// The gradient of the loss in every parameter.
Parameters gradients(Network& network, const Sequences& sequences, const Loss& loss);

double norm(const Parameters& gradients);

// Scale the gradients down to a norm of clip_norm, then limit each to +- clip_value; 0 switches one off.
void clip(Parameters& gradients, double clip_norm, double clip_value);

// PyTorch's formulas; one learning rate for each update, so that a schedule is the caller's affair.
struct Optimizer {
  std::int32_t rule = RNN_OPTIMIZER_ADAM;
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

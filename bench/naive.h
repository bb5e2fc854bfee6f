// The other side of every comparison: a vanilla network as one first writes it in C++, with row-major loops,
// std::vector and std::tanh, on one thread, compiled with -O2. Correct, and made neither slower nor faster on
// purpose; tests/bench checks that it computes what the library computes.
//
// Shapes: w_ih[H, I], w_hh[H, H], bias[H], w_ho[O, H], bias_o[O].
#pragma once

#include <cstddef>
#include <vector>

namespace naive {

// y[rows] = bias + W[rows, columns] x
void affine(std::size_t rows, std::size_t columns, const float* w, const float* bias, const float* x,
            float* y);

struct Layer {
  std::size_t inputs;
  std::vector<float> w_ih, w_hh, bias;
};

struct Network {
  std::size_t inputs, hidden, outputs;
  std::vector<Layer> layers;
  std::vector<float> w_ho, bias_o;

  // All parameters zero.
  Network(std::size_t inputs, std::size_t hidden, std::size_t outputs, std::size_t num_layers);

  // Every parameter, in the order of rnn_parameter_info.
  std::vector<std::vector<float>*> parameters();
};

// One stream over a network, which must outlive it.
class Stream {
 public:
  explicit Stream(const Network& network);
  void step(const float* x, float* y);
  void step(int index, float* y);

 private:
  void step_from(std::size_t layer, const float* x, float* y);

  const Network& network_;
  std::vector<std::vector<float>> states_;  // [L][H]
  std::vector<float> next_;                 // [H]
};

// Minibatch backpropagation through time from the zero state: mean softmax cross-entropy, Adam.
class Trainer {
 public:
  Trainer(Network& network, float learning_rate);

  // One update from `count` sequences of `steps` inputs (indices) and classes, one sequence after another in
  // the arrays. Returns the loss before the update.
  double update(const int* indices, const int* classes, std::size_t count, std::size_t steps);

 private:
  void forward(const int* indices, std::size_t steps);
  double loss(const int* classes, std::size_t steps, float scale);
  void backward(const int* indices, std::size_t steps);
  void backward_layer(std::size_t layer, const int* indices, std::size_t steps);
  void adam();

  Network& network_;
  Network gradients_, m_, v_;
  float learning_rate_;
  int updates_ = 0;
  std::vector<std::vector<float>> states_;  // [L][T + 1, H], row 0 the initial state
  std::vector<float> outputs_;              // [T, O]: logits, then their gradients
  std::vector<float> d_states_;             // [T, H]: gradients of the present layer's states
  std::vector<float> d_inputs_;             // [T, H]: those of the layer below
};

}  // namespace naive

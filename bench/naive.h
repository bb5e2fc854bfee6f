// The other side of every comparison: a network as one first writes it in C++, with row-major loops,
// std::vector, std::tanh and std::exp, on one thread, compiled with -O2. Correct, and made neither slower nor
// faster on purpose; tests/bench checks that it computes what the library computes.
//
// Shapes, G gates in PyTorch's order: w_ih[G*H, I], w_hh[G*H, H], bias[G*H], w_ho[O, H], bias_o[O].
#pragma once

#include <cstddef>
#include <vector>

namespace naive {

enum class Cell { vanilla, gru, lstm };

// y[rows] = bias + W[rows, columns] x; bias may be null.
void affine(std::size_t rows, std::size_t columns, const float* w, const float* bias, const float* x,
            float* y);

struct Layer {
  std::size_t inputs;
  std::vector<float> w_ih, w_hh, bias;
  std::vector<float> bias_hn;  // [H]  of the GRU, whose n gate has a second bias; otherwise empty
};

struct Network {
  Cell cell;
  std::size_t inputs, hidden, outputs;
  std::vector<Layer> layers;
  std::vector<float> w_ho, bias_o;

  // All parameters zero.
  Network(Cell cell, std::size_t inputs, std::size_t hidden, std::size_t outputs, std::size_t num_layers);

  std::size_t gates() const { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }  // G

  // Every parameter, in the order of rnn_parameter_info.
  std::vector<std::vector<float>*> parameters();
  std::vector<const std::vector<float>*> parameters() const;
};

// What one step of a layer reads, and what it leaves for the way back.
struct Step {
  const float *h_prev, *c_prev;  // [H]
  float* gates;                  // [G*H]  in: bias + W_ih x; out: the activated gates
  float* product;                // [G*H]  W_hh h_prev
  float *h, *c;                  // [H]
};

// One stream over a network, which must outlive it.
class Stream {
 public:
  explicit Stream(const Network& network);
  void step(const float* x, float* y);
  void step(int index, float* y);

 private:
  void finish_layer(std::size_t layer);
  void step_from(std::size_t layer, const float* x, float* y);

  const Network& network_;
  std::vector<std::vector<float>> h_, c_;                 // [L][H]
  std::vector<float> gates_, product_, next_h_, next_c_;  // [G*H], [H]
};

// Minibatch backpropagation through time from the zero state: mean softmax cross-entropy, Adam.
class Trainer {
 public:
  Trainer(Network& network, float learning_rate);

  // One update from `count` sequences of `steps` inputs (indices) and classes, one sequence after another in
  // the arrays. Returns the loss before the update.
  double update(const int* indices, const int* classes, std::size_t count, std::size_t steps);

 private:
  // Of one layer, T steps. States have the initial one before them.
  struct Record {
    std::vector<float> h, c;            // [T + 1, H]
    std::vector<float> gates, product;  // [T, G*H]
  };

  Step step(std::size_t layer, std::size_t t);
  void forward(const int* indices, std::size_t steps);
  double loss(const int* classes, std::size_t steps, float scale);
  void backward(const int* indices, std::size_t steps);
  void backward_layer(std::size_t layer, const int* indices, std::size_t steps);
  void adam();

  Network& network_;
  Network gradients_, m_, v_;
  float learning_rate_;
  int updates_ = 0;
  std::vector<Record> records_;  // [L]
  std::vector<float> outputs_;   // [T, O]: logits, then their gradients
  std::vector<float> d_states_;  // [T, H]: gradients of the present layer's states
  std::vector<float> d_inputs_;  // [T, H]: those of the layer below
  std::vector<float> d_c_;       // [H]: of the LSTM's c, going back in time
};

}  // namespace naive

#include "bench/naive.h"

#include <algorithm>
#include <cmath>

namespace naive {

void affine(std::size_t rows, std::size_t columns, const float* w, const float* bias, const float* x,
            float* y) {
  for (std::size_t i = 0; i < rows; ++i) {
    float sum = bias[i];
    for (std::size_t j = 0; j < columns; ++j) sum += w[i * columns + j] * x[j];
    y[i] = sum;
  }
}

namespace {

// h[H] = tanh(bias + W_ih x + W_hh h_prev)
void cell(const Layer& layer, std::size_t hidden, const float* x, const float* h_prev, float* h) {
  affine(hidden, layer.inputs, layer.w_ih.data(), layer.bias.data(), x, h);
  for (std::size_t i = 0; i < hidden; ++i) {
    float sum = h[i];
    for (std::size_t j = 0; j < hidden; ++j) sum += layer.w_hh[i * hidden + j] * h_prev[j];
    h[i] = std::tanh(sum);
  }
}

// The same with a one-hot x.
void cell(const Layer& layer, std::size_t hidden, int index, const float* h_prev, float* h) {
  for (std::size_t i = 0; i < hidden; ++i) {
    float sum = layer.bias[i] + layer.w_ih[i * layer.inputs + index];
    for (std::size_t j = 0; j < hidden; ++j) sum += layer.w_hh[i * hidden + j] * h_prev[j];
    h[i] = std::tanh(sum);
  }
}

// g[rows, columns] += d[rows] x[columns]^T
void add_outer(std::size_t rows, std::size_t columns, const float* d, const float* x, float* g) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) g[i * columns + j] += d[i] * x[j];
}

// out[columns] += W[rows, columns]^T d
void add_transposed(std::size_t rows, std::size_t columns, const float* w, const float* d, float* out) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) out[j] += w[i * columns + j] * d[i];
}

}  // namespace

Network::Network(std::size_t inputs, std::size_t hidden, std::size_t outputs, std::size_t num_layers)
    : inputs(inputs), hidden(hidden), outputs(outputs), w_ho(outputs * hidden), bias_o(outputs) {
  for (std::size_t l = 0; l < num_layers; ++l) {
    const std::size_t n = l == 0 ? inputs : hidden;
    layers.push_back(
        {n, std::vector<float>(hidden * n), std::vector<float>(hidden * hidden), std::vector<float>(hidden)});
  }
}

std::vector<std::vector<float>*> Network::parameters() {
  std::vector<std::vector<float>*> result;
  for (Layer& layer : layers) result.insert(result.end(), {&layer.w_ih, &layer.w_hh, &layer.bias});
  result.insert(result.end(), {&w_ho, &bias_o});
  return result;
}

Stream::Stream(const Network& network)
    : network_(network),
      states_(network.layers.size(), std::vector<float>(network.hidden)),
      next_(network.hidden) {}

void Stream::step(const float* x, float* y) { step_from(0, x, y); }

void Stream::step(int index, float* y) {
  cell(network_.layers[0], network_.hidden, index, states_[0].data(), next_.data());
  states_[0].swap(next_);
  step_from(1, states_[0].data(), y);
}

void Stream::step_from(std::size_t layer, const float* x, float* y) {
  for (std::size_t l = layer; l < states_.size(); ++l) {
    cell(network_.layers[l], network_.hidden, x, states_[l].data(), next_.data());
    states_[l].swap(next_);
    x = states_[l].data();
  }
  affine(network_.outputs, network_.hidden, network_.w_ho.data(), network_.bias_o.data(), x, y);
}

Trainer::Trainer(Network& network, float learning_rate)
    : network_(network),
      gradients_(network.inputs, network.hidden, network.outputs, network.layers.size()),
      m_(gradients_),
      v_(gradients_),
      learning_rate_(learning_rate),
      states_(network.layers.size()) {}

double Trainer::update(const int* indices, const int* classes, std::size_t count, std::size_t steps) {
  for (std::vector<float>* g : gradients_.parameters()) std::fill(g->begin(), g->end(), 0.0f);
  for (std::vector<float>& states : states_) states.assign((steps + 1) * network_.hidden, 0.0f);
  outputs_.resize(steps * network_.outputs);

  const float scale = 1.0f / static_cast<float>(count * steps);
  double sum = 0.0;
  for (std::size_t n = 0; n < count; ++n) {
    forward(indices + n * steps, steps);
    sum += loss(classes + n * steps, steps, scale);
    backward(indices + n * steps, steps);
  }
  adam();
  return sum * scale;
}

void Trainer::forward(const int* indices, std::size_t steps) {
  const std::size_t H = network_.hidden, O = network_.outputs, L = network_.layers.size();
  for (std::size_t t = 0; t < steps; ++t) {
    cell(network_.layers[0], H, indices[t], &states_[0][t * H], &states_[0][(t + 1) * H]);
    for (std::size_t l = 1; l < L; ++l)
      cell(network_.layers[l], H, &states_[l - 1][(t + 1) * H], &states_[l][t * H], &states_[l][(t + 1) * H]);
    affine(O, H, network_.w_ho.data(), network_.bias_o.data(), &states_[L - 1][(t + 1) * H],
           &outputs_[t * O]);
  }
}

// The sum of -log softmax(y)[class]; y becomes scale (softmax(y) - onehot(class)).
double Trainer::loss(const int* classes, std::size_t steps, float scale) {
  const std::size_t O = network_.outputs;
  double total = 0.0;
  for (std::size_t t = 0; t < steps; ++t) {
    float* y = &outputs_[t * O];
    const float largest = *std::max_element(y, y + O), gap = largest - y[classes[t]];
    float sum = 0.0f;
    for (std::size_t i = 0; i < O; ++i) sum += y[i] = std::exp(y[i] - largest);
    for (std::size_t i = 0; i < O; ++i) y[i] *= scale / sum;
    y[classes[t]] -= scale;
    total += std::log(sum) + gap;
  }
  return total;
}

void Trainer::backward(const int* indices, std::size_t steps) {
  const std::size_t H = network_.hidden, O = network_.outputs, L = network_.layers.size();
  d_states_.assign(steps * H, 0.0f);
  for (std::size_t t = 0; t < steps; ++t) {
    const float* d_y = &outputs_[t * O];
    add_outer(O, H, d_y, &states_[L - 1][(t + 1) * H], gradients_.w_ho.data());
    for (std::size_t i = 0; i < O; ++i) gradients_.bias_o[i] += d_y[i];
    add_transposed(O, H, network_.w_ho.data(), d_y, &d_states_[t * H]);
  }
  for (std::size_t l = L; l-- > 0;) {
    d_inputs_.assign(steps * H, 0.0f);
    backward_layer(l, indices, steps);
    d_states_.swap(d_inputs_);
  }
}

void Trainer::backward_layer(std::size_t l, const int* indices, std::size_t steps) {
  const std::size_t H = network_.hidden;
  const Layer& layer = network_.layers[l];
  Layer& gradients = gradients_.layers[l];
  for (std::size_t t = steps; t-- > 0;) {
    const float* h = &states_[l][(t + 1) * H];
    float* d = &d_states_[t * H];
    for (std::size_t i = 0; i < H; ++i) d[i] *= 1.0f - h[i] * h[i];

    add_outer(H, H, d, &states_[l][t * H], gradients.w_hh.data());
    for (std::size_t i = 0; i < H; ++i) gradients.bias[i] += d[i];
    if (t > 0) add_transposed(H, H, layer.w_hh.data(), d, &d_states_[(t - 1) * H]);
    if (l == 0) {
      for (std::size_t i = 0; i < H; ++i) gradients.w_ih[i * layer.inputs + indices[t]] += d[i];
    } else {
      add_outer(H, H, d, &states_[l - 1][(t + 1) * H], gradients.w_ih.data());
      add_transposed(H, H, layer.w_ih.data(), d, &d_inputs_[t * H]);
    }
  }
}

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= rate m^ / (sqrt(v^) + epsilon), where ^ corrects the
// bias
void Trainer::adam() {
  constexpr float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  ++updates_;
  const float correction1 = 1.0f - std::pow(beta1, static_cast<float>(updates_));
  const float correction2 = 1.0f - std::pow(beta2, static_cast<float>(updates_));
  const auto parameters = network_.parameters(), gradients = gradients_.parameters();
  const auto ms = m_.parameters(), vs = v_.parameters();
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    for (std::size_t i = 0; i < parameters[k]->size(); ++i) {
      const float g = (*gradients[k])[i];
      float& m = (*ms[k])[i];
      float& v = (*vs[k])[i];
      m = beta1 * m + (1.0f - beta1) * g;
      v = beta2 * v + (1.0f - beta2) * g * g;
      (*parameters[k])[i] -= learning_rate_ * (m / correction1) / (std::sqrt(v / correction2) + epsilon);
    }
  }
}

}  // namespace naive

#include "bench/naive.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace naive {

void affine(std::size_t rows, std::size_t columns, const float* w, const float* bias, const float* x,
            float* y) {
  for (std::size_t i = 0; i < rows; ++i) {
    float sum = bias != nullptr ? bias[i] : 0.0f;
    for (std::size_t j = 0; j < columns; ++j) sum += w[i * columns + j] * x[j];
    y[i] = sum;
  }
}

namespace {

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// out = bias + W_ih onehot(index)
void select(const Layer& layer, int index, float* out) {
  for (std::size_t i = 0; i < layer.bias.size(); ++i)
    out[i] = layer.bias[i] + layer.w_ih[i * layer.inputs + index];
}

// The rest of a step, once s.gates holds the input product.
void cell(const Network& network, const Layer& layer, const Step& s) {
  const std::size_t H = network.hidden;
  float *a = s.gates, *u = s.product;
  affine(network.gates() * H, H, layer.w_hh.data(), nullptr, s.h_prev, u);
  for (std::size_t i = 0; i < H; ++i) {
    switch (network.cell) {
      case Cell::vanilla:
        s.h[i] = a[i] = std::tanh(a[i] + u[i]);
        break;
      case Cell::gru:
        u[2 * H + i] += layer.bias_hn[i];
        a[i] = sigmoid(a[i] + u[i]);
        a[H + i] = sigmoid(a[H + i] + u[H + i]);
        a[2 * H + i] = std::tanh(a[2 * H + i] + a[i] * u[2 * H + i]);
        s.h[i] = (1.0f - a[H + i]) * a[2 * H + i] + a[H + i] * s.h_prev[i];
        break;
      case Cell::lstm:
        a[i] = sigmoid(a[i] + u[i]);
        a[H + i] = sigmoid(a[H + i] + u[H + i]);
        a[2 * H + i] = std::tanh(a[2 * H + i] + u[2 * H + i]);
        a[3 * H + i] = sigmoid(a[3 * H + i] + u[3 * H + i]);
        s.c[i] = a[H + i] * s.c_prev[i] + a[i] * a[2 * H + i];
        s.h[i] = a[3 * H + i] * std::tanh(s.c[i]);
        break;
    }
  }
}

// From the gradient d_h[H] of the step's h: that of what the gates' activations read, into s.gates, that of
// W_hh h_prev, into s.product, and what reaches h_prev past the product, added to d_h_prev. d_c is the
// LSTM's: of the step's c on entry, of c_prev on return.
void cell_backward(const Network& network, const Step& s, const float* d_h, float* d_c, float* d_h_prev) {
  const std::size_t H = network.hidden;
  float *a = s.gates, *u = s.product;
  for (std::size_t i = 0; i < H; ++i) {
    const float d = d_h[i];
    switch (network.cell) {
      case Cell::vanilla:
        u[i] = a[i] = d * (1.0f - a[i] * a[i]);
        break;
      case Cell::gru: {
        const float r = a[i], z = a[H + i], n = a[2 * H + i];
        const float d_n = d * (1.0f - z) * (1.0f - n * n);
        a[i] = d_n * u[2 * H + i] * r * (1.0f - r);
        a[H + i] = d * (s.h_prev[i] - n) * z * (1.0f - z);
        a[2 * H + i] = d_n;
        u[i] = a[i];
        u[H + i] = a[H + i];
        u[2 * H + i] = d_n * r;
        d_h_prev[i] += d * z;
        break;
      }
      case Cell::lstm: {
        const float in = a[i], forget = a[H + i], g = a[2 * H + i], out = a[3 * H + i];
        const float t = std::tanh(s.c[i]);
        const float d_cell = d_c[i] + d * out * (1.0f - t * t);
        u[i] = a[i] = d_cell * g * in * (1.0f - in);
        u[H + i] = a[H + i] = d_cell * s.c_prev[i] * forget * (1.0f - forget);
        u[2 * H + i] = a[2 * H + i] = d_cell * in * (1.0f - g * g);
        u[3 * H + i] = a[3 * H + i] = d * t * out * (1.0f - out);
        d_c[i] = d_cell * forget;
        break;
      }
    }
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

Network::Network(Cell cell, std::size_t inputs, std::size_t hidden, std::size_t outputs,
                 std::size_t num_layers)
    : cell(cell), inputs(inputs), hidden(hidden), outputs(outputs), w_ho(outputs * hidden), bias_o(outputs) {
  for (std::size_t l = 0; l < num_layers; ++l) {
    const std::size_t n = l == 0 ? inputs : hidden, rows = gates() * hidden;
    layers.push_back({n, std::vector<float>(rows * n), std::vector<float>(rows * hidden),
                      std::vector<float>(rows), std::vector<float>(cell == Cell::gru ? hidden : 0)});
  }
}

std::vector<const std::vector<float>*> Network::parameters() const {
  std::vector<const std::vector<float>*> result;
  for (const Layer& layer : layers) {
    result.insert(result.end(), {&layer.w_ih, &layer.w_hh, &layer.bias});
    if (cell == Cell::gru) result.push_back(&layer.bias_hn);
  }
  result.insert(result.end(), {&w_ho, &bias_o});
  return result;
}

std::vector<std::vector<float>*> Network::parameters() {
  std::vector<std::vector<float>*> result;
  for (const std::vector<float>* values : std::as_const(*this).parameters())
    result.push_back(const_cast<std::vector<float>*>(values));
  return result;
}

Stream::Stream(const Network& network)
    : network_(network),
      h_(network.layers.size(), std::vector<float>(network.hidden)),
      c_(h_),
      gates_(network.gates() * network.hidden),
      product_(gates_.size()),
      next_h_(network.hidden),
      next_c_(network.hidden) {}

void Stream::step(const float* x, float* y) { step_from(0, x, y); }

void Stream::step(int index, float* y) {
  select(network_.layers[0], index, gates_.data());
  finish_layer(0);
  step_from(1, h_[0].data(), y);
}

void Stream::finish_layer(std::size_t l) {
  cell(network_, network_.layers[l],
       {h_[l].data(), c_[l].data(), gates_.data(), product_.data(), next_h_.data(), next_c_.data()});
  h_[l].swap(next_h_);
  c_[l].swap(next_c_);
}

void Stream::step_from(std::size_t first, const float* x, float* y) {
  for (std::size_t l = first; l < network_.layers.size(); ++l) {
    const Layer& layer = network_.layers[l];
    affine(gates_.size(), layer.inputs, layer.w_ih.data(), layer.bias.data(), x, gates_.data());
    finish_layer(l);
    x = h_[l].data();
  }
  affine(network_.outputs, network_.hidden, network_.w_ho.data(), network_.bias_o.data(), x, y);
}

Trainer::Trainer(Network& network, float learning_rate)
    : network_(network),
      gradients_(network.cell, network.inputs, network.hidden, network.outputs, network.layers.size()),
      m_(gradients_),
      v_(gradients_),
      learning_rate_(learning_rate),
      records_(network.layers.size()) {}

double Trainer::update(const int* indices, const int* classes, std::size_t count, std::size_t steps) {
  for (std::vector<float>* g : gradients_.parameters()) std::fill(g->begin(), g->end(), 0.0f);
  const std::size_t H = network_.hidden, G = network_.gates();
  for (Record& record : records_) {
    record.h.assign((steps + 1) * H, 0.0f);
    record.c.assign((steps + 1) * H, 0.0f);
    record.gates.resize(steps * G * H);
    record.product.resize(steps * G * H);
  }
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

Step Trainer::step(std::size_t layer, std::size_t t) {
  const std::size_t H = network_.hidden, GH = network_.gates() * H;
  Record& r = records_[layer];
  return {&r.h[t * H],        &r.c[t * H],       &r.gates[t * GH],
          &r.product[t * GH], &r.h[(t + 1) * H], &r.c[(t + 1) * H]};
}

void Trainer::forward(const int* indices, std::size_t steps) {
  const std::size_t H = network_.hidden, O = network_.outputs, L = network_.layers.size();
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t l = 0; l < L; ++l) {
      const Layer& layer = network_.layers[l];
      const Step s = step(l, t);
      if (l == 0)
        select(layer, indices[t], s.gates);
      else
        affine(layer.bias.size(), H, layer.w_ih.data(), layer.bias.data(), step(l - 1, t).h, s.gates);
      cell(network_, layer, s);
    }
    affine(O, H, network_.w_ho.data(), network_.bias_o.data(), step(L - 1, t).h, &outputs_[t * O]);
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
    add_outer(O, H, d_y, step(L - 1, t).h, gradients_.w_ho.data());
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
  const std::size_t H = network_.hidden, GH = network_.gates() * H;
  const Layer& layer = network_.layers[l];
  Layer& gradients = gradients_.layers[l];
  std::vector<float> d_initial(H);
  d_c_.assign(H, 0.0f);
  for (std::size_t t = steps; t-- > 0;) {
    const Step s = step(l, t);
    float* const d_h_prev = t > 0 ? &d_states_[(t - 1) * H] : d_initial.data();
    cell_backward(network_, s, &d_states_[t * H], d_c_.data(), d_h_prev);

    add_outer(GH, H, s.product, s.h_prev, gradients.w_hh.data());
    for (std::size_t i = 0; i < GH; ++i) gradients.bias[i] += s.gates[i];
    for (std::size_t i = 0; i < gradients.bias_hn.size(); ++i) gradients.bias_hn[i] += s.product[2 * H + i];
    if (t > 0) add_transposed(GH, H, layer.w_hh.data(), s.product, d_h_prev);
    if (l == 0) {
      for (std::size_t i = 0; i < GH; ++i) gradients.w_ih[i * layer.inputs + indices[t]] += s.gates[i];
    } else {
      add_outer(GH, H, s.gates, step(l - 1, t).h, gradients.w_ih.data());
      add_transposed(GH, H, layer.w_ih.data(), s.gates, &d_inputs_[t * H]);
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

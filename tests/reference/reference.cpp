#include "tests/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace rnn::reference {
namespace {

// y += W x, W[y.size(), x.size()].
void add_product(const Vector& w, const Vector& x, Vector& y) {
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) y[i] += w.at(i * x.size() + j) * x[j];
}

Vector get(const Network& network, const std::string& name, std::size_t size) {
  const auto found = network.parameters.find(name);
  return found == network.parameters.end() ? Vector(size) : found->second;
}

std::string indexed(const char* name, std::size_t layer) { return name + std::to_string(layer); }

// State vectors h[L][H] at the network's own initial values.
std::vector<Vector> initial_state(const Network& network) {
  std::vector<Vector> h;
  for (std::size_t l = 0; l < network.layers; ++l)
    h.push_back(get(network, indexed("initial_h_l", l), network.hidden));
  return h;
}

// h' = tanh(W_ih x + W_hh h + b)
Vector cell(const Network& network, std::size_t layer, const Vector& x, const Vector& h) {
  Vector next = get(network, indexed("bias_ih_l", layer), network.hidden);
  add_product(network.parameters.at(indexed("weight_ih_l", layer)), x, next);
  add_product(network.parameters.at(indexed("weight_hh_l", layer)), h, next);
  for (double& value : next) value = std::tanh(value);
  return next;
}

// y = W_ho h + b_o
Vector head(const Network& network, const Vector& h) {
  if (network.outputs == 0) return h;
  Vector y = get(network, "head.bias", network.outputs);
  add_product(network.parameters.at("head.weight"), h, y);
  return y;
}

Vector input(const Network& network, const Sequences& sequences, std::size_t frame) {
  Vector x(network.inputs);
  if (sequences.indices.empty()) {
    std::copy_n(sequences.inputs.begin() + frame * network.inputs, network.inputs, x.begin());
  } else {
    x.at(sequences.indices.at(frame)) = 1;
  }
  return x;
}

double log_sum_exp(const double* y, std::size_t n) {
  const double max = *std::max_element(y, y + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(y[i] - max);
  return max + std::log(sum);
}

double squared_error(const double* y, const double* target, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += (y[i] - target[i]) * (y[i] - target[i]);
  return sum / static_cast<double>(n);
}

// -target log sigmoid(y) - (1 - target) log(1 - sigmoid(y)) = log(1 + exp(y)) - target y
double binary_cross_entropy(const double* y, const double* target, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    sum += std::max(y[i], 0.0) + std::log1p(std::exp(-std::fabs(y[i]))) - target[i] * y[i];
  return sum / static_cast<double>(n);
}

// Which frame's output target m is for.
std::vector<std::size_t> target_frames(const Sequences& sequences) {
  std::vector<std::size_t> frames(sequences.target_count());
  std::iota(frames.begin(), frames.end(), std::size_t{0});
  if (sequences.target_per_sequence) {
    std::size_t end = 0;
    for (std::size_t n = 0; n < sequences.count(); ++n) frames[n] = (end += sequences.lengths[n]) - 1;
  }
  return frames;
}

}  // namespace

std::size_t Sequences::frames() const {
  return std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
}

Sequences convert(const Network& network, const rnn_sequences_t& in, const float* initial_states) {
  Sequences out;
  out.lengths.assign(in.lengths, in.lengths + in.count);
  out.target_per_sequence = in.target_per_sequence != 0;
  const std::size_t frames = out.frames();
  const std::size_t targets = out.target_count();
  const auto assign = [](auto& to, const auto* from, std::size_t n) {
    if (from != nullptr) to.assign(from, from + n);
  };
  assign(out.inputs, in.inputs, frames * network.inputs);
  assign(out.indices, in.indices, frames);
  assign(out.targets, in.targets, targets * network.output_size());
  assign(out.classes, in.classes, targets);
  assign(out.weights, in.weights, targets);
  assign(out.resets, in.resets, frames);
  assign(out.initial_states, initial_states, in.count * network.state_size());
  return out;
}

Pass forward(const Network& network, const Sequences& sequences) {
  Pass pass;
  std::size_t frame = 0;
  for (std::size_t n = 0; n < sequences.count(); ++n) {
    std::vector<Vector> h = initial_state(network);
    if (!sequences.initial_states.empty()) {
      auto from = sequences.initial_states.begin() + static_cast<std::ptrdiff_t>(n * network.state_size());
      for (Vector& layer : h) {
        std::copy_n(from, network.hidden, layer.begin());
        from += static_cast<std::ptrdiff_t>(network.hidden);
      }
    }
    for (std::size_t t = 0; t < sequences.lengths[n]; ++t, ++frame) {
      if (!sequences.resets.empty() && sequences.resets[frame] != 0) h = initial_state(network);
      Vector x = input(network, sequences, frame);
      for (std::size_t l = 0; l < network.layers; ++l) x = h[l] = cell(network, l, x, h[l]);
      const Vector y = head(network, x);
      pass.outputs.insert(pass.outputs.end(), y.begin(), y.end());
      for (const Vector& layer : h) pass.states.insert(pass.states.end(), layer.begin(), layer.end());
    }
    for (const Vector& layer : h)
      pass.final_states.insert(pass.final_states.end(), layer.begin(), layer.end());
  }
  return pass;
}

Evaluation evaluate(const Network& network, const Sequences& sequences, std::int32_t kind) {
  const Pass pass = forward(network, sequences);
  const std::size_t width = network.output_size();
  const std::vector<std::size_t> frames = target_frames(sequences);
  double sum = 0;
  double weights = 0;
  double right = 0;
  for (std::size_t m = 0; m < frames.size(); ++m) {
    const double* y = &pass.outputs[frames[m] * width];
    const double weight = sequences.weights.empty() ? 1 : sequences.weights[m];
    weights += weight;
    switch (kind) {
      case RNN_LOSS_CROSS_ENTROPY:
        sum += weight * (log_sum_exp(y, width) - y[sequences.classes.at(m)]);
        right += weight * (std::max_element(y, y + width) - y == sequences.classes[m]);
        break;
      case RNN_LOSS_SQUARED_ERROR:
        sum += weight * squared_error(y, &sequences.targets.at(m * width), width);
        break;
      case RNN_LOSS_BINARY_CROSS_ENTROPY:
        sum += weight * binary_cross_entropy(y, &sequences.targets.at(m * width), width);
        break;
      default:
        throw std::invalid_argument("no such loss");
    }
  }
  const bool classes = kind == RNN_LOSS_CROSS_ENTROPY;
  return {sum / weights, weights, classes ? right / weights : std::numeric_limits<double>::quiet_NaN()};
}

double central_difference(double& x, const std::function<double()>& f, double step) {
  const double middle = x;
  x = middle + step;
  const double above = f();
  x = middle - step;
  const double below = f();
  x = middle;
  return (above - below) / (2 * step);
}

Vector gradient(Vector& x, const std::function<double()>& f, double step) {
  Vector g;
  for (double& value : x) g.push_back(central_difference(value, f, step));
  return g;
}

Parameters gradients(Network& network, const Sequences& sequences, std::int32_t kind) {
  Parameters g;
  for (auto& [name, values] : network.parameters)
    g[name] = gradient(values, [&] { return loss(network, sequences, kind); });
  return g;
}

double norm(const Parameters& gradients) {
  double sum = 0;
  for (const auto& [name, values] : gradients)
    for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

void clip(Parameters& gradients, double clip_norm, double clip_value) {
  const double before = norm(gradients);
  const double scale = clip_norm > 0 && before > clip_norm ? clip_norm / before : 1;
  const double limit = clip_value > 0 ? clip_value : std::numeric_limits<double>::infinity();
  for (auto& [name, values] : gradients)
    for (double& value : values) value = std::clamp(value * scale, -limit, limit);
}

void Optimizer::update(Parameters& parameters, const Parameters& gradients, double rate) {
  ++updates_;
  for (const auto& [name, gradient] : gradients) {
    Vector& p = parameters.at(name);
    first_[name].resize(p.size());
    second_[name].resize(p.size());
    update(p, gradient, first_[name], second_[name], rate);
  }
}

void Optimizer::update(Vector& p, const Vector& gradient, Vector& first, Vector& second, double rate) const {
  for (std::size_t i = 0; i < p.size(); ++i) {
    double& m = first[i];
    double& v = second[i];
    double g = gradient[i];
    if (rule == RNN_ADAMW) {
      p[i] -= rate * weight_decay * p[i];
    } else {
      g += weight_decay * p[i];
    }
    switch (rule) {
      case RNN_ADAM:
      case RNN_ADAMW: {
        m = beta1 * m + (1 - beta1) * g;
        v = beta2 * v + (1 - beta2) * g * g;
        const double mean = m / (1 - std::pow(beta1, updates_));
        const double square = v / (1 - std::pow(beta2, updates_));
        p[i] -= rate * mean / (std::sqrt(square) + epsilon);
        break;
      }
      case RNN_SGD:
        m = momentum * m + g;
        p[i] -= rate * (nesterov ? g + momentum * m : m);
        break;
      case RNN_ADAGRAD:
        v += g * g;
        p[i] -= rate * g / (std::sqrt(v) + epsilon);
        break;
      case RNN_RMSPROP:
        v = beta2 * v + (1 - beta2) * g * g;
        m = momentum * m + g / (std::sqrt(v) + epsilon);
        p[i] -= rate * m;
        break;
      default:
        throw std::invalid_argument("no such optimizer");
    }
  }
}

}  // namespace rnn::reference

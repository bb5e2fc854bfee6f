// How cells make a network: layers, directions, layer normalisation, projection, residual connections,
// embedding, pooling and head.
#include <algorithm>
#include <iterator>
#include <numeric>
#include <stdexcept>

#include "tests/reference/gru.h"
#include "tests/reference/lstm.h"
#include "tests/reference/mingru.h"
#include "tests/reference/minlstm.h"
#include "tests/reference/reference.h"
#include "tests/reference/vanilla.h"

namespace rnn::reference {
namespace {

// Of one strand.
struct State {
  Vector h;  // [P]
  Vector c;  // [H]  LSTM
};

// The parameters of one strand: names are those of PyTorch.
class Strand {
 public:
  Strand(const Network& network, std::size_t layer, std::size_t direction)
      : network_(network), suffix_("_l" + std::to_string(layer) + (direction != 0 ? "_reverse" : "")) {}

  const Vector& operator[](const char* name) const { return network_.parameters.at(name + suffix_); }

  // Zero if absent.
  Vector get(const char* name, std::size_t size) const {
    const auto found = network_.parameters.find(name + suffix_);
    return found == network_.parameters.end() ? Vector(size) : found->second;
  }

  State initial() const {
    return {get("initial_h", network_.width()), get("initial_c", network_.cell_size())};
  }

  // One step: the state after it has read x.
  State step(const Vector& x, const State& before) const {
    const bool norm = network_.has(RNN_FLAG_LAYER_NORM);
    Vector v = product((*this)["weight_ih"], x);
    if (norm) v = layer_norm(v, (*this)["norm_ih"]);
    v = sum(v, get("bias_ih", v.size()));
    if (network_.cell == RNN_CELL_GRU && network_.has(RNN_FLAG_RESET_BEFORE))
      return {gru_reset_before(v, (*this)["weight_hh"], before.h), {}};
    if (network_.cell == RNN_CELL_MIN_GRU) return {mingru(v, before.h), {}};
    if (network_.cell == RNN_CELL_MIN_LSTM) return {minlstm(v, before.h), {}};

    Vector u = product((*this)["weight_hh"], before.h);
    if (norm) u = layer_norm(u, (*this)["norm_hh"]);
    State after = before;
    switch (network_.cell) {
      case RNN_CELL_VANILLA:
        after.h = vanilla(v, u, network_.has(RNN_FLAG_RELU));
        break;
      case RNN_CELL_GRU:
        after.h = gru(v, u, get("bias_hn", network_.hidden), before.h);
        break;
      case RNN_CELL_LSTM:
        after.h = lstm(v, u, after.c);
        break;
      default:
        throw std::invalid_argument("no such cell");
    }
    if (network_.projection != 0) after.h = product((*this)["weight_hr"], after.h);
    return after;
  }

 private:
  const Network& network_;
  std::string suffix_;
};

// One sequence on its way through the layers.
class Walk {
 public:
  Walk(const Network& network, const Sequences& sequences, std::size_t n)
      : network_(network), sequences_(sequences), n_(n), length_(sequences.lengths[n]) {
    first_ = std::accumulate(sequences.lengths.begin(),
                             sequences.lengths.begin() + static_cast<std::ptrdiff_t>(n), std::size_t{0});
    states_.assign(length_, std::vector<State>(network.strands()));
    for (std::size_t t = 0; t < length_; ++t) x_.push_back(input(first_ + t));
  }

  void run(Pass& pass) {
    for (std::size_t l = 0; l < network_.layers; ++l) layer(l);
    for (std::size_t t = 0; t < length_; ++t) {
      Vector y = head(x_[t]);
      const Vector x = input(first_ + t);
      for (std::size_t i = 0; i < network_.skip; ++i) y[i] += x[i];
      append(pass.outputs, y);
      append_state(pass.states, states_[t]);
    }
    if (sequences_.pooling != RNN_POOLING_NONE) append(pass.pooled, head(pool()));
    std::vector<State> final_state = states_.back();
    for (std::size_t s = 1; s < final_state.size() && network_.has(RNN_FLAG_BIDIRECTIONAL); s += 2)
      final_state[s] = states_.front()[s];
    append_state(pass.final_states, final_state);
  }

 private:
  static void append(Vector& to, const Vector& from) { to.insert(to.end(), from.begin(), from.end()); }

  static void append_state(Vector& to, const std::vector<State>& state) {
    for (const State& strand : state) append(to, strand.h);
    for (const State& strand : state) append(to, strand.c);
  }

  // A one-hot vector, the row of the embedding, or the vector given.
  Vector input(std::size_t frame) const {
    const auto row = [&](const Vector& matrix, std::size_t width, std::size_t i) {
      const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(i * width);
      return Vector(begin, begin + static_cast<std::ptrdiff_t>(width));
    };
    if (sequences_.indices.empty()) return row(sequences_.inputs, network_.inputs, frame);
    const auto index = static_cast<std::size_t>(sequences_.indices.at(frame));
    if (network_.embedding != 0)
      return row(network_.parameters.at("embedding.weight"), network_.embedding, index);
    Vector x(network_.inputs);
    x.at(index) = 1;
    return x;
  }

  bool reset(std::size_t t) const { return !sequences_.resets.empty() && sequences_.resets[first_ + t] != 0; }

  // Where the sequence's direction starts: the state given, or the initial one.
  State start(const Strand& strand, std::size_t s) const {
    State state = strand.initial();
    if (sequences_.initial_states.empty()) return state;
    const double* given = &sequences_.initial_states[n_ * network_.state_size()];
    const std::size_t P = network_.width(), H = network_.cell_size();
    std::copy_n(given + s * P, P, state.h.begin());
    std::copy_n(given + network_.strands() * P + s * H, H, state.c.begin());
    return state;
  }

  void layer(std::size_t l) {
    std::vector<Vector> o(length_);
    for (std::size_t d = 0; d < network_.directions(); ++d) {
      const Strand strand(network_, l, d);
      const std::size_t s = l * network_.directions() + d;
      State state = start(strand, s);
      for (std::size_t k = 0; k < length_; ++k) {
        const std::size_t t = d == 0 ? k : length_ - 1 - k;
        if (d == 0 ? reset(t) : k > 0 && reset(t + 1)) state = strand.initial();
        states_[t][s] = state = strand.step(x_[t], state);
        append(o[t], state.h);
      }
    }
    for (std::size_t t = 0; t < length_; ++t) {
      if (l > 0 && network_.has(RNN_FLAG_RESIDUAL)) o[t] = sum(o[t], x_[t]);
      for (std::size_t j = 0; l + 1 < network_.layers && network_.dropout && j < o[t].size(); ++j)
        o[t][j] *= network_.dropout(l, first_ + t, j);
    }
    x_ = o;
  }

  // Of the steps since the last reset.
  Vector pool() const {
    std::size_t begin = length_ - 1;
    while (begin > 0 && !reset(begin)) --begin;
    Vector pooled = x_.back();
    const auto steps = static_cast<double>(length_ - begin);
    for (std::size_t j = 0; j < pooled.size(); ++j) {
      switch (sequences_.pooling) {
        case RNN_POOLING_LAST:
          if (j >= network_.width()) pooled[j] = x_[begin][j];
          break;
        case RNN_POOLING_MEAN:
          pooled[j] = 0;
          for (std::size_t t = begin; t < length_; ++t) pooled[j] += x_[t][j] / steps;
          break;
        case RNN_POOLING_MAX:
          for (std::size_t t = begin; t < length_; ++t) pooled[j] = std::max(pooled[j], x_[t][j]);
          break;
        default:
          throw std::invalid_argument("no such pooling");
      }
    }
    return pooled;
  }

  // y = W_ho o + b_o
  Vector head(const Vector& o) const {
    if (network_.outputs == 0) return o;
    const char* matrix = network_.has(RNN_FLAG_TIED_HEAD) ? "embedding.weight" : "head.weight";
    const Vector y = product(network_.parameters.at(matrix), o);
    const auto bias = network_.parameters.find("head.bias");
    return bias == network_.parameters.end() ? y : sum(y, bias->second);
  }

  const Network& network_;
  const Sequences& sequences_;
  std::size_t n_;
  std::size_t first_;  // frame
  std::size_t length_;
  std::vector<Vector> x_;                   // [T]  what the next layer reads
  std::vector<std::vector<State>> states_;  // [T, L D]
};

}  // namespace

std::size_t Sequences::frames() const {
  return std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
}

Sequences convert(const Network& network, const rnn_sequences_t& in, const float* initial_states) {
  Sequences out;
  out.lengths.assign(in.lengths, in.lengths + in.count);
  out.pooling = in.pooling;
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
  for (std::size_t n = 0; n < sequences.count(); ++n) Walk(network, sequences, n).run(pass);
  return pass;
}

}  // namespace rnn::reference

// How layers make a network: directions, layer normalisation, projection, residual connections, embedding,
// pooling and head.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <utility>

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
  Vector h;  // [P], or of a convolution past inputs [reach, X], the oldest first
  Vector c;  // [H]  LSTM
};

// The parameters of one direction of a layer.
class Strand {
 public:
  // mask: [P] of recurrent dropout; empty: none
  Strand(const Network& network, std::size_t layer, bool reverse, Vector mask = {})
      : network_(network),
        layer_(network.layers[layer]),
        index_(layer),
        reverse_(reverse),
        mask_(std::move(mask)) {}

  const Vector& operator[](const char* name) const {
    return network_.parameters.at(network_.parameter_name(index_, name, reverse_));
  }

  // Zero if absent.
  Vector get(const char* name, std::size_t size) const {
    const auto found = network_.parameters.find(network_.parameter_name(index_, name, reverse_));
    return found == network_.parameters.end() ? Vector(size) : found->second;
  }

  State initial() const {
    return {get("initial_h", network_.h_size(index_)), get("initial_c", layer_.c_size())};
  }

  // One step: the output of x, and the state after it.
  Vector step(const Vector& x, State& state) const {
    return layer_.is_dense() ? dense(x, state) : cell(x, state);
  }

 private:
  Activations activations() const {
    Activations a = layer_.activations;
    if (layer_.has(RNN_FLAG_RELU)) a.new_gate = {RNN_ACTIVATION_RELU};
    return a;
  }

  Peepholes peepholes() const {
    return {get("peephole_i", layer_.size), get("peephole_f", layer_.size), get("peephole_o", layer_.size)};
  }

  Vector cell(const Vector& x, State& state) const {
    const bool norm = layer_.has(RNN_FLAG_LAYER_NORM);
    Vector v = product((*this)["weight_ih"], x);
    if (norm) v = layer_norm(v, (*this)["norm_ih"]);
    v = sum(v, get("bias_ih", v.size()));
    Vector read = state.h;
    for (std::size_t i = 0; i < mask_.size(); ++i) read[i] *= mask_[i];
    if (layer_.kind == RNN_CELL_GRU && layer_.has(RNN_FLAG_RESET_BEFORE))
      return state.h = gru_reset_before(v, (*this)["weight_hh"], state.h, read, activations());
    if (layer_.kind == RNN_CELL_MIN_GRU) return state.h = mingru(v, state.h);
    if (layer_.kind == RNN_CELL_MIN_LSTM) return state.h = minlstm(v, state.h);

    Vector u = product((*this)["weight_hh"], read);
    if (norm) u = layer_norm(u, (*this)["norm_hh"]);
    switch (layer_.kind) {
      case RNN_CELL_VANILLA:
        state.h = vanilla(v, u, activations());
        break;
      case RNN_CELL_GRU:
        state.h = gru(v, u, get("bias_hn", layer_.size), state.h, activations());
        break;
      case RNN_CELL_LSTM:
        state.h = lstm(v, u, peepholes(), layer_.has(RNN_FLAG_COUPLED_GATES), state.c, activations());
        break;
      default:
        throw std::invalid_argument("no such cell");
    }
    if (layer_.projection != 0) state.h = product((*this)["weight_hr"], state.h);
    return state.h;
  }

  // y = f(W x + b), where x are the inputs that a convolution reads, the oldest first
  Vector dense(Vector x, State& state) const {
    const auto width = static_cast<std::ptrdiff_t>(x.size());
    Vector past = state.h;
    past.insert(past.end(), x.begin(), x.end());
    x.clear();
    for (std::size_t k = 0; k < layer_.taps; ++k) {
      const auto tap = past.begin() + static_cast<std::ptrdiff_t>(k * layer_.dilation) * width;
      x.insert(x.end(), tap, tap + width);
    }
    state.h.assign(past.begin() + width, past.end());
    const bool tied = network_.tied && index_ >= network_.body();
    const Vector& w = tied ? network_.parameters.at("embedding.weight") : (*this)["weight"];
    const Vector z = product(w, x);
    const bool slopes = layer_.activation.kind == RNN_ACTIVATION_PRELU;
    return activate(layer_.activation, sum(z, get("bias", z.size())),
                    slopes ? (*this)["slope"] : Vector(z.size()));
  }

  const Network& network_;
  const Layer& layer_;
  std::size_t index_;
  bool reverse_;
  Vector mask_;
};

// The states and inputs of a strand since it started, and what its next step reads of them.
class Past {
 public:
  Past(double delay, const Layer& layer, State start)
      : delay_(delay), layer_(layer), start_(std::move(start)) {}

  void add(const Vector& x, const State& state) {
    inputs_.push_back(x);
    states_.push_back(state);
  }

  State next() const { return ago(delay_); }  // what the next step reads
  State last() const { return ago(1); }

 private:
  // The state of so many steps ago, 1: of the last. Before the start the state was always the same, and each input of
  // a convolution there was for `delay` steps.
  State ago(double steps) const {
    if (!layer_.is_dense())
      return {between(steps, [&](std::size_t whole) { return state(whole).h; }),
              between(steps, [&](std::size_t whole) { return state(whole).c; })};
    State result;
    for (std::size_t m = layer_.reach(); m > 0; --m) {
      const Vector x = between(steps + static_cast<double>(m - 1) * delay_,
                               [&](std::size_t whole) { return input(whole); });
      result.h.insert(result.h.end(), x.begin(), x.end());
    }
    return result;
  }

  // at(steps), between two of them where steps is not whole.
  template <class At>
  static Vector between(double steps, const At& at) {
    const double whole = std::floor(steps), part = steps - whole;
    Vector v = at(static_cast<std::size_t>(whole));
    if (part == 0) return v;
    const Vector older = at(static_cast<std::size_t>(whole) + 1);
    for (std::size_t j = 0; j < v.size(); ++j) v[j] = (1 - part) * v[j] + part * older[j];
    return v;
  }

  const State& state(std::size_t steps) const {
    return steps <= states_.size() ? states_[states_.size() - steps] : start_;
  }

  Vector input(std::size_t steps) const {
    if (steps <= inputs_.size()) return inputs_[inputs_.size() - steps];
    const std::size_t reach = layer_.reach(), width = start_.h.size() / reach;
    const double before = std::ceil(static_cast<double>(steps - inputs_.size()) / delay_);
    const auto row =
        start_.h.begin() +
        static_cast<std::ptrdiff_t>((reach - std::min(static_cast<std::size_t>(before), reach)) * width);
    return Vector(row, row + static_cast<std::ptrdiff_t>(width));
  }

  double delay_;
  const Layer& layer_;
  State start_;
  std::vector<Vector> inputs_;
  std::vector<State> states_;
};

// One sequence on its way through the layers.
class Walk {
 public:
  Walk(const Network& network, const Sequences& sequences, std::size_t n)
      : network_(network), sequences_(sequences), n_(n), length_(sequences.lengths[n]), states_(length_) {
    first_ = std::accumulate(sequences.lengths.begin(),
                             sequences.lengths.begin() + static_cast<std::ptrdiff_t>(n), std::size_t{0});
    for (std::size_t t = 0; t < length_; ++t) x_.push_back(input(first_ + t));
  }

  void run(Pass& pass) {
    for (std::size_t l = 0; l < network_.before_pooling(); ++l) layer(l);
    if (pools()) append(pass.pooled, head(dropped(behind_pooling(pool()), n_)));
    for (std::size_t l = network_.before_pooling(); l < network_.body(); ++l) layer(l);
    for (std::size_t t = 0; t < length_; ++t) {
      Vector y = head(pools() ? x_[t] : dropped(x_[t], first_ + t));
      const Vector x = input(first_ + t);
      for (std::size_t i = 0; i < network_.skip; ++i) y[i] += x[i];
      append(pass.outputs, y);
      append_state(pass.states, states_[t]);
    }
    std::vector<State> final_state = states_.back();
    for (std::size_t s = 0; s < final_state.size(); ++s)
      if (reverse_[s]) final_state[s] = states_.front()[s];
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

  bool pools() const { return sequences_.pooling != RNN_POOLING_NONE; }

  bool reset(std::size_t t) const { return !sequences_.resets.empty() && sequences_.resets[first_ + t] != 0; }

  // Where strand s starts: its part of the state given, or the initial one.
  State start(const Strand& strand, std::size_t s) const {
    State state = strand.initial();
    if (sequences_.initial_states.empty()) return state;
    const double* given = &sequences_.initial_states[n_ * network_.state_size()];
    std::size_t before_h = 0, all_h = 0, before_c = 0, i = 0;
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      for (std::size_t d = 0; d < network_.layers[l].directions(); ++d, ++i) {
        all_h += network_.h_size(l);
        if (i >= s) continue;
        before_h += network_.h_size(l);
        before_c += network_.layers[l].c_size();
      }
    }
    std::copy_n(given + before_h, state.h.size(), state.h.begin());
    std::copy_n(given + all_h + before_c, state.c.size(), state.c.begin());
    return state;
  }

  // The outputs of one direction of layer l, beside those of the directions before or added to them.
  void run_strand(std::size_t l, bool reverse, std::vector<Vector>& o) {
    const Layer& layer = network_.layers[l];
    const bool add = layer.direction == RNN_DIRECTION_SUM && reverse;
    Vector mask(network_.recurrent_dropout && layer.has_weight_hh() ? layer.width() : 0);
    for (std::size_t j = 0; j < mask.size(); ++j)
      mask[j] = network_.recurrent_dropout(reverse_.size(), n_, j);
    const Strand strand(network_, l, reverse, mask);
    std::vector<Past> past = {Past(network_.delay, layer, start(strand, reverse_.size()))};
    for (std::size_t k = 0; k < length_; ++k) {
      const std::size_t t = reverse ? length_ - 1 - k : k;
      if (reverse ? k > 0 && reset(t + 1) : reset(t))
        past.emplace_back(network_.delay, layer, strand.initial());
      const State before = past.back().next();
      State state = before;
      Vector y = strand.step(x_[t], state);
      zone_out(layer.zoneout_h, 0, first_ + t, before.h, state.h);
      zone_out(layer.zoneout_c, 1, first_ + t, before.c, state.c);
      if (layer.zoneout_h != 0) y = state.h;
      past.back().add(x_[t], state);
      states_[t].push_back(past.back().last());
      if (add)
        o[t] = sum(o[t], y);
      else
        append(o[t], y);
    }
    reverse_.push_back(reverse);
  }

  // Of the strand in work.
  void zone_out(double rate, std::size_t state, std::size_t frame, const Vector& before, Vector& v) const {
    for (std::size_t j = 0; rate != 0 && j < v.size(); ++j) {
      const double stays = network_.replaces ? !network_.replaces(reverse_.size(), state, frame, j) : rate;
      v[j] = stays * before[j] + (1 - stays) * v[j];
    }
  }

  void layer(std::size_t l) {
    const Layer& layer = network_.layers[l];
    std::vector<Vector> o(length_);
    if (layer.direction != RNN_DIRECTION_REVERSE) run_strand(l, false, o);
    if (layer.direction != RNN_DIRECTION_FORWARD) run_strand(l, true, o);
    for (std::size_t t = 0; t < length_; ++t) {
      if (layer.has(RNN_FLAG_RESIDUAL)) o[t] = sum(o[t], x_[t]);
      if (!pools() || l + 1 < network_.before_pooling()) drop(l, first_ + t, o[t]);
    }
    x_ = o;
  }

  void drop(std::size_t l, std::size_t place, Vector& o) const {
    for (std::size_t j = 0; l + 1 < network_.body() && network_.dropout && j < o.size(); ++j)
      o[j] *= network_.dropout(l, place, j);
  }

  // What the layers before the head make of the pooled vector.
  Vector behind_pooling(Vector x) const {
    drop(network_.before_pooling() - 1, n_, x);
    for (std::size_t l = network_.before_pooling(); l < network_.body(); ++l) {
      State none;
      Vector y = Strand(network_, l, false).step(x, none);
      if (network_.layers[l].has(RNN_FLAG_RESIDUAL)) y = sum(y, x);
      drop(l, n_, y);
      x = y;
    }
    return x;
  }

  // Of the steps since the last reset.
  Vector pool() const {
    const Layer& last = network_.layers[network_.before_pooling() - 1];
    const std::size_t ahead = last.direction == RNN_DIRECTION_REVERSE ? 0 : last.width();
    std::size_t begin = length_ - 1;
    while (begin > 0 && !reset(begin)) --begin;
    Vector pooled = x_.back();
    const auto steps = static_cast<double>(length_ - begin);
    for (std::size_t j = 0; j < pooled.size(); ++j) {
      switch (sequences_.pooling) {
        case RNN_POOLING_LAST:
          if (j >= ahead) pooled[j] = x_[begin][j];
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

  Vector dropped(Vector o, std::size_t row) const {
    for (std::size_t j = 0; network_.output_dropout && j < o.size(); ++j)
      o[j] *= network_.output_dropout(row, j);
    return o;
  }

  Vector head(const Vector& o) const {
    State none;
    return network_.has_head() ? Strand(network_, network_.body(), false).step(o, none) : o;
  }

  const Network& network_;
  const Sequences& sequences_;
  std::size_t n_;
  std::size_t first_;  // frame
  std::size_t length_;
  std::vector<Vector> x_;                   // [T]  what the next layer reads
  std::vector<std::vector<State>> states_;  // [T, strands]
  std::vector<bool> reverse_;               // [strands]
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

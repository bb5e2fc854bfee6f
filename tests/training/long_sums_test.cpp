// Long sums: outputs, states and all gradients of networks with 16,384 inputs, with 1,100 units, and after 5,000 steps,
// within 1e-6 of the same in double precision, relative to the largest value. Backpropagation is written out here: central differences would say less of
// each element.
#include <cmath>
#include <map>

#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

using Doubles = std::vector<double>;

// The largest difference, relative to the largest value.
double error(const std::vector<float>& found, const Doubles& truth) {
  EXPECT_EQ(found.size(), truth.size());
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    difference = std::max(difference, std::fabs(found[i] - truth[i]));
    largest = std::max(largest, std::fabs(truth[i]));
  }
  return difference / largest;
}

// y[rows] += W x, and backwards x += W^T y, W += y x^T.
void multiply(const Doubles& w, const double* x, std::size_t columns, double* y, std::size_t rows) {
  for (std::size_t i = 0; i < rows; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < columns; ++k) sum += w[i * columns + k] * x[k];
    y[i] += sum;
  }
}
void multiply_back(const Doubles& w, const double* dy, std::size_t rows, double* dx, std::size_t columns) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < columns; ++k) dx[k] += w[i * columns + k] * dy[i];
}
void add_outer(const double* dy, std::size_t rows, const double* x, std::size_t columns, Doubles& dw) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < columns; ++k) dw[i * columns + k] += dy[i] * x[k];
}
void add(const double* x, std::size_t n, double* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One layer and a head.
struct Truth {
  std::int32_t cell;
  std::size_t I, H, O, G;
  reference::Parameters w, d;  // and their gradients
  Doubles y, states, dx;

  Truth(const rnn_t* network, const rnn_config_t& c)
      : cell(c.cell),
        I(static_cast<std::size_t>(c.input_size)),
        H(static_cast<std::size_t>(c.hidden_size)),
        O(static_cast<std::size_t>(c.output_size)),
        G(cell == RNN_CELL_VANILLA ? 1
          : cell == RNN_CELL_GRU   ? 3
                                   : 4),
        w(reference::load(network).parameters) {
    for (const auto& [name, values] : w) d[name].assign(values.size(), 0.0);
  }

  // Of one sequence, whose outputs have the gradients d_y.
  void run(const std::vector<float>& x, const std::vector<float>& d_y) {
    const std::size_t T = x.size() / I;
    const Doubles in(x.begin(), x.end()), dy(d_y.begin(), d_y.end());
    Doubles h((T + 1) * H), c((T + 1) * H), gates(T * G * H), n(T * H);
    for (std::size_t t = 0; t < T; ++t) {
      double* const v = &gates[t * G * H];
      add(w.at("bias_ih_l0").data(), G * H, v);
      multiply(w.at("weight_ih_l0"), &in[t * I], I, v, G * H);
      Doubles u(G * H);
      multiply(w.at("weight_hh_l0"), &h[t * H], H, u.data(), G * H);
      step(v, u, &h[t * H], &c[t * H], &n[t * H]);
      y.insert(y.end(), w.at("head.bias").begin(), w.at("head.bias").end());
      multiply(w.at("head.weight"), &h[(t + 1) * H], H, &y[y.size() - O], O);
    }
    states.insert(states.end(), h.end() - static_cast<std::ptrdiff_t>(H), h.end());
    if (cell == RNN_CELL_LSTM) states.insert(states.end(), c.end() - static_cast<std::ptrdiff_t>(H), c.end());

    const std::size_t first = dx.size();
    dx.resize(first + T * I);
    Doubles dh(H), dc(H), du(G * H);
    for (std::size_t t = T; t-- > 0;) {
      add(&dy[t * O], O, d["head.bias"].data());
      add_outer(&dy[t * O], O, &h[(t + 1) * H], H, d["head.weight"]);
      multiply_back(w.at("head.weight"), &dy[t * O], O, dh.data(), H);
      double* const dv = &gates[t * G * H];
      step_back(dv, du, dh, dc, &h[t * H], &c[t * H], &n[t * H]);
      add(dv, G * H, d["bias_ih_l0"].data());
      add_outer(dv, G * H, &in[t * I], I, d["weight_ih_l0"]);
      multiply_back(w.at("weight_ih_l0"), dv, G * H, &dx[first + t * I], I);
      add_outer(du.data(), G * H, &h[t * H], H, d["weight_hh_l0"]);
      multiply_back(w.at("weight_hh_l0"), du.data(), G * H, dh.data(), H);
    }
  }

 private:
  // v: in: W_ih x + b, out: the gates. u: W_hh h. The states after are behind those before. n: GRU's u_n + b_hn.
  void step(double* v, const Doubles& u, double* h, double* c, double* n) const {
    for (std::size_t i = 0; i < H; ++i) {
      if (cell == RNN_CELL_VANILLA) {
        h[H + i] = v[i] = std::tanh(v[i] + u[i]);
      } else if (cell == RNN_CELL_GRU) {
        n[i] = u[2 * H + i] + w.at("bias_hn_l0")[i];
        const double r = sigmoid(v[i] + u[i]), z = sigmoid(v[H + i] + u[H + i]),
                     g = std::tanh(v[2 * H + i] + r * n[i]);
        h[H + i] = (1 - z) * g + z * h[i];
        v[i] = r, v[H + i] = z, v[2 * H + i] = g;
      } else {
        const double in = sigmoid(v[i] + u[i]), f = sigmoid(v[H + i] + u[H + i]);
        const double g = std::tanh(v[2 * H + i] + u[2 * H + i]), o = sigmoid(v[3 * H + i] + u[3 * H + i]);
        c[H + i] = f * c[i] + in * g;
        h[H + i] = o * std::tanh(c[H + i]);
        v[i] = in, v[H + i] = f, v[2 * H + i] = g, v[3 * H + i] = o;
      }
    }
  }
  // dv: in: the gates, out: the gradient of W_ih x + b. du: of W_hh h. dh, dc: of the states after, then of those
  // before but for what goes through W_hh.
  void step_back(double* dv, Doubles& du, Doubles& dh, Doubles& dc, const double* h, const double* c,
                 const double* n) {
    for (std::size_t i = 0; i < H; ++i) {
      const double d_h = dh[i];
      if (cell == RNN_CELL_VANILLA) {
        dh[i] = 0;
        du[i] = dv[i] = d_h * (1 - dv[i] * dv[i]);
      } else if (cell == RNN_CELL_GRU) {
        const double r = dv[i], z = dv[H + i], g = dv[2 * H + i];
        const double dg = d_h * (1 - z) * (1 - g * g);
        dh[i] = d_h * z;
        du[i] = dv[i] = dg * n[i] * r * (1 - r);
        du[H + i] = dv[H + i] = d_h * (h[i] - g) * z * (1 - z);
        dv[2 * H + i] = dg;
        du[2 * H + i] = dg * r;
        d["bias_hn_l0"][i] += dg * r;
      } else {
        const double in = dv[i], f = dv[H + i], g = dv[2 * H + i], o = dv[3 * H + i],
                     after = std::tanh(c[H + i]);
        const double d_c = dc[i] + d_h * o * (1 - after * after);
        dh[i] = 0;
        dc[i] = d_c * f;
        du[i] = dv[i] = d_c * g * in * (1 - in);
        du[H + i] = dv[H + i] = d_c * c[i] * f * (1 - f);
        du[2 * H + i] = dv[2 * H + i] = d_c * in * (1 - g * g);
        du[3 * H + i] = dv[3 * H + i] = d_h * after * o * (1 - o);
      }
    }
  }
};

struct Case {
  std::int32_t cell, inputs, hidden;
  std::vector<std::size_t> lengths;
  bool one_hot = false;
};

// What librnn computes of a case.
struct Found {
  std::vector<float> y, states, dx;
  std::map<std::string, std::vector<float>> d;
};

class Run {
 public:
  explicit Run(const Case& given)
      : c_(config_of(given)),
        network_(create(c_)),
        frames_(std::accumulate(given.lengths.begin(), given.lengths.end(), std::size_t{0})),
        in_(sized<rnn_sequences_t>()),
        lengths_(given.lengths),
        truth_(network_.get(), c_) {
    Random random(5);
    // W_ih x is about 1.
    std::vector<float> w_ih = numbers(random, truth_.w.at("weight_ih_l0").size());
    const float scale = given.one_hot ? 1.0f : std::sqrt(3.0f / static_cast<float>(given.inputs));
    for (float& value : w_ih) value *= scale;
    EXPECT_EQ(rnn_set_parameter(network_.get(), "weight_ih_l0", w_ih.data(), w_ih.size()), RNN_OK);
    truth_.w["weight_ih_l0"].assign(w_ih.begin(), w_ih.end());
    d_y_ = numbers(random, frames_ * truth_.O);
    if (given.one_hot) {
      // Half of them the same, whose sum is long.
      x_.assign(frames_ * truth_.I, 0.0f);
      for (std::size_t i = 0; i < frames_; ++i) {
        indices_.push_back(random.below(2) == 0 ? 0 : static_cast<std::int32_t>(random.below(truth_.I)));
        x_[i * truth_.I + static_cast<std::size_t>(indices_[i])] = 1.0f;
      }
    } else {
      x_ = numbers(random, frames_ * truth_.I);
    }
    in_.count = lengths_.size();
    in_.frames = frames_;
    in_.lengths = lengths_.data();
    in_.inputs = given.one_hot ? nullptr : x_.data();
    in_.indices = given.one_hot ? indices_.data() : nullptr;
  }

  Found with_threads(std::int32_t threads) {
    Found found;
    found.y.resize(d_y_.size());
    found.states.resize(lengths_.size() * state_size(network_));
    rnn_tape_t* out = nullptr;
    EXPECT_EQ(rnn_tape_create(network_.get(), threads, &out), RNN_OK) << rnn_last_error();
    const TapeHandle tape(out);
    if (in_.inputs != nullptr) found.dx.resize(x_.size());
    float* const dx = in_.inputs != nullptr ? found.dx.data() : nullptr;
    EXPECT_EQ(rnn_tape_forward(out, network_.get(), &in_, nullptr, found.y.data(), found.states.data()),
              RNN_OK);
    EXPECT_EQ(rnn_tape_backward(out, d_y_.data(), nullptr, dx, nullptr), RNN_OK) << rnn_last_error();
    for (const auto& [name, expected] : truth_.d) {
      std::vector<float>& gradient = found.d[name];
      gradient.resize(expected.size());
      EXPECT_EQ(rnn_tape_gradient(out, name.c_str(), gradient.data(), gradient.size()), RNN_OK) << name;
    }
    return found;
  }

  // The outputs of the first sequence, step by step.
  std::vector<float> step() {
    std::vector<float> y(lengths_[0] * truth_.O);
    for (std::size_t t = 0; t < lengths_[0]; ++t)
      EXPECT_EQ(in_.inputs != nullptr ? rnn_step(network_.get(), &x_[t * truth_.I], &y[t * truth_.O])
                                      : rnn_step_index(network_.get(), indices_[t], &y[t * truth_.O]),
                RNN_OK);
    return y;
  }

  const Truth& truth() {
    std::size_t first = 0;
    for (const std::size_t length : lengths_) {
      const auto part = [&](const std::vector<float>& all, std::size_t width) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * width);
        return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(length * width));
      };
      truth_.run(part(x_, truth_.I), part(d_y_, truth_.O));
      first += length;
    }
    return truth_;
  }

 private:
  static rnn_config_t config_of(const Case& given) {
    rnn_config_t c = config(given.inputs, given.hidden, 5);
    c.cell = given.cell;
    return c;
  }

  rnn_config_t c_;
  NetworkHandle network_;
  std::size_t frames_;
  rnn_sequences_t in_;
  std::vector<std::size_t> lengths_;
  Truth truth_;
  std::vector<float> x_, d_y_;
  std::vector<std::int32_t> indices_;
};

void check(const Case& given) {
  SCOPED_TRACE(testing::Message() << "cell " << given.cell << ", I " << given.inputs << ", H " << given.hidden
                                  << ", " << given.lengths[0] << " steps"
                                  << (given.one_hot ? ", one-hot" : ""));
  Run run(given);
  const Found found = run.with_threads(1), others = run.with_threads(3);
  EXPECT_EQ(bits(found.y), bits(others.y));
  EXPECT_EQ(bits(found.dx), bits(others.dx));
  for (const auto& [name, gradient] : found.d) EXPECT_EQ(bits(gradient), bits(others.d.at(name))) << name;
  const std::vector<float> stepped = run.step();
  EXPECT_EQ(bits(stepped),
            bits({found.y.begin(), found.y.begin() + static_cast<std::ptrdiff_t>(stepped.size())}));

  constexpr double bound = 1e-6;
  const Truth& truth = run.truth();
  EXPECT_LT(error(found.y, truth.y), bound) << "outputs";
  EXPECT_LT(error(found.states, truth.states), bound) << "states";
  if (!found.dx.empty()) {
    EXPECT_LT(error(found.dx, truth.dx), bound) << "inputs";
  }
  for (const auto& [name, gradient] : found.d) EXPECT_LT(error(gradient, truth.d.at(name)), bound) << name;
}

class LongSums : public testing::TestWithParam<std::int32_t> {};
INSTANTIATE_TEST_SUITE_P(Cells, LongSums, testing::Values(RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM));

TEST_P(LongSums, OverInputs) { check({GetParam(), 16384, 20, {5, 7, 1}}); }
TEST_P(LongSums, OverUnits) { check({GetParam(), 3, 1100, {3, 2}}); }
TEST_P(LongSums, OverSteps) {
  for (const std::vector<std::size_t>& lengths :
       {std::vector<std::size_t>{256}, {257}, {1000, 1040}, {5000}, {2000, 5000, 4990}})
    for (const bool one_hot : {false, true}) check({GetParam(), 4, 24, lengths, one_hot});
}

}  // namespace
}  // namespace rnn::training_test

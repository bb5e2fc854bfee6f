// Whole steps of every cell, with projection and layer normalisation, over a few steps of time: forward
// against its formulas in double, backward against their central differences.
#include <array>
#include <ostream>

#include "lib/cells/cell.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::cells {
namespace {

using kernels::MutableRows;
using kernels::padded;
using kernels::Rows;
using kernels::Table;

using Vector = std::vector<double>;

// Rows that take part in each step: they end at different times.
constexpr std::size_t kRows[] = {4, 4, 3, 1};
constexpr std::size_t kSteps = 4, kMost = 4;

struct Case {
  const char* cell;
  bool layer_norm;
  std::size_t H, P;  // P < H: projection
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.cell << ", H " << c.H << ", P " << c.P; }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double positive(double x) { return x >= 0 ? x + 0.5 : sigmoid(x); }

// A network's recurrent part in one layer, its inputs, and its loss in double, of one row.
struct Problem {
  Problem(const Case& c, unsigned seed)
      : cell(*find(c.cell)), H(c.H), P(c.P), GH(cell.gates * c.H), layer_norm(c.layer_norm), random(seed) {
    w_hh = kernels::randoms(GH * P, random);
    w_hr = kernels::randoms(P * H, random);
    gain = kernels::randoms(padded(GH), random);
    for (std::vector<float>& v : vectors) v = kernels::randoms(padded(H), random);
    a = kernels::randoms(kSteps * kMost * GH, random);
    h0 = kernels::randoms(kMost * P, random);
    c0 = kernels::randoms(kMost * H, random);
    d_h = kernels::randoms(kSteps * kMost * P, random);
    d_c = kernels::randoms(kMost * H, random);
  }

  bool projects() const { return P != H; }
  bool is(const char* name) const { return std::strcmp(cell.name, name) == 0; }
  std::size_t length(std::size_t m) const {
    std::size_t t = 0;
    while (t < kSteps && m < kRows[t]) ++t;
    return t;
  }

  // W_hh[first, last) x
  Vector product(std::size_t first, std::size_t last, const Vector& x) const {
    Vector y;
    for (std::size_t i = first; i < last; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < P; ++k) sum += static_cast<double>(w_hh[i * P + k]) * x[k];
      y.push_back(sum);
    }
    return y;
  }

  Vector recurrent(const Vector& h) const {
    Vector s = product(0, cell.stages[0].gates * H, h);
    if (!layer_norm) return s;
    double mean = 0, variance = 0;
    for (const double v : s) mean += v / static_cast<double>(GH);
    for (const double v : s) variance += (v - mean) * (v - mean) / static_cast<double>(GH);
    for (std::size_t i = 0; i < GH; ++i) s[i] = (s[i] - mean) / std::sqrt(variance + 1e-5) * gain[i];
    return s;
  }

  // h and c after a step.
  void step(const double* in, Vector& h, Vector& c) const {
    const Vector s = recurrent(h);
    Vector next(H);
    if (is("gru_reset_before")) {
      Vector reset(H);
      for (std::size_t i = 0; i < H; ++i) reset[i] = sigmoid(in[i] + s[i]) * h[i];
      const Vector q = product(2 * H, 3 * H, reset);
      for (std::size_t i = 0; i < H; ++i) {
        const double z = sigmoid(in[H + i] + s[H + i]);
        next[i] = (1 - z) * std::tanh(in[2 * H + i] + q[i]) + z * h[i];
      }
    } else {
      for (std::size_t i = 0; i < H; ++i)
        next[i] =
            unit(in + i, s.data() + i, h[i < P ? i : 0], c[i], {vectors[0][i], vectors[1][i], vectors[2][i]});
    }
    h = next;
    if (!projects()) return;
    h.assign(P, 0.0);
    for (std::size_t p = 0; p < P; ++p)
      for (std::size_t i = 0; i < H; ++i) h[p] += static_cast<double>(w_hr[p * H + i]) * next[i];
  }

  double unit(const double* in, const double* s, double h, double& c, const std::array<double, 3>& b) const {
    if (is("vanilla")) return std::tanh(in[0] + s[0]);
    if (is("relu")) return std::max(0.0, in[0] + s[0]);
    if (is("mingru")) {
      const double z = sigmoid(in[0]);
      return (1 - z) * h + z * positive(in[H]);
    }
    if (is("minlstm")) {
      const double f = sigmoid(in[0]), i = sigmoid(in[H]);
      return f / (f + i) * h + i / (f + i) * positive(in[2 * H]);
    }
    if (is("gru")) {
      const double r = sigmoid(in[0] + s[0]), z = sigmoid(in[H] + s[H]);
      return (1 - z) * std::tanh(in[2 * H] + r * (s[2 * H] + b[0])) + z * h;
    }
    const bool coupled = cell.gates == 3;
    const std::size_t g = coupled ? H : 2 * H, o = g + H;
    const double peepholes = cell.vector_count > 1 ? 1 : 0;
    const double i = sigmoid(in[0] + s[0] + peepholes * b[0] * c);
    const double f = coupled ? 1 - i : sigmoid(in[H] + s[H] + peepholes * b[1] * c);
    c = f * c + i * std::tanh(in[g] + s[g]);
    return sigmoid(in[o] + s[o] + peepholes * b[coupled ? 1 : 2] * c) * std::tanh(c);
  }

  // The sum of d_h h over all steps, and of d_c c at the end.
  double loss(std::size_t m, const Vector& inputs, Vector h, Vector c,
              std::vector<Vector>* states = nullptr) const {
    double sum = 0;
    for (std::size_t t = 0; t < length(m); ++t) {
      step(&inputs[t * GH], h, c);
      for (std::size_t p = 0; p < P; ++p) sum += h[p] * d_h[(t * kMost + m) * P + p];
      if (states != nullptr) states->push_back(h);
    }
    for (std::size_t i = 0; i < H && cell.states > 1; ++i) sum += c[i] * d_c[m * H + i];
    return sum;
  }

  // The gradient of W_hh h has what is kept before the other gates'; W_hh in the same order.
  bool kept_leads() const { return cell.kept_leads() && !layer_norm; }
  std::vector<float> w_back() const {
    std::vector<float> w = w_hh;
    if (kept_leads()) std::rotate(w.begin(), w.end() - static_cast<std::ptrdiff_t>(H * P), w.end());
    return w;
  }

  Vector inputs_of(std::size_t m) const {
    Vector inputs;
    for (std::size_t t = 0; t < kSteps; ++t)
      inputs.insert(inputs.end(), &a[(t * kMost + m) * GH], &a[(t * kMost + m) * GH] + GH);
    return inputs;
  }
  Vector h_of(std::size_t m) const { return Vector(&h0[m * P], &h0[m * P] + P); }
  Vector c_of(std::size_t m) const { return Vector(&c0[m * H], &c0[m * H] + H); }

  const Cell& cell;
  std::size_t H, P, GH;
  bool layer_norm;
  std::mt19937 random;
  std::vector<float> w_hh, w_hr, gain, vectors[3], a, h0, c0, d_h, d_c;
};

// The weights of a problem packed for a table.
class PackedProblem {
 public:
  PackedProblem(const Table& table, const Problem& p)
      : first_(p.cell.stages[0].gates * p.H),
        product_(table, first_, p.P, p.w_hh.data(), p.cell.stages[0].gates),
        second_(table, p.H, p.P, &p.w_hh[p.GH * p.P - p.H * p.P]),
        projection_(table, p.P, p.H, p.w_hr.data()),
        product_t_(kernels::Packed::transposed(table, p.P, first_, p.w_back().data())),
        second_t_(kernels::Packed::transposed(table, p.P, p.H, &p.w_hh[p.GH * p.P - p.H * p.P])),
        projection_t_(kernels::Packed::transposed(table, p.H, p.P, p.w_hr.data())) {
    for (std::size_t v = 0; v < 3; ++v) forward.vectors[1 + v] = p.vectors[v].data();
    if (first_ > 0) {
      forward.products[0] = product_.panels();
      backward.products[0] = product_t_.panels();
    }
    if (p.cell.stage_count > 1) {
      forward.products[1] = second_.panels();
      backward.products[1] = second_t_.panels();
    }
    if (p.projects()) {
      forward.projection = projection_.panels();
      backward.projection = projection_t_.panels();
    }
    if (p.layer_norm) forward.norm_recurrent = p.gain.data();
  }
  LayerWeights forward{};
  BackwardWeights backward{};

 private:
  std::size_t first_;
  kernels::Packed product_, second_, projection_, product_t_, second_t_, projection_t_;
};

// Buffers of all steps, [kSteps, kMost, n].
struct Buffer {
  explicit Buffer(std::size_t size) : n(size), values(kSteps * kMost * size) {}
  MutableRows at(std::size_t t) { return {&values[t * kMost * n], n, nullptr}; }
  Rows read(std::size_t t) const { return {&values[t * kMost * n], n, nullptr}; }
  float value(std::size_t t, std::size_t m, std::size_t i) const { return values[(t * kMost + m) * n + i]; }
  std::size_t n;
  std::vector<float> values;
};

class Recurrence {
 public:
  Recurrence(const Table& table, const Problem& problem)
      : h(problem.P),
        gates(problem.GH),
        d_product(problem.GH),
        carry(problem.H),
        table_(table),
        p_(problem),
        w_(table, problem),
        c_(problem.H),
        kept_(std::max<std::size_t>(problem.cell.kept, 1) * problem.H),
        unprojected_(problem.H),
        product_(problem.GH),
        normalized_(problem.GH),
        d_sum_(problem.GH),
        d_projected_(problem.P),
        deviation_(kSteps * kMost) {
    gates.values = problem.a;
  }

  Rows previous_h(std::size_t t) const { return t > 0 ? h.read(t - 1) : Rows{p_.h0.data(), p_.P, nullptr}; }
  Rows previous_c(std::size_t t) const { return t > 0 ? c_.read(t - 1) : Rows{p_.c0.data(), p_.H, nullptr}; }

  void go_forward() {
    for (std::size_t t = 0; t < kSteps; ++t) {
      ForwardStep step{};
      step.rows = kRows[t];
      step.hidden = p_.H;
      step.previous[0] = previous_h(t);
      step.previous[1] = previous_c(t);
      step.gates = gates.at(t);
      step.next[0] = h.at(t);
      step.next[1] = c_.at(t);
      step.kept = kept_.at(t);
      step.unprojected = unprojected_.at(t);
      step.product = product_.at(t);
      step.normalized = normalized_.at(t);
      step.deviation = &deviation_[t * kMost];
      forward(p_.cell, table_, w_.forward, step);
    }
  }

  void go_backward() {
    if (p_.cell.states > 1) std::copy(p_.d_c.begin(), p_.d_c.end(), carry.values.begin());
    for (std::size_t t = kSteps; t-- > 0;) {
      BackwardStep step{};
      step.rows = kRows[t];
      step.rows_next = t + 1 < kSteps ? kRows[t + 1] : 0;
      step.hidden = p_.H;
      if (step.rows_next > 0) step.d_product_next = d_product_of(t + 1);
      step.d_h = {&p_.d_h[t * kMost * p_.P], p_.P, nullptr};
      step.previous[0] = previous_h(t);
      step.previous[1] = previous_c(t);
      step.next[0] = h.read(t);
      step.next[1] = c_.read(t);
      step.gates = gates.at(t);
      step.kept = kept_.at(t);
      step.d_sum = p_.cell.kept_leads() ? d_sum_.at(t) : gates.at(t);
      step.d_product = d_product.at(t);
      step.d_projected = d_projected_.at(t);
      step.carry[p_.cell.carries_h ? 0 : 1] = carry.at(0);
      step.normalized = normalized_.read(t);
      step.deviation = &deviation_[t * kMost];
      backward(p_.cell, table_, w_.forward, w_.backward, step);
      if (p_.kept_leads()) join(t);
    }
  }

  // Of the initial h of each row.
  Buffer initial_gradients() {
    Buffer d(padded(p_.P));
    previous_gradient(table_, w_.backward, kMost, p_.H, d_product_of(0),
                      p_.cell.carries_h ? carry.read(0) : Rows{}, {}, d.at(0));
    return d;
  }

  Buffer h, gates, d_product, carry;

 private:
  Rows d_product_of(std::size_t t) const {
    return p_.layer_norm || p_.kept_leads() ? d_product.read(t) : gates.read(t);
  }
  void join(std::size_t t) {
    for (std::size_t m = 0; m < kRows[t]; ++m) {
      float* const target = d_product.at(t).base + m * p_.GH;
      std::copy_n(kept_.at(t).base + m * p_.H, p_.H, target);
      std::copy_n(gates.at(t).base + m * p_.GH, p_.GH - p_.H, target + p_.H);
    }
  }

  const Table& table_;
  const Problem& p_;
  PackedProblem w_;
  Buffer c_, kept_, unprojected_, product_, normalized_, d_sum_, d_projected_;
  std::vector<float> deviation_;
};

class CellStep : public testing::TestWithParam<Case> {};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return std::string(c.cell) + (c.layer_norm ? "_norm" : "") + (c.P < c.H ? "_projection" : "") + "_" +
         std::to_string(c.H);
}

const Case kCases[] = {
    {"vanilla", false, 5, 5},
    {"vanilla", true, 19, 19},
    {"relu", false, 7, 7},
    {"relu", true, 6, 6},
    {"gru", false, 5, 5},
    {"gru", true, 18, 18},
    {"gru_reset_before", false, 6, 6},
    {"gru_reset_before", false, 17, 17},
    {"lstm", false, 5, 5},
    {"lstm", true, 18, 18},
    {"lstm", false, 7, 3},
    {"lstm", true, 20, 9},
    {"lstm_peephole", false, 5, 5},
    {"lstm_peephole", true, 18, 18},
    {"lstm_peephole", true, 20, 9},
    {"lstm_coupled", false, 17, 17},
    {"lstm_coupled", true, 18, 18},
    {"lstm_coupled", false, 7, 3},
    {"lstm_coupled_peephole", false, 17, 17},
    {"lstm_coupled_peephole", true, 20, 9},
    {"mingru", false, 5, 5},
    {"mingru", false, 17, 17},
    {"minlstm", false, 5, 5},
    {"minlstm", false, 17, 17},
};

INSTANTIATE_TEST_SUITE_P(All, CellStep, testing::ValuesIn(kCases), name_of);

TEST_P(CellStep, ForwardFollowsTheFormula) {
  const Problem p(GetParam(), 1);
  for (const Table* table : kernels::tables()) {
    Recurrence run(*table, p);
    run.go_forward();
    for (std::size_t m = 0; m < kMost; ++m) {
      std::vector<Vector> states;
      p.loss(m, p.inputs_of(m), p.h_of(m), p.c_of(m), &states);
      for (std::size_t t = 0; t < states.size(); ++t)
        for (std::size_t i = 0; i < p.P; ++i)
          ASSERT_NEAR(run.h.value(t, m, i), states[t][i], 2e-5)
              << table->name << ", step " << t << ", row " << m;
    }
  }
}

TEST_P(CellStep, BackwardIsTheCentralDifference) {
  const Problem p(GetParam(), 1);
  for (const Table* table : kernels::tables()) {
    SCOPED_TRACE(table->name);
    Recurrence run(*table, p);
    run.go_forward();
    run.go_backward();
    const Buffer d_h = run.initial_gradients();
    for (std::size_t m = 0; m < kMost; ++m) {
      SCOPED_TRACE(testing::Message() << "row " << m);
      Vector inputs = p.inputs_of(m), h = p.h_of(m), c = p.c_of(m);
      const auto difference = [&](double& variable) {
        constexpr double step = 1e-6;
        const double at = variable;
        variable = at + step;
        const double more = p.loss(m, inputs, h, c);
        variable = at - step;
        const double less = p.loss(m, inputs, h, c);
        variable = at;
        return (more - less) / (2 * step);
      };
      for (std::size_t t = 0; t < p.length(m); ++t)
        for (std::size_t i = 0; i < p.GH; ++i) {
          const double expected = difference(inputs[t * p.GH + i]);
          ASSERT_NEAR(run.gates.value(t, m, i), expected, 1e-4 * (1 + std::fabs(expected)))
              << "step " << t << ", element " << i;
        }
      for (std::size_t k = 0; k < p.P; ++k) {
        const double expected = difference(h[k]);
        ASSERT_NEAR(d_h.value(0, m, k), expected, 1e-4 * (1 + std::fabs(expected))) << "initial h " << k;
      }
      for (std::size_t i = 0; i < p.H && p.cell.states > 1; ++i)
        ASSERT_NEAR(run.carry.value(0, m, i), difference(c[i]), 1e-4) << "initial c " << i;
    }
  }
}

TEST(Cells, AreFoundByIdentifierAndVariantOrByName) {
  for (const char* name : {"vanilla", "relu", "gru", "gru_reset_before", "lstm", "lstm_peephole",
                           "lstm_coupled", "lstm_coupled_peephole", "mingru", "minlstm"}) {
    const Cell* const cell = find(name);
    ASSERT_NE(cell, nullptr);
    EXPECT_STREQ(cell->name, name);
    EXPECT_EQ(find(cell->id, cell->variant), cell);
    EXPECT_EQ(find(cell->id, cell->variant | (~kVariants & 0xfffu)), cell);
    EXPECT_EQ(find(cell->id, kVariants), nullptr);
  }
  EXPECT_EQ(find("elman"), nullptr);
  EXPECT_EQ(find(77, 0), nullptr);
}

}  // namespace
}  // namespace rnn::cells

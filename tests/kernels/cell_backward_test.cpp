// The recurrent step of each cell backwards, against central differences of its formulas in double.
#include <ostream>

#include "tests/kernels/cell_test.h"

namespace rnn::kernels {
namespace {

struct BackwardKind {
  const char* name;
  void (*Table::*kernel)(const CellBackward&);
  Result (*unit)(const Unit&);
  std::size_t gates;
  bool first_half;  // of the GRU with the reset gate before the product: the gradient is the product alone,
                    // of r * h
  bool carries_c;
  bool carries_h;
  bool kept;                  // writes the gradient of kept, the last gate's sum
  bool alone = false;         // there is no product
  std::size_t peepholes = 0;  // whose shares of the gradient are written to kept
};

void PrintTo(const BackwardKind& kind, std::ostream* out) { *out << kind.name; }

const BackwardKind kBackward[] = {
    {"vanilla", &Table::vanilla_backward, &vanilla, 1, false, false, false, false},
    {"relu", &Table::relu_backward, &relu, 1, false, false, false, false},
    {"lstm", &Table::lstm_backward, &lstm, 4, false, true, false, false},
    {"lstm_peephole", &Table::lstm_peephole_backward, &lstm_peephole, 4, false, true, false, false, false, 3},
    {"lstm_coupled", &Table::lstm_coupled_backward, &lstm_coupled, 3, false, true, false, false},
    {"lstm_coupled_peephole", &Table::lstm_coupled_peephole_backward, &lstm_coupled_peephole, 3, false, true,
     false, false, false, 2},
    {"gru", &Table::gru_backward, &gru, 3, false, false, true, true},
    {"gru_before_state", &Table::gru_before_backward_state, &gru_before_state, 3, false, false, true, false},
    {"gru_before", &Table::gru_before_backward, &gru_before, 3, true, false, true, false},
    {"mingru", &Table::mingru_backward, &mingru, 2, false, false, true, false, true},
    {"minlstm", &Table::minlstm_backward, &minlstm, 3, false, false, true, false, true},
};

class BackwardStep : public testing::TestWithParam<BackwardKind> {
 protected:
  struct Case {
    Case(const BackwardKind& k, const Size& size)
        : kind(k),
          M(size.M),
          M_product(k.alone ? 0 : size.M_product),
          H(size.H),
          K(size.K),
          random(static_cast<unsigned>(M * 1000 + H)),
          by_pointer(random() % 2 == 0),
          zero_d_h(random() % 4 == 0),
          w(randoms(H * K, random)),
          vectors(randoms(kVectors * H, random)),
          x(M, K, by_pointer, random),
          d_h(M, H, by_pointer, random),
          gates(M, k.gates * H, by_pointer, random),
          h_prev(M, H, by_pointer, random),
          h(M, H, by_pointer, random),
          c_prev(M, H, by_pointer, random),
          c(M, H, by_pointer, random),
          kept(M, std::max<std::size_t>(k.peepholes, 1) * H, by_pointer, random),
          carry(M, H, by_pointer, random),
          carry_before(carry.values()) {
      run_forward();
      gates_before = gates.values();
      kept_before = kept.values();
    }

    // Fill gates, kept, h and c with what forward leaves of random sums.
    void run_forward() {
      for (std::size_t m = 0; m < M; ++m) {
        for (std::size_t i = 0; i < H; ++i) {
          Unit u;
          for (std::size_t g = 0; g < kind.gates; ++g) u.a[g] = gates.row(m)[g * H + i];
          if (kind.unit == &gru_before_state) u.a[1] = sigmoid(u.a[1]);
          for (double& s : u.s) s = static_cast<double>(random()) * 0x1p-31 - 1;
          // No difference across the corners of ReLU and of a minimal cell's c.
          if (std::fabs(u.a[0] + u.s[0]) < 1e-3) u.s[0] += 0.01;
          for (double& a : u.a) a += std::fabs(a) < 1e-3 ? 0.01 : 0.0;
          u.h = h_prev.row(m)[i];
          u.c = c_prev.row(m)[i];
          for (std::size_t v = 0; v < kVectors; ++v) u.b[v] = vectors[v * H + i];
          units.push_back(u);
          const Result y = kind.unit(u);
          for (std::size_t g = 0; g < kind.gates; ++g)
            gates.row(m)[g * H + i] = static_cast<float>(y.gates[g]);
          if (kind.peepholes == 0) kept.row(m)[i] = static_cast<float>(y.kept);
          h.row(m)[i] = static_cast<float>(y.h);
          c.row(m)[i] = static_cast<float>(y.c);
        }
      }
    }

    CellBackward step(const Panels& panels) {
      const Rows zero{nullptr, 0, nullptr};
      return {panels,           M,
              M_product,        H,
              x.rows(),         zero_d_h ? zero : d_h.rows(),
              gates.writable(), h_prev.rows(),
              h.rows(),         c_prev.rows(),
              c.rows(),         {nullptr, &vectors[0], &vectors[H], &vectors[2 * H]},
              kept.writable(),  carry.writable(),
              carry.writable(), {}};
    }

    // gates, kept, carry
    std::vector<float> run(const Table& table, const CellBackward& step) {
      gates.set(gates_before);
      carry.set(carry_before);
      kept.set(kept_before);
      (table.*kind.kernel)(step);
      return results();
    }

    std::vector<float> results() const {
      std::vector<float> all;
      for (const Block* block : {&gates, &kept, &carry}) {
        const std::vector<float> values = block->values();
        all.insert(all.end(), values.begin(), values.end());
      }
      return all;
    }

    // The sum of what depends on a unit, times the gradients that come in.
    double loss(const Unit& u, double d, double d_c) const {
      const Result y = kind.unit(u);
      return kind.first_half ? d * y.kept : d * y.h + d_c * y.c;
    }

    double difference(const Unit& u, double& (*variable)(Unit&, std::size_t), std::size_t g, double d,
                      double d_c) const {
      constexpr double step = 1e-5;
      Unit more = u, less = u;
      variable(more, g) += step;
      variable(less, g) -= step;
      return (loss(more, d, d_c) - loss(less, d, d_c)) / (2 * step);
    }

    void expect_near_truth(const Sums& sums) const {
      for (std::size_t m = 0; m < M; ++m)
        for (std::size_t i = 0; i < H; ++i) {
          SCOPED_TRACE(testing::Message() << "row " << m << ", unit " << i);
          expect_unit(sums, m, i);
          if (HasFatalFailure()) return;
        }
    }

    void expect_unit(const Sums& sums, std::size_t m, std::size_t i) const {
      const Unit& u = units[m * H + i];
      const double brought = carry_before[m * H + i];
      double d = m < M_product ? sums.value(m, i) : 0.0;
      if (!kind.first_half) {
        if (!zero_d_h) d += d_h.row(m)[i];
        if (kind.carries_h) d += brought;
      }
      const double d_c = kind.carries_c ? brought : 0.0;
      // No slope is above 1; the forward's results were rounded to floats.
      const double bound =
          4 * (m < M_product ? sums.bound(m, i) : 0.0) + 20 * kRoundoff * (1 + std::fabs(d)) + 1e-9;
      const auto a = [](Unit& unit, std::size_t g) -> double& { return unit.a[g]; };
      const auto s = [](Unit& unit, std::size_t g) -> double& { return unit.s[g]; };
      const auto vector = [](Unit& unit, std::size_t v) -> double& { return unit.b[v]; };
      const auto h_of = [](Unit& unit, std::size_t) -> double& { return unit.h; };
      const auto c_of = [](Unit& unit, std::size_t) -> double& { return unit.c; };
      for (std::size_t g = 0; g < kind.gates; ++g) {
        double expected = difference(u, a, g, d, d_c);
        if (kind.first_half && g > 0) expected = gates_before[(m * kind.gates + g) * H + i];
        if (kind.unit == &gru_before_state) {
          if (g == 0) expected = gates_before[m * kind.gates * H + i];
          if (g == 1) expected *= u.a[1] * (1 - u.a[1]);  // there a[1] is z
        }
        ASSERT_NEAR(gates.row(m)[g * H + i], expected, bound) << "gate " << g;
      }
      if (kind.kept) {
        ASSERT_NEAR(kept.row(m)[i], difference(u, s, 2, d, d_c), bound);
      } else if (kind.peepholes == 0) {
        ASSERT_EQ(kept.row(m)[i], kept_before[m * H + i]);
      }
      for (std::size_t v = 0; v < kind.peepholes; ++v)
        ASSERT_NEAR(kept.row(m)[v * H + i], difference(u, vector, v, d, d_c), bound) << "peephole " << v;
      double expected = brought;
      if (kind.carries_c) expected = difference(u, c_of, 0, d, d_c);
      if (kind.carries_h) expected = difference(u, h_of, 0, d, d_c) + (kind.first_half ? brought : 0.0);
      ASSERT_NEAR(carry.row(m)[i], expected, bound);
    }

    const BackwardKind& kind;
    std::size_t M, M_product, H, K;
    std::mt19937 random;
    bool by_pointer, zero_d_h;
    std::vector<float> w, vectors;
    Block x, d_h, gates, h_prev, h, c_prev, c, kept, carry;
    std::vector<float> gates_before, kept_before, carry_before;
    std::vector<Unit> units;
  };
};

INSTANTIATE_TEST_SUITE_P(All, BackwardStep, testing::ValuesIn(kBackward),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(BackwardStep, IsTheCentralDifference) {
  for (const Size& size : sizes()) {
    SCOPED_TRACE(describe(size));
    Case c(GetParam(), size);
    const Sums sums(c.M, c.H, c.K, c.w, c.x);
    std::vector<float> first;
    for (const Table* table : tables()) {
      SCOPED_TRACE(table->name);
      const Packed w(*table, c.H, c.K, c.w.data());
      const std::vector<float> values = c.run(*table, c.step(w.panels()));
      c.expect_near_truth(sums);
      expect_same_on_all_tables(values, first);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(BackwardStep, ARowHasTheSameBitsAloneAndInABatch) {
  for (const Size& size : sizes()) {
    Case c(GetParam(), size);
    for (const Table* table : tables()) {
      const Packed w(*table, c.H, c.K, c.w.data());
      const std::vector<float> whole = c.run(*table, c.step(w.panels()));
      CellBackward step = c.step(w.panels());
      step.M = 0;
      step.M_product = 0;
      c.run(*table, step);
      for (std::size_t m = 0; m < c.M; ++m) {
        step = c.step(w.panels());
        step.M = 1;
        step.M_product = m < c.M_product ? 1 : 0;
        step.x = c.x.from(m);
        if (!c.zero_d_h) step.d_h = c.d_h.from(m);
        step.gates = c.gates.writable_from(m);
        step.h_prev = c.h_prev.from(m);
        step.h = c.h.from(m);
        step.c_prev = c.c_prev.from(m);
        step.c = c.c.from(m);
        step.kept = c.kept.writable_from(m);
        step.carry_h = step.carry_c = c.carry.writable_from(m);
        (table->*c.kind.kernel)(step);
      }
      const std::vector<float> alone = c.results();
      ASSERT_TRUE(same_bits(whole.data(), alone.data(), whole.size()))
          << table->name << ", " << describe(size);
    }
  }
}

}  // namespace
}  // namespace rnn::kernels

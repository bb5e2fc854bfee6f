// The recurrent step of each cell, against its formulas in double.
#include <ostream>

#include "tests/kernels/cell_test.h"

namespace rnn::kernels {
namespace {

struct ForwardKind {
  const char* name;
  void (*Table::*kernel)(const CellForward&);
  Result (*unit)(const Unit&);
  std::size_t product_gates;
  std::size_t gates;
};

void PrintTo(const ForwardKind& kind, std::ostream* out) { *out << kind.name; }

const ForwardKind kForward[] = {
    {"vanilla", &Table::vanilla_forward, &vanilla, 1, 1},
    {"relu", &Table::relu_forward, &relu, 1, 1},
    {"lstm", &Table::lstm_forward, &lstm, 4, 4},
    {"lstm_peephole", &Table::lstm_peephole_forward, &lstm_peephole, 4, 4},
    {"lstm_coupled", &Table::lstm_coupled_forward, &lstm_coupled, 3, 3},
    {"lstm_coupled_peephole", &Table::lstm_coupled_peephole_forward, &lstm_coupled_peephole, 3, 3},
    {"gru", &Table::gru_forward, &gru, 3, 3},
    {"gru_before", &Table::gru_before_forward, &gru_before, 2, 3},
    {"gru_before_state", &Table::gru_before_forward_state, &gru_before_state, 1, 3},
    {"mingru", &Table::mingru_forward, &mingru, 0, 2},
    {"minlstm", &Table::minlstm_forward, &minlstm, 0, 3},
};

class ForwardStep : public testing::TestWithParam<ForwardKind> {
 protected:
  // The buffers of one step, the same for every table.
  struct Case {
    Case(const ForwardKind& k, const Size& size)
        : kind(k),
          M(size.M),
          H(size.H),
          K(size.K),
          random(static_cast<unsigned>(M * 1000 + H)),
          by_pointer(random() % 2 == 0),
          w(randoms(k.product_gates * H * K, random)),
          vectors(kVectors * H),
          x(M, K, by_pointer, random),
          gates(M, k.gates * H, by_pointer, random),
          h_prev(M, H, by_pointer, random),
          c_prev(M, H, by_pointer, random),
          kept(M, H, by_pointer, random),
          h(M, H, by_pointer, random),
          c(M, H, by_pointer, random),
          gates_before(gates.values()) {
      fill(vectors, random);
    }

    // gates, kept, h, c
    std::vector<float> run(const Table& table, CellForward step) {
      gates.set(gates_before);
      for (Block* block : {&kept, &h, &c}) block->set(std::vector<float>(M * H, 0.0f));
      (table.*kind.kernel)(step);
      std::vector<float> all = gates.values();
      for (const Block* block : {&kept, &h, &c}) {
        const std::vector<float> values = block->values();
        all.insert(all.end(), values.begin(), values.end());
      }
      return all;
    }

    CellForward step(const Panels& panels) {
      return {panels,
              M,
              H,
              x.rows(),
              gates.writable(),
              h_prev.rows(),
              c_prev.rows(),
              {nullptr, &vectors[0], &vectors[H], &vectors[2 * H]},
              kept.writable(),
              h.writable(),
              c.writable(),
              nullptr,
              {},
              {}};
    }

    // Row m by itself.
    CellForward row(const Panels& panels, std::size_t m) {
      return {panels,
              1,
              H,
              x.from(m),
              gates.writable_from(m),
              h_prev.from(m),
              c_prev.from(m),
              {nullptr, &vectors[0], &vectors[H], &vectors[2 * H]},
              kept.writable_from(m),
              h.writable_from(m),
              c.writable_from(m),
              nullptr,
              {},
              {}};
    }

    void expect_near_truth(const Sums& sums) const {
      for (std::size_t m = 0; m < M; ++m) {
        for (std::size_t i = 0; i < H; ++i) {
          SCOPED_TRACE(testing::Message() << "row " << m << ", unit " << i);
          Unit u;
          double bound = kind.product_gates == 0 ? 8 * kRoundoff : 0.0;
          for (std::size_t g = 0; g < kind.gates; ++g) u.a[g] = gates_before[(m * kind.gates + g) * H + i];
          for (std::size_t g = 0; g < kind.product_gates; ++g) {
            u.s[g] = sums.value(m, g * H + i);
            bound += 2 * sums.bound(m, g * H + i);
          }
          u.h = h_prev.row(m)[i];
          u.c = c_prev.row(m)[i];
          for (std::size_t v = 0; v < kVectors; ++v) u.b[v] = vectors[v * H + i];
          const Result y = kind.unit(u);
          for (std::size_t g = 0; g < kind.gates; ++g)
            ASSERT_NEAR(gates.row(m)[g * H + i], y.gates[g], bound);
          ASSERT_NEAR(kept.row(m)[i], y.kept, bound);
          ASSERT_NEAR(h.row(m)[i], y.h, bound);
          ASSERT_NEAR(c.row(m)[i], y.c, bound);
        }
      }
    }

    const ForwardKind& kind;
    std::size_t M, H, K;
    std::mt19937 random;
    bool by_pointer;
    std::vector<float> w, vectors;
    Block x, gates, h_prev, c_prev, kept, h, c;
    std::vector<float> gates_before;
  };
};

INSTANTIATE_TEST_SUITE_P(All, ForwardStep, testing::ValuesIn(kForward),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ForwardStep, FollowsTheFormula) {
  for (const Size& size : sizes()) {
    SCOPED_TRACE(describe(size));
    Case c(GetParam(), size);
    const Sums sums(c.M, c.kind.product_gates * c.H, c.K, c.w, c.x);
    std::vector<float> first;
    for (const Table* table : tables()) {
      SCOPED_TRACE(table->name);
      const Packed w(*table, c.kind.product_gates * c.H, c.K, c.w.data(), c.kind.product_gates);
      const std::vector<float> values = c.run(*table, c.step(w.panels()));
      c.expect_near_truth(sums);
      expect_same_on_all_tables(values, first);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ForwardStep, ARowHasTheSameBitsAloneAndInABatch) {
  for (const Size& size : sizes()) {
    Case c(GetParam(), size);
    for (const Table* table : tables()) {
      const Packed w(*table, c.kind.product_gates * c.H, c.K, c.w.data(), c.kind.product_gates);
      const std::vector<float> whole = c.run(*table, c.step(w.panels()));
      std::vector<float> alone = c.run(*table, c.row(w.panels(), 0));
      for (std::size_t m = 1; m < c.M; ++m) (table->*c.kind.kernel)(c.row(w.panels(), m));
      alone = c.gates.values();
      for (const Block* block : {&c.kept, &c.h, &c.c}) {
        const std::vector<float> values = block->values();
        alone.insert(alone.end(), values.begin(), values.end());
      }
      ASSERT_TRUE(same_bits(whole.data(), alone.data(), whole.size()))
          << table->name << ", " << describe(size);
    }
  }
}

// With layer normalisation the product comes from elsewhere.
TEST_P(ForwardStep, TakesAFinishedProduct) {
  if (GetParam().product_gates == 0) GTEST_SKIP() << "has no product";
  for (const Size& size : sizes()) {
    Case c(GetParam(), size);
    const std::size_t n = c.kind.product_gates * c.H;
    for (const Table* table : tables()) {
      const Packed w(*table, n, c.K, c.w.data(), c.kind.product_gates);
      const std::vector<float> expected = c.run(*table, c.step(w.panels()));
      Block product(c.M, n, c.by_pointer, c.random);
      table->gemm(w.panels(), c.M, c.x.rows(), {nullptr, 0, nullptr}, n, product.writable());
      CellForward step = c.step({nullptr, 0, 0, 0});
      step.x = product.rows();
      const std::vector<float> values = c.run(*table, step);
      ASSERT_TRUE(same_bits(values.data(), expected.data(), values.size()))
          << table->name << ", " << describe(size);
    }
  }
}

// One-hot inputs need no product before the step.
TEST_P(ForwardStep, TakesColumnsOfTheInputWeights) {
  const std::size_t products = GetParam().product_gates;
  if (products != 0 && products != GetParam().gates) GTEST_SKIP() << "has two products";
  for (const Size& size : sizes()) {
    Case c(GetParam(), size);
    const std::size_t n = c.kind.gates * c.H, inputs = 7;
    const std::vector<float> input = randoms(n * inputs, c.random), bias = randoms(n, c.random);
    std::vector<std::int32_t> index(c.M);
    for (std::int32_t& i : index) i = static_cast<std::int32_t>(c.random() % inputs);
    for (const Table* table : tables()) {
      const Packed w(*table, products * c.H, c.K, c.w.data(), products),
          w_ih(*table, n, inputs, input.data(), c.kind.gates);
      table->gather(w_ih.panels(), c.M, index.data(), {bias.data(), 0, nullptr}, n, c.gates.writable());
      c.gates_before = c.gates.values();
      const std::vector<float> expected = c.run(*table, c.step(w.panels()));
      if (c.kind.gates > 1) c.gates_before = randoms(c.M * n, c.random);
      CellForward step = c.step(w.panels());
      step.index = index.data();
      step.input = w_ih.panels();
      step.vectors[0] = bias.data();
      const std::vector<float> values = c.run(*table, step);
      ASSERT_TRUE(same_bits(values.data(), expected.data(), values.size()))
          << table->name << ", " << describe(size);
    }
  }
}

// A GRU that nobody trains keeps no product.
TEST(GruForward, WritesNothingToKeepIfNotAsked) {
  const Size size{3, 3, 21, 5};
  std::mt19937 random(1);
  for (const Table* table : tables()) {
    const std::vector<float> w = randoms(3 * size.H * size.K, random), bias = randoms(size.H, random);
    const Packed packed(*table, 3 * size.H, size.K, w.data(), 3);
    const Block x(size.M, size.K, false, random), h_prev(size.M, size.H, false, random);
    Block gates(size.M, 3 * size.H, false, random), h(size.M, size.H, false, random);
    CellForward step{};
    step.w = packed.panels();
    step.M = size.M;
    step.H = size.H;
    step.x = x.rows();
    step.gates = gates.writable();
    step.h_prev = h_prev.rows();
    step.vectors[1] = bias.data();
    step.h = h.writable();
    table->gru_forward(step);
  }
}

// h after each of 100 steps of a network initialised as PyTorch does it.
std::vector<float> trajectory(const Table& table) {
  constexpr std::size_t H = 64, T = 100;
  std::mt19937 random(7);
  std::vector<float> w = randoms(H * H, random), gates = randoms(T * H, random), h((T + 1) * H);
  for (float& value : w) value *= 0.125f;
  const Packed packed(table, H, H, w.data());
  CellForward step{};
  step.w = packed.panels();
  step.M = 1;
  step.H = H;
  for (std::size_t t = 0; t < T; ++t) {
    step.x = {&h[t * H], 0, nullptr};
    step.gates = {&gates[t * H], 0, nullptr};
    step.h = {&h[(t + 1) * H], 0, nullptr};
    table.vanilla_forward(step);
  }
  return h;
}

TEST(Trajectory, HasTheSameBitsOnEveryInstructionSet) {
  const std::vector<float> best = trajectory(*tables().back());
  for (const Table* table : tables()) {
    const std::vector<float> h = trajectory(*table);
    EXPECT_TRUE(same_bits(h.data(), best.data(), h.size())) << table->name;
  }
}

}  // namespace
}  // namespace rnn::kernels

// The cells' steps in formats other than f32: the product in that format, the rest as in f32. Whole steps in
// all.
#include "lib/kernels/float_mode.h"
#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

constexpr Rows kNone{nullptr, 0, nullptr};

struct Forward {
  const char* name;
  void (*Products::*kernel)(const CellForward&);
  std::size_t product_gates, gates;
};
struct Backward {
  const char* name;
  void (*Products::*kernel)(const CellBackward&);
  std::size_t gates;
};
struct Step {
  const char* name;
  StepFunction Products::*kernel;
  void (*Table::*forward)(const CellForward&);
  std::size_t gates;
};

const Forward kForward[] = {
    {"vanilla", &Table::vanilla_forward, 1, 1},
    {"relu", &Table::relu_forward, 1, 1},
    {"lstm", &Table::lstm_forward, 4, 4},
    {"lstm_coupled", &Table::lstm_coupled_forward, 3, 3},
    {"gru", &Table::gru_forward, 3, 3},
    {"gru_before", &Table::gru_before_forward, 2, 3},
    {"gru_before_state", &Table::gru_before_forward_state, 1, 3},
};
const Backward kBackward[] = {
    {"vanilla", &Table::vanilla_backward, 1},
    {"relu", &Table::relu_backward, 1},
    {"lstm", &Table::lstm_backward, 4},
    {"lstm_coupled", &Table::lstm_coupled_backward, 3},
    {"gru", &Table::gru_backward, 3},
    {"gru_before", &Table::gru_before_backward, 3},
    {"gru_before_state", &Table::gru_before_backward_state, 3},
};
const Step kStep[] = {
    {"vanilla", &Table::vanilla_step, &Table::vanilla_forward, 1},
    {"relu", &Table::relu_step, &Table::relu_forward, 1},
    {"lstm", &Table::lstm_step, &Table::lstm_forward, 4},
    {"lstm_coupled", &Table::lstm_coupled_step, &Table::lstm_coupled_forward, 3},
    {"gru", &Table::gru_step, &Table::gru_forward, 3},
    {"mingru", &Table::mingru_step, &Table::mingru_forward, 2},
    {"minlstm", &Table::minlstm_step, &Table::minlstm_forward, 3},
};

const std::size_t kSizes[] = {1, 5, 8, 16, 17, 33, 64, 70, 150};

// Rows [M, n], all different.
struct Block {
  Block(std::size_t M, std::size_t n, std::mt19937& random) : n(n), values(randoms(M * n, random)) {}
  Rows rows() const { return {values.data(), n, nullptr}; }
  MutableRows writable() { return {values.data(), n, nullptr}; }
  std::size_t n;
  std::vector<float> values;
};

void append(std::vector<float>& all, const std::vector<float>& values) {
  all.insert(all.end(), values.begin(), values.end());
}

// But for the sign of zero.
void expect_equal(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i], b[i]) << "element " << i;
}

std::vector<float> identity(std::size_t n) {
  std::vector<float> w(n * n);
  for (std::size_t i = 0; i < n; ++i) w[i * n + i] = 1;
  return w;
}

// The table of f32 that a table of another format takes its other kernels from.
const Table& plain(const Table& table) {
  for (const Table* other : tables())
    if (other->column_sums == table.column_sums) return *other;
  return table;
}

std::vector<float> run_forward(const Forward& kind, const Table& table, const Panels& w, std::size_t M,
                               std::size_t H, const Rows& x) {
  std::mt19937 random(3);
  Block gates(M, kind.gates * H, random), h_prev(M, H, random), c_prev(M, H, random), kept(M, H, random),
      h(M, H, random), c(M, H, random);
  const std::vector<float> bias = randoms(H, random);
  (table.*kind.kernel)({w,
                        M,
                        H,
                        x,
                        gates.writable(),
                        h_prev.rows(),
                        c_prev.rows(),
                        {nullptr, bias.data()},
                        kept.writable(),
                        h.writable(),
                        c.writable(),
                        nullptr,
                        {},
                        {}});
  std::vector<float> all = gates.values;
  for (const Block* block : {&kept, &h, &c}) append(all, block->values);
  return all;
}

TEST(LowpCells, ForwardTakesTheProduct) {
  const FloatMode mode;
  std::mt19937 random(1);
  for (const Format format : kLowpFormats)
    for (const Table* table : tables(format))
      for (const Forward& kind : kForward)
        for (const std::size_t H : kSizes) {
          SCOPED_TRACE(testing::Message() << table->name << ' ' << kind.name << ", H " << H);
          const std::size_t M = 1 + random() % 9, n = kind.product_gates * H;
          const std::vector<float> w = randoms(n * H, random);
          const Packed packed(*table, n, H, w.data(), kind.product_gates);
          const Block x(M, H, random);
          Block product(M, n, random);
          table->gemm(packed.panels(), M, x.rows(), kNone, n, product.writable());
          expect_equal(run_forward(kind, *table, packed.panels(), M, H, x.rows()),
                       run_forward(kind, plain(*table), {nullptr, 0, 0, 0}, M, H, product.rows()));
          if (HasFatalFailure()) return;
        }
}

std::vector<float> run_backward(const Backward& kind, const Table& table, const Panels& w, std::size_t M,
                                std::size_t H, const Rows& x) {
  std::mt19937 random(4);
  Block gates(M, kind.gates * H, random), d_h(M, H, random), h_prev(M, H, random), h(M, H, random),
      c_prev(M, H, random), c(M, H, random), kept(M, H, random), carry(M, H, random);
  CellBackward step{};
  step.w = w;
  step.M = M;
  step.M_product = M - M / 3;
  step.H = H;
  step.x = x;
  step.d_h = d_h.rows();
  step.gates = gates.writable();
  step.h_prev = h_prev.rows();
  step.h = h.rows();
  step.c_prev = c_prev.rows();
  step.c = c.rows();
  step.kept = kept.writable();
  step.carry_h = step.carry_c = carry.writable();
  (table.*kind.kernel)(step);
  std::vector<float> all = gates.values;
  for (const Block* block : {&kept, &carry}) append(all, block->values);
  return all;
}

TEST(LowpCells, BackwardTakesTheProduct) {
  const FloatMode mode;
  std::mt19937 random(2);
  for (const Table* table : tables(Format::bf16))
    for (const Backward& kind : kBackward)
      for (const std::size_t H : kSizes) {
        SCOPED_TRACE(testing::Message() << table->name << ' ' << kind.name << ", H " << H);
        const std::size_t M = 1 + random() % 9, K = kind.gates * H;
        const std::vector<float> w = randoms(H * K, random), one = identity(H);
        const Packed packed(*table, H, K, w.data()), same(plain(*table), H, H, one.data());
        const Block x(M, K, random);
        Block product(M, H, random);
        table->gemm(packed.panels(), M, x.rows(), kNone, H, product.writable());
        expect_equal(run_backward(kind, *table, packed.panels(), M, H, x.rows()),
                     run_backward(kind, plain(*table), same.panels(), M, H, product.rows()));
        if (HasFatalFailure()) return;
      }
}

// y, h and c after a step of one row: all at once, or the input product, then the cell, then the head.
struct WholeStep {
  WholeStep(const Step& k, const Table& t, std::size_t I, std::size_t units, std::size_t outputs,
            std::mt19937& random)
      : kind(k),
        table(t),
        H(units),
        P(padded(units)),
        O(outputs),
        input(t, k.gates * units, I, randoms(k.gates * units * I, random).data(), k.gates),
        recurrent(t, k.gates * units, units, randoms(k.gates * units * units, random).data(), k.gates),
        head_weights(randoms(outputs * units, random)),
        head(t, outputs, units, head_weights.data()),
        bias(randoms(k.gates * units, random)),
        head_bias(randoms(outputs, random)),
        head_row(H),
        own_bias(P),
        h_prev(P),
        c_prev(P),
        x(randoms(I, random)) {
    std::copy_n(head_weights.begin(), H, head_row.begin());
    for (Array* array : {&own_bias, &h_prev, &c_prev}) {
      const std::vector<float> values = randoms(H, random);
      std::copy(values.begin(), values.end(), array->begin());
    }
  }

  CellForward forward(std::size_t width, Array& gates, Array& h, Array& c) const {
    return {recurrent.panels(),
            1,
            width,
            {h_prev.data(), 0, nullptr},
            {gates.data(), 0, nullptr},
            {h_prev.data(), 0, nullptr},
            {c_prev.data(), 0, nullptr},
            {bias.data(), own_bias.data()},
            {nullptr, 0, nullptr},
            {h.data(), 0, nullptr},
            {c.data(), 0, nullptr},
            nullptr,
            input.panels(),
            {}};
  }
  std::vector<float> join(const std::vector<float>& y, const Array& h, const Array& c) const {
    std::vector<float> all(y);
    all.insert(all.end(), h.begin(), h.begin() + H);
    all.insert(all.end(), c.begin(), c.begin() + H);
    return all;
  }
  std::vector<float> at_once(const float* in, std::int32_t index) const {
    Array gates(kind.gates * P), h(P), c(P);
    std::vector<float> y(O + 1, 99.0f);  // and one behind it
    const float* const row = O == 1 ? head_row.data() : nullptr;
    (table.*kind.kernel)({H, forward(P, gates, h, c), head.panels(), head_bias.data(), row}, in, index,
                         y.data());
    return join(y, h, c);
  }
  std::vector<float> in_two(const float* in, std::int32_t index) const {
    const std::size_t n = kind.gates * H;
    Array gates(n), h(P), c(P);
    const Rows init{bias.data(), 0, nullptr};
    if (in != nullptr)
      table.gemm(input.panels(), 1, {in, 0, nullptr}, init, n, {gates.data(), 0, nullptr});
    else
      table.gather(input.panels(), 1, &index, init, n, {gates.data(), 0, nullptr});
    (table.*kind.forward)(forward(H, gates, h, c));
    std::vector<float> y(O + 1, 99.0f);
    table.gemm(head.panels(), 1, {h.data(), 0, nullptr}, {head_bias.data(), 0, nullptr}, O,
               {y.data(), 0, nullptr});
    return join(y, h, c);
  }

  const Step& kind;
  const Table& table;
  std::size_t H, P, O;
  Packed input, recurrent;
  std::vector<float> head_weights;
  Packed head;
  std::vector<float> bias, head_bias;
  Array head_row, own_bias, h_prev, c_prev;
  std::vector<float> x;
};

TEST(Cells, AWholeStepIsAnInputProductAStepAndAHead) {
  const FloatMode mode;
  std::mt19937 random(3);
  for (const Format format : {Format::f32, Format::bf16, Format::int8})
    for (const Table* table : tables(format))
      for (const Step& kind : kStep)
        for (const std::size_t H : kSizes) {
          SCOPED_TRACE(testing::Message() << table->name << ' ' << kind.name << ", H " << H);
          const std::size_t I = 1 + random() % 3 * (random() % 30);
          const std::size_t O = 1 + random() % 2 * (random() % 40);
          SCOPED_TRACE(testing::Message() << "I " << I << ", O " << O);
          const WholeStep step(kind, *table, I, H, O, random);
          const auto index = static_cast<std::int32_t>(random() % I);
          expect_equal(step.at_once(step.x.data(), 0), step.in_two(step.x.data(), 0));
          expect_equal(step.at_once(nullptr, index), step.in_two(nullptr, index));
          if (HasFatalFailure()) return;
        }
}

}  // namespace
}  // namespace rnn::kernels

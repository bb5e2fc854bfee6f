// Cells with activations of choice: with the cell's own they compute what the cell does, and with any the same on every
// instruction set. That they are the right ones, the gradients of whole networks show.
#include <limits>
#include <ostream>

#include "tests/kernels/cell_test.h"

namespace rnn::kernels {
namespace {

using Forward = void (*Table::*)(const CellForward&);
using Backward = void (*Table::*)(const CellBackward&);

// One or two stages; the second one's kernel is null if there is none.
struct Kernels {
  Forward forward[2];
  Backward backward[2];
};

struct Kind {
  const char* name;
  Kernels own, custom;
  std::size_t gates, products[2];  // of each stage
  std::size_t kept;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

#define RNN_KERNELS(name)                                                   \
  {                                                                         \
    {&Table::name##_forward, nullptr}, { &Table::name##_backward, nullptr } \
  }
#define RNN_HALVES(name)                                      \
  {                                                           \
    {&Table::name##_forward, &Table::name##_forward_state}, { \
      &Table::name##_backward_state, &Table::name##_backward  \
    }                                                         \
  }
const Kind kKinds[] = {
    {"vanilla", RNN_KERNELS(vanilla), RNN_KERNELS(vanilla_custom), 1, {1, 0}, 0},
    {"lstm", RNN_KERNELS(lstm), RNN_KERNELS(lstm_custom), 4, {4, 0}, 0},
    {"lstm_peephole", RNN_KERNELS(lstm_peephole), RNN_KERNELS(lstm_peephole_custom), 4, {4, 0}, 3},
    {"lstm_coupled", RNN_KERNELS(lstm_coupled), RNN_KERNELS(lstm_coupled_custom), 3, {3, 0}, 0},
    {"lstm_coupled_peephole",
     RNN_KERNELS(lstm_coupled_peephole),
     RNN_KERNELS(lstm_coupled_peephole_custom),
     3,
     {3, 0},
     2},
    {"gru", RNN_KERNELS(gru), RNN_KERNELS(gru_custom), 3, {3, 0}, 1},
    {"gru_before", RNN_HALVES(gru_before), RNN_HALVES(gru_before_custom), 3, {2, 1}, 1},
};

Activations activations(ActivationKind gate, ActivationKind new_gate, ActivationKind output, float clip) {
  return {{gate, 0.5f, 0.25f}, {new_gate, 0.5f, 0.25f}, {output, 0.5f, 0.25f}, clip};
}

constexpr float kNoClip = std::numeric_limits<float>::infinity();
const Activations kOwn =
    activations(ActivationKind::sigmoid, ActivationKind::tanh, ActivationKind::tanh, kNoClip);

class Custom : public testing::TestWithParam<Kind> {
 protected:
  // The buffers of a step, forwards and backwards, the same for every table.
  struct Case {
    Case(const Kind& k, const Size& size)
        : kind(k),
          M(size.M),
          H(size.H),
          random(static_cast<unsigned>(M * 1000 + H)),
          by_pointer(random() % 2 == 0),
          vectors(randoms(kVectors * H, random)),
          first(M, k.products[0] * H, by_pointer, random),
          second(M, H, by_pointer, random),
          gates(M, k.gates * H, by_pointer, random),
          h_prev(M, H, by_pointer, random),
          c_prev(M, H, by_pointer, random),
          kept(M, std::max<std::size_t>(k.kept, 1) * H, by_pointer, random),
          h(M, H, by_pointer, random),
          c(M, H, by_pointer, random),
          d_h(M, H, by_pointer, random),
          d_product(M, H, by_pointer, random),
          carry(M, H, by_pointer, random) {}

    void forward(const Table& table, const Kernels& kernels, const Activations* a) {
      CellForward step{};
      step.M = M;
      step.H = H;
      step.x = first.rows();
      step.gates = gates.writable();
      step.h_prev = h_prev.rows();
      step.c_prev = c_prev.rows();
      for (std::size_t v = 0; v < kVectors; ++v) step.vectors[v + 1] = &vectors[v * H];
      step.kept = kept.writable();
      step.h = h.writable();
      step.c = c.writable();
      step.custom = a;
      (table.*kernels.forward[0])(step);
      if (kernels.forward[1] == nullptr) return;
      step.x = second.rows();
      (table.*kernels.forward[1])(step);
    }

    void backward(const Table& table, const Kernels& kernels, const Activations* a) {
      CellBackward step{};
      step.M = M;
      step.H = H;
      step.d_h = d_h.rows();
      step.gates = gates.writable();
      step.h_prev = h_prev.rows();
      step.h = h.rows();
      step.c_prev = c_prev.rows();
      step.c = c.rows();
      for (std::size_t v = 0; v < kVectors; ++v) step.vectors[v + 1] = &vectors[v * H];
      step.kept = kept.writable();
      step.carry_h = step.carry_c = carry.writable();
      step.custom = a;
      (table.*kernels.backward[0])(step);
      if (kernels.backward[1] == nullptr) return;
      // A cell's own kernel multiplies, here by the unit matrix.
      step.d_h = d_product.rows();
      const Packed unit(table, H, H, unit_matrix().data());
      if (a == nullptr) {
        step.w = unit.panels();
        step.M_product = M;
        step.x = d_product.rows();
      }
      (table.*kernels.backward[1])(step);
    }

    std::vector<float> unit_matrix() const {
      std::vector<float> unit(H * H);
      for (std::size_t i = 0; i < H; ++i) unit[i * H + i] = 1;
      return unit;
    }

    static std::vector<float> values(std::initializer_list<const Block*> blocks) {
      std::vector<float> all;
      for (const Block* block : blocks) {
        const std::vector<float> some = block->values();
        all.insert(all.end(), some.begin(), some.end());
      }
      return all;
    }
    std::vector<float> results() const { return values({&kept, &h, &c}); }
    std::vector<float> gradients() const { return values({&gates, &kept, &carry}); }

    const Kind& kind;
    std::size_t M, H;
    std::mt19937 random;
    bool by_pointer;
    std::vector<float> vectors;
    Block first, second, gates, h_prev, c_prev, kept, h, c, d_h, d_product, carry;
  };
};

INSTANTIATE_TEST_SUITE_P(All, Custom, testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Custom, IsTheCellItselfWithItsOwnActivations) {
  for (const Size& size : sizes()) {
    for (const Table* table : tables()) {
      SCOPED_TRACE(testing::Message() << table->name << ", " << describe(size));
      Case own(GetParam(), size), custom(GetParam(), size);
      own.forward(*table, own.kind.own, nullptr);
      custom.forward(*table, custom.kind.custom, &kOwn);
      const std::vector<float> expected = own.results(), found = custom.results();
      ASSERT_TRUE(same_bits(found.data(), expected.data(), found.size()));
      own.backward(*table, own.kind.own, nullptr);
      custom.backward(*table, custom.kind.custom, &kOwn);
      const std::vector<float> slopes = own.gradients(), near = custom.gradients();
      for (std::size_t i = 0; i < near.size(); ++i) ASSERT_NEAR(near[i], slopes[i], 2e-6f) << i;
    }
  }
}

TEST_P(Custom, HasTheSameBitsOnEveryInstructionSet) {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::thresholded_relu); ++kind) {
    const auto f = static_cast<ActivationKind>(kind);
    if (f == ActivationKind::softmax || f == ActivationKind::prelu) continue;
    const Activations any = activations(f, f, f, kind % 2 == 0 ? kNoClip : 0.75f);
    for (const Size& size : {Size{5, 5, 37, 1}, Size{1, 1, 16, 1}}) {
      std::vector<float> first;
      for (const Table* table : tables()) {
        SCOPED_TRACE(testing::Message() << table->name << ", activation " << kind);
        Case c(GetParam(), size);
        c.forward(*table, c.kind.custom, &any);
        std::vector<float> all = c.results();
        c.backward(*table, c.kind.custom, &any);
        for (const float value : c.gradients()) all.push_back(value);
        expect_same_on_all_tables(all, first);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// What is limited has no slope.
TEST_P(Custom, ClipsWhatActivationsAreOf) {
  const Activations linear =
      activations(ActivationKind::none, ActivationKind::none, ActivationKind::none, 0.5f);
  for (const Table* table : tables()) {
    Case c(GetParam(), {3, 3, 21, 1});
    c.gates.set(std::vector<float>(c.M * c.kind.gates * c.H, 1e6f));
    c.forward(*table, c.kind.custom, &linear);
    for (const float value : c.gates.values()) ASSERT_GT(value, 1e5f) << table->name;
    for (const float value : c.h.values()) ASSERT_LE(std::fabs(value), 1.0f) << table->name;
    c.backward(*table, c.kind.custom, &linear);
    for (const float value : c.gates.values()) ASSERT_EQ(value, 0.0f) << table->name;
  }
}

}  // namespace
}  // namespace rnn::kernels

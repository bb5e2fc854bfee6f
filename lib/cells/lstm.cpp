#include "lib/cells/lstm.h"

#include "rnn/rnn.h"

namespace rnn::cells {
namespace {

using kernels::Table;

constexpr Cell lstm_of(std::size_t gates, const char* name, std::uint32_t variant) {
  Cell cell = joint_cell(RNN_CELL_LSTM, "RNN_CELL_LSTM", name, gates);
  cell.variant = variant;
  cell.states = 2;
  cell.can_project = true;
  return cell;
}

// What backward leaves for each peephole is kept in their order.
constexpr void add_peephole(Cell& cell, const char* name, std::size_t gate) {
  Vector& peephole = cell.vectors[cell.vector_count++];
  peephole.name = name;
  peephole.first_gate = gate;
  peephole.gates = 1;
  peephole.start = Vector::Start::weights;
  peephole.gradient = Vector::Sum::kept;
  peephole.first_kept = cell.kept++;
}

// Gates i, f, g, o.
constexpr Cell describe_lstm() {
  Cell cell = lstm_of(4, "lstm", 0);
  cell.forget_gate = 1;
  cell.stages[0].forward = &Table::lstm_forward;
  cell.stages[0].backward = &Table::lstm_backward;
  cell.step = &Table::lstm_step;
  return cell;
}

constexpr Cell describe_peephole() {
  Cell cell = lstm_of(4, "lstm_peephole", RNN_FLAG_PEEPHOLES);
  cell.forget_gate = 1;
  add_peephole(cell, "peephole_i", 0);
  add_peephole(cell, "peephole_f", 1);
  add_peephole(cell, "peephole_o", 3);
  cell.stages[0].forward = &Table::lstm_peephole_forward;
  cell.stages[0].backward = &Table::lstm_peephole_backward;
  cell.step = &Table::lstm_peephole_step;
  return cell;
}

// Gates i, g, o: f = 1 - i.
constexpr Cell describe_coupled() {
  Cell cell = lstm_of(3, "lstm_coupled", RNN_FLAG_COUPLED_GATES);
  cell.stages[0].forward = &Table::lstm_coupled_forward;
  cell.stages[0].backward = &Table::lstm_coupled_backward;
  cell.step = &Table::lstm_coupled_step;
  return cell;
}

constexpr Cell describe_coupled_peephole() {
  Cell cell = lstm_of(3, "lstm_coupled_peephole", RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES);
  add_peephole(cell, "peephole_i", 0);
  add_peephole(cell, "peephole_o", 2);
  cell.stages[0].forward = &Table::lstm_coupled_peephole_forward;
  cell.stages[0].backward = &Table::lstm_coupled_peephole_backward;
  cell.step = &Table::lstm_coupled_peephole_step;
  return cell;
}

constexpr Cell describe_custom(Cell cell, decltype(Stage::forward) forward,
                               decltype(Stage::backward) backward) {
  cell = custom_cell(cell);
  cell.stages[0].forward = forward;
  cell.stages[0].backward = backward;
  return cell;
}

constexpr Cell lstm_custom =
    describe_custom(describe_lstm(), &Table::lstm_custom_forward, &Table::lstm_custom_backward);
constexpr Cell lstm_peephole_custom = describe_custom(
    describe_peephole(), &Table::lstm_peephole_custom_forward, &Table::lstm_peephole_custom_backward);
constexpr Cell lstm_coupled_custom = describe_custom(describe_coupled(), &Table::lstm_coupled_custom_forward,
                                                     &Table::lstm_coupled_custom_backward);
constexpr Cell lstm_coupled_peephole_custom =
    describe_custom(describe_coupled_peephole(), &Table::lstm_coupled_peephole_custom_forward,
                    &Table::lstm_coupled_peephole_custom_backward);

}  // namespace

constexpr Cell lstm = with_custom(describe_lstm(), lstm_custom);
constexpr Cell lstm_peephole = with_custom(describe_peephole(), lstm_peephole_custom);
constexpr Cell lstm_coupled = with_custom(describe_coupled(), lstm_coupled_custom);
constexpr Cell lstm_coupled_peephole = with_custom(describe_coupled_peephole(), lstm_coupled_peephole_custom);

}  // namespace rnn::cells

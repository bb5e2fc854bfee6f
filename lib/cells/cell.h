// A cell: the forward and backward step of one layer over M rows (batch entries), on kernels alone.
//
// To add a cell: one file beside vanilla.cpp, one line in cells.cpp, an enumerator in rnn.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/kernels/table.h"

namespace rnn::cells {

// Most vectors of H in the state of a layer (h; h and c).
constexpr std::size_t kMaxStates = 2;

// The packed weights of one layer. G gates; input [G*H, I], recurrent [G*H, H].
struct LayerWeights {
  kernels::Panels input;
  kernels::Panels recurrent;
  const float* bias;  // [padded(G*H)], zero if the network has no biases
};

// One step. gates holds the input projection W_ih x + b on entry and what backward needs on return.
struct ForwardStep {
  std::size_t rows;                             // M
  std::size_t width;                            // padded H
  kernels::Rows previous[kMaxStates];           // [M, H] states before the step
  kernels::MutableRows gates;                   // [M, G*H]
  kernels::MutableRows next[kMaxStates];        // [M, H] states after the step; next[0] is h
};

// The same step backwards. gates holds what forward left on entry and the gradient of the input projection
// on return. d_state carries the gradients of the states beyond h (an LSTM's c) from step to step.
struct BackwardStep {
  std::size_t rows;                             // M
  std::size_t rows_next;                        // how many of them, the first ones, have a next step
  std::size_t width;                            // padded H
  kernels::Panels recurrent_t;                  // W_hh^T [H, G*H]
  kernels::Rows d_gates_next;                   // [rows_next, G*H]
  kernels::Rows d_h;                            // [M, H] from above and from the outside
  kernels::Rows previous[kMaxStates];           // [M, H]
  kernels::Rows next[kMaxStates];               // [M, H]
  kernels::MutableRows gates;                   // [M, G*H]
  kernels::MutableRows d_state[kMaxStates - 1]; // [M, H] in: of the state after the step; out: before it
};

struct Cell {
  std::int32_t id;        // RNN_CELL_...
  const char* name;       // as in files
  std::size_t gates;      // G
  std::size_t states;     // vectors of H in the state of a layer
  void (*forward)(const kernels::Table& table, const LayerWeights& weights, const ForwardStep& step);
  void (*backward)(const kernels::Table& table, const BackwardStep& step);
};

// The cell of an identifier or of a name; null if there is none.
const Cell* find(std::int32_t id);
const Cell* find(const char* name);

}  // namespace rnn::cells

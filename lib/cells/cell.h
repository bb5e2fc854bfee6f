// A cell: the forward and backward step of one layer in one direction over M rows (batch entries), on kernels
// alone. Projection and layer normalisation, which every cell can have around its kernels, are in step.cpp.
//
// To add a cell: one file beside vanilla.cpp, one line in cells.cpp, an enumerator in rnn.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/kernels/table.h"

namespace rnn::cells {

// Most vectors in the state of a layer (h; h and c).
constexpr std::size_t kMaxStates = 2;

// The packed weights of one layer in one direction. Null data or pointers: the network has none. H units, G
// gates, P width of h, X width of the layer's input. Grouped: by gates, if G > 1; see kernels::Panels.
struct LayerWeights {
  kernels::Panels input;        // W_ih [G*H, X], grouped
  kernels::Panels recurrent;    // W_hh [G*H, P], grouped; without its last gate if Cell::candidate
  kernels::Panels candidate;    // W_hh's last gate [H, P], if Cell::candidate
  kernels::Panels projection;   // W_hr [P, H], plain
  const float* bias;            // [padded G*H]  never null
  const float* recurrent_bias;  // [padded H]  GRU's b_hn, never null
  const float* norm_input;      // [padded G*H]  gains of layer normalisation
  const float* norm_recurrent;  // [padded G*H]
};

// Transposed, all plain.
struct BackwardWeights {
  kernels::Panels recurrent;   // W_hh^T [P, G*H]; without its last gate if Cell::candidate; the last gate
                               // first if Cell::own_sum, but for layer normalisation
  kernels::Panels candidate;   // the last gate's [P, H], if Cell::candidate
  kernels::Panels projection;  // W_hr^T [H, P]
  const float* norm_recurrent;
};

// One step.
struct ForwardStep {
  std::size_t rows;                       // M
  std::size_t hidden;                     // H
  kernels::Rows previous[kMaxStates];     // [M, P] h, [M, H] c before the step
  kernels::MutableRows gates;             // [M, G*H]  in: W_ih x + b (normalised); out: the activated gates
  const std::int32_t* index;              // [M]  if not null, one-hot inputs, whose W_ih x + b the step adds
                                          // itself; not with Cell::candidate or layer normalisation
  kernels::MutableRows next[kMaxStates];  // [M, P] h, [M, H] c after the step
  kernels::MutableRows inner;             // [M, H]  if Cell::inner
  kernels::MutableRows unprojected;       // [M, H]  h before projection, if there is one
  kernels::MutableRows product;           // [M, G*H]  with layer normalisation: W_hh h, normalised with gain
  kernels::MutableRows normalized;        // [M, G*H]  the same without gain; null: not wanted
  float* deviation;                       // [M]  1 / its standard deviation; null: not wanted
};

// The same step backwards.
struct BackwardStep {
  std::size_t rows;              // M
  std::size_t rows_next;         // how many of them, the first ones, have a step after this one
  std::size_t hidden;            // H
  kernels::Rows d_product_next;  // [rows_next, G*H]  gradient of W_hh h at the step after, its gates in the
                                 // order of BackwardWeights::recurrent
  kernels::Rows d_h;             // [M, P]  from above and from the outside
  kernels::Rows previous[kMaxStates];
  kernels::Rows next[kMaxStates];
  kernels::MutableRows gates;        // [M, G*H]  in: as forward left them; out: gradient of W_ih x + b
  kernels::MutableRows inner;        // [M, H]  if Cell::own_sum: in: as forward left it; out: its gradient
  kernels::MutableRows d_sum;        // [M, G*H]  with layer normalisation: out: gradient of what it leaves of
                                     // W_hh h; `gates` unless Cell::own_sum
  kernels::MutableRows d_product;    // [M, G*H]  with layer normalisation: out: gradient of W_hh h
  kernels::MutableRows d_projected;  // [M, P]  with projection: gradient of h
  kernels::MutableRows carry;  // [M, H]  if Cell::carry: in: from the step after; out: for the one before
  kernels::Rows normalized;    // [M, G*H]
  const float* deviation;      // [M]
};

// What is carried back in time beside the product.
enum class Carry { none, c, h };

struct Cell {
  std::int32_t id;        // RNN_CELL_...
  std::uint32_t variant;  // the flag that makes this cell of it: RNN_RELU, RNN_RESET_BEFORE, or 0
  const char* name;       // as in files
  std::size_t gates;      // G
  std::size_t states;     // vectors in the state of a layer
  bool candidate;         // the last gate has a product of its own, after the others
  bool inner;             // keeps a vector of H from forward to backward (reset before: needs it in forward)
  bool own_sum;           // the recurrent product of the last gate is `inner`, with a gradient of its own
  bool recurrent_bias;    // has a bias b_hn [H]
  Carry carry;
  // On kernels alone: no projection, no normalisation. `kernel` is what both directions have in common with
  // the step: see step.cpp.
  void (*forward)(const kernels::Table& table, const LayerWeights& weights, kernels::CellForward& kernel);
  void (*backward)(const kernels::Table& table, const BackwardWeights& weights,
                   kernels::CellBackward& kernel);
  // The kernel that does a step of one row together with its input projection; null: there is none.
  kernels::StepFunction kernels::Table::*step;
};

// All flags that choose a variant.
extern const std::uint32_t kVariants;

// The cell of an identifier and of the flags in kVariants, or of a name; null if there is none.
const Cell* find(std::int32_t id, std::uint32_t flags);
const Cell* find(const char* name);

// A whole step, with projection and layer normalisation where weights have them.
void forward(const Cell& cell, const kernels::Table& table, const LayerWeights& weights,
             const ForwardStep& step);
void backward(const Cell& cell, const kernels::Table& table, const BackwardWeights& weights,
              const BackwardStep& step);

}  // namespace rnn::cells

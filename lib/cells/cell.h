// A cell, as data: the products, vectors, states and kernels of a step of one layer in one direction,
// forwards and backwards, over M rows (batch entries). Parameters and their initialisation, packed and
// transposed matrices, the memory of a pass, gradients and files loop over this description: nothing outside
// of lib/cells and lib/kernels asks which cell it is. Projection and layer normalisation, which every cell can
// have around its kernels, are in step.cpp.
//
// To add a cell: one file beside vanilla.cpp with its description, one line in cells.cpp, an enumerator in
// rnn.h, and its kernels. What the description can say:
//
//   products  The four gates of an LSTM read h: one stage of 4 gates. A gate that reads what others have made
//             of h is in a second stage. Gates without a product with W_hh come last, in no stage. A cell
//             without any such product has one stage of 0 gates, whose kernels do all, and no W_hh; it carries
//             h, by which alone its gradient goes back in time.
//   vectors   Kernels read vectors[i], and backwards leave what its gradient is the sum of: mostly that is
//             the gradient of the gates. Each peephole of an LSTM is a vector of one gate, and one more
//             vector in `kept`, where backward writes d_gate * c.
//   gates     A gate that follows from another, as f = 1 - i, is one only in the kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/kernels/table.h"
#include "rnn/rnn.h"

namespace rnn::cells {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

// Most vectors in the state of a layer, and their names; most stages of a step.
constexpr std::size_t kMaxStates = 2;
constexpr const char* kStateNames[kMaxStates] = {"h", "c"};
constexpr std::size_t kMaxStages = 2;
using kernels::kMaxVectors;

// A parameter beside the matrices, [gates * H].
struct Vector {
  // How it begins: as rnn_config_t has biases, which RNN_FLAG_NO_BIAS leaves out; like them, but always there; as
  // ones; as slopes of 1/4.
  enum class Start { bias, weights, ones, slopes };
  // What its gradient is the sum of over all steps, as a backward step leaves it.
  enum class Sum {
    gates,               // the gradient of W_ih x + b
    kept,                // BackwardStep::kept
    gates_times_input,   // the first times the normalised W_ih x
    sum_times_recurrent  // BackwardStep::d_sum times the normalised W_hh h
  };

  const char* name = nullptr;  // of the parameter, but for the layer
  std::size_t first_gate = 0;  // the gates that have it,
  std::size_t gates = 0;       // so many
  Start start = Start::bias;
  Sum gradient = Sum::gates;
  std::size_t first_kept = 0;  // of Sum::kept: the first of those vectors
  // It is added to W_hh h. Files with PyTorch's names have a bias of each gate for W_ih x and one for W_hh h:
  // of other gates their sum counts.
  bool of_recurrent = false;
};

// A product with some gates of W_hh, and the kernels behind it.
struct Stage {
  std::size_t gates = 0;  // those behind the gates of the stage before
  // The gradient of its last gate's product is not that gate's but the last vector of BackwardStep::kept.
  bool ends_in_kept = false;
  void (*kernels::Table::*forward)(const kernels::CellForward& step) = nullptr;
  void (*kernels::Table::*backward)(const kernels::CellBackward& step) = nullptr;
};

struct Cell {
  std::int32_t id = 0;              // RNN_CELL_..., or RNN_LAYER_...
  const char* constant = nullptr;   // that constant's name
  std::uint32_t variant = 0;        // the flags that make this cell of it, as RNN_FLAG_RELU; or 0
  const char* name = nullptr;       // as in files
  const char* input = "weight_ih";  // the name of W_ih
  std::size_t gates = 0;            // G

  // The state: h, or h and c. Back in time, the kernels carry the gradient of c; that of h comes by the first
  // stage's product and, if carries_h, by the kernels, too.
  std::size_t states = 1;
  bool carries_h = false;
  // Otherwise no step depends on the one before, and h is not in the network's state.
  bool keeps_h = true;

  // In order. The first stage's product reads h, the second one's the first vector of `kept`. Backwards, the
  // first stage's kernel comes first, with the gradient of h that the step after has left; then the second
  // one's, with the gradient of what its product reads.
  Stage stages[kMaxStages];
  std::size_t stage_count = 1;
  std::size_t kept = 0;  // vectors of H that a step keeps for its second stage and its backward step

  Vector vectors[kMaxVectors];  // the first one is the bias of all gates that W_ih x is added to
  std::size_t vector_count = 1;

  std::size_t forget_gate = kNone;  // to whose bias rnn_config_t::forget_bias is added
  bool can_project = false;         // rnn_config_t::projection_size

  // The activation of h, or of the new or cell gate, and the same cell with activations of choice; null: none.
  kernels::ActivationKind activation = kernels::ActivationKind::tanh;
  const Cell* custom = nullptr;
  bool fused = true;  // the kernels multiply by W_hh; otherwise they are given the product

  // The kernel that does a step of one row together with its input product; null: there is none.
  kernels::StepFunction kernels::Table::*step = nullptr;

  // The gates that W_hh has.
  constexpr std::size_t recurrent_gates() const { return stages[0].gates + stages[1].gates; }
  constexpr std::size_t first_kept_state() const { return keeps_h ? 0 : 1; }
  // All gates are in one product, as layer normalisation wants it.
  constexpr bool is_joint() const { return stages[0].gates == gates; }
  // The first stage takes all of W_ih x, so that it can take that of one-hot inputs from W_ih itself.
  constexpr bool picks_inputs() const { return (is_joint() && fused) || (recurrent_gates() == 0 && keeps_h); }
  // The gradient of the first stage's product is the last vector of `kept`, then its gates but the last.
  constexpr bool kept_leads() const { return stages[0].ends_in_kept; }
  // A step needs `kept` though no backward step follows.
  constexpr bool reads_kept() const { return stage_count > 1; }
};

// A cell of G gates to begin with: all in one product, with one bias.
constexpr Cell joint_cell(std::int32_t id, const char* constant, const char* name, std::size_t gates) {
  Cell cell;
  cell.id = id;
  cell.constant = constant;
  cell.name = name;
  cell.gates = gates;
  cell.stages[0].gates = gates;
  cell.vectors[0].name = "bias_ih";
  cell.vectors[0].gates = gates;
  return cell;
}

// The same cell with activations of choice, but for its kernels.
constexpr Cell custom_cell(Cell cell) {
  cell.fused = false;
  cell.step = nullptr;
  return cell;
}

constexpr Cell with_custom(Cell cell, const Cell& custom) {
  cell.custom = &custom;
  return cell;
}

// The gains of layer normalisation, which is not a cell's own: of W_ih x and of W_hh h.
constexpr Vector norm_gain(const Cell& cell, bool recurrent) {
  Vector vector;
  vector.name = recurrent ? "norm_hh" : "norm_ih";
  vector.gates = cell.gates;
  vector.start = Vector::Start::ones;
  vector.gradient = recurrent ? Vector::Sum::sum_times_recurrent : Vector::Sum::gates_times_input;
  return vector;
}

// The packed weights of one layer in one direction. Null data or pointers: the network has none. H units, G
// gates, P width of h, X width of the layer's input. Grouped: by gates, if there is more than one; see
// kernels::Panels.
struct LayerWeights {
  kernels::Panels input;                 // W_ih [G*H, X], grouped
  kernels::Panels products[kMaxStages];  // the stages' gates of W_hh [gates*H, P], grouped
  kernels::Panels projection;            // W_hr [P, H], plain
  const float* vectors[kMaxVectors];     // the cell's, padded, never null
  const float* norm_input;               // [padded G*H]  gains of layer normalisation
  const float* norm_recurrent;           // [padded G*H]
  kernels::Activation activation;        // of a layer without recurrence
  kernels::Activations custom;           // of a cell that has them
  float zoneout[kMaxStates];             // 0..<1; of h, c: the part of the state before the step that stays

  bool has_zoneout() const { return zoneout[0] != 0.0f || zoneout[1] != 0.0f; }
  const float* bias() const { return vectors[0]; }  // [padded G*H]
};

// Transposed, all plain.
struct BackwardWeights {
  // [P, gates*H]; without layer normalisation, the last gate first if Cell::kept_leads
  kernels::Panels products[kMaxStages];
  kernels::Panels projection;  // W_hr^T [H, P]
};

// Zoneout where a backward pass may follow; null for a state that has none.
struct ForwardZoneout {
  // [M, P] h, [M, H] c: 1 where the step replaces the state, 0 where it stays; null: in part, as the rates say
  kernels::Rows mask[kMaxStates];
  kernels::MutableRows after[kMaxStates];  // the state after the step
};
struct BackwardZoneout {
  kernels::Rows mask[kMaxStates];
  kernels::MutableRows held[kMaxStates];  // [M, P], [M, H]  room for the gradient of what stays
};

// One step.
struct ForwardStep {
  std::size_t rows;                    // M
  std::size_t hidden;                  // H
  kernels::Rows previous[kMaxStates];  // [M, P] h, [M, H] c before the step
  kernels::MutableRows gates;          // [M, G*H]  in: W_ih x + b (normalised); out: for backward
  // [M]  If not null, one-hot inputs, whose W_ih x + b the step adds itself; only if Cell::picks_inputs, and
  // without layer normalisation.
  const std::int32_t* index;
  // [M, P] h, [M, H] c after the step; with `zoneout` as the cell computes them
  kernels::MutableRows next[kMaxStates];
  kernels::MutableRows kept;         // [M, kept * H]  null: not wanted, which only Cell::reads_kept minds
  kernels::MutableRows unprojected;  // [M, H]  h before projection, if there is one
  // [M, G*H]  With layer normalisation: W_hh h, normalised with gain. Of a cell that is not fused: the product.
  kernels::MutableRows product;
  kernels::MutableRows normalized;  // [M, G*H]  the same without gain; null: not wanted
  float* deviation;                 // [M]  1 / its standard deviation; null: not wanted
  kernels::Rows mask;  // [M, P]  recurrent dropout: what h is multiplied by on its way into a product;
                       // null: there is none
  kernels::MutableRows masked;    // [M, P]  with it: out: that h
  const ForwardZoneout* zoneout;  // null: `next` becomes the state in place, as the rates say
};

// The same step backwards.
struct BackwardStep {
  std::size_t rows;       // M
  std::size_t rows_next;  // how many of them, the first ones, have a step after this one
  std::size_t hidden;     // H
  // [rows_next, gates*H]  gradient of the first stage's product at the step after, in the order of
  // BackwardWeights::products
  kernels::Rows d_product_next;
  kernels::Rows d_h;  // [M, P]  from above and from the outside
  kernels::Rows previous[kMaxStates];
  kernels::Rows next[kMaxStates];
  kernels::MutableRows gates;  // [M, G*H]  in: as forward left them; out: gradient of W_ih x + b
  kernels::MutableRows kept;   // [M, kept * H]  in: as forward left it; out: as Cell::vectors and stages say
  kernels::MutableRows d_sum;  // [M, G*H]  with layer normalisation: out: gradient of what it leaves of
                               // W_hh h; `gates` unless Cell::kept_leads
  kernels::MutableRows d_product;  // [M, G*H]  with layer normalisation: out: gradient of W_hh h
  // [M, P]  with projection, recurrent dropout or zoneout of h: gradient of h; with zoneout of what the cell computes
  kernels::MutableRows d_projected;
  kernels::MutableRows product;  // [M, H]  of a cell that is not fused: room for the gradient of h; may be
                                 // d_product
  // [M, H]  of h if Cell::carries_h or with zoneout, and of c: in: gradient from the step after that the product
  // has not; out: for the one before
  kernels::MutableRows carry[kMaxStates];
  kernels::Rows normalized;        // [M, G*H]
  const float* deviation;          // [M]
  kernels::Rows mask;              // [M, P]  as ForwardStep has it
  kernels::Rows masked;            // [M, P]  as forward left it
  const BackwardZoneout* zoneout;  // null: the layer has none
};

// All cells, in the order of their identifiers.
struct CellList {
  const Cell* const* first;
  const Cell* const* last;
  const Cell* const* begin() const { return first; }
  const Cell* const* end() const { return last; }
};
CellList all();

// All flags that choose a variant.
extern const std::uint32_t kVariants;

// The cell of an identifier and of the flags in kVariants, of a layer, or of a name; null if there is none.
const Cell* find(std::int32_t id, std::uint32_t flags);
const Cell* find(const rnn_layer_t& layer);
const Cell* find(const char* name);

// The cell that differs from that of the layer and its flags by having the layer's activation as its own; null if
// there is none.
const Cell* find_variant(const rnn_layer_t& layer);

// What the kernels of a step are given, all but the product of a second stage.
kernels::CellForward forward_kernel(const LayerWeights& weights, const ForwardStep& step);

// A whole step, with projection, layer normalisation and zoneout where weights have them.
void forward(const Cell& cell, const kernels::Table& table, const LayerWeights& weights,
             const ForwardStep& step);
void backward(const Cell& cell, const kernels::Table& table, const LayerWeights& weights,
              const BackwardWeights& transposed, const BackwardStep& step);

// The gradient of h before a step, [rows, P], of padded rows: from what the backward step has left in
// d_product, of the first stage, and in carry, which is null where there is none.
void previous_gradient(const kernels::Table& table, const BackwardWeights& transposed, std::size_t rows,
                       std::size_t hidden, const kernels::Rows& d_product, const kernels::Rows& carry,
                       const kernels::Rows& mask, const kernels::MutableRows& d_h);

}  // namespace rnn::cells

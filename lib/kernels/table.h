// The kernels of one instruction set, as a constant table of function pointers. A network stores a
// pointer to its table when it is created; there is no test of the CPU after that.
//
// Included by the ISA units: plain C++, no member function with a body, no standard library but these.
//
// Buffers that kernels write whole have rows padded to a multiple of kPad floats, 64-byte aligned,
// their padding zero; every kernel keeps padding zero. Shapes name the rows first: a[M, N].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rnn::kernels {

// Padding of rows, and the fixed virtual width in which lanes are added: the same for every ISA, so that
// sums have the same order everywhere.
constexpr std::size_t kPad = 16;

constexpr std::size_t padded(std::size_t n) { return (n + kPad - 1) / kPad * kPad; }

// A matrix W[rows, depth] packed by pack.h, each panel column by column. Plain (gates = 0): panels of
// Table::panel rows. Grouped by gates (2 or more), where row g * H + j, H = rows / gates, is gate g of unit
// j: panels of Table::lanes units, a column of which holds the units' first gate, then their second, ...
// If no more than Table::narrow rows (units) are left for the last vector, it has that many, and is a panel.
//
// k goes by slots of 32 bits, of which each holds Table::pack numbers of one row: one float; two bf16, the
// lower half first; or four int8, in the order k, k + 2, k + 1, k + 3. A panel has ceil(depth / pack) columns
// of slots, rounded up to a multiple of Table::block. What is beyond W's depth is zero. Behind the columns of
// an int8 panel are two more: what the rows are multiplied by (floats), and 128 times the sum of each row's
// int8 (32-bit integers).
struct Panels {
  const float* data;
  std::size_t rows;
  std::size_t depth;
  std::size_t gates;
};

// M vectors: vector m at pointers[m] if pointers are given, else at base + m * stride. A stride of 0
// repeats one vector; base and pointers both null mean zero vectors, where a kernel allows them.
struct Rows {
  const float* base;
  std::size_t stride;
  const float* const* pointers;
};

struct MutableRows {
  float* base;
  std::size_t stride;
  float* const* pointers;
};

// The format of packed weights. What they are multiplied by is rounded to it too; sums and everything else
// are f32.
enum class Format : std::int32_t { f32, bf16, int8 };
constexpr std::size_t kFormats = 3;

// Rows that gemm_tn sums apart where it is asked to.
constexpr std::size_t kApartRows = 64;

// y = f(x) of a layer; dense-inl.h has the formulas, in which alpha and beta stand.
enum class ActivationKind : std::int32_t {
  none,
  tanh,
  relu,
  sigmoid,
  softmax,
  elu,
  leaky_relu,
  prelu,
  softsign,
  gelu,
  swish,
  hard_sigmoid,
  softplus,
  affine,
  scaled_tanh,
  thresholded_relu
};
struct Activation {
  ActivationKind kind;
  float alpha;
  float beta;
};

// Of a cell with other activations than its own; custom-inl.h has the formulas.
struct Activations {
  Activation gate;
  Activation candidate;  // of a vanilla cell: of h
  Activation output;     // LSTM: of c', for h
  float clip;            // what gate and candidate are of is limited to -clip..clip; infinite: it is not
};

// Most vectors beside the matrices that a cell has.
constexpr std::size_t kMaxVectors = 4;

// One step of a cell over M rows. Vectors of H (or G*H) are read and written to the element: what pads their
// rows is not touched. What a cell has no use for is null.
struct CellForward {
  Panels w;  // W_hh, grouped if there is more than one gate; data null: x holds the product itself, [M, G*H]
  std::size_t M;
  std::size_t H;
  Rows x;             // [M, w.depth]  what W_hh is multiplied by
  MutableRows gates;  // [M, G*H]  in: W_ih x + b; out: the activated gates (but one that is h)
  Rows h_prev;        // [M, H]  GRU
  Rows c_prev;        // [M, H]  LSTM
  const float* vectors[kMaxVectors];  // those of the cell, never null: b [G*H], then its own, [H] each
  MutableRows kept;  // [M, H]  GRU: W_hn h + b_hn for backward, written if not null; reset before: r * h_prev
  MutableRows h;     // [M, H]  written; LSTM: o * tanh(c')
  MutableRows c;     // [M, H]  LSTM: written
  // One-hot inputs of a cell whose gates are all in one product, with weights of f32; if index is null, there
  // are none.
  const std::int32_t* index;  // [M]  gates are not read: in is b + column `index` of W_ih
  Panels input;               // W_ih, grouped as W_hh; used with index, and by CellStep
  Activation activation;      // of a layer without recurrence
  const Activations* custom;  // of a cell whose name in Table has it
};

// A step of one row together with its input and, if y is not null, the head, from vectors that stay where
// they are from call to call: what CellForward says with b + W_ih x for gates or, where x is null, b + column
// `index` of W_ih; then y = head_bias + head h. All vectors but the biases and y are padded, each gate by
// itself, and with them forward.H: a load that follows a partial store would wait for it.
struct CellStep {
  std::size_t H;        // not padded, as b has it
  CellForward forward;  // M = 1, x is h_{t-1}, H is padded(H); gates are scratch
  Panels head;
  const float* head_bias;
  const float* head_row;  // of a head of one row, that row before it was packed, aligned; else null
};

// In place of an index: gates hold b + W_ih x. Not of cells without a product with W_hh.
constexpr std::int32_t kGatesGiven = -1;

using StepFunction = void (*)(const CellStep& step, const float* x, std::int32_t index, float* y);

// The same step backwards. The gradient of h is d_h plus the product, which only the first M_product rows
// have.
struct CellBackward {
  Panels w;  // plain: W_hh^T [H, G*H], or what else leads back to h
  std::size_t M;
  std::size_t M_product;
  std::size_t H;
  Rows x;             // [M_product, w.depth]  what w is multiplied by
  Rows d_h;           // [M, H]  may be zero vectors
  MutableRows gates;  // [M, G*H]  in: the activated gates; out: their gradients before activation
                      // (of one gate: out alone, its slope follows from h)
  Rows h_prev, h;     // [M, H]
  Rows c_prev, c;     // [M, H]  LSTM
  const float* vectors[kMaxVectors];  // as CellForward has them
  MutableRows kept;                   // [M, H]  GRU: in: as forward left it, out: its gradient, r * d_n
                                      // [M, n*H]  n peepholes: out: each one's share of its gradient
  MutableRows carry_h;    // [M, H]  GRU: in: gradient of h' from the step after this one beside the product;
                          // out: of h for the one before
  MutableRows carry_c;    // [M, H]  LSTM: in: gradient of c' from the step after; out: of c
  Activation activation;  // as CellForward has them
  const Activations* custom;
};

// What softmax_cross_entropy found in one row: sum of exp(y - max), and max - y[class].
struct SoftmaxRow {
  float sum;
  float gap;
};

enum class Rule : std::int32_t { adam, adamw, sgd, adagrad, rmsprop };

// One optimiser update; see update-inl.h for the formulas.
struct Update {
  Rule rule;
  bool nesterov;
  float rate;            // learning rate; Adam: with the bias corrections folded in
  float momentum;        // SGD, RMSprop
  float beta1;           // Adam
  float beta2;           // Adam, RMSprop
  float epsilon;         // Adam: scaled by the second bias correction
  float decay;           // weight decay; AdamW: times the plain learning rate
  float gradient_scale;  // from clipping by norm
  float clip_value;      // after scaling; infinity when off
};

// What products hand their sums to, of one type of output: see gemm-inl.h. The same for all numbers that an
// instruction set multiplies.
struct OutputFunctions {
  void (*finish)(const void* output, const float* sums, std::size_t m0, std::size_t rows, std::size_t column,
                 std::size_t vectors, bool narrow);
  // Null for an output of one row.
  void (*prefetch)(const void* output, std::size_t m0, std::size_t rows, std::size_t column,
                   std::size_t columns);
};

// The kernels that multiply by weights, of one format. Those of int8 have no backward half and no gemm_tn:
// null.
struct Products {
  const char* name;
  Format format;
  std::size_t pack;    // numbers in a slot of packed weights
  std::size_t block;   // a panel has a multiple of as many columns of slots
  std::size_t lanes;   // floats in a vector
  std::size_t panel;   // rows of a full panel, a multiple of lanes
  std::size_t narrow;  // floats in a narrow vector; lanes where there are none

  // y[m, 0..n) = init[m] + W x[m], summed in the order that gemm-inl.h states. n is w.rows, or padded(w.rows)
  // for padded y and init, whose padding must be zero and stays so; of grouped w, n is w.rows, or w.gates times
  // padded(w.rows / w.gates) where each gate is padded. init may be zero vectors, and may be y.
  void (*gemm)(const Panels& w, std::size_t M, const Rows& x, const Rows& init, std::size_t n,
               const MutableRows& y);
  // y[m, 0..n) = init[m] + column index[m] of W: gemm with one-hot x, the same bits (but for the sign of 0).
  void (*gather)(const Panels& w, std::size_t M, const std::int32_t* index, const Rows& init, std::size_t n,
                 const MutableRows& y);
  // c[M, N] += sum over r of a[r, m] b[r, n], r ascending. N is a multiple of kPad. apart: for long sums; each
  // kApartRows rows from the first on are summed apart, and these sums are added to c in order. (With blocks of
  // columns it is 2 * block rows at a time, always.)
  void (*gemm_tn)(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda,
                  const float* b, std::size_t ldb, float* c, std::size_t ldc, bool apart);

  // The steps of the cells: formulas in gates-inl.h, gru-inl.h, lstm-inl.h and minimal-inl.h.
  void (*vanilla_forward)(const CellForward& step);
  void (*vanilla_backward)(const CellBackward& step);
  StepFunction vanilla_step;
  void (*relu_forward)(const CellForward& step);
  void (*relu_backward)(const CellBackward& step);
  StepFunction relu_step;
  void (*lstm_forward)(const CellForward& step);
  void (*lstm_backward)(const CellBackward& step);
  StepFunction lstm_step;
  void (*lstm_peephole_forward)(const CellForward& step);
  void (*lstm_peephole_backward)(const CellBackward& step);
  StepFunction lstm_peephole_step;
  void (*lstm_coupled_forward)(const CellForward& step);  // of three gates, i, g, o
  void (*lstm_coupled_backward)(const CellBackward& step);
  StepFunction lstm_coupled_step;
  void (*lstm_coupled_peephole_forward)(const CellForward& step);
  void (*lstm_coupled_peephole_backward)(const CellBackward& step);
  StepFunction lstm_coupled_peephole_step;
  void (*gru_forward)(const CellForward& step);
  void (*gru_backward)(const CellBackward& step);
  StepFunction gru_step;
  // GRU with the reset gate before the product, in two halves of which each has a product of its own.
  void (*gru_before_forward)(const CellForward& step);          // r, z and, to kept, r * h_prev
  void (*gru_before_forward_state)(const CellForward& step);    // n and h from the product with kept
  void (*gru_before_backward_state)(const CellBackward& step);  // d_z, d_n and carry_h's z d_h
  void (*gru_before_backward)(const CellBackward& step);        // d_r and the rest of carry_h
  StepFunction mingru_step;
  StepFunction minlstm_step;
};

struct Table : Products {
  // Of cells whose only product is that of W_ih.
  void (*mingru_forward)(const CellForward& step);
  void (*mingru_backward)(const CellBackward& step);
  void (*minlstm_forward)(const CellForward& step);
  void (*minlstm_backward)(const CellBackward& step);

  // out[N] += sum over r of a[r, N], r ascending.
  void (*column_sums)(std::size_t R, std::size_t N, const float* a, std::size_t lda, float* out);
  // g[index[r], N] += a[r, N], r ascending.
  void (*scatter_add)(std::size_t R, std::size_t N, const std::int32_t* index, const float* a,
                      std::size_t lda, float* g, std::size_t ldg);

  // normalized[m, N] = (x[m] - mean) deviation[m], deviation = 1 / sqrt(variance + 1e-5),
  // y[m] = gain * normalized[m] + bias. normalized, deviation and bias may be null; y may be x. Sums over N are
  // those of sum_squares: kPad accumulators, added by a fixed tree.
  void (*layer_norm)(std::size_t M, std::size_t N, const Rows& x, const float* gain, const float* bias,
                     const MutableRows& normalized, float* deviation, const MutableRows& y);
  // dx[m] = deviation[m] (g - mean(g) - normalized[m] mean(g * normalized[m])), g = gain * dy[m].
  // dx may be dy.
  void (*layer_norm_backward)(std::size_t M, std::size_t N, const Rows& dy, const float* gain,
                              const Rows& normalized, const float* deviation, const MutableRows& dx);
  // out[N] += sum over r of a[r, N] b[r, N], r ascending.
  void (*product_sums)(std::size_t R, std::size_t N, const float* a, std::size_t lda, const float* b,
                       std::size_t ldb, float* out);
  // y[m, N] = a[m] + b[m]; y may be a or b.
  void (*add)(std::size_t M, std::size_t N, const Rows& a, const Rows& b, const MutableRows& y);
  // y[m, j] = x[m, j] scale, or 0 if a hash of key, numbers[m] and j is below threshold / 2^32. y may be x.
  void (*dropout)(std::size_t M, std::size_t N, const Rows& x, std::uint64_t key,
                  const std::uint64_t* numbers, std::uint32_t threshold, float scale, const MutableRows& y);

  // y[N] = softmax(x[N] * scale); x may be y.
  void (*softmax)(std::size_t N, const float* x, float scale, float* y);
  // rows[m] as above; if scale is not null, y[m] becomes scale[m] (softmax(y[m]) - onehot(class)).
  void (*softmax_cross_entropy)(std::size_t M, std::size_t N, float* y, std::size_t ldy,
                                const std::int32_t* classes, const float* scale, SoftmaxRow* rows);
  // The same with smoothed labels, certain[m] onehot(class) + prior[N], where mass is the sum of prior: also
  // rest[m] = sum of prior (max - y); if scale is not null, y[m] becomes
  // scale[m] ((certain[m] + mass) softmax(y[m]) - labels).
  void (*smoothed_cross_entropy)(std::size_t M, std::size_t N, float* y, std::size_t ldy,
                                 const std::int32_t* classes, const float* certain, const float* prior,
                                 float mass, const float* scale, SoftmaxRow* rows, float* rest);
  // loss[m] = sum of (y - target)^2 over N; if scale is not null, y[m] becomes scale[m] 2 (y - target).
  void (*squared_error)(std::size_t M, std::size_t N, float* y, std::size_t ldy, const float* targets,
                        std::size_t ldt, const float* scale, float* loss);
  // loss[m] = sum over N of log(1 + exp(y)) - target y; if scale is not null, y[m] becomes
  // scale[m] (sigmoid(y) - target).
  void (*binary_cross_entropy)(std::size_t M, std::size_t N, float* y, std::size_t ldy, const float* targets,
                               std::size_t ldt, const float* scale, float* loss);

  // The sum of x^2, in kPad accumulators added by a fixed tree.
  float (*sum_squares)(std::size_t n, const float* x);
  // One update of n (a multiple of kPad) parameters p by gradients g. m and v are the rule's state.
  void (*update)(const Update& u, std::size_t n, float* p, const float* g, float* m, float* v);
  // a += rate (p - a), for n (a multiple of kPad) parameters.
  void (*average)(std::size_t n, float rate, const float* p, float* a);

  // A layer without recurrence: h = f(gates), [M, H]; h may be gates, which otherwise keep what they held.
  // vectors[1]: with prelu, its slopes [H]. Formulas in dense-inl.h.
  void (*dense_forward)(const CellForward& step);
  // gates: in: what forward read; out: its gradient. h: what forward wrote. kept: with prelu, out:
  // d_h min(gates, 0), whose sum is the gradient of the slopes.
  void (*dense_backward)(const CellBackward& step);

  // Cells with activations of choice, of formulas in custom-inl.h. They do not multiply by w: its data is null, and
  // x holds the product, backwards added to d_h already. Gates keep what the activations are of.
  void (*vanilla_custom_forward)(const CellForward& step);
  void (*vanilla_custom_backward)(const CellBackward& step);
  void (*lstm_custom_forward)(const CellForward& step);
  void (*lstm_custom_backward)(const CellBackward& step);
  void (*lstm_peephole_custom_forward)(const CellForward& step);
  void (*lstm_peephole_custom_backward)(const CellBackward& step);
  void (*lstm_coupled_custom_forward)(const CellForward& step);
  void (*lstm_coupled_custom_backward)(const CellBackward& step);
  void (*lstm_coupled_peephole_custom_forward)(const CellForward& step);
  void (*lstm_coupled_peephole_custom_backward)(const CellBackward& step);
  void (*gru_custom_forward)(const CellForward& step);
  void (*gru_custom_backward)(const CellBackward& step);
  void (*gru_before_custom_forward)(const CellForward& step);
  void (*gru_before_custom_forward_state)(const CellForward& step);
  void (*gru_before_custom_backward_state)(const CellBackward& step);
  void (*gru_before_custom_backward)(const CellBackward& step);

  void (*tanh)(const float* x, float* y, std::size_t n);
  void (*sigmoid)(const float* x, float* y, std::size_t n);
  void (*exp)(const float* x, float* y, std::size_t n);
};

}  // namespace rnn::kernels

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

// A matrix W[rows, depth] packed by pack.h: panels of Table::panel rows, each panel column by column.
struct Panels {
  const float* data;
  std::size_t rows;
  std::size_t depth;
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
  float rate;           // learning rate; Adam: with the bias corrections folded in
  float momentum;       // SGD, RMSprop
  float beta1;          // Adam
  float beta2;          // Adam, RMSprop
  float epsilon;        // Adam: scaled by the second bias correction
  float decay;          // weight decay; AdamW: times the plain learning rate
  float gradient_scale; // from clipping by norm
  float clip_value;     // after scaling; infinity when off
};

struct Table {
  const char* name;
  std::size_t lanes;  // floats in a vector
  std::size_t panel;  // rows of a full panel, a multiple of lanes

  // y[m, 0..n) = init[m] + W x[m], summed in the order that gemm-inl.h states. n is w.rows, or padded(w.rows)
  // for padded y and init, whose padding must be zero and stays so. init may be zero vectors, and may be y.
  void (*gemm)(const Panels& w, std::size_t M, const Rows& x, const Rows& init, std::size_t n,
               const MutableRows& y);
  // y[m, 0..n) = init[m] + column index[m] of W: gemm with one-hot x, the same bits (but for the sign of 0).
  void (*gather)(const Panels& w, std::size_t M, const std::int32_t* index, const Rows& init, std::size_t n,
                 const MutableRows& y);
  // c[M, N] += sum over r of a[r, m] b[r, n], r ascending. N is a multiple of kPad.
  void (*gemm_tn)(std::size_t M, std::size_t N, std::size_t R, const float* a, std::size_t lda, const float* b,
                  std::size_t ldb, float* c, std::size_t ldc);
  // out[N] += sum over r of a[r, N], r ascending.
  void (*column_sums)(std::size_t R, std::size_t N, const float* a, std::size_t lda, float* out);
  // g[index[r], N] += a[r, N], r ascending.
  void (*scatter_add)(std::size_t R, std::size_t N, const std::int32_t* index, const float* a, std::size_t lda,
                      float* g, std::size_t ldg);

  // h[m] = tanh(pre[m] + W_hh h_prev[m]). h may be pre. n = padded H.
  void (*vanilla_forward)(const Panels& w_hh, std::size_t M, const Rows& h_prev, const Rows& pre,
                          std::size_t n, const MutableRows& h);
  // d_pre[m] = (d_h[m] + W_hh^T d_pre_next[m]) (1 - h[m]^2); rows from M_next on have no successor and no
  // second term. w_hh_t holds W_hh^T. d_pre may be d_h. n = padded H.
  void (*vanilla_backward)(const Panels& w_hh_t, std::size_t M, std::size_t M_next, const Rows& d_pre_next,
                           const Rows& d_h, const Rows& h, std::size_t n, const MutableRows& d_pre);

  // y[N] = softmax(x[N] * scale); x may be y.
  void (*softmax)(std::size_t N, const float* x, float scale, float* y);
  // rows[m] as above; if scale is not null, y[m] becomes scale[m] (softmax(y[m]) - onehot(class)).
  void (*softmax_cross_entropy)(std::size_t M, std::size_t N, float* y, std::size_t ldy,
                                const std::int32_t* classes, const float* scale, SoftmaxRow* rows);
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

  void (*tanh)(const float* x, float* y, std::size_t n);
  void (*sigmoid)(const float* x, float* y, std::size_t n);
  void (*exp)(const float* x, float* y, std::size_t n);
};

}  // namespace rnn::kernels

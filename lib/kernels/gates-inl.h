// The recurrent step of each cell: the product with the recurrent weights, and behind it, while the tile is
// in the cache, the gates' activations and the new state; and the same backwards.
#ifndef RNN_KERNELS_GATES_INL_H_
#define RNN_KERNELS_GATES_INL_H_

#include "lib/kernels/activations-inl.h"
#include "lib/kernels/gemm-inl.h"

namespace rnn::kernels {
namespace {

// h = tanh(pre + W_hh h_prev)
template <class Arch>
struct VanillaForward {
  const Rows& pre;
  const MutableRows& h;
  std::size_t n;

  void finish(std::size_t m, std::size_t column, Vec<Arch> sum) const noexcept {
    const Vec<Arch> a = load_columns<Arch>(row(pre, m), column, n) + sum;
    store_columns<Arch>(row(h, m), column, n, vtanh(a));
  }
};

template <class Arch>
void vanilla_forward(const Panels& w_hh, std::size_t M, const Rows& h_prev, const Rows& pre, std::size_t n,
                     const MutableRows& h) noexcept {
  multiply<Arch>(w_hh, M, h_prev, VanillaForward<Arch>{pre, h, n});
}

// d_pre = (d_h + W_hh^T d_pre_next) (1 - h^2)
template <class Arch>
struct VanillaBackward {
  const Rows& d_h;
  const Rows& h;
  const MutableRows& d_pre;
  std::size_t n;

  void finish(std::size_t m, std::size_t column, Vec<Arch> sum) const noexcept {
    const Vec<Arch> gradient = load_columns<Arch>(row(d_h, m), column, n) + sum;
    const Vec<Arch> state = load_columns<Arch>(row(h, m), column, n);
    store_columns<Arch>(row(d_pre, m), column, n, gradient * vfnma(state, state, Vec<Arch>(1.0f)));
  }
};

template <class Arch>
void vanilla_backward(const Panels& w_hh_t, std::size_t M, std::size_t M_next, const Rows& d_pre_next,
                      const Rows& d_h, const Rows& h, std::size_t n, const MutableRows& d_pre) noexcept {
  const VanillaBackward<Arch> output{d_h, h, d_pre, n};
  if (M_next > 0) multiply<Arch>(w_hh_t, M_next, d_pre_next, output);
  for (std::size_t m = M_next; m < M; ++m)
    for (std::size_t column = 0; column < n; column += lanes<Arch>)
      output.finish(m, column, Vec<Arch>(0.0f));
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GATES_INL_H_

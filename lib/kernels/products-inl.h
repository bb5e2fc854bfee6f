// The part of a table that multiplies by weights, for one kind of numbers: F32 of tile-inl.h, or those of
// formats-inl.h. To add a cell's step: its output beside lstm-inl.h, a member of Products, its line here.
#ifndef RNN_KERNELS_PRODUCTS_INL_H_
#define RNN_KERNELS_PRODUCTS_INL_H_

#include "lib/kernels/gru-inl.h"
#include "lib/kernels/lstm-inl.h"
#include "lib/kernels/minimal-inl.h"
#include "lib/kernels/outputs-inl.h"
#include "lib/kernels/step-inl.h"

namespace rnn::kernels {
namespace {

// Null for numbers that are not for training.
template <class Arch, template <class> class Output, class Number, bool trains>
constexpr auto backward() noexcept -> decltype(Products::vanilla_backward) {
  if constexpr (trains) return &backward_step<Arch, Output, Number>;
  return nullptr;
}

// gemm_tn: null if these numbers are not for training.
template <class Arch, class Number, bool trains>
constexpr Products products(const char* name, Format format, std::size_t pack, std::size_t block,
                            std::size_t narrow, decltype(Products::gemm_tn) gemm_tn) noexcept {
  return {
      name,
      format,
      pack,
      block,
      lanes<Arch>,
      panel_rows<Arch>,
      narrow,
      &gemm<Arch, Number>,
      &gather<Arch, Number>,
      gemm_tn,
      &forward_step<Arch, TanhForward, Number>,
      backward<Arch, TanhBackward, Number, trains>(),
      &whole_step<Arch, TanhForward, Number>,
      &forward_step<Arch, ReluForward, Number>,
      backward<Arch, ReluBackward, Number, trains>(),
      &whole_step<Arch, ReluForward, Number>,
      &forward_step<Arch, LstmForward, Number>,
      backward<Arch, LstmBackward, Number, trains>(),
      &whole_step<Arch, LstmForward, Number>,
      &forward_step<Arch, LstmPeepholeForward, Number>,
      backward<Arch, LstmPeepholeBackward, Number, trains>(),
      &whole_step<Arch, LstmPeepholeForward, Number>,
      &forward_step<Arch, LstmCoupledForward, Number>,
      backward<Arch, LstmCoupledBackward, Number, trains>(),
      &whole_step<Arch, LstmCoupledForward, Number>,
      &forward_step<Arch, LstmCoupledPeepholeForward, Number>,
      backward<Arch, LstmCoupledPeepholeBackward, Number, trains>(),
      &whole_step<Arch, LstmCoupledPeepholeForward, Number>,
      &forward_step<Arch, GruForward, Number>,
      backward<Arch, GruBackward, Number, trains>(),
      &whole_step<Arch, GruForward, Number>,
      &forward_step<Arch, GruBeforeForward, Number>,
      &forward_step<Arch, GruBeforeForwardState, Number>,
      backward<Arch, GruBeforeBackwardState, Number, trains>(),
      backward<Arch, GruBeforeBackward, Number, trains>(),
      &whole_step_alone<Arch, MinGruForward, Number>,
      &whole_step_alone<Arch, MinLstmForward, Number>,
  };
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_PRODUCTS_INL_H_

// The constant table of one instruction set. The including unit defines RNN_ISA (avx2) and RNN_ARCH (the
// xsimd architecture).
//
// To add a kernel: a template in one of the files below, a member of Table, its line here.
#include "lib/kernels/activations-inl.h"
#include "lib/kernels/gates-inl.h"
#include "lib/kernels/gemm-inl.h"
#include "lib/kernels/gemm_tn-inl.h"
#include "lib/kernels/loss-inl.h"
#include "lib/kernels/norm-inl.h"
#include "lib/kernels/update-inl.h"

#define RNN_JOIN_(a, b) a##b
#define RNN_JOIN(a, b) RNN_JOIN_(a, b)
#define RNN_STRING_(a) #a
#define RNN_STRING(a) RNN_STRING_(a)

namespace rnn::kernels {

extern const Table RNN_JOIN(RNN_ISA, _table);
const Table RNN_JOIN(RNN_ISA, _table) = {
    {
        RNN_STRING(RNN_ISA),
        Format::f32,
        1,
        lanes<RNN_ARCH>,
        panel_rows<RNN_ARCH>,
        lanes<Narrow<RNN_ARCH>>,
        &gemm<RNN_ARCH>,
        &gather<RNN_ARCH>,
        &gemm_tn<RNN_ARCH>,
        &forward_step<RNN_ARCH, TanhForward>,
        &backward_step<RNN_ARCH, TanhBackward>,
        &whole_step<RNN_ARCH, TanhForward<PaddedUnits>>,
        &forward_step<RNN_ARCH, ReluForward>,
        &backward_step<RNN_ARCH, ReluBackward>,
        &whole_step<RNN_ARCH, ReluForward<PaddedUnits>>,
        &forward_step<RNN_ARCH, LstmForward>,
        &backward_step<RNN_ARCH, LstmBackward>,
        &whole_step<RNN_ARCH, LstmForward<PaddedUnits>>,
        &forward_step<RNN_ARCH, GruForward>,
        &backward_step<RNN_ARCH, GruBackward>,
        &whole_step<RNN_ARCH, GruForward<PaddedUnits>>,
        &forward_step<RNN_ARCH, GruBeforeForward>,
        &forward_step<RNN_ARCH, GruBeforeForwardState>,
        &backward_step<RNN_ARCH, GruBeforeBackwardState>,
        &backward_step<RNN_ARCH, GruBeforeBackward>,
    },
    &column_sums<RNN_ARCH>,
    &scatter_add<RNN_ARCH>,
    &layer_norm<RNN_ARCH>,
    &layer_norm_backward<RNN_ARCH>,
    &product_sums<RNN_ARCH>,
    &add<RNN_ARCH>,
    &dropout<RNN_ARCH>,
    &softmax<RNN_ARCH>,
    &softmax_cross_entropy<RNN_ARCH>,
    &squared_error<RNN_ARCH>,
    &binary_cross_entropy<RNN_ARCH>,
    &sum_squares<RNN_ARCH>,
    &update<RNN_ARCH>,
    &average<RNN_ARCH>,
    &tanh_array<RNN_ARCH>,
    &sigmoid_array<RNN_ARCH>,
    &exp_array<RNN_ARCH>,
};

}  // namespace rnn::kernels

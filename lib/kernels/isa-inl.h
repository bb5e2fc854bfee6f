// The constant table of one instruction set. The including unit defines RNN_ISA (avx2) and RNN_ARCH (the
// xsimd architecture).
//
// To add a kernel: a template in one of the files below, a member of Table, its line here; if it multiplies by
// weights, in products-inl.h.
#include "lib/kernels/activations-inl.h"
#include "lib/kernels/custom-inl.h"
#include "lib/kernels/dense-inl.h"
#include "lib/kernels/gemm_tn-inl.h"
#include "lib/kernels/loss-inl.h"
#include "lib/kernels/norm-inl.h"
#include "lib/kernels/products-inl.h"
#include "lib/kernels/update-inl.h"

#define RNN_JOIN_(a, b) a##b
#define RNN_JOIN(a, b) RNN_JOIN_(a, b)
#define RNN_STRING_(a) #a
#define RNN_STRING(a) RNN_STRING_(a)

namespace rnn::kernels {

constexpr OutputTable RNN_JOIN(RNN_ISA, _outputs) = output_table<RNN_ARCH>(Outputs{});

extern const Table RNN_JOIN(RNN_ISA, _table);
constexpr Table RNN_JOIN(RNN_ISA, _table) = {
    products<RNN_ARCH, F32, true>(RNN_STRING(RNN_ISA), Format::f32, 1, 1, lanes<Narrow<RNN_ARCH>>,
                                  &gemm_tn<RNN_ARCH>),
    &step_alone<RNN_ARCH, MinGruForward, CellForward>,
    &step_alone<RNN_ARCH, MinGruBackward, CellBackward>,
    &step_alone<RNN_ARCH, MinLstmForward, CellForward>,
    &step_alone<RNN_ARCH, MinLstmBackward, CellBackward>,
    &column_sums<RNN_ARCH>,
    &scatter_add<RNN_ARCH>,
    &layer_norm<RNN_ARCH>,
    &layer_norm_backward<RNN_ARCH>,
    &product_sums<RNN_ARCH>,
    &add<RNN_ARCH>,
    &dropout<RNN_ARCH>,
    &softmax<RNN_ARCH>,
    &softmax_cross_entropy<RNN_ARCH>,
    &smoothed_cross_entropy<RNN_ARCH>,
    &squared_error<RNN_ARCH>,
    &binary_cross_entropy<RNN_ARCH>,
    &sum_squares<RNN_ARCH>,
    &update<RNN_ARCH>,
    &average<RNN_ARCH>,
    &dense_forward<RNN_ARCH>,
    &dense_backward<RNN_ARCH>,
    &vanilla_custom_forward<RNN_ARCH>,
    &vanilla_custom_backward<RNN_ARCH>,
    &lstm_custom_forward<RNN_ARCH, false, false>,
    &lstm_custom_backward<RNN_ARCH, false, false>,
    &lstm_custom_forward<RNN_ARCH, false, true>,
    &lstm_custom_backward<RNN_ARCH, false, true>,
    &lstm_custom_forward<RNN_ARCH, true, false>,
    &lstm_custom_backward<RNN_ARCH, true, false>,
    &lstm_custom_forward<RNN_ARCH, true, true>,
    &lstm_custom_backward<RNN_ARCH, true, true>,
    &gru_custom_forward<RNN_ARCH>,
    &gru_custom_backward<RNN_ARCH>,
    &gru_before_custom_forward<RNN_ARCH>,
    &gru_before_custom_forward_state<RNN_ARCH>,
    &gru_before_custom_backward_state<RNN_ARCH>,
    &gru_before_custom_backward<RNN_ARCH>,
    &tanh_array<RNN_ARCH>,
    &sigmoid_array<RNN_ARCH>,
    &exp_array<RNN_ARCH>,
};

}  // namespace rnn::kernels

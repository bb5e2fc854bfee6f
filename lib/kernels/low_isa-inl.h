// The products of one instruction set in formats other than f32. The including unit defines RNN_ISA (the name
// of the products, avx2), RNN_ARCH (the xsimd architecture), and, of the kinds of numbers in formats-inl.h,
// those it has: RNN_BF16, RNN_INT8.
#include "lib/kernels/gates-inl.h"
#include "lib/kernels/low-inl.h"

#define RNN_JOIN_(a, b) a##b
#define RNN_JOIN(a, b) RNN_JOIN_(a, b)
#define RNN_STRING_(a) #a
#define RNN_STRING(a) RNN_STRING_(a)

namespace rnn::kernels {

#if defined(RNN_BF16)
extern const Products RNN_JOIN(RNN_ISA, _bf16);
const Products RNN_JOIN(RNN_ISA, _bf16) = {
    RNN_STRING(RNN_ISA),
    Format::bf16,
    RNN_BF16::pack,
    lanes<RNN_ARCH>,
    panel_rows<RNN_ARCH>,
    lanes<RNN_ARCH>,
    &gemm<RNN_ARCH, RNN_BF16>,
    &gather<RNN_ARCH, RNN_BF16>,
    &low_gemm_tn<RNN_ARCH, RNN_BF16>,
    &forward_step<RNN_ARCH, TanhForward, RNN_BF16>,
    &backward_step<RNN_ARCH, TanhBackward, RNN_BF16>,
    &whole_step<RNN_ARCH, TanhForward<PaddedUnits>, RNN_BF16>,
    &forward_step<RNN_ARCH, ReluForward, RNN_BF16>,
    &backward_step<RNN_ARCH, ReluBackward, RNN_BF16>,
    &whole_step<RNN_ARCH, ReluForward<PaddedUnits>, RNN_BF16>,
    &forward_step<RNN_ARCH, LstmForward, RNN_BF16>,
    &backward_step<RNN_ARCH, LstmBackward, RNN_BF16>,
    &whole_step<RNN_ARCH, LstmForward<PaddedUnits>, RNN_BF16>,
    &forward_step<RNN_ARCH, GruForward, RNN_BF16>,
    &backward_step<RNN_ARCH, GruBackward, RNN_BF16>,
    &whole_step<RNN_ARCH, GruForward<PaddedUnits>, RNN_BF16>,
    &forward_step<RNN_ARCH, GruBeforeForward, RNN_BF16>,
    &forward_step<RNN_ARCH, GruBeforeForwardState, RNN_BF16>,
    &backward_step<RNN_ARCH, GruBeforeBackwardState, RNN_BF16>,
    &backward_step<RNN_ARCH, GruBeforeBackward, RNN_BF16>,
};
#endif

#if defined(RNN_INT8)
extern const Products RNN_JOIN(RNN_ISA, _int8);
const Products RNN_JOIN(RNN_ISA, _int8) = {
    RNN_STRING(RNN_ISA),
    Format::int8,
    RNN_INT8::pack,
    lanes<RNN_ARCH>,
    panel_rows<RNN_ARCH>,
    lanes<RNN_ARCH>,
    &gemm<RNN_ARCH, RNN_INT8>,
    &gather<RNN_ARCH, RNN_INT8>,
    nullptr,
    &forward_step<RNN_ARCH, TanhForward, RNN_INT8>,
    nullptr,
    &whole_step<RNN_ARCH, TanhForward<PaddedUnits>, RNN_INT8>,
    &forward_step<RNN_ARCH, ReluForward, RNN_INT8>,
    nullptr,
    &whole_step<RNN_ARCH, ReluForward<PaddedUnits>, RNN_INT8>,
    &forward_step<RNN_ARCH, LstmForward, RNN_INT8>,
    nullptr,
    &whole_step<RNN_ARCH, LstmForward<PaddedUnits>, RNN_INT8>,
    &forward_step<RNN_ARCH, GruForward, RNN_INT8>,
    nullptr,
    &whole_step<RNN_ARCH, GruForward<PaddedUnits>, RNN_INT8>,
    &forward_step<RNN_ARCH, GruBeforeForward, RNN_INT8>,
    &forward_step<RNN_ARCH, GruBeforeForwardState, RNN_INT8>,
    nullptr,
    nullptr,
};
#endif

}  // namespace rnn::kernels

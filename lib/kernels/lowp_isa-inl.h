// The products of one instruction set in formats other than f32. The including unit defines RNN_ISA (the name
// of the products, avx2), RNN_ARCH (the xsimd architecture), and, of the kinds of numbers in formats-inl.h,
// those it has: RNN_BF16, RNN_INT8.
#include "lib/kernels/lowp_tn-inl.h"
#include "lib/kernels/products-inl.h"

#define RNN_JOIN_(a, b) a##b
#define RNN_JOIN(a, b) RNN_JOIN_(a, b)
#define RNN_STRING_(a) #a
#define RNN_STRING(a) RNN_STRING_(a)

namespace rnn::kernels {

#if defined(RNN_BF16)
extern const Products RNN_JOIN(RNN_ISA, _bf16);
constexpr Products RNN_JOIN(RNN_ISA,
                            _bf16) = products<RNN_ARCH, RNN_BF16, true>(RNN_STRING(RNN_ISA), Format::bf16,
                                                                        RNN_BF16::pack, RNN_BF16::block,
                                                                        lanes<RNN_ARCH>,
                                                                        &lowp_gemm_tn<RNN_ARCH, RNN_BF16>);
#endif

#if defined(RNN_INT8)
extern const Products RNN_JOIN(RNN_ISA, _int8);
constexpr Products RNN_JOIN(RNN_ISA,
                            _int8) = products<RNN_ARCH, RNN_INT8, false>(RNN_STRING(RNN_ISA), Format::int8,
                                                                         RNN_INT8::pack, RNN_INT8::block,
                                                                         lanes<RNN_ARCH>, nullptr);
#endif

}  // namespace rnn::kernels

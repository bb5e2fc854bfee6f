#define RNN_SCALAR
#define RNN_ISA scalar
#define RNN_ARCH Scalar
#define RNN_BF16 Bf16Widened
#define RNN_INT8 Int8Widened
#include "lib/kernels/lowp_isa-inl.h"

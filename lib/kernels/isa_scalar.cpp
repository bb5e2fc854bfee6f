#define RNN_SCALAR
#define RNN_ISA scalar
#define RNN_ARCH Scalar
#include "lib/kernels/isa-inl.h"

// Of the vectors of the scalar kernels, whether this build has these or not.
#define RNN_SCALAR
#include "tests/kernels/fused_forms.h"

namespace rnn::kernels {
TEST(FusedForms, RoundOnceInScalarKernels) { expect_exact_forms(); }
}  // namespace rnn::kernels

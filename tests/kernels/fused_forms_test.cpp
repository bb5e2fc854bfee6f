// Of the vectors that every CPU of this family has.
#include "lib/kernels/subnormals.h"
#if defined(RNN_SOFTWARE_FLUSH) && !defined(RNN_SCALAR)
#define RNN_SCALAR  // only these have it
#endif
#include "tests/kernels/fused_forms.h"

namespace rnn::kernels {
TEST(FusedForms, RoundOnce) { expect_exact_forms(); }
}  // namespace rnn::kernels

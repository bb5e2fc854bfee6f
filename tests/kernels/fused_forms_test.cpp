// Of the vectors that every CPU of this family has.
#include "tests/kernels/fused_forms.h"

namespace rnn::kernels {
TEST(FusedForms, RoundOnce) { expect_exact_forms(); }
}  // namespace rnn::kernels

// With RNN_ISA naming an instruction set that does not exist; see meson.build.
#include "common.h"
#include "lib/kernels/dispatch.h"

TEST(UnknownIsa, IsRefusedWithTheOnesThatExist) {
  const rnn_config_t c = config(2, 3, 1);
  rnn_t* const untouched = reinterpret_cast<rnn_t*>(8);
  rnn_t* out = untouched;
  EXPECT_FAILS(RNN_UNSUPPORTED, "abacus", rnn_create(&c, &out));
  EXPECT_FAILS(RNN_UNSUPPORTED, rnn::kernels::all().begin[0]->name, rnn_create(&c, &out));
  EXPECT_EQ(out, untouched);
  EXPECT_STREQ(rnn_isa(), "none");
}

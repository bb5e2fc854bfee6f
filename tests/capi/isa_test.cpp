// With RNN_ISA naming an instruction set that does not exist; see meson.build.
#include "common.h"

TEST(UnknownIsa, IsRefusedWithTheOnesThatExist) {
  const rnn_config_t c = config(2, 3, 1);
  rnn_t* const untouched = reinterpret_cast<rnn_t*>(8);
  rnn_t* out = untouched;
  EXPECT_FAILS(RNN_UNSUPPORTED, "abacus", rnn_create(&c, &out));
#if defined(__x86_64__)
  EXPECT_FAILS(RNN_UNSUPPORTED, "sse2", rnn_create(&c, &out));
#else
  EXPECT_FAILS(RNN_UNSUPPORTED, "neon", rnn_create(&c, &out));
#endif
  EXPECT_EQ(out, untouched);
  EXPECT_STREQ(rnn_isa(), "none");
}

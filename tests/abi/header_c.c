/* rnn.h alone, as C99; and a caller that knows nothing of C++. */
#include <rnn/rnn.h>
#include <stdio.h>

#include "abi.h"

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, rnn_last_error());
  return 1;
}

int main(void) {
  rnn_config_t config = {0};
  const float x[3] = {0.1f, 0.2f, 0.3f};
  float y[2] = {0, 0};
  rnn_t *rnn = NULL, *stream = NULL;

  config.struct_size = sizeof config;
  if (rnn_create(&config, &rnn) != RNN_INVALID_ARGUMENT || rnn != NULL) return fail("an empty configuration");
  config.input_size = 3;
  config.hidden_size = 16;
  config.output_size = 2;
  if (rnn_create(&config, &rnn) != RNN_OK) return fail("create");
  if (rnn_fork(rnn, &stream) != RNN_OK) return fail("fork");
  if (rnn_step(stream, x, y) != RNN_OK) return fail("step");
  if (y[0] == 0 || y[1] == 0) return fail("no output");
  rnn_destroy(rnn);
  rnn_destroy(stream);
  printf("%s %s\n", rnn_version(), rnn_isa());
  return 0;
}

/* A network that is compiled in: no file, no allocation after the start, and in a library built with
 * -Dtraining=disabled -Dformats=disabled nothing that a small device lacks.
 *
 * embedded_network.h is what embedded_network.c writes while this is built: a neuron h = max(0, 0.9 h + 0.1 x) that
 * smooths its input. */
#include <math.h>
#include <rnn/rnn.h>
#include <stdio.h>

#include "embedded_network.h"

int main(void) {
  rnn_t *rnn = NULL;
  float x = 1, y = 0, expected = 0;
  int t;

  if (rnn_load_memory(embedded_network, sizeof embedded_network, NULL, &rnn) != RNN_OK) {
    fprintf(stderr, "%s\n", rnn_last_error());
    return 1;
  }
  for (t = 1; t <= 20; ++t) {
    rnn_step(rnn, &x, &y);
    expected = 0.9f * expected + 0.1f * x;
    if (t % 5 == 0) printf("after %2d steps of %g: %.4f\n", t, x, y);
    if (fabsf(y - expected) > 1e-6f) return fprintf(stderr, "%g; it must be %g\n", y, expected), 1;
  }
  rnn_destroy(rnn);
  return 0;
}

/* Writes the network of embedded.c as an array in C: embedded_network.h. Networks that were trained become such by
 * rnn_save_as with a path that ends with .h. */
#include <rnn/rnn.h>
#include <stdio.h>
#include <stdlib.h>

static void check(rnn_status_t status) {
  if (status == RNN_OK) return;
  fprintf(stderr, "%s\n", rnn_last_error());
  exit(1);
}

int main(void) {
  const float input = 0.1f, recurrent = 0.9f, zero = 0;
  rnn_config_t config = {0};
  rnn_save_options_t options = {0};
  rnn_t *rnn = NULL;
  size_t size = 0;
  char *text;

  config.struct_size = sizeof config;
  config.input_size = 1;
  config.hidden_size = 1;
  config.flags = RNN_FLAG_RELU;
  check(rnn_create(&config, &rnn));
  check(rnn_set_parameter(rnn, "weight_ih_l0", &input, 1));
  check(rnn_set_parameter(rnn, "weight_hh_l0", &recurrent, 1));
  check(rnn_set_parameter(rnn, "bias_ih_l0", &zero, 1));

  options.struct_size = sizeof options;
  options.format = RNN_FORMAT_C;
  options.name = "embedded_network";
  check(rnn_save_memory_as(rnn, &options, NULL, 0, &size));
  text = malloc(size);
  if (text == NULL) return 1;
  check(rnn_save_memory_as(rnn, &options, text, size, &size));
  if (fwrite(text, 1, size, stdout) != size) return 1;
  free(text);
  rnn_destroy(rnn);
  return 0;
}

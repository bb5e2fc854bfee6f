/* Learn a sentence letter by letter, then say it. */
#include <rnn/rnn.h>
#include <stdio.h>
#include <stdlib.h>

static void check(rnn_status_t status) {
  if (status == RNN_OK) return;
  fprintf(stderr, "%s\n", rnn_last_error());
  exit(1);
}

int main(void) {
  const char text[] = "the cell keeps what it has seen\n";
  const size_t steps = sizeof text - 2; /* without the last letter, which nothing follows */
  int32_t letters[sizeof text], said[80];
  for (size_t i = 0; i < sizeof text; ++i) letters[i] = text[i];

  rnn_config_t config = {
      .struct_size = sizeof config, .input_size = 128, .hidden_size = 32, .output_size = 128};
  rnn_t *rnn = NULL;
  check(rnn_create(&config, &rnn));

  rnn_sequences_t data = {.struct_size = sizeof data,
                          .count = 1,
                          .frames = steps,
                          .lengths = &steps,
                          .indices = letters,
                          .classes = letters + 1};
  rnn_train_options_t options = {.struct_size = sizeof options, .learning_rate = 0.01f, .epochs = 200};
  check(rnn_train(rnn, &data, &options));

  float y[128]; /* a logit for each letter that may come next */
  check(rnn_step_index(rnn, 't', y));
  printf("after 't': %.1f for 'h', %.1f for 'x'\n", y['h'], y['x']);

  rnn_generate_options_t generate = {.struct_size = sizeof generate,
                                     .prompt = letters,
                                     .prompt_count = 1,
                                     .greedy = 1,
                                     .stop = 1,
                                     .stop_index = '\n'};
  size_t count;
  check(rnn_reset(rnn));
  check(rnn_generate(rnn, &generate, said, 80, &count));
  putchar('t');
  for (size_t i = 0; i < count; ++i) putchar(said[i]);
  rnn_destroy(rnn);
  return 0;
}

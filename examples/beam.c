/* Search for the most probable sentence with a thousand forks of one stream, where the most probable letter at each
 * step leads astray: half of all sentences begin with "a", but no animal comes often. */
#include <math.h>
#include <rnn/rnn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kLetters = 128, kLength = 24, kWidth = 1000, kSentences = 400, kFrames = kSentences * kLength };

typedef struct {
  rnn_t *stream;     /* which has read the sentence so far, and keeps its last kLength states */
  float y[kLetters]; /* what it says comes next: log probabilities */
  char text[kLength + 1];
  double score;
} hypothesis;

typedef struct {
  int parent, letter;
  double score;
} choice;

static void check(rnn_status_t status) {
  if (status == RNN_OK) return;
  fprintf(stderr, "beam: %s\n", rnn_last_error());
  exit(1);
}

static void step(hypothesis *h, int letter) {
  double sum = 0;
  check(rnn_step_index(h->stream, letter, h->y));
  for (int i = 0; i < kLetters; ++i) sum += exp(h->y[i]);
  for (int i = 0; i < kLetters; ++i) h->y[i] -= (float)log(sum);
}

static rnn_t *train(void) {
  static const char *const sentences[] = {
      "a bear sleeps\n",  "a crow sings\n",   "a dog runs\n",     "a fox waits\n", "a goat climbs\n",
      "the king waits\n", "the king waits\n", "the king waits\n", "my hat fell\n", "we sing\n"};
  static int32_t inputs[kFrames], classes[kFrames];
  size_t lengths[kSentences], frames = 0;
  for (int n = 0; n < kSentences; ++n) {
    const char *text = sentences[n % 10];
    lengths[n] = strlen(text);
    for (size_t i = 0; i < lengths[n]; ++i, ++frames) {
      inputs[frames] = i == 0 ? '\n' : text[i - 1];
      classes[frames] = text[i];
    }
  }
  rnn_config_t config = {.struct_size = sizeof config,
                         .cell = RNN_CELL_GRU,
                         .input_size = kLetters,
                         .hidden_size = 32,
                         .output_size = kLetters};
  rnn_sequences_t data = {.struct_size = sizeof data,
                          .count = kSentences,
                          .frames = frames,
                          .lengths = lengths,
                          .indices = inputs,
                          .classes = classes};
  rnn_train_options_t options = {.struct_size = sizeof options, .learning_rate = 0.01f, .epochs = 40};
  rnn_t *rnn = NULL;
  check(rnn_create(&config, &rnn));
  check(rnn_train(rnn, &data, &options));
  return rnn;
}

static int by_score(const void *a, const void *b) {
  const double x = ((const choice *)a)->score, y = ((const choice *)b)->score;
  return (x < y) - (x > y);
}

/* Always the most probable letter. The stream is then taken back to where it was. */
static hypothesis greedy(hypothesis h) {
  size_t n = 0;
  for (int letter = 0; letter != '\n' && n < kLength;) {
    letter = 0;
    for (int i = 1; i < kLetters; ++i)
      if (h.y[i] > h.y[letter]) letter = i;
    h.score += h.y[letter];
    h.text[n++] = (char)letter;
    step(&h, letter);
  }
  check(rnn_rewind(h.stream, n));
  return h;
}

/* Of all sentences that go on from the kWidth most probable beginnings, the most probable one. */
static hypothesis search(hypothesis start) {
  static hypothesis beam[kWidth], next[kWidth];
  static choice choices[kWidth * kLetters];
  hypothesis best = start;
  size_t count = 1;
  best.score = -INFINITY;
  beam[0] = start;
  check(rnn_fork(start.stream, &beam[0].stream));
  for (int n = 0; n < kLength && count > 0; ++n) {
    size_t found = 0, kept = 0;
    for (size_t b = 0; b < count; ++b)
      for (int i = 0; i < kLetters; ++i) choices[found++] = (choice){(int)b, i, beam[b].score + beam[b].y[i]};
    qsort(choices, found, sizeof *choices, by_score);
    for (size_t c = 0; c < found && kept < kWidth && choices[c].score > best.score; ++c) {
      const hypothesis *parent = &beam[choices[c].parent];
      hypothesis child = *parent;
      child.text[n] = (char)choices[c].letter;
      child.score = choices[c].score;
      if (choices[c].letter == '\n') {
        best = child;
        continue;
      }
      check(rnn_fork(parent->stream, &child.stream));
      step(&child, choices[c].letter);
      next[kept++] = child;
    }
    for (size_t b = 0; b < count; ++b) rnn_destroy(beam[b].stream);
    memcpy(beam, next, kept * sizeof *beam);
    count = kept;
  }
  for (size_t b = 0; b < count; ++b) rnn_destroy(beam[b].stream);
  return best;
}

int main(void) {
  hypothesis start = {.stream = train()};
  check(rnn_reset(start.stream));
  check(rnn_history(start.stream, kLength));
  step(&start, '\n');
  const hypothesis one = greedy(start);
  check(rnn_history(start.stream, 0)); /* forks need none */
  const hypothesis best = search(start);
  printf("greedy, of probability %.2f: %s", exp(one.score), one.text);
  printf("best,   of probability %.2f: %s", exp(best.score), best.text);
  rnn_destroy(start.stream);
  return best.score > one.score ? 0 : 1;
}

/* librnn from C: step a network, teach another three sentences, save it and load it.
 *
 *   cc sentences.c $(pkg-config --cflags --libs rnn) && ./a.out
 */
#include <rnn/rnn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kEnd = '\n', kSentences = 3, kMaximumText = 64, kMaximumAlphabet = 32 };
static const char *const sentences[kSentences] = {"hey how are you", "good i am fine", "have a nice day"};
static const char file[] = "sentences.safetensors";

/* The characters of the sentences and their end, in their order: an index is a place in it. */
static char alphabet[kMaximumAlphabet];

static void check(rnn_status_t status) {
  if (status == RNN_OK) return;
  fprintf(stderr, "%s\n", rnn_last_error());
  exit(1);
}

static void make_alphabet(void) {
  size_t size = 0;
  for (int c = 1; c < 128; ++c) {
    int occurs = c == kEnd;
    for (int i = 0; i < kSentences; ++i) occurs |= strchr(sentences[i], c) != NULL;
    if (occurs) alphabet[size++] = (char)c;
  }
}

static size_t encode(const char *text, int32_t *indices) {
  for (size_t i = 0; text[i] != 0; ++i) indices[i] = (int32_t)(strchr(alphabet, text[i]) - alphabet);
  return strlen(text);
}

/* Values to the last bit, as a comparison needs them. */
static void print_bits(const char *label, const float *values, size_t count) {
  printf("%s", label);
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    printf(" %08X", (unsigned)bits);
  }
  printf("\n");
}

static void refuse(void) {
  rnn_config_t config = {.struct_size = sizeof config, .input_size = 2, .hidden_size = -4};
  rnn_t *network = NULL;
  const rnn_status_t status = rnn_create(&config, &network);
  printf("%s: %s\n", rnn_status_string(status), rnn_last_error());
}

static void step(void) {
  static const float inputs[3][2] = {{0.5f, -1}, {0.25f, 0}, {1, 2}};
  rnn_config_t config = {.struct_size = sizeof config,
                         .cell = RNN_CELL_GRU,
                         .input_size = 2,
                         .hidden_size = 4,
                         .output_size = 2,
                         .seed = 7};
  rnn_t *network = NULL;
  check(rnn_create(&config, &network));
  for (int t = 0; t < 3; ++t) {
    float y[2];
    check(rnn_step(network, inputs[t], y));
    print_bits("step", y, 2);
  }
  rnn_destroy(network);
}

static int32_t report(const rnn_progress_t *progress, void *user) {
  ++*(int *)user;
  printf("update %llu: loss %.6f\n", (unsigned long long)progress->update, progress->loss);
  return progress->loss < 0.05; /* enough: stop */
}

static rnn_t *learn(void) {
  int32_t indices[kSentences * kMaximumText], classes[kSentences * kMaximumText];
  size_t lengths[kSentences], frames = 0;
  for (int i = 0; i < kSentences; ++i) {
    int32_t text[kMaximumText];
    lengths[i] = encode(sentences[i], text);
    text[lengths[i]] = (int32_t)(strchr(alphabet, kEnd) - alphabet);
    memcpy(indices + frames, text, lengths[i] * sizeof *text);
    memcpy(classes + frames, text + 1, lengths[i] * sizeof *text); /* each character predicts the next */
    frames += lengths[i];
  }
  const rnn_sequences_t data = {.struct_size = sizeof data,
                                .count = kSentences,
                                .frames = frames,
                                .lengths = lengths,
                                .indices = indices,
                                .classes = classes};
  int reports = 0;
  const rnn_train_options_t options = {.struct_size = sizeof options,
                                       .learning_rate = 0.01f,
                                       .clip_norm = 1,
                                       .epochs = 5000,
                                       .threads = 1,
                                       .report_every = 100,
                                       .progress = report,
                                       .user = &reports};
  const int32_t size = (int32_t)strlen(alphabet);
  const rnn_config_t config = {
      .struct_size = sizeof config, .input_size = size, .hidden_size = 12, .output_size = size, .seed = 1};
  rnn_t *network = NULL;
  check(rnn_create(&config, &network));
  check(rnn_train(network, &data, &options));
  printf("%d reports\n", reports);
  return network;
}

static void complete(rnn_t *network, const char *start) {
  int32_t prompt[kMaximumText], drawn[kMaximumText];
  float y[kMaximumAlphabet];
  rnn_generate_options_t options = {.struct_size = sizeof options, .prompt = prompt, .greedy = 1, .stop = 1};
  options.prompt_count = encode(start, prompt);
  options.stop_index = (int32_t)(strchr(alphabet, kEnd) - alphabet);
  size_t count = 0;
  check(rnn_reset(network));
  check(rnn_generate(network, &options, drawn, kMaximumText, &count));
  printf("%s", start);
  for (size_t i = 0; i < count && drawn[i] != options.stop_index; ++i) putchar(alphabet[drawn[i]]);
  printf("\n");
  check(rnn_step_index(network, options.stop_index, y));
  print_bits("outputs", y, 4);
}

int main(void) {
  printf("librnn %s\n", rnn_version());
  refuse();
  step();
  make_alphabet();
  rnn_t *network = learn(), *loaded = NULL;
  complete(network, "good");
  check(rnn_save(network, file));
  check(rnn_load(file, NULL, &loaded));
  complete(loaded, "good");
  rnn_destroy(loaded);
  rnn_destroy(network);
  return 0;
}

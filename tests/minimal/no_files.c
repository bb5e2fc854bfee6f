/* What a library without formats refuses, and that it still saves and loads in memory: no_files ISA, the one that it
 * was built for. */
#include <rnn/rnn.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void expect(rnn_status_t status, rnn_status_t wanted, const char *message) {
  if (status == wanted && (status == RNN_OK || strstr(rnn_last_error(), message) != NULL)) return;
  fprintf(stderr, "%s (%s); it must be %s, %s\n", rnn_status_string(status), rnn_last_error(),
          rnn_status_string(wanted), message);
  ++failures;
}

int main(int argc, char **argv) {
  const char *no_files = "built without formats and opens no files; use the memory forms";
  static unsigned char memory[4096];
  const unsigned char safetensors[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
  rnn_config_t config = {0};
  rnn_save_options_t options = {0};
  rnn_t *rnn = NULL, *loaded = NULL;
  size_t size = 0;

  if (argc != 2 || strcmp(rnn_isa(), argv[1]) != 0) {
    fprintf(stderr, "computes with %s\n", rnn_isa());
    ++failures;
  }
  config.struct_size = sizeof config;
  config.input_size = 3;
  config.hidden_size = 4;
  options.struct_size = sizeof options;
  options.format = RNN_FORMAT_SAFETENSORS;
  expect(rnn_create(&config, &rnn), RNN_OK, "");
  expect(rnn_save(rnn, "no_files.rnn"), RNN_UNSUPPORTED, no_files);
  expect(rnn_save_as(rnn, "no_files.rnn", NULL), RNN_UNSUPPORTED, no_files);
  expect(rnn_load("no_files.rnn", NULL, &loaded), RNN_UNSUPPORTED, no_files);
  expect(rnn_load_as("no_files.rnn", NULL, NULL, &loaded), RNN_UNSUPPORTED, no_files);
  expect(rnn_save_memory_as(rnn, &options, NULL, 0, &size), RNN_UNSUPPORTED, "knows binary files alone");
  expect(rnn_load_memory(safetensors, sizeof safetensors, NULL, &loaded), RNN_UNSUPPORTED,
         "was built without formats and knows binary files alone");
  expect(rnn_load_memory("{}", 2, NULL, &loaded), RNN_UNSUPPORTED, "the file is JSON");
  expect(rnn_load_memory("text", 4, NULL, &loaded), RNN_BAD_FORMAT,
         "is none of those that this library reads: librnn's binary files");
  expect(rnn_set_metadata(rnn, "key", "value"), RNN_OK, "");
  expect(rnn_save_memory(rnn, memory, sizeof memory, &size), RNN_OK, "");
  expect(rnn_load_memory(memory, size, NULL, &loaded), RNN_OK, "");
  rnn_destroy(loaded);
  memory[size - 1] ^= 1;
  expect(rnn_load_memory(memory, size, NULL, &loaded), RNN_BAD_FORMAT, "the checksum is ");
  rnn_destroy(rnn);
  return failures != 0;
}

/* What JavaScript gives for a function pointer, and what a struct's layout is checked by. */
#include <rnn/rnn.h>

#include "layout.h"

/* Of the host: src/library.js. */
__attribute__((import_module("librnn"), import_name("progress"))) int32_t librnn_progress(
    const rnn_progress_t *progress, void *user);

rnn_progress_function_t librnn_progress_function(void);
rnn_progress_function_t librnn_progress_function(void) { return &librnn_progress; }

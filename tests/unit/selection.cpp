// The value of RNN_ISA is the instruction set that networks use; a value that is not available makes creation
// fail with a message that names those that are. An argument names the set that must be in use.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/kernels/dispatch.h"
#include "rnn/rnn.h"

namespace {

bool available(const char* name) {
  const rnn::kernels::TableList tables = rnn::kernels::all();
  for (const rnn::kernels::Table* const* table = tables.begin; table != tables.end; ++table)
    if (std::strcmp((*table)->name, name) == 0) return true;
  return false;
}

int fail(const char* what, const char* value) {
  std::fprintf(stderr, "%s: %s\n", what, value);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const wanted = std::getenv("RNN_ISA");
  const bool works = wanted == nullptr || available(wanted);
  const char* const best = rnn::kernels::all().end[-1]->name;

  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = 2;
  config.hidden_size = 3;
  rnn_t* rnn = nullptr;
  const rnn_status_t status = rnn_create(&config, &rnn);
  if (!works) {
    if (status != RNN_UNSUPPORTED || rnn != nullptr) return fail("status", rnn_status_string(status));
    if (std::strstr(rnn_last_error(), wanted) == nullptr || std::strstr(rnn_last_error(), best) == nullptr)
      return fail("message", rnn_last_error());
    return 0;
  }
  if (status != RNN_OK) return fail("rnn_create", rnn_last_error());
  const char* const expected = argc > 1 ? argv[1] : wanted != nullptr ? wanted : best;
  if (std::strcmp(rnn_isa(), expected) != 0) return fail("rnn_isa", rnn_isa());
  if (std::strcmp(rnn::kernels::table()->name, expected) != 0)
    return fail("table", rnn::kernels::table()->name);
  rnn_destroy(rnn);
  return 0;
}

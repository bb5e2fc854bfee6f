#include "lib/training/process.h"

#include <dlfcn.h>
#include <pthread.h>

namespace rnn {

// A program is not found by its path, and needs no pinning.
void pin_module() {
  Dl_info module;
  if (dladdr(reinterpret_cast<void*>(&pin_module), &module) != 0 && module.dli_fname != nullptr)
    dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

bool call_in_child(void (*function)()) { return pthread_atfork(nullptr, nullptr, function) == 0; }

}  // namespace rnn
